"""Ensembles of classifiers that scikit-learn's meta-estimators do not have."""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_svm._types import Array, Float64Array
from mnist_svm.svm.calibration import calibration_error
from mnist_svm.svm.pooling import logarithmic_pool, majority, pooled_logs
from mnist_svm.svm.validation import check_weights

# Standard deviation of the prior of an exponent, whose mean is 1 / n_classifiers.
EXPONENT_SCALE = 1.0


class MajorityVote(VotingClassifier):  # type: ignore[misc]
    """Majority vote with probabilities: `mnist_svm.svm.pooling.majority`.

    scikit-learn's own hard vote has no probabilities, and between classes with as many votes
    takes the first. Here the mean probabilities of the classifiers decide. `voting` is "soft".
    """

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Compute the shares of the votes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
        """
        check_is_fitted(self)
        return majority([part.predict_proba(X) for part in self.estimators_])


class LogarithmicPool(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Final estimator of a `sklearn.ensemble.StackingClassifier`: a logarithmic opinion pool.

    The probabilities are the normalised product of powers of those of the classifiers. The
    exponents, at least 0, minimise the log loss on out-of-fold probabilities. So a good classifier
    counts more than a poor one, and the result is calibrated. One number for each classifier, in
    place of one for each pair of classes as in a logistic regression, is hard to overfit.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, ascending.
    exponents_ : float64 ndarray of shape (n_classifiers,)
    n_held_out_ : int
        Number of samples that the exponents were fitted to.
    calibration_error_ : float
        Expected calibration error on them.
    n_features_in_ : int

    References
    ----------
    T. Heskes, "Selecting weighting factors in logarithmic opinion pools", NIPS (1997).
    M. J. van der Laan, E. C. Polley, A. E. Hubbard, "Super learner", Statistical Applications in
    Genetics and Molecular Biology 6 (2007), for out-of-fold predictions.
    """

    classes_: Array
    exponents_: Float64Array
    n_held_out_: int
    calibration_error_: float
    n_features_in_: int

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Fit the exponents.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_classifiers * k)
            Out-of-fold probabilities; of two classes, those of the second, of shape (n_samples,
            n_classifiers).
        y : array-like of shape (n_samples,)
            Labels of any type.
        sample_weight : array-like of shape (n_samples,), optional
            Factor of the loss of each sample.

        Returns
        -------
        LogarithmicPool
            The fitted estimator.

        Raises
        ------
        ValueError
            If the number of columns is not a multiple of that of the classes.
        """
        rows, labels = validate_data(self, X, y, dtype=np.float64)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        weights = check_weights(sample_weight, len(codes))
        factors = np.ones(len(codes)) if weights is None else weights
        parts = self._parts(rows)
        logs = np.array([pooled_logs([part], np.ones(1)) for part in parts])
        expected = logs[:, np.arange(len(codes)), codes]

        def loss(exponents: Float64Array) -> tuple[float, Float64Array]:
            pooled = np.tensordot(exponents, logs, axes=1)
            totals = logsumexp(pooled, axis=1)
            probabilities = np.exp(pooled - totals[:, None])
            means = np.einsum("mnk,nk->mn", logs, probabilities)
            off = (exponents - 1 / len(parts)) / EXPONENT_SCALE**2
            value = factors @ (totals - exponents @ expected) + (exponents * off).sum() / 2
            value -= off.sum() / len(parts) / 2
            return float(value), (means - expected) @ factors + off

        start = np.full(len(parts), 1 / len(parts))
        bounds = [(0, None)] * len(parts)
        self.exponents_ = minimize(loss, start, method="L-BFGS-B", jac=True, bounds=bounds).x
        pooled = logarithmic_pool(parts, self.exponents_)
        is_right = pooled.argmax(axis=1) == codes
        self.n_held_out_ = len(codes)
        self.calibration_error_ = calibration_error(pooled.max(axis=1), is_right, weights)
        return self

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Compute the pooled probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            As in `fit`.

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        return logarithmic_pool(self._parts(rows), self.exponents_)

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predict the label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_columns)
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,), of the dtype of the labels
        """
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def _parts(self, rows: Float64Array) -> list[Float64Array]:
        """Return the probabilities of each classifier, of shape (n, k)."""
        k = len(self.classes_)
        if k == 2:
            return [np.column_stack([1 - column, column]) for column in rows.T]
        if rows.shape[1] % k:
            msg = f"expected columns for each of {k} classes, found {rows.shape[1]} columns"
            raise ValueError(msg)
        return np.split(rows, rows.shape[1] // k, axis=1)
