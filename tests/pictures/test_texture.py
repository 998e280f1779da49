"""Ink is separated from a printed pattern."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.texture import find_textured_ink, otsu_threshold
from tests.support.drawing import ONE_PIECE_DIGITS, compose_ink, in_a_row

SHAPE = (120, 360)


def lines(rows, columns):
    return np.cos(2 * np.pi * (rows + 0.4 * columns) / 7) ** 2


def waves(rows, columns):
    return np.cos(2 * np.pi * (rows + 5 * np.sin(columns / 12)) / 8) ** 4


def net(rows, columns):
    return np.maximum(lines(rows, columns), lines(columns, rows))


def dots(rows, columns):
    return np.maximum(0, np.cos(2 * np.pi * rows / 6) * np.cos(2 * np.pi * columns / 6))


PATTERNS = [lines, waves, net, dots]


@pytest.fixture
def ink(test_set):
    digits = [test_set.images[k] for k in ONE_PIECE_DIGITS[:6]]
    return compose_ink(SHAPE, in_a_row(digits, 64, top=28, left=20, gap=12))


def printed(ink: np.ndarray, pattern, *, depth: float = 0.3) -> np.ndarray:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    darkness = np.maximum(0.85 * ink, depth * pattern(rows, columns))
    grain = np.random.default_rng(0).normal(0, 3, SHAPE)
    return np.clip(230 * (1 - darkness) + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_strokes_are_found_and_the_pattern_is_not(ink, pattern):
    found = find_textured_ink(printed(ink, pattern), True).mask
    near = ndimage.binary_dilation(ink > 0.5, iterations=2)
    assert found[ink > 0.9].mean() > 0.95
    assert found[~near].mean() < 0.002


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_light_ink_on_a_dark_pattern_is_found_alike(ink, pattern):
    grey = printed(ink, pattern)
    dark, light = find_textured_ink(grey, True), find_textured_ink(255 - grey, False)
    np.testing.assert_array_equal(dark.mask, light.mask)


def test_coverage_is_that_of_the_strokes(ink):
    coverage = find_textured_ink(printed(ink, waves), True).coverage
    assert 0 <= coverage.min() <= coverage.max() <= 1
    solid = ndimage.binary_erosion(ink > 0.9, iterations=1)
    assert np.median(coverage[solid]) > 0.9
    assert np.median(coverage[ndimage.binary_dilation(ink > 0, iterations=5) == 0]) < 0.1


def test_a_shadow_does_not_hide_strokes(ink):
    light = np.linspace(1, 0.5, SHAPE[1])
    found = find_textured_ink((printed(ink, lines) * light).astype(np.uint8), True).mask
    assert found[ink > 0.9].mean() > 0.95


def test_paper_alone_is_blank():
    grain = np.random.default_rng(0).normal(200, 2, SHAPE).astype(np.uint8)
    with pytest.raises(PictureError, match="blank picture"):
        find_textured_ink(grain, True)


def test_the_threshold_is_between_two_groups():
    rng = np.random.default_rng(0)
    low, high = rng.normal(0.1, 0.03, 5000), rng.normal(0.7, 0.05, 500)
    threshold = otsu_threshold(np.concatenate([low, high]).astype(np.float32))
    assert np.mean(low < threshold) > 0.99
    assert high.min() > threshold


def test_values_that_are_all_alike_have_a_threshold():
    with np.errstate(all="raise"):
        assert np.isfinite(otsu_threshold(np.full(10, 0.3, np.float32)))
