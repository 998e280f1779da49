"""OneClassKernelSVM: what is unlike the training samples."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import OutlierMixin
from sklearn.utils.validation import validate_data

from mnist_svm._types import Float64Array
from mnist_svm.svm._solver.problem import BoxProblem
from mnist_svm.svm.machine import KernelMachine
from mnist_svm.svm.validation import check_machine, check_number, check_used_weights


class OneClassKernelSVM(OutlierMixin, KernelMachine):  # type: ignore[misc]
    """Novelty detection: a region that holds most samples, by the solver of `KernelSVC`.

    It finds the optimum of `sklearn.svm.OneClassSVM`. The kernel is one of those with names, and
    the data are dense.

    Parameters
    ----------
    kernel : {"rbf", "poly", "linear", "sigmoid"}, default="rbf"
    degree : int, default=3
        Of the kernel "poly".
    gamma : {"scale", "auto"} or float, default="scale"
    coef0 : float, default=0.0
        Of the kernels "poly" and "sigmoid".
    tol : float, default=1e-3
        Tolerance of the optimality conditions.
    nu : float, default=0.5
        Largest share of samples outside of the region, and smallest share of support vectors; above
        0, at most 1.
    cache_size : float, default=1024
        MiB for kernel values.
    max_iter : int, default=-1
        Limit of the iterations, or -1.
    n_jobs : int or None, default=-1
        Number of threads; -1 uses all cores.

    Attributes
    ----------
    support_ : int32 ndarray of shape (n_SV,)
        Rows of the support vectors.
    support_vectors_ : ndarray of shape (n_SV, n_features)
    n_support_ : int32 ndarray of shape (1,)
    dual_coef_ : float64 ndarray of shape (1, n_SV)
    intercept_ : float64 ndarray of shape (1,)
    offset_ : float
        ``score_samples - decision_function``, which is minus the intercept.
    gamma_ : float
    n_iter_ : int
    shape_fit_ : tuple of int
    n_features_in_ : int

    References
    ----------
    B. Schoelkopf, J. C. Platt, J. Shawe-Taylor, A. J. Smola, R. C. Williamson, "Estimating the
    support of a high-dimensional distribution", Neural Computation 13 (2001).

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_svm import OneClassKernelSVM
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> OneClassKernelSVM(nu=0.1).fit(X).predict([[0.0, 0.0], [5.0, 5.0]])
    array([ 1, -1])
    """

    def __init__(
        self,
        *,
        kernel: str = "rbf",
        degree: int = 3,
        gamma: float | str = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        nu: float = 0.5,
        cache_size: float = 1024,
        max_iter: int = -1,
        n_jobs: int | None = -1,
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.nu = nu
        self.cache_size = cache_size
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def fit(
        self, X: npt.ArrayLike, y: Any = None, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Find the support vectors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            Samples of weight 0 or less are ignored.

        Returns
        -------
        OneClassKernelSVM
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are invalid, or all weights are 0.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` was reached, or rounding of kernel values prevents the tolerance.
        """
        check_machine(self)
        check_number(self, "nu", above=0, at_most=1)
        rows = validate_data(self, X, dtype="numeric")
        used, weights = check_used_weights(sample_weight, len(rows))
        zeros = np.zeros(len(used))
        # The coefficients add up to nu times the weights: the first samples have them at the start.
        before = np.cumsum(weights) - weights
        start = np.clip(self.nu * weights.sum() - before, 0, weights)
        self._solve(rows, used, weights, BoxProblem(zeros, zeros, weights), start)
        return self

    @property
    def offset_(self) -> float:
        """Minus the intercept."""
        return -float(self.intercept_[0])

    def decision_function(self, X: npt.ArrayLike) -> Float64Array:
        """Signed distance to the border of the region, positive inside; not scaled.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples,)
        """
        return self._values(X)

    def score_samples(self, X: npt.ArrayLike) -> Float64Array:
        """The weighted sum of the kernel values of the support vectors: high for what is usual.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples,)
        """
        return self._values(X) + self.offset_

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Predict 1 inside of the region, and -1 outside.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        intp ndarray of shape (n_samples,)
        """
        return np.where(self._values(X) >= 0, 1, -1)
