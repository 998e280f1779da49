"""Calibrated: confidences that are probabilities, so that 0.9 is right nine times in ten.

Guo et al. compared ways to calibrate, and dividing the logarithms of the confidences by one number,
the temperature, was as good as any with many more. It changes neither which class comes first nor
what is predicted.

The temperature has to be found on samples that the machine was not fitted to, and the machine that
answers should be fitted to all. scikit-learn's CalibratedClassifierCV has one or the other: with
``ensemble=True``, machines fitted to a part of the samples answer; with ``ensemble=False``, all
folds of a complete partition are read, which for three folds costs three more fits. One number
needs no more than some thousand samples: here one more fit is enough where there are many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_svm.constants import Float64Array, IntArray
from mnist_svm.svm.log import log_stage, logger

FOLDS = 3

# With fewer held-out samples, another fold is worth its fit. All samples of a fold are read, which
# is quick: a good machine misreads so few that half of them would tell much less.
ENOUGH = 10_000

# A temperature is from exp(-WIDEST) to exp(WIDEST).
WIDEST = 4.0

# Of the top confidence, for the calibration error.
N_BINS = 15


class Calibrated(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Meta-estimator that makes calibrated probabilities of a classifier's confidences.

    Samples are held out in three stratified folds, or as many of the three as hold 10,000 samples;
    each is read by a clone that is fitted to the other two. The temperature T is that whose
    ``softmax(log(confidences) / T)`` has the least log loss on them. Then the classifier is fitted
    to all samples. The folds are not shuffled: neighbours, such as digits of one writer, stay
    together.

    Parameters
    ----------
    estimator : estimator
        A classifier that has ``predict_proba``.

    Attributes
    ----------
    estimator_ : clone of `estimator`, fitted to all samples
    temperature_ : float
        Above 1, the confidences were too high; below 1, too low. It is 1 where nothing could be
        held out, because a class has fewer than three samples.
    n_held_out_ : int
        Samples that the temperature was found on.
    calibration_error_ : float
        Expected calibration error on them, 0 to 1; not a number if there are none.
    classes_ : ndarray of shape (k,)
    n_features_in_ : int

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks",
    ICML (2017), section 4.2.
    """

    estimator_: Any
    temperature_: float
    n_held_out_: int
    calibration_error_: float
    classes_: npt.NDArray[Any]
    n_features_in_: int

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Find the temperature on samples held out, then fit to all.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        Calibrated
            Itself.

        Raises
        ------
        ValueError
            If `estimator` refuses ``X`` or ``y``.
        """
        checked: tuple[npt.NDArray[Any], npt.NDArray[Any]]
        checked = validate_data(self, X, y, dtype="numeric")
        X, y = checked
        check_classification_targets(y)
        codes = np.unique(y, return_inverse=True)[1]

        def fit(known: IntArray) -> Any:
            return clone(self.estimator).fit(X[known], y[known])

        every = calibration_folds(codes)
        found = fit_temperature(codes, every, [predict_held_out(fold, fit, X) for fold in every])
        logger.info("fitting to all %s samples", f"{len(y):,}")
        self._take(clone(self.estimator).fit(X, y), found)
        return self

    @classmethod
    def from_fitted(cls, estimator: Any, fitted: Any, found: Calibration) -> Self:
        """A fitted one from parts, for who fits the estimator himself.

        Parameters
        ----------
        estimator : estimator, unfitted
        fitted : the same, fitted to all samples
        found : Calibration

        Returns
        -------
        Calibrated
        """
        whole = cls(estimator)
        whole._take(fitted, found)
        whole.n_features_in_ = fitted.n_features_in_
        return whole

    def _take(self, fitted: Any, found: Calibration) -> None:
        self.estimator_ = fitted
        self.temperature_ = found.temperature
        self.n_held_out_ = found.n_held_out
        self.calibration_error_ = found.error
        self.classes_ = fitted.classes_

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The label of each sample, as `estimator_` predicts it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the type of the labels
        """
        return np.asarray(self._asked("predict", X))

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """The probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
        """
        return apply_temperature(self._asked("predict_proba", X), self.temperature_)

    def _asked(self, method: str, X: npt.ArrayLike) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(validate_data(self, X, reset=False))


@dataclass(frozen=True)
class Fold:
    """Samples that a machine is fitted to, and others that it reads.

    Attributes
    ----------
    name : "1/3" is the first of three that are read.
    known, unknown : intp ndarrays, ascending.
    """

    name: str
    known: IntArray
    unknown: IntArray


@dataclass(frozen=True)
class Calibration:
    """What samples held out told.

    Attributes
    ----------
    temperature, n_held_out, error : see `Calibrated`
    """

    temperature: float
    n_held_out: int
    error: float


def calibration_folds(codes: IntArray) -> list[Fold]:
    """The folds that hold out as many samples as a temperature needs.

    Parameters
    ----------
    codes : intp ndarray of shape (n,)
        Of the samples' classes, 0 to k - 1.

    Returns
    -------
    list of Fold
        None, if a class has fewer than three samples: a machine could meet a class that it does
        not know.
    """
    if np.bincount(codes).min() < FOLDS:
        return []
    needed = min(ceil(ENOUGH * FOLDS / len(codes)), FOLDS)
    # It asks how many samples there are, and no more of them.
    split = islice(StratifiedKFold(FOLDS).split(codes, codes), needed)
    return [Fold(f"{i}/{needed}", *parts) for i, parts in enumerate(split, start=1)]


def predict_held_out(
    fold: Fold, fit: Callable[[IntArray], Any], X: npt.NDArray[Any]
) -> Float64Array:
    """Confidences in the samples of a fold that are not fitted to.

    Parameters
    ----------
    fold : Fold
    fit : callable
        Told which samples to fit a machine to; gives it, fitted.
    X : ndarray of shape (n, n_features)

    Returns
    -------
    float64 ndarray of shape (len(fold.unknown), k)
    """
    with log_stage(f"calibrating {fold.name}"):
        fitted = fit(fold.known)
    logger.info("calibrating, reading %s samples held out", f"{len(fold.unknown):,}")
    return np.asarray(fitted.predict_proba(X[fold.unknown]))


def fit_temperature(
    codes: IntArray, folds: Sequence[Fold], confidences: Sequence[Float64Array]
) -> Calibration:
    """The temperature of the least log loss on samples held out, and the error that it leaves.

    Parameters
    ----------
    codes : intp ndarray of shape (n,)
        Of the samples' classes, 0 to k - 1.
    folds : sequence of Fold
    confidences : sequence of float64 ndarrays
        Of each fold; see `predict_held_out`.

    Returns
    -------
    Calibration
    """
    if not folds:
        return Calibration(1.0, 0, float("nan"))
    read = np.concatenate(confidences)
    truth = codes[np.concatenate([fold.unknown for fold in folds])]
    temperature = best_temperature(read, truth)
    probabilities = apply_temperature(read, temperature)
    right = probabilities.argmax(axis=1) == truth
    return Calibration(temperature, len(truth), calibration_error(probabilities.max(axis=1), right))


def best_temperature(confidences: npt.ArrayLike, codes: IntArray) -> float:
    """The temperature of the least log loss.

    Where few samples or none speak for another, it stays near 1: the logarithm of the temperature
    has a normal prior of mean 0 and deviation 1. A few hundred samples outweigh it, unless all are
    read right, which alone would ask for a temperature of 0.

    Parameters
    ----------
    confidences : array-like of shape (n, k), 0 to 1
        Of samples that the machine was not fitted to.
    codes : intp ndarray of shape (n,)
        Columns of the true classes.

    Returns
    -------
    float
        From exp(-4) to exp(4).
    """
    logs = _logarithms(confidences)
    rows = np.arange(len(logs))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logs / np.exp(log_temperature), axis=1)
        return float(log_temperature**2 / 2 - scaled[rows, codes].sum())

    found = minimize_scalar(loss, bounds=(-WIDEST, WIDEST), method="bounded")
    return float(np.exp(found.x))


def apply_temperature(confidences: npt.ArrayLike, temperature: float) -> Float64Array:
    """Probabilities from confidences: ``softmax(log(confidences) / temperature)``.

    Parameters
    ----------
    confidences : array-like of shape (n, k), 0 to 1
    temperature : float
        Positive.

    Returns
    -------
    float64 ndarray of shape (n, k), 0 to 1, each row adding up to 1
    """
    return np.asarray(softmax(_logarithms(confidences) / temperature, axis=1))


def _logarithms(confidences: npt.ArrayLike) -> Float64Array:
    """Logarithms of confidences, that of the surest class of each sample made 0."""
    logs = np.log(np.maximum(confidences, np.finfo(np.float64).tiny))
    return np.asarray(logs - logs.max(axis=1, keepdims=True))


def calibration_error(confidence: Float64Array, right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error of the predicted class's confidence, in 15 bins of equal width.

    The samples whose confidence lies in ((m - 1) / 15, m / 15] are bin m. The error is the mean
    over all samples of the distance, in their bin, of the mean confidence from the share that is
    right.

    Parameters
    ----------
    confidence : float64 ndarray of shape (n,), 0 to 1
    right : bool ndarray of shape (n,)

    Returns
    -------
    float
        0 to 1; not a number if n is 0.

    References
    ----------
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI (2015); with bins of the top confidence as in Guo et al. (2017),
    section 2.
    """
    if not len(confidence):
        return float("nan")
    differences = np.bincount(bin_indices(confidence), confidence - right)
    return float(np.abs(differences).sum() / len(confidence))


def bin_indices(confidence: Float64Array) -> npt.NDArray[np.intp]:
    """Which of the bins of `calibration_error` each confidence lies in.

    Parameters
    ----------
    confidence : float64 ndarray of shape (n,), 0 to 1

    Returns
    -------
    intp ndarray of shape (n,), 0 to `N_BINS` - 1
    """
    bins: npt.NDArray[np.intp] = np.clip(np.ceil(confidence * N_BINS) - 1, 0, N_BINS - 1).astype(
        np.intp
    )
    return bins
