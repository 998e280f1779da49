"""The digit on a picture is selected, and other marks are left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from mnist_svm.pictures.boxes import Box, bounding_box
from mnist_svm.pictures.strokes import may_be_several, select_digit
from tests.support.drawing import PlacedInk, compose_ink, scaled_ink

SHAPE = (300, 360)
TOP, LEFT, HEIGHT = 90, 140, 120


@pytest.fixture
def digits(test_set):
    firsts = [int(np.argmax(test_set.labels == digit)) for digit in range(10)]
    return [
        compose_ink(SHAPE, [PlacedInk(scaled_ink(test_set.images[k], HEIGHT), TOP, LEFT)]) > 0.5
        for k in firsts
    ]


def dot(row: int, column: int, side: int) -> np.ndarray:
    out = np.zeros(SHAPE, dtype=bool)
    out[row : row + side, column : column + side] = True
    return out


def frame(margin: int, thick: int) -> np.ndarray:
    out = np.zeros(SHAPE, dtype=bool)
    out[margin : SHAPE[0] - margin, margin : SHAPE[1] - margin] = True
    inner = margin + thick
    out[inner : SHAPE[0] - inner, inner : SHAPE[1] - inner] = False
    return out


def rulings(gap: int, thick: int = 2) -> np.ndarray:
    rows = np.arange(SHAPE[0]) % gap < thick
    return np.repeat(rows[:, None], SHAPE[1], axis=1)


CLUTTER = {
    "nothing": np.zeros(SHAPE, dtype=bool),
    "specks": dot(20, 30, 4) | dot(100, 100, 4) | dot(270, 300, 5) | dot(150, 330, 3),
    "a blob in the far corner": dot(5, 5, 20),
    "a frame": frame(20, 3),
    "a frame along the edge": frame(0, 4),
    "a strip of desk on the left": np.arange(SHAPE[1]) < np.full((SHAPE[0], 1), 30),
    "a desk around the sheet": ~np.pad(np.ones((240, 320), dtype=bool), ((30, 30), (20, 20))),
}


@pytest.mark.parametrize("clutter", CLUTTER)
def test_clutter_around_the_digit_is_dropped(digits, clutter):
    for digit in digits:
        page = digit | CLUTTER[clutter]
        np.testing.assert_array_equal(select_digit(page, page), digit)


@pytest.mark.parametrize("gap", [35, 50, 80])
def test_ruled_lines_are_dropped_without_much_of_the_digit(digits, gap):
    for digit in digits:
        page = digit | rulings(gap)
        found = select_digit(page, page)
        assert (found & digit).sum() > 0.85 * digit.sum()
        assert (found & ~digit).sum() < 0.05 * digit.sum()


def test_squared_paper_is_dropped(digits):
    columns = np.arange(SHAPE[1]) % 60 < 2
    squares = rulings(60) | columns
    for digit in digits:
        page = digit | squares
        found = select_digit(page, page)
        assert (found & digit).sum() > 0.8 * digit.sum()
        assert (found & ~digit).sum() < 0.05 * digit.sum()


def test_faint_lines_are_found_in_the_faint_mask(digits):
    for digit in digits:
        # Only parts of the line near the digit are above the threshold.
        bits = np.zeros(SHAPE, dtype=bool)
        bits[160:162, LEFT - 30 : LEFT + 130] = True
        found = select_digit(digit | bits, digit | rulings(80))
        assert bounding_box(found).width < bounding_box(digit).width + 20


@pytest.mark.parametrize("gap", [2, 8, 20])
def test_the_parts_of_a_broken_digit_are_joined(digits, gap):
    middle = TOP + HEIGHT // 2
    for digit in digits:
        broken = digit.copy()
        broken[middle - gap // 2 : middle + gap // 2] = False
        np.testing.assert_array_equal(select_digit(broken, broken), broken)


def test_the_larger_of_two_distant_digits_is_selected(digits, test_set):
    small = PlacedInk(scaled_ink(test_set.images[0], 40), 10, 10)
    for digit in digits:
        page = digit | (compose_ink(SHAPE, [small]) > 0.5)
        np.testing.assert_array_equal(select_digit(page, page), digit)


def test_a_neighbour_cut_off_by_the_border_is_left_out(digits, test_set):
    zero = scaled_ink(test_set.images[3], 140) > 0.5
    cut = np.zeros(SHAPE, dtype=bool)
    cut[80:220, :40] = zero[:, -40:]
    for digit in digits:
        page = digit | cut
        np.testing.assert_array_equal(select_digit(page, page), digit)


def test_a_digit_cut_off_by_the_border_is_selected_if_it_is_the_only_one(digits):
    for digit in digits:
        cut = digit[TOP + 8 :]
        if ndimage.label(cut, structure=np.ones((3, 3)))[1] > 1:
            continue
        np.testing.assert_array_equal(select_digit(cut, cut), cut)


def test_the_bounding_box_excludes_its_end():
    mask = np.zeros((9, 12), dtype=bool)
    mask[2, 7] = mask[5, 3] = True
    assert bounding_box(mask) == Box(top=2, bottom=6, left=3, right=8)


sides = st.tuples(*[st.integers(0, 30)] * 4).map(
    lambda n: Box(n[0], n[0] + n[1] + 1, n[2], n[2] + n[3] + 1)
)


@given(one=sides, other=sides)
def test_boxes_overlap_where_the_gap_is_negative(one, other):
    both = np.zeros((2, 64, 64), dtype=bool)
    for k, box in enumerate((one, other)):
        both[k, box.top : box.bottom, box.left : box.right] = True
    overlap = both.all(axis=0).any()
    assert overlap == (max(one.gaps(other)) < 0)
    assert one.union(other) == bounding_box(both.any(axis=0))


@pytest.mark.parametrize("side", [10, 16])
@pytest.mark.parametrize("left", [-30, None])
def test_a_full_stop_before_or_behind_the_digit_is_left_out(digits, side, left):
    for digit in digits:
        box = bounding_box(digit)
        column = box.left + left if left else box.right + 14
        page = digit | dot(box.bottom - side, column, side)
        np.testing.assert_array_equal(select_digit(page, page), digit)


def test_the_bar_of_a_5_is_no_full_stop(digits):
    five = digits[5]
    box = bounding_box(five)
    bar = np.zeros(SHAPE, dtype=bool)
    bar[box.top + 4 : box.top + 14, box.right + 12 : box.right + 40] = True
    np.testing.assert_array_equal(select_digit(five | bar, five | bar), five | bar)


def test_a_neighbours_piece_at_the_border_is_left_out_of_a_digit_that_is_cut_off_too(digits):
    for digit in digits:
        if ndimage.label(digit, structure=np.ones((3, 3)))[1] > 1:
            continue
        box = bounding_box(digit)
        page = np.zeros((box.height + 40, box.width + 30), dtype=bool)
        page[20:-20, : box.width] = digit[box.window]
        piece = np.zeros_like(page)
        piece[60:110, -6:] = True
        np.testing.assert_array_equal(select_digit(page | piece), page)


# --- several digits -----------------------------------------------------------------------


def side_by_side(first: np.ndarray, second: np.ndarray, gap: int) -> np.ndarray:
    left, right = bounding_box(first), bounding_box(second)
    page = np.zeros((SHAPE[0], left.width + gap + right.width + 80), dtype=bool)
    page[:, 40 : 40 + left.width] = first[:, left.left : left.right]
    page[:, -40 - right.width : -40] = second[:, right.left : right.right]
    return page


@pytest.mark.parametrize("gap", [6, 20, 100])
def test_two_digits_side_by_side_may_be_several(digits, gap):
    for first, second in zip(digits, digits[1:] + digits[:1]):
        page = side_by_side(first, second, gap)
        assert may_be_several(select_digit(page), page, page.astype(np.float32))


def test_two_digits_that_fill_the_picture_may_be_several(digits):
    for first, second in zip(digits, digits[1:] + digits[:1]):
        page = side_by_side(first, second, 6)
        page = page[bounding_box(page).window]
        assert may_be_several(select_digit(page), page, page.astype(np.float32))


def test_strokes_that_faint_ink_connects_are_not_several(digits):
    page = np.zeros(SHAPE, dtype=bool)
    page[40:140, 60:68] = page[50:160, 100:108] = True
    assert may_be_several(page, page, page.astype(np.float32))
    coverage = page.astype(np.float32)
    coverage[110:118, 68:100] = 0.15
    assert not may_be_several(page, page, coverage)


def test_a_shadow_beside_a_digit_is_not_another(digits):
    for digit in digits:
        coverage = digit.astype(np.float32)
        coverage[20:-20, -40:-20] = 0.25
        assert not may_be_several(digit, digit, coverage)


def test_one_digit_is_not_several(digits):
    for digit in digits:
        box = bounding_box(digit)
        marks = {
            "none": digit,
            "full stop": digit | dot(box.bottom - 14, box.right + 14, 14),
            "line": digit | (np.arange(SHAPE[1]) // 3 == 100),
            "part at the border": digit | (np.arange(SHAPE[1]) > SHAPE[1] - 20),
        }
        for name, page in marks.items():
            assert not may_be_several(digit, page, page.astype(np.float32)), name
