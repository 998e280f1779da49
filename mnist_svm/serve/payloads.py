"""Parse request bodies: forms and picture bytes to uploads, JSON to images."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError
from pydantic_core import from_json
from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from mnist_svm._types import Float64Array, Images
from mnist_svm.constants import IMAGE_SIDE, N_PIXELS, WHITE
from mnist_svm.serve.schemas import DATA_SHAPES, Arrays
from mnist_svm.serve.settings import MAX_ARRAYS, MAX_JSON_BYTES, MAX_JSON_LISTS, MIB

JSON, FORM = "application/json", "multipart/form-data"

# Characters of a file name that are kept.
MAX_FILENAME = 255

# Form fields besides the files; they are ignored.
MAX_FIELDS = 16

IMAGE_SHAPES = {(N_PIXELS,), (IMAGE_SIDE, IMAGE_SIDE), (IMAGE_SIDE, IMAGE_SIDE, 1)}

# Without "range", arrays with a maximum from 2 on are 0-255, and up to 1 they are 0-1.
MIN_MAXIMUM_OF_BYTES, MAX_OF_FRACTIONS = 2, 1


@dataclass(frozen=True)
class Upload:
    """An uploaded picture file.

    `filename` is its base name without control characters, empty if the client sent no name;
    `content` is unchecked.
    """

    filename: str
    content: bytes


def is_media_type(content_type: str, media_type: str) -> bool:
    """Compare a Content-Type header, which may have parameters, with a media type."""
    return content_type.partition(";")[0].strip().lower() == media_type


# --- pictures ---------------------------------------------------------------------------


class _InMemoryParser(MultiPartParser):
    # The body is in memory already, and the file system may be read-only.
    spool_max_size = 1 << 40


async def parse_uploads(content_type: str, body: bytes, max_files: int) -> list[Upload]:
    """Extract the picture files, at least one, from a ``multipart/form-data`` or ``image/*`` body.

    Raises HTTPException if the body has no file or more than `max_files`, or is malformed.
    """
    if content_type.lower().startswith("image/"):
        if not body:
            raise HTTPException(422, "the body is empty; send the bytes of a picture")
        return [Upload("", body)]
    files = await _parse_form(content_type, body, max_files)
    if not files:
        raise HTTPException(422, 'the form has no field "file" with a picture')
    uploads = []
    for file in files:
        if not isinstance(file, UploadFile):
            raise HTTPException(422, 'the field "file" is text; send it as a file with a name')
        uploads.append(Upload(_base_name(file.filename), await file.read()))
    return uploads


async def _parse_form(content_type: str, body: bytes, max_files: int) -> list[UploadFile | str]:
    """Return the values of the form field ``file``."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    headers = Headers({"content-type": content_type})
    parser = _InMemoryParser(headers, stream(), max_files=max_files, max_fields=MAX_FIELDS)
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError, LookupError, UnicodeError) as error:
        reason = getattr(error, "message", "no boundary, unknown charset, or malformed")
        if "Too many files" in reason:
            msg = f"more than {max_files} files; send them in several requests"
            raise HTTPException(413, msg) from None
        raise HTTPException(422, f"malformed form: {' '.join(reason.split())}") from None
    return form.getlist("file")


def _base_name(filename: str | None) -> str:
    """Remove folders, in the syntax of any operating system, and control characters."""
    name = re.split(r"[/\\]", filename or "")[-1]
    return "".join(filter(str.isprintable, name))[:MAX_FILENAME]


# --- arrays -----------------------------------------------------------------------------


def parse_images(body: bytes) -> Images:
    """Convert a JSON body, a `schemas.Arrays`, to uint8 images of shape (n, 28, 28), 0-255.

    Raises HTTPException if the body is too large or malformed, or the range of its numbers is
    ambiguous or exceeded.
    """
    if len(body) > MAX_JSON_BYTES:
        msg = f"JSON body larger than {MAX_JSON_BYTES / MIB:g} MiB; send fewer images per request"
        raise HTTPException(413, msg)
    # Lists take little of the body but much memory.
    if body.count(b"[") > MAX_JSON_LISTS:
        raise HTTPException(422, f"body: more lists than {MAX_ARRAYS:,} images need")
    try:
        content = from_json(body)
    except ValueError as error:
        raise HTTPException(422, f"body: invalid JSON: {error}") from None
    values, stated_range = _convert_plain(content, body), None
    if values is None:
        arrays = _validate(content)
        values, stated_range = np.array(arrays.data, dtype=np.float64), arrays.range
    values = values.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    largest = values.max()
    white = {"0-255": WHITE, "0-1": 1}[stated_range] if stated_range else _detect_white(largest)
    if largest > white:
        raise HTTPException(422, f"data: a number of {largest:g} exceeds the range 0-1")
    return np.rint(values * (WHITE / white)).astype(np.uint8)


def _convert_plain(content: Any, body: bytes) -> Float64Array | None:
    """Convert valid data by NumPy alone, which takes half the time; None for all other data."""
    # NumPy would convert strings and booleans to numbers.
    if not isinstance(content, dict) or content.keys() != {"data"} or body.count(b'"') != 2:
        return None
    if b"true" in body or b"false" in body:
        return None
    try:
        values = np.array(content["data"], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    is_list = values.shape[1:] in IMAGE_SHAPES and 0 < len(values) <= MAX_ARRAYS
    if values.shape not in IMAGE_SHAPES and not is_list:
        return None
    # A null became NaN, which fails both comparisons.
    return values if values.min() >= 0 and values.max() <= WHITE else None


def _validate(content: Any) -> Arrays:
    """Validate data, and report its first error."""
    if not isinstance(content, dict):
        raise HTTPException(422, 'body: expected an object: {"data": ...}')
    # Pydantic would report each of a million unknown fields.
    if unknown := content.keys() - Arrays.model_fields.keys():
        raise HTTPException(422, f"body: {len(unknown)} unknown fields; known are data and range")
    try:
        return Arrays.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"] if part not in DATA_SHAPES)
    raise HTTPException(422, f"{field or 'body'}: {first['msg']}")


def _detect_white(largest: float) -> int:
    """Return the number that stands for white, by the largest number of the data."""
    if largest <= MAX_OF_FRACTIONS:
        return 1
    if largest >= MIN_MAXIMUM_OF_BYTES:
        return WHITE
    msg = f'data: ambiguous, the largest number is {largest:g}; add "range": "0-1" or "0-255"'
    raise HTTPException(422, msg)
