"""Gradient-direction features, as in `mnist_svm.features.gradients`."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, concatenate
from mnist_svm.features.gradients import MAX_GRADIENT, gaussian_axis_weights
from mnist_svm.features.transformers import GradientFeatures


def gradient_features(images: Value, transformer: GradientFeatures) -> Value:
    """Compute blurred planes of directions: uint8 of shape (n, directions * grid**2)."""
    graph, grid = images.graph, transformer.grid
    row_weights, column_weights = (
        gaussian_axis_weights(side, grid, transformer.smoothing).astype(np.float64)
        for side in transformer.image_shape_
    )
    # The loop over planes keeps the intermediate results in the cache.
    narrow = [
        plane.astype(np.float64) @ column_weights.T
        for plane in _direction_planes(images.astype(np.float32), transformer.directions)
    ]
    blurred = [(row_weights @ plane).reshape(0, grid**2) for plane in narrow]
    lengths = graph.node("Min", concatenate(blurred, axis=1) / MAX_GRADIENT, 1)
    strengths = graph.node("Pow", lengths, transformer.power)
    return graph.node("Round", 255 * strengths).astype(np.uint8)


def _direction_planes(images: Value, directions: int) -> list[Value]:
    """Split gradients by direction, as `mnist_svm.features.gradients.GradientDecomposer`."""
    graph = images.graph
    along_columns, along_rows = _sobel(images)
    half, step = directions // 2, 2 * np.pi / directions
    cross = [
        along_rows * np.float32(np.cos(k * step) / np.sin(step))
        - along_columns * np.float32(np.sin(k * step) / np.sin(step))
        for k in range(half)
    ]
    cross += [-product for product in cross]
    return [
        graph.node("Relu", graph.node("Min", cross[k - 1], cross[(k + 1 + half) % directions]))
        for k in range(directions)
    ]


def _sobel(images: Value) -> tuple[Value, Value]:
    """Return eight times the gradients along columns and rows."""
    padded = images.pad(0, 1, 1)
    pairs = padded[:, :-1] + padded[:, 1:]
    sums = pairs[:, :-1] + pairs[:, 1:]
    along_columns = sums[:, :, 2:] - sums[:, :, :-2]
    pairs = padded[:, :, :-1] + padded[:, :, 1:]
    sums = pairs[:, :, :-1] + pairs[:, :, 1:]
    return along_columns, sums[:, 2:] - sums[:, :-2]
