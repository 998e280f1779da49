"""The box around a digit is left out, whatever its size, and digits of straight strokes are not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.frames import remove_frames
from mnist_svm.pictures.normalize import normalize
from mnist_svm.recognition.recognizer import Recognizer
from tests.support.drawing import scaled_ink
from tests.support.guises.cells import (
    GAPS,
    MARGINS,
    Cell,
    draw_in_cell,
    print_cell,
    random_cell,
)

CELLS = {
    "close": Cell(gap=8, margin=40),
    "far": Cell(gap=30, margin=40),
    "at the border": Cell(gap=12, margin=2),
    "thin": Cell(gap=12, margin=20, line=1),
    "thick": Cell(gap=12, margin=20, line=5),
    "wide": Cell(gap=10, margin=20, wider=60),
    "high": Cell(gap=10, margin=20, higher=40),
    "rounded": Cell(gap=12, margin=20, corner=10),
    "turned": Cell(gap=12, margin=20, turn=4),
    "double": Cell(gap=12, margin=20, is_double=True),
    "open at the top": Cell(gap=12, margin=20, open_side=0),
    "open at the right": Cell(gap=12, margin=20, open_side=1),
}


@pytest.fixture
def one_of_each(test_set):
    return [test_set.images[int(np.argmax(test_set.labels == digit))] for digit in range(10)]


@pytest.mark.parametrize("kind", CELLS)
def test_a_box_is_left_out_and_the_digit_is_kept_to_the_pixel(one_of_each, kind):
    for image in one_of_each:
        strokes, lines = (cover > 128 for cover in draw_in_cell(image, CELLS[kind]))
        np.testing.assert_array_equal(remove_frames(strokes | lines), strokes)


@pytest.mark.parametrize("shrunk", [{"higher": -24}, {"wider": -24}, {"higher": -25}])
def test_a_digit_that_touches_its_box_is_kept(one_of_each, shrunk):
    cell = Cell(gap=12, margin=40, **shrunk)
    for image in one_of_each:
        strokes, lines = (cover > 128 for cover in draw_in_cell(image, cell))
        found = remove_frames(strokes | lines)
        assert (found & strokes).sum() > 0.75 * strokes.sum()
        assert (found & ~strokes).sum() < 0.1 * strokes.sum()


def test_no_digit_is_taken_for_a_box(test_set):
    for image in test_set.images[:300]:
        ink = np.pad(scaled_ink(image, 90) > 0.5, 10)
        np.testing.assert_array_equal(remove_frames(ink), ink)


SQUARE_DIGITS = {
    "0": [(10, 10, 60, 90)],
    "0 with a speck": [(10, 10, 60, 90), (33, 48, 37, 52)],
    "8 of two boxes": [(10, 10, 60, 50), (10, 46, 60, 90)],
    "8 with a middle bar": [(10, 10, 60, 90), (10, 48, 60, 52)],
}


@pytest.mark.parametrize("digit", SQUARE_DIGITS)
@pytest.mark.parametrize("pen", [2, 4, 8])
def test_a_digit_of_straight_strokes_is_no_box(digit, pen):
    image = Image.new("1", (80, 100))
    for box in SQUARE_DIGITS[digit]:
        ImageDraw.Draw(image).rectangle(box, outline=1, width=pen)
    mask = np.asarray(image)
    np.testing.assert_array_equal(remove_frames(mask), mask)


def test_an_empty_box_is_no_box():
    mask = np.zeros((80, 80), dtype=bool)
    mask[10:70, 10:70] = True
    mask[13:67, 13:67] = False
    np.testing.assert_array_equal(remove_frames(mask), mask)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (20, 20), (3, 3)])
@pytest.mark.parametrize("value", [False, True])
def test_full_and_empty_masks_of_any_shape_are_accepted(shape, value):
    mask = np.full(shape, value)
    np.testing.assert_array_equal(remove_frames(mask), mask)


def test_only_the_digit_of_the_box_is_drawn(one_of_each):
    for image in one_of_each:
        strokes, lines = draw_in_cell(image, Cell(gap=12, margin=40))
        bare, boxed = (normalize(255 - cover) for cover in (strokes, np.maximum(strokes, lines)))
        assert np.abs(bare.astype(int) - boxed).mean() < 8


@pytest.mark.slow
@pytest.mark.parametrize("height", [30, 60, 120])
def test_digits_in_boxes_are_read_over_the_grid_of_gaps_and_margins(train_set, height):
    images, labels, truth = train_set.images[50_000:], train_set.labels[50_000:], []
    normalized = []
    for index, (gap, margin) in enumerate((gap, margin) for gap in GAPS for margin in MARGINS):
        rng = np.random.default_rng([height, index])
        for k in range(3 * index, 3 * index + 3):
            cell = random_cell(rng, gap=gap, margin=margin, height=height)
            file = print_cell(*draw_in_cell(images[k], cell, height=height), rng)
            normalized.append(normalize(decode(io.BytesIO(file)).grey))
            truth.append(labels[k])
    predicted = Recognizer.load().classify(np.stack(normalized)).labels
    assert np.mean(predicted == truth) > 0.95
