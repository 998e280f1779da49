"""Temperature scaling: turn a classifier's confidences into calibrated probabilities.

Of 100 predictions with probability 0.9, 90 should be right. Guo et al. compared methods of
calibration: dividing the logarithms of the confidences by one number, the temperature, was as good
as any. It changes neither the order of the classes nor the predictions.

The temperature is fitted to samples that the classifier was not fitted to, while the final
classifier should be fitted to all samples. scikit-learn's CalibratedClassifierCV does not combine
these cheaply: with ``ensemble=True``, classifiers fitted to parts of the samples predict; with
``ensemble=False``, every fold needs a fit. One number needs only some thousand samples: one fold
is enough for a large data set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d, validate_data

from mnist_svm._types import Array, BoolArray, Float64Array, IntArray
from mnist_svm.svm.log import log_stage, logger
from mnist_svm.svm.meta import MetaClassifier, select_rows
from mnist_svm.svm.temperature import apply_temperature, log_confidences
from mnist_svm.svm.validation import check_weights

N_FOLDS = 3

# Folds are held out until they have this many samples in all: a good classifier makes so few errors
# that fewer samples would give a poor estimate.
MIN_HELD_OUT = 10_000

# Temperatures are between exp(-MAX_LOG_TEMPERATURE) and exp(MAX_LOG_TEMPERATURE).
MAX_LOG_TEMPERATURE = 4.0

# Bins of the expected calibration error.
N_BINS = 15


class Calibrated(MetaClassifier):
    """Meta-estimator that calibrates a classifier's confidences by temperature scaling.

    Of three stratified folds, as many are held out as it takes to have 10,000 samples; a clone that
    is fitted to the other two predicts each. The temperature T minimises the log loss of
    ``softmax(log(confidences) / T)`` on them. Then the classifier is fitted to all samples. The
    folds are not shuffled: neighbouring samples, such as digits of one writer, stay together. Of
    data from several sources, see `fit`, each fold has a third of every source.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``.

    Attributes
    ----------
    estimator_ : clone of `estimator`, fitted to all samples
    temperature_ : float
        Above 1 if the confidences were too high, below 1 if too low; 1 if nothing was held out,
        because a class has fewer than three samples.
    n_held_out_ : int
        Number of samples that the temperature was fitted to.
    calibration_error_ : float
        Expected calibration error on them, 0 to 1; NaN if there are none.
    classes_ : ndarray of shape (k,)
    n_features_in_ : int

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks",
    ICML (2017), section 4.2.
    """

    temperature_: float
    n_held_out_: int
    calibration_error_: float

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sources: npt.ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit the temperature to held-out samples, then the classifier to all samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sources : array-like of shape (n_samples,), optional
            Which of several sources each sample is from, such as data sets that were joined. Each
            fold has consecutive samples of every source, and of every class in it, in proportion.
        **fit_params : dict
            Passed on to the `fit` of `estimator`: `sample_weight`, if it has that parameter; or, if
            scikit-learn's metadata routing is enabled, what it requests.
            The temperature is fitted with the same weights.

        Returns
        -------
        Calibrated
            The fitted estimator.

        Raises
        ------
        ValueError
            If `estimator` rejects ``X``, ``y`` or `fit_params`.
        """
        rows, labels = validate_data(self, X, y, dtype="numeric")
        check_classification_targets(labels)
        n, params = len(labels), self._route(fit_params)
        weights = check_weights(params.get("sample_weight"), n)
        # Samples without weight may be of classes that nobody learns.
        classes = np.unique(labels if weights is None else labels[weights > 0])
        codes = np.searchsorted(classes, labels)
        if sources is not None:
            sources = column_or_1d(sources)
            check_consistent_length(sources, labels)

        def fit(index: IntArray) -> Any:
            part = select_rows(params, index, n)
            return clone(self.estimator).fit(rows[index], labels[index], **part)

        folds = calibration_folds(codes, weights, sources)
        confidences = [predict_held_out(fold, fit, rows) for fold in folds]
        logger.info("fitting to all %s samples", f"{n:,}")
        fitted = clone(self.estimator).fit(rows, labels, **params)
        self._store(fitted, fit_temperature(codes, folds, confidences, weights))
        return self

    @classmethod
    def from_fitted(cls, estimator: Any, fitted: Any, temperature: TemperatureFit) -> Self:
        """Assemble one from an estimator, a clone fitted to all samples, and a temperature."""
        calibrated = cls(estimator)
        calibrated._store(fitted, temperature)
        calibrated.n_features_in_ = fitted.n_features_in_
        return calibrated

    def _store(self, fitted: Any, temperature: TemperatureFit) -> None:
        self.estimator_ = fitted
        self.temperature_ = temperature.temperature
        self.n_held_out_ = temperature.n_held_out
        self.calibration_error_ = temperature.calibration_error
        self.classes_ = fitted.classes_

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Predict calibrated probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
        """
        return apply_temperature(self._delegate("predict_proba", X), self.temperature_)


@dataclass(frozen=True)
class Fold:
    """Ascending indices of the training and the test part, and a name such as "1/3"."""

    name: str
    train: IntArray
    test: IntArray


@dataclass(frozen=True)
class TemperatureFit:
    """A temperature and how it was found; see the attributes of `Calibrated`."""

    temperature: float
    n_held_out: int
    calibration_error: float


def calibration_folds(
    codes: IntArray,
    weights: Float64Array | None = None,
    sources: npt.ArrayLike | None = None,
) -> list[Fold]:
    """The folds that hold out as many samples as a temperature needs.

    `codes` are the class indices of all samples, 0 to k - 1; samples of weight 0 are left out;
    `sources` are those of `Calibrated.fit`. If a class has fewer than three samples, there are no
    folds, because a training part could lack it.
    """
    used = np.arange(len(codes)) if weights is None else np.flatnonzero(weights)
    if np.bincount(codes[used], minlength=1).min() < N_FOLDS:
        return []
    n_folds = min(ceil(MIN_HELD_OUT * N_FOLDS / len(used)), N_FOLDS)
    parts = _consecutive_parts(codes[used], None if sources is None else np.asarray(sources)[used])
    return [Fold(f"{i + 1}/{n_folds}", used[parts != i], used[parts == i]) for i in range(n_folds)]


def _consecutive_parts(codes: IntArray, sources: Array | None) -> IntArray:
    """Part of each sample, 0 to `N_FOLDS` - 1: consecutive thirds of each class, and source of it.

    The parts are those of scikit-learn's StratifiedKFold, which has no sources, and would warn of,
    or refuse, strata of fewer samples than parts.
    """
    _, first, strata = np.unique(codes, return_index=True, return_inverse=True)
    # Classes are numbered by first appearance, as there.
    strata = np.argsort(np.argsort(first))[strata]
    if sources is not None:
        kinds, numbers = np.unique(sources, return_inverse=True)
        strata = strata * len(kinds) + numbers
    ordered, n = np.sort(strata), strata.max() + 1
    # Every third sample by stratum is counted for the same part: sizes differ by one at most, and
    # a class of three samples has one in each part, whatever their sources.
    counts = [np.bincount(ordered[i::N_FOLDS], minlength=n) for i in range(N_FOLDS)]
    parts = np.empty(len(codes), np.intp)
    in_order = np.tile(np.arange(N_FOLDS), n)
    parts[np.argsort(strata, kind="stable")] = np.repeat(in_order, np.transpose(counts).ravel())
    return parts


def predict_held_out(fold: Fold, fit: Callable[[IntArray], Any], X: Array) -> Float64Array:
    """Confidences for the test part of a fold, by a classifier fitted to its training part.

    `fit` is called with indices of samples, and returns a classifier fitted to them.
    """
    with log_stage(f"calibrating {fold.name}"):
        fitted = fit(fold.train)
    logger.info("calibrating, predicting %s held-out samples", f"{len(fold.test):,}")
    return np.asarray(fitted.predict_proba(X[fold.test]))


def fit_temperature(
    codes: IntArray,
    folds: Sequence[Fold],
    confidences: Sequence[Float64Array],
    weights: Float64Array | None = None,
) -> TemperatureFit:
    """Fit a temperature to held-out samples, and measure the remaining calibration error.

    `codes` and `weights` are those of all samples; there are `confidences` for each fold, from
    `predict_held_out`.
    """
    if not folds:
        return TemperatureFit(1.0, 0, float("nan"))
    held_out = np.concatenate(confidences)
    test = np.concatenate([fold.test for fold in folds])
    y_true, weights = codes[test], None if weights is None else weights[test]
    temperature = best_temperature(held_out, y_true, weights)
    probabilities = apply_temperature(held_out, temperature)
    correct = probabilities.argmax(axis=1) == y_true
    error = calibration_error(probabilities.max(axis=1), correct, weights)
    return TemperatureFit(temperature, len(y_true), error)


def best_temperature(
    confidences: npt.ArrayLike, codes: IntArray, weights: Float64Array | None = None
) -> float:
    """The temperature with the least log loss.

    The logarithm of the temperature has a normal prior of mean 0 and standard deviation 1, which
    keeps it near 1 for few samples. Some hundred samples outweigh it, unless all predictions are
    right: the log loss alone would then be least at a temperature of 0. The confidences, of shape
    (n, k), are for held-out samples; `codes` are the columns of their true classes.
    """
    logs = log_confidences(confidences)
    rows = np.arange(len(logs))
    factors = 1.0 if weights is None else weights

    def loss(log_temperature: float) -> float:
        log_probabilities = log_softmax(logs / np.exp(log_temperature), axis=1)
        return float(log_temperature**2 / 2 - (factors * log_probabilities[rows, codes]).sum())

    bounds = (-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def calibration_error(
    confidence: Float64Array, correct: BoolArray, weights: Float64Array | None = None
) -> float:
    """Expected calibration error of the predicted class's confidence, in 15 bins of equal width.

    Bin m holds the samples with a confidence in ((m - 1) / 15, m / 15]. The error is the mean over
    all samples of the difference between mean confidence and accuracy in their bin: 0 to 1, or NaN
    without samples.

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI (2015); with bins of the top confidence as in Guo et al. (2017),
    section 2.
    """
    if not len(confidence):
        return float("nan")
    factors = np.ones(len(confidence)) if weights is None else weights
    differences = np.bincount(bin_indices(confidence), factors * (confidence - correct))
    return float(np.abs(differences).sum() / factors.sum())


def bin_indices(confidence: Float64Array) -> IntArray:
    """The bin of `calibration_error` for each confidence, 0 to `N_BINS` - 1."""
    indices = np.clip(np.ceil(confidence * N_BINS) - 1, 0, N_BINS - 1)
    return np.asarray(indices, np.intp)
