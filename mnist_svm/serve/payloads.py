"""Parse request bodies: forms and picture bytes to uploads, JSON to images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException

from mnist_svm._types import Images
from mnist_svm.exceptions import FormatError, sanitize
from mnist_svm.pictures.images import to_mnist_images
from mnist_svm.serve.schemas import Arrays
from mnist_svm.serve.settings import MAX_ARRAYS, MAX_JSON_BYTES, MAX_JSON_LISTS, MIB

JSON, FORM = "application/json", "multipart/form-data"

# Characters of a file name that are kept.
MAX_FILENAME = 255

# Form fields besides the files; they are ignored.
MAX_FIELDS = 16


@dataclass(frozen=True)
class Upload:
    """An uploaded picture file.

    `filename` is its base name on one line, empty if the client sent no name;
    `content` is unchecked.
    """

    filename: str
    content: bytes


def is_media_type(content_type: str, media_type: str) -> bool:
    """Compare a Content-Type header, which may have parameters, with a media type."""
    return content_type.partition(";")[0].strip().lower() == media_type


# --- pictures ---------------------------------------------------------------------------


def parse_uploads(content_type: str, body: bytes, max_files: int) -> list[Upload]:
    """Extract the picture files, at least one, from a ``multipart/form-data`` or ``image/*`` body.

    Raises HTTPException if the body has no file or more than `max_files`, or is malformed.
    """
    if content_type.lower().startswith("image/"):
        if not body:
            raise HTTPException(422, "the body is empty; send the bytes of a picture")
        return [Upload("", body)]
    form = _Form(content_type, max_files)
    try:
        form.parse(body)
    except FormParserError:
        raise HTTPException(422, "malformed form: invalid multipart data") from None
    except (LookupError, UnicodeError):
        raise HTTPException(422, "malformed form: no boundary, or unknown charset") from None
    if not form.uploads:
        raise HTTPException(422, 'the form has no field "file" with a picture')
    return form.uploads


class _Form:
    """Callbacks of the parser of a form whose body is in memory, where its files stay.

    `uploads` has the files of the field ``file``.
    """

    def __init__(self, content_type: str, max_files: int) -> None:
        _, self._parameters = parse_options_header(content_type)
        self._max_files = max_files
        self._n_fields = self._n_files = 0
        self._name = self._value = b""
        self._filename: bytes | None = None
        self._is_wanted = False
        self._content: list[bytes] = []
        self.uploads: list[Upload] = []

    def parse(self, body: bytes) -> None:
        """Parse a body; raise FormParserError, LookupError or UnicodeError if it is malformed."""
        callbacks: Any = {name: getattr(self, name) for name in dir(self) if name[:3] == "on_"}
        parser = MultipartParser(self._parameters[b"boundary"], callbacks)
        parser.write(body)
        parser.finalize()

    def on_part_begin(self) -> None:
        self._filename, self._is_wanted = None, False
        self._content = []

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self._filename = options.get(b"filename")
            self._is_wanted = options.get(b"name") == b"file"
        self._name = self._value = b""

    def on_headers_finished(self) -> None:
        if self._filename is not None:
            self._n_files += 1
            if self._n_files > self._max_files:
                msg = f"more than {self._max_files} files; send them in several requests"
                raise HTTPException(413, msg)
        elif self._is_wanted:
            raise HTTPException(422, 'the field "file" is text; send it as a file with a name')
        else:
            self._n_fields += 1
            if self._n_fields > MAX_FIELDS:
                raise HTTPException(422, f"malformed form: more than {MAX_FIELDS} fields")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_wanted:
            self._content.append(data[start:end])

    def on_part_end(self) -> None:
        if self._is_wanted and self._filename is not None:
            charset = self._parameters.get(b"charset", b"utf-8").decode("latin-1")
            filename = _base_name(self._filename.decode(charset))
            self.uploads.append(Upload(filename, b"".join(self._content)))


def _base_name(filename: str) -> str:
    """Remove folders, in the syntax of any operating system."""
    return sanitize(re.split(r"[/\\]", filename)[-1])[:MAX_FILENAME]


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
    if not isinstance(content, dict):
        raise HTTPException(422, 'body: expected an object: {"data": ...}')
    # Pydantic would report each of a million unknown fields.
    if unknown := content.keys() - Arrays.model_fields.keys():
        raise HTTPException(422, f"body: {len(unknown)} unknown fields; known are data and range")
    _require_numbers(content, body)
    try:
        arrays = Arrays.model_validate(content)
        images = to_mnist_images(arrays.data, range=arrays.range, source="data")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "body"
        raise HTTPException(422, f"{field}: {first['msg']}") from None
    except FormatError as error:
        raise HTTPException(422, str(error)) from None
    if not 0 < len(images) <= MAX_ARRAYS:
        msg = f"data: expected 1 to {MAX_ARRAYS:,} images, found {len(images):,}"
        raise HTTPException(422, msg)
    return images


def _require_numbers(content: dict[str, Any], body: bytes) -> None:
    """Raise an HTTPException if the data has strings or booleans.

    NumPy would convert them, and a few strings of several lengths to gigabytes.
    """
    n_strings = len(content) + isinstance(content.get("range"), str)
    if body.count(b'"') > 2 * n_strings or b"true" in body or b"false" in body:
        raise HTTPException(422, "data: expected numbers, found text, true, false or an object")
