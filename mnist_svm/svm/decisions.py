"""Decision values of all pairs of classes, each support vector met once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import delayed

from mnist_svm.constants import Float64Array, FloatArray
from mnist_svm.parallel.threads import Workers
from mnist_svm.svm._solver.frame import Frame
from mnist_svm.svm.kernels import Kernel, squared_norms

# Rows at a time. BLAS computes the edges of a block by other code than its middle, which may sum in
# another order, so that the last digits of a row would depend on its place among others. So there
# are rows of zeros before and after, up to a multiple of the tiles that BLAS cuts.
GUARD = 8
ROWS_PER_BLOCK = 304


class Expansion:
    """Kernel expansions of all pairs, a block of rows at a time.

    Times the k - 1 dual coefficients that it has, a support vector gives what its class
    contributes to its pairs with the others. What does not depend on the rows is computed once.

    Parameters
    ----------
    kernel : Kernel
    vectors : k numeric ndarrays of shape (n_of_class, n_features)
        Support vectors of each class.
    dual_coef : k float64 ndarrays of shape (k - 1, n_of_class)
        Row: the other classes, in order.
    dtype : float32 or float64
        In which kernel values are computed; sums are in float64.
    """

    def __init__(
        self,
        kernel: Kernel,
        vectors: Sequence[npt.NDArray[Any]],
        dual_coef: Sequence[Float64Array],
        dtype: np.dtype[Any],
    ) -> None:
        # What is zero in all of them takes no part in an inner product.
        used = None
        if kernel.name != "rbf":
            used = np.flatnonzero(np.any([of_class.any(axis=0) for of_class in vectors], axis=0))
        sums = [of_class.sum(axis=0, dtype=np.float64) for of_class in vectors]
        centre = np.sum(sums, axis=0) / sum(map(len, vectors))
        self._frame = Frame(kernel, centre, used, dtype)
        self._factors = []
        for of_class, coef in zip(vectors, dual_coef, strict=True):
            points = self._frame.points(of_class)
            left = kernel.left(points, squared_norms(points))
            self._factors.append((np.ascontiguousarray(coef), left))

    def values(self, rows: npt.NDArray[Any], workers: Workers) -> Float64Array:
        """The expansions of all pairs in some rows.

        Parameters
        ----------
        rows : numeric ndarray of shape (n, n_features)
        workers : Workers

        Returns
        -------
        float64 ndarray of shape (n, k (k - 1) / 2)
        """
        values = workers(
            delayed(_expand_block)(self._frame, rows[start : start + ROWS_PER_BLOCK], self._factors)
            for start in range(0, len(rows), ROWS_PER_BLOCK)
        )
        return np.concatenate(list(values))


def _expand_block(
    frame: Frame, rows: npt.NDArray[Any], factors: list[tuple[Float64Array, FloatArray]]
) -> Float64Array:
    points = frame.points(rows)
    points = np.pad(points, ((GUARD, GUARD + -len(rows) % GUARD), (0, 0)))
    right = frame.kernel.right(points, squared_norms(points))
    middle = slice(GUARD, GUARD + len(rows))
    sums = [frame.kernel.weigh(coef, left, right) for coef, left in factors]
    return coupled([part[:, middle].T.astype(np.float64) for part in sums])


def coupled(parts: Sequence[Float64Array]) -> Float64Array:
    """Sums for all pairs from what each class contributes to its pairs with the others.

    Parameters
    ----------
    parts : k float64 ndarrays of shape (n, k - 1)
        Column: the other classes, in order.

    Returns
    -------
    float64 ndarray of shape (n, k (k - 1) / 2)
    """
    return np.stack(
        [parts[a][:, b - 1] + parts[b][:, a] for a, b in combinations(range(len(parts)), 2)], axis=1
    )
