"""Calibrated probabilities, on held-out digits."""

from __future__ import annotations

import logging
from typing import ClassVar

import numpy as np
import pytest
from scipy.optimize import brute
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm import Calibrated, CoupledSVC, GradientFeatures
from mnist_svm.svm.calibration import best_temperature, calibration_error, calibration_folds
from mnist_svm.svm.temperature import apply_temperature


def make_svc():
    return CoupledSVC(C=3.0, gamma=8e-6, random_state=0)


@pytest.mark.slow
@parametrize_with_checks([Calibrated(CoupledSVC(C=10, random_state=0))])
def test_scikit_learn_checks_pass(estimator, check):
    # No check is waived.
    check(estimator)


@pytest.fixture(scope="module")
def train(train_set):
    """Gradient features of 900 digits, and their labels."""
    return GradientFeatures().fit_transform(train_set.X[:900]), train_set.labels[:900]


@pytest.fixture(scope="module")
def test(test_set):
    return GradientFeatures().fit_transform(test_set.X[:5000]), test_set.labels[:5000]


@pytest.fixture(scope="module")
def calibrated(train):
    return Calibrated(make_svc()).fit(*train)


def slow_calibration_error(confidence, correct, bins=15):
    """Expected calibration error by its definition, with loops."""
    error = 0.0
    for m in range(1, bins + 1):
        inside = [i for i, p in enumerate(confidence) if (m - 1) / bins < p <= m / bins]
        if inside:
            accuracy = sum(bool(correct[i]) for i in inside) / len(inside)
            mean = sum(confidence[i] for i in inside) / len(inside)
            error += len(inside) / len(confidence) * abs(accuracy - mean)
    return error


def test_the_calibration_error_is_that_of_the_definition(calibrated, test):
    X, y = test
    for probabilities in (calibrated.predict_proba(X), calibrated.estimator_.predict_proba(X)):
        confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
        assert calibration_error(confidence, correct) == pytest.approx(
            slow_calibration_error(confidence, correct), abs=1e-12
        )


def test_the_calibration_error_at_confidence_1_is_the_error_rate():
    assert calibration_error(np.ones(10), np.arange(10) < 7) == pytest.approx(0.3)
    assert calibration_error(np.zeros(10), np.zeros(10, bool)) == 0
    assert np.isnan(calibration_error(np.empty(0), np.empty(0, bool)))


def test_probabilities_are_better_calibrated_than_confidences(calibrated, test):
    X, y = test
    raw, probabilities = calibrated.estimator_.predict_proba(X), calibrated.predict_proba(X)
    before, after = (
        calibration_error(p.max(axis=1), p.argmax(axis=1) == y) for p in (raw, probabilities)
    )
    assert after < 0.5 * before
    assert log_loss(y, probabilities) < 0.95 * log_loss(y, raw)


def test_calibration_changes_no_predicted_label(calibrated, train, test):
    X, _ = test
    alone = make_svc().fit(*train)
    np.testing.assert_array_equal(calibrated.predict(X), alone.predict(X))
    best = calibrated.predict_proba(X).argmax(axis=1)
    np.testing.assert_array_equal(calibrated.classes_[best], alone.predict(X))


def test_two_fits_are_bit_equal(calibrated, train, test):
    again = Calibrated(make_svc()).fit(*train)
    assert again.temperature_ == calibrated.temperature_
    one, other = (fitted.predict_proba(test[0][:200]) for fitted in (calibrated, again))
    assert one.tobytes() == other.tobytes()


class Plain(CoupledSVC):
    """Another class, so that nothing is known of the novelty of its samples."""


def test_the_temperature_has_the_least_log_loss_of_out_of_fold_confidences(train):
    X, y = train
    calibrated = Calibrated(Plain(C=3.0, gamma=8e-6, random_state=0)).fit(X, y)
    confidences = np.empty((len(y), 10))
    for fitted, held_out in StratifiedKFold(3).split(X, y):
        svc = make_svc().fit(X[fitted], y[fitted])
        confidences[held_out] = svc.predict_proba(X[held_out])

    def loss(temperature):
        # Another way to write softmax(log p / T).
        powers = confidences ** (1 / float(temperature[0]))
        of_true_class = powers[np.arange(len(y)), y] / powers.sum(axis=1)
        return -np.log(of_true_class).sum() + np.log(temperature[0]) ** 2 / 2

    best = brute(loss, [slice(0.2, 2, 0.001)], finish=None)
    assert calibrated.temperature_ == pytest.approx(float(best), abs=0.002)
    assert calibrated.novelty_slope_ == 0
    assert calibrated.n_held_out_ == 900


# --- how much is held out ---------------------------------------------------------------------


class Counting(ClassifierMixin, BaseEstimator):
    """Predicts uniform probabilities; records the numbers of samples it is called with."""

    fits: ClassVar[list[int]]
    predictions: ClassVar[list[int]]

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.fits.append(len(X))
        return self

    def predict_proba(self, X):
        self.predictions.append(len(X))
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize(
    ("n", "fits"),
    [
        (60_000, [40_000, 60_000]),
        (30_000, [20_000, 30_000]),
        (15_000, [10_000, 10_000, 15_000]),
        (6_000, [4_000, 4_000, 4_000, 6_000]),
    ],
)
def test_folds_are_held_out_until_they_have_10_000_samples(monkeypatch, n, fits):
    monkeypatch.setattr(Counting, "fits", [], raising=False)
    monkeypatch.setattr(Counting, "predictions", [], raising=False)
    fitted = Calibrated(Counting()).fit(np.zeros((n, 1)), np.arange(n) % 10)
    assert Counting.fits == fits
    assert sum(Counting.predictions) == fitted.n_held_out_ >= min(n, 10_000)


@pytest.mark.parametrize("n_per_class", [1, 2])
def test_without_held_out_samples_confidences_are_unchanged(train_set, n_per_class):
    rows = np.concatenate([np.flatnonzero(train_set.labels == d)[:n_per_class] for d in range(10)])
    fitted = Calibrated(make_svc()).fit(train_set.X[rows], train_set.labels[rows])
    assert fitted.temperature_ == pytest.approx(1, abs=1e-6)
    assert fitted.n_held_out_ == 0
    X = train_set.X[:100]
    raw = fitted.estimator_.predict_proba(X)
    np.testing.assert_allclose(fitted.predict_proba(X), raw, atol=1e-6)


# --- temperatures -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, 100, 10_000])
def test_without_errors_the_temperature_stays_above_0_1(n):
    # The log loss alone is least at a temperature of 0.
    confidences = np.tile([0.9, 0.06, 0.04], (n, 1))
    assert 0.1 < best_temperature(confidences, np.zeros(n, np.intp)) < 1


def test_confident_errors_alone_do_not_make_it_infinite():
    confidences = np.tile([1.0, 0.0, 0.0], (500, 1))
    assert 1 < best_temperature(confidences, np.ones(500, np.intp)) < 100


def test_overconfidence_is_corrected():
    # Confidence 0.99, accuracy 0.8: the temperature turns 0.99 into 0.8.
    confidences = np.tile([0.99, 0.01], (10_000, 1))
    codes = (np.arange(10_000) % 5 == 0).astype(np.intp)
    temperature = best_temperature(confidences, codes)
    assert temperature == pytest.approx(np.log(99) / np.log(4), rel=0.01)
    np.testing.assert_allclose(
        apply_temperature(confidences[:1], temperature), [[0.8, 0.2]], atol=1e-2
    )


@pytest.mark.parametrize("temperature", [1e-300, 0.1, 10.0, 1e300])
def test_probabilities_are_finite_and_add_up_to_one(temperature):
    confidences = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1e-300, 0.6, 0.4]])
    with np.errstate(over="ignore"):
        probabilities = apply_temperature(confidences, temperature)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_any_classifier_with_predict_proba_can_be_calibrated(train, test):
    X, y = train
    fitted = Calibrated(GaussianNB(var_smoothing=0.01)).fit(X, y)
    # Naive Bayes treats dependent features as independent, and is overconfident.
    assert fitted.temperature_ > 5
    X, y = test
    raw, probabilities = fitted.estimator_.predict_proba(X), fitted.predict_proba(X)
    assert log_loss(y, probabilities) < 0.5 * log_loss(y, raw)


def test_labels_may_be_strings(train_set):
    words = np.array(["zero", "one"])[np.minimum(train_set.labels[:300], 1)]
    fitted = Calibrated(make_svc()).fit(train_set.X[:300], words)
    assert set(fitted.predict(train_set.X[:50])) == {"zero", "one"}


def test_the_log_separates_calibrating_from_fitting(train, caplog):
    with caplog.at_level(logging.INFO, logger="mnist_svm.svm"):
        Calibrated(make_svc()).fit(*train)
    assert caplog.messages[0] == "calibrating 1/3"
    assert caplog.messages[1].startswith("calibrating 1/3: round 1: working set")
    assert "calibrating, predicting 300 held-out samples" in caplog.messages
    rest = caplog.messages[caplog.messages.index("fitting to all 900 samples") + 1 :]
    assert rest
    assert all(message.startswith("round ") for message in rest)


# --- samples from several sources -------------------------------------------------------------


def held_out_parts(codes, sources):
    """The number of the fold that holds out each sample."""
    folds = calibration_folds(np.array(codes), sources=sources)
    parts = np.full(len(codes), -1)
    for number, fold in enumerate(folds):
        assert (parts[fold.test] == -1).all()
        np.testing.assert_array_equal(np.sort([*fold.train, *fold.test]), np.arange(len(codes)))
        parts[fold.test] = number
    return parts


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_those_of_stratified_folds_without_shuffling(seed):
    codes = np.random.default_rng(seed).integers(0, 7, 400)
    parts = held_out_parts(codes, None)
    for number, (_, test) in enumerate(StratifiedKFold(3).split(codes, codes)):
        np.testing.assert_array_equal(np.flatnonzero(parts == number), test)


def test_each_fold_has_runs_of_every_source_from_beginning_to_end():
    random = np.random.default_rng(0)
    # The second source is sorted by class.
    codes = np.concatenate([random.integers(0, 4, 3000), np.repeat([0, 1, 2, 3], 300)])
    sources = np.repeat([0, 1], [3000, 1200])
    parts = held_out_parts(codes, sources)
    for code in range(4):
        for source in range(2):
            stratum = parts[(codes == code) & (sources == source)]
            assert np.bincount(stratum, minlength=3) == pytest.approx(len(stratum) / 3, abs=1)
            # Neighbours stay together, except at the borders of 24 runs.
            assert np.count_nonzero(np.diff(stratum)) == 23
            for eighth in np.array_split(stratum, 8):
                assert np.bincount(eighth, minlength=3) == pytest.approx(len(eighth) / 3, abs=3)


def test_no_class_is_missing_from_a_training_part_however_few_a_source_has():
    codes, sources = np.tile([0, 1, 2], 3), np.repeat(["a", "b", "c"], 3)
    for fold in calibration_folds(codes, sources=sources):
        assert set(codes[fold.train]) == {0, 1, 2}
        assert len(fold.test) == 3


def test_sources_must_be_one_for_each_sample(train):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        Calibrated(make_svc()).fit(*train, sources=np.zeros(5))
