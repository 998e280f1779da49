"""KernelSVC finds the optimum that scikit-learn's SVC finds, on real digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm import Deskew, KernelSVC
from tests.support.svm_oracle import kernel_of, objectives, values, violation

TOL = 1e-3


@pytest.mark.slow
@parametrize_with_checks([KernelSVC()])
def test_scikit_learn_s_checks_pass(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def deskewed(train_set, test_set):
    """All of MNIST deskewed, float32, 0-255: X, y, X_test, y_test."""
    transformer = Deskew().fit(train_set.X)
    X, X_test = transformer.transform(train_set.X), transformer.transform(test_set.X)
    return X, train_set.labels, X_test, test_set.labels


@pytest.fixture(scope="module")
def some(deskewed):
    """6,000 of the training images, and 2,000 test images."""
    X, y, X_test, _ = deskewed
    rows = np.sort(np.random.default_rng(0).choice(len(y), 6000, replace=False))
    return X[rows], y[rows], X_test[:2000]


def noisy(y, share=0.1):
    """Labels of which a share is drawn anew."""
    rng = np.random.default_rng(1)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, rng.integers(0, 10, len(y)), y)


def assert_same_machine(ours, peer, X, y, X_test, kernel, C):
    ratio = objectives(ours, X, kernel) / objectives(peer, X, kernel)
    np.testing.assert_allclose(ratio, 1, rtol=1e-4)
    assert violation(ours, X, y, kernel, C) <= 2 * TOL
    assert ours.kkt_violation_ <= 2 * TOL
    assert (ours.predict(X_test) == peer.predict(X_test)).mean() >= 0.999
    expected = values(peer, X, kernel, X_test)
    np.testing.assert_allclose(ours.decision_function(X_test), expected, rtol=0, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("C", [0.1, 1, 100])
@pytest.mark.parametrize("name", ["poly", "rbf", "linear"])
def test_the_optimum_is_svc_s(some, name, C):
    X, y, X_test = some
    if name == "linear":
        X, X_test = X / 255, X_test / 255
    given = {"kernel": name, "degree": 4, "coef0": 1.0, "C": C, "decision_function_shape": "ovo"}
    ours, peer = KernelSVC(**given).fit(X, y), SVC(**given, cache_size=500).fit(X, y)
    kernel = kernel_of(name, gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0)
    assert_same_machine(ours, peer, X, y, X_test, kernel, C)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poly", "rbf"])
def test_bounded_support_vectors_are_right_on_noisy_labels(some, name):
    X, y, X_test = some
    y = noisy(y)
    given = {"kernel": name, "degree": 4, "coef0": 1.0, "decision_function_shape": "ovo"}
    ours, peer = KernelSVC(**given).fit(X, y), SVC(**given, cache_size=500).fit(X, y)
    kernel = kernel_of(name, gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0)
    assert_same_machine(ours, peer, X, y, X_test, kernel, 1.0)
    bounded = [np.count_nonzero(np.abs(m.dual_coef_) == 1.0) for m in (ours, peer)]
    assert bounded[1] > 500
    assert bounded[0] == pytest.approx(bounded[1], rel=0.01)


CLASSIC = {"kernel": "poly", "degree": 4, "coef0": 1.0, "decision_function_shape": "ovo"}


@pytest.mark.slow
def test_the_optimum_is_svc_s_on_a_quarter_of_mnist(deskewed):
    X, y, X_test = deskewed[0][:15_000], deskewed[1][:15_000], deskewed[2]
    ours = KernelSVC(**CLASSIC).fit(X, y)
    peer = SVC(**CLASSIC, cache_size=1000).fit(X, y)
    kernel = kernel_of("poly", gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0)
    assert_same_machine(ours, peer, X, y, X_test, kernel, 1.0)


@pytest.mark.slow
def test_the_conditions_of_the_optimum_are_met_on_all_of_mnist(deskewed):
    # SVC takes a minute; these conditions, by formula in float64, tell the optimum by themselves.
    X, y, _, _ = deskewed
    ours = KernelSVC(**CLASSIC).fit(X, y)
    kernel = kernel_of("poly", gamma=1 / (784 * X.astype(np.float64).var()), degree=4, coef0=1.0)
    assert violation(ours, X, y, kernel, 1.0) <= 2 * TOL
    # Guesses came first, and the last round proved the optimum.
    assert not ours.fit_log_[0]["exact"]
    assert ours.fit_log_[-1]["exact"]
    assert ours.fit_log_[-1]["violators"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("degree", [0, 1, 2, 3, 5, 9])
@pytest.mark.parametrize("coef0", [0.0, 1.0])
def test_every_degree_gives_svc_s_machine(some, degree, coef0):
    X, y, X_test = (part[:1500] for part in some)
    given = {"kernel": "poly", "degree": degree, "coef0": coef0, "decision_function_shape": "ovo"}
    ours, peer = KernelSVC(**given).fit(X, y), SVC(**given).fit(X, y)
    assert (ours.predict(X_test) == peer.predict(X_test)).mean() >= 0.999
    np.testing.assert_allclose(
        ours.decision_function(X_test), peer.decision_function(X_test), rtol=1e-3, atol=5e-3
    )


@pytest.mark.slow
@pytest.mark.parametrize("degree", [2, 3])
def test_a_negative_coef0_has_its_conditions_met_as_well(some, degree):
    # The kernel has no feature space to bound a margin in, and more optima than one.
    X, y, X_test = some
    given = {"kernel": "poly", "degree": degree, "coef0": -0.5}
    ours, peer = KernelSVC(**given).fit(X, y), SVC(**given).fit(X, y)
    kernel = kernel_of("poly", gamma=ours.gamma_, degree=degree, coef0=-0.5)
    assert violation(ours, X, y, kernel, 1.0) <= 2 * TOL
    assert (ours.predict(X_test) == peer.predict(X_test)).mean() >= 0.98


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 47, 303, 304, 305, 999])
def test_how_many_rows_come_along_changes_no_decision(some, size):
    X, y, X_test = some
    machine = KernelSVC(kernel="poly", degree=4, coef0=1, decision_function_shape="ovo")
    machine.fit(X[:2000], y[:2000])
    together = machine.decision_function(X_test[:2000])
    starts = range(0, min(2000, 25 * size), size)
    alone = [machine.decision_function(X_test[:2000][at : at + size]) for at in starts]
    alone = np.concatenate(alone)
    np.testing.assert_allclose(alone, together[: len(alone)], rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 40, 100])
def test_the_block_size_changes_no_decision(some, block, monkeypatch):
    X, y, X_test = some
    machine = KernelSVC(kernel="rbf", decision_function_shape="ovo").fit(X[:2000], y[:2000])
    expected = machine.decision_function(X_test[:500])
    monkeypatch.setattr("mnist_svm.svm.decisions.ROWS_PER_BLOCK", block)
    found = machine.decision_function(X_test[:500])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_decision_values_follow_from_the_attributes(some):
    X, y, X_test = some
    machine = KernelSVC(kernel="poly", degree=4, coef0=1, decision_function_shape="ovo").fit(X, y)
    np.testing.assert_array_equal(machine.support_vectors_, X[machine.support_])
    kernel = kernel_of("poly", gamma=machine.gamma_, degree=4, coef0=1)
    expected = values(machine, X, kernel, X_test[:500])
    np.testing.assert_allclose(machine.decision_function(X_test[:500]), expected, atol=1e-3)


@pytest.mark.slow
def test_the_first_working_set_does_not_matter(some):
    X, y, X_test = some
    found = [
        KernelSVC(
            kernel="poly", degree=4, coef0=1, decision_function_shape="ovo", random_state=seed
        )
        .fit(X, y)
        .decision_function(X_test)
        for seed in range(3)
    ]
    np.testing.assert_allclose(found[1], found[0], atol=5e-3)
    np.testing.assert_allclose(found[2], found[0], atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_the_same_seed_gives_the_same_bits_whatever_the_threads(some, n_jobs):
    X, y, _ = some
    given = {"kernel": "rbf", "random_state": 5}
    one = KernelSVC(**given).fit(X, y)
    other = KernelSVC(**given, n_jobs=n_jobs).fit(X, y)
    for name in ("support_", "dual_coef_", "intercept_", "n_iter_"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


@pytest.mark.slow
def test_what_guesses_find_is_the_optimum_too(some, monkeypatch):
    X, y, X_test = some
    given = {"kernel": "rbf", "decision_function_shape": "ovo", "random_state": 0}
    plain = KernelSVC(**given).fit(X, y)
    monkeypatch.setattr("mnist_svm.svm._solver.samples.MIN_SAMPLES_TO_PROJECT", 5000)
    guessed = KernelSVC(**given).fit(X, y)
    assert plain.fit_log_[0]["exact"]
    assert not guessed.fit_log_[0]["exact"]
    kernel = kernel_of("rbf", gamma=guessed.gamma_)
    assert violation(guessed, X, y, kernel, 1.0) <= 2 * TOL
    np.testing.assert_allclose(
        guessed.decision_function(X_test), plain.decision_function(X_test), atol=5e-3
    )


def test_the_log_tells_of_every_round(some):
    X, y, _ = some
    machine = KernelSVC(kernel="poly", degree=4, coef0=1).fit(X, y)
    log = machine.fit_log_
    assert [entry["round"] for entry in log] == list(range(1, len(log) + 1))
    assert log[-1]["support_vectors"] == len(machine.support_)
    assert log[-1]["working_set"] >= log[-1]["support_vectors"]
    assert log[-1]["violators"] == log[-1]["added"] == 0
    assert all(entry["added"] <= entry["violators"] for entry in log)
    seconds = [entry["seconds"] for entry in log]
    assert seconds == sorted(seconds)
