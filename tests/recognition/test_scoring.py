"""Scores of digits in a line, and of ink that is passed over."""

from __future__ import annotations

import numpy as np

from mnist_svm.recognition.scoring import digit_scores, log_odds, skip_scores


def test_the_more_probable_class_and_the_surer_digit_score_higher():
    whole = np.zeros(2, dtype=bool)
    scores = digit_scores(np.array([0.9, 0.6]), np.array([[0.7, 0.3], [0.7, 0.3]]), whole)
    assert scores.shape == (2, 2)
    assert (scores[:, 0] > scores[:, 1]).all()
    assert (scores[0] > scores[1]).all()


def test_scores_of_extreme_probabilities_are_finite():
    whole = np.zeros(2, dtype=bool)
    scores = digit_scores(np.array([0.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), whole)
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


def test_a_digit_that_was_cut_scores_less():
    both, classes = np.full(2, 0.9), np.full((2, 2), 0.5)
    whole, cut = digit_scores(both, classes, np.array([False, True]))
    assert (cut < whole).all()
