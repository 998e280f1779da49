"""Deskewing: make every digit upright and centred, by its second-order moments."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Array, Float32Array, Float64Array
from mnist_svm.features.blocks import blocks
from mnist_svm.features.moments import image_moments
from mnist_svm.features.sampling import shift

# Below this s_ii, in square pixels, an image is centred but not sheared: s_ij / s_ii does not
# measure slant there. A bar two rows thick has 0.25; the flattest digit of MNIST has 4.4.
MIN_VERTICAL_SPREAD = 0.5

# An image whose shear after a pass still exceeds this is sampled again, at most MAX_PASSES times.
MAX_REMAINING_SHEAR = 0.02
MAX_PASSES = 4


def deskew(images: Array) -> Float32Array:
    """Remove the shear of each image and centre it: float32 of the same shape and unit.

    With the centroid (mu_i, mu_j), the shear a = s_ij / s_ii and the centre c of the frame, the
    output pixel (i, j) is the bilinear sample of the input at row ``i + mu_i - c`` and column
    ``j + a (i - c) + mu_j - c``, zero outside the frame. The mixed moment s_ij of the output is
    nearly zero. A blank image stays blank; one with s_ii < `MIN_VERTICAL_SPREAD` is only centred.

    Interpolation and tips cut off by the frame leave some shear. Where it exceeds
    `MAX_REMAINING_SHEAR` (54 of MNIST's 70,000 images), it is added to a and the input is sampled
    again.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86 (1998), section III.A, "deslanting" by moments of inertia.
    """
    out = np.empty(images.shape, dtype=np.float32)
    for block in blocks(len(images)):
        out[block], *_ = _deskew_block(images[block])
    return out


def deskew_like(images: Array, reference: Array) -> Float32Array:
    """Shear and centre all images as `deskew` does the one image of `reference`."""
    _, *placement = _deskew_block(reference)
    return _resample(images, *(np.repeat(values, len(images)) for values in placement))


def _deskew_block(
    images: Array,
) -> tuple[Float32Array, Float64Array, Float64Array, Float64Array]:
    """Return the deskewed images, their centroids' rows and columns, and the shears removed."""
    moments = image_moments(images)
    mu_i, mu_j = moments.mu_i, moments.mu_j
    spread = np.where(moments.s_ii >= MIN_VERTICAL_SPREAD, moments.s_ii, np.inf)
    shear = moments.s_ij / spread
    out = _resample(images, mu_i, mu_j, shear)
    for _ in range(MAX_PASSES):
        remaining = image_moments(out).s_ij / spread
        (leaning,) = np.nonzero(np.abs(remaining) > MAX_REMAINING_SHEAR)
        if not len(leaning):
            break
        shear[leaning] += remaining[leaning]
        out[leaning] = _resample(images[leaning], mu_i[leaning], mu_j[leaning], shear[leaning])
    return out, mu_i, mu_j, shear


def _resample(
    images: Array, mu_i: Float64Array, mu_j: Float64Array, shear: Float64Array
) -> Float32Array:
    """Sample images bilinearly at the positions given in `deskew`.

    The row of a sample does not depend on its column: shift whole images along the rows, then each
    row along the columns.
    """
    n, height, width = images.shape
    down = mu_i - (height - 1) / 2
    slant = np.outer(shear, np.arange(height) - (height - 1) / 2)
    across = slant + (mu_j - (width - 1) / 2)[:, None]
    rows = shift(images, down).reshape(n * height, width)
    return shift(rows, across.ravel()).reshape(n, height, width)
