"""The application: its layers, from the outside in, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.serve.error_responses import ProblemError, internal_error
from mnist_svm.serve.limits import Guard
from mnist_svm.serve.metrics import Metrics
from mnist_svm.serve.middleware import Observed
from mnist_svm.serve.predict import Reading
from mnist_svm.serve.responses import problem_answer
from mnist_svm.serve.routes import add_api
from mnist_svm.serve.schemas import VERSION
from mnist_svm.serve.settings import Settings
from mnist_svm.serve.web_page import add_pages

DESCRIPTION = """\
Reads handwritten digits with a support vector machine. `/predict` takes pictures of one digit each,
or arrays; `/read` takes pictures of any number of digits. Errors have one line of `detail`, and the
`request_id` that the log knows them by.
"""


def create_app(settings: Settings) -> ASGIApp:
    """The web application; it loads the model.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    ASGI application

    Raises
    ------
    ModelFileError
        If the model file cannot be used.
    OSError
        If it cannot be read.
    """
    metrics = Metrics()
    recognizer = Recognizer.load(settings.model, n_jobs=1).prepare()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Reading]]:
        reading = Reading(recognizer, max_pixels=settings.max_pixels, tell=metrics.batches.observe)
        async with reading:
            yield {"reading": reading}

    app = FastAPI(
        title="mnist-svm",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    predict = add_api(app, settings, recognizer, metrics)
    add_pages(app)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        # The request that comes by the thousand has no parameters to look at, and what FastAPI does
        # about them takes a tenth of it.
        asked = scope.get("method"), scope.get("path"), scope.get("query_string")
        if asked == ("POST", "/predict", b""):
            response = await predict(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await app(scope, receive, send)

    for kind in (ProblemError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, _told)
    layers: ASGIApp = Guard(routed, settings, metrics)
    if settings.origins:
        layers = CORSMiddleware(
            layers,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return Observed(layers, metrics)


async def _told(request: Request, error: Exception) -> Response:
    """Any error as a problem."""
    problem, headers = internal_error(), None
    if isinstance(error, ProblemError):
        problem = error
    elif isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = ProblemError(422, f"{where}: {first['msg']}")
    elif isinstance(error, HTTPException):
        problem, headers = ProblemError(error.status_code, str(error.detail)), error.headers
    answer = problem_answer(problem, request.state.request_id)
    answer.headers.update(headers or {})
    return answer
