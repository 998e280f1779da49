"""Gaussian blur, which makes strokes that lie a pixel apart overlap."""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Array, Float32Array


def blur(images: Array, *, sigma: float) -> Float32Array:
    """Blur images of shape (n, height, width) with a Gaussian of `sigma` pixels, zero outside."""
    # Imported here, because only some models blur, and the import takes a tenth of a second.
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(images, (0, sigma, sigma), output=np.float32, mode="constant")
    return np.asarray(blurred)
