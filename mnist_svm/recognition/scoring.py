"""Scores of the digits in a line, and the confidence of a number.

A line is read by the path of the highest score. For each digit, the score adds the log odds of
being a digit and the log probability of its class; for ink that is passed over, a penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from mnist_svm._types import BoolArray, Float64Array
from mnist_svm.recognition.lattice import Path

# Area of a point, in strokes as long as a digit is high: as much ink is passed over freely.
POINT_AREA = 0.1

# Probabilities are clipped at these distances from 0 and 1.
MIN_DIGIT_PROBA, MIN_CLASS_PROBA, MIN_OTHER_PROBA = 1e-4, 1e-5, 1e-3

# Confidence of a number, by logistic regression: the constant, and the coefficients of what
# `Evidence` holds; of a single reading, and of one that several agree on or not. They are fitted by
# `python -m tools.number_confidence`.
SINGLE = (-0.34, 0.53, -0.34, 0.41, 0.27, -1.43)
ELECTED = (-2.03, 0.48, 0.97, 0.42, 0.38, -2.51)
# Bounds of the margin, of which the lower is that of a tie of several.
MAX_MARGIN, MIN_MARGIN = 20.0, -5.0
# Log odds whose exponential is not computed beyond.
MAX_LOG_ODDS = 50.0


@dataclass(frozen=True)
class Evidence:
    """What the confidence of a number depends on.

    Attributes
    ----------
    margin : logarithm of its odds to all other numbers found.
    n_readings : number of readings of the line.
    agreement : share of them whose best number it is.
    least_digit : least log odds of one of its digits: of being a digit, and of this class.
    least_class : least log odds of the class of one of its digits.
    passed : ink passed over that may be digits, in strokes as long as a digit is high.
    """

    margin: float
    n_readings: int
    agreement: float
    least_digit: float
    least_class: float
    passed: float

    @property
    def confidence(self) -> float:
        """Probability that the number is right as a whole."""
        coef = SINGLE if self.n_readings == 1 else ELECTED
        z = sum(weight * value for weight, value in zip(coef, self.values, strict=True))
        return 1 / (1 + exp(-max(z, -MAX_LOG_ODDS)))

    @property
    def values(self) -> tuple[float, ...]:
        """What is weighted in the confidence; the first is the constant."""
        return (
            *(1.0, self.margin, self.agreement),
            *(self.least_digit, self.least_class, self.passed),
        )


@dataclass(frozen=True)
class Weights:
    """Weights of what the score of a path adds up.

    They are fitted by `python -m tools.line_weights`; then `cut` was lowered from -1 to -1.8,
    because on pages fewer digits touch than on the lines that it draws.

    Attributes
    ----------
    digit : of the log odds of being a digit.
    label : of the log probability of a digit's class.
    certainty : of the log probability of its most probable class.
    each : of each digit.
    cut : of a digit that was cut from other ink.
    beside : of a cut between a digit and ink that is passed over.
    area : of ink that is passed over, in strokes as long as a digit is high, beyond a point.
    other : of the log probability that a piece that is passed over is other ink.
    passed : of each piece that is passed over.
    """

    digit: float
    label: float
    certainty: float
    each: float
    cut: float
    beside: float
    area: float
    other: float
    passed: float


WEIGHTS = Weights(1.09, 1.39, 2.44, 1.14, -1.8, -1.27, -0.69, 0.74, 0.12)


def digit_scores(
    digit_proba: Float64Array,
    class_proba: Float64Array,
    is_cut: BoolArray,
    weights: Weights = WEIGHTS,
) -> Float64Array:
    """Score of each candidate and class, of shape (n, k).

    `digit_proba`, of shape (n,), is the probability of being a digit; `class_proba`, of shape
    (n, k), that of each class if it is one; `is_cut` is whether it was cut from other ink.
    """
    by_class = np.log(np.clip(class_proba, MIN_CLASS_PROBA, 1))
    by_digit = weights.each + weights.cut * is_cut + weights.digit * log_odds(digit_proba)
    by_digit += weights.certainty * by_class.max(axis=1)
    return np.asarray(by_digit[:, None] + weights.label * by_class)


def skip_scores(
    areas: Float64Array, is_other: Float64Array, weights: Weights = WEIGHTS
) -> Float64Array:
    """Score of passing over each piece, of shape (n,).

    `areas` are in strokes as long as a digit is high; `is_other` is the probability of being other
    ink than digits'.
    """
    by_area = weights.area * np.maximum(areas - POINT_AREA, 0)
    by_kind = weights.other * np.log(np.maximum(is_other, MIN_OTHER_PROBA))
    return np.asarray(weights.passed + by_area + by_kind)


def cut_scores(is_cut: Sequence[bool], weights: Weights = WEIGHTS) -> list[float]:
    """Score of the cut before each piece, if it is one, beside a digit and ink passed over."""
    return [weights.beside if cut else 0.0 for cut in is_cut]


def log_odds(proba: Float64Array) -> Float64Array:
    """Logarithm of p / (1 - p), clipped."""
    p = np.clip(proba, MIN_DIGIT_PROBA, 1 - MIN_DIGIT_PROBA)
    return np.asarray(np.log(p / (1 - p)))


def path_margin(paths: Sequence[Path]) -> float:
    """Logarithm of the odds of the first path to all others."""
    others = [path.score for path in paths[1:]]
    margin = paths[0].score - float(np.logaddexp.reduce(others)) if others else MAX_MARGIN
    return float(np.clip(margin, MIN_MARGIN, MAX_MARGIN))
