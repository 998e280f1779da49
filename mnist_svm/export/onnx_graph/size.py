"""Size normalisation, as in `mnist_svm.features.size`."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value
from mnist_svm.export.onnx_graph.moments import image_moments
from mnist_svm.features.sampling import MARGIN
from mnist_svm.features.size import affine_map
from mnist_svm.features.transformers import NormalizeSize


def normalize_size(images: Value, transformer: NormalizeSize) -> Value:
    """Make digits upright, centred and of one size: float32 of shape (n, side, side)."""
    height, width = transformer.image_shape_
    moments = image_moments(images, transformer.image_shape_)
    shear, scale_i, scale_j = affine_map(
        moments, transformer.side, transformer.extent, transformer.upright
    )
    steps = (np.arange(transformer.side) - (transformer.side - 1) / 2)[None]
    down = scale_i * steps
    rows = _sample_rows(images, moments.mu_i + down, height)
    return _sample_columns(rows, moments.mu_j + shear * down, scale_j * steps, width)


def _sample_rows(images: Value, rows: Value, height: int) -> Value:
    """Interpolate between rows, as `mnist_svm.features.sampling.sample_rows`."""
    positions = rows.astype(np.float32).expand_dims(2)
    distances = abs(positions - np.arange(height, dtype=np.float32))
    return images.graph.node("Relu", 1 - distances) @ images.astype(np.float32)


def _sample_columns(images: Value, starts: Value, offsets: Value, width: int) -> Value:
    """Interpolate along each row, as `mnist_svm.features.sampling.sample_columns`."""
    graph = images.graph
    padded = images.pad(0, 0, MARGIN)
    columns = (starts + MARGIN).astype(np.float32).expand_dims(2)
    columns = columns + offsets.astype(np.float32).expand_dims(1)
    columns = columns.clip(MARGIN - 1.5, width + MARGIN + 0.5)
    # All positions are positive, so truncation rounds down.
    left = columns.astype(np.int32)
    samples = graph.node("GatherElements", padded, left, axis=2)
    neighbours = graph.node("GatherElements", padded, left + 1, axis=2)
    return samples + (neighbours - samples) * (columns - left.astype(np.float32))
