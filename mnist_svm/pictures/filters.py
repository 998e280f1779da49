"""Greatest and least values in square windows, exactly as scipy.ndimage finds them, but faster.

A window of 2 k values is two windows of k values, so that the number of passes grows with the
logarithm of the size, and each pass is one vectorised operation.
"""

from __future__ import annotations

import numpy as np

from mnist_svm._types import Array, Float32Array

# Values that are filtered at a time: few enough to stay in the cache.
VALUES_PER_BLOCK = 1 << 15


def maximum_filter(image: Array, size: int) -> Array:
    """Greatest value in the square of odd `size` around each pixel, as far as it is in the image.

    `image` has shape (height, width), and any type that can be compared.
    """
    return _along(np.maximum, _along(np.maximum, image, size, 0), size, 1)


def closing(image: Float32Array, size: int) -> Float32Array:
    """Grey-scale closing of an image, of shape (height, width), by a square of odd `size`."""
    greatest = maximum_filter(image, size)
    return np.asarray(_along(np.minimum, _along(np.minimum, greatest, size, 0), size, 1))


def close_line(values: Float32Array, size: int) -> Float32Array:
    """Grey-scale closing of a line of pixels, of shape (n,), by a window of odd `size`."""
    greatest = _along(np.maximum, values[:, None], size, 0)
    return np.asarray(_along(np.minimum, greatest, size, 0)[:, 0])


def _along(extreme: np.ufunc, image: Array, size: int, axis: int) -> Array:
    """The extreme value in a window of odd `size` along an axis."""
    out = np.empty_like(image)
    lines, target = (image, out) if axis == 0 else (image.T, out.T)
    n, half = len(lines), size // 2
    step = max(VALUES_PER_BLOCK // (n + size), 1)
    for start in range(0, lines.shape[1], step):
        block = slice(start, start + step)
        # In the order of the image in memory. Repeated values at its border change no extreme.
        inner = lines[:, block]
        part = np.empty_like(inner, shape=(n + 2 * half, inner.shape[1]))
        part[:half], part[half : half + n], part[half + n :] = inner[0], inner, inner[-1]
        width = 1
        while 2 * width <= size:
            part = extreme(part[:-width], part[width:])
            width *= 2
        rest = size - width
        extreme(part[:n], part[rest : rest + n], out=target[:, block])
    return out
