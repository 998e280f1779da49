"""The ASGI application: routes, error handling and middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mnist_svm import __version__
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.serve import correction_routes, routes
from mnist_svm.serve.connections import ConnectionMiddleware
from mnist_svm.serve.limits import DrainMiddleware, limit_time, require_key
from mnist_svm.serve.observability import Metrics, ObservabilityMiddleware
from mnist_svm.serve.predict import PredictionService
from mnist_svm.serve.reload import ModelReloader
from mnist_svm.serve.responses import INTERNAL_ERROR, error_response
from mnist_svm.serve.settings import Settings
from mnist_svm.serve.teaching import Teacher
from mnist_svm.serve.web_page import add_pages

DESCRIPTION = """\
Reads handwritten digits with a support vector machine. `/predict` takes pictures of one digit each,
or arrays; `/read` takes pictures of any number of digits. Errors have one line of `detail`, and the
`request_id` that identifies them in the server's log.
"""


def create_app(settings: Settings) -> ASGIApp:
    """Create the web application, with its model loaded.

    Raises ModelFileError if the model file is invalid, and OSError if it cannot be read.
    """
    metrics = Metrics()
    # Not a variable of this function, which would keep the model when another is taken over.
    loaded = [Recognizer.load(settings.current_model, n_jobs=1).prepare()]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, object]]:
        async with PredictionService(loaded.pop(), settings, metrics) as service:
            reloader = ModelReloader(service, settings)
            reloader.install()
            async with Teacher(settings, reloader.reload_all) as teacher:
                yield {"service": service, "teacher": teacher}

    app = FastAPI(
        title="mnist-svm",
        version=__version__,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    needs_key = [Depends(require_key)] if settings.api_key is not None else []
    app.include_router(routes.api, dependencies=needs_key)
    app.include_router(routes.probes)
    if settings.corrections is not None:
        app.include_router(correction_routes.api, dependencies=needs_key)
    add_pages(app, corrections=settings.corrections is not None)
    for error_type in (HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(error_type, _handle_error)
    stack: ASGIApp = DrainMiddleware(_add_shortcut(app, settings))
    if settings.allow_origin:
        stack = CORSMiddleware(
            stack,
            allow_origins=settings.allow_origin,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return ConnectionMiddleware(ObservabilityMiddleware(stack, metrics))


def _add_shortcut(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Handle ``POST /predict`` without FastAPI, if there is neither a query nor an API key.

    A prediction needs none of FastAPI's routing and validation, which add half to its processor
    time: in one run, 32 connections got 764 answers a second without them, and 472 with them.
    """
    if settings.api_key is not None:
        return app
    shortcut = ("POST", f"{settings.root_path}/predict", b"")
    predict = limit_time(routes.predict)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if (scope.get("method"), scope.get("path"), scope.get("query_string")) != shortcut:
            await app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await predict(request)
        except HTTPException as error:
            response = await _handle_error(request, error)
        await response(scope, receive, send)

    return dispatch


async def _handle_error(request: Request, error: Exception) -> Response:
    """Convert any exception of a route to an error response."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        error = HTTPException(422, f"{field}: {first['msg']}")
    if not isinstance(error, HTTPException):
        error = INTERNAL_ERROR
    return error_response(error, request.state.request_id)
