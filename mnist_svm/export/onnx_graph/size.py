"""Size normalisation, as `mnist_svm.features.size` does it."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, clip, maximum, minimum, where
from mnist_svm.export.onnx_graph.moments import Moments, image_moments
from mnist_svm.features.size import MIN_SPREAD, NormalizeSize


def normalize_size(images: Value, part: NormalizeSize) -> Value:
    """Images upright, or not, centred, and of one size.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    part : NormalizeSize, fitted

    Returns
    -------
    Value, float32 of shape (n, side, side)
    """
    height, width = part.image_shape_
    moments = image_moments(images, part.image_shape_)
    shear = moments.s_ij / maximum(moments.s_ii, MIN_SPREAD) * float(part.upright)
    high, wide = _scales(moments, shear, part.extent * part.side)
    steps = (np.arange(part.side) - (part.side - 1) / 2)[None]
    down = high * steps
    slant = moments.mu_j + shear * down
    rows = _along_rows(images, moments.mu_i + down, height)
    return _along_columns(rows, slant, wide * steps, width)


def _scales(moments: Moments, shear: Value, spread: float) -> tuple[Value, Value]:
    """How many rows and columns of each image, when sheared, make one of the result's."""
    graph = shear.graph
    s_jj = moments.s_jj - 2 * shear * moments.s_ij + shear * shear * moments.s_ii
    height, width = (
        graph.node("Sqrt", maximum(spread_of, MIN_SPREAD)) for spread_of in (moments.s_ii, s_jj)
    )
    longer = maximum(height, width)
    ratio = minimum(height, width) / longer
    shorter_becomes = graph.node("Sqrt", graph.node("Sin", ratio * np.pi / 2)) * spread
    high, wide = (side / where(side >= longer, spread, shorter_becomes) for side in (height, width))
    return high, wide


def _along_rows(images: Value, rows: Value, height: int) -> Value:
    """Interpolate linearly at rows (n, m), zero outside: one matrix product for each image."""
    graph = images.graph
    places = graph.node("Unsqueeze", rows.astype(np.float32), np.array([2]))
    distances = abs(places - np.arange(height, dtype=np.float32))
    weights = graph.node("Relu", 1 - distances)
    return weights @ images.astype(np.float32)


def _along_columns(images: Value, first: Value, further: Value, width: int) -> Value:
    """Interpolate linearly along each row at ``first + further``, zero outside."""
    graph = images.graph
    padded = images.pad([0, 0, 2], [0, 0, 2])
    starts = graph.node("Unsqueeze", (first + 2).astype(np.float32), np.array([2]))
    steps = graph.node("Unsqueeze", further.astype(np.float32), np.array([1]))
    columns = clip(starts + steps, 0.5, width + 2.5)
    # Positive, so that cutting off the fraction rounds down.
    left = columns.astype(np.int32)
    columns = columns - left.astype(np.float32)
    one = graph.node("GatherElements", padded, left, axis=2)
    other = graph.node("GatherElements", padded, left + 1, axis=2)
    return one + (other - one) * columns
