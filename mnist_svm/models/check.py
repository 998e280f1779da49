"""Check the steps that were read from a file.

The file holds plain data, but they may be damaged or inconsistent. Here each step is checked: its
parameters and attributes have the names, types and ranges that its function relies on, and it
outputs as many columns as the next step takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from math import isfinite, prod
from typing import Any

import numpy as np

from mnist_svm._types import Array
from mnist_svm.constants import N_PIXELS
from mnist_svm.features.parameters import check_parameters
from mnist_svm.models.steps import FUNCTIONS, Step
from mnist_svm.svm.kernels import KERNELS

# Higher degrees are of no use and could take forever.
MAX_DEGREE = 100

# More than any recipe has; a damaged file may have a step that contains itself.
MAX_STEPS = 100

Check = Callable[[Any], bool]
Values = Mapping[str, Any]


class InvalidStepError(ValueError):
    """Its message says what is wrong with a step."""


def _is_int(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_bool(value: Any) -> bool:
    return type(value) is bool


def _is_shape(value: Any) -> bool:
    return type(value) is tuple and len(value) == 2 and all(map(_is_int, value))


def _is_image_shape(value: Any) -> bool:
    return _is_shape(value) and min(value) > 0


def _is_seed(value: Any) -> bool:
    return value is None or _is_int(value)


def _is_gamma(value: Any) -> bool:
    return _is_number(value) or (type(value) is str and value in ("scale", "auto"))


def _one_of(*choices: str) -> Check:
    return lambda value: type(value) is str and value in choices


def _array(*dtypes: str) -> Check:
    return lambda value: (
        type(value) is np.ndarray and value.dtype.name in dtypes and bool(np.isfinite(value).all())
    )


def _is_class_weight(value: Any) -> bool:
    if type(value) is dict:
        return all(_is_int(label) and _is_number(weight) for label, weight in value.items())
    return value is None or value == "balanced"


def _is_fit_log(value: Any) -> bool:
    return type(value) is list and all(
        type(entry) is dict and all(type(x) in (bool, int, float, str) for x in entry.values())
        for entry in value
    )


DISTORTION_PARAMETERS: Mapping[str, Check] = {
    **dict.fromkeys(("displacement", "smoothness", "rotation", "stretch", "shift"), _is_number),
    "image_shape": lambda value: value is None or _is_image_shape(value),
}

PARAMETERS: Mapping[str, Mapping[str, Check]] = {
    "blur": {"image_shape": _is_image_shape, "sigma": _is_number},
    "deskew": {"image_shape": _is_image_shape},
    "gradient_features": {
        "image_shape": _is_image_shape,
        "directions": _is_int,
        "grid": _is_int,
        "smoothing": _is_number,
        "power": _is_number,
    },
    "normalize_contrast": {"image_shape": _is_image_shape},
    "normalize_size": {
        "image_shape": _is_image_shape,
        "side": _is_int,
        "extent": _is_number,
        "upright": _is_bool,
    },
    "svc": {
        "C": _is_positive,
        "kernel": _one_of(*KERNELS),
        "degree": lambda value: _is_int(value) and 0 <= value <= MAX_DEGREE,
        "gamma": _is_gamma,
        "coef0": _is_number,
        "tol": _is_positive,
        "class_weight": _is_class_weight,
        "decision_function_shape": _one_of("ovr", "ovo"),
        "break_ties": _is_bool,
        "working_memory": _is_positive,
        "random_state": _is_seed,
    },
    "virtual": {
        "copies": _is_int,
        "random_state": _is_seed,
        "distort": lambda value: _conforms(value, DISTORTION_PARAMETERS),
    },
    "average": {},
    "calibrated": {},
    "pipeline": {},
}

ATTRIBUTES: Mapping[str, Mapping[str, Check]] = {
    "average": {"classes": _array("int64")},
    "calibrated": {
        "temperature": lambda value: type(value) is float and _is_positive(value),
        "n_held_out": _is_int,
        "calibration_error": lambda value: type(value) is float,
    },
    "svc": {
        **dict.fromkeys(("dual_coef", "intercept", "class_weight"), _array("float64")),
        **dict.fromkeys(("support", "n_support", "n_iter"), _array("int32")),
        "classes": _array("int64"),
        "support_vectors": _array("uint8", "float32"),
        "gamma": _is_number,
        "kkt_violation": _is_number,
        "fit_log": _is_fit_log,
        "shape_fit": _is_shape,
    },
    "virtual": {"n_virtual": _is_int},
}


def _conforms(values: Any, checks: Mapping[str, Check]) -> bool:
    return (
        type(values) is dict
        and values.keys() == checks.keys()
        and all(is_valid(values[name]) for name, is_valid in checks.items())
    )


def parse_model(data: object) -> Step:
    """Return the checked step of a classifier of images, from untrusted plain types and arrays.

    Raises
    ------
    InvalidStepError
        If a part is missing, unknown, of the wrong type, out of range or inconsistent.
    """
    step = _parse(data, count(1))
    _check_classifier(step, N_PIXELS)
    return step


def _parse(data: Any, numbers: Iterator[int]) -> Step:
    """Check the types of a step and of its parts, apart from their relations."""
    number = next(numbers)
    fields = {"type": str, "name": str, "parameters": dict, "attributes": dict, "steps": list}
    if type(data) is not dict or {key: type(x) for key, x in data.items()} != fields:
        msg = "it contains no pipeline" if number == 1 else "its pipeline is incomplete"
        raise InvalidStepError(msg)
    kind = data["type"]
    if kind not in PARAMETERS or number > MAX_STEPS:
        msg = f"it has a step of type {kind[:40]!r}" if number <= MAX_STEPS else "it has no end"
        raise InvalidStepError(msg)
    _require(_conforms(data["parameters"], PARAMETERS[kind]), f"parameters of its {kind}")
    _require(_conforms(data["attributes"], ATTRIBUTES.get(kind, {})), f"attributes of its {kind}")
    steps = tuple(_parse(part, numbers) for part in data["steps"])
    return Step(kind, data["name"], data["parameters"], data["attributes"], steps)


def _require(valid: object, what: str) -> None:
    if not valid:
        msg = f"the {what} are inconsistent"
        raise InvalidStepError(msg)


def _check_classifier(step: Step, n_columns: int) -> Array:
    """Check a classifier of samples with `n_columns` columns; return its classes."""
    if step.type in FUNCTIONS:
        msg = f"it has {step.type} in place of a classifier"
        raise InvalidStepError(msg)
    if step.type == "svc":
        _check_svc(step.attributes, n_columns)
        return step.classes
    n_parts = len(step.steps)
    is_valid = n_parts == 1 or (n_parts > 1 and step.type in ("average", "pipeline"))
    _require(is_valid, f"parts of its {step.type}")
    if step.type == "average":
        # VotingClassifier fits its estimators to class indices.
        indices = np.arange(len(step.classes))
        views = [_check_classifier(view, n_columns) for view in step.steps]
        _require(all(np.array_equal(view, indices) for view in views), "attributes of its average")
        return step.classes
    *transformers, classifier = step.steps
    for transformer in transformers:
        n_columns = _check_transformer(transformer, n_columns)
    return _check_classifier(classifier, n_columns)


def _check_transformer(step: Step, n_columns: int) -> int:
    """Check a transformer of images of `n_columns` pixels; return its number of outputs."""
    if step.type not in FUNCTIONS:
        msg = f"it has {step.type} in place of a transformer"
        raise InvalidStepError(msg)
    parameters = step.parameters
    check_parameters(parameters)
    _require(prod(parameters["image_shape"]) == n_columns, f"parameters of its {step.type}")
    if step.type == "normalize_size":
        return int(parameters["side"] ** 2)
    if step.type == "gradient_features":
        return int(parameters["directions"] * parameters["grid"] ** 2)
    return n_columns


def _check_svc(fitted: Values, n_columns: int) -> None:
    k, n = len(fitted["classes"]), len(fitted["support"])
    n_pairs = k * (k - 1) // 2
    shapes = {
        "classes": (k,),
        "support": (n,),
        "n_support": (k,),
        "support_vectors": (n, n_columns),
        "dual_coef": (k - 1, n),
        "intercept": (n_pairs,),
        "n_iter": (n_pairs,),
        "class_weight": (k,),
    }
    counts = fitted["n_support"]
    _require(
        k >= 2
        and all(fitted[name].shape == shape for name, shape in shapes.items())
        and (np.diff(fitted["classes"]) > 0).all()
        and (counts >= 0).all()
        and counts.sum(dtype=np.int64) == n > 0,
        "attributes of its svc",
    )
