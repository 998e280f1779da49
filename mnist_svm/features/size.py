"""Size normalisation by second-order moments: digits upright, centred, and of one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_svm._types import Array, Float32Array, Float64Array
from mnist_svm.features.blocks import blocks
from mnist_svm.features.moments import Moments, image_moments
from mnist_svm.features.sampling import sample_columns, sample_rows

# Lower limit of s_ii and s_jj, in square pixels; a bar half a pixel thick has less.
MIN_SPREAD = 0.25


def normalize_size(images: Array, *, side: int, extent: float, upright: bool) -> Float32Array:
    """Make digits upright and centred, and scale them to one size.

    `images` have shape (n, height, width), the result (n, side, side). With second central moments
    s_ii, s_ij, s_jj, the shear ``s_ij / s_ii`` is removed (see `mnist_svm.features.deskew`), which
    leaves a horizontal spread of ``s_jj - s_ij**2 / s_ii``; if not `upright`, the shear stays, and
    the spread is s_jj. Height and width are the square roots of the two spreads, r the ratio of the
    smaller to the larger. The larger one becomes `extent` times `side`, the smaller one
    ``sqrt(sin(r pi / 2))`` times that: narrow digits are widened a little, but a one stays a one.
    All of this is one affine map, so that images are resampled (bilinearly) only once.

    References
    ----------
    C.-L. Liu, K. Nakashima, H. Sako, H. Fujisawa, "Handwritten digit recognition: investigation
    of normalization and feature extraction techniques", Pattern Recognition 37 (2004), section 2,
    for moment normalisation and the map of the aspect ratio.
    """
    out = np.empty((len(images), side, side), np.float32)
    for block in blocks(len(images)):
        out[block] = _resample(images[block], image_moments(images[block]), side, extent, upright)
    return out


def normalize_size_like(
    images: Array, reference: Array, *, side: int, extent: float, upright: bool
) -> Float32Array:
    """Map all images as `normalize_size` does the one image of `reference`."""
    moments = image_moments(np.repeat(reference, len(images), axis=0))
    return _resample(images, moments, side, extent, upright)


def _resample(
    images: Array, moments: Moments[Float64Array], side: int, extent: float, upright: bool
) -> Float32Array:
    shear, scale_i, scale_j = affine_map(moments, side, extent, upright)
    steps = np.arange(side) - (side - 1) / 2
    down = scale_i[:, None] * steps
    starts = moments.mu_j[:, None] + shear[:, None] * down
    rows = sample_rows(images, moments.mu_i[:, None] + down)
    return sample_columns(rows, starts, scale_j[:, None] * steps)


def affine_map(
    moments: Moments[Any], side: int, extent: float, upright: bool
) -> tuple[Any, Any, Any]:
    """Compute the map from output to input pixels, for ndarrays or tensors of an exported graph.

    Returns three float64 arrays of one value per image: the shear, in columns per row, and the
    input rows per output row and input columns per output column.
    """
    shear = moments.s_ij / np.maximum(moments.s_ii, MIN_SPREAD) * float(upright)
    s_jj = moments.s_jj - 2 * shear * moments.s_ij + shear * shear * moments.s_ii
    height, width = (np.sqrt(np.maximum(spread, MIN_SPREAD)) for spread in (moments.s_ii, s_jj))
    longer = np.maximum(height, width)
    ratio = np.minimum(height, width) / longer
    longer_target = extent * side
    shorter_target = np.sqrt(np.sin(ratio * np.pi / 2)) * longer_target
    scale_i, scale_j = (
        spread / np.where(spread >= longer, longer_target, shorter_target)
        for spread in (height, width)
    )
    return shear, scale_i, scale_j
