"""Shear removal: every digit made upright and centred, from its second-order moments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from mnist_svm.constants import Array, Float32Array, Float64Array
from mnist_svm.features.base import ImageTransformer
from mnist_svm.features.moments import image_moments

# Below this vertical spread (square pixels; a bar two rows thick has 0.25) the shear
# s_ij / s_ii says nothing about slant. The flattest digit of MNIST has 4.4.
MIN_VERTICAL_SPREAD = 0.5

# A shear that is left over is removed as well where it exceeds this part of s_ii.
UPRIGHT = 0.02
MAX_PASSES = 4

# Array per block: small enough that its temporary arrays stay in the cache and in memory
# that the allocator keeps, instead of being mapped and faulted in anew for every block.
BLOCK = 64


def deskew(images: Array) -> Float32Array:
    """Remove the shear of each image and centre it.

    With the centroid (mu_i, mu_j), the shear a = s_ij / s_ii and the middle c of the
    frame, the output pixel (i, j) is the bilinear sample of the input at row
    ``i + mu_i - c`` and column ``j + a (i - c) + mu_j - c``; outside the frame the input
    counts as zero. Afterwards the mixed moment s_ij is nearly zero.

    Nearly, because interpolation blurs a little and the frame may cut off a tip. Where more
    than `UPRIGHT` s_ii is left (54 of MNIST's 70,000 images), what is left is added to a,
    and the input is sampled again.

    Parameters
    ----------
    images : numeric ndarray of shape (n, height, width)
        Non-negative intensities, ink bright on a dark ground, 0-255 or any other unit.

    Returns
    -------
    float32 ndarray of shape (n, height, width)
        In the units of the input. A blank image stays blank, and one whose ink spreads
        over less than `MIN_VERTICAL_SPREAD` square pixels vertically is only centred.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86 (1998), section III.A, "deslanting" by moments of inertia.
    """
    out = np.empty(images.shape, dtype=np.float32)
    for start in range(0, len(images), BLOCK):
        block = slice(start, start + BLOCK)
        out[block], *_ = _deskew_block(images[block])
    return out


class Deskew(ImageTransformer):
    """Transformer that makes digits upright and centred: see `deskew`.

    Takes ``X`` of any unit, not negative, and gives float32 in that unit and of that shape. Its
    parameters and attributes are those of `ImageTransformer`.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_svm.features.moments import image_moments
    >>> slanted = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> for row in range(6, 22):
    ...     slanted[0, row, 26 - row] = 255
    >>> float(image_moments(slanted).s_ij[0])
    -21.25
    >>> upright = Deskew().fit_transform(slanted.reshape(1, 784))
    >>> bool(abs(image_moments(upright.reshape(1, 28, 28)).s_ij[0]) < 1e-6)
    True
    """

    def _transform_images(self, images: Array) -> Float32Array:
        return deskew(images)

    def _transform_images_with_reference(self, images: Array, like: Array) -> Float32Array:
        _, *placement = _deskew_block(like)
        return _resample(images, *(np.repeat(part, len(images)) for part in placement))


def _deskew_block(
    images: Array,
) -> tuple[Float32Array, Float64Array, Float64Array, Float64Array]:
    """`deskew` for a few images at once, then the centroids and the shears removed."""
    moments = image_moments(images)
    spread = np.where(moments.s_ii >= MIN_VERTICAL_SPREAD, moments.s_ii, np.inf)
    centre = moments.mu_i, moments.mu_j
    shear = moments.s_ij / spread
    out = _resample(images, *centre, shear)
    for _ in range(MAX_PASSES):
        left = image_moments(out).s_ij / spread
        (leaning,) = np.nonzero(np.abs(left) > UPRIGHT)
        if not len(leaning):
            break
        shear[leaning] += left[leaning]
        mu_i, mu_j = (mu[leaning] for mu in centre)
        out[leaning] = _resample(images[leaning], mu_i, mu_j, shear[leaning])
    return out, *centre, shear


def _resample(
    images: Array, mu_i: Float64Array, mu_j: Float64Array, shear: Float64Array
) -> Float32Array:
    """Sample images bilinearly at the sheared positions that `deskew` gives.

    The row of a sample does not depend on its column, so that one fractional shift of whole
    images along the rows, then one of each row along the columns, is all there is to do.
    """
    n, height, width = images.shape
    down = mu_i - (height - 1) / 2
    slant = np.outer(shear, np.arange(height) - (height - 1) / 2)
    across = slant + (mu_j - (width - 1) / 2)[:, None]
    levelled = _shift(images, down).reshape(n * height, width)
    return _shift(levelled, across.ravel()).reshape(n, height, width)


def _shift(rows: npt.NDArray[np.generic], by: Float64Array) -> Float32Array:
    """Resample along axis 1 at ``index + by``, linearly, zero outside.

    Parameters
    ----------
    rows : numeric ndarray of shape (n, length, ...)
    by : float64 ndarray of shape (n,), in samples

    Returns
    -------
    float32 ndarray of the shape of ``rows``
    """
    n, length = rows.shape[:2]
    rest = rows.shape[2:]
    # Sheared or shifted by more than its length, a row shows only the zeros around it.
    by = np.clip(by, -length - 1, length)
    whole = np.floor(by).astype(np.intp)
    before, after = max(-int(whole.min()), 0), max(int(whole.max()) + 1, 0)
    padded = np.zeros((n, before + length + after, *rest), dtype=np.float32)
    padded[:, before : before + length] = rows
    windows = sliding_window_view(padded, length + 1, axis=1)
    windows = np.moveaxis(windows, -1, 2)
    taken = windows[np.arange(n), whole + before]

    shape = (n,) + (1,) * (1 + len(rest))
    fraction = (by - whole).astype(np.float32).reshape(shape)
    shifted: Float32Array = taken[:, :-1] * (1 - fraction)
    shifted += taken[:, 1:] * fraction
    return shifted
