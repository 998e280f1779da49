"""JSON responses, for results and for errors."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from mnist_svm.serve.settings import RETRY_AFTER

# Headers that belong to a status.
STATUS_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER)}}

# Response to an unexpected exception: clients learn no details.
INTERNAL_ERROR = HTTPException(500, "internal error; the server log has details for this id")


def json_response(**content: Any) -> Response:
    """Serialize an object of JSON types and pydantic models."""
    return Response(to_json(content), media_type="application/json")


def error_response(error: HTTPException, request_id: str) -> Response:
    """Serialize an HTTP error as ``detail`` and ``request_id``."""
    content = {"detail": error.detail, "request_id": request_id}
    headers = {**STATUS_HEADERS.get(error.status_code, {}), **(error.headers or {})}
    return JSONResponse(content, error.status_code, headers)
