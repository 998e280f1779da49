"""Deskewing, as in `mnist_svm.features.deskew`."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, where
from mnist_svm.export.onnx_graph.moments import image_moments
from mnist_svm.features.deskew import MAX_PASSES, MAX_REMAINING_SHEAR, MIN_VERTICAL_SPREAD
from mnist_svm.features.transformers import Deskew

Shape = tuple[int, int]


def deskew(images: Value, transformer: Deskew) -> Value:
    """Make images upright and centred: float32 of shape (n, height, width)."""
    graph, shape = images.graph, transformer.image_shape_
    moments = image_moments(images, shape)
    mu_i, mu_j = moments.mu_i, moments.mu_j
    spread = where(moments.s_ii >= MIN_VERTICAL_SPREAD, moments.s_ii, np.inf)
    shear = moments.s_ij / spread
    out = _resample(images, mu_i, mu_j, shear, shape)

    # Only the few images that still lean are sampled again, each until its shear stays the same.
    is_leaning = abs(image_moments(out, shape).s_ij / spread) > MAX_REMAINING_SHEAR
    indices = graph.node("NonZero", is_leaning.reshape(0), dtype=np.int64)
    leaning = graph.node("Squeeze", indices, np.array([0]))
    images, mu_i, mu_j, spread, shear, resampled = (
        value.take(leaning, axis=0) for value in (images, mu_i, mu_j, spread, shear, out)
    )
    for _ in range(MAX_PASSES):
        remaining = image_moments(resampled, shape).s_ij / spread
        shear = where(abs(remaining) > MAX_REMAINING_SHEAR, shear + remaining, shear)
        resampled = _resample(images, mu_i, mu_j, shear, shape)
    return graph.node("ScatterND", out, leaning.reshape(0, 1), resampled)


def _resample(images: Value, mu_i: Value, mu_j: Value, shear: Value, shape: Shape) -> Value:
    """Sample bilinearly: shift images along the rows, then each row along the columns."""
    height, width = shape
    down = mu_i - (height - 1) / 2
    across = shear * (np.arange(height) - (height - 1) / 2)[None] + (mu_j - (width - 1) / 2)
    return _shift_rows(_shift_images(images, down, height), across, shape)


def _shift_images(images: Value, distances: Value, height: int) -> Value:
    """Interpolate each image linearly along axis 1 at ``index + distance``, zero outside."""
    indices, fraction = _sample_positions(distances, height)
    indices = indices.reshape(0, height + 1, 1)
    samples = images.graph.node("GatherND", images.pad(0, 1, 0), indices, batch_dims=1)
    samples, fraction = samples.astype(np.float32), fraction.reshape(0, 1, 1)
    return samples[:, :-1] * (1 - fraction) + samples[:, 1:] * fraction


def _shift_rows(images: Value, distances: Value, shape: Shape) -> Value:
    """Interpolate each row linearly at ``index + distance``, zero outside."""
    height, width = shape
    indices, fraction = _sample_positions(distances.reshape(0, height, 1), width)
    samples = images.graph.node("GatherElements", images.pad(0, 0, 1), indices, axis=2)
    return samples[:, :, :-1] * (1 - fraction) + samples[:, :, 1:] * fraction


def _sample_positions(distances: Value, length: int) -> tuple[Value, Value]:
    """Return length + 1 indices into an axis padded by one zero per side, and the fractions."""
    distances = distances.clip(-length - 1, length)
    offsets = distances.graph.node("Floor", distances)
    # Indices beyond the padding are moved to it; it is zero, too.
    indices = (offsets.astype(np.int64) + (np.arange(length + 1) + 1)).clip(0, length + 1)
    return indices, (distances - offsets).astype(np.float32)
