"""Decision values of a kernel machine, as `mnist_svm.svm.decisions` computes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from mnist_svm.exceptions import FormatError
from mnist_svm.export.onnx_graph.builder import Value, concatenate
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.kernels import kernel_dtype

Vectors = npt.NDArray[np.uint8]


def pair_values(samples: Value, machine: CoupledSVC) -> Value:
    """Decision values of all pairs of classes.

    Samples and support vectors are whole numbers of 8 bits, whose inner products a runtime sums
    exactly, and much faster than in floating point.

    Parameters
    ----------
    samples : Value, uint8 of shape (n, n_features)
    machine : CoupledSVC, fitted

    Returns
    -------
    Value, float64 of shape (n, k (k - 1) / 2)

    Raises
    ------
    FormatError
        If the support vectors are of another type.
    """
    if any(dtype != np.uint8 for dtype in (samples.dtype, machine.support_vectors_.dtype)):
        msg = "only a machine on features of 8 bits can be exported, which those of all recipes are"
        raise FormatError(msg)
    if machine.kernel == "linear":
        return samples.astype(np.float64) @ machine.coef_.T + machine.intercept_[None]
    kernel_values = _rbf if machine.kernel == "rbf" else _poly
    parts = [
        kernel_values(samples, vectors, machine).astype(np.float64) @ coef.T
        for vectors, coef in _of_classes(machine)
    ]
    return _coupled(parts) + machine.intercept_[None]


def _of_classes(machine: CoupledSVC) -> Iterator[tuple[Vectors, npt.NDArray[np.float64]]]:
    """The support vectors of each class, and their dual coefficients."""
    ends = np.cumsum(machine.n_support_)[:-1]
    vectors, coef = machine.support_vectors_, machine.dual_coef_
    return zip(np.split(vectors, ends), np.split(coef, ends, axis=1), strict=True)


def _rbf(samples: Value, vectors: Vectors, machine: CoupledSVC) -> Value:
    """Values of ``exp(-gamma ||x - z||**2)``."""
    graph, dtype = samples.graph, _precision(machine)
    squares = graph.node("ReduceSumSquare", samples.astype(dtype), np.array([1]))
    others = np.square(vectors, dtype=np.int64).sum(axis=1, keepdims=True).T.astype(dtype)
    # Halves of whole numbers, which float32 holds exactly below 2**23.
    nearness = _inner(samples, vectors).astype(dtype) - squares / 2 - others / 2
    return graph.node("Exp", nearness * (2 * machine.gamma_))


def _poly(samples: Value, vectors: Vectors, machine: CoupledSVC) -> Value:
    """Values of ``(gamma <x, z> + coef0) ** degree``."""
    inner = _inner(samples, vectors).astype(_precision(machine))
    return _power(inner * machine.gamma_ + machine.coef0, machine.degree)


def _inner(samples: Value, vectors: Vectors) -> Value:
    """Inner products, int32."""
    return samples.graph.node("MatMulInteger", samples, vectors.T, dtype=np.int32)


def _precision(machine: CoupledSVC) -> np.dtype[np.floating]:
    """The type that the machine's kernel values are computed in."""
    return kernel_dtype(machine.shape_fit_[0])


def _power(values: Value, exponent: int) -> Value:
    """A power by repeated squaring."""
    result = None
    while exponent:
        if exponent % 2:
            result = values if result is None else result * values
        exponent //= 2
        if exponent:
            values = values * values
    return values * 0 + 1 if result is None else result


def _coupled(parts: list[Value]) -> Value:
    """Sums for all pairs from what each class contributes to its pairs with the others."""
    k = len(parts)
    pairs = list(combinations(range(k), 2))
    of_first = np.array([a * (k - 1) + b - 1 for a, b in pairs])
    of_second = np.array([b * (k - 1) + a for a, b in pairs])
    whole = concatenate(parts, axis=1)
    return whole.take(of_first, axis=1) + whole.take(of_second, axis=1)
