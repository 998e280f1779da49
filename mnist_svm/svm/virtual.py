"""Virtual support vectors: train on distorted copies of the support vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from mnist_svm._types import Array, Float64Array
from mnist_svm.svm.meta import MetaClassifier, select_rows

# Limit of the copies in all, but each support vector has at least one. Many support vectors mean
# that classes overlap: then copies cost much time and help little.
MAX_COPIES = 100_000

# From samples and a generator of random numbers to as many distorted samples.
Distort = Callable[[Array, np.random.RandomState], Array]


def _estimator_has(method: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), method)


class VirtualSupportVectors(MetaClassifier):
    """Meta-estimator that fits an SVM, adds distorted copies of its support vectors, and refits it.

    An SVM depends on its support vectors only. So to make it invariant to small distortions, it is
    enough to add distorted copies of the support vectors to the training set, the virtual support
    vectors. These are far fewer than copies of all samples, and have the same effect.

    Parameters
    ----------
    estimator : estimator
        A `KernelSVC`, or a pipeline that ends with one.
    distort : callable
        Called with samples, an ndarray of shape (n, n_features), and a numpy.random.RandomState;
        returns a distorted copy of each sample.
    copies : int, default=8
        Copies of each support vector, at least 1. Fewer are made if there would be more than
        100,000 in all.
    random_state : int, RandomState instance or None, default=None
        Seed of the distortions.

    Attributes
    ----------
    estimator_ : classifier
        Fitted clone of `estimator`.
    classes_ : ndarray of shape (k,)
    n_features_in_ : int
    n_virtual_ : int
        Number of virtual support vectors.

    References
    ----------
    D. DeCoste, B. Schoelkopf, "Training invariant support vector machines", Machine Learning
    46 (2002), section 3.
    """

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

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, **fit_params: Any) -> Self:
        """Fit, distort the support vectors, fit again.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        **fit_params : dict
            Passed on to the `fit` of `estimator`: `sample_weight`, if it has that parameter; or, if
            scikit-learn's metadata routing is enabled, what it requests.
            A copy has the weight of its support vector.

        Returns
        -------
        VirtualSupportVectors
            The fitted estimator.

        Raises
        ------
        ValueError
            If `copies` is less than 1, or `estimator` rejects ``X``, ``y`` or `fit_params`.
        """
        if self.copies < 1:
            msg = f"copies must be at least 1, got {self.copies!r}"
            raise ValueError(msg)
        rows, labels = validate_data(self, X, y, dtype="numeric")
        random_state = check_random_state(self.random_state)
        params = self._route(fit_params)
        first = clone(self.estimator).fit(rows, labels, **params)
        support = (first[-1] if hasattr(first, "steps") else first).support_
        copies = max(min(self.copies, MAX_COPIES // len(support)), 1)
        virtual = [self.distort(rows[support], random_state) for _ in range(copies)]
        source = np.concatenate([np.arange(len(rows)), np.tile(support, copies)])
        self.estimator_ = clone(self.estimator).fit(
            np.concatenate([rows, *virtual]),
            labels[source],
            **select_rows(params, source, len(rows)),
        )
        self.classes_ = self.estimator_.classes_
        self.n_virtual_ = copies * len(support)
        return self

    @available_if(_estimator_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Confidences in the classes, by `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k)
        """
        return np.asarray(self._delegate("predict_proba", X))

    @available_if(_estimator_has("decision_function"))  # type: ignore[untyped-decorator]
    def decision_function(self, X: npt.ArrayLike) -> Float64Array:
        """Decision values, by `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray
            In the shape of `estimator_`.
        """
        return np.asarray(self._delegate("decision_function", X))
