"""Fits for several values of C, each from the last solution."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification

from mnist_svm import Deskew, KernelSVC
from mnist_svm.svm._solver.rows import KernelRows
from tests.support.svm_oracle import decision_values, kernel_function, max_kkt_violation

C_VALUES = [0.02, 0.3, 1.0, 20.0]


@pytest.fixture(scope="module")
def digits(train_set):
    """1,200 deskewed images, 0-1, and their labels."""
    return Deskew().fit_transform(train_set.X[:1200]) / 255, train_set.labels[:1200]


@pytest.fixture(scope="module")
def noise():
    """3,000 samples of two classes, a fifth with the wrong label."""
    return make_classification(3000, 10, flip_y=0.4, random_state=0)


def assert_same_path(svc, X, y):
    kernel = kernel_function("rbf", gamma=svc.gamma)
    for C, fitted in zip(C_VALUES, svc.path(X, y, C_VALUES), strict=True):
        alone = clone(svc).set_params(C=C).fit(X, y)
        assert fitted.C == C
        assert max_kkt_violation(fitted, X, y, kernel, C) <= 2e-3
        assert fitted.kkt_violation_ <= 1e-3
        expected = decision_values(alone, X, kernel, X[:300])
        np.testing.assert_allclose(decision_values(fitted, X, kernel, X[:300]), expected, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("solver", ["auto", "blocks", "working_sets", "libsvm"])
def test_each_solution_is_that_of_its_own_fit(digits, solver):
    assert_same_path(KernelSVC(gamma=0.01, solver=solver), *digits)


@pytest.mark.parametrize("solver", ["auto", "working_sets"])
def test_each_solution_on_noisy_data_is_that_of_its_own_fit(noise, solver):
    assert_same_path(KernelSVC(gamma=0.1, solver=solver), *noise)


def test_sample_weights_and_class_weights_apply(noise):
    X, y = noise
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
    svc = KernelSVC(gamma=0.1, class_weight={1: 3.0})
    _, fitted = svc.path(X, y, [0.1, 1.0], sample_weight=weights)
    box = weights * np.where(y == 1, 3.0, 1.0)
    assert max_kkt_violation(fitted, X, y, kernel_function("rbf", gamma=0.1), box) <= 2e-3


def test_values_may_come_in_any_order_and_twice(noise):
    paths = KernelSVC(gamma=0.1).path(*noise, [1.0, 0.1, 1.0])
    assert [svc.C for svc in paths] == [1.0, 0.1, 1.0]
    assert len(paths[1].support_) > len(paths[0].support_) == len(paths[2].support_)


def test_the_kernel_rows_of_a_pair_are_kept(noise, monkeypatch):
    made = []
    monkeypatch.setattr(
        KernelRows, "__init__", count_calls(KernelRows.__init__, made), raising=True
    )
    KernelSVC(gamma=0.1, solver="blocks").path(*noise, C_VALUES)
    # Of the first look, which may take blocks or not, and of all solutions.
    assert 1 <= len(made) <= 2


def count_calls(function, calls):
    def counted(*args, **kwargs):
        calls.append(args)
        return function(*args, **kwargs)

    return counted


def test_estimators_with_probabilities_have_a_path(noise):
    X, y = noise
    small, large = KernelSVC(gamma=0.1, probability=True).path(X[:800], y[:800], [0.1, 1.0])
    assert not np.allclose(small.predict_proba(X[:5]), large.predict_proba(X[:5]))


def test_an_invalid_value_of_c_is_named(noise):
    with pytest.raises(ValueError, match="C must be a number > 0, got -1"):
        KernelSVC().path(*noise, [1.0, -1])
