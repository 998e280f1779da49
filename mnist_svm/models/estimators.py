"""Convert fitted scikit-learn estimators to the steps of a model, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils import Bunch

from mnist_svm.exceptions import FormatError
from mnist_svm.features.base import ImageTransformer
from mnist_svm.features.distort import Distortion
from mnist_svm.features.transformers import (
    Blur,
    Deskew,
    GradientFeatures,
    NormalizeContrast,
    NormalizeSize,
    ShapeFeatures,
)
from mnist_svm.models.steps import ATTRIBUTES, ENSEMBLES, Step
from mnist_svm.networks.conv_net import ConvNet
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.ensembles import LogarithmicPool, MajorityVote
from mnist_svm.svm.virtual import VirtualSupportVectors

TRANSFORMERS: dict[str, type[ImageTransformer]] = {
    "blur": Blur,
    "deskew": Deskew,
    "gradient_features": GradientFeatures,
    "normalize_contrast": NormalizeContrast,
    "normalize_size": NormalizeSize,
    "shape_features": ShapeFeatures,
}
OTHERS: dict[str, type[Any]] = {
    "average": VotingClassifier,
    "calibrated": Calibrated,
    "conv_net": ConvNet,
    "pipeline": Pipeline,
    "stack": StackingClassifier,
    "svc": CoupledSVC,
    "union": FeatureUnion,
    "virtual": VirtualSupportVectors,
    "vote": MajorityVote,
}
TYPES = {cls: name for name, cls in {**TRANSFORMERS, **OTHERS}.items()}

# Parameters that are not part of a model: they say how to fit it.
RUN_PARAMETERS = (
    "n_jobs",
    "verbose",
    "checkpoint",
    "tensorboard",
    "cache_size",
    "max_iter",
    "probability",
    "shrinking",
    "solver",
)


def to_step(estimator: Any, name: str = "") -> Step:
    """Describe a fitted pipeline, classifier or transformer; the arrays are shared.

    Raises
    ------
    FormatError
        If an estimator is not fitted, or of a type that model files cannot hold.
    """
    kind = TYPES.get(type(estimator))
    if kind is None:
        msg = f"a model cannot contain {type(estimator).__name__}; use the steps of a recipe"
        raise FormatError(msg)
    try:
        attributes = {key: _attribute(estimator, key) for key in ATTRIBUTES.get(kind, ())}
        steps = tuple(to_step(part, key) for key, part in _fitted_parts(kind, estimator))
        parameters = _parameters(kind, estimator)
    except AttributeError as error:
        msg = f"the {type(estimator).__name__} of the model is not fitted; call fit first"
        raise FormatError(msg) from error
    return Step(kind, name, parameters, _plain(attributes), steps)


def _attribute(estimator: Any, key: str) -> Any:
    # The classifier that a stack ends with has nothing else.
    is_final = key == "exponents"
    return getattr(estimator.final_estimator_ if is_final else estimator, f"{key}_")


def _fitted_parts(kind: str, estimator: Any) -> list[tuple[str, Any]]:
    if kind == "pipeline":
        return [*estimator.steps]
    if kind == "union":
        return [*estimator.transformer_list]
    if kind in ENSEMBLES:
        names = [name for name, _ in estimator.estimators]
        return [*zip(names, estimator.estimators_, strict=True)]
    return [("", estimator.estimator_)] if kind in ("calibrated", "virtual") else []


def _parameters(kind: str, estimator: Any) -> dict[str, Any]:
    if kind == "union" and estimator.transformer_weights:
        msg = "a model cannot contain a FeatureUnion with transformer_weights; set them to None"
        raise FormatError(msg)
    if kind not in TRANSFORMERS and kind not in ("conv_net", "svc", "virtual"):
        return {}
    parameters = estimator.get_params(deep=False)
    for name in (*RUN_PARAMETERS, "estimator"):
        parameters.pop(name, None)
    if kind in (*TRANSFORMERS, "conv_net"):
        parameters["image_shape"] = estimator.image_shape_
    if kind not in TRANSFORMERS and not isinstance(parameters["random_state"], int | np.integer):
        # A generator cannot be stored.
        parameters["random_state"] = None
    distort = parameters.get("distort")
    if kind == "virtual" or distort is not None:
        if type(distort) is not Distortion:
            msg = f"a model cannot contain {type(distort).__name__}; distort by a Distortion"
            raise FormatError(msg)
        parameters["distort"] = distort.get_params()
    return dict(_plain(parameters))


def _plain(value: Any) -> Any:
    """Replace NumPy's scalars by Python's in nested values."""
    if isinstance(value, dict):
        return {_plain(key): _plain(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def to_estimator(step: Step) -> Any:
    """Build the fitted estimator of a step; the arrays are shared."""
    if step.type in TRANSFORMERS:
        return _set_images(TRANSFORMERS[step.type](**step.parameters, n_jobs=-1), step)
    if step.type == "conv_net":
        return _set_images(ConvNet(**_with_distortion(step.parameters)), step)
    if step.type == "svc":
        svc = CoupledSVC(**step.parameters)
        svc.n_features_in_ = step.attributes["support_vectors"].shape[1]
        return _set_fitted(svc, step)
    parts = [(part.name, to_estimator(part)) for part in step.steps]
    if step.type == "pipeline":
        return Pipeline(parts)
    if step.type == "union":
        return FeatureUnion(parts)
    if step.type == "stack":
        return _to_stacking(step, parts)
    if step.type in ENSEMBLES:
        return _to_voting(step, parts)
    ((_, fitted),) = parts
    if step.type == "calibrated":
        meta: Any = Calibrated(clone(fitted))
    else:
        meta = VirtualSupportVectors(clone(fitted), **_with_distortion(step.parameters))
    meta.estimator_, meta.classes_ = fitted, fitted.classes_
    meta.n_features_in_ = fitted.n_features_in_
    return _set_fitted(meta, step)


def _with_distortion(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with the Distortion, if there is one, in place of its parameters."""
    distort = parameters["distort"]
    return {**parameters, "distort": None if distort is None else Distortion(**distort)}


def _set_images(estimator: Any, step: Step) -> Any:
    """Set the fitted attributes of an estimator of images."""
    height, width = step.parameters["image_shape"]
    estimator.image_shape_ = (height, width)
    estimator.n_features_in_ = height * width
    return _set_fitted(estimator, step)


def _to_stacking(step: Step, parts: list[tuple[str, Any]]) -> StackingClassifier:
    pool = LogarithmicPool()
    pool.exponents_ = step.attributes["exponents"]
    pool.classes_ = np.arange(len(step.classes))
    # A fit to stand-ins sets what has no public name.
    samples = np.zeros((len(step.classes), 1))
    stand_in = DummyClassifier().fit(samples, step.classes)
    stacking = StackingClassifier([("stand_in", stand_in)], stand_in, cv="prefit")
    stacking.fit(samples, step.classes)
    stacking.set_params(
        estimators=[(name, clone(part)) for name, part in parts],
        final_estimator=clone(pool),
        cv=None,
    )
    stacking.estimators_ = [part for _, part in parts]
    stacking.named_estimators_ = Bunch(**dict(parts))
    stacking.final_estimator_ = pool
    stacking.stack_method_ = ["predict_proba"] * len(parts)
    return stacking


def _to_voting(step: Step, parts: list[tuple[str, Any]]) -> VotingClassifier:
    kind = OTHERS[step.type]
    voting = kind([(name, clone(part)) for name, part in parts], voting="soft")
    voting.estimators_ = [part for _, part in parts]
    voting.named_estimators_ = Bunch(**dict(parts))
    voting.le_ = LabelEncoder().fit(step.classes)
    return _set_fitted(voting, step)


def _set_fitted(estimator: Any, step: Step) -> Any:
    for name, value in step.attributes.items():
        setattr(estimator, f"{name}_", value)
    return estimator
