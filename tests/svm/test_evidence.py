"""Terms and gradients of decision functions, compared with the SVM's own values and with loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mnist_svm import CoupledSVC, KernelSVC
from mnist_svm.svm.evidence import OneVsRest, pair_decision
from mnist_svm.svm.pairwise import STEEPNESS

SVCS = {
    "linear": {"kernel": "linear", "C": 0.1},
    "poly": {"kernel": "poly", "degree": 4, "coef0": 1.0},
    "odd poly": {"kernel": "poly", "degree": 3, "gamma": 0.02},
    "rbf": {"kernel": "rbf", "C": 10.0},
}
PAIRS = list(combinations(range(10), 2))


@pytest.fixture(scope="module")
def digits(train_set, test_set):
    """Training images, labels and test images, pixels from 0 to 1."""
    return train_set.X[:800] / 255, train_set.labels[:800], test_set.X[:6] / 255


@pytest.fixture(scope="module", params=SVCS)
def svc(request, digits):
    X, y, _ = digits
    parameters = SVCS[request.param]
    return KernelSVC(**parameters, decision_function_shape="ovo", random_state=0).fit(X, y)


def test_decision_values_equal_those_of_the_svc(svc, digits):
    values = svc.decision_function(digits[2])
    for column, (first, second) in enumerate(PAIRS):
        decision = pair_decision(svc, first, second)
        np.testing.assert_allclose(
            decision.decision_function(digits[2]), values[:, column], atol=1e-9
        )


def test_swapping_the_classes_flips_the_sign(svc, digits):
    decision, swapped = pair_decision(svc, 3, 8), pair_decision(svc, 8, 3)
    np.testing.assert_allclose(
        decision.decision_function(digits[2]), -swapped.decision_function(digits[2])
    )


def test_values_are_positive_for_the_first_of_two_classes(digits):
    X, y, X_test = digits
    chosen = np.isin(y, (4, 9))
    svc = CoupledSVC(kernel="rbf", random_state=0).fit(X[chosen], y[chosen])
    # scikit-learn's sign: positive for the second class.
    np.testing.assert_allclose(
        pair_decision(svc, 0, 1).decision_function(X_test),
        -svc.decision_function(X_test),
        atol=1e-9,
    )


def test_contributions_and_intercept_add_up_to_the_decision_value(svc, digits):
    decision = pair_decision(svc, 2, 7)
    column = PAIRS.index((2, 7))
    for x, values in zip(digits[2], svc.decision_function(digits[2]), strict=True):
        total = decision.contributions(x).sum() + decision.intercept
        assert total == pytest.approx(values[column], abs=1e-9)


def test_a_contribution_is_coefficient_times_kernel_value(digits):
    X, y, X_test = digits
    svc = KernelSVC(kernel="rbf", C=10, random_state=0).fit(X, y)
    decision = pair_decision(svc, 5, 3)
    rows = svc.support_[decision.support_indices]
    contributions = dict(zip(rows, decision.contributions(X_test[0]), strict=True))
    expected = {}
    for index, row in enumerate(svc.support_):
        if y[row] in (3, 5):
            # A 5 has the coefficient of its pair with 3 in row 3; a 3 that with 5 in row 4.
            coef = svc.dual_coef_[3 if y[row] == 5 else 4, index]
            kernel_value = np.exp(-svc.gamma_ * ((X[row] - X_test[0]) ** 2).sum())
            if coef:
                expected[row] = -coef * kernel_value
    assert contributions == pytest.approx(expected)
    assert all((contributions[row] > 0) == (y[row] == 5) for row in contributions)


def slope(function, x, feature, step=1e-4):
    """Central difference of a function of many samples, by one feature."""
    X = np.stack([x, x])
    X[:, feature] += (step, -step)
    above, below = function(X)
    return (above - below) / (2 * step)


@pytest.mark.parametrize("pair", [(0, 6), (3, 8), (9, 4)])
def test_the_gradient_is_the_slope_of_the_decision_function(svc, digits, pair):
    def decision_of_pair(X):
        return sign * svc.decision_function(X)[:, PAIRS.index(tuple(sorted(pair)))]

    sign = 1 if pair[0] < pair[1] else -1
    x = digits[2][0]
    gradient = pair_decision(svc, *pair).gradient(x)
    for feature in np.random.RandomState(0).choice(784, 40, replace=False):
        expected = slope(decision_of_pair, x, feature)
        assert gradient[feature] == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_one_vs_rest_is_a_smooth_minimum_of_its_pairs(svc, digits):
    others = [digit for digit in range(10) if digit != 7]
    one_vs_rest = OneVsRest(tuple(pair_decision(svc, 7, other) for other in others))
    decisions = svc.decision_function(digits[2])
    for values, score in zip(decisions, one_vs_rest.decision_function(digits[2]), strict=True):
        of_pairs = [
            values[PAIRS.index((7, other))] if other > 7 else -values[PAIRS.index((other, 7))]
            for other in others
        ]
        expected = -np.log(sum(np.exp(-STEEPNESS * value) for value in of_pairs)) / STEEPNESS
        assert score == pytest.approx(expected)
        assert score < min(of_pairs)


def test_the_gradient_of_one_vs_rest_is_its_slope(svc, digits):
    one_vs_rest = OneVsRest(tuple(pair_decision(svc, 2, other) for other in (0, 3, 7, 8)))
    x = digits[2][1]
    gradient = one_vs_rest.gradient(x)
    for feature in np.random.RandomState(1).choice(784, 40, replace=False):
        expected = slope(one_vs_rest.decision_function, x, feature)
        assert gradient[feature] == pytest.approx(expected, rel=1e-4, abs=1e-7)
