"""Size normalisation by second-order moments: digits upright, centred, and of one size."""

from __future__ import annotations

import numpy as np

from mnist_svm.constants import Array, Float32Array, Float64Array
from mnist_svm.features.base import ImageTransformer
from mnist_svm.features.moments import Moments, image_moments

# Array per block.
BLOCK = 128

# Spreads (square pixels) are taken to be at least this: a bar half a pixel thick has less.
MIN_SPREAD = 0.25


class NormalizeSize(ImageTransformer):
    """Transformer that makes digits upright and centred and gives them one size.

    With second central moments s_ii, s_ij, s_jj, the shear ``s_ij / s_ii`` is removed (see
    `mnist_svm.features.deskew`), which leaves a horizontal spread of ``s_jj - s_ij**2 / s_ii``.
    Height and width are the square roots of the two spreads, r the ratio of the smaller one
    to the larger. The larger one becomes `extent` times the side of the frame, the smaller one
    ``sqrt(sin(r pi / 2))`` times that: narrow digits are widened a little, but a one stays a one.
    Everything is one affine map, so that images are resampled (bilinearly) only once.

    Parameters
    ----------
    image_shape : (int, int) or None, default=None
        See `ImageTransformer`.
    side : int, default=28
        Of the square images that come out, from 1 to 128. More than the input has gives the
        gradient a finer view of the strokes.
    extent : float, default=0.17
        Spread of the digits along their longer axis as a part of `side`, above 0, at most 1.
    upright : bool, default=True
        Whether to remove the shear. Without, s_jj itself is the horizontal spread.
    n_jobs : int or None, default=None
        See `ImageTransformer`.

    Attributes
    ----------
    image_shape_, n_features_in_ : see `ImageTransformer`.

    References
    ----------
    C.-L. Liu, K. Nakashima, H. Sako, H. Fujisawa, "Handwritten digit recognition: investigation
    of normalization and feature extraction techniques", Pattern Recognition 37 (2004), section 2,
    for moment normalisation and the aspect ratio's map.

    Examples
    --------
    >>> from mnist_svm.features.moments import image_moments
    >>> small = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> small[0, 2:6, 3:7] = 255
    >>> large = NormalizeSize().fit_transform(small.reshape(1, 784)).reshape(1, 28, 28)
    >>> before, after = image_moments(small), image_moments(large)
    >>> [round(float(m.mu_i[0]), 1) for m in (before, after)]
    [3.5, 13.5]
    >>> [round(float(m.s_ii[0])) for m in (before, after)]
    [1, 26]
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int] | None = None,
        side: int = 28,
        extent: float = 0.17,
        upright: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_jobs=n_jobs)
        self.side = side
        self.extent = extent
        self.upright = upright

    def _check_parameters(self) -> None:
        if self.side not in range(1, 129):
            msg = f"side must be a number from 1 to 128, got {self.side!r}"
            raise ValueError(msg)
        if not 0 < self.extent <= 1:
            msg = f"extent must be above 0 and at most 1, got {self.extent!r}"
            raise ValueError(msg)

    def _transform_images(self, images: Array) -> Float32Array:
        out = np.empty((len(images), self.side, self.side), np.float32)
        for start in range(0, len(images), BLOCK):
            block = slice(start, start + BLOCK)
            out[block] = self._of_block(images[block], image_moments(images[block]))
        return out

    def _transform_images_with_reference(self, images: Array, like: Array) -> Float32Array:
        return self._of_block(images, image_moments(np.repeat(like, len(images), axis=0)))

    def _of_block(self, images: Array, moments: Moments) -> Float32Array:
        shear = moments.s_ij / np.maximum(moments.s_ii, MIN_SPREAD) * bool(self.upright)
        high, wide = _scales(moments, shear, self.extent * self.side)
        steps = np.arange(self.side) - (self.side - 1) / 2
        down = high[:, None] * steps
        slant = moments.mu_j[:, None] + shear[:, None] * down
        rows = _along_rows(images, moments.mu_i[:, None] + down)
        return _along_columns(rows, slant, wide[:, None] * steps)


def _scales(
    moments: Moments, shear: Float64Array, spread: float
) -> tuple[Float64Array, Float64Array]:
    """How many rows and columns of each image, when sheared, make one of the result's."""
    s_jj = moments.s_jj - 2 * shear * moments.s_ij + shear**2 * moments.s_ii
    height, width = (np.sqrt(np.maximum(s, MIN_SPREAD)) for s in (moments.s_ii, s_jj))
    longer = np.maximum(height, width)
    ratio = np.minimum(height, width) / longer
    shorter_becomes = np.sqrt(np.sin(ratio * np.pi / 2)) * spread
    high, wide = (
        side / np.where(side == longer, spread, shorter_becomes) for side in (height, width)
    )
    return high, wide


def _along_rows(images: Array, rows: Float64Array) -> Float32Array:
    """Interpolate linearly at rows (n, m), zero outside: one matrix product for each image."""
    distances = rows.astype(np.float32)[:, :, None] - np.arange(images.shape[1], dtype=np.float32)
    np.abs(distances, out=distances)
    weights = np.maximum(1 - distances, 0)
    return np.asarray(weights @ images.astype(np.float32, copy=False))


def _along_columns(
    images: Float32Array, first: Float64Array, further: Float64Array
) -> Float32Array:
    """Interpolate linearly along each row, zero outside.

    Parameters
    ----------
    images : float32 ndarray of shape (n, height, width)
    first, further : float64 ndarrays of shape (n, height) and (n, m)
        Columns, to be added up: one for each row of an image, one for each column of the result.

    Returns
    -------
    float32 ndarray of shape (n, height, m)
    """
    n, height, width = images.shape
    # Two columns of zeros on each side stand for all that is further out.
    padded = np.zeros((n, height, width + 4), np.float32)
    padded[:, :, 2:-2] = images
    columns = (first + 2).astype(np.float32)[:, :, None] + further.astype(np.float32)[:, None, :]
    np.clip(columns, 0.5, width + 2.5, out=columns)
    # Positive, so that cutting off the fraction rounds down.
    left = columns.astype(np.intp)
    columns -= left
    left += (width + 4) * np.arange(n * height).reshape(n, height, 1)
    pixels = padded.ravel()
    one = pixels.take(left)
    left += 1
    other = pixels.take(left)
    other -= one
    other *= columns
    return np.asarray(one + other)
