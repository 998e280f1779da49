"""Centroids and second-order central moments of images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Float64Array

T = TypeVar("T")


@dataclass(frozen=True)
class Moments(Generic[T]):
    """Intensity moments of ``n`` images.

    Each field is a float64 array of one value per image: an ndarray of shape (n,), or a tensor of
    an exported graph. Row index i counts from the top, column index j from the left.

    Attributes
    ----------
    m00 : total intensity, in the units of the pixels.
    mu_i, mu_j : centroid, in pixels; the centre of the frame if the image is blank.
    s_ii, s_ij, s_jj : second-order central moments divided by the total intensity, in square
        pixels; zero if the image is blank.
    """

    m00: T
    mu_i: T
    mu_j: T
    s_ii: T
    s_ij: T
    s_jj: T


def image_moments(images: npt.NDArray[np.generic]) -> Moments[Float64Array]:
    """Compute the moments of images of shape (n, height, width), non-negative in any unit.

    M.-K. Hu, "Visual pattern recognition by moment invariants", IRE Transactions on Information
    Theory 8 (1962), equations 1 to 5.
    """
    n, height, width = images.shape
    pixels = images.reshape(n, height * width).astype(np.float64)
    return central_moments((pixels @ monomials((height, width))).T, (height, width))


def central_moments(sums: Any, image_shape: tuple[int, int]) -> Moments[Any]:
    """Derive the moments from the sums of pixels times each of the `monomials`."""
    m00, *others = sums
    # All sums of a blank image are zero.
    total = np.where(m00 > 0, m00, 1)
    i, j, ii, ij, jj = (weighted / total for weighted in others)
    height, width = image_shape
    return Moments(
        m00=m00,
        mu_i=i + (height - 1) / 2,
        mu_j=j + (width - 1) / 2,
        s_ii=ii - i * i,
        s_ij=ij - i * j,
        s_jj=jj - j * j,
    )


@lru_cache
def monomials(image_shape: tuple[int, int]) -> Float64Array:
    """Return 1, i, j, ii, ij, jj of each pixel as rows, relative to the centre of the frame.

    float64 and the centre as origin keep the digits that the difference between a raw moment and
    the squared centroid would lose.
    """
    height, width = image_shape
    i, j = np.indices(image_shape, dtype=np.float64).reshape(2, -1)
    i -= (height - 1) / 2
    j -= (width - 1) / 2
    return np.stack([np.ones_like(i), i, j, i * i, i * j, j * j], axis=1)
