"""Virtual support vectors: teach a machine what does not change a sample's class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

# Copies at most, but one of each support vector. Where there are many support vectors, classes
# overlap: that takes time more than copies, which then teach less.
MOST = 100_000

# From samples and a source of random numbers to as many changed samples.
Distort = Callable[[npt.NDArray[Any], np.random.RandomState], npt.NDArray[Any]]


def _has(method: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), method)


class VirtualSupportVectors(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Meta-estimator that fits a machine, distorts its support vectors, and fits it again.

    What a machine learns from a sample is all in its support vectors. So to teach it that a
    digit stays the same digit when it is bent or moved a little, it is enough to add changed
    copies of the support vectors to the training set: the virtual support vectors. That is far
    fewer samples than copies of everything, with the same effect.

    Parameters
    ----------
    estimator : estimator
        A `KernelSVC`, or a pipeline that ends with one.
    distort : callable
        Takes samples, an ndarray of shape (n, n_features), and a numpy.random.RandomState; gives
        a changed copy of each.
    copies : int, default=8
        Of each support vector, at least 1. Fewer, where that would be more than 100,000 in all.
    random_state : int, RandomState instance or None, default=None
        For `distort`.

    Attributes
    ----------
    estimator_ : fitted clone of `estimator`
    classes_ : ndarray of shape (k,)
    n_features_in_ : int
    n_virtual_ : int
        Copies that were added to the training set.

    References
    ----------
    D. DeCoste, B. Schoelkopf, "Training invariant support vector machines", Machine Learning
    46 (2002), section 3.
    """

    estimator_: Any
    classes_: npt.NDArray[Any]
    n_features_in_: int
    n_virtual_: int

    def __init__(
        self,
        estimator: Any,
        distort: Distort,
        *,
        copies: int = 8,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.distort = distort
        self.copies = copies
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Fit, distort the support vectors, fit again.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        VirtualSupportVectors
            Itself.

        Raises
        ------
        ValueError
            If `copies` is less than 1, or `estimator` refuses ``X`` or ``y``.
        """
        if self.copies < 1:
            msg = f"copies must be at least 1, got {self.copies!r}"
            raise ValueError(msg)
        checked: tuple[npt.NDArray[Any], npt.NDArray[Any]]
        checked = validate_data(self, X, y, dtype="numeric")
        X, y = checked
        random_state = check_random_state(self.random_state)
        support = _support(clone(self.estimator).fit(X, y))
        copies = max(min(self.copies, MOST // len(support)), 1)
        parts = [X, *(self.distort(X[support], random_state) for _ in range(copies))]
        labels = np.concatenate([y, np.tile(y[support], copies)])
        self.estimator_ = clone(self.estimator).fit(np.concatenate(parts), labels)
        self.classes_ = self.estimator_.classes_
        self.n_virtual_ = copies * len(support)
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The label of each sample, as `estimator_` sees it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the type of the labels
        """
        return np.asarray(self._asked("predict", X))

    @available_if(_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The confidence of `estimator_` in each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k)
        """
        return np.asarray(self._asked("predict_proba", X))

    @available_if(_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The decision values of `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray
            Of the shape that `estimator_` gives it.
        """
        return np.asarray(self._asked("decision_function", X))

    def _asked(self, method: str, X: npt.ArrayLike) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(validate_data(self, X, reset=False))


def _support(fitted: Any) -> npt.NDArray[np.int32]:
    """Rows of the support vectors in the training set."""
    support: npt.NDArray[np.int32] = (fitted[-1] if hasattr(fitted, "steps") else fitted).support_
    return support
