"""Blur and contrast normalisation, as in `mnist_svm.features.blur` and ``contrast``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mnist_svm.export.onnx_graph.builder import Value, where
from mnist_svm.features.contrast import NORM
from mnist_svm.features.transformers import Blur, NormalizeContrast


def blur(images: Value, transformer: Blur) -> Value:
    """Blur images in float64 along each axis, as SciPy: float32 of shape (n, height, width)."""
    row_weights, column_weights = (
        _blur_matrix(side, transformer.sigma) for side in transformer.image_shape_
    )
    rows = (row_weights @ images.astype(np.float64)).astype(np.float32).astype(np.float64)
    return (rows @ column_weights.T).astype(np.float32)


def _blur_matrix(side: int, sigma: float) -> npt.NDArray[np.float64]:
    """Return the (side, side) matrix that blurs a column of pixels."""
    return np.asarray(ndimage.gaussian_filter(np.eye(side), (sigma, 0), mode="constant"))


def normalize_contrast(images: Value, transformer: NormalizeContrast) -> Value:
    """Scale images to one Euclidean norm: uint8 of shape (n, height * width)."""
    graph, (height, width) = images.graph, transformer.image_shape_
    pixels = images.reshape(0, height * width).astype(np.float64)
    norms = graph.node("ReduceL2", pixels, np.array([1]))
    scaled = pixels * where(norms > 0, NORM / norms, 0)
    return graph.node("Round", graph.node("Min", scaled, 255)).astype(np.uint8)
