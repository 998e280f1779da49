"""Which model file to use, and those that come with the package."""

from __future__ import annotations

import os
from pathlib import Path

# The model that `train` writes and the other commands look for in the current folder.
DEFAULT_NAME = "mnist-svm.joblib"

# For those who have trained none: the recipe ``gradient``, trained on MNIST.
SHIPPED = Path(__file__).with_name("gradient.joblib")

# Tells one digit from two that touch; see tools/touching_model.py.
TOUCHING = Path(__file__).with_name("touching.joblib")


def find_model(path: str | os.PathLike[str] | None = None) -> Path:
    """The model file to use: the one that is named, else one's own, else the shipped one.

    Parameters
    ----------
    path : path of a file, optional

    Returns
    -------
    Path
        ``path`` if it is given; `DEFAULT_NAME` in the current folder if it is there; or `SHIPPED`.
    """
    if path is not None:
        return Path(path)
    own = Path(DEFAULT_NAME)
    return own if own.exists() else SHIPPED
