"""Blurred digits have the same ink, more widely spread."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import Blur, NormalizeSize
from mnist_svm.features.moments import image_moments


def test_the_spread_of_a_digit_grows_by_that_of_the_gaussian(test_set):
    # Small digits, which stay inside the frame.
    X = NormalizeSize(extent=0.12).fit_transform(test_set.X[:500])
    before = image_moments(X.reshape(-1, 28, 28))
    blurred = Blur(sigma=1.0).fit_transform(X)
    after = image_moments(blurred.reshape(-1, 28, 28))
    for spread in ("s_ii", "s_jj"):
        growth = getattr(after, spread) - getattr(before, spread)
        np.testing.assert_allclose(growth, 1.0, atol=0.02)
    np.testing.assert_allclose(after.s_ij, before.s_ij, atol=0.02)


def test_sigma_zero_changes_nothing(test_set):
    X = test_set.X[:50]
    np.testing.assert_array_equal(Blur(sigma=0).fit_transform(X), X)


def test_blur_reduces_the_distance_of_digits_shifted_by_a_pixel(test_set):
    def distance(images):
        shifted = np.roll(images, 1, axis=2)
        return np.linalg.norm(images - shifted) / np.linalg.norm(images)

    images = test_set.images[:200].astype(float)
    blurred = Blur().fit_transform(test_set.X[:200]).reshape(-1, 28, 28)
    assert distance(blurred) < 0.9 * distance(images)


@pytest.mark.parametrize("sigma", [-0.1, 11, float("nan")])
def test_a_sigma_out_of_range_is_rejected(test_set, sigma):
    with pytest.raises(ValueError, match="sigma must be from 0 to 10"):
        Blur(sigma=sigma).fit(test_set.X[:5])
