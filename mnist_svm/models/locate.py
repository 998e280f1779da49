"""Locate the model file to use, and the model files shipped with the package."""

from __future__ import annotations

import os
from pathlib import Path

# File that `train` writes by default and that the other commands look for in the current folder.
DEFAULT_NAME = "mnist-svm.joblib"

# The recipe ``gradient``, trained on MNIST.
SHIPPED = Path(__file__).with_name("gradient.joblib")

# Tells digits from other ink; made by tools/no_digit_model.py.
NO_DIGIT = Path(__file__).with_name("no_digit.joblib")


def find_model(path: str | os.PathLike[str] | None = None) -> Path:
    """Return `path` if given; else `DEFAULT_NAME` if the current folder has it; else `SHIPPED`."""
    if path is not None:
        return Path(path)
    local = Path(DEFAULT_NAME)
    return local if local.exists() else SHIPPED
