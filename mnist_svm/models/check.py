"""Whether a pipeline read from a file is one that can be used.

An unpickler that resolves few names keeps a file from running code, but not from holding a
damaged or nonsensical model. Here every part is asked whether it is fitted, has the types that its
methods take at their word, and gives as many columns as the next part wants.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, prod
from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder

from mnist_svm.constants import N_PIXELS
from mnist_svm.features.blur import Blur
from mnist_svm.features.contrast import NormalizeContrast
from mnist_svm.features.deskew import Deskew
from mnist_svm.features.gradients import GradientFeatures
from mnist_svm.features.size import NormalizeSize
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.kernels import KERNELS
from mnist_svm.svm.virtual import VirtualSupportVectors

# A degree beyond any use would take forever.
MAX_DEGREE = 100

# Types that support vectors are kept in.
VECTOR_TYPES = ("uint8", "float32")


class _UnsoundError(Exception):
    """Says what is wrong with a part."""


def find_pipeline_fault(pipeline: Any) -> str | None:
    """What keeps a loaded pipeline from being used.

    Parameters
    ----------
    pipeline : any object that a model file may hold

    Returns
    -------
    str or None
        One line; None if nothing is wrong.
    """
    if type(pipeline) is not Pipeline:
        return "it holds no pipeline"
    try:
        _classifier(pipeline, N_PIXELS)
    except _UnsoundError as fault:
        return str(fault)
    except (AttributeError, TypeError, ValueError, LookupError, RecursionError) as error:
        return f"its pipeline is incomplete ({type(error).__name__} {error})".splitlines()[0][:150]
    return None


def _require(sound: object, part: Any) -> None:
    if not sound:
        msg = f"the parts of its {type(part).__name__} do not fit together"
        raise _UnsoundError(msg)


def _classifier(part: Any, width: int) -> Any:
    """Check what predicts from so many columns; gives the classes it knows."""
    _require(not _overrides(part), part)
    check: Callable[[Any, int], Any] = _asked(_CLASSIFIERS, part, "reads digits")
    return check(part, width)


def _transformer(part: Any, width: int) -> int:
    """Check what transforms so many columns; gives how many come out."""
    _require(not _overrides(part), part)
    check: Callable[[Any, int], int] = _asked(_TRANSFORMERS, part, "transforms images")
    return check(part, width)


def _asked(known: dict[type, Any], part: Any, deed: str) -> Any:
    if type(part) not in known:
        msg = f"it has a {type(part).__name__} where something that {deed} belongs"
        raise _UnsoundError(msg)
    return known[type(part)]


def _overrides(part: Any) -> bool:
    """Whether an object hides methods or properties of its class behind data of its own."""
    return any(hasattr(type(part), name) for name in vars(part))


def _pipeline(pipeline: Pipeline, width: int) -> Any:
    *transformers, (_, classifier) = pipeline.steps
    for _, transformer in transformers:
        width = _transformer(transformer, width)
    return _classifier(classifier, width)


def _virtual(virtual: VirtualSupportVectors, width: int) -> Any:
    classes = _classifier(virtual.estimator_, width)
    _require(virtual.n_features_in_ == width and _equal(virtual.classes_, classes), virtual)
    return virtual.classes_


def _calibrated(calibrated: Calibrated, width: int) -> Any:
    classes = _classifier(calibrated.estimator_, width)
    temperature, fits = calibrated.temperature_, calibrated.n_features_in_ == width
    _require(fits and _equal(calibrated.classes_, classes), calibrated)
    _require(type(temperature) is float and temperature > 0 and isfinite(temperature), calibrated)
    return classes


def _vote(vote: VotingClassifier, width: int) -> Any:
    encoder = vote.le_
    _require(type(encoder) is LabelEncoder and not _overrides(encoder), vote)
    _require((vote.voting, vote.weights, vote.n_jobs) == ("soft", None, None), vote)
    _require(_is_array(vote.classes_, np.int64, (len(vote.classes_),)), vote)
    # The machines know the classes by their numbers.
    codes = np.arange(len(vote.classes_))
    known = [_classifier(machine, width) for machine in vote.estimators_]
    _require(known and all(_equal(classes, codes) for classes in known), vote)
    _require(_equal(encoder.classes_, vote.classes_), vote)
    return vote.classes_


def _image_part(part: Any, width: int) -> None:
    """Check what all transformers of images have."""
    part._check_parameters()  # noqa: SLF001 - one of ours, and the file is not trusted
    shape, n_jobs = part.image_shape_, part.n_jobs
    _require(n_jobs is None or (type(n_jobs) is int and n_jobs), part)
    _require(type(shape) is tuple and len(shape) == 2, part)
    _require(all(type(side) is int and side > 0 for side in shape), part)
    _require(prod(shape) == width == part.n_features_in_, part)


def _same_shape(part: Blur | Deskew | NormalizeContrast, width: int) -> int:
    _image_part(part, width)
    return width


def _size(part: NormalizeSize, width: int) -> int:
    _image_part(part, width)
    _require(type(part.upright) is bool, part)
    return part.side**2


def _gradients(part: GradientFeatures, width: int) -> int:
    _image_part(part, width)
    return part.directions * part.grid**2


def _machine(svm: CoupledSVC, width: int) -> Any:
    """Check that a machine's attributes have the types and shapes that `predict` needs."""
    k, n = len(svm.classes_), len(svm.support_)
    vectors = svm.support_vectors_
    arrays = [
        (svm.classes_, np.int64, (k,)),
        (svm.support_, np.int32, (n,)),
        (svm.n_support_, np.int32, (k,)),
        (vectors, vectors.dtype, (n, width)),
        (svm.dual_coef_, np.float64, (k - 1, n)),
        (svm.intercept_, np.float64, (k * (k - 1) // 2,)),
    ]
    _require(k >= 2 and all(_is_array(*array) for array in arrays), svm)
    _require(vectors.dtype.name in VECTOR_TYPES and svm.n_features_in_ == width, svm)
    _require((svm.n_support_ >= 0).all() and svm.n_support_.sum(dtype=np.int64) == n, svm)
    _require(svm.kernel in KERNELS and type(svm.kernel) is str, svm)
    _require(type(svm.degree) is int and 0 <= svm.degree <= MAX_DEGREE, svm)
    _require(all(type(value) in (int, float) for value in (svm.gamma_, svm.coef0)), svm)
    _require((type(svm.shape_fit_), len(svm.shape_fit_)) == (tuple, 2), svm)
    _require(all(type(side) is int for side in svm.shape_fit_), svm)
    _require(svm.n_jobs is None or (type(svm.n_jobs) is int and svm.n_jobs), svm)
    return svm.classes_


def _is_array(array: Any, dtype: Any, shape: tuple[int, ...]) -> bool:
    return (
        type(array) is np.ndarray
        and array.dtype == dtype
        and array.shape == shape
        and bool(np.isfinite(array).all())
    )


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) is np.ndarray and bool(np.array_equal(one, other))


_CLASSIFIERS: dict[type, Callable[[Any, int], Any]] = {
    Calibrated: _calibrated,
    CoupledSVC: _machine,
    Pipeline: _pipeline,
    VirtualSupportVectors: _virtual,
    VotingClassifier: _vote,
}
_TRANSFORMERS: dict[type, Callable[[Any, int], int]] = {
    Blur: _same_shape,
    Deskew: _same_shape,
    GradientFeatures: _gradients,
    NormalizeContrast: _same_shape,
    NormalizeSize: _size,
}
