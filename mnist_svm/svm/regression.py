"""KernelSVR: support vector regression."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from mnist_svm._types import Float64Array
from mnist_svm.svm._solver.problem import BoxProblem
from mnist_svm.svm.machine import KernelMachine
from mnist_svm.svm.validation import check_machine, check_number, check_used_weights


class KernelSVR(RegressorMixin, KernelMachine):  # type: ignore[misc]
    """Epsilon-insensitive support vector regression, by the solver of `KernelSVC` for noisy data.

    It finds the optimum of `sklearn.svm.SVR`. The kernel is one of those with names, and the data
    are dense.

    Parameters
    ----------
    kernel : {"rbf", "poly", "linear", "sigmoid"}, default="rbf"
    degree : int, default=3
        Of the kernel "poly".
    gamma : {"scale", "auto"} or float, default="scale"
    coef0 : float, default=0.0
        Of the kernels "poly" and "sigmoid".
    tol : float, default=1e-3
        Tolerance of the optimality conditions, in the unit of ``y``.
    C : float, default=1.0
        Weight of the errors, against that of a smooth function.
    epsilon : float, default=0.1
        Errors up to this one cost nothing.
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
    gamma_ : float
    n_iter_ : int
    shape_fit_ : tuple of int
    n_features_in_ : int

    References
    ----------
    C.-C. Chang, C.-J. Lin, "LIBSVM: a library for support vector machines", ACM TIST 2 (2011),
    section 2.4.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_svm import KernelSVR
    >>> X = np.linspace(0, 6, 200)[:, None]
    >>> svr = KernelSVR(C=10, epsilon=0.01).fit(X, np.sin(X[:, 0]))
    >>> svr.predict([[1.0], [2.0]]).round(1)
    array([0.8, 0.9])
    """

    def __init__(
        self,
        *,
        kernel: str = "rbf",
        degree: int = 3,
        gamma: float | str = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        C: float = 1.0,
        epsilon: float = 0.1,
        cache_size: float = 1024,
        max_iter: int = -1,
        n_jobs: int | None = -1,
    ) -> None:
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.tol = tol
        self.C = C
        self.epsilon = epsilon
        self.cache_size = cache_size
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Find the support vectors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
            Factor of C for each sample. Samples of weight 0 or less are ignored.

        Returns
        -------
        KernelSVR
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
        check_number(self, "C", above=0)
        check_number(self, "epsilon", at_least=0)
        rows, targets = validate_data(self, X, y, dtype="numeric", y_numeric=True)
        used, weights = check_used_weights(sample_weight, len(rows))
        targets = np.asarray(targets, np.float64)[used]
        # Two coefficients of each sample: one pulls the function up to y - epsilon, and the other
        # down to y + epsilon.
        zeros, box = np.zeros(len(used)), self.C * weights
        problem = BoxProblem(
            linear=np.concatenate([targets - self.epsilon, targets + self.epsilon]),
            lower=np.concatenate([zeros, -box]),
            upper=np.concatenate([box, zeros]),
        )
        self._solve(rows, used, weights, problem, np.zeros(2 * len(used)))
        return self

    def predict(self, X: npt.ArrayLike) -> Float64Array:
        """Predict the value of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples,)
        """
        return self._values(X)
