"""Shear removal, as `mnist_svm.features.deskew` does it."""

from __future__ import annotations

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value, clip, where
from mnist_svm.export.onnx_graph.moments import image_moments
from mnist_svm.features.deskew import MAX_PASSES, MIN_VERTICAL_SPREAD, UPRIGHT, Deskew

Shape = tuple[int, int]


def deskew(images: Value, part: Deskew) -> Value:
    """Images upright and centred.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    part : Deskew, fitted

    Returns
    -------
    Value, float32 of shape (n, height, width)
    """
    graph, shape = images.graph, part.image_shape_
    moments = image_moments(images, shape)
    spread = where(moments.s_ii >= MIN_VERTICAL_SPREAD, moments.s_ii, np.inf)
    shear = moments.s_ij / spread
    out = _resample(images, moments.mu_i, moments.mu_j, shear, shape)

    # Few lean still. What is done to them again changes nothing of one that leans no more.
    is_leaning = abs(image_moments(out, shape).s_ij / spread) > UPRIGHT
    found = graph.node("NonZero", is_leaning.reshape(0), dtype=np.int64)
    leaning = graph.node("Squeeze", found, np.array([0]))
    some, mu_i, mu_j, spread, shear, again = (
        of_all.take(leaning, axis=0)
        for of_all in (images, moments.mu_i, moments.mu_j, spread, shear, out)
    )
    for _ in range(MAX_PASSES):
        left = image_moments(again, shape).s_ij / spread
        shear = where(abs(left) > UPRIGHT, shear + left, shear)
        again = _resample(some, mu_i, mu_j, shear, shape)
    return graph.node("ScatterND", out, leaning.reshape(0, 1), again)


def _resample(images: Value, mu_i: Value, mu_j: Value, shear: Value, shape: Shape) -> Value:
    """Sample images bilinearly: shifted along the rows, then each row along the columns."""
    height, width = shape
    down = mu_i - (height - 1) / 2
    across = shear * (np.arange(height) - (height - 1) / 2)[None] + (mu_j - (width - 1) / 2)
    return _shift_rows(_shift_images(images, down, height), across, shape)


def _shift_images(images: Value, by: Value, height: int) -> Value:
    """Resample each image along its rows' axis at ``index + by``, linearly, zero outside."""
    at, fraction = _places(by, height)
    padded = images.pad([0, 1, 0], [0, 1, 0])
    taken = images.graph.node("GatherND", padded, at.reshape(0, height + 1, 1), batch_dims=1)
    return _between(taken.astype(np.float32), fraction.reshape(0, 1, 1), axis=1)


def _shift_rows(images: Value, by: Value, shape: Shape) -> Value:
    """Resample each row of each image at ``index + by``, linearly, zero outside."""
    height, width = shape
    at, fraction = _places(by.reshape(0, height, 1), width)
    padded = images.pad([0, 0, 1], [0, 0, 1])
    taken = images.graph.node("GatherElements", padded, at, axis=2)
    return _between(taken, fraction, axis=2)


def _places(by: Value, length: int) -> tuple[Value, Value]:
    """Indices of what ``length`` samples and one more come from, a zero on each side; fractions."""
    by = clip(by, -length - 1, length)
    whole = by.graph.node("Floor", by)
    # Further out than the zeros on each side there are more of them.
    at = clip(whole.astype(np.int64) + (np.arange(length + 1) + 1), 0, length + 1)
    return at, (by - whole).astype(np.float32)


def _between(taken: Value, fraction: Value, axis: int) -> Value:
    """A part of each sample along an axis, and the rest of the next one."""
    before = (slice(None),) * axis
    shifted = taken[(*before, slice(0, -1))] * (1 - fraction)
    return shifted + taken[(*before, slice(1, None))] * fraction
