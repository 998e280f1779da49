"""Slant and proportion, as in `mnist_svm.features.shape`."""

from __future__ import annotations

import numpy as np

from mnist_svm.constants import WHITE
from mnist_svm.export.onnx_graph.builder import Value, concatenate
from mnist_svm.export.onnx_graph.moments import image_moments
from mnist_svm.features.shape import shape_ratios
from mnist_svm.features.transformers import ShapeFeatures


def shape_features(images: Value, transformer: ShapeFeatures) -> Value:
    """Measure slant and proportion: uint8 of shape (n, 2)."""
    slant, proportion = shape_ratios(image_moments(images, transformer.image_shape_))
    values = [slant * transformer.weight + WHITE / 2, proportion * transformer.weight]
    scaled = concatenate(values, axis=1).clip(0, WHITE)
    return images.graph.node("Round", scaled).astype(np.uint8)
