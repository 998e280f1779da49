"""Gradient-direction features, as `mnist_svm.features.gradients` computes them."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, concatenate, minimum
from mnist_svm.features.gradients import MAX_GRADIENT, GradientFeatures, gaussian_axis_weights


def gradient_features(images: Value, part: GradientFeatures) -> Value:
    """Blurred planes of gradient directions, in whole numbers of 8 bits.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    part : GradientFeatures, fitted

    Returns
    -------
    Value, uint8 of shape (n, directions * grid**2)
    """
    graph = images.graph
    along_rows, along_columns = (
        gaussian_axis_weights(side, part.grid, part.smoothing).astype(np.float64)
        for side in part.image_shape_
    )
    # One after the other, they stay in the cache.
    narrow = [
        plane.astype(np.float64) @ along_columns.T
        for plane in _planes(images.astype(np.float32), part.directions)
    ]
    blurred = [graph.node("MatMul", along_rows, plane).reshape(0, part.grid**2) for plane in narrow]
    limited = minimum(concatenate(blurred, axis=1) / MAX_GRADIENT, 1)
    return graph.node("Round", 255 * graph.node("Pow", limited, part.power)).astype(np.uint8)


def _planes(images: Value, directions: int) -> list[Value]:
    """Parts of the gradients along each direction; see `mnist_svm.features.gradients`."""
    graph = images.graph
    across, down = _sobel(images)
    half, step = directions // 2, 2 * np.pi / directions
    aside = []
    for k in range(half):
        cotangent, ratio = (np.float32(of(k * step) / np.sin(step)) for of in (np.cos, np.sin))
        aside.append(down * cotangent - across * ratio)
    aside += [-opposite for opposite in aside]
    return [
        graph.node("Relu", minimum(aside[k - 1], aside[(k + 1 + half) % directions]))
        for k in range(directions)
    ]


def _sobel(images: Value) -> tuple[Value, Value]:
    """Gradients along columns and rows, times eight."""
    padded = images.pad([0, 1, 1], [0, 1, 1])
    pairs = padded[:, :-1] + padded[:, 1:]
    sums = pairs[:, :-1] + pairs[:, 1:]
    across = sums[:, :, 2:] - sums[:, :, :-2]
    pairs = padded[:, :, :-1] + padded[:, :, 1:]
    sums = pairs[:, :, :-1] + pairs[:, :, 1:]
    down = sums[:, 2:] - sums[:, :-2]
    return across, down
