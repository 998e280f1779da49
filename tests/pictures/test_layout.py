"""The lines of writing on a page are found in reading order, with the marks that belong to them."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.layout import Layout, find_layout
from mnist_svm.pictures.rows import MAX_COMPONENTS, MIN_TALL
from tests.support.drawing import (
    ONE_PIECE_DIGITS,
    PAGE_SHAPE,
    PlacedInk,
    compose_ink,
    in_a_row,
    on_paper,
    scaled_ink,
)


@pytest.fixture
def digits(test_set):
    return [test_set.images[k] for k in ONE_PIECE_DIGITS]


def digit_boxes(layout: Layout) -> list[list]:
    """Boxes of the components that are as high as digits, line by line, from left to right."""
    return [
        sorted(
            (layout.picture_box(box) for box in boxes if box.height >= MIN_TALL * row.height),
            key=lambda box: box.left,
        )
        for row in layout.rows
        for boxes in [[layout.boxes[k] for k in row.members]]
    ]


def assert_box(box, placed: PlacedInk, within: float = 3) -> None:
    drawn = (placed.top, placed.bottom, placed.left, placed.right)
    np.testing.assert_allclose(box, drawn, atol=within)


def assert_lines(grey: np.ndarray, *lines: list[PlacedInk], within: float = 3) -> None:
    found = digit_boxes(find_layout(grey))
    assert [len(boxes) for boxes in found] == [len(line) for line in lines]
    for boxes, line in zip(found, lines, strict=True):
        for box, digit in zip(boxes, line, strict=True):
            assert_box(box, digit, within)


def bar(height: int, width: int) -> np.ndarray:
    return np.ones((height, width), dtype=np.float32)


# --- lines -------------------------------------------------------------------------------


def test_the_boxes_are_those_of_the_digits_from_left_to_right(digits):
    placed = in_a_row(digits[:8], 60, top=80, left=30, gap=20)
    assert_lines(on_paper(compose_ink(PAGE_SHAPE, placed), grain=2), placed)


def test_lines_come_from_top_to_bottom(digits):
    lines = [
        in_a_row(digits[4 * k : 4 * k + 4], 40, top=10 + 58 * k, left=40 + 90 * (k % 2), gap=25)
        for k in range(4)
    ]
    assert_lines(on_paper(compose_ink(PAGE_SHAPE, chain.from_iterable(lines))), *lines)


@pytest.mark.parametrize("rise", [-4, 4])
def test_lines_may_be_tilted(digits, rise):
    lines = [
        [
            digit._replace(top=digit.top + rise * k)
            for k, digit in enumerate(
                in_a_row(digits[8 * n : 8 * n + 8], 50, top=40 + 100 * n, left=30, gap=25)
            )
        ]
        for n in range(2)
    ]
    assert_lines(on_paper(compose_ink(PAGE_SHAPE, chain.from_iterable(lines))), *lines)


def test_a_wide_gap_separates_two_numbers(digits):
    left = in_a_row(digits[:3], 60, top=80, left=30, gap=20)
    right = in_a_row(digits[3:6], 60, top=80, left=left[-1].right + 120, gap=20)
    assert_lines(on_paper(compose_ink(PAGE_SHAPE, left + right)), left, right)


def test_a_single_line_has_no_parts(digits):
    left = in_a_row(digits[:3], 60, top=60, left=30, gap=20)
    right = in_a_row(digits[3:6], 60, top=130, left=left[-1].right + 120, gap=20)
    layout = find_layout(on_paper(compose_ink(PAGE_SHAPE, left + right)), is_line=True)
    assert [len(boxes) for boxes in digit_boxes(layout)] == [6]


def test_all_digits_of_a_full_page_are_found(digits):
    ink = [scaled_ink(image, 16) for image in digits]
    placed = [
        PlacedInk(ink[k % len(ink)], 26 * row + 5, 28 * column + 5)
        for k, (row, column) in enumerate(np.ndindex(50, 50))
    ]
    layout = find_layout(on_paper(compose_ink((1310, 1410), placed)))
    # Components that are not as high as half a digit are parts of others.
    assert [len(row.members) for row in layout.rows] == [50] * 50


def test_a_5_with_a_detached_bar_is_one_line(test_set):
    ink = scaled_ink(test_set.images[int(np.argmax(test_set.labels == 5))], 80)
    for gap in (4, 8, 12):
        apart = ink.copy()
        apart[18 : 18 + gap] = 0
        (row,) = find_layout(on_paper(np.pad(apart, 60))).rows
        assert len(row.members) == 2


# --- other ink ---------------------------------------------------------------------------


MARKS = {
    "dot": (bar(8, 8), 132),
    "comma": (bar(16, 7), 134),
    "dash": (bar(6, 30), 108),
    "minus": (bar(6, 18), 108),
    "raised dot": (bar(7, 7), 108),
}


@pytest.mark.parametrize("kind", MARKS)
@pytest.mark.parametrize("before", [1, 2, 4])
def test_a_mark_belongs_to_its_line(digits, kind, before):
    mark, top = MARKS[kind]
    left = in_a_row(digits[:before], 60, top=80, left=60, gap=20)
    start = left[-1].right + 16
    right = in_a_row(digits[before:4], 60, top=80, left=start + mark.shape[1] + 16, gap=20)
    placed = PlacedInk(mark, top, start)
    layout = find_layout(on_paper(compose_ink(PAGE_SHAPE, [*left, placed, *right])))
    (row,) = layout.rows
    assert len(row.members) == 5
    assert row.height == pytest.approx(60, abs=3)
    (smallest,) = [box for box in map(layout.boxes.__getitem__, row.members) if box.height < 20]
    assert_box(layout.picture_box(smallest), placed)


def test_specks_belong_to_no_line(digits):
    placed = in_a_row(digits[:5], 60, top=80, left=60, gap=20)
    spots = [PlacedInk(bar(4, 4), row, column) for row, column in [(9, 9), (200, 300), (40, 600)]]
    layout = find_layout(on_paper(compose_ink(PAGE_SHAPE, placed + spots)))
    assert [len(row.members) for row in layout.rows] == [5]


@pytest.mark.parametrize("rows", [(30, 90, 150, 210), (143,)], ids=["lines", "one line"])
def test_ruled_lines_are_taken_out(digits, rows):
    placed = in_a_row(digits[:8], 60, top=80, left=40, gap=20)
    coverage = compose_ink(PAGE_SHAPE, placed)
    for row in rows:
        coverage[row : row + 2] = 1
    assert_lines(on_paper(coverage), placed, within=5)


def test_a_line_under_a_number_is_taken_out(digits):
    placed = in_a_row(digits[:8], 60, top=80, left=40, gap=20)
    coverage = compose_ink(PAGE_SHAPE, placed)
    coverage[150:153, 30:600] = 1
    assert_lines(on_paper(coverage), placed)


@pytest.mark.parametrize("margin", [12, 30])
def test_a_frame_is_taken_out(digits, margin):
    placed = in_a_row(digits[:8], 60, top=80, left=40, gap=20)
    coverage = compose_ink(PAGE_SHAPE, placed)
    frame = np.zeros(PAGE_SHAPE, dtype=bool)
    frame[margin : PAGE_SHAPE[0] - margin, margin : PAGE_SHAPE[1] - margin] = True
    frame[margin + 4 : PAGE_SHAPE[0] - margin - 4, margin + 4 : PAGE_SHAPE[1] - margin - 4] = False
    coverage[frame] = 1
    assert_lines(on_paper(coverage), placed)


def test_a_desk_at_a_side_is_no_line(digits):
    placed = in_a_row(digits[:6], 60, top=80, left=120, gap=20)
    coverage = compose_ink(PAGE_SHAPE, placed)
    coverage[:, :40] = 1
    assert_lines(on_paper(coverage), placed)


# --- sizes -------------------------------------------------------------------------------


@pytest.mark.parametrize("zoom", [0.25, 0.5, 3, 8])
def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(digits, zoom):
    placed = in_a_row(digits[:8], 100, top=60, left=30, gap=30)
    sheet = Image.fromarray(on_paper(compose_ink((220, 1000), placed)))
    size = round(zoom * sheet.width), round(zoom * sheet.height)
    grey = np.asarray(sheet.resize(size, Image.Resampling.BOX))
    (row,) = digit_boxes(find_layout(grey))
    for box, digit in zip(row, placed, strict=True):
        assert_box(np.array(box) / zoom, digit, within=max(5, 1.5 / zoom))


def test_boxes_end_where_the_picture_does(digits):
    ink = scaled_ink(digits[0], 1401)
    grey = on_paper(np.pad(ink, ((1000, 0), (2403 - ink.shape[1], 0))))
    (row,) = digit_boxes(find_layout(grey))
    assert row[0].bottom == grey.shape[0]
    assert row[0].right == grey.shape[1]


@pytest.mark.parametrize("shape", [(28, 28), (3, 3), (1, 400), (600, 400)])
def test_a_blank_page_is_refused(shape):
    with pytest.raises(PictureError, match="blank picture"):
        find_layout(np.full(shape, 200, dtype=np.uint8))


@given(
    rows=st.integers(1, 30), columns=st.integers(1, 60), seed=st.integers(0, 1000), data=st.data()
)
@settings(max_examples=40, deadline=None)
def test_pictures_of_any_small_shape_have_lines_or_are_refused(rows, columns, seed, data):
    levels = data.draw(st.sampled_from([2, 256]))
    noise = np.random.default_rng(seed).integers(0, levels, (rows, columns))
    with np.errstate(all="raise"):
        try:
            layout = find_layout((noise * (255 // (levels - 1))).astype(np.uint8))
        except PictureError:
            return
        for row in layout.rows:
            line = layout.line(row)
            assert 0 <= line.coverage.min() <= line.coverage.max() <= 1
            for k in row.members:
                box = layout.picture_box(layout.boxes[k])
                assert 0 <= box.top <= box.bottom <= rows
                assert 0 <= box.left <= box.right <= columns


def test_the_work_on_noise_is_bounded():
    dots = np.random.default_rng(0).random((1000, 1000)) < 0.1
    layout = find_layout(np.where(dots, 0, 255).astype(np.uint8))
    assert len(layout.boxes) > MAX_COMPONENTS
    assert sum(len(row.members) for row in layout.rows) <= MAX_COMPONENTS
