"""Linear and bilinear interpolation of images, zero outside the frame.

One function per access pattern, each much faster than a general sampler: whole rows (`shift`), one
matrix product per image (`sample_rows`), two neighbours per pixel (`sample_columns`), and four
neighbours per pixel (`sample_bilinear`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from mnist_svm._types import Array, Float32Array, Float64Array

# Zeros on each side of a padded axis, so that both neighbours of a clipped position exist.
MARGIN = 2


def shift(rows: npt.NDArray[np.generic], distances: Float64Array) -> Float32Array:
    """Interpolate linearly along axis 1 at ``index + distance``.

    `rows` has shape (n, length, ...), `distances` shape (n,), and the result the shape of `rows`.
    """
    n, length, *rest = rows.shape
    # Shifted further, nothing is left, and the padding stays small.
    distances = np.clip(distances, -length - 1, length)
    offsets = np.floor(distances).astype(np.intp)
    before, after = max(-int(offsets.min()), 0), max(int(offsets.max()) + 1, 0)
    padded = np.zeros((n, before + length + after, *rest), np.float32)
    padded[:, before : before + length] = rows
    windows = np.moveaxis(sliding_window_view(padded, length + 1, axis=1), -1, 2)
    window = windows[np.arange(n), offsets + before]

    fraction = (distances - offsets).astype(np.float32).reshape(n, *[1] * (1 + len(rest)))
    shifted: Float32Array = window[:, :-1] * (1 - fraction)
    shifted += window[:, 1:] * fraction
    return shifted


def sample_rows(images: Array, rows: Float64Array) -> Float32Array:
    """Interpolate linearly between the rows of each image.

    `images` has shape (n, height, width), `rows` shape (n, m): row positions, the same for all
    columns of an image. The result has shape (n, m, width).
    """
    distances = rows.astype(np.float32)[:, :, None] - np.arange(images.shape[1], dtype=np.float32)
    np.abs(distances, out=distances)
    weights = np.maximum(1 - distances, 0)
    return np.asarray(weights @ images.astype(np.float32, copy=False))


def sample_columns(
    images: Float32Array, starts: Float64Array, offsets: Float64Array
) -> Float32Array:
    """Interpolate linearly along each row at column ``start + offset``.

    `images` has shape (n, height, width), `starts` shape (n, height), `offsets` shape (n, m): the
    same for all rows of an image. The result has shape (n, height, m).
    """
    n, height, width = images.shape
    pixels = _pad(images, 0, MARGIN)
    columns = (starts + MARGIN).astype(np.float32)[:, :, None]
    columns = columns + offsets.astype(np.float32)[:, None, :]
    np.clip(columns, MARGIN - 1.5, width + MARGIN + 0.5, out=columns)
    # All positions are positive, so truncation rounds down.
    left = columns.astype(np.intp)
    columns -= left
    left += pixels.shape[2] * np.arange(n * height).reshape(n, height, 1)
    pixels = pixels.ravel()
    samples = pixels.take(left)
    left += 1
    difference = pixels.take(left)
    difference -= samples
    difference *= columns
    return np.asarray(samples + difference)


def sample_bilinear(images: Array, i: Float64Array, j: Float64Array) -> Float32Array:
    """Interpolate each image at rows i and columns j.

    All arrays have shape (n, height, width).
    """
    n, height, width = images.shape
    padded = _pad(images, MARGIN, MARGIN)
    i, j = np.clip(i, -1.5, height + 0.5), np.clip(j, -1.5, width + 0.5)
    above, left = np.floor(i).astype(np.intp), np.floor(j).astype(np.intp)
    down, right = (i - above).astype(np.float32), (j - left).astype(np.float32)
    stride = padded.shape[2]
    first = (np.arange(n) * padded[0].size)[:, None, None]
    index = first + (above + MARGIN) * stride + left + MARGIN
    pixels = padded.ravel()
    upper = pixels.take(index) * (1 - right) + pixels.take(index + 1) * right
    lower = pixels.take(index + stride) * (1 - right) + pixels.take(index + stride + 1) * right
    return np.asarray(upper * (1 - down) + lower * down)


def _pad(images: Array, rows: int, columns: int) -> Float32Array:
    n, height, width = images.shape
    padded = np.zeros((n, height + 2 * rows, width + 2 * columns), np.float32)
    padded[:, rows : rows + height, columns : columns + width] = images
    return padded
