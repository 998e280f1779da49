"""Scores of digits in a line, and of ink that is passed over."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from mnist_svm.recognition.scoring import (
    WEIGHTS,
    Weights,
    cut_scores,
    digit_scores,
    log_odds,
    skip_scores,
)


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
    assert (np.diff(scores) < 0).all()


def test_passing_over_a_mark_costs_less_than_over_a_part_of_a_digit():
    surely, hardly = skip_scores(np.array([0.5, 0.5]), np.array([0.99, 0.0]))
    assert np.isfinite(hardly)
    assert hardly < surely


def test_passing_over_a_point_costs_no_more_than_over_a_speck():
    speck, point = skip_scores(np.array([0.0, 0.09]), np.ones(2))
    assert speck == point


def test_a_digit_that_was_cut_scores_less():
    both, classes = np.full(2, 0.9), np.full((2, 2), 0.5)
    whole, cut = digit_scores(both, classes, np.array([False, True]))
    assert (cut < whole).all()


def test_a_cut_beside_ink_passed_over_costs():
    none, beside = cut_scores([False, True])
    assert none == 0 > beside


def test_scores_are_linear_in_the_weights():
    rng = np.random.default_rng(0)
    proba, areas, is_cut = rng.random(5), 2 * rng.random(5), rng.random(5) < 0.5
    classes = rng.dirichlet(np.ones(3), 5)
    units = [Weights(*row) for row in np.eye(len(astuple(WEIGHTS))).tolist()]
    for score in (
        lambda weights: digit_scores(proba, classes, is_cut, weights),
        lambda weights: skip_scores(areas, proba, weights),
        lambda weights: np.array(cut_scores(is_cut.tolist(), weights)),
    ):
        parts = [value * score(unit) for value, unit in zip(astuple(WEIGHTS), units, strict=True)]
        np.testing.assert_allclose(score(WEIGHTS), np.sum(parts, axis=0))
