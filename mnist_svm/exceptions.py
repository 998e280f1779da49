"""The errors this package raises on purpose; all are `MnistSvmError` and a builtin too.

Each message says which file or argument is wrong, what was expected, what was found, and,
where it helps, what to do. File-system trouble stays a plain `OSError`.
"""

from __future__ import annotations


class MnistSvmError(Exception):
    """Base of every error that this package raises on purpose."""


class FormatError(MnistSvmError, ValueError):
    """A file does not hold what it claims or ought to hold."""


class DataMissingError(MnistSvmError, FileNotFoundError):
    """A data set's files are not where they were looked for."""


class FetchError(MnistSvmError, RuntimeError):
    """No mirror gave a file that verified."""


class ModelFileError(FormatError):
    """A model file is damaged, of another kind, or holds something it must not."""


class PictureError(FormatError):
    """A picture cannot be decoded, or shows no digit."""


class TooLargeError(PictureError):
    """A picture is over a limit of what is decoded."""


class AddressError(MnistSvmError, OSError):
    """An address cannot be listened on."""


class MissingExtraError(MnistSvmError, ImportError):
    """An optional dependency is not installed."""


class StudyError(MnistSvmError, RuntimeError):
    """The database of a search for parameters cannot be used."""


class TrackingError(MnistSvmError, RuntimeError):
    """MLflow's server or database cannot be used."""


class ClusterError(MnistSvmError, RuntimeError):
    """A Dask cluster cannot be used, or was lost."""
