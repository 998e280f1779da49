"""Gradient-direction features: how much of the outline runs which way, and where.

Picture the outline of a digit as a ring of small arrows, each pointing from ground to ink. Sort
the arrows by direction into a few planes (arrows to the right here, to the upper right there, ...)
and blur each plane until only a coarse grid of it is left. What remains says "a strong upward edge
at the lower left", and no longer cares for a pixel more or less.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Array, Float32Array
from mnist_svm.features.base import ImageTransformer

# Array per block: enough that threads seldom wait for each other to call the next function, few
# enough for the cache.
BLOCK = 64

# The longest gradient that the Sobel operator finds in an image of 0-255, along an axis.
MAX_GRADIENT = 4 * 255


class GradientDecomposer:
    """Splits the gradient of each pixel between the two directions next to its own.

    The gradient g is Sobel's, the images taken to be zero outside of the frame. It is the sum of
    its two parts as vectors (a parallelogram), so that no direction is quantised and a slight turn
    moves a little from one plane to the next. With D directions e_k, ``2 pi / D = delta`` apart,
    the part along e_k is

        max(0, min(e_{k-1} x g, g x e_{k+1})) / sin(delta)

    which is zero for all but the two directions around g. Some arrays are kept from call to call:
    making them anew would take longer than filling them.

    Parameters
    ----------
    n, height, width : int
        How many images at a time, and their shape.
    directions : int
        D, a multiple of 4. Direction k points 2 pi k / D away from the columns' axis, towards the
        rows': 0 to the right, D / 4 downwards.

    References
    ----------
    C.-L. Liu, K. Nakashima, H. Sako, H. Fujisawa, "Handwritten digit recognition: benchmarking
    of state-of-the-art techniques", Pattern Recognition 36 (2003), section 3.4.
    """

    def __init__(self, n: int, height: int, width: int, directions: int) -> None:
        self._directions = directions
        self._padded, self._pairs, self._sums = np.zeros((3, n, height + 2, width + 2), np.float32)
        self._aside = np.empty((directions, n, height, width), np.float32)
        self._planes = np.empty((n, directions, height, width), np.float32)

    def __call__(self, images: Array) -> Float32Array:
        """The planes of some images.

        Parameters
        ----------
        images : numeric ndarray of shape (at most n, height, width)

        Returns
        -------
        float32 ndarray of shape (n, D, height, width)
            Lengths of the parts, not negative, in eight times the units of the pixels per pixel.
            The next call overwrites them.
        """
        self._padded[: len(images), 1:-1, 1:-1] = images
        self._padded[len(images) :] = 0
        across, down = self._sobel()
        half, step = self._directions // 2, 2 * np.pi / self._directions
        # The first half's products e x g; those of the opposite directions have the other sign.
        for k, aside in enumerate(self._aside[:half]):
            scratch = self._aside[half + k]
            np.multiply(down, np.float32(np.cos(k * step) / np.sin(step)), out=aside)
            np.multiply(across, np.float32(np.sin(k * step) / np.sin(step)), out=scratch)
            aside -= scratch
            np.negative(aside, out=scratch)
        for k in range(self._directions):
            opposite_of_next = self._aside[(k + 1 + half) % self._directions]
            np.minimum(self._aside[k - 1], opposite_of_next, out=self._planes[:, k])
        return np.maximum(self._planes, 0, out=self._planes)

    def _sobel(self) -> tuple[Float32Array, Float32Array]:
        """Gradients along columns and rows, times eight, in memory that the planes will fill."""
        n, directions, height, width = self._planes.shape
        across, down = self._planes.reshape(directions, n, height, width)[:2]
        sums = self._sums
        self._one_two_one(width + 2)
        np.subtract(sums[:, 1:-1, 2:], sums[:, 1:-1, :-2], out=across)
        self._one_two_one(1)
        np.subtract(sums[:, 2:, 1:-1], sums[:, :-2, 1:-1], out=down)
        return across, down

    def _one_two_one(self, step: int) -> None:
        """Sum each pixel, twice, and its two neighbours, `step` pixels away.

        The padded images are taken as one long row, which NumPy is quickest with: the pixels of a
        frame get neighbours from elsewhere, or nothing.
        """
        pixels, pairs, sums = (of.ravel() for of in (self._padded, self._pairs, self._sums))
        np.add(pixels[:-step], pixels[step:], out=pairs[step:])
        np.add(pairs[step:-step], pairs[2 * step :], out=sums[step:-step])


class GradientFeatures(ImageTransformer):
    """Transformer of images into blurred planes of gradient directions.

    `GradientDecomposer` splits the gradient of each image into ``directions`` planes. A Gaussian
    blurs each plane, which is sampled on a coarse ``grid``, and a ``power`` of the result brings
    strong and weak strokes nearer to each other. The features are whole numbers of 8 bits, which
    costs no accuracy, and a quarter of the memory in training and in model files.

    Parameters
    ----------
    image_shape : (int, int) or None, default=None
        See `ImageTransformer`.
    directions : int, default=8
        A multiple of 4, from 4 to 64.
    grid : int, default=7
        Points of the grid along each side, at the middles of as many equal parts, from 1 to 32.
    smoothing : float, default=0.5
        Standard deviation of the Gaussian in steps of the grid, positive.
    power : float, default=0.5
        Of the blurred gradient's length, above 0, at most 1. The square root makes the
        variance of counts stable, which is why Gaussian kernels like it.
    n_jobs : int or None, default=None
        See `ImageTransformer`.

    Attributes
    ----------
    image_shape_, n_features_in_ : see `ImageTransformer`.

    Examples
    --------
    A bright square has no gradient but along its sides, which point inwards.

    >>> import numpy as np
    >>> square = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> square[0, 8:20, 8:20] = 255
    >>> features = GradientFeatures(directions=4).fit_transform(square.reshape(1, 784))
    >>> rightwards = features.reshape(4, 7, 7)[0]
    >>> rightwards[3].tolist()
    [21, 125, 125, 19, 0, 0, 0]
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int] | None = None,
        directions: int = 8,
        grid: int = 7,
        smoothing: float = 0.5,
        power: float = 0.5,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_jobs=n_jobs)
        self.directions = directions
        self.grid = grid
        self.smoothing = smoothing
        self.power = power

    def _check_parameters(self) -> None:
        if self.directions not in range(4, 65, 4):
            msg = f"directions must be a multiple of 4 from 4 to 64, got {self.directions!r}"
            raise ValueError(msg)
        if self.grid not in range(1, 33):
            msg = f"grid must be a number from 1 to 32, got {self.grid!r}"
            raise ValueError(msg)
        if not 0 < self.smoothing < np.inf:
            msg = f"smoothing must be positive, got {self.smoothing!r}"
            raise ValueError(msg)
        if not 0 < self.power <= 1:
            msg = f"power must be above 0 and at most 1, got {self.power!r}"
            raise ValueError(msg)

    def _transform_images(self, images: Array) -> npt.NDArray[np.uint8]:
        height, width = self.image_shape_
        planes_of = GradientDecomposer(min(BLOCK, len(images)), height, width, self.directions)
        along_rows, along_columns = (
            gaussian_axis_weights(side, self.grid, self.smoothing).astype(np.float64)
            for side in (height, width)
        )
        features = np.empty((len(images), self.directions * self.grid**2), np.uint8)
        for start in range(0, len(images), BLOCK):
            block = slice(start, start + BLOCK)
            # In float64 it does not matter in which order BLAS sums: what is rounded in the end is
            # the same whatever comes with an image, on every machine, and in an exported model.
            planes = planes_of(images[block]).reshape(-1, width).astype(np.float64)
            narrow = (planes @ along_columns.T).reshape(-1, height, self.grid)
            blurred = (along_rows @ narrow).reshape(-1, features.shape[1])[: len(images[block])]
            strengths = np.minimum(blurred / MAX_GRADIENT, 1) ** self.power
            np.rint(255 * strengths, out=features[block], casting="unsafe")
        return features


@lru_cache(maxsize=8)
def gaussian_grid_weights(height: int, width: int, grid: int, smoothing: float) -> Float32Array:
    """Weights by which `GradientFeatures` blurs a plane and samples it.

    Parameters
    ----------
    height, width : int
        Of the images.
    grid, smoothing : see `GradientFeatures`

    Returns
    -------
    float32 ndarray of shape (height * width, grid**2)
        Of all pixels for each point of the grid, adding up to 1.
    """
    along_rows, along_columns = (
        gaussian_axis_weights(side, grid, smoothing) for side in (height, width)
    )
    return np.ascontiguousarray(np.kron(along_rows, along_columns).T)


@lru_cache(maxsize=8)
def gaussian_axis_weights(side: int, grid: int, smoothing: float) -> Float32Array:
    """Weights along one axis, whose products are those of `gaussian_grid_weights`.

    Parameters
    ----------
    side : int
        Pixels along the axis.
    grid, smoothing : see `GradientFeatures`

    Returns
    -------
    float32 ndarray of shape (grid, side)
    """
    step = side / grid
    centres = step * (np.arange(grid) + 0.5) - 0.5
    distances = (np.arange(side) - centres[:, None]) / (smoothing * step)
    # Relative to the nearest pixel, so that no row of weights vanishes.
    nearest = np.abs(distances).min(axis=1, keepdims=True)
    weights = np.exp((nearest**2 - distances**2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
