"""Terms and gradients of decision functions, to explain a prediction.

The decision function of a pair of classes is a sum over support vectors z_i and an intercept:

    f(x) = sum_i a_i k(z_i, x) + b

Each term is the contribution of one training sample. The gradient of f is a weighted sum of
support vectors as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, softmax

from mnist_svm._types import Array, Float64Array, FloatArray, IntArray
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.kernels import InputTransform, Kernel, squared_norms
from mnist_svm.svm.pairwise import STEEPNESS


@dataclass(frozen=True)
class PairDecision:
    """The decision function of one class against another, in float64.

    Attributes
    ----------
    support_vectors : float64 ndarray of shape (n, n_features), those of this pair.
    dual_coef : float64 ndarray of shape (n,), a_i, positive for support vectors of the first class.
    support_indices : intp ndarray of shape (n,), positions in ``support_vectors_`` of the SVM.
    intercept : b.
    """

    kernel: Kernel
    support_vectors: Float64Array
    dual_coef: Float64Array
    support_indices: IntArray
    intercept: float

    def decision_function(self, X: Array) -> Float64Array:
        """Decision values of m samples, in units of the margin: positive for the first class."""
        return np.asarray(self._kernel_values(self.kernel, X) @ self.dual_coef + self.intercept)

    def contributions(self, x: Array) -> Float64Array:
        """The terms ``a_i k(z_i, x)`` of one sample x, of shape (n,).

        Their sum and the intercept are the decision value.
        """
        return np.asarray(self._kernel_values(self.kernel, x[None])[0] * self.dual_coef)

    def gradient(self, x: Array) -> Float64Array:
        """The gradient of the decision function at one sample x, of shape (n_features,).

        For kernels of the inner product t = <x, z>, ``sum_i a_i k'(t_i) z_i``, where k' is
        1 (``linear``) or ``degree gamma (gamma t + coef0) ** (degree - 1)`` (``poly``); for
        ``rbf``, ``sum_i 2 gamma a_i k(z_i, x) (z_i - x)``.
        """
        factor, derivative = self.kernel.derivative()
        weights = factor * self._kernel_values(derivative, x[None])[0] * self.dual_coef
        gradient = weights @ self.support_vectors
        return np.asarray(gradient - weights.sum() * x if self.kernel.name == "rbf" else gradient)

    def _kernel_values(self, kernel: Kernel, X: Array) -> FloatArray:
        """Values of a kernel for each row and each support vector."""
        centre = np.zeros(self.support_vectors.shape[1])
        transform = InputTransform(kernel, centre, None, np.dtype(np.float64)).transform
        rows, vectors = transform(X), transform(self.support_vectors)
        left = kernel.left_factor(rows, squared_norms(rows))
        return kernel.values(left, kernel.right_factor(vectors, squared_norms(vectors)))


def pair_decision(svc: KernelSVC, first: int, second: int) -> PairDecision:
    """The decision function of a fitted SVM for one class, by its index, against another."""
    k = len(svc.classes_)
    class_of_vector = np.repeat(np.arange(k), svc.n_support_)
    low, high = sorted((first, second))
    coef = np.zeros(len(class_of_vector))
    # A class has no row for itself.
    coef[class_of_vector == low] = svc.dual_coef_[high - 1, class_of_vector == low]
    coef[class_of_vector == high] = svc.dual_coef_[low, class_of_vector == high]
    # With two classes, positive values are for the second.
    sign = 1 if (first < second) == (k > 2) else -1
    indices = np.flatnonzero(coef)
    pair = low * (2 * k - low - 1) // 2 + high - low - 1
    return PairDecision(
        Kernel.of(svc, svc.gamma_),
        np.asarray(svc.support_vectors_[indices], np.float64),
        sign * coef[indices],
        indices,
        sign * float(svc.intercept_[pair]),
    )


@dataclass(frozen=True)
class OneVsRest:
    """One class against all others: a smooth minimum of its decision values.

        S(x) = -log(sum_b exp(-s f_b(x))) / s,  s = `STEEPNESS`

    where f_b is the decision function against class b. The coupled confidence of
    `mnist_svm.svm.pairwise.class_confidences` is, before it is normalised, an increasing function
    of S.

    `pairs` are the decisions against each other class.
    """

    pairs: tuple[PairDecision, ...]

    def decision_function(self, X: Array) -> Float64Array:
        """S of each row, float64 ndarray of shape (m,), in units of the margin."""
        values = np.stack([pair.decision_function(X) for pair in self.pairs])
        return np.asarray(-logsumexp(-STEEPNESS * values, axis=0) / STEEPNESS)

    def gradient(self, x: Array) -> Float64Array:
        """The gradient of S at one sample: that of the pairs, weighted by their softmax."""
        values = np.array([pair.decision_function(x[None])[0] for pair in self.pairs])
        gradients = np.stack([pair.gradient(x) for pair in self.pairs])
        return np.asarray(softmax(-STEEPNESS * values) @ gradients)
