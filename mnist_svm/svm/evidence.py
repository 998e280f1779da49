"""What decided: the parts of a pair's decision function, and where it rises.

The decision function of a pair of classes is a sum over support vectors z_i, and a constant:

    f(x) = sum_i a_i k(z_i, x) + b

The terms of the sum are the evidence, each of one training sample; and what makes f rise is its
gradient, which for these kernels is a weighted sum of support vectors again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp, softmax

from mnist_svm.constants import Float64Array, IntArray
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.kernels import Kernel
from mnist_svm.svm.pairwise import STEEPNESS


@dataclass(frozen=True)
class PairDecision:
    """The decision function of one class against another, in float64.

    Attributes
    ----------
    kernel : Kernel
    vectors : float64 ndarray of shape (n, n_features)
        The support vectors of this pair.
    weights : float64 ndarray of shape (n,)
        a_i: positive for support vectors of the first class, negative for those of the other.
    places : intp ndarray of shape (n,)
        Where each is in the machine's ``support_`` and ``support_vectors_``.
    intercept : float
        b.
    """

    kernel: Kernel
    support_vectors: Float64Array
    dual_coef: Float64Array
    support_indices: IntArray
    intercept: float

    def decision_function(self, X: npt.NDArray[Any]) -> Float64Array:
        """Decision values, in units of the margin: positive for the first class.

        Parameters
        ----------
        X : numeric ndarray of shape (m, n_features)

        Returns
        -------
        float64 ndarray of shape (m,)
        """
        kernel_values, _ = self._kernel(X)
        return np.asarray(kernel_values @ self.dual_coef + self.intercept)

    def contributions(self, x: npt.NDArray[Any]) -> Float64Array:
        """What each support vector adds to the decision value of one sample.

        Parameters
        ----------
        x : numeric ndarray of shape (n_features,)

        Returns
        -------
        float64 ndarray of shape (n,)
            ``a_i k(z_i, x)``. They and the intercept add up to the decision value.
        """
        kernel_values, _ = self._kernel(x[None])
        return np.asarray(kernel_values[0] * self.dual_coef)

    def gradient(self, x: npt.NDArray[Any]) -> Float64Array:
        """The gradient of the decision function.

        Parameters
        ----------
        x : numeric ndarray of shape (n_features,)

        Returns
        -------
        float64 ndarray of shape (n_features,)
            For kernels of the inner product t = <x, z>, ``sum_i a_i k'(t_i) z_i``, where k' is
            1 (``linear``) or ``degree gamma (gamma t + coef0) ** (degree - 1)`` (``poly``); for
            ``rbf``, ``sum_i 2 gamma a_i k(z_i, x) (z_i - x)``.
        """
        _, slopes = self._kernel(x[None])
        pulls = slopes[0] * self.dual_coef
        gradient = pulls @ self.support_vectors
        return np.asarray(gradient - pulls.sum() * x if self.kernel.name == "rbf" else gradient)

    def _kernel(self, X: npt.NDArray[Any]) -> tuple[Float64Array, Float64Array]:
        """Kernel values of each row with each support vector, and the factors of `gradient`."""
        X = X.astype(np.float64)
        inner, kernel = X @ self.support_vectors.T, self.kernel
        if kernel.name == "linear":
            return inner, np.ones_like(inner)
        if kernel.name == "poly":
            base = kernel.gamma * inner + kernel.coef0
            slopes = kernel.degree * kernel.gamma * base ** max(kernel.degree - 1, 0)
            return base**kernel.degree, slopes
        norms = np.einsum("ij,ij->i", X, X)[:, None] + np.einsum(
            "ij,ij->i", self.support_vectors, self.support_vectors
        )
        values = np.exp(-kernel.gamma * np.maximum(norms - 2 * inner, 0))
        return values, 2 * kernel.gamma * values


def pair_decision(machine: KernelSVC, first: int, second: int) -> PairDecision:
    """The decision function of one class against another.

    Parameters
    ----------
    machine : fitted KernelSVC
    first, second : int
        Places of two different classes in ``classes_``; values are positive for the first.

    Returns
    -------
    PairDecision
    """
    k = len(machine.classes_)
    owner = np.repeat(np.arange(k), machine.n_support_)
    low, high = min(first, second), max(first, second)
    weights = np.zeros(len(owner))
    # A class has no row for itself.
    weights[owner == low] = machine.dual_coef_[high - 1, owner == low]
    weights[owner == high] = machine.dual_coef_[low, owner == high]
    # Of two classes, a positive value is for the second.
    sign = 1 if (first < second) == (k > 2) else -1
    places = np.flatnonzero(weights)
    pair = low * (2 * k - low - 1) // 2 + high - low - 1
    return PairDecision(
        Kernel(machine.kernel, machine.gamma_, int(machine.degree), float(machine.coef0)),
        np.asarray(machine.support_vectors_[places], np.float64),
        sign * weights[places],
        places,
        sign * float(machine.intercept_[pair]),
    )


@dataclass(frozen=True)
class OneVsRest:
    """One class against all others: its duels, the narrowest of them counting most.

        S(x) = -log(sum_b exp(-s f_b(x))) / s,  s = `STEEPNESS`

    is a smooth minimum of the duels' decision values f_b. The coupled confidence of
    `mnist_svm.svm.pairwise.class_confidences` grows with it and with nothing else, but for the
    normalisation.

    Attributes
    ----------
    duels : tuple of PairDecision
    """

    duels: tuple[PairDecision, ...]

    def decision_function(self, X: npt.NDArray[Any]) -> Float64Array:
        """S of each row, float64 ndarray of shape (m,), in units of the margin."""
        values = np.stack([duel.decision_function(X) for duel in self.duels])
        return np.asarray(-logsumexp(-STEEPNESS * values, axis=0) / STEEPNESS)

    def gradient(self, x: npt.NDArray[Any]) -> Float64Array:
        """The gradient of S at one sample: of the duels', weighted by how narrow they are."""
        values = np.array([duel.decision_function(x[None])[0] for duel in self.duels])
        gradients = np.stack([duel.gradient(x) for duel in self.duels])
        return np.asarray(softmax(-STEEPNESS * values) @ gradients)
