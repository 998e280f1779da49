"""Scores of the digits in a line, and the confidence of a number.

A line is read by the path of the highest score. For each digit, the score adds the log odds of
being a digit and the log probability of its class; for ink that is passed over, a penalty.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mnist_svm._types import Float64Array
from mnist_svm.recognition.lattice import Path

# Weights of the log odds of being a digit and of the log probability of its class, and constant of
# each digit.
DIGIT_WEIGHT, CLASS_WEIGHT, BIAS = 1.0, 1.0, 1.0
# Penalty of ink that is passed over: per area of a stroke as long as a digit is high, beyond that
# of a point.
SKIP_PENALTY, POINT_AREA = 1.0, 0.1

# Weight of the log probability of being other ink.
OTHER_WEIGHT, MIN_OTHER_PROBA = 0.7, 1e-3

# Probabilities are clipped at these distances from 0 and 1.
MIN_DIGIT_PROBA, MIN_CLASS_PROBA = 1e-4, 1e-5

# Confidence of a number: coefficients of a logistic regression on the log odds of the best path
# among all that were found, and on the least log odds of a digit; and the constant.
PATH_COEF, LEAST_COEF, INTERCEPT = 0.5, 0.3, 0.0


def digit_scores(digit_proba: Float64Array, class_proba: Float64Array) -> Float64Array:
    """Score of each candidate and class, of shape (n, k).

    `digit_proba`, of shape (n,), is the probability of being a digit; `class_proba`, of shape
    (n, k), that of each class if it is one.
    """
    by_class = np.log(np.clip(class_proba, MIN_CLASS_PROBA, 1))
    return BIAS + DIGIT_WEIGHT * log_odds(digit_proba)[:, None] + CLASS_WEIGHT * by_class


def skip_scores(areas: Float64Array, is_other: Float64Array) -> Float64Array:
    """Score of passing over each piece, at most 0, of shape (n,).

    `areas` are in strokes as long as a digit is high; `is_other` is the probability of being other
    ink than digits'.
    """
    by_area = -SKIP_PENALTY * np.maximum(areas - POINT_AREA, 0)
    return np.asarray(by_area + OTHER_WEIGHT * np.log(np.maximum(is_other, MIN_OTHER_PROBA)))


def log_odds(proba: Float64Array) -> Float64Array:
    """Logarithm of p / (1 - p), clipped."""
    p = np.clip(proba, MIN_DIGIT_PROBA, 1 - MIN_DIGIT_PROBA)
    return np.asarray(np.log(p / (1 - p)))


def path_features(
    paths: Sequence[Path], digit_proba: Float64Array, class_proba: Float64Array
) -> tuple[float, float]:
    """What the confidence of the best path depends on; see `number_confidence`."""
    scores = np.array([path.score for path in paths])
    others = scores[1:]
    margin = scores[0] - float(np.logaddexp.reduce(others)) if len(others) else 20.0
    best = paths[0].edges
    least = min(float(log_odds(digit_proba[k] * class_proba[k, label])) for k, label in best)
    return float(np.clip(margin, -5, 20)), least


def number_confidence(margin: float, least: float) -> float:
    """Probability that a number is right as a whole."""
    z = INTERCEPT + PATH_COEF * margin + LEAST_COEF * least
    return float(1 / (1 + np.exp(-z)))
