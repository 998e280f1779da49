"""Contents of model files."""

from __future__ import annotations

import gzip
import io

import joblib


def joblib_bytes(content: object) -> bytes:
    """Return the bytes of a model file with any content, the same at any time."""
    buffer = io.BytesIO()
    joblib.dump(content, buffer)
    return gzip.compress(buffer.getvalue(), 1, mtime=0)
