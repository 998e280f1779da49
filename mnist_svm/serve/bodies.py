"""Bodies of requests -> pictures and arrays."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from mnist_svm.serve.error_responses import ProblemError

# Characters of a file's name that are told back.
NAME = 255

# Fields of a form besides the files, which are passed over.
FIELDS = 16


@dataclass(frozen=True)
class Upload:
    """A picture file that was sent.

    Attributes
    ----------
    file : its name, without folders; None if it has none.
    content : its bytes, which nobody has looked at.
    """

    file: str | None
    content: bytes


class _InMemory(MultiPartParser):
    # The body is in memory already, and nothing is written to a disk that may be read-only.
    spool_max_size = 1 << 40


async def uploads(content_type: str, body: bytes, max_files: int) -> list[Upload]:
    """The picture files of a body.

    Parameters
    ----------
    content_type : str
        ``multipart/form-data`` with its boundary, or ``image/*``.
    body : bytes
    max_files : int

    Returns
    -------
    list of Upload, at least one

    Raises
    ------
    ProblemError
        If there is no file, there are too many, or the body is damaged.
    """
    if content_type.lower().startswith("image/"):
        if not body:
            raise ProblemError(422, "the body is empty; send the picture's bytes")
        return [Upload(None, body)]

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    # One more than may be, so that too many can be told from a damaged form.
    parser = _InMemory(
        Headers({"content-type": content_type}),
        stream(),
        max_files=max_files + 1,
        max_fields=FIELDS,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, FormParserError, LookupError, UnicodeError) as error:
        reason = getattr(error, "message", "no boundary, an unknown charset, or damaged")
        if "Too many files" in reason:
            raise _too_many(max_files) from None
        msg = f"not a form that can be read: {' '.join(reason.split())}"
        raise ProblemError(422, msg) from None
    files = form.getlist("file")
    if not files:
        raise ProblemError(422, 'the form has no field "file" with a picture')
    found = []
    for file in files:
        if not isinstance(file, UploadFile):
            raise ProblemError(422, 'the field "file" is text; send it as a file, with a name')
        found.append(Upload(_base(file.filename), await file.read()))
    if len(found) > max_files:
        raise _too_many(max_files)
    return found


def _too_many(max_files: int) -> ProblemError:
    return ProblemError(413, f"more than {max_files} files; send them in several requests")


def _base(name: str | None) -> str | None:
    """A file's name without folders, as any system writes them, and without control characters."""
    last = re.split(r"[/\\]", name or "")[-1]
    return "".join(character for character in last if character.isprintable())[:NAME] or None
