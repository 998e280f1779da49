"""Greatest and least values in windows are those of scipy.ndimage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mnist_svm.pictures.filters import VALUES_PER_BLOCK, close_line, closing, maximum_filter

SHAPES = [(1, 1), (1, 40), (40, 1), (30, 47), (300, 420)]
SIZES = [1, 3, 5, 9, 31, 101]


def random_image(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_the_greatest_values_are_those_of_scipy(shape, size):
    image = random_image(shape)
    expected = ndimage.maximum_filter(image, size, mode="nearest")
    np.testing.assert_array_equal(maximum_filter(image, size), expected)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_a_closing_is_that_of_scipy(shape, size):
    image = random_image(shape)
    expected = ndimage.grey_closing(image, size=(size, size), mode="nearest")
    found = closing(image, size)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32


@pytest.mark.parametrize("size", SIZES)
def test_the_closing_of_a_line_is_that_of_scipy(size):
    values = random_image((1, 60))[0]
    expected = ndimage.grey_closing(values, size, mode="nearest")
    np.testing.assert_array_equal(close_line(values, size), expected)


def test_a_mask_grows():
    mask = np.zeros((9, 9), dtype=bool)
    mask[4, 4] = True
    grown = maximum_filter(mask, 3)
    assert grown.dtype == bool
    assert np.argwhere(grown).tolist() == [[i, j] for i in (3, 4, 5) for j in (3, 4, 5)]


def test_images_of_several_blocks_are_filtered_too():
    image = random_image((700, 90))
    assert image.size > VALUES_PER_BLOCK
    expected = ndimage.maximum_filter(image, 7, mode="nearest")
    np.testing.assert_array_equal(maximum_filter(image, 7), expected)
