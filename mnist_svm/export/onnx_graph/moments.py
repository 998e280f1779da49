"""Centroids and second moments, as `mnist_svm.features.moments` computes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, where


@dataclass(frozen=True)
class Moments:
    """Moments of ``n`` images, each field float64 of shape (n, 1).

    Attributes
    ----------
    mu_i, mu_j, s_ii, s_ij, s_jj : see `mnist_svm.features.moments.Moments`
    """

    mu_i: Value
    mu_j: Value
    s_ii: Value
    s_ij: Value
    s_jj: Value


def image_moments(images: Value, shape: tuple[int, int]) -> Moments:
    """Moments of each image.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    shape : (height, width)

    Returns
    -------
    Moments
    """
    height, width = shape
    centre_i, centre_j = (height - 1) / 2, (width - 1) / 2
    i, j = np.indices(shape, dtype=np.float64).reshape(2, -1)
    i -= centre_i
    j -= centre_j
    monomials = np.stack([np.ones_like(i), i, j, i * i, i * j, j * j], axis=1)
    sums = images.reshape(0, height * width).astype(np.float64) @ monomials
    m00 = sums[:, :1]
    means = where(m00 > 0, sums[:, 1:] / m00, 0)
    di, dj, ii, ij, jj = means.graph.multi_output_node(
        "Split", means, outputs=5, axis=1, num_outputs=5
    )
    return Moments(
        mu_i=di + centre_i,
        mu_j=dj + centre_j,
        s_ii=ii - di * di,
        s_ij=ij - di * dj,
        s_jj=jj - dj * dj,
    )
