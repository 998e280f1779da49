"""Temperature scaling: turn a classifier's confidences into calibrated probabilities.

Of 100 predictions with probability 0.9, 90 should be right. Guo et al. compared methods of
calibration: dividing the logarithms of the confidences by one number, the temperature, was as good
as any. It changes neither the order of the classes nor the predictions.

One temperature holds for samples like those it was fitted to. The less a sample is like anything
known, the less a confidence means: so the temperature grows with the novelty of the sample, as in
the density-aware calibration of Tomani et al. Here the novelty is the distance to the nearest
support vector, in the kernel's feature space, which costs next to nothing, because prediction
computes these kernel values anyway. What belongs to no class should get little confidence in any.
Such samples are made of the held-out ones, as chimeras: one half of the features from a sample, the
other half from a sample of another class.

The temperature is fitted to samples that the classifier was not fitted to, while the final
classifier should be fitted to all samples. scikit-learn's CalibratedClassifierCV does not combine
these cheaply: with ``ensemble=True``, classifiers fitted to parts of the samples predict; with
``ensemble=False``, every fold needs a fit. One number needs only some thousand samples: one fold
is enough for a large data set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from mnist_svm._types import BoolArray, Float64Array, IntArray
from mnist_svm.svm.held_out import Fold, calibration_folds, predict_held_out
from mnist_svm.svm.log import logger
from mnist_svm.svm.meta import MetaClassifier, select_rows
from mnist_svm.svm.novelty import predict_with_novelty
from mnist_svm.svm.temperature import (
    MAX_SLOPE,
    apply_temperature,
    log_confidences,
    temperature_of,
)
from mnist_svm.svm.validation import check_square, check_weights

# Temperatures are between exp(-MAX_LOG_TEMPERATURE) and exp(MAX_LOG_TEMPERATURE).
MAX_LOG_TEMPERATURE = 4.0

# Standard deviation of the slope's prior; slopes of digits are about 2.
SLOPE_SCALE = 4.0

# Share of the chimeras in the weight of the fit: of the samples that are given to a classifier,
# about so many belong to no class.
CHIMERA_SHARE = 0.005

# Bins of the expected calibration error.
N_BINS = 15


class Calibrated(MetaClassifier):
    """Meta-estimator that calibrates a classifier's confidences by temperature scaling.

    Of three stratified folds, as many are held out as it takes to have 10,000 samples; a clone that
    is fitted to the other two predicts each. The temperature minimises the log loss of
    ``softmax(log(confidences) / T)`` on them, with ``T = temperature_ * exp(novelty_slope_ *
    (novelty - typical_novelty_))`` for each sample, and on chimeras of them, whose classes should
    all be as probable. Then the classifier is fitted to all samples. The folds are not shuffled:
    neighbouring samples, such as digits of one writer, stay together. Of data from several sources,
    see `fit`, each fold has a third of every source, in eight runs.

    The novelty, 0 to 2, is 1 minus the cosine, in the kernel's feature space, to the nearest
    support vector; see `mnist_svm.svm.novelty.predict_with_novelty`. Classifiers that are not made
    of `CoupledSVC` have one temperature for all samples.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``.

    Attributes
    ----------
    estimator_ : classifier
        Clone of `estimator`, fitted to all samples.
    temperature_ : float
        Temperature of a sample of typical novelty. Above 1 if the confidences were too high, below
        1 if too low; 1 if nothing was held out, because a class has fewer than three samples.
    novelty_slope_ : float
        Growth of the temperature's logarithm with the novelty, at least 0.
    typical_novelty_ : float
        Mean novelty of the held-out samples.
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

    C. Tomani, F. K. Waseda, Y. Shen, D. Cremers, "Beyond in-domain scenarios: robust density-aware
    calibration", ICML (2023), section 4.
    """

    temperature_: float
    novelty_slope_: float
    typical_novelty_: float
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
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Of shape (n_samples, n_samples) if `estimator` takes kernel values.
        y : array-like of shape (n_samples,)
        sources : array-like of shape (n_samples,), optional
            Which of several sources each sample is from, such as data sets that were joined. Each
            fold has samples of every source, and of every class in it, in proportion: eight runs
            of consecutive ones, from its beginning to its end.
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
        rows, labels = validate_data(self, X, y, dtype="numeric", accept_sparse="csr")
        check_classification_targets(labels)
        n, params = len(labels), self._route(fit_params)
        weights = check_weights(params.get("sample_weight"), n)
        # Samples without weight may be of classes that nobody learns.
        classes = np.unique(labels if weights is None else labels[weights > 0])
        codes = np.searchsorted(classes, labels)
        if sources is not None:
            sources = column_or_1d(sources)
            check_consistent_length(sources, labels)

        if pairwise := get_tags(self.estimator).input_tags.pairwise:
            check_square(rows)

        def fit(index: IntArray) -> Any:
            part = rows[index][:, index] if pairwise else rows[index]
            return clone(self.estimator).fit(part, labels[index], **select_rows(params, index, n))

        folds = calibration_folds(codes, weights, sources)
        predictions = [
            predict_held_out(fold, fit, rows, codes, pairwise=pairwise) for fold in folds
        ]
        logger.info("fitting to all %s samples", f"{n:,}")
        fitted = clone(self.estimator).fit(rows, labels, **params)
        self._store(fitted, fit_temperature(codes, folds, predictions, weights))
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
        self.novelty_slope_ = temperature.novelty_slope
        self.typical_novelty_ = temperature.typical_novelty
        self.n_held_out_ = temperature.n_held_out
        self.calibration_error_ = temperature.calibration_error
        self.classes_ = fitted.classes_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator).input_tags
        tags.input_tags.sparse, tags.input_tags.pairwise = (
            of_estimator.sparse,
            of_estimator.pairwise,
        )
        return tags

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Predict calibrated probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
        """
        check_is_fitted(self)
        rows = validate_data(self, X, accept_sparse="csr", reset=False)
        confidences, novelty = predict_with_novelty(self.estimator_, rows)
        if novelty is None:
            return apply_temperature(confidences, self.temperature_)
        fitted = self.temperature_, self.novelty_slope_, self.typical_novelty_
        return apply_temperature(confidences, temperature_of(novelty, *fitted))


@dataclass(frozen=True)
class TemperatureFit:
    """A temperature and how it was found; see the attributes of `Calibrated`."""

    temperature: float
    novelty_slope: float
    typical_novelty: float
    n_held_out: int
    calibration_error: float


def fit_temperature(
    codes: IntArray,
    folds: Sequence[Fold],
    predictions: Sequence[Float64Array],
    weights: Float64Array | None = None,
) -> TemperatureFit:
    """Fit the temperature to held-out samples, and measure the remaining calibration error.

    `codes` and `weights` are those of all samples; there are `predictions` for each fold, from
    `predict_held_out`.
    """
    if not folds:
        return TemperatureFit(1.0, 0.0, 0.0, 0, float("nan"))
    test = np.concatenate([fold.test for fold in folds])
    y_true, factors = codes[test], np.ones(len(test)) if weights is None else weights[test]
    sizes = [len(fold.test) for fold in folds]
    samples = np.concatenate([part[:n] for part, n in zip(predictions, sizes, strict=True)])
    chimeras = np.concatenate([part[n:] for part, n in zip(predictions, sizes, strict=True)])
    confidences, novelty = samples[:, :-1], samples[:, -1]
    if np.isnan(novelty).any():
        slope, typical = 0.0, 0.0
        temperature = best_temperature(confidences, y_true, factors)
        probabilities = apply_temperature(confidences, temperature)
    else:
        typical = float(np.average(novelty, weights=factors))
        temperature, slope = _best_line(samples, y_true, factors, chimeras, typical)
        of_each = temperature_of(novelty, temperature, slope, typical)
        probabilities = apply_temperature(confidences, of_each)
    correct = probabilities.argmax(axis=1) == y_true
    error = calibration_error(probabilities.max(axis=1), correct, factors)
    return TemperatureFit(temperature, slope, typical, len(y_true), error)


def best_temperature(
    confidences: npt.ArrayLike, codes: IntArray, weights: Float64Array | None = None
) -> float:
    """The one temperature with the least log loss.

    The logarithm of the temperature has a normal prior of mean 0 and standard deviation 1, which
    keeps it near 1 for few samples. Some hundred samples outweigh it, unless all predictions are
    right: the log loss alone would then be least at a temperature of 0. The confidences, of shape
    (n, k), are for held-out samples; `codes` are the columns of their true classes.
    """
    logs = log_confidences(confidences)
    factors = np.ones(len(logs)) if weights is None else weights
    return _minimise(logs, logs[np.arange(len(logs)), codes], factors, np.zeros(len(logs)))[0]


def _best_line(
    samples: Float64Array,
    codes: IntArray,
    factors: Float64Array,
    chimeras: Float64Array,
    typical: float,
) -> tuple[float, float]:
    """The temperature at the `typical` novelty and the slope, from `predict_held_out`'s rows."""
    rows = np.concatenate([samples, chimeras])
    logs, n = log_confidences(rows[:, :-1]), len(samples)
    # The log loss of equal probabilities depends on the mean logarithm.
    expected = np.concatenate([logs[np.arange(n), codes], logs[n:].mean(axis=1)])
    of_chimera = CHIMERA_SHARE * factors.sum() / max(len(chimeras), 1)
    factors = np.concatenate([factors, np.full(len(chimeras), of_chimera)])
    return _minimise(logs, expected, factors, rows[:, -1] - typical)


def _minimise(
    logs: Float64Array, expected: Float64Array, factors: Float64Array, novelty: Float64Array
) -> tuple[float, float]:
    """The temperature at a novelty of 0, and the slope, with the least weighted log loss.

    `expected` are the log confidences of the true classes. The slope has a prior as the logarithm
    of the temperature has, see `best_temperature`, but with standard deviation `SLOPE_SCALE`.
    """

    def loss(line: Float64Array) -> tuple[float, Float64Array]:
        scale = np.exp(-line[0] - line[1] * novelty)
        scaled = scale[:, None] * logs
        totals = logsumexp(scaled, axis=1)
        mean_logs = (np.exp(scaled - totals[:, None]) * logs).sum(axis=1)
        gradient = factors * scale * (expected - mean_logs)
        prior = np.array([1, SLOPE_SCALE**-2])
        value = (factors * (totals - scale * expected)).sum() + (prior * line**2).sum() / 2
        return float(value), np.array([gradient.sum(), gradient @ novelty]) + prior * line

    bounds = [(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE), (0, MAX_SLOPE)]
    options = {"ftol": 1e-13, "gtol": 1e-9}
    best = minimize(loss, [0, 0], method="L-BFGS-B", jac=True, bounds=bounds, options=options).x
    return float(np.exp(best[0])), float(best[1])


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
