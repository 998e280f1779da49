"""Zstandard, of Python 3.14 or of pyarrow (extra: [parquet])."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import IO, Any

from mnist_svm._optional import require_extra
from mnist_svm.datasets.arrays import MAX_QUOTE
from mnist_svm.exceptions import FormatError, sanitize

ZSTD_SIGNATURE = b"\x28\xb5\x2f\xfd"


@contextmanager
def open_zstd(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """Decompress a file; `name` is what error messages call it.

    Raises MissingExtraError if nothing is installed that can. Reading in the ``with`` block raises
    FormatError if the stream is damaged or truncated.
    """
    module: Any = None
    with suppress(ImportError):
        module = import_module("compression.zstd")
    if module is not None:
        with _damage_is_format_error(name, (module.ZstdError, EOFError)):
            yield module.ZstdFile(file)
        return
    pa = require_extra("pyarrow", f"{name}: reading Zstandard needs pyarrow", "parquet")
    stream = pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")
    with _damage_is_format_error(name, (OSError,)), stream:
        yield stream


@contextmanager
def _damage_is_format_error(name: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        # Errors of the file system have a number, those of the decompressors none.
        if getattr(error, "errno", None) is not None:
            raise
        reason = sanitize(str(error), MAX_QUOTE)
        msg = f"{name}: damaged or truncated archive (Zstandard: {reason})"
        raise FormatError(msg) from error
