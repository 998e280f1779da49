"""Parts of the OpenAPI document that FastAPI does not derive from the routes."""

from __future__ import annotations

from typing import Any

from mnist_svm.serve import schemas
from mnist_svm.serve.payloads import FORM, JSON

# Picture types of the document. The server reads more.
PICTURE_TYPES = ("png", "jpeg", "gif", "bmp", "tiff", "webp", "x-portable-anymap")

# A one: a vertical stroke, 20 pixels high.
EXAMPLE = {"data": [[255 * (4 <= i < 24 and 13 <= j < 16) for j in range(28)] for i in range(28)]}

ERRORS = {
    401: "The API key is missing or wrong.",
    403: "The request is from a page of another site.",
    408: "The request took too long.",
    413: "The body, a picture or the number of pictures exceeds a limit.",
    415: "The content type is not supported.",
    422: "The body is malformed, or none of its pictures can be read.",
    409: "Nothing to learn from, or learning already.",
    507: "The folder of corrections is full.",
    503: "Too many concurrent requests; wait as long as Retry-After says.",
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that can fail with these statuses."""
    return {status: {"model": schemas.Error, "description": ERRORS[status]} for status in statuses}


def picture_body(*, arrays: bool) -> dict[str, Any]:
    """Return the ``openapi_extra`` of a route that takes pictures, and perhaps arrays."""
    picture = {"type": "string", "format": "binary"}
    description = "Picture files; /info has their maximum number."
    files = {"type": "array", "items": picture, "minItems": 1, "description": description}
    form = {"type": "object", "properties": {"file": files}, "required": ["file"]}
    content: dict[str, Any] = {FORM: {"schema": form}}
    if arrays:
        content[JSON] = {"schema": schemas.Arrays.model_json_schema(), "example": EXAMPLE}
    content |= {f"image/{kind}": {"schema": picture} for kind in PICTURE_TYPES}
    return {"requestBody": {"required": True, "content": content}}
