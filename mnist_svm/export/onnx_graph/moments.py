"""Centroids and second-order moments, as in `mnist_svm.features.moments`."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value
from mnist_svm.features.moments import Moments, central_moments, monomials


def image_moments(images: Value, image_shape: tuple[int, int]) -> Moments[Value]:
    """Compute the moments of images of shape (n, height, width), each of shape (n, 1)."""
    pixels = images.reshape(0, image_shape[0] * image_shape[1]).astype(np.float64)
    sums: Value = pixels @ monomials(image_shape)
    return central_moments(sums.split(6, axis=1), image_shape)
