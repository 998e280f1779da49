"""KernelSVC finds the optimum that scikit-learn's SVC finds, on real digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm import Deskew, KernelSVC
from tests.support.svm_oracle import (
    decision_values,
    dual_objectives,
    kernel_function,
    max_kkt_violation,
)

TOL = 1e-3


@pytest.mark.slow
@parametrize_with_checks([KernelSVC()])
def test_scikit_learn_checks_pass(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def deskewed(train_set, test_set):
    """All of MNIST deskewed, float32, 0-255: X, y, X_test, y_test."""
    transformer = Deskew().fit(train_set.X)
    X, X_test = transformer.transform(train_set.X), transformer.transform(test_set.X)
    return X, train_set.labels, X_test, test_set.labels


@pytest.fixture(scope="module")
def subset(deskewed):
    """1,500 of the training images, and 2,000 test images."""
    X, y, X_test, _ = deskewed
    rows = np.sort(np.random.default_rng(0).choice(len(y), 1500, replace=False))
    return X[rows], y[rows], X_test[:2000]


def noisy(y, share=0.1):
    """Replace a share of the labels by random ones."""
    rng = np.random.default_rng(1)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, rng.integers(0, 10, len(y)), y)


def assert_same_svc(ours, peer, X, y, X_test, kernel, C):
    ratio = dual_objectives(ours, X, kernel) / dual_objectives(peer, X, kernel)
    np.testing.assert_allclose(ratio, 1, rtol=1e-4)
    assert max_kkt_violation(ours, X, y, kernel, C) <= 2 * TOL
    assert ours.kkt_violation_ <= 2 * TOL
    assert (ours.predict(X_test) == peer.predict(X_test)).mean() >= 0.999
    expected = decision_values(peer, X, kernel, X_test)
    np.testing.assert_allclose(ours.decision_function(X_test), expected, rtol=0, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("C", [0.1, 1, 100])
@pytest.mark.parametrize("name", ["poly", "rbf", "linear"])
def test_the_optimum_is_svc_s(subset, name, C):
    X, y, X_test = subset
    if name == "linear":
        X, X_test = X / 255, X_test / 255
    parameters = {
        "kernel": name,
        "degree": 4,
        "coef0": 1.0,
        "C": C,
        "decision_function_shape": "ovo",
    }
    ours, peer = KernelSVC(**parameters).fit(X, y), SVC(**parameters, cache_size=500).fit(X, y)
    kernel = kernel_function(
        name, gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0
    )
    assert_same_svc(ours, peer, X, y, X_test, kernel, C)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poly", "rbf"])
def test_noisy_labels_give_the_same_bounded_support_vectors(subset, name):
    X, y, X_test = subset
    y = noisy(y)
    parameters = {"kernel": name, "degree": 4, "coef0": 1.0, "decision_function_shape": "ovo"}
    ours, peer = KernelSVC(**parameters).fit(X, y), SVC(**parameters, cache_size=500).fit(X, y)
    kernel = kernel_function(
        name, gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0
    )
    assert_same_svc(ours, peer, X, y, X_test, kernel, 1.0)
    bounded = [np.count_nonzero(np.abs(m.dual_coef_) == 1.0) for m in (ours, peer)]
    assert bounded[1] > 100
    assert bounded[0] == pytest.approx(bounded[1], rel=0.01)


CLASSIC = {"kernel": "poly", "degree": 4, "coef0": 1.0, "decision_function_shape": "ovo"}


@pytest.mark.slow
def test_the_optimum_is_svc_s_on_6000_images(deskewed):
    X, y, X_test = deskewed[0][:6000], deskewed[1][:6000], deskewed[2][:2000]
    ours = KernelSVC(**CLASSIC).fit(X, y)
    peer = SVC(**CLASSIC, cache_size=1000).fit(X, y)
    kernel = kernel_function(
        "poly", gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0
    )
    assert_same_svc(ours, peer, X, y, X_test, kernel, 1.0)


@pytest.mark.slow
def test_all_of_mnist_meets_the_optimality_conditions(deskewed):
    # SVC would take a minute; the conditions alone prove the optimum.
    X, y, _, _ = deskewed
    ours = KernelSVC(**CLASSIC).fit(X, y)
    kernel = kernel_function(
        "poly", gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0
    )
    assert max_kkt_violation(ours, X, y, kernel, 1.0) <= 2 * TOL
    # Approximate rounds came first: from the second on, not all samples are scanned, and few
    # violators are left to the first exact round. The last round proved the optimum.
    assert not ours.fit_log_[0]["exact"]
    assert not ours.fit_log_[1]["exact"]
    assert ours.fit_log_[1]["scanned"] < 0.9 * len(X)
    assert next(entry for entry in ours.fit_log_ if entry["exact"])["violators"] < 0.02 * len(X)
    assert ours.fit_log_[-1]["exact"]
    assert ours.fit_log_[-1]["violators"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("coef0", [0.0, 1.0])
def test_every_degree_predicts_like_svc(subset, degree, coef0):
    X, y, X_test = (part[:1000] for part in subset)
    parameters = {
        "kernel": "poly",
        "degree": degree,
        "coef0": coef0,
        "decision_function_shape": "ovo",
    }
    ours, peer = KernelSVC(**parameters).fit(X, y), SVC(**parameters).fit(X, y)
    assert (ours.predict(X_test) == peer.predict(X_test)).mean() >= 0.999
    np.testing.assert_allclose(
        ours.decision_function(X_test), peer.decision_function(X_test), rtol=1e-3, atol=5e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize("degree", [2, 3])
def test_a_negative_coef0_meets_the_optimality_conditions(subset, degree):
    # The kernel is not positive definite, and there are several optima.
    X, y, X_test = subset
    parameters = {"kernel": "poly", "degree": degree, "coef0": -0.5}
    ours, peer = KernelSVC(**parameters).fit(X, y), SVC(**parameters).fit(X, y)
    kernel = kernel_function("poly", gamma=ours.gamma_, degree=degree, coef0=-0.5)
    assert max_kkt_violation(ours, X, y, kernel, 1.0) <= 2 * TOL
    assert (ours.predict(X_test) == peer.predict(X_test)).mean() >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 47, 303, 304, 305, 999])
def test_the_number_of_rows_changes_no_decision(subset, size):
    X, y, X_test = subset
    svc = KernelSVC(kernel="poly", degree=4, coef0=1, decision_function_shape="ovo")
    svc.fit(X, y)
    all_rows = svc.decision_function(X_test[:2000])
    starts = range(0, min(2000, 25 * size), size)
    batches = np.concatenate(
        [svc.decision_function(X_test[:2000][start : start + size]) for start in starts]
    )
    np.testing.assert_allclose(batches, all_rows[: len(batches)], rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 40, 100])
def test_the_block_size_changes_no_decision(subset, block, monkeypatch):
    X, y, X_test = subset
    svc = KernelSVC(kernel="rbf", decision_function_shape="ovo").fit(X, y)
    expected = svc.decision_function(X_test[:500])
    monkeypatch.setattr("mnist_svm.svm.decisions.ROWS_PER_BLOCK", block)
    values = svc.decision_function(X_test[:500])
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)


def test_decision_values_follow_from_the_attributes(subset):
    X, y, X_test = subset
    svc = KernelSVC(kernel="poly", degree=4, coef0=1, decision_function_shape="ovo").fit(X, y)
    np.testing.assert_array_equal(svc.support_vectors_, X[svc.support_])
    kernel = kernel_function("poly", gamma=svc.gamma_, degree=4, coef0=1)
    expected = decision_values(svc, X, kernel, X_test[:500])
    np.testing.assert_allclose(svc.decision_function(X_test[:500]), expected, atol=1e-3)


@pytest.mark.slow
def test_the_first_working_set_does_not_change_the_optimum(subset):
    X, y, X_test = subset
    values = [
        KernelSVC(
            kernel="poly", degree=4, coef0=1, decision_function_shape="ovo", random_state=seed
        )
        .fit(X, y)
        .decision_function(X_test)
        for seed in range(3)
    ]
    np.testing.assert_allclose(values[1], values[0], atol=5e-3)
    np.testing.assert_allclose(values[2], values[0], atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_the_number_of_threads_changes_no_bit(subset, n_jobs):
    X, y, _ = subset
    parameters = {"kernel": "rbf", "random_state": 5}
    one = KernelSVC(**parameters).fit(X, y)
    other = KernelSVC(**parameters, n_jobs=n_jobs).fit(X, y)
    for name in ("support_", "dual_coef_", "intercept_", "n_iter_"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


@pytest.mark.slow
def test_approximate_rounds_lead_to_the_same_optimum(deskewed, monkeypatch):
    # A projection has 5,000 samples.
    X, y, X_test = deskewed[0][:6000], deskewed[1][:6000], deskewed[2][:2000]
    parameters = {"kernel": "rbf", "decision_function_shape": "ovo", "random_state": 0}
    plain = KernelSVC(**parameters).fit(X, y)
    monkeypatch.setattr("mnist_svm.svm._solver.factors.MIN_SAMPLES_TO_PROJECT", 5000)
    approximated = KernelSVC(**parameters).fit(X, y)
    assert plain.fit_log_[0]["exact"]
    assert not approximated.fit_log_[0]["exact"]
    kernel = kernel_function("rbf", gamma=approximated.gamma_)
    assert max_kkt_violation(approximated, X, y, kernel, 1.0) <= 2 * TOL
    np.testing.assert_allclose(
        approximated.decision_function(X_test), plain.decision_function(X_test), atol=5e-3
    )


def test_the_log_has_every_round(subset):
    X, y, _ = subset
    svc = KernelSVC(kernel="poly", degree=4, coef0=1).fit(X, y)
    log = svc.fit_log_
    assert [entry["round"] for entry in log] == list(range(1, len(log) + 1))
    assert log[-1]["support_vectors"] == len(svc.support_)
    assert log[-1]["working_set"] >= log[-1]["support_vectors"]
    assert log[-1]["violators"] == log[-1]["added"] == 0
    assert all(entry["added"] <= entry["violators"] for entry in log)
    seconds = [entry["seconds"] for entry in log]
    assert seconds == sorted(seconds)
