"""Convert a fitted pipeline, by a converter for each type of step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.pipeline import FeatureUnion, Pipeline

from mnist_svm.export.onnx_graph.builder import Value, concatenate
from mnist_svm.export.onnx_graph.deskew import deskew
from mnist_svm.export.onnx_graph.gradients import gradient_features
from mnist_svm.export.onnx_graph.network import compute_network, predict_network
from mnist_svm.export.onnx_graph.pixels import blur, normalize_contrast
from mnist_svm.export.onnx_graph.shape import shape_features
from mnist_svm.export.onnx_graph.size import normalize_size
from mnist_svm.export.onnx_graph.svc import Prediction, predict_svc
from mnist_svm.features import transformers
from mnist_svm.features.base import ImageEstimator
from mnist_svm.networks.conv_net import ConvNet
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.ensembles import MajorityVote
from mnist_svm.svm.pooling import MIN_PROBABILITY
from mnist_svm.svm.virtual import VirtualSupportVectors


def convert(value: Value, step: Any) -> Any:
    """Compute the output of a fitted transformer, classifier or pipeline.

    `value` has shape (n, height, width) or (n, n_features). The output is a `Value`, or the
    `Prediction` of a classifier.
    """
    if isinstance(step, ImageEstimator):
        value = value.reshape(0, *step.image_shape_)
    return CONVERTERS[type(step)](value, step)


def _pipeline(value: Value, pipeline: Pipeline) -> Any:
    *transformers, last = [step for _, step in pipeline.steps]
    for step in transformers:
        value = (
            _transform_by_network(value, step)
            if isinstance(step, ConvNet)
            else convert(value, step)
        )
    return convert(value, last)


def _transform_by_network(images: Value, net: ConvNet) -> Value:
    hidden, _ = compute_network(images.reshape(0, *net.image_shape_), net)
    return hidden


def _union(images: Value, union: FeatureUnion) -> Value:
    """Join features, in the type that holds those of all parts."""
    parts = [
        convert(images, part).reshape(0, len(part.get_feature_names_out()))
        for _, part in union.transformer_list
    ]
    dtype = np.result_type(*(part.dtype for part in parts))
    return concatenate([part.astype(dtype) for part in parts], axis=1)


def _calibrated(images: Value, calibrated: Calibrated) -> Prediction:
    """Scale by the temperature of each sample, as `mnist_svm.svm.temperature` does."""
    graph, (confidences, novelty) = images.graph, convert(images, calibrated.estimator_)
    logs = graph.node("Log", graph.node("Max", confidences, np.finfo(np.float64).tiny))
    temperature: Any = calibrated.temperature_
    if calibrated.novelty_slope_:
        growth = (novelty() - calibrated.typical_novelty_) * calibrated.novelty_slope_
        temperature = graph.node("Exp", growth) * temperature
    return Prediction(graph.node("Softmax", logs / temperature, axis=1), novelty)


def _voting(images: Value, voting: VotingClassifier) -> Prediction:
    parts = [convert(images, estimator) for estimator in voting.estimators_]
    return Prediction(
        _mean([part.probabilities for part in parts]),
        lambda: _mean([part.novelty() for part in parts]),
    )


def _vote(images: Value, voting: MajorityVote) -> Prediction:
    """Compute `mnist_svm.svm.pooling.majority`."""
    graph, parts = images.graph, [convert(images, part) for part in voting.estimators_]
    total = _mean([part.probabilities for part in parts])
    for part in parts:
        best = graph.node("ArgMax", part.probabilities, dtype=np.int64, axis=1, keepdims=0)
        total = total + graph.constant(np.eye(len(voting.classes_))).take(best, axis=0)
    return Prediction(total / (len(parts) + 1), lambda: _mean([p.novelty() for p in parts]))


def _stack(images: Value, stacking: StackingClassifier) -> Prediction:
    """Compute `mnist_svm.svm.pooling.logarithmic_pool`."""
    graph, parts = images.graph, [convert(images, part) for part in stacking.estimators_]
    exponents = stacking.final_estimator_.exponents_.tolist()
    logs = [
        graph.node("Log", np.maximum(part.probabilities, MIN_PROBABILITY)) * exponent
        for part, exponent in zip(parts, exponents, strict=True)
    ]
    probabilities = graph.node("Softmax", sum(logs[1:], logs[0]), axis=1)
    return Prediction(probabilities, lambda: _mean([part.novelty() for part in parts]))


def _mean(values: list[Value]) -> Value:
    return sum(values[1:], values[0]) / len(values)


def _svc(samples: Value, svc: CoupledSVC) -> Prediction:
    return predict_svc(samples.reshape(0, svc.n_features_in_), svc)


CONVERTERS: dict[type, Callable[[Value, Any], Any]] = {
    transformers.Blur: blur,
    Calibrated: _calibrated,
    ConvNet: predict_network,
    CoupledSVC: _svc,
    FeatureUnion: _union,
    transformers.Deskew: deskew,
    transformers.GradientFeatures: gradient_features,
    transformers.NormalizeContrast: normalize_contrast,
    transformers.NormalizeSize: normalize_size,
    transformers.ShapeFeatures: shape_features,
    Pipeline: _pipeline,
    VirtualSupportVectors: lambda images, virtual: convert(images, virtual.estimator_),
    MajorityVote: _vote,
    StackingClassifier: _stack,
    VotingClassifier: _voting,
}
