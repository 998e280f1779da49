"""Small distortions that leave a digit what it is: for virtual support vectors."""

from __future__ import annotations

from math import inf

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from mnist_svm.constants import Array, Float32Array
from mnist_svm.features.base import infer_image_shape

# Array per block.
BLOCK = 128


class Distortion(BaseEstimator):  # type: ignore[misc]
    """Random affine and elastic distortions of images, as a callable.

    Each image is rotated, stretched and shifted about its centre by amounts drawn uniformly from
    the ranges below, and each pixel is displaced by a random field that is smooth over the image.
    All of it is one bilinear resampling. As an estimator it has parameters that ``set_params``,
    ``clone`` and ``GridSearchCV`` reach, alone or inside a `VirtualSupportVectors`.

    Parameters
    ----------
    displacement : float, default=0.0
        Root mean square of the elastic displacement along each axis, in pixels.
    smoothness : float, default=5.0
        Standard deviation of the Gaussian that smooths the displacement field, in pixels.
    rotation : float, default=0.0
        Maximum angle, in radians.
    stretch : float, default=0.0
        Maximum relative change of the height, and independently of the width.
    shift : float, default=0.0
        Maximum shift along each axis, in pixels.
    image_shape : (int, int) or None, default=None
        Height and width; None takes the most nearly square shape.

    References
    ----------
    P. Y. Simard, D. Steinkraus, J. C. Platt, "Best practices for convolutional neural networks
    applied to visual document analysis", ICDAR (2003), section 2, for the elastic field.

    Examples
    --------
    >>> Distortion(rotation=0.1).set_params(shift=1.0)
    Distortion(rotation=0.1, shift=1.0)
    """

    def __init__(
        self,
        *,
        displacement: float = 0.0,
        smoothness: float = 5.0,
        rotation: float = 0.0,
        stretch: float = 0.0,
        shift: float = 0.0,
        image_shape: tuple[int, int] | None = None,
    ) -> None:
        self.displacement = displacement
        self.smoothness = smoothness
        self.rotation = rotation
        self.stretch = stretch
        self.shift = shift
        self.image_shape = image_shape

    def _check_parameters(self) -> None:
        """Raise ValueError if a parameter is out of range."""
        if not 0 < self.smoothness < inf:
            msg = f"smoothness must be positive, got {self.smoothness!r}"
            raise ValueError(msg)
        for name in ("displacement", "rotation", "stretch", "shift"):
            value = getattr(self, name)
            if not 0 <= value < inf:
                msg = f"{name} must be a finite number of at least 0, got {value!r}"
                raise ValueError(msg)

    def __call__(self, X: npt.NDArray[np.generic], rng: np.random.RandomState) -> Float32Array:
        """A distorted copy of each row of ``X``.

        Parameters
        ----------
        X : numeric ndarray of shape (n, n_pixels)
            One flattened image a row, of any unit.
        rng : numpy.random.RandomState

        Returns
        -------
        float32 ndarray of shape (n, n_pixels)

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        self._check_parameters()
        shape = self.image_shape or infer_image_shape(X.shape[1])
        images = X.reshape(-1, *shape)
        out = np.empty(images.shape, np.float32)
        for start in range(0, len(images), BLOCK):
            block = slice(start, start + BLOCK)
            out[block] = self._of_block(images[block], rng)
        return out.reshape(X.shape)

    def _of_block(self, images: Array, rng: np.random.RandomState) -> Float32Array:
        n, height, width = images.shape
        rows, columns = np.ogrid[:height, :width]
        di, dj = rows - (height - 1) / 2, columns - (width - 1) / 2

        def drawn(most: float) -> npt.NDArray[np.float64]:
            return rng.uniform(-most, most, (n, 1, 1))

        angle = drawn(self.rotation)
        taller, wider = 1 + drawn(self.stretch), 1 + drawn(self.stretch)
        i = rows + drawn(self.shift) + taller * (di * np.cos(angle) + dj * np.sin(angle)) - di
        j = columns + drawn(self.shift) + wider * (dj * np.cos(angle) - di * np.sin(angle)) - dj
        if self.displacement:
            i += self._field(rng, n, height, width)
            j += self._field(rng, n, height, width)
        return _bilinear(images, i, j)

    def _field(
        self, rng: np.random.RandomState, n: int, height: int, width: int
    ) -> npt.NDArray[np.float64]:
        """Smooth random displacements: at each pixel, their mean square is as it should be."""
        noise = rng.standard_normal((n, height, width))
        smooth = _smoother(height, self.smoothness) @ noise @ _smoother(width, self.smoothness).T
        return np.asarray(self.displacement * smooth)


def _smoother(side: int, sigma: float) -> npt.NDArray[np.float64]:
    """Gaussian weights that make white noise smooth and keep its variance."""
    at = np.arange(side)
    weights = np.exp(-(((at[:, None] - at) / sigma) ** 2) / 2)
    return np.asarray(weights / np.sqrt((weights**2).sum(axis=1, keepdims=True)))


def _bilinear(
    images: Array, i: npt.NDArray[np.float64], j: npt.NDArray[np.float64]
) -> Float32Array:
    """Interpolate images at rows i and columns j of shape (n, height, width), zero outside."""
    n, height, width = images.shape
    padded = np.zeros((n, height + 4, width + 4), np.float32)
    padded[:, 2:-2, 2:-2] = images
    pixels = padded.ravel()
    i, j = np.clip(i, -1.5, height + 0.5), np.clip(j, -1.5, width + 0.5)
    above, left = np.floor(i).astype(np.intp), np.floor(j).astype(np.intp)
    down, right = (i - above).astype(np.float32), (j - left).astype(np.float32)
    row = width + 4
    at = (np.arange(n) * padded[0].size)[:, None, None] + (above + 2) * row + left + 2
    upper = pixels.take(at) * (1 - right) + pixels.take(at + 1) * right
    lower = pixels.take(at + row) * (1 - right) + pixels.take(at + row + 1) * right
    return np.asarray(upper * (1 - down) + lower * down)
