"""Contrast normalisation: equal norms for thick and thin pens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, Float64Array

# Euclidean norm of the output before rounding. Only 8 of MNIST's 60,000 training images, very thin
# digits, then have pixels above 255.
NORM = 1000


def normalize_contrast(images: Array) -> npt.NDArray[np.uint8]:
    """Scale each image to a Euclidean norm of 1,000: uint8, rounded, clipped at 255."""
    return np.rint(np.minimum(scale_to_norm(images, images), 255)).astype(np.uint8)


def scale_to_norm(images: Array, reference: Array) -> Float64Array:
    """Scale images by the factors that give `reference` a norm of 1,000, without rounding.

    `reference` has as many images, or one for all. A blank image becomes blank.
    """
    pixels, reference_pixels = (
        array.reshape(len(array), -1).astype(np.float64) for array in (images, reference)
    )
    norms = np.linalg.norm(reference_pixels, axis=1, keepdims=True)
    pixels *= np.divide(NORM, norms, out=np.zeros_like(norms), where=norms > 0)
    return pixels
