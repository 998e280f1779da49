"""Moments and deskewing, compared with slow loops over the definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from mnist_svm import Deskew
from mnist_svm.features.deskew import MAX_REMAINING_SHEAR, MIN_VERTICAL_SPREAD, deskew
from mnist_svm.features.moments import image_moments


def slow_moments(image):
    """Return total, centroid and second central moments, by the definition."""
    height, width = image.shape
    pixels = [(i, j, float(image[i, j])) for i in range(height) for j in range(width)]
    total = sum(w for _, _, w in pixels)
    mu_i = sum(w * i for i, _, w in pixels) / total
    mu_j = sum(w * j for _, j, w in pixels) / total
    s_ii = sum(w * (i - mu_i) ** 2 for i, _, w in pixels) / total
    s_ij = sum(w * (i - mu_i) * (j - mu_j) for i, j, w in pixels) / total
    s_jj = sum(w * (j - mu_j) ** 2 for _, j, w in pixels) / total
    return total, mu_i, mu_j, s_ii, s_ij, s_jj


def slow_sample(image, row, column):
    """Return the bilinear sample at a point, zero outside the image."""
    height, width = image.shape
    i, j = math.floor(row), math.floor(column)
    value = 0.0
    for i_near, j_near in ((i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)):
        if 0 <= i_near < height and 0 <= j_near < width:
            weight = (1 - abs(row - i_near)) * (1 - abs(column - j_near))
            value += weight * float(image[i_near, j_near])
    return value


def slow_deskew(image):
    height, width = image.shape
    _, mu_i, mu_j, s_ii, s_ij, _ = slow_moments(image)
    shear = s_ij / s_ii
    c_i, c_j = (height - 1) / 2, (width - 1) / 2
    out = np.zeros(image.shape)
    for i in range(height):
        for j in range(width):
            out[i, j] = slow_sample(image, i + mu_i - c_i, j + shear * (i - c_i) + mu_j - c_j)
    return out


def test_moments_equal_the_definition_on_real_digits(train_set):
    images = train_set.images[::600]
    moments = image_moments(images)
    for k, image in enumerate(images):
        actual = [moments.m00[k], moments.mu_i[k], moments.mu_j[k]]
        actual += [moments.s_ii[k], moments.s_ij[k], moments.s_jj[k]]
        np.testing.assert_allclose(actual, slow_moments(image), rtol=1e-9, atol=1e-9)


def test_moments_of_a_blank_image_are_zero_about_the_middle():
    moments = image_moments(np.zeros((1, 28, 20)))
    assert (moments.mu_i[0], moments.mu_j[0]) == (13.5, 9.5)
    assert moments.m00[0] == moments.s_ii[0] == moments.s_ij[0] == moments.s_jj[0] == 0


def test_deskew_equals_the_slow_reference_on_200_real_images(train_set):
    images = train_set.images[::300]
    assert len(images) == 200
    # The tolerance is for pixels of 0-255.
    slow = np.stack([slow_deskew(image) for image in images])
    np.testing.assert_allclose(deskew(images), slow, atol=1e-4, rtol=0)


@pytest.mark.parametrize("split", ["train_set", "test_set"])
def test_every_real_image_is_upright_and_centred_afterwards(request, split):
    images = request.getfixturevalue(split).images
    before, after = image_moments(images), image_moments(deskew(images))
    assert (before.m00 > 0).all()
    assert np.abs(after.s_ij / before.s_ii).max() < 0.02
    assert np.abs(after.mu_i - 13.5).max() < 0.5
    assert np.abs(after.mu_j - 13.5).max() < 0.5


def test_an_image_that_still_leans_is_sampled_again(train_set):
    # Image 4153 is a flat, very slanted digit: one pass leaves a shear of 5 %, two less than 2 %.
    image = train_set.images[4153]
    _, _, _, s_ii, _, _ = slow_moments(image)
    once = slow_moments(slow_deskew(image))[4]
    twice = slow_moments(deskew(image[None])[0])[4]
    assert abs(once / s_ii) > MAX_REMAINING_SHEAR > abs(twice / s_ii)


def test_a_sheared_bar_becomes_a_vertical_one():
    image = np.zeros((28, 28), dtype=np.uint8)
    for i in range(4, 24):
        image[i, 26 - i : 28 - i] = 255
    expected = np.zeros((28, 28))
    expected[4:24, 13:15] = 255
    np.testing.assert_allclose(deskew(image[None])[0], expected, atol=1e-3)


def test_a_blank_image_stays_blank():
    assert not deskew(np.zeros((3, 28, 28), dtype=np.uint8)).any()


def test_a_flat_bar_is_centred_but_not_sheared():
    image = np.zeros((28, 28), dtype=np.uint8)
    image[3, 2:8] = 255
    image[4, 4:10] = 255
    assert image_moments(image[None]).s_ii[0] < MIN_VERTICAL_SPREAD
    upright = deskew(image[None])[0]
    moved = image_moments(upright[None])
    np.testing.assert_allclose([moved.mu_i[0], moved.mu_j[0]], [13.5, 13.5], atol=1e-5)
    assert moved.s_ij[0] == pytest.approx(image_moments(image[None]).s_ij[0], abs=1e-5)


def test_the_unit_of_the_pixels_is_kept(train_set):
    images = train_set.images[:100]
    np.testing.assert_allclose(deskew(images / 255) * 255, deskew(images), atol=1e-4)


def test_the_result_does_not_depend_on_the_batch(train_set):
    images = train_set.images[:130]
    in_batch = deskew(images)
    alone = np.concatenate([deskew(image[None]) for image in images])
    np.testing.assert_array_equal(in_batch, alone)


def test_an_empty_batch_stays_empty():
    assert deskew(np.zeros((0, 28, 28), dtype=np.uint8)).shape == (0, 28, 28)


@settings(deadline=None, max_examples=200)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    ink=st.floats(0.01, 1),
)
def test_every_image_keeps_its_shape_and_range(height, width, seed, ink):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (1, height, width)) * (rng.random((1, height, width)) < ink)
    out = deskew(image)
    assert out.shape == image.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= image.max() + 1e-3


def test_the_transformer_returns_float32_rows(train_set):
    X = train_set.X[:50]
    out = Deskew().fit_transform(X)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, deskew(train_set.images[:50]).reshape(50, 784))


@pytest.mark.parametrize(("pixels", "shape"), [(784, (28, 28)), (64, (8, 8)), (10, (2, 5))])
def test_the_image_shape_is_inferred(pixels, shape):
    assert Deskew().fit(np.ones((2, pixels))).image_shape_ == shape


@pytest.mark.parametrize("image_shape", [(28, 27), (0, 784), (-28, -28)])
def test_an_image_shape_that_does_not_match_is_rejected(image_shape):
    with pytest.raises(ValueError, match="image_shape"):
        Deskew(image_shape=image_shape).fit(np.ones((2, 784)))


def test_negative_pixels_are_rejected():
    with pytest.raises(ValueError, match="Negative values"):
        Deskew().fit(np.full((2, 784), -1.0))


def test_a_clone_has_the_same_parameters():
    assert clone(Deskew(image_shape=(8, 8))).image_shape == (8, 8)
