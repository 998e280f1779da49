"""Scores, votes and confidences from pairwise values, compared with scikit-learn's SVC."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.svm import SVC

from mnist_svm.svm.pairwise import class_confidences, class_scores, count_votes


def pair_values(svc, X):
    """Decision values of every pair, positive for the first class of the pair."""
    values = copy.copy(svc).set_params(decision_function_shape="ovo").decision_function(X)
    return -values[:, None] if values.ndim == 1 else values


def test_scores_and_votes_are_those_of_svc(train_set, test_set):
    svc = SVC(kernel="poly", degree=4, coef0=1).fit(train_set.X[:2000], train_set.labels[:2000])
    X = test_set.X[:1000]
    values = pair_values(svc, X)
    np.testing.assert_allclose(class_scores(values, 10), svc.decision_function(X), atol=1e-12)
    np.testing.assert_array_equal(count_votes(values > 0, 10).argmax(axis=1), svc.predict(X))


def test_two_classes_are_a_pair_like_any_other(train_set, test_set):
    two, others = np.isin(train_set.labels, (3, 8)), np.isin(test_set.labels, (3, 8))
    svc = SVC(kernel="poly", degree=2).fit(train_set.X[two][:500], train_set.labels[two][:500])
    X = test_set.X[others]
    values = pair_values(svc, X)
    assert values.shape == (len(X), 1)
    predicted = svc.classes_[class_scores(values, 2).argmax(axis=1)]
    np.testing.assert_array_equal(predicted, svc.predict(X))


def test_a_tie_of_votes_goes_to_the_larger_sum():
    # 0 beats 1, 1 beats 2, 2 beats 0: one vote each, and 2 has the largest sum.
    values = np.array([[1.0, -3.0, 0.5]])
    assert class_scores(values, 3).argmax() == 2


def test_confidences_add_up_to_one(small_model, test_set):
    confidences = small_model.pipeline.predict_proba(test_set.X[:500])
    assert (confidences >= 0).all()
    np.testing.assert_allclose(confidences.sum(axis=1), 1)


def test_a_smaller_decision_value_means_less_confidence():
    large, small = class_confidences(np.array([[2.0, 2.0, 0.0], [2.0, 0.1, 0.0]]), 3)
    assert large[0] > small[0] > small[2] > small[1]


@pytest.mark.parametrize("size", [1e3, 1e300])
def test_huge_values_do_not_overflow(size):
    with np.errstate(all="raise"):
        confidences = class_confidences(np.array([[size, -size, size]]), 3)
    assert np.isfinite(confidences).all()


def test_errors_have_lower_confidence_than_correct_predictions(small_model, test_set):
    confidences = small_model.pipeline.predict_proba(test_set.X[:3000])
    correct = confidences.argmax(axis=1) == test_set.labels[:3000]
    assert np.median(confidences.max(axis=1)[correct]) > 0.98
    assert np.median(confidences.max(axis=1)[~correct]) < 0.75
