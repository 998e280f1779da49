"""Components of ink are grouped into lines."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.rows import MAX_COMPONENTS, Row, group_rows, usual_height


def digit(top: int, left: int, height: int = 40, width: int = 24) -> Box:
    return Box(top, top + height, left, left + width)


def group(boxes: list[Box], *, is_line: bool = False) -> list[list[int]]:
    areas = np.array([box.height * box.width for box in boxes])
    return [row.members for row in group_rows(boxes, areas, is_line=is_line)]


def test_nothing_is_in_no_line():
    assert group([]) == []


def test_components_beside_each_other_are_a_line_from_left_to_right():
    assert group([digit(0, 80), digit(5, 0), digit(-5, 40)]) == [[1, 2, 0]]


def test_components_above_each_other_are_lines_from_top_to_bottom():
    assert group([digit(60, 0), digit(0, 0), digit(120, 5)]) == [[1], [0], [2]]


def test_a_line_may_slope():
    assert group([digit(12 * k, 40 * k) for k in range(8)]) == [list(range(8))]


@pytest.mark.parametrize(("gap", "n_lines"), [(30, 1), (90, 2)])
def test_a_line_ends_at_a_wide_gap(gap, n_lines):
    assert len(group([digit(0, 0), digit(0, 30), digit(0, 54 + gap)])) == n_lines


def test_a_wide_gap_between_cells_of_a_comb_separates_no_numbers():
    boxes = [digit(0, 100 * k) for k in range(4)]
    areas = np.array([box.height * box.width for box in boxes])
    combs = [[Box(-10, 50, 100 * k - 20, 100 * k + 45) for k in range(3)]]
    rows = group_rows(boxes, areas, combs=combs)
    assert [row.members for row in rows] == [[0, 1, 2], [3]]


def test_a_single_line_has_neither_gaps_nor_steps():
    boxes = [digit(0, 0), digit(30, 200), digit(60, 400)]
    assert group(boxes, is_line=True) == [[0, 1, 2]]


MARKS = {
    "point": (Box(34, 40, 26, 32), True),
    "comma": (Box(34, 46, 27, 32), True),
    "dash": (Box(18, 23, 30, 50), True),
    "above the line": (Box(-30, -22, 26, 40), False),
    "far to the right": (Box(34, 40, 140, 146), False),
    "below the line": (Box(60, 66, 26, 40), False),
}


@pytest.mark.parametrize("kind", MARKS)
def test_a_mark_near_a_line_belongs_to_it(kind):
    mark, belongs = MARKS[kind]
    (members,) = group([digit(0, 0), digit(0, 60), mark])
    assert (2 in members) is belongs


def test_a_mark_belongs_to_the_nearer_of_two_lines():
    boxes = [digit(0, 0), digit(55, 0), Box(85, 92, 30, 36)]
    assert group(boxes) == [[0], [1, 2]]


@pytest.mark.parametrize(
    "box", [Box(36, 38, 26, 28), Box(-60, 100, 26, 40)], ids=["speck", "too high"]
)
def test_what_is_no_part_of_a_line_is_dropped(box):
    assert group([digit(0, 0), digit(0, 60), digit(0, 90), box]) == [[0, 1, 2]]


def test_a_bar_above_the_rest_of_a_digit_belongs_to_its_line():
    # A 5 of two parts that have no pixel row in common.
    for bottom in (14, 10, 4):
        assert group([digit(14, 0, height=54, width=52), Box(bottom - 18, bottom, 26, 69)]) == [
            [0, 1]
        ]


def test_a_row_of_small_digits_is_a_line_of_its_own():
    small = [digit(46, 26 * k, height=18, width=11) for k in range(4)]
    assert group([*(digit(0, 26 * k) for k in range(4)), *small]) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_marks_may_be_beside_marks():
    marks = [Box(34, 40, 54, 60), Box(34, 40, 84, 90), Box(34, 40, 114, 120)]
    assert group([digit(0, 0), digit(0, 28), *marks]) == [[0, 1, 2, 3, 4]]


def test_the_height_of_a_line_is_that_of_its_digits():
    boxes = [digit(0, 0), digit(2, 30), digit(1, 60, height=44), Box(34, 40, 88, 94)]
    areas = np.array([box.height * box.width for box in boxes])
    (row,) = group_rows(boxes, areas)
    assert row.height == pytest.approx(40, abs=4)


def test_the_usual_height_is_that_of_the_component_with_the_middle_pixel():
    assert usual_height(np.array([5, 40, 42, 6]), np.array([10, 500, 500, 10])) in (40, 42)
    assert usual_height(np.array([5] * 50 + [40]), np.array([10] * 50 + [600])) == 40


def test_the_largest_components_of_noise_are_kept():
    boxes = [digit(0, 4 * k, width=3) for k in range(MAX_COMPONENTS + 10)]
    boxes[7] = boxes[7]._replace(right=boxes[7].left + 2)
    kept = {k for members in group(boxes) for k in members}
    assert len(kept) == MAX_COMPONENTS
    assert 7 not in kept


CELLS = [Box(-10, 50, 100 * k - 20, 100 * k + 45) for k in range(4)]


def group_in_cells(boxes: list[Box]) -> list[Row]:
    areas = np.array([box.height * box.width for box in boxes])
    return group_rows(boxes, areas, combs=[CELLS])


@pytest.mark.parametrize(
    ("second", "singles"),
    [
        (digit(0, 100), {0, 1, 2}),
        (digit(0, 85, width=58), {0, 2}),
        (Box(0, 3, 100, 103), {0, 2}),
    ],
    ids=["digit", "wide enough for two", "speck"],
)
def test_what_is_alone_in_a_cell_is_one_digit_at_most(second, singles):
    (row,) = group_in_cells([digit(0, 0), second, digit(0, 200)])
    places = {row.members.index(k) for k in singles}
    assert row.singles == places


def test_two_in_a_cell_are_not_single():
    (row,) = group_in_cells([digit(0, 0), digit(0, 95), digit(0, 122), digit(0, 200)])
    assert {row.members[place] for place in row.singles} == {0, 3}


def test_digits_that_stray_in_the_cells_of_a_comb_are_one_number():
    boxes = [digit(-10, 0), digit(15, 100), digit(-10, 200), digit(8, 300)]
    (row,) = group_in_cells(boxes)
    assert sorted(row.members) == [0, 1, 2, 3]
