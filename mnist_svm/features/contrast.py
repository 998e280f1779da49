"""Contrast normalisation: equal norms for thick and thin pens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array
from mnist_svm.features.base import ImageTransformer

# Euclidean norm of the output before rounding. Only 8 of MNIST's 60,000 training images, very thin
# digits, then have pixels above 255.
NORM = 1000


class NormalizeContrast(ImageTransformer):
    """Transformer that scales each image to a Euclidean norm of 1,000, rounded to uint8.

    An SVM trained on uint8 features stores its support vectors in a quarter of the bytes of
    float32, and predicts the same labels.

    Takes non-negative ``X`` in any unit; returns uint8, clipped at 255. A blank image stays blank.
    Parameters and attributes are those of `ImageTransformer`.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((1, 784), 7)
    >>> NormalizeContrast().fit_transform(grey)[0, :3].tolist()
    [36, 36, 36]
    """

    def _transform_images(self, images: Array) -> npt.NDArray[np.uint8]:
        scaled = self._transform_images_with_reference(images, images)
        return np.rint(np.minimum(scaled, 255)).astype(np.uint8)

    def _transform_images_with_reference(
        self, images: Array, reference: Array
    ) -> npt.NDArray[np.float64]:
        """Scale without rounding or clipping, which is linear in the pixels."""
        pixels, reference_pixels = (
            array.reshape(len(array), -1).astype(np.float64) for array in (images, reference)
        )
        norms = np.linalg.norm(reference_pixels, axis=1, keepdims=True)
        pixels *= np.divide(NORM, norms, out=np.zeros_like(norms), where=norms > 0)
        return pixels
