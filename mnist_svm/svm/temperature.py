"""Temperature scaling on arrays; `mnist_svm.svm.calibration` fits the temperature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Float64Array

# The most that the logarithm of the temperature grows with the novelty.
MAX_SLOPE = 16.0


def apply_temperature(
    confidences: npt.ArrayLike, temperature: float | Float64Array
) -> Float64Array:
    """Probabilities from confidences, of shape (n, k): ``softmax(log(confidences) / temperature)``.

    Both are 0 to 1, and each row of probabilities adds up to 1. The temperature is positive: one
    number, or one of each row, of shape (n,).
    """
    divisor = np.asarray(temperature)[..., None]
    return softmax(log_confidences(confidences) / divisor)


def softmax(logs: Float64Array) -> Float64Array:
    """Exponentials of logarithms, of shape (n, k), divided by their sum in each row."""
    exponentials = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def temperature_of(
    novelty: Float64Array, temperature: float, slope: float, typical_novelty: float
) -> Float64Array:
    """Temperature of each sample, of shape (n,): it grows exponentially with the novelty."""
    return np.asarray(temperature * np.exp(slope * (novelty - typical_novelty)))


def log_confidences(confidences: npt.ArrayLike) -> Float64Array:
    """Logarithms of confidences, shifted so that the largest of each row is 0."""
    logs = np.log(np.maximum(confidences, np.finfo(np.float64).tiny))
    return np.asarray(logs - logs.max(axis=1, keepdims=True))
