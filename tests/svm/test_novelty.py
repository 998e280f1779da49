"""Samples that are unlike all support vectors get little confidence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brute
from sklearn.ensemble import VotingClassifier
from sklearn.metrics.pairwise import linear_kernel, polynomial_kernel, rbf_kernel
from sklearn.pipeline import make_pipeline

from mnist_svm import (
    Calibrated,
    CoupledSVC,
    Distortion,
    GradientFeatures,
    NormalizeContrast,
    VirtualSupportVectors,
)
from mnist_svm.svm.calibration import CHIMERA_SHARE, calibration_error, fit_temperature
from mnist_svm.svm.held_out import Fold, make_chimeras
from mnist_svm.svm.novelty import predict_with_novelty
from mnist_svm.svm.temperature import apply_temperature

GAMMA = 8e-6


def make_svc(**parameters):
    return CoupledSVC(**{"C": 3.0, "gamma": GAMMA, "random_state": 0, **parameters})


@pytest.fixture(scope="module")
def train(train_set):
    """Gradient features of 2,000 digits, and their labels."""
    return GradientFeatures().fit_transform(train_set.X[:2000]), train_set.labels[:2000]


@pytest.fixture(scope="module")
def test(test_set):
    return GradientFeatures().fit_transform(test_set.X[:2000]), test_set.labels[:2000]


@pytest.fixture(scope="module")
def calibrated(train):
    return Calibrated(make_svc()).fit(*train)


def turn(images):
    """2, 3, 4, 5 and 7 turned to the left: no digits any more."""
    return np.rot90(images, axes=(1, 2)).reshape(len(images), -1)


@pytest.fixture(scope="module")
def turned(test_set):
    images = test_set.images[:2000][np.isin(test_set.labels[:2000], [2, 3, 4, 5, 7])]
    return GradientFeatures().fit_transform(turn(images))


KERNELS = {
    "rbf": ({}, lambda A, B: rbf_kernel(A, B, gamma=GAMMA)),
    "poly": (
        {"kernel": "poly", "degree": 3, "coef0": 0.5},
        lambda A, B: polynomial_kernel(A, B, degree=3, gamma=GAMMA, coef0=0.5),
    ),
    "linear": ({"kernel": "linear", "C": 1e-5}, linear_kernel),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_novelty_is_the_distance_to_the_nearest_support_vector_in_feature_space(
    kernel, train, test
):
    parameters, function = KERNELS[kernel]
    svc = make_svc(**parameters).fit(train[0][:500], train[1][:500])
    A, B = test[0][:50].astype(float), svc.support_vectors_.astype(float)
    of_samples, of_vectors = (
        np.array([function(row[None], row[None]).item() for row in rows]) for rows in (A, B)
    )
    cosines = function(A, B) / np.sqrt(np.outer(of_samples, of_vectors))
    confidences, novelty = svc.predict_with_novelty(test[0][:50])
    np.testing.assert_allclose(novelty, 1 - cosines.max(axis=1), atol=1e-9)
    assert confidences.tobytes() == svc.predict_proba(test[0][:50]).tobytes()


def test_a_support_vector_is_not_new_and_a_blank_sample_is(train):
    svc = make_svc(kernel="linear", C=1e-5).fit(train[0][:500], train[1][:500])
    rows = np.concatenate([svc.support_vectors_[:3], np.zeros_like(svc.support_vectors_[:1])])
    np.testing.assert_allclose(svc.predict_with_novelty(rows)[1], [0, 0, 0, 1], atol=1e-6)


def test_pipelines_and_averages_know_the_novelty_too(train_set, test_set):
    X, y, X_test = train_set.X[:300], train_set.labels[:300], test_set.X[:40]
    plain = make_pipeline(NormalizeContrast(), make_svc(gamma=1e-6))
    virtual = VirtualSupportVectors(plain, Distortion(rotation=0.1), copies=1, random_state=0)
    voting = VotingClassifier([("a", plain), ("b", virtual)], voting="soft").fit(X, y)
    confidences, novelty = predict_with_novelty(voting, X_test)
    np.testing.assert_array_equal(confidences, voting.predict_proba(X_test))
    pipelines = voting.estimators_[0], voting.estimators_[1].estimator_
    rows = pipelines[0][:-1].transform(X_test)
    of_parts = [pipeline[-1].predict_with_novelty(rows)[1] for pipeline in pipelines]
    np.testing.assert_array_equal(novelty, np.mean(of_parts, axis=0))


def test_chimeras_have_halves_of_samples_of_two_classes():
    X, codes = np.arange(60).reshape(10, 6), np.arange(10) % 2
    chimeras = make_chimeras(X, codes)
    first, second = chimeras[:, 0] // 6, chimeras[:, 5] // 6
    np.testing.assert_array_equal(chimeras[:, :3], X[first, :3])
    np.testing.assert_array_equal(chimeras[:, 3:], X[second, 3:])
    assert (codes[first] != codes[second]).all()
    assert chimeras.tobytes() == make_chimeras(X, codes).tobytes()
    assert not len(make_chimeras(X, np.zeros(10, int)))


def test_temperature_and_slope_have_the_least_log_loss_on_samples_and_chimeras():
    random, n = np.random.default_rng(0), 400
    novelty = random.uniform(0.2, 0.8, n + 100)
    confidences, codes = random.dirichlet([0.2, 0.2, 0.2], n + 100), random.integers(0, 3, n)
    # Errors are frequent where the novelty is large.
    right = random.uniform(size=n) > 0.6 * novelty[:n] ** 2
    confidences[:n][right] = np.sort(confidences[:n][right])
    codes[right] = 2
    rows = np.column_stack([confidences, novelty])
    fit = fit_temperature(codes, [Fold("", np.arange(0), np.arange(n))], [rows])
    typical = novelty[:n].mean()

    def loss(line):
        # Another way to write softmax(log p / T).
        powers = confidences ** (1 / np.exp(line[0] + line[1] * (novelty - typical)))[:, None]
        losses = -np.log(powers / powers.sum(axis=1, keepdims=True))
        of_chimeras = CHIMERA_SHARE * n * losses[n:].mean()
        prior = line[0] ** 2 / 2 + line[1] ** 2 / 32
        return losses[np.arange(n), codes].sum() + of_chimeras + prior

    log_temperature, slope = brute(loss, [slice(-1, 2, 0.05), slice(0, 8, 0.1)])
    assert slope > 0.5
    assert fit.temperature == pytest.approx(np.exp(log_temperature), rel=1e-3)
    assert fit.novelty_slope == pytest.approx(slope, abs=1e-2)
    assert fit.typical_novelty == pytest.approx(typical)


def test_what_is_no_digit_gets_less_confidence_than_by_one_temperature(calibrated, test, turned):
    X, y = test
    one = apply_temperature(calibrated.estimator_.predict_proba(turned), calibrated.temperature_)
    each = calibrated.predict_proba(turned)
    assert each.max(axis=1).mean() < one.max(axis=1).mean() - 0.02
    assert (each.max(axis=1) >= 0.9).mean() < 0.1
    probabilities = calibrated.predict_proba(X)
    correct = probabilities.argmax(axis=1) == y
    assert (probabilities.max(axis=1) >= 0.9).mean() > 0.8
    assert calibration_error(probabilities.max(axis=1), correct) < 0.03
