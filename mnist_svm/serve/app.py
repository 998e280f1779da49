"""The ASGI application: routes, error handling and middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.serve import routes
from mnist_svm.serve.limits import LimitsMiddleware
from mnist_svm.serve.observability import Metrics, ObservabilityMiddleware
from mnist_svm.serve.predict import PredictionService
from mnist_svm.serve.responses import INTERNAL_ERROR, error_response
from mnist_svm.serve.schemas import VERSION
from mnist_svm.serve.settings import Settings
from mnist_svm.serve.web_page import add_pages

DESCRIPTION = """\
Reads handwritten digits with a support vector machine. `/predict` takes pictures of one digit each,
or arrays; `/read` takes pictures of any number of digits. Errors have one line of `detail`, and the
`request_id` that identifies them in the server's log.
"""

# How to send the API key, for the OpenAPI document; `LimitsMiddleware` checks the key.
KEY_SCHEMES = (
    APIKeyHeader(name="X-API-Key", scheme_name="key", auto_error=False),
    HTTPBearer(scheme_name="bearer", auto_error=False),
)


def create_app(settings: Settings) -> ASGIApp:
    """Create the web application, with its model loaded.

    Raises ModelFileError if the model file is invalid, and OSError if it cannot be read.
    """
    metrics = Metrics()
    recognizer = Recognizer.load(settings.model, n_jobs=1).prepare()
    card = routes.model_card(recognizer)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[routes.State]:
        async with PredictionService(recognizer, settings, metrics) as service:
            yield {"service": service, "settings": settings, "metrics": metrics, "model": card}

    app = FastAPI(
        title="mnist-svm",
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    schemes = KEY_SCHEMES if settings.api_key is not None else ()
    app.include_router(routes.api, dependencies=[Security(scheme) for scheme in schemes])
    app.include_router(routes.probes)
    add_pages(app)
    for error_type in (HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(error_type, _handle_error)
    return _add_middleware(app, settings, metrics)


def _add_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> ASGIApp:
    async def bypass(scope: Scope, receive: Receive, send: Send) -> None:
        # Validation of the absent query takes FastAPI a tenth of a prediction's time.
        target = scope.get("method"), scope.get("path"), scope.get("query_string")
        if target == ("POST", "/predict", b""):
            response = await routes.predict(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await app(scope, receive, send)

    stack: ASGIApp = LimitsMiddleware(bypass, settings, metrics)
    if settings.origins:
        stack = CORSMiddleware(
            stack,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return ObservabilityMiddleware(stack, metrics)


async def _handle_error(request: Request, error: Exception) -> Response:
    """Convert any exception of a route to an error response."""
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        error = HTTPException(422, f"{field}: {first['msg']}")
    if not isinstance(error, HTTPException):
        error = INTERNAL_ERROR
    return error_response(error, request.state.request_id)
