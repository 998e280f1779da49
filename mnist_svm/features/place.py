"""Place features: where ink lies in its line of writing, and where other ink is around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, Images

# Grid of cells along each side, and value of a feature whose cell is full of ink.
GRID, FULL = 7, 80
N_FEATURES = 2 * GRID**2


def place_features(own: Images, others: Images) -> npt.NDArray[np.uint8]:
    """Measure how full of ink the cells of a coarse grid are: uint8 of shape (n, 98), 0-80.

    Parameters
    ----------
    own, others : uint8 ndarray of shape (n, 28, 28), 0-255
        Ink that is to be judged, at its place and in its size, and the ink around it.

    The square root, as of other counts, stabilises the variance.
    """
    return np.concatenate([_cells(own), _cells(others)], axis=1)


def _cells(images: Array) -> npt.NDArray[np.uint8]:
    n, side, _ = images.shape
    step = side // GRID
    fullness = images.reshape(n, GRID, step, GRID, step).mean(axis=(2, 4)) / 255
    return np.asarray(np.rint(FULL * np.sqrt(fullness)), dtype=np.uint8).reshape(n, -1)
