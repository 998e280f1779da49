"""Public exceptions, and helpers for the text of error messages.

Every exception is an `MnistSvmError` and also a built-in one. A message says which file or
argument is wrong, what was expected, what was found, and what to do. Failures of the file system
stay plain `OSError`.
"""

from __future__ import annotations


class MnistSvmError(Exception):
    """Base class of all exceptions that this package raises on purpose."""


class FormatError(MnistSvmError, ValueError):
    """The content of a file is invalid."""


class DataMissingError(MnistSvmError, FileNotFoundError):
    """A data set, or a split of it, does not exist."""


class FetchError(MnistSvmError, RuntimeError):
    """No mirror provides a file with the right checksum."""


class ModelFileError(FormatError):
    """A model file is damaged, unsafe, or not a model file."""


class PictureError(FormatError):
    """A picture cannot be decoded, or shows no digit."""


class TooLargeError(PictureError):
    """A picture exceeds a size limit."""


class AddressError(MnistSvmError, OSError):
    """The server cannot listen on an address."""


class MissingExtraError(MnistSvmError, ImportError):
    """An optional dependency is not installed."""


class StudyError(MnistSvmError, RuntimeError):
    """The database of a parameter search cannot be used."""


class TrackingError(MnistSvmError, RuntimeError):
    """The MLflow server or database cannot be used."""


class ClusterError(MnistSvmError, RuntimeError):
    """A Dask cluster cannot be used, or the connection to it is lost."""


def sanitize(text: str, max_length: int | None = None) -> str:
    """Replace characters that cannot be printed on one line by "?", and cut to `max_length`."""
    return "".join(char if char.isprintable() else "?" for char in text[:max_length])


def error_text(error: BaseException) -> str:
    """Return the first line of an exception's message, or its type if that is not printable."""
    first, *_ = str(error).strip().splitlines() or [""]
    return first if first and first.isprintable() else type(error).__name__
