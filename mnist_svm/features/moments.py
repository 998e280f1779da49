"""Centroids and second-order central moments of a batch of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import Float64Array


@dataclass(frozen=True)
class Moments:
    """Intensity moments of ``n`` images, each field a float64 ndarray of shape (n,).

    Rows are counted by i from the top, columns by j from the left, both in pixels.
    A blank image (total intensity 0) has its centroid at the middle of the frame
    and all second moments zero.

    Attributes
    ----------
    m00 : total intensity, in the units of the pixels.
    mu_i, mu_j : centroid, in pixels.
    s_ii, s_ij, s_jj : second-order central moments divided by ``m00``, in square pixels.
    """

    m00: Float64Array
    mu_i: Float64Array
    mu_j: Float64Array
    s_ii: Float64Array
    s_ij: Float64Array
    s_jj: Float64Array


def image_moments(images: npt.NDArray[np.generic]) -> Moments:
    """Moments of each image, with the pixel intensities as weights.

    Parameters
    ----------
    images : numeric ndarray of shape (n, height, width)
        Non-negative intensities in any unit.

    Returns
    -------
    Moments

    Notes
    -----
    All six sums come from one matrix product with the monomials 1, i, j, ii, ij, jj. It runs
    in float64 about the middle of the frame: in float32 the difference between a raw
    moment and the square of the centroid would lose the digits that a shear needs.

    References
    ----------
    M.-K. Hu, "Visual pattern recognition by moment invariants", IRE Transactions on
    Information Theory 8 (1962), equations 1 to 5.
    """
    n, height, width = images.shape
    centre_i, centre_j = (height - 1) / 2, (width - 1) / 2
    i, j = np.indices((height, width), dtype=np.float64).reshape(2, -1)
    i -= centre_i
    j -= centre_j
    monomials = np.stack([np.ones_like(i), i, j, i * i, i * j, j * j], axis=1)
    sums = images.reshape(n, height * width).astype(np.float64) @ monomials

    m00 = sums[:, 0]
    inked = m00 > 0
    means = np.zeros((n, 5))
    np.divide(sums[:, 1:], m00[:, None], out=means, where=inked[:, None])
    di, dj, ii, ij, jj = means.T
    return Moments(
        m00=m00,
        mu_i=di + centre_i,
        mu_j=dj + centre_j,
        s_ii=ii - di * di,
        s_ij=ij - di * dj,
        s_jj=jj - dj * dj,
    )
