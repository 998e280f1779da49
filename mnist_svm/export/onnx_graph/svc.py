"""Decision values and class confidences of a `CoupledSVC`, as in `mnist_svm.svm`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, Float64Array
from mnist_svm.exceptions import FormatError
from mnist_svm.export.onnx_graph.builder import Value, concatenate
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.decisions import pair_columns
from mnist_svm.svm.kernels import kernel_dtype, power
from mnist_svm.svm.pairwise import MAX_VALUE, STEEPNESS


class Prediction(NamedTuple):
    """Probabilities, float64 of shape (n, k), and what adds the novelty of each sample, (n, 1).

    Nothing is added to the graph for a novelty that is not used.
    """

    probabilities: Value
    novelty: Callable[[], Value]


def predict_svc(samples: Value, svc: CoupledSVC) -> Prediction:
    """Compute what `CoupledSVC.predict_with_novelty` does.

    Inner products of uint8 samples and support vectors are summed in integers: exactly, and much
    faster than in floating point. Raises FormatError if either of them is not uint8.
    """
    if any(dtype != np.uint8 for dtype in (samples.dtype, svc.support_vectors_.dtype)):
        msg = (
            "expected an SVM on uint8 features, as in every recipe, "
            f"found features of type {samples.dtype}; "
            "end the pipeline with NormalizeContrast or GradientFeatures before the SVM"
        )
        raise FormatError(msg)
    function = {"rbf": _rbf, "poly": _poly, "linear": _linear}[svc.kernel]
    vectors = np.split(svc.support_vectors_, np.cumsum(svc.n_support_)[:-1])

    @cache
    def kernel_values() -> list[Value]:
        return [function(samples, of_class, svc) for of_class in vectors]

    values, k = _decision_values(samples, kernel_values, svc), len(svc.classes_)
    # With two classes, a positive value favours the second one.
    confidences = class_confidences(-values if k == 2 else values, k)
    return Prediction(confidences, lambda: _novelty(samples, kernel_values(), vectors, svc))


def _decision_values(
    samples: Value, kernel_values: Callable[[], list[Value]], svc: CoupledSVC
) -> Value:
    """Compute the decision values of all pairs of classes: float64 of shape (n, k (k - 1) / 2)."""
    if svc.kernel == "linear":
        return samples.astype(np.float64) @ svc.coef_.T + svc.intercept_[None]
    coef = np.split(svc.dual_coef_, np.cumsum(svc.n_support_)[:-1], axis=1)
    by_class = [
        values.astype(np.float64) @ dual_coef.T
        for values, dual_coef in zip(kernel_values(), coef, strict=True)
    ]
    first, second = pair_columns(len(by_class))
    columns = concatenate(by_class, axis=1)
    return columns.take(first, axis=1) + columns.take(second, axis=1) + svc.intercept_[None]


def _novelty(
    samples: Value, kernel_values: list[Value], vectors: list[Array], svc: CoupledSVC
) -> Value:
    """Compute 1 minus the cosine to the nearest support vector, of shape (n, 1)."""
    graph, axis = samples.graph, np.array([1])
    similarities = [values.astype(np.float64) for values in kernel_values]
    if svc.kernel != "rbf":
        similarities = [
            values * _self_similarity(np.square(z, dtype=np.int64).sum(axis=1), svc)[None] ** -0.5
            for values, z in zip(similarities, vectors, strict=True)
        ]
    # A class may have no support vector.
    found = [part for part, z in zip(similarities, vectors, strict=True) if len(z)]
    nearest = graph.node("ReduceMax", concatenate(found, axis=1), axis)
    if svc.kernel != "rbf":
        norms = graph.node("ReduceSumSquare", samples.astype(np.float64), axis)
        nearest = nearest / np.sqrt(_self_similarity(norms, svc))
    return (1 - nearest).clip(0, 2)


def _self_similarity(norms: Any, svc: CoupledSVC) -> Any:
    """Compute ``k(x, x)`` from ``<x, x>``, an array or a value."""
    if svc.kernel == "poly":
        base = norms * svc.gamma_ + svc.coef0
        norms = power(base, svc.degree) if svc.degree else base * 0 + 1
    return np.maximum(norms, float(np.finfo(np.float32).tiny))


def class_confidences(values: Value, n_classes: int) -> Value:
    """Couple the pairs as `mnist_svm.svm.pairwise.class_confidences`: shape (n, n_classes)."""
    graph = values.graph
    odds = graph.node("Exp", values.clip(-MAX_VALUE, MAX_VALUE) * -STEEPNESS)
    first, second = np.triu_indices(n_classes, 1)
    # Row: a pair, once for each of its classes; column: the class whose odds are summed.
    membership: Float64Array = np.eye(n_classes)[np.concatenate([first, second])]
    confidences = 1 / (1 + concatenate([odds, 1 / odds], axis=1) @ membership)
    return confidences / graph.node("ReduceSum", confidences, np.array([1]))


def _linear(samples: Value, vectors: npt.NDArray[np.uint8], svc: CoupledSVC) -> Value:
    """Compute ``<x, z>``."""
    return _inner_products(samples, vectors).astype(np.float64)


def _rbf(samples: Value, vectors: npt.NDArray[np.uint8], svc: CoupledSVC) -> Value:
    """Compute ``exp(-gamma ||x - z||**2)``."""
    graph, dtype = samples.graph, kernel_dtype(svc.shape_fit_[0])
    sample_norms = graph.node("ReduceSumSquare", samples.astype(dtype), np.array([1]))
    vector_norms = np.square(vectors, dtype=np.int64).sum(axis=1, keepdims=True).T.astype(dtype)
    # Multiples of 1/2, which float32 holds exactly below 2**23.
    inner = _inner_products(samples, vectors).astype(dtype)
    exponents = (inner - sample_norms / 2 - vector_norms / 2) * (2 * svc.gamma_)
    return graph.node("Exp", exponents)


def _poly(samples: Value, vectors: npt.NDArray[np.uint8], svc: CoupledSVC) -> Value:
    """Compute ``(gamma <x, z> + coef0) ** degree``."""
    inner = _inner_products(samples, vectors).astype(kernel_dtype(svc.shape_fit_[0]))
    base = inner * svc.gamma_ + svc.coef0
    values: Value = power(base, svc.degree) if svc.degree else base * 0 + 1
    return values


def _inner_products(samples: Value, vectors: npt.NDArray[np.uint8]) -> Value:
    return samples.graph.node("MatMulInteger", samples, vectors.T, dtype=np.int32)
