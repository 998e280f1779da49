"""Sample weights through the meta-estimators, with and without metadata routing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from mnist_svm import Calibrated, CoupledSVC, Deskew, Distortion, VirtualSupportVectors
from mnist_svm.svm.calibration import best_temperature, calibration_error

N = 150


def make_svc():
    return CoupledSVC(C=10, random_state=0).set_fit_request(sample_weight=True)


def make_virtual(estimator):
    return VirtualSupportVectors(estimator, Distortion(shift=1), copies=2, random_state=0)


META = {
    "calibrated": lambda: Calibrated(make_svc()),
    "virtual": lambda: make_virtual(make_svc()),
    "calibrated virtual": lambda: Calibrated(make_virtual(make_svc())),
}


@pytest.fixture(scope="module")
def digits(train_set):
    rows = np.flatnonzero(train_set.y < 5)[:N]
    return train_set.X[rows], train_set.y[rows]


@pytest.fixture(params=[False, True], ids=["plain", "routed"])
def routing(request):
    with config_context(enable_metadata_routing=request.param):
        yield


@pytest.fixture(params=META)
def meta(request):
    # Made in the test's configuration: set_fit_request needs routing.
    with config_context(enable_metadata_routing=True):
        return META[request.param]()


@pytest.mark.usefixtures("routing")
def test_samples_of_weight_0_are_as_if_they_were_not_there(meta, digits, test_set):
    X, y = digits
    weights = np.arange(N) % 3 / 2
    # One class has no weight at all.
    weights[y == 4] = 0
    weighted = clone(meta).fit(X, y, sample_weight=weights)
    used = weights > 0
    smaller = clone(meta).fit(X[used], y[used], sample_weight=weights[used])
    assert weighted.classes_.tolist() == [0, 1, 2, 3]
    one, other = (fitted.predict_proba(test_set.X[:50]) for fitted in (weighted, smaller))
    np.testing.assert_allclose(one, other, atol=1e-3)
    unweighted = clone(meta).fit(X, y)
    assert unweighted.classes_.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("routing")
def test_weights_of_1_change_nothing(meta, digits, test_set):
    weighted = clone(meta).fit(*digits, sample_weight=np.ones(N))
    plain = clone(meta).fit(*digits, sample_weight=None)
    one, other = (fitted.predict_proba(test_set.X[:50]) for fitted in (weighted, plain))
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_virtual_copy_has_the_weight_of_its_support_vector(digits, monkeypatch):
    X, y = digits
    calls = []

    def fit(self, X, y, sample_weight=None):
        calls.append((len(X), y, sample_weight))
        return original(self, X, y, sample_weight)

    original = CoupledSVC.fit
    monkeypatch.setattr(CoupledSVC, "fit", fit)
    # Labels and weights that are unique name the sample that a copy was made of.
    weights = 1 + np.arange(N) / N
    make_virtual(CoupledSVC(C=10)).fit(X, y, sample_weight=weights)
    (_, _, first), (n, labels, second) = calls
    np.testing.assert_array_equal(first, weights)
    assert len(second) == len(labels) == n > N
    sources = np.rint((second - 1) * N).astype(int)
    np.testing.assert_array_equal(sources[:N], np.arange(N))
    np.testing.assert_array_equal(labels, y[sources])


def test_a_weight_of_2_counts_as_2_held_out_samples():
    random = np.random.default_rng(0)
    confidences, codes = random.dirichlet([1, 1, 1], 200), random.integers(0, 3, 200)
    weights = random.integers(0, 3, 200)
    repeated = np.repeat(np.arange(200), weights)
    assert best_temperature(confidences, codes, weights) == pytest.approx(
        best_temperature(confidences[repeated], codes[repeated]), abs=1e-4
    )
    confidence, correct = confidences.max(axis=1), confidences.argmax(axis=1) == codes
    assert calibration_error(confidence, correct, weights) == pytest.approx(
        calibration_error(confidence[repeated], correct[repeated])
    )


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        (KNeighborsClassifier(), {"sample_weight": np.ones(N)}),
        (make_pipeline(Deskew(), CoupledSVC()), {"sample_weight": np.ones(N)}),
        (CoupledSVC(), {"groups": np.ones(N)}),
    ],
    ids=["neighbours", "pipeline", "groups"],
)
def test_without_routing_what_the_estimator_does_not_take_is_refused(estimator, params, digits):
    with pytest.raises(ValueError, match=r"fit has no such parameter; .*enable_metadata_routing"):
        Calibrated(estimator).fit(*digits, **params)


def test_with_routing_weights_reach_the_step_that_requests_them(digits):
    X, y = digits
    weights = np.where(y < 3, 1.0, 0.0)
    with config_context(enable_metadata_routing=True):
        inner = make_pipeline(Deskew(), make_svc())
        fitted = Calibrated(make_virtual(inner)).fit(X, y, sample_weight=weights)
    assert fitted.classes_.tolist() == [0, 1, 2]


def test_with_routing_weights_that_nobody_requests_are_refused(digits):
    with (
        config_context(enable_metadata_routing=True),
        pytest.raises(UnsetMetadataPassedError, match="sample_weight"),
    ):
        Calibrated(CoupledSVC()).fit(*digits, sample_weight=np.ones(N))


def test_with_routing_sources_reach_a_calibration_in_a_pipeline(digits):
    X, y = digits
    sources = np.repeat([0, 1], [100, N - 100])
    expected = Calibrated(CoupledSVC(C=10, random_state=0)).fit(X, y, sources=sources)
    with config_context(enable_metadata_routing=True):
        calibrated = Calibrated(make_svc()).set_fit_request(sources=True)
        fitted = make_pipeline(Deskew(), calibrated)
        fitted.set_params(deskew="passthrough").fit(X, y, sources=sources)
    assert fitted[-1].temperature_ == expected.temperature_
    assert (
        fitted[-1].temperature_
        != Calibrated(CoupledSVC(C=10, random_state=0)).fit(X, y).temperature_
    )


def test_cross_validation_routes_weights(digits):
    X, y = digits
    weights = np.where(y < 3, 1.0, 0.0)
    with config_context(enable_metadata_routing=True):
        result = cross_validate(
            # Older scikit-learn wants to be told about the score as well.
            Calibrated(make_svc()).set_score_request(sample_weight=False),
            X,
            y,
            cv=2,
            params={"sample_weight": weights},
            return_estimator=True,
        )
    assert [len(fitted.classes_) for fitted in result["estimator"]] == [3, 3]
