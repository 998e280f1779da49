"""KernelSVR and OneClassKernelSVM, against scikit-learn's SVR and OneClassSVM."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVR, OneClassSVM
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm import KernelSVR, OneClassKernelSVM
from mnist_svm.svm import machine

KERNELS = [
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": "auto"},
    {"kernel": "poly", "degree": 2, "coef0": 1.0, "gamma": 0.3},
    {"kernel": "linear"},
]


def expected_failures(estimator):
    """The same as of SVR and OneClassSVM: equal to their tolerance, not to the seventh digit."""
    return {"check_sample_weight_equivalence_on_dense_data": "equal to tol"}


@parametrize_with_checks(
    [KernelSVR(), OneClassKernelSVM()], expected_failed_checks=expected_failures
)
def test_sklearn_compatible_estimator(estimator, check):
    check(estimator)


@pytest.fixture(params=[True, False], ids=["compiled", "NumPy"])
def compiled(request, monkeypatch):
    monkeypatch.setattr(machine, "is_compiler_installed", lambda: request.param)


def noisy_sine(n, n_features=3):
    rng = np.random.default_rng(n)
    X = rng.uniform(-2, 2, (n, n_features))
    return X, np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] + rng.normal(0, 0.2, n), rng.uniform(0, 2, n)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize(("C", "epsilon"), [(1.0, 0.1), (20.0, 0.0), (0.1, 0.4)])
def test_regression_is_that_of_svr(compiled, kernel, C, epsilon):
    X, y, _ = noisy_sine(300)
    ours = KernelSVR(C=C, epsilon=epsilon, tol=1e-5, **kernel).fit(X, y)
    peer = SVR(C=C, epsilon=epsilon, tol=1e-5, **kernel).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), atol=1e-3)
    assert ours.intercept_ == pytest.approx(peer.intercept_, abs=1e-3)
    assert ours.dual_coef_.sum() == pytest.approx(0, abs=1e-9)
    assert np.abs(ours.dual_coef_).max() <= C
    np.testing.assert_array_equal(ours.support_vectors_, X[ours.support_])


def test_regression_takes_a_kernel_without_a_feature_map(compiled):
    X, y, _ = noisy_sine(300)
    parameters = {"kernel": "sigmoid", "gamma": 0.05, "C": 0.1, "tol": 1e-5}
    ours, peer = KernelSVR(**parameters).fit(X, y), SVR(**parameters).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), atol=1e-3)


@pytest.mark.parametrize("n", [300, 700, 5500])
def test_weighted_regression_is_that_of_svr(n):
    X, y, weights = noisy_sine(n)
    weights[::3] = 0
    ours = KernelSVR(C=3.0, gamma=0.5).fit(X, y, weights)
    peer = SVR(C=3.0, gamma=0.5).fit(X, y, weights)
    np.testing.assert_allclose(ours.predict(X), peer.predict(X), atol=5e-3)
    assert not (ours.support_ % 3 == 0).any()


def test_a_tube_around_all_values_needs_no_support_vectors():
    X, y, _ = noisy_sine(100)
    ours, peer = KernelSVR(epsilon=10).fit(X, y), SVR(epsilon=10).fit(X, y)
    assert len(ours.support_) == 0
    np.testing.assert_allclose(ours.predict(X), peer.predict(X))


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("nu", [0.02, 0.5, 0.99])
def test_novelty_is_that_of_one_class_svm(compiled, kernel, nu):
    X = noisy_sine(301)[0]
    ours = OneClassKernelSVM(nu=nu, tol=1e-5, **kernel).fit(X)
    peer = OneClassSVM(nu=nu, tol=1e-5, **kernel).fit(X)
    scale = np.abs(peer.score_samples(X)).max()
    np.testing.assert_allclose(
        ours.score_samples(X), peer.score_samples(X), atol=1e-3 * max(scale, 1)
    )
    assert ours.offset_ == pytest.approx(peer.offset_[0], abs=1e-3 * max(scale, 1))
    assert ours.dual_coef_.sum() == pytest.approx(nu * 301)


def test_all_samples_may_be_outside_of_the_region():
    X = noisy_sine(300)[0]
    # scikit-learn refuses this: libsvm's offset is infinite. The smallest
    # optimum is the highest score.
    ours = OneClassKernelSVM(nu=1.0).fit(X)
    np.testing.assert_allclose(ours.dual_coef_, np.ones((1, 300)))
    assert ours.offset_ == pytest.approx(ours.score_samples(X).max())


@pytest.mark.parametrize("n", [300, 5500])
def test_weighted_novelty_is_that_of_one_class_svm(n):
    X, _, weights = noisy_sine(n)
    weights[::3] = 0
    ours = OneClassKernelSVM(nu=0.1, gamma=0.5).fit(X, sample_weight=weights)
    peer = OneClassSVM(nu=0.1, gamma=0.5).fit(X, sample_weight=weights)
    np.testing.assert_allclose(ours.score_samples(X), peer.score_samples(X), atol=0.02)
    assert ours.dual_coef_.sum() == pytest.approx(0.1 * weights.sum())
    # Support vectors between their bounds lie on the border.
    is_clear = np.abs(peer.decision_function(X)) > 0.03
    np.testing.assert_array_equal(ours.predict(X)[is_clear], peer.predict(X)[is_clear])


def test_digits_of_one_class_are_told_from_others(train_set):
    X, y = train_set.X[:3000], train_set.labels[:3000]
    ones = OneClassKernelSVM(nu=0.05).fit(X[:2000][y[:2000] == 1])
    inside = ones.predict(X[2000:]) == 1
    assert inside[y[2000:] == 1].mean() > 0.85
    assert inside[y[2000:] != 1].mean() < 0.1


@pytest.mark.parametrize("estimator", [KernelSVR, OneClassKernelSVM])
def test_rows_of_bytes_are_read_as_numbers(estimator):
    X = np.random.default_rng(0).integers(0, 256, (200, 5)).astype(np.uint8)
    y = X[:, 0] / 255
    of_bytes, of_numbers = (estimator().fit(rows, y) for rows in (X, X.astype(float)))
    np.testing.assert_array_equal(of_bytes.dual_coef_, of_numbers.dual_coef_)


@pytest.mark.parametrize("estimator", [KernelSVR, OneClassKernelSVM])
def test_a_limit_of_iterations_is_told(estimator):
    X, y, _ = noisy_sine(1000)
    with pytest.warns(ConvergenceWarning, match="did not converge: .* violated by up to"):
        estimator(max_iter=1).fit(X, y)


@pytest.mark.parametrize("estimator", [KernelSVR, OneClassKernelSVM])
def test_little_memory_gives_the_same(estimator):
    X, y, _ = noisy_sine(2000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        little, much = (estimator(cache_size=mib).fit(X, y) for mib in (1, 1000))
    values = [
        m.predict(X) if estimator is KernelSVR else m.decision_function(X) for m in (little, much)
    ]
    np.testing.assert_allclose(*values, atol=0.02)


@pytest.mark.parametrize(
    ("estimator", "parameters", "message"),
    [
        (KernelSVR, {"kernel": "precomputed"}, "kernel must be one of 'linear', 'poly', "),
        (KernelSVR, {"epsilon": -0.1}, "epsilon must be a number >= 0, got -0.1"),
        (KernelSVR, {"C": 0}, "C must be a number > 0, got 0"),
        (KernelSVR, {"cache_size": 0}, "cache_size must be a number > 0, got 0"),
        (OneClassKernelSVM, {"nu": 0}, "nu must be a number > 0 and <= 1, got 0"),
        (OneClassKernelSVM, {"nu": 1.5}, "nu must be a number > 0 and <= 1, got 1.5"),
        (OneClassKernelSVM, {"max_iter": 0}, "max_iter must be a positive integer, or -1 "),
    ],
)
def test_invalid_parameters_are_rejected(estimator, parameters, message):
    X, y, _ = noisy_sine(20)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        estimator(**parameters).fit(X, y)


@pytest.mark.parametrize("estimator", [KernelSVR, OneClassKernelSVM])
def test_weights_of_zero_are_rejected(estimator):
    X, y, _ = noisy_sine(20)
    with pytest.raises(ValueError, match="all samples have zero or negative weights"):
        estimator().fit(X, y, sample_weight=np.zeros(20))
