"""A page is segmented into digits in reading order, without other marks."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.segment import segment_page, split_blob
from tests.support.drawing import (
    ONE_PIECE_DIGITS,
    PAGE_SHAPE,
    PlacedInk,
    compose_ink,
    in_a_row,
    on_paper,
    scaled_ink,
    touching_pair,
)


@pytest.fixture
def digits(test_set):
    return [test_set.images[k] for k in ONE_PIECE_DIGITS]


def picture_boxes(page) -> list[list]:
    return [[page.picture_box(blob.box) for blob in row] for row in page.rows]


def assert_box(box, placed: PlacedInk, within: float = 3) -> None:
    drawn = (placed.top, placed.bottom, placed.left, placed.right)
    np.testing.assert_allclose(box, drawn, atol=within)


def test_the_boxes_are_those_of_the_digits_from_left_to_right(digits):
    placed = in_a_row(digits[:8], 60, top=80, left=30, gap=20)
    (row,) = picture_boxes(segment_page(on_paper(compose_ink(PAGE_SHAPE, placed), grain=2)))
    for box, digit in zip(row, placed, strict=True):
        assert_box(box, digit)


def test_rows_come_from_top_to_bottom(digits):
    rows = [
        in_a_row(digits[4 * k : 4 * k + 4], 40, top=10 + 58 * k, left=40 + 90 * (k % 2), gap=25)
        for k in range(4)
    ]
    page = segment_page(on_paper(compose_ink(PAGE_SHAPE, chain.from_iterable(rows))))
    for boxes, row in zip(picture_boxes(page), rows, strict=True):
        for box, digit in zip(boxes, row, strict=True):
            assert_box(box, digit)


@pytest.mark.parametrize("rise", [-4, 4])
def test_rows_may_be_tilted(digits, rise):
    rows = [
        [
            digit._replace(top=digit.top + rise * k)
            for k, digit in enumerate(
                in_a_row(digits[8 * n : 8 * n + 8], 50, top=40 + 100 * n, left=30, gap=25)
            )
        ]
        for n in range(2)
    ]
    page = segment_page(on_paper(compose_ink(PAGE_SHAPE, chain.from_iterable(rows))))
    for boxes, row in zip(picture_boxes(page), rows, strict=True):
        for box, digit in zip(boxes, row, strict=True):
            assert_box(box, digit)


def bar(height: int, width: int) -> np.ndarray:
    return np.ones((height, width), dtype=np.float32)


@pytest.mark.parametrize(
    ("mark", "top"),
    [(bar(8, 8), 132), (bar(16, 7), 134), (bar(6, 30), 108), (bar(6, 18), 108), (bar(5, 5), 108)],
    ids=["dot", "comma", "dash", "minus", "raised dot"],
)
@pytest.mark.parametrize("before", [0, 2, 4])
def test_a_mark_is_no_digit(digits, mark, top, before):
    left = in_a_row(digits[:before], 60, top=80, left=60, gap=20)
    start = left[-1].right + 16 if left else 60
    right = in_a_row(digits[before:4], 60, top=80, left=start + mark.shape[1] + 16, gap=20)
    page = [*left, PlacedInk(mark, top, start), *right]
    (row,) = picture_boxes(segment_page(on_paper(compose_ink(PAGE_SHAPE, page))))
    for box, digit in zip(row, left + right, strict=True):
        assert_box(box, digit)


def test_dirt_is_no_digit(digits):
    placed = in_a_row(digits[:5], 60, top=80, left=60, gap=20)
    spots = [PlacedInk(bar(4, 4), row, column) for row, column in [(9, 9), (200, 300), (40, 600)]]
    (row,) = picture_boxes(segment_page(on_paper(compose_ink(PAGE_SHAPE, placed + spots))))
    assert len(row) == 5


def test_ruled_lines_are_no_digits_and_no_parts_of_them(digits):
    placed = in_a_row(digits[:8], 60, top=80, left=40, gap=20)
    coverage = compose_ink(PAGE_SHAPE, placed)
    for row in (30, 90, 150, 210):
        coverage[row : row + 2] = 1
    (row,) = picture_boxes(segment_page(on_paper(coverage)))
    for box, digit in zip(row, placed, strict=True):
        assert_box(box, digit, within=5)


def test_a_line_under_a_number_is_no_part_of_it(digits):
    placed = in_a_row(digits[:8], 60, top=80, left=40, gap=20)
    coverage = compose_ink(PAGE_SHAPE, placed)
    coverage[150:153, 30:600] = 1
    (row,) = picture_boxes(segment_page(on_paper(coverage)))
    for box, digit in zip(row, placed, strict=True):
        assert_box(box, digit)


def test_digits_next_to_a_longer_thin_bar_stay_whole(digits):
    placed = in_a_row(digits[:8], 60, top=80, left=70, gap=20)
    bar_before = PlacedInk(np.ones((100, 4), dtype=np.float32), 60, 20)
    (row,) = picture_boxes(segment_page(on_paper(compose_ink((240, 670), [bar_before, *placed]))))
    for box, digit in zip(row, [bar_before, *placed], strict=True):
        assert_box(box, digit)


@pytest.mark.parametrize("margin", [12, 30])
def test_a_frame_is_no_digit(digits, margin):
    placed = in_a_row(digits[:8], 60, top=80, left=40, gap=20)
    coverage = compose_ink(PAGE_SHAPE, placed)
    frame = np.zeros(PAGE_SHAPE, dtype=bool)
    frame[margin : PAGE_SHAPE[0] - margin, margin : PAGE_SHAPE[1] - margin] = True
    frame[margin + 4 : PAGE_SHAPE[0] - margin - 4, margin + 4 : PAGE_SHAPE[1] - margin - 4] = False
    coverage[frame] = 1
    (row,) = picture_boxes(segment_page(on_paper(coverage)))
    for box, digit in zip(row, placed, strict=True):
        assert_box(box, digit)


def test_a_5_with_a_detached_bar_is_one_blob(test_set):
    ink = scaled_ink(test_set.images[int(np.argmax(test_set.labels == 5))], 80)
    apart = ink.copy()
    rows = np.flatnonzero(apart.any(axis=1))
    apart[rows[0] + 18 : rows[0] + 22] = 0
    (row,) = segment_page(on_paper(np.pad(apart, 60))).rows
    assert len(row) == 1


@pytest.mark.parametrize("zoom", [0.25, 0.5, 3, 8])
def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(digits, zoom):
    placed = in_a_row(digits[:8], 100, top=60, left=30, gap=30)
    sheet = Image.fromarray(on_paper(compose_ink((220, 1000), placed)))
    size = round(zoom * sheet.width), round(zoom * sheet.height)
    grey = np.asarray(sheet.resize(size, Image.Resampling.BOX))
    (row,) = picture_boxes(segment_page(grey))
    for box, digit in zip(row, placed, strict=True):
        assert_box(np.array(box) / zoom, digit, within=max(5, 1.5 / zoom))


def test_boxes_end_where_the_picture_does(digits):
    ink = scaled_ink(digits[0], 1401)
    grey = on_paper(np.pad(ink, ((1000, 0), (2403 - ink.shape[1], 0))))
    (row,) = picture_boxes(segment_page(grey))
    assert row[0].bottom == grey.shape[0]
    assert row[0].right == grey.shape[1]


@pytest.mark.parametrize("shape", [(28, 28), (3, 3), (1, 400), (600, 400)])
def test_a_blank_page_is_rejected(shape):
    with pytest.raises(PictureError, match="blank picture"):
        segment_page(np.full(shape, 200, dtype=np.uint8))


@given(
    rows=st.integers(1, 30), columns=st.integers(1, 60), seed=st.integers(0, 1000), data=st.data()
)
@settings(max_examples=40, deadline=None)
def test_pictures_of_any_small_shape_are_segmented_or_rejected(rows, columns, seed, data):
    levels = data.draw(st.sampled_from([2, 256]))
    noise = np.random.default_rng(seed).integers(0, levels, (rows, columns))
    with np.errstate(all="raise"):
        try:
            page = segment_page((noise * (255 // (levels - 1))).astype(np.uint8))
        except PictureError:
            return
        for blob in chain.from_iterable(page.rows):
            assert page.render(blob).shape == (28, 28)
            box = page.picture_box(blob.box)
            assert 0 <= box.top <= box.bottom <= rows
            assert 0 <= box.left <= box.right <= columns


# --- cuts --------------------------------------------------------------------------------


def test_one_of_the_cuts_is_where_touching_digits_meet(digits):
    nearest = []
    for one, two in zip(digits[:12], digits[3:15], strict=True):
        both, _ = touching_pair(one, two)
        page = segment_page(on_paper(np.pad(both, 40)))
        (blob,) = page.rows[0]
        areas = np.array([[half.mask.sum() for half in pair] for pair in split_blob(page, blob)])
        left = scaled_ink(one, 60)
        wanted = (left > 0.5).sum() / (both > 0.5).sum()
        shares = areas[:, 0] / areas.sum(axis=1)
        nearest.append(np.abs(shares - wanted).min())
    assert np.sum(np.array(nearest) < 0.1) >= 11


def test_the_halves_of_a_cut_make_up_the_whole(digits):
    both, _ = touching_pair(digits[0], digits[1])
    page = segment_page(on_paper(np.pad(both, 40)))
    (blob,) = page.rows[0]
    cuts = split_blob(page, blob)
    assert len(cuts) > 3
    for left, right in cuts:
        whole = left.union(right)
        assert whole.box == blob.box
        np.testing.assert_array_equal(whole.mask, blob.mask)
        assert left.mask.sum() + right.mask.sum() == blob.mask.sum()


def test_all_digits_of_a_full_page_are_found(digits):
    ink = [scaled_ink(image, 16) for image in digits]
    placed = [
        PlacedInk(ink[k % len(ink)], 26 * row + 5, 28 * column + 5)
        for k, (row, column) in enumerate(np.ndindex(50, 50))
    ]
    page = segment_page(on_paper(compose_ink((1310, 1410), placed)))
    assert [len(row) for row in page.rows] == [50] * 50
