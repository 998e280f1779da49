"""Temperature scaling on arrays; `mnist_svm.svm.calibration` fits the temperature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Float64Array


def apply_temperature(confidences: npt.ArrayLike, temperature: float) -> Float64Array:
    """Probabilities from confidences, of shape (n, k): ``softmax(log(confidences) / temperature)``.

    Both are 0 to 1, and each row of probabilities adds up to 1. The temperature is positive.
    """
    probabilities = np.exp(log_confidences(confidences) / temperature)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def log_confidences(confidences: npt.ArrayLike) -> Float64Array:
    """Logarithms of confidences, shifted so that the largest of each row is 0."""
    logs = np.log(np.maximum(confidences, np.finfo(np.float64).tiny))
    return np.asarray(logs - logs.max(axis=1, keepdims=True))
