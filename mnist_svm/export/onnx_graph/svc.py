"""Decision values and class confidences of a `CoupledSVC`, as in `mnist_svm.svm`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Float64Array
from mnist_svm.exceptions import FormatError
from mnist_svm.export.onnx_graph.builder import Value, concatenate
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.decisions import pair_columns
from mnist_svm.svm.kernels import kernel_dtype, power
from mnist_svm.svm.pairwise import MAX_VALUE, STEEPNESS


def decision_values(samples: Value, svc: CoupledSVC) -> Value:
    """Compute the decision values of all pairs of classes: float64 of shape (n, k (k - 1) / 2).

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
    if svc.kernel == "linear":
        return samples.astype(np.float64) @ svc.coef_.T + svc.intercept_[None]
    kernel_values = _rbf if svc.kernel == "rbf" else _poly
    ends = np.cumsum(svc.n_support_)[:-1]
    vectors, coef = np.split(svc.support_vectors_, ends), np.split(svc.dual_coef_, ends, axis=1)
    by_class = [
        kernel_values(samples, of_class, svc).astype(np.float64) @ dual_coef.T
        for of_class, dual_coef in zip(vectors, coef, strict=True)
    ]
    first, second = pair_columns(len(by_class))
    columns = concatenate(by_class, axis=1)
    return columns.take(first, axis=1) + columns.take(second, axis=1) + svc.intercept_[None]


def class_confidences(values: Value, n_classes: int) -> Value:
    """Couple the pairs as `mnist_svm.svm.pairwise.class_confidences`: shape (n, n_classes)."""
    graph = values.graph
    odds = graph.node("Exp", values.clip(-MAX_VALUE, MAX_VALUE) * -STEEPNESS)
    first, second = np.triu_indices(n_classes, 1)
    # Row: a pair, once for each of its classes; column: the class whose odds are summed.
    membership: Float64Array = np.eye(n_classes)[np.concatenate([first, second])]
    confidences = 1 / (1 + concatenate([odds, 1 / odds], axis=1) @ membership)
    return confidences / graph.node("ReduceSum", confidences, np.array([1]))


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
