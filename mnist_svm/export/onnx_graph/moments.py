"""Centroids and second-order moments, as in `mnist_svm.features.moments`."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, where
from mnist_svm.features.moments import Moments, monomials


def image_moments(images: Value, image_shape: tuple[int, int]) -> Moments[Value]:
    """Compute the moments of each image.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    image_shape : (height, width)

    Returns
    -------
    Moments of float64 values of shape (n, 1)
    """
    pixels = images.reshape(0, image_shape[0] * image_shape[1]).astype(np.float64)
    sums = pixels @ monomials(image_shape)
    m00 = sums[:, :1]
    means = where(m00 > 0, sums[:, 1:] / m00, 0)
    columns = images.graph.multi_output_node("Split", means, n_outputs=5, axis=1, num_outputs=5)
    return Moments.from_means(m00, columns, image_shape)
