"""Blurred pixels and pixels of one norm, as `mnist_svm.imaging` makes them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mnist_svm.export.onnx_graph.builder import Value, minimum, where
from mnist_svm.features.blur import Blur
from mnist_svm.features.contrast import NORM, NormalizeContrast


def blur(images: Value, part: Blur) -> Value:
    """Images blurred by a Gaussian, in float64 along each axis, as SciPy does.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    part : Blur, fitted

    Returns
    -------
    Value, float32 of shape (n, height, width)
    """
    graph, (height, width) = images.graph, part.image_shape_
    levelled = graph.node("MatMul", _band(height, part.sigma), images.astype(np.float64))
    levelled = levelled.astype(np.float32).astype(np.float64)
    return (levelled @ _band(width, part.sigma).T).astype(np.float32)


def _band(side: int, sigma: float) -> npt.NDArray[np.float64]:
    """The matrix that blurs columns of so many pixels."""
    return np.asarray(ndimage.gaussian_filter(np.eye(side), (sigma, 0), mode="constant"))


def normalize_contrast(images: Value, part: NormalizeContrast) -> Value:
    """Pixels of one Euclidean norm, in whole numbers of 8 bits.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    part : NormalizeContrast, fitted

    Returns
    -------
    Value, uint8 of shape (n, height * width)
    """
    graph, (height, width) = images.graph, part.image_shape_
    pixels = images.reshape(0, height * width).astype(np.float64)
    norms = graph.node("ReduceL2", pixels, np.array([1]))
    scaled = pixels * where(norms > 0, NORM / norms, 0)
    return graph.node("Round", minimum(scaled, 255)).astype(np.uint8)
