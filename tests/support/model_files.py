"""Contents of model files."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import joblib
import pytest
from joblib.numpy_pickle import NumpyUnpickler

# The classes that a model file needs.
ARRAYS = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
}


def joblib_bytes(content: object) -> bytes:
    """Return the bytes of a model file with any content, the same at any time."""
    buffer = io.BytesIO()
    joblib.dump(content, buffer)
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


def named_classes(path: Path) -> set[tuple[str, str]]:
    """Return module and name of each class that a model file names, as joblib looks them up."""
    seen = set()
    find_class = NumpyUnpickler.find_class

    def spy(unpickler: NumpyUnpickler, module: str, name: str) -> object:
        seen.add((module, name))
        return find_class(unpickler, module, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NumpyUnpickler, "find_class", spy)
        joblib.load(path)
    return seen
