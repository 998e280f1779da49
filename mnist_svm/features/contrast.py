"""Contrast normalisation: thick pens and thin ones weigh the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Array
from mnist_svm.features.base import ImageTransformer

# Of what comes out. The brightest pixels of very thin digits would then be beyond 255: those of 8
# in MNIST's 60,000 training images.
NORM = 1000


class NormalizeContrast(ImageTransformer):
    """Transformer that scales each image to a Euclidean norm of 1,000, in whole numbers of 8 bits.

    A machine that sees whole numbers only keeps its support vectors in a quarter of the bytes,
    and not one of its answers changes.

    Its parameters and attributes are those of `ImageTransformer`. Takes ``X`` of any unit, not
    negative; gives uint8, cut off at 255. A blank image stays blank.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((1, 784), 7)
    >>> NormalizeContrast().fit_transform(grey)[0, :3].tolist()
    [36, 36, 36]
    """

    def _transform_images(self, images: Array) -> npt.NDArray[np.uint8]:
        return np.rint(
            np.minimum(self._transform_images_with_reference(images, images), 255)
        ).astype(np.uint8)

    def _transform_images_with_reference(
        self, images: Array, like: Array
    ) -> npt.NDArray[np.float64]:
        """Scaled as another image is, neither rounded nor cut off: linear in the pixels."""
        pixels, others = (of.reshape(len(of), -1).astype(np.float64) for of in (images, like))
        norms = np.linalg.norm(others, axis=1, keepdims=True)
        pixels *= np.divide(NORM, norms, out=np.zeros_like(norms), where=norms > 0)
        return pixels
