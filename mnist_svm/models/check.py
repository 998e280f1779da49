"""Check that a pipeline read from a file can be used.

The restricted unpickler keeps a file from running code, but not from holding a damaged or
inconsistent model. Here each step is checked: that it is fitted, that its attributes have the types
and ranges that its methods rely on, and that it outputs as many columns as the next step takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite, prod
from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder

from mnist_svm._types import Array
from mnist_svm.constants import N_PIXELS
from mnist_svm.features.parameters import check_parameters
from mnist_svm.features.transformers import (
    Blur,
    Deskew,
    GradientFeatures,
    NormalizeContrast,
    NormalizeSize,
)
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.kernels import KERNELS
from mnist_svm.svm.virtual import VirtualSupportVectors

# Higher degrees are of no use and could take forever.
MAX_DEGREE = 100

SUPPORT_VECTOR_DTYPES = ("uint8", "float32")


class _InvalidStepError(Exception):
    """Its message says what is wrong with a step."""


def find_pipeline_fault(pipeline: object) -> str | None:
    """Return why an unpickled object is no usable pipeline, on one line, or None if it is one."""
    if type(pipeline) is not Pipeline:
        return "it contains no pipeline"
    try:
        _check_classifier(pipeline, N_PIXELS)
    except _InvalidStepError as fault:
        return str(fault)
    except (AttributeError, TypeError, ValueError, LookupError, RecursionError) as error:
        return f"its pipeline is incomplete ({type(error).__name__} {error})".splitlines()[0][:150]
    return None


def _require(valid: object, step: object) -> None:
    if not valid:
        msg = f"the attributes of its {type(step).__name__} are inconsistent"
        raise _InvalidStepError(msg)


def _check_type(step: object, types: Iterable[type], expected: str) -> None:
    if type(step) not in types:
        msg = f"it has {type(step).__name__} in place of {expected}"
        raise _InvalidStepError(msg)
    _require(not _overrides(step), step)


def _overrides(step: object) -> bool:
    """Return whether instance attributes hide methods or properties of the class."""
    return any(hasattr(type(step), name) for name in vars(step))


def _check_classifier(step: object, n_columns: int) -> Array:
    """Check a classifier of samples with `n_columns` columns; return its classes."""
    _check_type(step, _CLASSIFIERS, "a classifier")
    return _CLASSIFIERS[type(step)](step, n_columns)


def _pipeline(pipeline: Pipeline, n_columns: int) -> Array:
    *transformers, (_, classifier) = pipeline.steps
    for _, transformer in transformers:
        n_columns = _check_transformer(transformer, n_columns)
    return _check_classifier(classifier, n_columns)


def _virtual(virtual: VirtualSupportVectors, n_columns: int) -> Array:
    classes = _check_classifier(virtual.estimator_, n_columns)
    _require(virtual.n_features_in_ == n_columns and _equal(virtual.classes_, classes), virtual)
    return classes


def _calibrated(calibrated: Calibrated, n_columns: int) -> Array:
    classes = _check_classifier(calibrated.estimator_, n_columns)
    temperature, same_width = calibrated.temperature_, calibrated.n_features_in_ == n_columns
    _require(same_width and _equal(calibrated.classes_, classes), calibrated)
    _require(type(temperature) is float and temperature > 0 and isfinite(temperature), calibrated)
    return classes


def _vote(vote: VotingClassifier, n_columns: int) -> Array:
    encoder = vote.le_
    _require(type(encoder) is LabelEncoder and not _overrides(encoder), vote)
    _require((vote.voting, vote.weights, vote.n_jobs) == ("soft", None, None), vote)
    _require(_is_array(vote.classes_, np.int64, (len(vote.classes_),)), vote)
    # VotingClassifier fits its estimators to class indices.
    indices = np.arange(len(vote.classes_))
    classes = [_check_classifier(estimator, n_columns) for estimator in vote.estimators_]
    _require(classes and all(_equal(labels, indices) for labels in classes), vote)
    _require(_equal(encoder.classes_, vote.classes_), vote)
    return np.asarray(vote.classes_)


def _check_transformer(step: Any, n_columns: int) -> int:
    """Check a transformer of images of `n_columns` pixels; return its number of outputs."""
    _check_type(step, _TRANSFORMERS, "a transformer")
    check_parameters(step.get_params())
    shape = step.image_shape_
    _require(_is_n_jobs(step.n_jobs), step)
    _require(type(shape) is tuple and len(shape) == 2, step)
    _require(all(type(side) is int and side > 0 for side in shape), step)
    _require(prod(shape) == n_columns == step.n_features_in_, step)
    if type(step) is NormalizeSize:
        _require(type(step.upright) is bool, step)
        return step.side**2
    if type(step) is GradientFeatures:
        return step.directions * step.grid**2
    return n_columns


def _svc(svc: CoupledSVC, n_columns: int) -> Array:
    k, n, vectors = len(svc.classes_), len(svc.support_), svc.support_vectors_
    arrays = [
        (svc.classes_, np.int64, (k,)),
        (svc.support_, np.int32, (n,)),
        (svc.n_support_, np.int32, (k,)),
        (vectors, vectors.dtype, (n, n_columns)),
        (svc.dual_coef_, np.float64, (k - 1, n)),
        (svc.intercept_, np.float64, (k * (k - 1) // 2,)),
    ]
    _require(k >= 2 and all(_is_array(*array) for array in arrays), svc)
    _require(vectors.dtype.name in SUPPORT_VECTOR_DTYPES and svc.n_features_in_ == n_columns, svc)
    _require((svc.n_support_ >= 0).all() and svc.n_support_.sum(dtype=np.int64) == n, svc)
    _require(svc.kernel in KERNELS and type(svc.kernel) is str, svc)
    _require(type(svc.degree) is int and 0 <= svc.degree <= MAX_DEGREE, svc)
    _require(all(type(value) in (int, float) for value in (svc.gamma_, svc.coef0)), svc)
    _require((type(svc.shape_fit_), len(svc.shape_fit_)) == (tuple, 2), svc)
    _require(all(type(side) is int for side in svc.shape_fit_), svc)
    _require(_is_n_jobs(svc.n_jobs), svc)
    return np.asarray(svc.classes_)


def _is_n_jobs(value: object) -> bool:
    return value is None or (type(value) is int and value != 0)


def _is_array(array: Any, dtype: Any, shape: tuple[int, ...]) -> bool:
    return (
        type(array) is np.ndarray
        and array.dtype == dtype
        and array.shape == shape
        and bool(np.isfinite(array).all())
    )


def _equal(first: Any, second: Any) -> bool:
    return type(first) is type(second) is np.ndarray and bool(np.array_equal(first, second))


_TRANSFORMERS = (Blur, Deskew, GradientFeatures, NormalizeContrast, NormalizeSize)

# Each function takes a step and its number of input columns, and returns the step's classes.
_CLASSIFIERS: Mapping[type, Callable[[Any, int], Array]] = {
    Calibrated: _calibrated,
    CoupledSVC: _svc,
    Pipeline: _pipeline,
    VirtualSupportVectors: _virtual,
    VotingClassifier: _vote,
}
