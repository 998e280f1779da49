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


def assert_taken_out(digits: np.ndarray, lines: np.ndarray, stays: float = 0.97) -> None:
    """Nearly all of the lines goes, nearly all of the digits stays."""
    mask = digits | lines
    rest = mask & ~find_rulings(mask, mask).lines
    assert (rest & lines & ~digits).sum() <= 0.05 * lines.sum()
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
