"""Gradient-direction features, against scipy's Sobel operator and slow sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm.features.gradients import GradientDecomposer, GradientFeatures

DIRECTIONS = [4, 8, 12, 16]


@parametrize_with_checks([GradientFeatures()])
def test_gradient_features_keep_the_contract_of_scikit_learn(estimator, check):
    # No check is waived.
    check(estimator)


@pytest.fixture(scope="module")
def digits(test_set):
    return test_set.images[:200]


def planes_of(images, directions):
    return GradientDecomposer(*images.shape, directions)(images)


def sobel(images, axis):
    return np.stack(
        [ndimage.sobel(image.astype(float), axis=axis, mode="constant") for image in images]
    )


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_the_parts_add_up_to_the_gradient(digits, directions):
    planes = planes_of(digits, directions)
    angles = 2 * np.pi * np.arange(directions) / directions
    across = np.einsum("nkij,k->nij", planes, np.cos(angles))
    down = np.einsum("nkij,k->nij", planes, np.sin(angles))
    np.testing.assert_allclose(across, sobel(digits, 1), atol=0.01)
    np.testing.assert_allclose(down, sobel(digits, 0), atol=0.01)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_a_gradient_has_parts_in_two_neighbouring_directions_at_most(digits, directions):
    planes = planes_of(digits, directions)
    assert (planes >= 0).all()
    # What rounding leaves of a part that is none.
    some = planes > 0.01
    assert (some.sum(axis=1) <= 2).all()
    # No two are both there but neighbours.
    for apart in range(2, directions - 1):
        assert not (some & np.roll(some, apart, axis=1)).any()


def test_the_features_are_those_of_a_slow_double_loop(digits):
    """One image, by the definition: blur with a Gaussian, sample, take the square root."""
    planes = planes_of(digits[:1], 8)[0].astype(float)
    features = GradientFeatures(power=0.5).fit_transform(digits[:1].reshape(1, -1))
    for k, i, j in [(0, 3, 3), (2, 1, 4), (5, 6, 0), (7, 3, 2)]:
        total = weights = 0.0
        for row in range(28):
            for column in range(28):
                away = (row - (4 * i + 1.5)) ** 2 + (column - (4 * j + 1.5)) ** 2
                weight = np.exp(-away / (2 * 2.0**2))
                total += weight * planes[k, row, column]
                weights += weight
        expected = 255 * np.sqrt(total / weights / 1020)
        assert abs(features.reshape(8, 7, 7)[k, i, j] - expected) <= 0.51


@given(index=st.integers(0, 199), quarters=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_a_quarter_turn_turns_the_directions(digits, index, quarters):
    image = digits[index]
    turned = np.rot90(image, quarters)
    both = np.stack([image, turned]).reshape(2, -1)
    straight, other = GradientFeatures().fit_transform(both).reshape(2, 8, 7, 7).astype(int)
    # A quarter turn counterclockwise takes the direction to the right to the one upwards.
    expected = np.roll(np.rot90(straight, quarters, axes=(1, 2)), -2 * quarters, axis=0)
    assert abs(other - expected).max() <= 1


def test_fewer_images_than_at_a_time_are_not_mixed_with_the_last(digits):
    planes_of = GradientDecomposer(50, 28, 28, 8)
    alone = planes_of(digits[50:70]).copy()
    planes_of(digits[:50])
    again = planes_of(digits[50:70])
    np.testing.assert_array_equal(again, alone)
    assert not again[20:].any()


def test_an_image_has_the_same_features_in_any_company(digits):
    X = digits.reshape(200, -1)
    transformer = GradientFeatures(directions=12).fit(X)
    together = transformer.transform(X)
    apart = np.concatenate(
        [transformer.transform(X[start : start + 7]) for start in range(0, 200, 7)]
    )
    np.testing.assert_array_equal(together, apart)


def test_threads_change_nothing(train_set):
    X = train_set.X[:5000]
    one = GradientFeatures(n_jobs=1).fit_transform(X)
    np.testing.assert_array_equal(one, GradientFeatures(n_jobs=2).fit_transform(X))


def test_the_features_use_their_eight_bits(train_set):
    features = GradientFeatures().fit_transform(train_set.X[:2000])
    assert features.dtype == np.uint8
    assert features.shape == (2000, 8 * 49)
    assert 100 < features.max() < 255


def test_a_blank_image_has_no_features():
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
def test_parameters_that_make_no_sense_are_refused(digits, changes, message):
    with pytest.raises(ValueError, match=message):
        GradientFeatures(**changes).fit(digits.reshape(200, -1))
