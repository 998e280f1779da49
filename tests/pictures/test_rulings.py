"""Rulings are found by the scale of the writing, and strokes that cross them stay."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mnist_svm.pictures.rulings import find_rulings
from tests.support.drawing import ONE_PIECE_DIGITS, compose_ink, in_a_row, scaled_ink

SHAPE = (240, 640)


@pytest.fixture
def digits(test_set):
    return [test_set.images[k] for k in ONE_PIECE_DIGITS]


def written(images, shape=SHAPE, top=80, left=60, gap=24) -> np.ndarray:
    """A mask of digits in a row, 60 pixels high."""
    return compose_ink(shape, in_a_row(images, 60, top=top, left=left, gap=gap)) > 0.5


def lines_at(shape, rows=(), columns=(), within=None, thick=2) -> np.ndarray:
    """A mask of horizontal and vertical lines, within (top, bottom, left, right)."""
    top, bottom, left, right = within or (0, shape[0], 0, shape[1])
    mask = np.zeros(shape, dtype=bool)
    for row in rows:
        mask[row : row + thick, left:right] = True
    for column in columns:
        mask[top:bottom, column : column + thick] = True
    return mask


def turned(mask: np.ndarray, degrees: float) -> np.ndarray:
    image = Image.fromarray((255 * mask).astype(np.uint8))
    return np.asarray(image.rotate(degrees, Image.Resampling.BICUBIC)) > 127


def assert_taken_out(
    digits: np.ndarray, lines: np.ndarray, *, stays: float = 0.97, left: float = 0.05
) -> None:
    """Nearly all of the lines goes, nearly all of the digits stays."""
    mask = digits | lines
    rest = mask & ~find_rulings(mask, mask).lines
    assert (rest & lines & ~digits).sum() <= left * lines.sum()
    assert (rest & digits).sum() >= stays * digits.sum()


BOX = (60, 160, 40, 600)
LINES = {
    "box": lines_at(SHAPE, (60, 158), (40, 598), BOX),
    "base line": lines_at(SHAPE, (146,)),
    "line through the digits": lines_at(SHAPE, (110,)),
    "ruled paper": lines_at(SHAPE, (30, 90, 150, 210)),
    "margin": lines_at(SHAPE, (), (40,)),
    "box that a digit crosses": lines_at(SHAPE, (60, 132), (40, 598), (60, 134, 40, 600)),
}


@pytest.mark.parametrize("lines", LINES.values(), ids=LINES.keys())
@pytest.mark.parametrize("degrees", [0, 3])
def test_lines_go_and_digits_stay(digits, lines, degrees):
    assert_taken_out(written(digits[:6]), turned(lines, degrees), stays=0.93)


@pytest.mark.parametrize("label", range(10))
def test_nothing_of_a_number_on_plain_paper_goes(test_set, label):
    of_label = test_set.images[test_set.labels == label]
    for k in range(0, 42, 7):
        mask = written(of_label[k : k + 7], shape=(240, 700))
        assert not find_rulings(mask, mask).lines.any()


def test_ones_and_zeros_are_no_comb_and_no_ring(test_set):
    ones, zeros = (test_set.images[test_set.labels == label] for label in (1, 0))
    for k in range(20):
        for images in ((ones[k], zeros[k], ones[k + 1]), ones[k : k + 4], zeros[k : k + 3]):
            mask = written(images)
            assert not find_rulings(mask, mask).lines.any()


def test_a_speck_in_a_zero_does_not_make_it_a_ring(test_set):
    zero = scaled_ink(test_set.images[int(np.argmax(test_set.labels == 0))], 80) > 0.5
    mask = np.pad(zero, 60)
    middle = mask.shape[0] // 2, mask.shape[1] // 2
    mask[middle[0] - 3 : middle[0] + 3, middle[1] - 3 : middle[1] + 3] = True
    assert not find_rulings(mask, mask).lines.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (15, 900), (16, 16)])
@pytest.mark.parametrize("value", [False, True])
def test_full_and_empty_masks_of_any_shape_are_accepted(shape, value):
    mask = np.full(shape, value)
    assert find_rulings(mask, mask).lines.shape == shape


# --- lines and strokes that touch ----------------------------------------------------------


def in_cells(images, pitch=92, left=40, height=60, top=80) -> np.ndarray:
    """A mask of digits in the middle of cells."""
    mask = np.zeros(SHAPE, dtype=bool)
    for k, image in enumerate(images):
        ink = scaled_ink(image, height) > 0.5
        start = left + round((k + 0.5) * pitch - ink.shape[1] / 2)
        mask[top : top + ink.shape[0], start : start + ink.shape[1]] |= ink
    return mask


COMB = lines_at(SHAPE, (60, 158), tuple(range(40, 593, 92)), (60, 160, 40, 594))


@pytest.mark.parametrize("place", [222, 226])
@pytest.mark.parametrize("row", [60, 130])
def test_a_divider_of_a_comb_is_taken_out_where_a_stroke_hides_an_end_of_it(digits, place, row):
    written_in = in_cells(digits[:6])
    written_in[row : row + 40, place : place + 10] = True
    assert_taken_out(written_in, COMB, left=0.025)


@pytest.mark.parametrize("thick", [2, 3, 4])
def test_a_stroke_from_one_divider_to_the_next_stays(digits, thick):
    written_in = in_cells(digits[:6])
    written_in[78 : 78 + thick, 135:223] = True
    assert_taken_out(written_in, COMB)


@pytest.mark.parametrize("thick", [6, 8])
@pytest.mark.parametrize(("wide", "pitch"), [(1.4, 50), (1.6, 40), (1.6, 50), (2, 60), (2, 70)])
def test_the_tops_of_zeros_in_a_row_are_no_line(wide, pitch, thick):
    rows, columns = np.indices(SHAPE)
    mask = np.zeros(SHAPE, dtype=bool)
    for k in range(4):
        off = np.hypot((columns - 100 - pitch * k) / wide, rows - 80)
        mask |= np.abs(off - 18) < thick / 2
    assert not find_rulings(mask, mask).lines.any()


FINE = {
    "base line on digits": lines_at(SHAPE, (138,), thick=3),
    "base line through digits": lines_at(SHAPE, (130,), thick=3),
    "upper line": lines_at(SHAPE, (82,), thick=3),
    "both": lines_at(SHAPE, (82, 130), thick=3),
}


@pytest.mark.parametrize("lines", FINE.values(), ids=FINE.keys())
@pytest.mark.parametrize("width", [200, 420])
def test_fine_lines_that_touch_the_digits_of_a_crop_go(digits, lines, width):
    around = slice(66, 150), slice(40, 40 + width)
    # What is left is beside the digits that it touches.
    assert_taken_out(written(digits[:6])[around], lines[around], left=0.15)


def test_a_stroke_from_line_to_line_is_no_side_of_a_frame(digits):
    lines = lines_at(SHAPE, (60, 158))
    written_in = written(digits[:4], left=160)
    rows, columns = np.indices(SHAPE)
    stroke = np.abs(columns - 110 + (rows - 110) * 0.3) < 4
    stroke &= (rows >= 60) & (rows < 160)
    written_in |= stroke | np.roll(stroke, 440, axis=1)
    assert_taken_out(written_in, lines)


def test_a_one_that_nearly_reaches_the_sides_of_its_box_stays(digits):
    one = np.zeros(SHAPE, dtype=bool)
    one[70:150, 565:569] = True
    assert_taken_out(in_cells(digits[:5]) | one, COMB)


@pytest.mark.parametrize("sway", [0, 0.02])
def test_a_drawn_ring_is_taken_out(digits, sway):
    angles = np.linspace(0, 2 * np.pi, 4000)
    radius = 1 + sway * np.sin(3 * angles)
    lines = np.zeros((300, 700), dtype=bool)
    for off in np.linspace(-1.5, 1.5, 7):
        rows = 150 + (110 * radius + off) * np.sin(angles)
        lines[
            np.rint(rows).astype(int),
            np.rint(350 + (300 * radius + off) * np.cos(angles)).astype(int),
        ] = True
    assert_taken_out(written(digits[:4], (300, 700), top=120, left=190), lines)


# --- cells for digits ----------------------------------------------------------------------

BOXES = np.logical_or.reduce(
    [lines_at(SHAPE, (60, 158), (k, k + 68), (60, 160, k, k + 70)) for k in range(40, 580, 92)]
)
UNDERSCORES = np.logical_or.reduce(
    [lines_at(SHAPE, (150,), (), (0, 0, k, k + 68)) for k in range(40, 580, 92)]
)
CELLS = {
    "comb": (COMB, 94, 6),
    "comb, half of it blank": (COMB, 94, 3),
    "boxes": (BOXES, 70, 6),
    "underscores": (UNDERSCORES, 70, 6),
    "underscores, half of them blank": (UNDERSCORES, 70, 3),
}


@pytest.mark.parametrize(("lines", "width", "n_written"), CELLS.values(), ids=CELLS.keys())
def test_cells_at_one_pitch_are_those_of_one_number(digits, lines, width, n_written):
    mask = lines | in_cells(digits[:n_written], left=28 if width == 70 else 40)
    (cells,) = find_rulings(mask, mask).combs
    assert [round((box.left - 40) / 92, 1) for box in cells] == list(range(6))
    assert all(abs(box.width - width) <= 4 for box in cells)
    assert all(box.top <= 80 and 140 <= box.bottom <= 160 for box in cells)


def test_lines_that_are_no_cells_are_no_comb(digits):
    for lines in LINES.values():
        mask = written(digits[:6]) | lines
        assert find_rulings(mask, mask).combs == []


# --- tables ------------------------------------------------------------------------------

TABLE = (700, 760)


def table(n_rows: int, n_columns: int, *, is_open: bool = False) -> np.ndarray:
    """Lines of a table with cells of 66 x 72 pixels; an open one has no outer border."""
    rows = [40 + 66 * k for k in range(n_rows + 1)]
    columns = [50 + 72 * k for k in range(n_columns + 1)]
    within = rows[0], rows[-1] + 2, columns[0], columns[-1] + 2
    if is_open:
        rows, columns = rows[1:-1], columns[1:-1]
    return lines_at(TABLE, rows, columns, within)


def filled_in(digits, lines: np.ndarray, cells) -> np.ndarray:
    mask = lines.copy()
    for k, (row, column) in enumerate(cells):
        ink = scaled_ink(digits[k % len(digits)], 36) > 0.5
        top, left = 40 + 66 * row + 16, 50 + 72 * column + 20
        mask[top : top + ink.shape[0], left : left + ink.shape[1]] |= ink
    return mask


@pytest.mark.parametrize("degrees", [0, 2, -5])
@pytest.mark.parametrize("size", [(9, 9), (4, 2), (2, 6)])
@pytest.mark.parametrize("is_open", [False, True])
def test_the_cells_of_a_table_are_found(digits, degrees, size, is_open):
    cells = [cell for k, cell in enumerate(np.ndindex(size)) if k % 3 != 1]
    mask = turned(filled_in(digits, table(*size, is_open=is_open), cells), degrees)
    (grid,) = find_rulings(mask, mask).grids
    assert (grid.n_rows, grid.n_columns) == size
    assert [cell[:2] for cell in grid.cells] == list(np.ndindex(size))
    angle = np.deg2rad(degrees)
    middle = np.array(TABLE) / 2
    for row, column, box in grid.cells:
        down, right = np.array([40 + 66 * (row + 0.5), 50 + 72 * (column + 0.5)]) - middle
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        expected = middle + turn @ (down, right)
        centre = (box.top + box.bottom) / 2, (box.left + box.right) / 2
        np.testing.assert_allclose(centre, expected, atol=6)
        assert abs(box.height - 66) <= 8
        assert abs(box.width - 72) <= 8


def test_two_tables_are_found_from_top_to_bottom(digits):
    upper, lower = table(2, 3), np.roll(table(4, 5), 300, axis=0)
    cells = list(np.ndindex(2, 3))
    mask = filled_in(digits, upper, cells) | np.roll(filled_in(digits, table(4, 5), cells), 300, 0)
    mask |= lower
    sizes = [(grid.n_rows, grid.n_columns) for grid in find_rulings(mask, mask).grids]
    assert sizes == [(2, 3), (4, 5)]


def test_a_comb_ruled_paper_and_squared_paper_are_no_tables(digits):
    number = written(digits[:6])
    comb = lines_at(SHAPE, (66, 154), range(50, 560, 84), (66, 156, 50, 556))
    ruled = lines_at(SHAPE, range(20, 240, 40))
    squared = lines_at(SHAPE, range(10, 240, 30), range(5, 640, 30), thick=1)
    for lines in (comb, ruled, squared):
        mask = number | lines
        assert find_rulings(mask, mask).grids == []
