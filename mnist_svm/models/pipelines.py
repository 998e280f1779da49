"""scikit-learn pipelines of the recipes, and access to their parameters by short names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.pipeline import FeatureUnion, Pipeline

from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.features.base import ImageTransformer
from mnist_svm.features.distort import Distortion
from mnist_svm.features.parameters import check_parameters
from mnist_svm.features.transformers import (
    Blur,
    Deskew,
    GradientFeatures,
    NormalizeContrast,
    NormalizeSize,
    ShapeFeatures,
)
from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.networks.conv_net import ConvNet
from mnist_svm.networks.parameters import check_network_parameters
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.ensembles import LogarithmicPool, MajorityVote
from mnist_svm.svm.virtual import VirtualSupportVectors

# Images that gradients are computed on: side in pixels, and extent of the digit (see
# `NormalizeSize`), which makes digits 1.3 times as large as MNIST's on average.
SIDE = 32
EXTENT = 0.2

# Parameters of `GradientFeatures`.
DIRECTIONS = 12
GRID = 6
POWER = 0.4

# Influence of slant and proportion on the SVMs beside the gradients, see `ShapeFeatures`.
SHAPE_WEIGHT = 240.0

# Virtual copies per support vector, and their distortions. Gradient features tolerate a shift of
# one pixel by themselves; on raw pixels the SVM must learn it.
COPIES = 8
MILD = Distortion(displacement=0.6, rotation=0.1, stretch=0.08, image_shape=IMAGE_SHAPE)
STRONG = Distortion(
    displacement=1.0, rotation=0.12, stretch=0.1, shift=0.7, image_shape=IMAGE_SHAPE
)

# Parts of the samples that a stack predicts by classifiers fitted to the other parts.
STACKING_FOLDS = 3

# Copies that networks are trained on; most of the slant and size is removed before.
AUGMENTATION = Distortion(displacement=0.9, rotation=0.1, stretch=0.1, shift=1.0)

# Parameters that `set_parameters` cannot set: they follow from others, or change no result.
_FIXED = (
    "checkpoint",
    "distort",
    "estimator",
    "image_shape",
    "n_jobs",
    "random_state",
    "tensorboard",
    "verbose",
)

# Function of an unfitted SVM that returns the pipeline around it, with its seed and n_jobs.
PipelineBuilder = Callable[[CoupledSVC], Pipeline]


def build_pipeline(
    recipe: str, parameters: Parameters | None, random_state: int, n_jobs: int
) -> Pipeline:
    """Build the unfitted pipeline of a recipe, with uncalibrated probabilities.

    Recipes without an SVM have no `parameters`.
    """
    if parameters is None:
        return _network(random_state, n_jobs)
    kernel = {name: value for name, value in asdict(parameters).items() if value is not None}
    return _BUILDERS[recipe](CoupledSVC(**kernel, random_state=random_state, n_jobs=n_jobs))


def _poly4(svc: CoupledSVC) -> Pipeline:
    return _on_pixels(Deskew(image_shape=IMAGE_SHAPE, n_jobs=svc.n_jobs), svc)


def _virtual(svc: CoupledSVC) -> Pipeline:
    # Upright digits vary less: their SVM has fewer support vectors and affords more copies.
    copies = {"sized": 2 * COPIES, "slanted": COPIES}
    views = {}
    for view in copies:
        size = NormalizeSize(image_shape=IMAGE_SHAPE, upright=view == "sized", n_jobs=svc.n_jobs)
        pixels = _on_pixels(Blur(n_jobs=svc.n_jobs), svc)
        views[view] = Pipeline([("normalize", size), *pixels.steps])
    return _average(views, STRONG, copies)


def _gradient(svc: CoupledSVC) -> Pipeline:
    return _on_gradients(_sized(svc.n_jobs), svc)


def _best(svc: CoupledSVC) -> Pipeline:
    steps: dict[str, ImageTransformer] = {
        "sized": _sized(svc.n_jobs),
        "slanted": _sized(svc.n_jobs, upright=False),
        "deskewed": Deskew(image_shape=IMAGE_SHAPE, n_jobs=svc.n_jobs),
    }
    views = {view: _on_gradients(step, svc) for view, step in steps.items()}
    return _average(views, MILD, dict.fromkeys(views, COPIES))


def _sized(n_jobs: int | None, *, upright: bool = True) -> NormalizeSize:
    return NormalizeSize(
        image_shape=IMAGE_SHAPE, side=SIDE, extent=EXTENT, upright=upright, n_jobs=n_jobs
    )


def _on_pixels(prepare: ImageTransformer, svc: CoupledSVC) -> Pipeline:
    contrast = NormalizeContrast(n_jobs=svc.n_jobs)
    return Pipeline([("prepare", prepare), ("contrast", contrast), ("svm", clone(svc))])


def _on_gradients(normalize: ImageTransformer, svc: CoupledSVC) -> Pipeline:
    gradients = GradientFeatures(directions=DIRECTIONS, grid=GRID, power=POWER, n_jobs=svc.n_jobs)
    strokes = Pipeline([("normalize", normalize), ("gradients", gradients)])
    shape = ShapeFeatures(weight=SHAPE_WEIGHT, image_shape=IMAGE_SHAPE, n_jobs=svc.n_jobs)
    features = FeatureUnion([("strokes", strokes), ("shape", shape)])
    return Pipeline([("features", features), ("svm", clone(svc))])


def _average(
    views: Mapping[str, Pipeline], distortion: Distortion, copies: Mapping[str, int]
) -> Pipeline:
    """Average the probabilities of views of the digit, each with virtual support vectors."""
    classifiers = []
    for i, (view, pipeline) in enumerate(views.items()):
        # A clone, because `set_parameters` must not change the constant.
        virtual = VirtualSupportVectors(pipeline, clone(distortion), copies=copies[view])
        virtual.set_params(random_state=pipeline["svm"].random_state + i)
        classifiers.append((view, virtual))
    return Pipeline([("average", VotingClassifier(classifiers, voting="soft"))])


def _cnn_svm(svc: CoupledSVC) -> Pipeline:
    contrast = NormalizeContrast(n_jobs=svc.n_jobs)
    network = _network(svc.random_state, svc.n_jobs)
    return Pipeline([*network.steps, ("contrast", contrast), ("svm", clone(svc))])


def _network(random_state: int | np.random.RandomState | None, n_jobs: int | None) -> Pipeline:
    normalize = _sized(n_jobs).set_params(side=IMAGE_SHAPE[0])
    # A clone, because `set_parameters` must not change the constant.
    network = ConvNet(distort=clone(AUGMENTATION), random_state=random_state)
    return Pipeline([("normalize", normalize), ("network", network)])


def combine_pipelines(members: Mapping[str, Pipeline], combine: str) -> Pipeline:
    """Build the unfitted pipeline of an ensemble of pipelines; `combine` is one of `COMBINATIONS`.

    Raises ValueError if it is not, or if there are fewer than two members.
    """
    if combine not in COMBINATIONS:
        msg = f"combine must be one of {', '.join(COMBINATIONS)}, got {combine!r}"
        raise ValueError(msg)
    if len(members) < 2:
        msg = f"an ensemble needs at least two members, got {', '.join(members) or 'none'}"
        raise ValueError(msg)
    return Pipeline([("ensemble", COMBINATIONS[combine]([*members.items()]))])


def _stack(members: list[tuple[str, Pipeline]]) -> StackingClassifier:
    final = LogarithmicPool()
    return StackingClassifier(members, final, cv=STACKING_FOLDS, stack_method="predict_proba")


COMBINATIONS: Mapping[str, Callable[[list[tuple[str, Pipeline]]], Any]] = {
    "average": partial(VotingClassifier, voting="soft"),
    "vote": partial(MajorityVote, voting="soft"),
    "stack": _stack,
}

_BUILDERS: Mapping[str, PipelineBuilder] = {
    "poly4": _poly4,
    "virtual": _virtual,
    "gradient": _gradient,
    "best": _best,
    "cnn-svm": _cnn_svm,
}


def with_calibration(pipeline: Pipeline) -> Pipeline:
    """Return an unfitted pipeline with its classifier wrapped in `Calibrated`.

    The steps before the classifier must learn nothing from the samples, because they are fitted to
    the held-out ones too: with a network among them, the whole pipeline is wrapped. A network that
    is the classifier, and a stack, are calibrated by themselves, on samples that they hold out.
    """
    if isinstance(pipeline[-1], ConvNet | StackingClassifier):
        return pipeline
    if any(isinstance(step, ConvNet) for step in pipeline):
        return Pipeline([("classifier", Calibrated(pipeline))])
    *transformers, (name, classifier) = pipeline.steps
    return Pipeline([*transformers, (name, Calibrated(classifier))])


def settable_parameters(pipeline: Pipeline) -> dict[str, Value]:
    """Return the parameters of transformers, networks, virtual copies and distortions.

    The keys are scikit-learn's nested names, ``step__...__parameter``. The parameters of the kernel
    are not among them; see `Parameters`.
    """
    params = pipeline.get_params()
    settable: dict[str, Value] = {}
    for name, value in params.items():
        step, _, key = name.rpartition("__")
        owners = (ImageTransformer, ConvNet, VirtualSupportVectors, Distortion)
        if isinstance(params.get(step), owners) and key not in _FIXED:
            settable[name] = value
    return settable


def matching_names(name: str, full_names: Iterable[str]) -> list[str]:
    """Return the full parameter names that equal a short name or end in it.

    ``gradients__directions`` matches that parameter in every view of the digit, and
    ``sized__copies`` in one view.
    """
    return [full for full in full_names if f"__{full}".endswith(f"__{name}")]


def set_parameters(pipeline: Pipeline, values: Mapping[str, Value]) -> None:
    """Set parameters of an unfitted pipeline by short names, in place.

    Each value is set for all parameters that its name matches, see `matching_names`. Networks that
    read either polarity lose the steps before them, which refuse one. Raises ValueError if there is
    no such parameter, or if a value has the wrong type or is out of range.
    """
    # Architectures come first: they decide which other parameters there are.
    architectures = {name: values[name] for name in values if name.endswith("architecture")}
    _set_values(pipeline, architectures)
    _drop_preparation(pipeline)
    _set_values(pipeline, {name: values[name] for name in values if name not in architectures})
    # Steps check their parameters in `fit`; this finds errors before the data are read.
    for step in pipeline.get_params().values():
        if isinstance(step, ImageTransformer | Distortion):
            check_parameters(step.get_params(deep=False))
        elif isinstance(step, ConvNet):
            check_network_parameters(step)
        elif isinstance(step, VirtualSupportVectors) and step.copies < 1:
            msg = f"copies must be at least 1, got {step.copies!r}"
            raise ValueError(msg)


def _set_values(pipeline: Pipeline, values: Mapping[str, Value]) -> None:
    settable = settable_parameters(pipeline)
    for name, value in values.items():
        matches = matching_names(name, settable)
        if not matches:
            raise ValueError(_unknown(name, settable))
        checked = _cast(name, value, type(settable[matches[0]]))
        pipeline.set_params(**dict.fromkeys(matches, checked))


def _drop_preparation(pipeline: Pipeline) -> None:
    """Remove the steps before networks that read either polarity."""
    for each in (pipeline, *pipeline.get_params().values()):
        for i, (_, step) in enumerate(each.steps if isinstance(each, Pipeline) else ()):
            if isinstance(step, ConvNet) and step.reads_either_polarity:
                del each.steps[:i]


def _cast(name: str, value: Value, expected: type[Value]) -> Value:
    """Check the type of a value; turn an integer into a float where a float is expected."""
    if type(value) is not expected and (type(value), expected) != (int, float):
        words = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            str: "a name",
        }
        msg = f"{name} must be {words[expected]}, got {value!r}"
        raise ValueError(msg)
    return expected(value)


def _unknown(name: str, settable: Mapping[str, Value]) -> str:
    if not settable:
        return f"{name!r} cannot be set: this recipe has kernel parameters only"
    short_names = sorted({"__".join(full.split("__")[-2:]) for full in settable})
    close = get_close_matches(name, short_names, cutoff=0.5) or short_names
    return f"there is no parameter {name!r} to set; did you mean {', '.join(close)}?"
