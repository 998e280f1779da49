"""Gradient-direction features, compared with SciPy's Sobel operator and slow loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mnist_svm.features.gradients import GradientDecomposer
from mnist_svm.features.transformers import GradientFeatures

DIRECTIONS = [4, 8, 12, 16]


@pytest.fixture(scope="module")
def digits(test_set):
    return test_set.images[:200]


def decompose(images, directions):
    return GradientDecomposer(*images.shape, directions)(images)


def sobel(images, axis):
    return np.stack(
        [ndimage.sobel(image.astype(float), axis=axis, mode="constant") for image in images]
    )


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_the_parts_sum_to_the_gradient(digits, directions):
    planes = decompose(digits, directions)
    angles = 2 * np.pi * np.arange(directions) / directions
    along_columns = np.einsum("nkij,k->nij", planes, np.cos(angles))
    along_rows = np.einsum("nkij,k->nij", planes, np.sin(angles))
    np.testing.assert_allclose(along_columns, sobel(digits, 1), atol=0.01)
    np.testing.assert_allclose(along_rows, sobel(digits, 0), atol=0.01)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_gradient_has_at_most_two_parts_in_neighbouring_directions(digits, directions):
    planes = decompose(digits, directions)
    assert (planes >= 0).all()
    # The threshold is above the rounding errors.
    nonzero = planes > 0.01
    assert (nonzero.sum(axis=1) <= 2).all()
    for distance in range(2, directions - 1):
        assert not (nonzero & np.roll(nonzero, distance, axis=1)).any()


def test_the_features_equal_those_of_a_slow_double_loop(digits):
    """One image, by the definition: blur with a Gaussian, sample, take the square root."""
    planes = decompose(digits[:1], 8)[0].astype(float)
    features = GradientFeatures(power=0.5).fit_transform(digits[:1].reshape(1, -1))
    for k, i, j in [(0, 3, 3), (2, 1, 4), (5, 6, 0), (7, 3, 2)]:
        total = weights = 0.0
        for row in range(28):
            for column in range(28):
                distance2 = (row - (4 * i + 1.5)) ** 2 + (column - (4 * j + 1.5)) ** 2
                weight = np.exp(-distance2 / (2 * 2.0**2))
                total += weight * planes[k, row, column]
                weights += weight
        expected = 255 * np.sqrt(total / weights / 1020)
        assert abs(features.reshape(8, 7, 7)[k, i, j] - expected) <= 0.51


@given(index=st.integers(0, 199), quarters=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_a_quarter_turn_rotates_the_directions(digits, index, quarters):
    image = digits[index]
    turned = np.rot90(image, quarters)
    both = np.stack([image, turned]).reshape(2, -1)
    straight, other = GradientFeatures().fit_transform(both).reshape(2, 8, 7, 7).astype(int)
    # A quarter turn counterclockwise maps the direction to the right to the one upwards.
    expected = np.roll(np.rot90(straight, quarters, axes=(1, 2)), -2 * quarters, axis=0)
    assert abs(other - expected).max() <= 1


def test_a_smaller_batch_does_not_keep_images_of_the_previous_one(digits):
    decompose = GradientDecomposer(50, 28, 28, 8)
    alone = decompose(digits[50:70]).copy()
    decompose(digits[:50])
    again = decompose(digits[50:70])
    np.testing.assert_array_equal(again, alone)
    assert not again[20:].any()


def test_the_features_do_not_depend_on_the_batch(digits):
    X = digits.reshape(200, -1)
    transformer = GradientFeatures(directions=12).fit(X)
    in_batch = transformer.transform(X)
    in_parts = np.concatenate(
        [transformer.transform(X[start : start + 7]) for start in range(0, 200, 7)]
    )
    np.testing.assert_array_equal(in_batch, in_parts)


def test_the_features_do_not_depend_on_the_number_of_threads(train_set):
    X = train_set.X[:5000]
    features = GradientFeatures(n_jobs=1).fit_transform(X)
    np.testing.assert_array_equal(features, GradientFeatures(n_jobs=2).fit_transform(X))


def test_the_features_use_the_range_of_uint8(train_set):
    features = GradientFeatures().fit_transform(train_set.X[:2000])
    assert features.dtype == np.uint8
    assert features.shape == (2000, 8 * 49)
    assert 100 < features.max() < 255


def test_the_features_of_a_blank_image_are_zero():
    assert not GradientFeatures().fit_transform(np.zeros((3, 784))).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"directions": 6}, "directions must be a multiple of 4 from 4 to 64, got 6"),
        ({"directions": 2}, "directions"),
        ({"grid": 0}, "grid must be a number from 1 to 32"),
        ({"smoothing": 0}, "smoothing must be positive"),
        ({"smoothing": float("nan")}, "smoothing must be positive"),
        ({"power": 1.5}, "power must be above 0 and at most 1"),
        ({"image_shape": (20, 20)}, "has 400 pixels, but X has 784 columns"),
    ],
)
def test_parameters_out_of_range_are_rejected(digits, changes, message):
    with pytest.raises(ValueError, match=message):
        GradientFeatures(**changes).fit(digits.reshape(200, -1))
