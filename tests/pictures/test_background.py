"""Ink is separated from the background, in any light and with either polarity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.background import find_ink, stroke_width
from mnist_svm.pictures.boxes import bounding_box
from mnist_svm.pictures.normalize import normalize
from tests.support.drawing import PlacedInk, compose_ink, on_paper, scaled_ink

SHAPE = (260, 340)


@pytest.fixture
def digits(test_set):
    """Ink of pages with one digit in the middle, with different shapes."""
    firsts = [int(np.argmax(test_set.labels == digit)) for digit in (0, 1, 4, 5, 7, 8)]
    return [
        compose_ink(SHAPE, [PlacedInk(scaled_ink(test_set.images[k], 120), 70, 130)])
        for k in firsts
    ]


def agreement(found: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union (P. Jaccard)."""
    return float((found & truth).sum() / (found | truth).sum())


ACROSS = np.linspace(0, 1, SHAPE[1])
DOWN = np.linspace(0, 1, SHAPE[0])[:, None]
LIGHTS = {
    "even": 1.0,
    "from the right": 0.4 + 0.6 * ACROSS,
    "from below": 0.4 + 0.6 * DOWN,
    "a lamp": np.exp(-((ACROSS - 0.3) ** 2) - (DOWN - 0.2) ** 2),
    # Its edge is a few pixels wide, like that of a hand close above the page.
    "a hard shadow across the digit": np.interp(ACROSS + 0.2 * DOWN, (0.57, 0.59), (0.55, 1.0)),
}


@pytest.mark.parametrize("grain", [0, 2])
@pytest.mark.parametrize("light", LIGHTS)
def test_strokes_are_found_in_any_light(digits, light, grain):
    for coverage in digits:
        found = find_ink(on_paper(coverage, light=LIGHTS[light], grain=grain)).mask
        assert agreement(found, coverage > 0.5) > 0.8


@pytest.mark.parametrize("light", LIGHTS)
def test_coverage_is_0_on_the_background_and_1_on_strokes(digits, light):
    for coverage in digits:
        found = find_ink(on_paper(coverage, light=LIGHTS[light])).coverage
        assert found.dtype == np.float32
        # The edge of a hard shadow resembles a thin stroke.
        assert np.quantile(found[coverage == 0], 0.97) < 0.2
        assert np.median(found[coverage == 1]) > 0.9


@pytest.mark.parametrize(("paper", "pen"), [(235, 40), (40, 235), (250, 190), (30, 90), (128, 60)])
def test_ink_may_be_darker_or_lighter(digits, paper, pen):
    for coverage in digits:
        found = find_ink(on_paper(coverage, paper=paper, pen=pen)).mask
        assert agreement(found, coverage > 0.5) > 0.8


@pytest.mark.parametrize("inverted", [False, True])
def test_a_frame_does_not_change_which_is_ink(digits, inverted):
    for coverage in digits:
        framed = coverage.copy()
        framed[:8] = framed[-8:] = 1
        framed[:, :8] = framed[:, -8:] = 1
        grey = on_paper(framed)
        found = find_ink(255 - grey if inverted else grey).mask
        assert agreement(found[20:-20, 20:-20], coverage[20:-20, 20:-20] > 0.5) > 0.8


def test_a_dark_desk_around_the_sheet_does_not_change_which_is_ink(digits):
    inside = (slice(30, -30), slice(30, -30))
    for coverage in digits:
        grey = np.full(SHAPE, 70, dtype=np.uint8)
        grey[inside] = on_paper(coverage)[inside]
        found = find_ink(grey).mask
        middle = (slice(60, -60), slice(60, -60))
        assert agreement(found[middle], coverage[middle] > 0.5) > 0.8


def test_strokes_bleached_by_glare_have_full_coverage(digits):
    glare = 0.55 * np.exp(-((ACROSS - 0.5) ** 2 + (DOWN - 0.5) ** 2) / 0.02)
    for coverage in digits:
        grey = on_paper(coverage, paper=200)
        ink = find_ink((grey + glare * (255.0 - grey)).astype(np.uint8))
        assert agreement(ink.mask, coverage > 0.5) > 0.8
        assert np.median(ink.coverage[(coverage == 1) & (glare > 0.4)]) > 0.6


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("thickness", [9, 21, 31])
def test_tightly_cropped_bold_digits_are_whole(digits, thickness, inverted):
    for coverage in digits:
        bold = ndimage.maximum_filter(coverage, thickness)
        box = bounding_box(bold > 0)
        bold = bold[box.top : box.bottom, box.left : box.right]
        grey = on_paper(bold)
        found = find_ink(255 - grey if inverted else grey).mask
        assert agreement(found, bold > 0.5) > 0.9


@pytest.mark.parametrize(
    "light", [1.0, 0.7 + 0.3 * ACROSS, 0.7 + 0.3 * DOWN, LIGHTS["from the right"], LIGHTS["a lamp"]]
)
@pytest.mark.parametrize("grain", [0, 3, 10])
def test_empty_paper_is_blank(light, grain):
    sheet = on_paper(np.zeros(SHAPE), light=light, grain=grain)
    with pytest.raises(PictureError, match="blank picture"):
        find_ink(sheet)


def test_a_dark_sheet_with_grain_is_blank():
    with pytest.raises(PictureError, match="blank picture"):
        find_ink(on_paper(np.zeros(SHAPE), paper=30, grain=10))


def test_the_faint_mask_has_lines_too_faint_for_strokes(digits):
    for coverage in digits[:3]:
        ruled = coverage.copy()
        ruled[230:232] = 0.3
        ink = find_ink(on_paper(ruled))
        assert ink.faint_mask[230:232].mean() > 0.9
        assert not ink.mask[230:232].any()


@pytest.mark.parametrize("width", [2, 5, 12])
def test_the_width_of_a_bar_is_measured(width):
    bar = np.zeros((60, 400), dtype=np.float32)
    bar[20 : 20 + width] = 1
    assert stroke_width(bar) == pytest.approx(width, rel=0.1)


@given(
    rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 1000), data=st.data()
)
@settings(deadline=None)
def test_pictures_of_any_small_shape_are_normalized_or_rejected(rows, columns, seed, data):
    levels = data.draw(st.sampled_from([2, 256]))
    noise = np.random.default_rng(seed).integers(0, levels, (rows, columns))
    with np.errstate(all="raise"):
        try:
            image = normalize((noise * (255 // (levels - 1))).astype(np.uint8))
        except PictureError:
            return
    assert image.shape == (28, 28)
    assert image.max() == 255
