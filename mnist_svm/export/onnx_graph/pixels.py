"""Blur and contrast normalisation, as in `mnist_svm.features.blur` and ``contrast``."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mnist_svm.export.onnx_graph.builder import Value, where
from mnist_svm.features.contrast import NORM
from mnist_svm.features.transformers import Blur, NormalizeContrast


def blur(images: Value, transformer: Blur) -> Value:
    """Blur images in float64 along each axis, as SciPy: float32 of shape (n, height, width)."""
    # Matrices of shape (side, side) that blur a column of pixels.
    row_weights, column_weights = (
        ndimage.gaussian_filter(np.eye(side), (transformer.sigma, 0), mode="constant")
        for side in transformer.image_shape_
    )
    rows = (row_weights @ images.astype(np.float64)).astype(np.float32).astype(np.float64)
    blurred: Value = rows @ column_weights.T
    return blurred.astype(np.float32)


def normalize_contrast(images: Value, transformer: NormalizeContrast) -> Value:
    """Scale images to one Euclidean norm: uint8 of shape (n, height * width)."""
    graph, (height, width) = images.graph, transformer.image_shape_
    pixels = images.reshape(0, height * width).astype(np.float64)
    norms = graph.node("ReduceL2", pixels, np.array([1]))
    scaled = pixels * where(norms > 0, NORM / norms, 0)
    return graph.node("Round", graph.node("Min", scaled, 255)).astype(np.uint8)
