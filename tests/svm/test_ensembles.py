"""Majority votes with probabilities, and logarithmic pools."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from mnist_svm.svm.ensembles import LogarithmicPool, MajorityVote
from mnist_svm.svm.pooling import MIN_PROBABILITY, logarithmic_pool, majority

MEMBERS = [
    ("bayes", GaussianNB()),
    ("tree", DecisionTreeClassifier(max_depth=6, random_state=0)),
    ("logistic", LogisticRegression(C=0.25)),
]


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    # 0 to 1, for which a logistic regression converges soon.
    X = X / 16
    return X[:1200], y[:1200], X[1200:], y[1200:]


@pytest.fixture(scope="module")
def parts(digits):
    """Probabilities of the test images by each member."""
    X, y, X_test, _ = digits
    return [member.fit(X, y).predict_proba(X_test) for _, member in MEMBERS]


def random_parts(n_parts, n=50, k=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.full(k, 0.5), n) for _ in range(n_parts)]


# --- majority ----------------------------------------------------------------------------


def test_the_class_with_most_votes_wins():
    sure, unsure = [0.9, 0.1, 0.0], [0.1, 0.5, 0.4]
    shares = majority([np.array([sure]), np.array([unsure]), np.array([unsure])])
    assert shares.argmax() == 1


def test_the_mean_decides_between_classes_with_as_many_votes():
    first, second = np.array([[0.6, 0.4, 0.0]]), np.array([[0.1, 0.9, 0.0]])
    assert majority([first, second]).argmax() == 1
    assert majority([second, first]).argmax() == 1


@pytest.mark.parametrize("n_parts", [1, 2, 5])
def test_shares_of_votes_add_up_to_one(n_parts):
    shares = majority(random_parts(n_parts))
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=1), 1)


def test_a_vote_predicts_what_most_members_do(digits):
    X, y, X_test, _ = digits
    vote = MajorityVote(MEMBERS, voting="soft").fit(X, y)
    votes = np.array([member.predict(X_test) for member in vote.estimators_])
    agreed = [np.bincount(column).max() >= 2 for column in votes.T]
    expected = [np.bincount(column).argmax() for column in votes.T]
    assert 0 < np.mean(agreed) < 1
    np.testing.assert_array_equal(vote.predict(X_test)[agreed], np.array(expected)[agreed])
    np.testing.assert_array_equal(vote.predict(X_test), vote.predict_proba(X_test).argmax(axis=1))


# --- logarithmic pool --------------------------------------------------------------------


def test_a_pool_is_the_normalised_product_of_powers():
    parts, exponents = random_parts(3), np.array([0.5, 1.5, 0.0])
    product = np.prod(
        [np.maximum(p, MIN_PROBABILITY) ** e for p, e in zip(parts, exponents)], axis=0
    )
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(logarithmic_pool(parts, exponents), expected)


def test_one_member_that_is_sure_does_not_overrule_all_others():
    sure, others = np.array([[1.0, 0.0]]), np.array([[1e-5, 1 - 1e-5]])
    assert logarithmic_pool([sure, others, others], np.ones(3)).argmax() == 1


def test_the_exponents_minimise_the_log_loss(digits, parts):
    *_, y_test = digits
    pool = LogarithmicPool().fit(np.concatenate(parts, axis=1), y_test)
    best = log_loss(y_test, logarithmic_pool(parts, pool.exponents_))
    assert best < min(log_loss(y_test, part) for part in parts)
    for i in range(3):
        for factor in (0.8, 1.25):
            others = pool.exponents_ * np.where(np.arange(3) == i, factor, 1)
            assert log_loss(y_test, logarithmic_pool(parts, others)) >= best - 1e-4


def test_a_member_that_guesses_gets_no_weight(digits):
    X, y, X_test, y_test = digits
    good = GaussianNB().fit(X, y).predict_proba(X_test)
    (guesses,) = random_parts(1, len(y_test), 10)
    pool = LogarithmicPool().fit(np.concatenate([good, guesses], axis=1), y_test)
    assert pool.exponents_[1] < 0.05 * pool.exponents_[0]


def test_a_weight_of_two_is_a_repeated_sample(digits, parts):
    *_, y_test = digits
    parts = np.concatenate(parts, axis=1)
    twice = np.arange(len(y_test)) % 3 == 0
    weighted = LogarithmicPool().fit(parts, y_test, 1 + twice)
    rows = np.concatenate([np.arange(len(y_test)), np.flatnonzero(twice)])
    repeated = LogarithmicPool().fit(parts[rows], y_test[rows])
    np.testing.assert_allclose(weighted.exponents_, repeated.exponents_, rtol=1e-4)


def test_calibration_is_measured(digits, parts):
    *_, y_test = digits
    pool = LogarithmicPool().fit(np.concatenate(parts, axis=1), y_test)
    assert pool.n_held_out_ == len(y_test)
    assert 0 < pool.calibration_error_ < 0.1


@pytest.mark.parametrize("n_classes", [2, 10])
def test_it_ends_a_stacking_classifier(digits, n_classes):
    X, y, X_test, y_test = digits
    few, few_test = y < n_classes, y_test < n_classes
    names = np.array([f"class {i}" for i in range(10)])
    stack = StackingClassifier(MEMBERS, LogarithmicPool(), cv=3, stack_method="predict_proba")
    stack.fit(X[few], names[y[few]])
    alone = max(m.fit(X[few], y[few]).score(X_test[few_test], y_test[few_test]) for _, m in MEMBERS)
    assert stack.score(X_test[few_test], names[y_test[few_test]]) >= alone - 0.02
    probabilities = stack.predict_proba(X_test[few_test])
    assert probabilities.shape[1] == n_classes
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_columns_that_are_not_those_of_all_classes_are_refused():
    with pytest.raises(ValueError, match="expected columns for each of 3 classes, found 4 columns"):
        LogarithmicPool().fit(np.full((6, 4), 0.25), [0, 1, 2, 0, 1, 2])
