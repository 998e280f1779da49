"""From decision values of pairs to confidences and probabilities."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, clip, concatenate, maximum
from mnist_svm.svm.pairwise import MAX_VALUE, STEEPNESS


def class_confidences(values: Value, n_classes: int) -> Value:
    """One confidence a class; see `mnist_svm.svm.pairwise.class_confidences`.

    Parameters
    ----------
    values : Value, float64 of shape (n, k (k - 1) / 2)
    n_classes : int
        k, at least 2.

    Returns
    -------
    Value, float64 of shape (n, k)
    """
    graph = values.graph
    odds = graph.node("Exp", clip(values, -MAX_VALUE, MAX_VALUE) * -STEEPNESS)
    first, second = np.triu_indices(n_classes, 1)
    of_class = np.zeros((2 * len(first), n_classes))
    of_class[np.arange(len(first)), first] = 1
    of_class[len(first) + np.arange(len(first)), second] = 1
    against = concatenate([odds, 1 / odds], axis=1) @ of_class
    confidence = 1 / (1 + against)
    return confidence / graph.node("ReduceSum", confidence, np.array([1]))


def at_temperature(confidences: Value, temperature: float) -> Value:
    """Probabilities from confidences; see `mnist_svm.svm.calibration.apply_temperature`.

    Parameters
    ----------
    confidences : Value, float64 of shape (n, k)
    temperature : float
        Positive.

    Returns
    -------
    Value, float64 of shape (n, k)
    """
    graph = confidences.graph
    logs = graph.node("Log", maximum(confidences, np.finfo(np.float64).tiny))
    return graph.node("Softmax", logs / temperature, axis=1)
