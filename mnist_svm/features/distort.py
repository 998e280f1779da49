"""Random distortions that preserve the label of a digit, for augmentation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from mnist_svm._types import Array, Float32Array, Float64Array
from mnist_svm.features.base import infer_image_shape
from mnist_svm.features.parameters import check_parameters
from mnist_svm.features.sampling import sample_bilinear

# Images whose random numbers are drawn together. Changing it changes the distortions of a seed.
IMAGES_PER_DRAW = 128


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

    def __call__(self, X: npt.NDArray[np.generic], rng: np.random.RandomState) -> Float32Array:
        """Return a distorted copy of each row of ``X``.

        Parameters
        ----------
        X : numeric ndarray of shape (n, n_pixels)
            One flattened image per row, in any unit.
        rng : numpy.random.RandomState

        Returns
        -------
        float32 ndarray of shape (n, n_pixels)

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        check_parameters(self.get_params())
        shape = self.image_shape or infer_image_shape(X.shape[1])
        images = X.reshape(-1, *shape)
        out = np.empty(images.shape, np.float32)
        for start in range(0, len(images), IMAGES_PER_DRAW):
            block = slice(start, start + IMAGES_PER_DRAW)
            out[block] = self._distort_block(images[block], rng)
        return out.reshape(X.shape)

    def _distort_block(self, images: Array, rng: np.random.RandomState) -> Float32Array:
        n, height, width = images.shape
        rows, columns = np.ogrid[:height, :width]
        di, dj = rows - (height - 1) / 2, columns - (width - 1) / 2

        def draw(limit: float) -> Float64Array:
            return rng.uniform(-limit, limit, (n, 1, 1))

        angle = draw(self.rotation)
        scale_i, scale_j = 1 + draw(self.stretch), 1 + draw(self.stretch)
        i = rows + draw(self.shift) + scale_i * (di * np.cos(angle) + dj * np.sin(angle)) - di
        j = columns + draw(self.shift) + scale_j * (dj * np.cos(angle) - di * np.sin(angle)) - dj
        if self.displacement:
            i += self._displacements(rng, images.shape)
            j += self._displacements(rng, images.shape)
        return sample_bilinear(images, i, j)

    def _displacements(self, rng: np.random.RandomState, shape: tuple[int, ...]) -> Float64Array:
        """Draw smooth random displacements along one axis, of the given root mean square."""
        row_weights, column_weights = (
            _smoothing_weights(side, self.smoothness) for side in shape[1:]
        )
        smooth = row_weights @ rng.standard_normal(shape) @ column_weights.T
        return np.asarray(self.displacement * smooth)


def _smoothing_weights(side: int, sigma: float) -> Float64Array:
    """Return the (side, side) Gaussian weights that smooth white noise and keep its variance."""
    index = np.arange(side)
    weights = np.exp(-(((index[:, None] - index) / sigma) ** 2) / 2)
    return np.asarray(weights / np.sqrt((weights**2).sum(axis=1, keepdims=True)))
