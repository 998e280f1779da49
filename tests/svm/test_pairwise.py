"""From pairwise values to answers, as scikit-learn's SVC gives them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from sklearn.svm import SVC

from mnist_svm.svm.pairwise import class_confidences, class_scores, count_votes


def values_of(machine, X):
    """Decision values of every pair, positive for the first class of the pair."""
    values = copy.copy(machine).set_params(decision_function_shape="ovo").decision_function(X)
    return -values[:, None] if values.ndim == 1 else values


def test_scores_and_votes_are_those_of_svc(train_set, test_set):
    svc = SVC(kernel="poly", degree=4, coef0=1).fit(train_set.X[:2000], train_set.labels[:2000])
    X = test_set.X[:1000]
    values = values_of(svc, X)
    np.testing.assert_allclose(class_scores(values, 10), svc.decision_function(X), atol=1e-12)
    np.testing.assert_array_equal(count_votes(values > 0, 10).argmax(axis=1), svc.predict(X))


def test_two_classes_are_a_pair_like_any_other(train_set, test_set):
    two, others = np.isin(train_set.labels, (3, 8)), np.isin(test_set.labels, (3, 8))
    svc = SVC(kernel="poly", degree=2).fit(train_set.X[two][:500], train_set.labels[two][:500])
    X = test_set.X[others]
    values = values_of(svc, X)
    assert values.shape == (len(X), 1)
    read = svc.classes_[class_scores(values, 2).argmax(axis=1)]
    np.testing.assert_array_equal(read, svc.predict(X))


def test_a_tie_of_votes_goes_to_the_larger_sum():
    # 0 beats 1, 1 beats 2, 2 beats 0: one vote each, and 2 won by most.
    values = np.array([[1.0, -3.0, 0.5]])
    assert class_scores(values, 3).argmax() == 2


def test_confidences_add_up_to_one(small_model, test_set):
    confidences = small_model.pipeline.predict_proba(test_set.X[:500])
    assert (confidences >= 0).all()
    np.testing.assert_allclose(confidences.sum(axis=1), 1)


def test_a_narrower_duel_means_less_confidence():
    wide, narrow = class_confidences(np.array([[2.0, 2.0, 0.0], [2.0, 0.1, 0.0]]), 3)
    assert wide[0] > narrow[0] > narrow[2] > narrow[1]


@pytest.mark.parametrize("size", [1e3, 1e300])
def test_huge_values_do_not_overflow(size):
    with np.errstate(all="raise"):
        confidences = class_confidences(np.array([[size, -size, size]]), 3)
    assert np.isfinite(confidences).all()


def test_confidence_ranks_errors_below_right_answers(small_model, test_set):
    confidence = small_model.pipeline.predict_proba(test_set.X[:3000])
    right = confidence.argmax(axis=1) == test_set.labels[:3000]
    assert np.median(confidence.max(axis=1)[right]) > 0.98
    assert np.median(confidence.max(axis=1)[~right]) < 0.75
