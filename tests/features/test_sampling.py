"""Interpolation of images, compared with SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mnist_svm.features.sampling import sample_bilinear, sample_columns, sample_rows, shift


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(0, 255, (5, 9, 7)).astype(np.float32)


def interpolate(images, i, j):
    """Interpolate each image with SciPy at positions that are broadcast against each other."""
    return np.stack(
        [
            ndimage.map_coordinates(
                image.astype(float), np.broadcast_arrays(*at), order=1, mode="grid-constant"
            )
            for image, *at in zip(images, i, j, strict=True)
        ]
    )


def positions(length, *shape):
    """Positions inside the frame, at its edges and far outside."""
    rng = np.random.default_rng(length)
    values = rng.uniform(-3, length + 2, shape)
    values.flat[:3] = 0, length - 1, 10 * length
    return values


def test_bilinear_samples_at_any_position(images):
    i, j = positions(9, *images.shape), positions(7, *images.shape)
    expected = interpolate(images, i, j)
    np.testing.assert_allclose(sample_bilinear(images, i, j), expected, atol=1e-3)


def test_samples_between_rows(images):
    rows = positions(9, 5, 12)
    expected = interpolate(images, rows[:, :, None], np.broadcast_to(np.arange(7.0), (5, 1, 7)))
    np.testing.assert_allclose(sample_rows(images, rows), expected, atol=1e-3)


def test_samples_along_rows(images):
    starts, offsets = positions(7, 5, 9), positions(3, 5, 11)
    i = np.broadcast_to(np.arange(9.0)[:, None], (5, 9, 1))
    expected = interpolate(images, i, starts[:, :, None] + offsets[:, None, :])
    np.testing.assert_allclose(sample_columns(images, starts, offsets), expected, atol=1e-2)


@pytest.mark.parametrize("distance", [0.0, 0.25, -1.5, 3.0, 8.5, -9.5, 100.0, -100.0])
def test_shifts_along_axis_1(images, distance):
    distances = distance + np.array([0, 0.1, 0.2, -0.3, 1])
    i = np.arange(9.0)[:, None] + distances[:, None, None]
    expected = interpolate(images, i, np.broadcast_to(np.arange(7.0), (5, 1, 7)))
    np.testing.assert_allclose(shift(images, distances), expected, atol=1e-3)
