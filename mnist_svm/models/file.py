"""Save a model to a file, and load it without trusting the file.

A model file is a gzip-compressed joblib file of one dict: a format mark, a format version, the
`ModelInfo` as plain types, and the fitted pipeline. joblib files are pickles, and a pickle can call
any function of any installed module. So files are read by an unpickler that resolves an exact list
of names and nothing else, accepts arrays of numbers only, and bounds what it allocates. The result
is checked before it is used, so that a damaged model is found when it is loaded.
"""

from __future__ import annotations

import gzip
import math
import os
import pickle
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, cast

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from mnist_svm._io import atomic_write
from mnist_svm.exceptions import ModelFileError, sanitize
from mnist_svm.models.check import find_pipeline_fault
from mnist_svm.models.info import ModelInfo
from mnist_svm.models.locate import find_model

FORMAT = "mnist-svm model"
FORMAT_VERSION = 4

# All names that a model file may contain: plain data, and the steps of our pipelines.
ALLOWED_NAMES = frozenset(
    {
        ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("mnist_svm.features.transformers", "Blur"),
        ("mnist_svm.features.transformers", "NormalizeContrast"),
        ("mnist_svm.features.transformers", "Deskew"),
        ("mnist_svm.features.distort", "Distortion"),
        ("mnist_svm.features.transformers", "GradientFeatures"),
        ("mnist_svm.features.transformers", "NormalizeSize"),
        ("mnist_svm.svm.calibration", "Calibrated"),
        ("mnist_svm.svm.coupled", "CoupledSVC"),
        ("mnist_svm.svm.virtual", "VirtualSupportVectors"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "scalar"),
        ("sklearn.ensemble._voting", "VotingClassifier"),
        ("sklearn.pipeline", "Pipeline"),
        ("sklearn.preprocessing._label", "LabelEncoder"),
        ("sklearn.utils._bunch", "Bunch"),
    }
)

# Maximum size of one array, and of the decompressed file.
MAX_BYTES = 2 << 30

# Maximum length of an error message's quotation from a file.
MAX_QUOTE = 120

OLDER_VERSION = "written by an older version of mnist-svm; train it again"

# Errors that the unpickler, and the constructors it may call, raise for a damaged stream.
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


@dataclass(frozen=True)
class Model:
    """A fitted pipeline and how it was made.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Takes ``X`` of shape (n_images, 784), 0-255.
    info : ModelInfo
    """

    pipeline: Pipeline
    info: ModelInfo


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
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "info": model.info.to_dict(),
        "pipeline": model.pipeline,
    }
    with (
        atomic_write(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=3, mtime=0) as packed,
    ):
        joblib.dump(content, packed)


def load_model(path: str | os.PathLike[str] | None = None) -> Model:
    """Read a model file without running any code that it names.

    Parameters
    ----------
    path : str or os.PathLike, optional
        Default as in `mnist_svm.models.locate.find_model`.

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If the file does not exist, is not a model file, is damaged, was written by another format
        version, or contains a name outside `ALLOWED_NAMES`.
    OSError
        If the file cannot be opened or read.
    """
    path = find_model(path)
    if not path.exists():
        msg = f"{path}: no such model file; make one with: mnist-svm train -o {path}"
        raise ModelFileError(msg)
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
            if file.peek(2)[:2] != b"\x1f\x8b":
                msg = "not a model file of mnist-svm, which would be gzip-compressed"
                raise ModelFileError(msg)
            return _check_content(_unpickle(packed))
    except ModelFileError as error:
        msg = f"{path}: {error}"
        raise ModelFileError(msg) from error.__cause__


def _unpickle(packed: gzip.GzipFile) -> Any:
    try:
        with warnings.catch_warnings():
            # `find_pipeline_fault` checks the pipeline, whatever version wrote it.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
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


class _ModelUnpickler(NumpyUnpickler):  # type: ignore[misc]
    """Unpickler that resolves `ALLOWED_NAMES` only, and no nested pickles."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        super().__init__("", cast(Any, _BoundedStream(stream)), ensure_native_byte_order=True)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_NAMES:
            if module.startswith("mnist_svm."):
                raise ModelFileError(OLDER_VERSION)
            quoted = sanitize(f"{module}.{name}", MAX_QUOTE)
            msg = f"refused: the file names {quoted}, which no model needs; nothing was run"
            raise ModelFileError(msg)
        # joblib's and numpy's own versions would run a pickle within the pickle.
        safe = {"NumpyArrayWrapper": _NumericArrayWrapper, "scalar": _numeric_scalar}
        return safe.get(name) or super().find_class(module, name)


class _NumericArrayWrapper(NumpyArrayWrapper):  # type: ignore[misc]
    """joblib's header of an array, whose bytes follow in the file; accepts numbers only."""

    def read(self, unpickler: NumpyUnpickler, *options: Any) -> Any:
        valid = (
            self.subclass is np.ndarray
            and _is_numeric(self.dtype)
            and type(self.shape) is tuple
            and all(type(side) is int and side >= 0 for side in self.shape)
        )
        if not valid:
            msg = "refused: the file contains an array of something other than numbers"
            raise ModelFileError(msg)
        if math.prod(self.shape) * self.dtype.itemsize > MAX_BYTES:
            msg = f"refused: its array of shape {self.shape} is over the limit, {MAX_BYTES:,} bytes"
            raise ModelFileError(msg)
        return super().read(unpickler, *options)


def _numeric_scalar(dtype: Any, data: Any) -> Any:
    """Build a numpy scalar from its bytes; replaces ``numpy._core.multiarray.scalar``."""
    if not (_is_numeric(dtype) and type(data) is bytes and len(data) == dtype.itemsize):
        msg = "refused: the file contains a scalar other than a number"
        raise ModelFileError(msg)
    return np.frombuffer(data, dtype=dtype)[0]


def _is_numeric(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


class _BoundedStream:
    """A decompressed stream that raises once it has returned `MAX_BYTES`."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._remaining = MAX_BYTES

    def read(self, size: int) -> bytes:
        return self._count(self._stream.read(min(size, self._remaining + 1)))

    def readline(self) -> bytes:
        return self._count(self._stream.readline(self._remaining + 1))

    def _count(self, data: bytes) -> bytes:
        self._remaining -= len(data)
        if self._remaining < 0:
            msg = f"refused: it unpacks to more than the limit of {MAX_BYTES:,} bytes"
            raise ModelFileError(msg)
        return data


def _check_content(content: Any) -> Model:
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
    pipeline = fields.get("pipeline")
    try:
        info = ModelInfo.from_dict(fields.get("info"))
    except ValueError as error:
        msg = f"damaged model file: {sanitize(str(error), MAX_QUOTE)}"
        raise ModelFileError(msg) from error
    if fault := find_pipeline_fault(pipeline):
        msg = f"damaged model file: {fault}"
        raise ModelFileError(msg)
    return Model(pipeline, info)
