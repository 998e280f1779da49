"""Each part of a pipeline by the function that writes it as a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from mnist_svm.exceptions import FormatError
from mnist_svm.export.onnx_graph.builder import Value
from mnist_svm.export.onnx_graph.confidences import at_temperature, class_confidences
from mnist_svm.export.onnx_graph.deskew import deskew
from mnist_svm.export.onnx_graph.gradients import gradient_features
from mnist_svm.export.onnx_graph.pixels import blur, normalize_contrast
from mnist_svm.export.onnx_graph.size import normalize_size
from mnist_svm.export.onnx_graph.svc import pair_values
from mnist_svm.features.blur import Blur
from mnist_svm.features.contrast import NormalizeContrast
from mnist_svm.features.deskew import Deskew
from mnist_svm.features.gradients import GradientFeatures
from mnist_svm.features.size import NormalizeSize
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors

# From what a part takes, images or rows of features, and the part, fitted, to what it gives.
Write = Callable[[Value, Any], Value]


def probabilities(images: Value, classifier: Any) -> Value:
    """What ``predict_proba`` gives.

    Parameters
    ----------
    images : Value of shape (n, height, width)
    classifier : a fitted part of a pipeline, or a whole one

    Returns
    -------
    Value, float64 of shape (n, k)

    Raises
    ------
    FormatError
        If there is no way to write a part as a graph.
    """
    return _writer(_CLASSIFIERS, classifier)(images, classifier)


def _writer(known: dict[type, Write], part: Any) -> Write:
    if type(part) not in known:
        msg = f"a model with a {type(part).__name__} cannot be exported"
        raise FormatError(msg)
    return known[type(part)]


def _pipeline(images: Value, pipeline: Pipeline) -> Value:
    *transformers, (_, classifier) = pipeline.steps
    for _, transformer in transformers:
        write = _writer(_TRANSFORMERS, transformer)
        images = write(images.reshape(0, *transformer.image_shape_), transformer)
    return probabilities(images, classifier)


def _calibrated(images: Value, calibrated: Calibrated) -> Value:
    return at_temperature(probabilities(images, calibrated.estimator_), calibrated.temperature_)


def _virtual(images: Value, virtual: VirtualSupportVectors) -> Value:
    return probabilities(images, virtual.estimator_)


def _vote(images: Value, vote: VotingClassifier) -> Value:
    first, *others = (probabilities(images, machine) for machine in vote.estimators_)
    return sum(others, first) / (1 + len(others))


def _machine(samples: Value, machine: CoupledSVC) -> Value:
    values = pair_values(samples.reshape(0, machine.n_features_in_), machine)
    k = len(machine.classes_)
    # Of two classes, a positive value is for the second.
    return class_confidences(-values if k == 2 else values, k)


_CLASSIFIERS: dict[type, Write] = {
    Calibrated: _calibrated,
    CoupledSVC: _machine,
    Pipeline: _pipeline,
    VirtualSupportVectors: _virtual,
    VotingClassifier: _vote,
}
_TRANSFORMERS: dict[type, Write] = {
    Blur: blur,
    Deskew: deskew,
    GradientFeatures: gradient_features,
    NormalizeContrast: normalize_contrast,
    NormalizeSize: normalize_size,
}
