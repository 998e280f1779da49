"""Save a model to a file, and load it without trusting the file.

A model file is a gzip-compressed joblib file of one dict of plain types and numpy arrays: a format
mark, a format version, the `ModelInfo`, and the steps of the pipeline. joblib files are pickles,
and a pickle can call any function of any installed module. So files are read by an unpickler that
resolves the three names of an array and nothing else, and bounds what it allocates. The result is
checked before it is used, so that a damaged model is found when it is loaded.
"""

from __future__ import annotations

import gzip
import math
import os
import pickle
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from mnist_svm._io import atomic_write
from mnist_svm._types import Array, Float64Array, Images, Labels
from mnist_svm.constants import N_PIXELS
from mnist_svm.exceptions import MissingExtraError, ModelFileError, sanitize
from mnist_svm.models.check import parse_model
from mnist_svm.models.info import ModelInfo
from mnist_svm.models.locate import SHIPPED
from mnist_svm.models.steps import Step, predict_proba

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FORMAT = "mnist-svm model"
FORMAT_VERSION = 6

# Maximum size of one array, and of the decompressed file.
MAX_BYTES = 2 << 30

# Bytes that are read at a time.
BYTES_PER_READ = 1 << 20

# Maximum length of an error message's quotation from a file.
MAX_QUOTE = 120

OLDER_VERSION = "written by an older version of mnist-svm; train it again"

# Errors that the unpickler, and the objects that it fills, raise for a damaged stream.
_UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    AssertionError,
    gzip.BadGzipFile,
    zlib.error,
)


class Model:
    """A fitted pipeline and how it was made.

    Parameters
    ----------
    step : Step
        The pipeline as plain data, which predicts without scikit-learn.
    info : ModelInfo
    """

    def __init__(self, step: Step, info: ModelInfo) -> None:
        self.step = step
        self.info = info

    @classmethod
    def from_pipeline(cls, pipeline: Pipeline, info: ModelInfo) -> Self:
        """Make a model of a fitted pipeline, which becomes its `pipeline`.

        Raises
        ------
        FormatError
            If a step is not fitted, or of a type that model files cannot hold.
        """
        from mnist_svm.models.estimators import to_step

        model = cls(to_step(pipeline), info)
        vars(model)["pipeline"] = pipeline
        return model

    @cached_property
    def pipeline(self) -> Pipeline:
        """The fitted scikit-learn Pipeline; takes ``X`` of shape (n_images, 784), 0-255."""
        from mnist_svm.models.estimators import to_estimator

        return to_estimator(self.step)

    @property
    def classes(self) -> Labels:
        """Labels that the model knows, ascending: int64 ndarray of shape (k,)."""
        return self.step.classes

    def predict_proba(self, images: Images) -> Float64Array:
        """Compute the probability of each class, in this thread.

        Parameters
        ----------
        images : uint8 ndarray of shape (n_images, 28, 28), 0-255

        Returns
        -------
        float64 ndarray of shape (n_images, k), 0 to 1, each row adding up to 1
        """
        return self.predict_rows(images.reshape(len(images), N_PIXELS))

    def predict_rows(self, X: Array) -> Float64Array:
        """Compute the probability of each class of rows of pixels, or of features."""
        return predict_proba(self.step, X)

    def prepare(self) -> None:
        """Do the one-time work of the first prediction now."""
        self.step.prepare()

    def __getstate__(self) -> dict[str, Any]:
        return {"step": self.step, "info": self.info}


def save_model(path: str | os.PathLike[str], model: Model) -> None:
    """Write a model file atomically: it appears under its name only when complete.

    Parameters
    ----------
    path : str or os.PathLike
    model : Model

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    import joblib

    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "info": model.info.to_dict(),
        "pipeline": model.step.to_dict(),
    }
    with (
        atomic_write(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed,
    ):
        joblib.dump(content, packed)


def load_model(path: str | os.PathLike[str] | None = None, *, n_columns: int = N_PIXELS) -> Model:
    """Read a model file without running any code that it names.

    Parameters
    ----------
    path : str or os.PathLike, optional
        By default the model shipped with the package.
    n_columns : int, default=784
        Number of columns that the model takes: pixels of images, or features.

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If the file does not exist, is not a model file, is damaged, was written by another format
        version, or names anything but an array.
    MissingExtraError
        If the model has a network, and the extra [cnn] is not installed.
    OSError
        If the file cannot be opened or read.
    """
    path = SHIPPED if path is None else Path(path)
    if not path.exists():
        msg = f"{path}: no such model file; make one with: mnist-svm train -o {path}"
        raise ModelFileError(msg)
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
            if file.peek(2)[:2] != b"\x1f\x8b":
                msg = "not a model file of mnist-svm, which would be gzip-compressed"
                raise ModelFileError(msg)
            return _check_content(_unpickle(packed), n_columns)
    except ModelFileError as error:
        msg = f"{path}: {error}"
        raise ModelFileError(msg) from error.__cause__
    except MissingExtraError as error:
        msg = f"{path}: {error}"
        raise MissingExtraError(msg) from error


def _unpickle(packed: gzip.GzipFile) -> Any:
    try:
        content = _ModelUnpickler(packed).load()
        # gzip compares the checksum only when it reaches the end.
        trailing = packed.read(1)
    except ModelFileError:
        raise
    except _UNPICKLING_ERRORS as error:
        reason = sanitize(f"{type(error).__name__} {error}".splitlines()[0], MAX_QUOTE).rstrip()
        msg = f"damaged, or not a model file of mnist-svm ({reason})"
        raise ModelFileError(msg) from error
    if trailing:
        msg = "damaged: bytes follow the model"
        raise ModelFileError(msg)
    return content


# The unpickler in C allocates whatever size a damaged file asks for.
class _ModelUnpickler(pickle._Unpickler):  # noqa: SLF001
    """Unpickler of plain types and of numeric arrays, in the form in which joblib writes them."""

    dispatch = pickle._Unpickler.dispatch.copy()  # noqa: SLF001
    # It would allocate the size that the file states before reading.
    del dispatch[pickle.BYTEARRAY8[0]]
    stack: list[Any]

    def __init__(self, packed: gzip.GzipFile) -> None:
        self._stream = _BoundedStream(packed)
        super().__init__(cast(Any, self._stream))

    def find_class(self, module: str, name: str) -> Any:
        names = {
            ("joblib.numpy_pickle", "NumpyArrayWrapper"): _ArrayHeader,
            ("numpy", "dtype"): _StoredDtype,
            ("numpy", "ndarray"): _NDARRAY,
        }
        if (module, name) in names:
            return names[module, name]
        if module.startswith("mnist_svm."):
            raise ModelFileError(OLDER_VERSION)
        quoted = sanitize(f"{module}.{name}", MAX_QUOTE)
        msg = f"refused: the file names {quoted}, which no model needs; nothing was run"
        raise ModelFileError(msg)

    def load_build(self) -> None:
        """Fill an object; replace the header of an array by the array, whose bytes follow."""
        super().load_build()  # type: ignore[misc]
        if isinstance(self.stack[-1], _ArrayHeader):
            self.stack[-1] = self.stack[-1].read(self._stream)

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]


# Stands for the class of arrays; subclasses are not needed.
_NDARRAY = "numpy.ndarray"


class _StoredDtype:
    """Type of numbers, from the arguments of ``numpy.dtype``."""

    def __init__(self, code: str, *flags: bool) -> None:
        self.dtype = np.dtype(code)
        _require_numbers(self.dtype.kind in "biuf")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _ArrayHeader:
    """joblib's header of an array, filled by the unpickler."""

    subclass: object
    shape: tuple[int, ...]
    order: str
    dtype: _StoredDtype
    numpy_array_alignment_bytes: int | None = None

    def read(self, stream: _BoundedStream) -> Array:
        """Read the array that follows the header."""
        _require_numbers(self.subclass == _NDARRAY and isinstance(self.dtype, _StoredDtype))
        _require_numbers(all(type(side) is int and side >= 0 for side in self.shape))
        dtype, size = self.dtype.dtype, math.prod(self.shape)
        if size * dtype.itemsize > MAX_BYTES:
            msg = f"refused: its array of shape {self.shape} is over the limit, {MAX_BYTES:,} bytes"
            raise ModelFileError(msg)
        if self.numpy_array_alignment_bytes is not None:
            stream.read(stream.read(1)[0])
        array = np.empty(size, dtype)
        buffer = array.data.cast("B") if size else memoryview(b"")
        for start in range(0, len(buffer), BYTES_PER_READ):
            part = buffer[start : start + BYTES_PER_READ]
            part[:] = stream.read(len(part))
        array = array.reshape(self.shape, order="F" if self.order == "F" else "C")
        return array.astype(dtype.newbyteorder("="), copy=False)


def _require_numbers(valid: bool) -> None:
    if not valid:
        msg = "refused: the file contains an array of something other than numbers"
        raise ModelFileError(msg)


class _BoundedStream:
    """A decompressed stream that raises once it has returned `MAX_BYTES`."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._remaining = MAX_BYTES

    def read(self, size: int) -> bytes:
        # In parts, because a damaged file may ask for a size that it does not have.
        parts = []
        while size > 0 and (part := self._stream.read(min(size, BYTES_PER_READ))):
            parts.append(self._count(part))
            size -= len(part)
        return b"".join(parts)

    def readline(self) -> bytes:
        return self._count(self._stream.readline(self._remaining + 1))

    def _count(self, data: bytes) -> bytes:
        self._remaining -= len(data)
        if self._remaining < 0:
            msg = f"refused: it unpacks to more than the limit of {MAX_BYTES:,} bytes"
            raise ModelFileError(msg)
        return data


def _check_content(content: Any, n_columns: int) -> Model:
    """Return the model in a file's content, or raise ModelFileError."""
    fields = content if type(content) is dict else {}
    mark, format_version = fields.get("format"), fields.get("format_version")
    # Types first: comparing an array would give an array.
    if type(mark) is not str or mark != FORMAT or type(format_version) is not int:
        msg = "not a model file of mnist-svm"
        raise ModelFileError(msg)
    if format_version < FORMAT_VERSION:
        raise ModelFileError(OLDER_VERSION)
    if format_version > FORMAT_VERSION:
        msg = "written by a newer version of mnist-svm; upgrade mnist-svm"
        raise ModelFileError(msg)
    try:
        info = ModelInfo.from_dict(fields.get("info"))
        return Model(parse_model(fields.get("pipeline"), n_columns), info)
    except ValueError as error:
        msg = f"damaged model file: {sanitize(str(error), MAX_QUOTE)}"
        raise ModelFileError(msg) from error
