"""Runs of pieces of a line as images for the classifiers."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm.pictures.boxes import Box, label_components
from mnist_svm.pictures.lines import HEIGHT, LineImage, Piece, line_image
from mnist_svm.recognition.candidates import (
    MAX_PIECES,
    Candidate,
    CentreLine,
    LinePieces,
    mnist_forms,
)
from tests.support.drawing import compose_ink, in_a_row, scaled_ink


def line_of(coverage: np.ndarray, height: float) -> LineImage:
    labels, boxes = label_components(coverage > 0.5)
    box = boxes[0]
    for other in boxes[1:]:
        box = box.union(other)
    return line_image(coverage, labels, list(range(1, len(boxes) + 1)), box, height)


def pieces_of(line: LineImage) -> LinePieces:
    wholes = [line.component_piece(k) for k in range(len(line.boxes))]
    return LinePieces(line, line.in_order(wholes))


def candidate(line: LinePieces, *run: Piece) -> Candidate:
    """The only candidate of a run."""
    (found,) = line.candidates([run])
    return found


def form_of(ink: np.ndarray) -> np.ndarray:
    (image,) = mnist_forms(ink.astype(np.float32)[None])
    return image


@pytest.fixture
def row(digits):
    """The pieces of a line of five digits, far apart."""
    placed = in_a_row(digits[:5], HEIGHT, top=40, left=40, gap=30)
    return pieces_of(line_of(compose_ink((130, 460), placed), HEIGHT))


def bars(*lefts: int, height: int = HEIGHT, width: int = 6) -> LinePieces:
    coverage = np.zeros((120, 600), np.float32)
    for left in lefts:
        coverage[40 : 40 + height, left : left + width] = 1
    return pieces_of(line_of(coverage, HEIGHT))


# --- images ------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [20, 48, 120])
def test_images_of_mnist_come_back_from_any_size(test_set, height):
    correlations = []
    for image in test_set.images[:60]:
        back = form_of(scaled_ink(image, height))
        assert back.shape == (28, 28)
        assert back.dtype == np.uint8
        correlations.append(np.corrcoef(back.ravel(), image.ravel())[0, 1])
    # The centre of mass may be rounded to the next pixel.
    assert np.median(correlations) > 0.95
    assert np.mean(np.array(correlations) > 0.85) > 0.8


def test_the_longer_side_is_20_pixels_and_the_ink_is_centred(digits):
    for image in digits:
        back = form_of(scaled_ink(image, 100)).astype(float)
        rows, columns = np.flatnonzero(back.any(axis=1)), np.flatnonzero(back.any(axis=0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        middle = [float(np.average(np.arange(28), weights=back.sum(axis=axis))) for axis in (1, 0)]
        np.testing.assert_allclose(middle, 14, atol=0.8)


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (2, 3), (400, 7)])
def test_ink_of_any_shape_has_an_image(shape):
    with np.errstate(all="raise"):
        image = form_of(np.full(shape, 0.2))
    assert image.max() == 255


def test_the_image_of_a_run_has_the_ink_of_all_its_pieces():
    line = bars(40, 50)
    both = candidate(line, *line.pieces).image
    (one,) = {candidate(line, piece).image.tobytes() for piece in line.pieces}
    assert np.count_nonzero(both.max(axis=0)) > np.count_nonzero(
        np.frombuffer(one, np.uint8).reshape(28, 28).max(axis=0)
    )


# --- places ------------------------------------------------------------------------------


def test_own_ink_is_in_the_middle_and_16_pixels_high(row):
    for piece in row.pieces:
        own = candidate(row, piece).own > 128
        rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
        assert np.ptp(rows) + 1 == pytest.approx(16, abs=2)
        assert (rows[0] + rows[-1]) / 2 == pytest.approx(13.5, abs=2)
        assert (columns[0] + columns[-1]) / 2 == pytest.approx(13.5, abs=2)


def test_other_ink_is_that_of_the_neighbours():
    line = bars(40, 70, 100)
    places = [np.flatnonzero(candidate(line, p).others.any(axis=0)) for p in line.pieces]
    assert places[0].min() > 14
    assert places[1].min() < 10 < 18 < places[1].max()
    assert places[2].max() < 14


def test_a_part_of_a_digit_is_where_it_is_in_its_line():
    line = bars(40, 80, 120)
    coverage = np.zeros((120, 600), np.float32)
    for left in (40, 80, 120):
        coverage[40:88, left : left + 6] = 1
    coverage[82:88, 150:156] = 1
    line = pieces_of(line_of(coverage, HEIGHT))
    point = candidate(line, line.pieces[-1])
    rows = np.flatnonzero(point.own.any(axis=1))
    assert rows.min() > 18
    # In its own image, it is as large as a digit.
    assert np.count_nonzero(point.image.any(axis=1)) == 20


def test_the_centre_of_a_sloping_line_is_followed():
    boxes = [Box(10 + 5 * k, 58 + 5 * k, 40 * k, 40 * k + 20) for k in range(8)]
    centre = CentreLine(boxes)
    for box in boxes:
        assert centre.row((box.left + box.right) / 2) == pytest.approx(box.top + 24, abs=1)


# --- runs --------------------------------------------------------------------------------


def test_runs_have_neighbouring_pieces_only():
    line = bars(40, 52, 120)
    assert line.runs == [(0, 1), (0, 2), (1, 2), (2, 3)]


def test_a_run_is_not_wider_than_a_digit():
    line = bars(*range(40, 40 + 12 * 16, 12))
    for start, stop in line.runs:
        width = line.pieces[stop - 1].box.right - line.pieces[start].box.left
        assert stop - start <= MAX_PIECES
        assert width <= 1.6 * HEIGHT


def test_a_speck_alone_is_no_run():
    coverage = np.zeros((120, 300), np.float32)
    coverage[40:88, 40:46] = coverage[60:66, 60:66] = 1
    line = pieces_of(line_of(coverage, HEIGHT))
    assert (1, 2) not in line.runs


def test_pieces_far_above_each_other_are_no_run():
    coverage = np.zeros((160, 300), np.float32)
    coverage[20:68, 40:46] = coverage[100:148, 40:46] = 1
    line = pieces_of(line_of(coverage, HEIGHT))
    assert line.runs == [(0, 1), (1, 2)]


def test_the_centre_line_of_nothing_is_a_number():
    assert CentreLine([]).row(3.0) == 0
