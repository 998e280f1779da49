"""Scores of digits in a line, and the confidence of a number."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm.recognition.lattice import Edge, best_paths
from mnist_svm.recognition.scoring import (
    digit_scores,
    log_odds,
    number_confidence,
    path_features,
    skip_scores,
)

SURE, EVEN = np.array([0.98, 0.01, 0.01]), np.array([0.34, 0.33, 0.33])


def confidence(is_digit: list[float], classes: list[np.ndarray], skip: float = -8.0) -> float:
    """Confidence of the number of a line each of whose pieces is one digit or none."""
    judged, probabilities = np.array(is_digit), np.stack(classes)
    scores = digit_scores(judged, probabilities)
    edges = [Edge(k, k + 1, score) for k, score in enumerate(scores)]
    paths = best_paths(len(edges), edges, [skip] * len(edges))
    assert len(paths[0].edges) == len(edges)
    return number_confidence(*path_features(paths, judged, probabilities))


def test_the_more_probable_class_and_the_surer_digit_score_higher():
    scores = digit_scores(np.array([0.9, 0.6]), np.array([[0.7, 0.3], [0.7, 0.3]]))
    assert scores.shape == (2, 2)
    assert (scores[:, 0] > scores[:, 1]).all()
    assert (scores[0] > scores[1]).all()


def test_scores_of_extreme_probabilities_are_finite():
    scores = digit_scores(np.array([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(log_odds(np.array([0.0, 0.5, 1.0]))[1], 0)
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


def test_passing_over_more_ink_costs_more():
    scores = skip_scores(np.array([0.0, 0.5, 1.0, 4.0]), np.full(4, 0.9))
    assert (scores <= 0).all()
    assert (np.diff(scores) < 0).all()


def test_passing_over_a_mark_costs_less_than_over_a_part_of_a_digit():
    surely, hardly = skip_scores(np.array([0.5, 0.5]), np.array([0.99, 0.0]))
    assert np.isfinite(hardly)
    assert hardly < surely


def test_passing_over_a_point_costs_nothing():
    assert skip_scores(np.array([0.02]), np.array([1.0])).tolist() == [0]


def test_a_number_of_sure_digits_is_surer_than_one_with_a_doubtful_digit():
    sure = confidence([0.99, 0.99], [SURE, SURE])
    assert 0.5 < sure < 1
    assert confidence([0.99, 0.99], [SURE, EVEN]) < sure
    assert confidence([0.99, 0.6], [SURE, SURE]) < sure


@pytest.mark.parametrize("low", [1, 2, 4])
def test_a_number_whose_ink_might_be_passed_over_is_less_sure(low):
    assert confidence([0.7], [SURE], skip=-low) < confidence([0.7], [SURE], skip=-low - 4)


def test_a_single_reading_has_a_confidence():
    edges = [Edge(0, 1, digit_scores(np.array([0.9]), np.array([[1.0]]))[0])]
    paths = best_paths(1, edges, [-50.0])[:1]
    value = number_confidence(*path_features(paths, np.array([0.9]), np.array([[1.0]])))
    assert 0 < value < 1
