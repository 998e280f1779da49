"""Gaussian blur, which makes strokes that lie a pixel apart overlap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mnist_svm._types import Array
from mnist_svm.features.base import ImageTransformer, require_parameter


class Blur(ImageTransformer):
    """Transformer that blurs images with a Gaussian.

    A kernel on pixels compares images pixel by pixel. A slight blur makes it tolerate strokes
    shifted by a fraction of a pixel, and reduces the number of support vectors. Takes non-negative
    ``X`` in any unit and returns float32 of the same unit and shape. Images are zero outside the
    frame.

    Parameters
    ----------
    sigma : float, default=0.6
        Standard deviation of the Gaussian in pixels, from 0 to 10.
    image_shape, n_jobs
        See `ImageTransformer`, also for the attributes.

    Examples
    --------
    >>> point = np.zeros((1, 9))
    >>> point[0, 4] = 100
    >>> Blur(sigma=0.6).fit_transform(point).round().reshape(3, 3)
    array([[ 3., 11.,  3.],
           [11., 44., 11.],
           [ 3., 11.,  3.]], dtype=float32)
    """

    def __init__(
        self,
        *,
        sigma: float = 0.6,
        image_shape: tuple[int, int] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_jobs=n_jobs)
        self.sigma = sigma

    def _check_parameters(self) -> None:
        require_parameter(self, "sigma", 0 <= self.sigma <= 10, "from 0 to 10")

    def _transform_images(self, images: Array) -> npt.NDArray[np.float32]:
        sigma = (0, self.sigma, self.sigma)
        return np.asarray(
            ndimage.gaussian_filter(images, sigma, output=np.float32, mode="constant")
        )
