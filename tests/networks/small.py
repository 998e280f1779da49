"""Networks so small that a test can train them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

NEED = "needs the extra [cnn]"


def require_keras() -> Any:
    """Return Keras; skip the module if it or JAX is not installed."""
    # As the package does before it imports Keras, which else would look for TensorFlow.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    pytest.importorskip("jax", reason=NEED)
    return pytest.importorskip("keras", reason=NEED)


def make_net(**parameters: Any) -> Any:
    """Return an unfitted network that trains in a second, and is better after each epoch."""
    from mnist_svm.networks.conv_net import ConvNet

    # 400 images have eight batches, whether a tenth of them is held out or not.
    small = {"width": 0.2, "epochs": 2, "batch_size": 45, "learning_rate": 0.02, "dropout": 0.1}
    small["random_state"] = 0
    return ConvNet(**{**small, **parameters})


def are_equal(one: Any, other: Any) -> bool:
    """Whether two networks have the same weights to the bit."""
    pairs = zip(one.weights_, other.weights_, strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in pairs)


def held_out_rows(y: np.ndarray, n_parts: int = 10) -> np.ndarray:
    """Rows of the last part of each class, by scikit-learn's StratifiedKFold."""
    from sklearn.model_selection import StratifiedKFold

    *_, (_, rows) = StratifiedKFold(n_parts).split(y, y)
    return rows
