"""Convert a fitted pipeline, by a converter for each type of step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from mnist_svm.export.onnx_graph.builder import Value
from mnist_svm.export.onnx_graph.deskew import deskew
from mnist_svm.export.onnx_graph.gradients import gradient_features
from mnist_svm.export.onnx_graph.pixels import blur, normalize_contrast
from mnist_svm.export.onnx_graph.size import normalize_size
from mnist_svm.export.onnx_graph.svc import class_confidences, decision_values
from mnist_svm.features import transformers
from mnist_svm.features.base import ImageTransformer
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors


def convert(value: Value, step: Any) -> Value:
    """Compute the output of a fitted transformer, classifier or pipeline.

    `value` has shape (n, height, width) or (n, n_features). A classifier's output is the class
    probabilities, float64 of shape (n, k).
    """
    if isinstance(step, ImageTransformer):
        value = value.reshape(0, *step.image_shape_)
    return CONVERTERS[type(step)](value, step)


def _pipeline(value: Value, pipeline: Pipeline) -> Value:
    for _, step in pipeline.steps:
        value = convert(value, step)
    return value


def _calibrated(images: Value, calibrated: Calibrated) -> Value:
    """Scale by the temperature, as `mnist_svm.svm.temperature.apply_temperature`."""
    graph, confidences = images.graph, convert(images, calibrated.estimator_)
    logs = graph.node("Log", graph.node("Max", confidences, np.finfo(np.float64).tiny))
    return graph.node("Softmax", logs / calibrated.temperature_, axis=1)


def _voting(images: Value, voting: VotingClassifier) -> Value:
    first, *others = (convert(images, estimator) for estimator in voting.estimators_)
    return sum(others, first) / (1 + len(others))


def _svc(samples: Value, svc: CoupledSVC) -> Value:
    values = decision_values(samples.reshape(0, svc.n_features_in_), svc)
    k = len(svc.classes_)
    # With two classes, a positive value favours the second one.
    return class_confidences(-values if k == 2 else values, k)


CONVERTERS: dict[type, Callable[[Value, Any], Value]] = {
    transformers.Blur: blur,
    Calibrated: _calibrated,
    CoupledSVC: _svc,
    transformers.Deskew: deskew,
    transformers.GradientFeatures: gradient_features,
    transformers.NormalizeContrast: normalize_contrast,
    transformers.NormalizeSize: normalize_size,
    Pipeline: _pipeline,
    VirtualSupportVectors: lambda images, virtual: convert(images, virtual.estimator_),
    VotingClassifier: _voting,
}
