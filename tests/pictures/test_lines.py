"""A line of writing has one size and pen, and its ink is cut into pieces."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm.pictures.background import stroke_width
from mnist_svm.pictures.boxes import label_components
from mnist_svm.pictures.lines import HEIGHT, MARGIN, MAX_PEN, MIN_PEN, LineImage, line_image
from tests.support.drawing import (
    ONE_PIECE_DIGITS,
    PlacedInk,
    compose_ink,
    in_a_row,
    touching_pair,
)


@pytest.fixture
def digits(test_set):
    return [test_set.images[k] for k in ONE_PIECE_DIGITS]


def line_of(coverage: np.ndarray, height: float, numbers: list[int] | None = None) -> LineImage:
    """The line of some components of a page, of all by default."""
    labels, boxes = label_components(coverage > 0.5)
    numbers = list(range(1, len(boxes) + 1)) if numbers is None else numbers
    box = boxes[numbers[0] - 1]
    for number in numbers[1:]:
        box = box.union(boxes[number - 1])
    return line_image(coverage, labels, numbers, box, height)


def in_line(digits, height: int) -> tuple[np.ndarray, list[PlacedInk]]:
    placed = in_a_row(digits[:6], height, top=height, left=height, gap=height // 3)
    return compose_ink((3 * height, 8 * height), placed), placed


@pytest.mark.parametrize("height", [16, 48, 150])
def test_digits_of_any_height_get_the_usual_height(digits, height):
    coverage, placed = in_line(digits, height)
    line = line_of(coverage, height)
    assert line.scale == pytest.approx(HEIGHT / height)
    assert len(line.boxes) == len(placed)
    for box in line.boxes:
        assert box.height == pytest.approx(HEIGHT, abs=6)


@pytest.mark.parametrize("height", [16, 48, 150])
def test_boxes_of_the_page_come_back(digits, height):
    coverage, placed = in_line(digits, height)
    line = line_of(coverage, height)
    # The outline may move with the pen, and by the grid of the smaller image.
    within = 2 + 3 / line.scale
    for box, part in zip(
        sorted((line.page_box(box) for box in line.boxes), key=lambda box: box.left),
        placed,
        strict=True,
    ):
        drawn = part.top, part.bottom, part.left, part.right
        np.testing.assert_allclose(box, drawn, atol=within)


def test_boxes_do_not_begin_outside_of_the_page(digits):
    placed = in_a_row(digits[:3], 30, top=0, left=0, gap=10)
    line = line_of(compose_ink((40, 160), placed), 30)
    for box in line.boxes:
        page = line.page_box(box)
        assert min(page.top, page.left) >= 0


@pytest.mark.parametrize("pen", [1, 3, 9, 16])
def test_pens_become_those_of_mnist(pen):
    coverage = np.zeros((140, 260), np.float32)
    for left in (40, 90, 140, 190):
        coverage[40:100, left : left + pen] = 1
        coverage[95 - pen // 2 : 100, left : left + 25] = 1
    line = line_of(coverage, 60)
    assert MIN_PEN <= line.pen <= MAX_PEN
    # Thick strokes get thinner by a part of their width at most.
    width = stroke_width(line.coverage) / HEIGHT
    assert 0.7 * MIN_PEN <= width <= 1.35 * MAX_PEN


def test_ink_of_other_components_is_left_out(digits):
    coverage, placed = in_line(digits, 48)
    other = PlacedInk(np.ones((6, 6), np.float32), 60, placed[0].right + 5)
    with_other = compose_ink(coverage.shape, [*placed, other])
    _, boxes = label_components(with_other > 0.5)
    numbers = [k for k, box in enumerate(boxes, start=1) if box.height > 20]
    line = line_of(with_other, 48, numbers)
    alone = line_of(coverage, 48)
    assert len(line.boxes) == len(placed)
    np.testing.assert_allclose(line.coverage, alone.coverage, atol=0.02)


def test_there_is_a_margin_around_the_ink(digits):
    line = line_of(in_line(digits, 48)[0], 48)
    for edge in (line.coverage[:MARGIN], line.coverage[-MARGIN:], line.coverage[:, :MARGIN]):
        assert edge.max() < 0.5


@pytest.mark.parametrize("slant", [-0.3, 0.0, 0.3, 0.6])
def test_the_slant_is_that_of_the_strokes(slant):
    coverage = np.zeros((140, 320), np.float32)
    for row in range(40, 100):
        for left in range(80, 280, 40):
            start = round(left + slant * (70 - row))
            coverage[row, start : start + 6] = 1
    assert line_of(coverage, 60).slant == pytest.approx(slant, abs=0.15)


def test_the_pieces_of_a_component_have_all_of_its_ink(digits):
    both, _ = touching_pair(digits[0], digits[1], 60)
    line = line_of(np.pad(both, 40), 60)
    whole = line.component_piece(0)
    for pieces in line.cut(whole, 3):
        assert len(pieces) > 1
        total = np.zeros_like(line.coverage)
        for piece in pieces:
            assert piece.component == 0
            total[piece.box.window] += piece.ink
        # Without its faintest edge.
        inside = line.labels == 1
        np.testing.assert_allclose(total[inside], line.coverage[inside], atol=0.051)
        assert not total[~inside].any()


def test_pieces_between_the_same_seams_are_one_object(digits):
    both, _ = touching_pair(digits[0], digits[1], 60)
    line = line_of(np.pad(both, 40), 60)
    whole = line.component_piece(0)
    first, *others = line.cut(whole, 3)
    assert line.cut(whole, 1) == [first]
    assert any(set(pieces) & set(first) for pieces in others)


def test_touching_digits_are_more_than_one_piece(digits):
    for one, two in zip(digits[:6], digits[6:12], strict=True):
        both, _ = touching_pair(one, two, 60)
        line = line_of(np.pad(both, 40), 60)
        (whole,) = [line.component_piece(k) for k in range(len(line.boxes))]
        assert len(line.cut(whole)[0]) >= 2


def test_pieces_are_in_the_order_of_their_middles(digits):
    line = line_of(in_line(digits, 48)[0], 48)
    pieces = [line.component_piece(k) for k in range(len(line.boxes))]
    ordered = line.in_order(pieces[::-1])
    lefts = [piece.box.left for piece in ordered]
    assert lefts == sorted(lefts)
