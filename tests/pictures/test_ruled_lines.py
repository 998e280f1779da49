"""Ruled lines are distinguished from strokes."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm.pictures.ruled_lines import find_horizontal_lines
from tests.support.drawing import scaled_ink

SHAPE = (200, 300)


def line(row: float, tilt: float, thick: int = 2, shape=SHAPE, ends=(0, 0)) -> np.ndarray:
    """A line that starts in a row and descends by `tilt` degrees."""
    i, j = np.indices(shape)
    above = i - row - np.tan(np.deg2rad(tilt)) * j
    return (above >= 0) & (above < thick) & (j >= ends[0]) & (j < shape[1] - ends[1])


def digit_at(image, row: int, column: int, height: int = 80) -> np.ndarray:
    out = np.zeros(SHAPE, dtype=bool)
    ink = scaled_ink(image, height) > 0.5
    out[row : row + height, column : column + ink.shape[1]] = ink
    return out


@pytest.fixture
def one_of_each(test_set):
    return [test_set.images[int(np.argmax(test_set.labels == digit))] for digit in range(10)]


@pytest.mark.parametrize("tilt", [-5, -2, -0.4, 0, 1, 3, 6])
@pytest.mark.parametrize("thick", [1, 2, 5])
def test_a_line_across_the_page_is_found_at_any_small_tilt(tilt, thick):
    drawn = line(100, tilt, thick)
    (found,) = find_horizontal_lines(drawn)
    assert (found & drawn).sum() > 0.97 * drawn.sum()


def test_all_lines_are_found_from_top_to_bottom():
    found = find_horizontal_lines(
        np.logical_or.reduce([line(row, 0.6) for row in (20, 60, 100, 140)])
    )
    tops = [int(each.any(axis=1).argmax()) for each in found]
    assert tops == [20, 60, 100, 140]


def test_no_line_is_found_in_digits(one_of_each):
    for image in one_of_each:
        assert find_horizontal_lines(digit_at(image, 60, 120)) == []
        assert find_horizontal_lines(digit_at(image, 60, 120).T) == []


def test_a_tall_1_and_the_bar_of_a_large_7_are_no_lines(test_set):
    for label in (1, 7):
        for image in test_set.images[test_set.labels == label][:40]:
            ink = scaled_ink(image, 180) > 0.5
            tight = np.pad(ink, 12)
            assert find_horizontal_lines(tight) == []
            assert find_horizontal_lines(tight.T) == []


def test_a_stroke_that_crosses_a_line_stays_whole(test_set):
    for image in test_set.images[test_set.labels == 1][:20]:
        digit = digit_at(image, 60, 120)
        drawn = line(100, 1)
        (found,) = find_horizontal_lines(digit | drawn)
        rest = (digit | drawn) & ~found
        assert (rest & digit).sum() > 0.9 * digit.sum()


def test_a_broken_line_is_found():
    drawn = line(100, 0)
    drawn[:, ::4] = False
    (found,) = find_horizontal_lines(drawn)
    assert (found & drawn).sum() > 0.97 * drawn.sum()


def test_one_line_that_ends_inside_is_a_stroke_and_two_are_a_frame():
    one, two = (line(row, 0, ends=(30, 30)) for row in (40, 160))
    assert find_horizontal_lines(one) == []
    assert len(find_horizontal_lines(one | two)) == 2


def test_a_broad_bar_is_no_line():
    assert find_horizontal_lines(line(60, 0, thick=60)) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (15, 900), (16, 16), (3, 3)])
@pytest.mark.parametrize("value", [False, True])
def test_full_and_empty_masks_of_any_shape_are_accepted(shape, value):
    for found in find_horizontal_lines(np.full(shape, value)):
        assert found.shape == shape
