"""Pictures of which several images are made, for the classifier to choose from."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import bounding_box
from mnist_svm.pictures.normalize import normalize, normalize_candidates
from mnist_svm.pictures.polarity import plausible_polarities
from tests.support.drawing import on_paper, scaled_ink

N_DIGITS = 10


def cropped(image: np.ndarray, side: int, bold: int) -> np.ndarray:
    """Ink of a digit, 0 to 1, of a height in pixels, cropped to it: it touches all four sides."""
    ink = Image.fromarray(ndimage.maximum_filter(scaled_ink(image, 120), bold))
    size = round(side * ink.width / ink.height), side
    small = np.asarray(ink.resize(size, Image.Resampling.BOX)).clip(0, 1)
    return small[bounding_box(small > 0.6).window]


@pytest.fixture(scope="module")
def firsts(test_set):
    """The first image of each digit but 1, which fills a crop."""
    digits = [digit for digit in range(10) if digit != 1]
    return test_set.images[[int(np.argmax(test_set.labels == digit)) for digit in digits]]


# --- polarity ----------------------------------------------------------------------------


@pytest.mark.parametrize("paper", [235, 20])
@pytest.mark.parametrize("side", [16, 28, 60, 200])
@pytest.mark.parametrize("bold", [1, 15])
def test_a_tight_crop_has_an_image_of_either_polarity(firsts, paper, side, bold):
    for image in firsts:
        grey = on_paper(cropped(image, side, bold), paper=paper, pen=255 - paper)
        polarities = plausible_polarities(grey)
        assert sorted(polarities) == [False, True]
        inverted = plausible_polarities(255 - grey)
        assert inverted == tuple(not is_dark for is_dark in polarities)


@pytest.mark.parametrize("side", [16, 28, 60, 200])
def test_candidates_of_a_tight_crop_include_the_digit(small_model, test_set, side):
    images, labels = test_set.images[:N_DIGITS], test_set.labels[:N_DIGITS]
    for paper in (235, 20):
        n_right = 0
        for image, label in zip(images, labels, strict=True):
            grey = on_paper(cropped(image, side, 9), paper=paper, pen=255 - paper)
            candidates = normalize_candidates(grey)
            n_right += label in small_model.pipeline.predict(candidates.reshape(-1, 784))
        assert n_right >= N_DIGITS - 1


@pytest.mark.parametrize("paper", [235, 20])
def test_a_digit_with_a_margin_has_one_image(firsts, paper):
    for image in firsts:
        for side in (40, 90, 160):
            ink = np.pad(scaled_ink(image, side // 2), side // 4)
            assert len(normalize_candidates(on_paper(ink, paper=paper, pen=255 - paper))) == 1


def test_an_image_in_mnist_form_is_the_only_candidate(test_set):
    for image in test_set.images[:100]:
        np.testing.assert_array_equal(normalize_candidates(image), image[np.newaxis])


def test_the_first_candidate_is_the_normalized_image(firsts):
    for image in firsts:
        grey = on_paper(cropped(image, 40, 9))
        np.testing.assert_array_equal(normalize(grey), normalize_candidates(grey)[0])


# --- strokes that the border cuts off -----------------------------------------------------


def two_strokes(height: int, *, to_the_border: bool) -> np.ndarray:
    """An open 4 of two strokes, of which the longer one may reach the lower border."""
    ink = np.zeros((100, 90), dtype=np.float32)
    ink[15:55, 20:26] = ink[50:56, 20:50] = ink[20 : 100 if to_the_border else 90, 55:62] = 1
    size = round(0.9 * height), height
    return on_paper(np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX)))


@pytest.mark.parametrize("height", [30, 60, 100, 200])
def test_a_stroke_cut_off_by_the_border_is_in_the_second_image(height):
    without, whole = normalize_candidates(two_strokes(height, to_the_border=True))
    assert ndimage.label(without > 128, np.ones((3, 3)))[1] == 1
    assert ndimage.label(whole > 128, np.ones((3, 3)))[1] == 2


@pytest.mark.parametrize("height", [30, 60, 100, 200])
def test_two_strokes_inside_the_picture_are_one_digit(height):
    (image,) = normalize_candidates(two_strokes(height, to_the_border=False))
    assert ndimage.label(image > 128, np.ones((3, 3)))[1] == 2


def one_with_pieces(height: int, *, gap: int) -> np.ndarray:
    """A 1 that the lower border cuts off, and a piece at the right border, a gap apart."""
    ink = np.zeros((100, 60), dtype=np.float32)
    ink[10:, 20:30] = ink[30:70, 30 + gap :] = 1
    ink = ink[:, : 40 + gap]
    size = round(ink.shape[1] * height / 100), height
    return on_paper(np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX)))


@pytest.mark.parametrize("height", [30, 60, 100, 200])
def test_a_piece_that_the_border_cuts_off_is_not_in_the_last_image(height):
    whole, without = normalize_candidates(one_with_pieces(height, gap=12))
    assert ndimage.label(whole > 128, np.ones((3, 3)))[1] == 2
    assert ndimage.label(without > 128, np.ones((3, 3)))[1] == 1


def test_a_piece_at_a_broken_stroke_stays():
    (image,) = normalize_candidates(one_with_pieces(200, gap=3))
    assert ndimage.label(image > 0, np.ones((3, 3)))[1] == 1


# --- faint pencil in small pictures -------------------------------------------------------


def pencil_ring(side: int, faintest: float, contrast: float) -> np.ndarray:
    """A circle whose line fades to a fraction of its contrast at the right, a pixel wide."""
    i, j = np.indices((4 * side, 4 * side)) / (4 * side) - 0.5
    line = np.abs(np.hypot(i, j) - 0.3) < 0.55 / side
    pressure = np.interp(j, (-0.3, 0.3), (1, faintest))
    ink = Image.fromarray((line * pressure).astype(np.float32))
    small = np.asarray(ink.resize((side, side), Image.Resampling.BOX))
    return on_paper(small / small.max(), paper=250, pen=250 - contrast)


@pytest.mark.parametrize("side", [28, 40, 60])
@pytest.mark.parametrize(("faintest", "contrast"), [(1, 25), (0.5, 60), (0.35, 150)])
def test_a_faint_ring_stays_closed(side, faintest, contrast):
    image = normalize(pencil_ring(side, faintest, contrast))
    # The background, and the inside of the ring.
    assert ndimage.label(image < 100)[1] == 2


@pytest.mark.parametrize("side", [28, 40, 60])
@pytest.mark.parametrize("grain", [0.5, 2, 5])
def test_a_small_empty_picture_is_blank(side, grain):
    with pytest.raises(PictureError, match="blank picture"):
        normalize(on_paper(np.zeros((side, side)), grain=grain))
