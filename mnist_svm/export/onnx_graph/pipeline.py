"""Convert a fitted pipeline to a graph, by a converter function for each type of step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from mnist_svm.exceptions import FormatError
from mnist_svm.export.onnx_graph.builder import Value
from mnist_svm.export.onnx_graph.deskew import deskew
from mnist_svm.export.onnx_graph.gradients import gradient_features
from mnist_svm.export.onnx_graph.pixels import blur, normalize_contrast
from mnist_svm.export.onnx_graph.size import normalize_size
from mnist_svm.export.onnx_graph.svc import class_confidences, decision_values
from mnist_svm.features.blur import Blur
from mnist_svm.features.contrast import NormalizeContrast
from mnist_svm.features.deskew import Deskew
from mnist_svm.features.gradients import GradientFeatures
from mnist_svm.features.size import NormalizeSize
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors

# From the input of a step and the fitted step to its output.
Converter = Callable[[Value, Any], Value]


def predict_proba(images: Value, classifier: Any) -> Value:
    """Compute the class probabilities of a pipeline or of a classifier in it.

    Parameters
    ----------
    images : Value of shape (n, height, width), or features of shape (n, n_features)
    classifier : fitted estimator

    Returns
    -------
    Value, float64 of shape (n, k)

    Raises
    ------
    FormatError
        If there is no converter for a step.
    """
    return _converter(_CLASSIFIERS, classifier)(images, classifier)


def _converter(converters: dict[type, Converter], step: Any) -> Converter:
    if type(step) not in converters:
        msg = f"a model with a {type(step).__name__} cannot be exported"
        raise FormatError(msg)
    return converters[type(step)]


def _pipeline(images: Value, pipeline: Pipeline) -> Value:
    *transformers, (_, classifier) = pipeline.steps
    for _, transformer in transformers:
        convert = _converter(_TRANSFORMERS, transformer)
        images = convert(images.reshape(0, *transformer.image_shape_), transformer)
    return predict_proba(images, classifier)


def _calibrated(images: Value, calibrated: Calibrated) -> Value:
    """Scale by the temperature, as `mnist_svm.svm.calibration.apply_temperature`."""
    graph, confidences = images.graph, predict_proba(images, calibrated.estimator_)
    logs = graph.node("Log", graph.node("Max", confidences, np.finfo(np.float64).tiny))
    return graph.node("Softmax", logs / calibrated.temperature_, axis=1)


def _virtual(images: Value, virtual: VirtualSupportVectors) -> Value:
    return predict_proba(images, virtual.estimator_)


def _voting(images: Value, voting: VotingClassifier) -> Value:
    first, *others = (predict_proba(images, estimator) for estimator in voting.estimators_)
    return sum(others, first) / (1 + len(others))


def _svc(samples: Value, svc: CoupledSVC) -> Value:
    values = decision_values(samples.reshape(0, svc.n_features_in_), svc)
    k = len(svc.classes_)
    # With two classes, a positive value favours the second one.
    return class_confidences(-values if k == 2 else values, k)


_CLASSIFIERS: dict[type, Converter] = {
    Calibrated: _calibrated,
    CoupledSVC: _svc,
    Pipeline: _pipeline,
    VirtualSupportVectors: _virtual,
    VotingClassifier: _voting,
}
_TRANSFORMERS: dict[type, Converter] = {
    Blur: blur,
    Deskew: deskew,
    GradientFeatures: gradient_features,
    NormalizeContrast: normalize_contrast,
    NormalizeSize: normalize_size,
}
