"""Parts and slopes of decision functions, against the machine's own answers and loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mnist_svm import CoupledSVC, KernelSVC
from mnist_svm.svm.evidence import OneVsRest, pair_decision
from mnist_svm.svm.pairwise import STEEPNESS

MACHINES = {
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


@pytest.fixture(scope="module", params=MACHINES)
def machine(request, digits):
    X, y, _ = digits
    given = MACHINES[request.param]
    return KernelSVC(**given, decision_function_shape="ovo", random_state=0).fit(X, y)


def test_duels_have_the_machine_s_decision_values(machine, digits):
    values = machine.decision_function(digits[2])
    for at, (first, second) in enumerate(PAIRS):
        np.testing.assert_allclose(
            pair_decision(machine, first, second).values(digits[2]), values[:, at], atol=1e-9
        )


def test_a_duel_seen_from_the_other_side_has_the_other_sign(machine, digits):
    one, other = pair_decision(machine, 3, 8), pair_decision(machine, 8, 3)
    np.testing.assert_allclose(one.values(digits[2]), -other.values(digits[2]))


def test_of_two_classes_the_first_is_favoured_too(digits):
    X, y, X_test = digits
    chosen = np.isin(y, (4, 9))
    machine = CoupledSVC(kernel="rbf", random_state=0).fit(X[chosen], y[chosen])
    # scikit-learn's sign: positive for the second class.
    np.testing.assert_allclose(
        pair_decision(machine, 0, 1).values(X_test), -machine.decision_function(X_test), atol=1e-9
    )


def test_contributions_and_the_constant_add_up(machine, digits):
    parts = pair_decision(machine, 2, 7)
    at = PAIRS.index((2, 7))
    for x, values in zip(digits[2], machine.decision_function(digits[2]), strict=True):
        assert parts.contributions(x).sum() + parts.intercept == pytest.approx(values[at], abs=1e-9)


def test_a_contribution_is_weight_times_kernel_value(digits):
    X, y, X_test = digits
    machine = KernelSVC(kernel="rbf", C=10, random_state=0).fit(X, y)
    parts = pair_decision(machine, 5, 3)
    contributions = parts.contributions(X_test[0])
    found = dict(zip(machine.support_[parts.places], contributions, strict=True))
    expected = {}
    for place, row in enumerate(machine.support_):
        if y[row] in (3, 5):
            # Of a five, the row of its pair with 3; of a three, that with 5, among the others.
            alpha = machine.dual_coef_[3 if y[row] == 5 else 4, place]
            likeness = np.exp(-machine.gamma_ * ((X[row] - X_test[0]) ** 2).sum())
            if alpha:
                expected[row] = -alpha * likeness
    assert found == pytest.approx(expected)
    assert all((found[row] > 0) == (y[row] == 5) for row in found)


def slope(values, x, at, step=1e-4):
    """A central difference of a function of many samples, in one feature."""
    X = np.stack([x, x])
    X[:, at] += (step, -step)
    above, below = values(X)
    return (above - below) / (2 * step)


@pytest.mark.slow
@pytest.mark.parametrize("pair", [(0, 6), (3, 8), (9, 4)])
def test_the_gradient_is_the_slope_of_the_decision_function(machine, digits, pair):
    def of_pair(X):
        return sign * machine.decision_function(X)[:, PAIRS.index(tuple(sorted(pair)))]

    sign = 1 if pair[0] < pair[1] else -1
    x = digits[2][0]
    gradient = pair_decision(machine, *pair).gradient(x)
    for at in np.random.RandomState(0).choice(784, 40, replace=False):
        assert gradient[at] == pytest.approx(slope(of_pair, x, at), rel=1e-4, abs=1e-7)


def test_a_contest_is_a_smooth_minimum_of_its_duels(machine, digits):
    others = [digit for digit in range(10) if digit != 7]
    contest = OneVsRest(tuple(pair_decision(machine, 7, other) for other in others))
    decisions = machine.decision_function(digits[2])
    for values, found in zip(decisions, contest.decision_function(digits[2]), strict=True):
        won_by = [
            values[PAIRS.index((7, other))] if other > 7 else -values[PAIRS.index((other, 7))]
            for other in others
        ]
        expected = -np.log(sum(np.exp(-STEEPNESS * value) for value in won_by)) / STEEPNESS
        assert found == pytest.approx(expected)
        assert found < min(won_by)


def test_the_gradient_of_a_contest_is_its_slope(machine, digits):
    contest = OneVsRest(tuple(pair_decision(machine, 2, other) for other in (0, 3, 7, 8)))
    x = digits[2][1]
    gradient = contest.gradient(x)
    for at in np.random.RandomState(1).choice(784, 40, replace=False):
        assert gradient[at] == pytest.approx(
            slope(contest.decision_function, x, at), rel=1e-4, abs=1e-7
        )
