"""Judging candidates together, and none twice."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm.pictures.boxes import Box
from mnist_svm.recognition.candidates import Candidate
from mnist_svm.recognition.judging import MIN_DIGIT, Judge


class Classifiers:
    """A judge of digits and a classifier that record what they were asked."""

    def __init__(self) -> None:
        self.judged: list[int] = []
        self.classified: list[int] = []

    def judge_digits(self, images, own, others):
        self.judged += images[:, 0, 0].tolist()
        # The first pixel, in hundredths, is the probability of being a digit.
        digit = images[:, 0, 0] / 100
        return np.stack([1 - digit, digit, 0 * digit], axis=1)

    def classify(self, images):
        self.classified += images[:, 0, 0].tolist()
        return np.tile([0.75, 0.25], (len(images), 1))


def candidate(mark: int, *, other: int = 0, left: int = 0) -> Candidate:
    image, own, others = np.zeros((3, 28, 28), np.uint8)
    image[0, 0], others[0, 0] = mark, other
    return Candidate(Box(0, 48, left, left + 20), image, own, others)


@pytest.fixture
def classifiers():
    return Classifiers()


@pytest.fixture
def judge(classifiers):
    return Judge(2, classifiers.classify, classifiers.judge_digits)


def test_candidates_keep_their_order(judge):
    judged = judge([candidate(90), candidate(20)], [{}, {}])
    assert [each.kinds[1] for each in judged] == [0.9, 0.2]
    assert [each.classes.tolist() for each in judged] == [[0.75, 0.25]] * 2


def test_the_same_ink_of_a_line_is_judged_once(judge, classifiers):
    known: dict = {}
    judge([candidate(90)], [known])
    (again,) = judge([candidate(90, left=3)], [known])
    assert classifiers.judged == classifiers.classified == [90]
    assert again.kinds[1] == 0.9
    assert again.candidate.box.left == 3


def test_the_same_ink_in_other_surroundings_is_judged_again(judge, classifiers):
    known: dict = {}
    judge([candidate(90)], [known])
    judge([candidate(90, other=1)], [known])
    assert classifiers.judged == [90, 90]


def test_what_is_no_digit_is_not_classified(judge, classifiers):
    assert MIN_DIGIT > 0
    sure, no_digit = judge([candidate(90), candidate(0)], [{}, {}])
    assert classifiers.judged == [90, 0]
    assert classifiers.classified == [90]
    assert sure.classes.tolist() == [0.75, 0.25]
    assert no_digit.classes.tolist() == [0.5, 0.5]


def test_nothing_is_judged_as_nothing(judge):
    assert judge([], []) == []
