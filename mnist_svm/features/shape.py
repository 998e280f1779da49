"""Slant and proportion of a digit, which deskewing and size normalisation remove.

After them, a 1 with a long upstroke looks like a 7: deskewing leans its stem and lays the upstroke
flat, and size normalisation widens it. Two numbers tell how it was written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, Images
from mnist_svm.constants import WHITE
from mnist_svm.features.moments import Moments, image_moments
from mnist_svm.features.sampling import sample_columns, sample_rows

# Lower limit of the spreads, in square pixels; a bar half a pixel thick has less.
MIN_SPREAD = 0.25


def shape_features(images: Array, *, weight: float) -> npt.NDArray[np.uint8]:
    """Measure slant and proportion of images of shape (n, height, width): uint8 of shape (n, 2).

    See `shape_ratios`. Each ratio is multiplied by `weight`; the slant, which may be negative, is
    then shifted by 127.5. The results are rounded, and clipped at 0 and 255.
    """
    slant, proportion = shape_ratios(image_moments(images))
    values = np.stack([weight * slant + WHITE / 2, weight * proportion], axis=1)
    return np.asarray(np.rint(np.clip(values, 0, WHITE)), np.uint8)


def shape_features_like(images: Array, reference: Array, *, weight: float) -> Array:
    """Return the features of the one image of `reference` for each of the images."""
    return np.repeat(shape_features(reference, weight=weight), len(images), axis=0)


def shape_ratios(moments: Moments[Any]) -> tuple[Any, Any]:
    """Compute slant and proportion, for ndarrays or tensors of an exported graph.

    The slant is the sine of the angle that deskewing removes, ``arctan(s_ij / s_ii)``: 0 for an
    upright digit, positive if its top leans to the left. The upright digit has a horizontal spread
    of ``s_jj - s_ij**2 / s_ii``. With width and height, the square roots of the two spreads, the
    proportion is ``width / sqrt(width**2 + height**2)``: 0 for a vertical line, 1 for a horizontal
    one. A blank image has slant 0, and equal width and height.
    """
    s_ii = np.maximum(moments.s_ii, MIN_SPREAD)
    s_jj = np.maximum(moments.s_jj - moments.s_ij * moments.s_ij / s_ii, MIN_SPREAD)
    slant = moments.s_ij / np.sqrt(s_ii * s_ii + moments.s_ij * moments.s_ij)
    return slant, np.sqrt(s_jj / (s_ii + s_jj))


def restore_shape(images: Images, features: Array, weight: float) -> Images:
    """Give upright digits of shape (n, height, width) the slant and proportion of `features`.

    The longer of width and height stays as it is. Returns uint8; a blank image stays blank.
    """
    moments = image_moments(images)
    height, width = (
        np.sqrt(np.maximum(spread, MIN_SPREAD)) for spread in (moments.s_ii, moments.s_jj)
    )
    # Below 1, because the tangent of a right angle is infinite.
    slant, proportion = np.clip((features - [WHITE / 2, 0]).T / weight, -0.99, 0.99)
    shear, ratio = (sine / np.sqrt(1 - sine**2) for sine in (slant, proportion))
    longer = np.maximum(height, width)
    scale_i = height / (longer * np.minimum(1 / np.maximum(ratio, 0.01), 1))
    scale_j = width / (longer * np.minimum(np.maximum(ratio, 0.01), 1))
    i, j = (np.arange(side) - (side - 1) / 2 for side in images.shape[1:])
    rows = sample_rows(images, moments.mu_i[:, None] + scale_i[:, None] * i)
    starts = moments.mu_j[:, None] - (scale_j * shear)[:, None] * i
    written = sample_columns(rows, starts, scale_j[:, None] * j)
    return np.asarray(np.rint(written), np.uint8)
