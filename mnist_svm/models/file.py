"""Save a fitted pipeline with its metadata, and load it again without trusting the file.

A model file is a gzip-compressed joblib file of one dict: a format mark, a format version,
metadata of plain types, and the fitted pipeline. joblib files are pickles, and a pickle can
name any function of any installed module and have it called. So files are read through
an unpickler that resolves an exact list of names and nothing else, lets arrays hold only
numbers, and bounds what it allocates; what comes out is checked before it is used, so that a
damaged model is told from a working one when it is loaded.
"""

from __future__ import annotations

import gzip
import math
import os
import pickle
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import joblib
import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from mnist_svm._io import atomic_write
from mnist_svm.exceptions import ModelFileError
from mnist_svm.models.check import pipeline_fault
from mnist_svm.models.locate import find_model

FORMAT = "mnist-svm model"
FORMAT_VERSION = 3

# Everything that a model file may name. Each makes plain data or one of our pipeline's parts.
ALLOWED_NAMES = frozenset(
    {
        ("joblib.numpy_pickle", "NumpyArrayWrapper"),
        ("mnist_svm.features.blur", "Blur"),
        ("mnist_svm.features.contrast", "NormalizeContrast"),
        ("mnist_svm.features.deskew", "Deskew"),
        ("mnist_svm.features.distort", "Distortion"),
        ("mnist_svm.features.gradients", "GradientFeatures"),
        ("mnist_svm.features.size", "NormalizeSize"),
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

# The most that one array, and the whole file when decompressed, may take.
MAX_BYTES = 2 << 30

# What a damaged or hostile stream makes an unpickler, or the constructors it may call, raise.
_UNPICKLING_ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    AssertionError,
    NotImplementedError,
    gzip.BadGzipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Model:
    """A fitted pipeline and what is known of it.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Takes ``X`` of shape (n, 784), 0-255.
    metadata : dict of plain types
        Recipe, parameters, classes, training data and its SHA-256, versions, date.
    """

    pipeline: Pipeline
    metadata: Mapping[str, Any]


def save_model(path: str | os.PathLike[str], model: Model) -> None:
    """Write a model file; it appears under its name only when complete.

    Parameters
    ----------
    path : path of the file
    model : Model

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "metadata": dict(model.metadata),
        "pipeline": model.pipeline,
    }
    with (
        atomic_write(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=3, mtime=0) as packed,
    ):
        joblib.dump(content, packed)


def load_model(path: str | os.PathLike[str] | None = None) -> Model:
    """Read a model file, running nothing that it names.

    Parameters
    ----------
    path : path of the file, optional
        See `mnist_svm.models.locate.find_model`.

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If the file is no model file, is damaged, or names anything outside `ALLOWED_NAMES`.
    OSError
        If the file cannot be opened or read.
    """
    path = find_model(path)
    name = os.fspath(path)
    if not path.exists():
        msg = f"{name}: no such model file; make one with: mnist-svm train -o {name}"
        raise ModelFileError(msg)
    with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
        if file.peek(2)[:2] != b"\x1f\x8b":
            msg = f"{name}: not a model file of mnist-svm (those are gzip-compressed)"
            raise ModelFileError(msg)
        try:
            with warnings.catch_warnings():
                # `info` tells the versions, in words that need no knowledge of pickles.
                warnings.simplefilter("ignore", InconsistentVersionWarning)
                content = _ModelUnpickler(packed).load()
            # Only at its end does gzip compare the checksum of what it holds.
            if packed.read(1):
                msg = "damaged: bytes follow the model"
                raise ModelFileError(msg)
        except ModelFileError as error:
            msg = f"{name}: {error}"
            raise ModelFileError(msg) from None
        except _UNPICKLING_ERRORS as error:
            msg = f"{name}: damaged, or not a model file of mnist-svm ({_reason(error)})"
            raise ModelFileError(msg) from error
    return _checked(content, name)


class _ModelUnpickler(NumpyUnpickler):  # type: ignore[misc]
    """Unpickler that knows `ALLOWED_NAMES` alone, and no nested pickles."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        super().__init__("", cast(Any, _Bounded(stream)), ensure_native_byte_order=True)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED_NAMES:
            msg = f"refused: the file names {module}.{name}, which no model needs; nothing was run"
            raise ModelFileError(msg)
        # joblib's and numpy's own would run a pickle within the pickle.
        strict = {"NumpyArrayWrapper": _NumbersOnly, "scalar": _number}
        return strict.get(name) or super().find_class(module, name)


class _NumbersOnly(NumpyArrayWrapper):  # type: ignore[misc]
    """joblib's stand-in for an array, read only if the array holds plain numbers.

    It holds such an array's type and shape; the bytes follow it in the file.
    """

    def read(self, unpickler: NumpyUnpickler, *options: Any) -> Any:
        plain = (
            self.subclass is np.ndarray
            and _is_numeric(self.dtype)
            and type(self.shape) is tuple
            and all(type(side) is int and side >= 0 for side in self.shape)
        )
        if not plain:
            msg = "refused: the file holds an array of something other than numbers"
            raise ModelFileError(msg)
        if math.prod(self.shape) * self.dtype.itemsize > MAX_BYTES:
            msg = (
                f"refused: an array of shape {self.shape} is over the limit of {MAX_BYTES:,} bytes"
            )
            raise ModelFileError(msg)
        return super().read(unpickler, *options)


def _number(dtype: Any, data: Any) -> Any:
    """A numpy scalar from its bytes, in place of numpy's function for that."""
    if not (_is_numeric(dtype) and type(data) is bytes and len(data) == dtype.itemsize):
        msg = "refused: the file holds a scalar other than a number"
        raise ModelFileError(msg)
    return np.frombuffer(data, dtype=dtype)[0]


def _is_numeric(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


class _Bounded:
    """A decompressed stream that ends with an error once it has given too much."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = MAX_BYTES

    def read(self, size: int) -> bytes:
        return self._counted(self._stream.read(min(size, self._left + 1)))

    def readline(self) -> bytes:
        return self._counted(self._stream.readline(self._left + 1))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            msg = f"refused: it unpacks to more than the limit of {MAX_BYTES:,} bytes"
            raise ModelFileError(msg)
        return data


def _checked(content: Any, name: str) -> Model:
    """The model in a file's content, if it is one that this version can use."""
    fields = content if type(content) is dict else {}
    mark, found = fields.get("format"), fields.get("format_version")
    # The types first: an array would answer a comparison with an array.
    if type(mark) is not str or mark != FORMAT or type(found) is not int:
        msg = f"{name}: not a model file of mnist-svm"
        raise ModelFileError(msg)
    if found != FORMAT_VERSION:
        msg = (
            f"{name}: model format {found}, but this version of mnist-svm reads format "
            f"{FORMAT_VERSION}; train it again"
        )
        raise ModelFileError(msg)
    pipeline, metadata = fields.get("pipeline"), fields.get("metadata")
    if fault := _metadata_fault(metadata) or pipeline_fault(pipeline):
        msg = f"{name}: damaged model file: {fault}"
        raise ModelFileError(msg)
    return Model(cast(Pipeline, pipeline), cast("dict[str, Any]", metadata))


def _metadata_fault(metadata: Any) -> str | None:
    def plain(value: Any) -> bool:
        if type(value) is dict:
            return all(type(key) is str and plain(item) for key, item in value.items())
        if type(value) is list:
            return all(map(plain, value))
        return value is None or type(value) in (bool, int, float, str)

    try:
        sound = type(metadata) is dict and plain(metadata)
    except RecursionError:
        sound = False
    return None if sound else "its metadata are not of plain types"


def _reason(error: BaseException) -> str:
    """One short line about an error from inside the unpickler."""
    return f"{type(error).__name__} {error}".splitlines()[0][:120].rstrip()
