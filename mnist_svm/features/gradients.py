"""Gradient-direction features: how strong the edges of each direction are in each part of an image.

The gradient of each pixel is split into a few planes by direction (one plane for edges that get
brighter to the right, one for the upper right, ...). Each plane is blurred and sampled on a coarse
grid. A feature then means "strong upward edge at the lower left", and tolerates shifts of a pixel.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, Float32Array
from mnist_svm.constants import WHITE
from mnist_svm.features.blocks import IMAGES_PER_BLOCK, blocks

# Largest component of a Sobel gradient in an image of 0-255.
MAX_GRADIENT = 4 * WHITE


class GradientDecomposer:
    """Splits the gradient of each pixel into parts along the two nearest of D directions.

    The gradient g is that of the Sobel operator, zero outside the frame. It is the vector sum of
    its two parts (a parallelogram), so that directions are not quantised and a slight turn moves a
    little from one plane to the next. With directions e_k, ``2 pi / D = delta`` apart, the part
    along e_k is

        max(0, min(e_{k-1} x g, g x e_{k+1})) / sin(delta)

    which is zero for all but the two directions around g. Direction k is at the angle 2 pi k / D
    from the positive column axis towards the positive row axis: 0 points right, D / 4 down. D is a
    multiple of 4.

    Work arrays for up to `n` images are reused by all calls, because allocating them would take
    longer than filling them.

    References
    ----------
    C.-L. Liu, K. Nakashima, H. Sako, H. Fujisawa, "Handwritten digit recognition: benchmarking
    of state-of-the-art techniques", Pattern Recognition 36 (2003), section 3.4.
    """

    def __init__(self, n: int, height: int, width: int, directions: int) -> None:
        self._directions = directions
        self._padded, self._pairs, self._sums = np.zeros((3, n, height + 2, width + 2), np.float32)
        self._cross = np.empty((directions, n, height, width), np.float32)
        self._planes = np.empty((n, directions, height, width), np.float32)

    def __call__(self, images: Array) -> Float32Array:
        """Return the lengths of the parts: float32 of shape (n, D, height, width), non-negative.

        Eight times the gradient per pixel, in the units of `images`; zero beyond the images passed,
        at most n. The next call overwrites them.
        """
        self._padded[: len(images), 1:-1, 1:-1] = images
        self._padded[len(images) :] = 0
        along_columns, along_rows = self._sobel()
        half, step = self._directions // 2, 2 * np.pi / self._directions
        # Cross products e x g / sin(delta); opposite directions have opposite signs.
        for k, cross in enumerate(self._cross[:half]):
            opposite = self._cross[half + k]
            np.multiply(along_rows, np.float32(np.cos(k * step) / np.sin(step)), out=cross)
            np.multiply(along_columns, np.float32(np.sin(k * step) / np.sin(step)), out=opposite)
            cross -= opposite
            np.negative(cross, out=opposite)
        for k in range(self._directions):
            opposite_of_next = self._cross[(k + 1 + half) % self._directions]
            np.minimum(self._cross[k - 1], opposite_of_next, out=self._planes[:, k])
        return np.maximum(self._planes, 0, out=self._planes)

    def _sobel(self) -> tuple[Float32Array, Float32Array]:
        """Return eight times the gradients along columns and rows, in memory of the planes."""
        n, directions, height, width = self._planes.shape
        along_columns, along_rows = self._planes.reshape(directions, n, height, width)[:2]
        sums = self._sums
        self._smooth(width + 2)
        np.subtract(sums[:, 1:-1, 2:], sums[:, 1:-1, :-2], out=along_columns)
        self._smooth(1)
        np.subtract(sums[:, 2:, 1:-1], sums[:, :-2, 1:-1], out=along_rows)
        return along_columns, along_rows

    def _smooth(self, stride: int) -> None:
        """Convolve with (1, 2, 1) along an axis of the given stride.

        Works on the flattened padded images, which is fastest in NumPy. The pixels of the padding
        get wrong values, and are not used.
        """
        pixels, pairs, sums = (array.ravel() for array in (self._padded, self._pairs, self._sums))
        np.add(pixels[:-stride], pixels[stride:], out=pairs[stride:])
        np.add(pairs[stride:-stride], pairs[2 * stride :], out=sums[stride:-stride])


def gradient_features(
    images: Array, *, directions: int, grid: int, smoothing: float, power: float
) -> npt.NDArray[np.uint8]:
    """Compute blurred planes of gradient directions: uint8 of shape (n, directions * grid**2).

    `GradientDecomposer` splits the gradients of `images`, of shape (n, height, width), into
    `directions` planes. Each plane is blurred by a Gaussian of `smoothing` grid steps, sampled on a
    coarse `grid`, and raised to a `power`.
    """
    n, height, width = images.shape
    decompose = GradientDecomposer(min(IMAGES_PER_BLOCK, n), height, width, directions)
    row_weights, column_weights = (
        gaussian_axis_weights(side, grid, smoothing).astype(np.float64) for side in (height, width)
    )
    features = np.empty((n, directions * grid**2), np.uint8)
    for block in blocks(n):
        # In float64, the order in which BLAS sums does not affect the rounded features: they are
        # the same in any batch, on any machine, and in an exported model.
        planes = decompose(images[block]).reshape(-1, width).astype(np.float64)
        narrow = (planes @ column_weights.T).reshape(-1, height, grid)
        blurred = (row_weights @ narrow).reshape(-1, features.shape[1])[: len(images[block])]
        strengths = np.minimum(blurred / MAX_GRADIENT, 1) ** power
        np.rint(255 * strengths, out=features[block], casting="unsafe")
    return features


@lru_cache
def gaussian_axis_weights(side: int, grid: int, smoothing: float) -> Float32Array:
    """Return the weights with which `gradient_features` blurs and samples an axis of `side` pixels.

    They are float32 of shape (grid, side), and not to be changed; each row sums to 1.
    """
    step = side / grid
    centres = step * (np.arange(grid) + 0.5) - 0.5
    distances = (np.arange(side) - centres[:, None]) / (smoothing * step)
    # Relative to the nearest pixel, so that a narrow Gaussian does not underflow to all zeros.
    nearest = np.abs(distances).min(axis=1, keepdims=True)
    weights = np.exp((nearest**2 - distances**2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
