"""Place features: where ink lies in its line of writing, and where other ink is around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, Images

# Grid of cells along each side, and value of a feature whose cell is full of ink.
GRID, FULL = 7, 80
N_FEATURES = 2 * GRID**2 + 2 * GRID
# Pixels of ink that touch other ink, from which the feature of half a row of cells is full.
MAX_CONTACT = 6


def place_features(own: Images, others: Images) -> npt.NDArray[np.uint8]:
    """Measure how full of ink the cells of a coarse grid are: uint8 of shape (n, 112), 0-80.

    Parameters
    ----------
    own, others : uint8 ndarray of shape (n, 28, 28), 0-255
        Ink that is to be judged, at its place and in its size, and the ink around it.

    The last 14 features tell how long the contact of both is, in each row of cells, left and right
    of the middle. The square root, as of other counts, stabilises the variance.
    """
    return np.concatenate([_cells(own), _cells(others), _contact(own, others)], axis=1)


def _cells(images: Array) -> npt.NDArray[np.uint8]:
    n, side, _ = images.shape
    step = side // GRID
    fullness = images.reshape(n, GRID, step, GRID, step).mean(axis=(2, 4)) / 255
    return np.asarray(np.rint(FULL * np.sqrt(fullness)), dtype=np.uint8).reshape(n, -1)


def _contact(own: Images, others: Images) -> npt.NDArray[np.uint8]:
    """Ink of which a neighbouring pixel is other ink."""
    n, side, _ = own.shape
    near = np.pad(others, ((0, 0), (1, 1), (1, 1)))
    near = np.maximum(np.maximum(near[:, :, :-2], near[:, :, 1:-1]), near[:, :, 2:])
    near = np.maximum(np.maximum(near[:, :-2], near[:, 1:-1]), near[:, 2:])
    halves = np.minimum(own, near).reshape(n, GRID, side // GRID, 2, side // 2)
    length = halves.sum(axis=(2, 4), dtype=np.float32) / 255
    fullness = np.minimum(length / MAX_CONTACT, 1)
    return np.asarray(np.rint(FULL * np.sqrt(fullness)), dtype=np.uint8).reshape(n, -1)
