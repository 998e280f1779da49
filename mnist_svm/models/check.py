"""Check the steps that were read from a file.

The file holds plain data, but they may be damaged or inconsistent. Here each step is checked: its
parameters and attributes have the names, types and ranges that its function relies on, and it
outputs as many columns as the next step takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from math import inf, isfinite, prod
from types import NoneType, SimpleNamespace
from typing import Any, get_type_hints

import numpy as np

from mnist_svm._types import Array
from mnist_svm.constants import N_PIXELS
from mnist_svm.features.parameters import check_parameters
from mnist_svm.models.steps import ATTRIBUTES, ENSEMBLES, FUNCTIONS, Step
from mnist_svm.networks.epoch import Epoch
from mnist_svm.svm.kernels import KERNELS
from mnist_svm.svm.temperature import MAX_SLOPE

# Higher degrees are of no use and could take forever.
MAX_DEGREE = 100

# More than any recipe has; a damaged file may have a step that contains itself.
MAX_STEPS = 100

# What a value may be: a type, the dtype of an array, a list of alternatives, a dict of names to
# such values, or a tuple with one for each item. A float may be an integer, and is finite.
Expected = type | str | list[Any] | dict[str, Any] | tuple[Any, ...]

_SHAPE = (int, int)
_SEED = [int, NoneType]
_DISTORTION: dict[str, Any] = {
    "displacement": float,
    "smoothness": float,
    "rotation": float,
    "stretch": float,
    "shift": float,
    "image_shape": [_SHAPE, NoneType],
}

PARAMETERS: Mapping[str, dict[str, Expected]] = {
    "average": {},
    "blur": {"image_shape": _SHAPE, "sigma": float},
    "calibrated": {},
    "conv_net": {
        "image_shape": _SHAPE,
        "architecture": str,
        "width": float,
        "activation": str,
        "dropout": float,
        "distort": [NoneType, _DISTORTION],
        "epochs": int,
        "batch_size": int,
        "learning_rate": float,
        "validation_fraction": float,
        "patience": int,
        "random_state": _SEED,
    },
    "deskew": {"image_shape": _SHAPE},
    "gradient_features": {
        "image_shape": _SHAPE,
        "directions": int,
        "grid": int,
        "smoothing": float,
        "power": float,
    },
    "normalize_contrast": {"image_shape": _SHAPE},
    "normalize_size": {"image_shape": _SHAPE, "side": int, "extent": float, "upright": bool},
    "pipeline": {},
    "shape_features": {"image_shape": _SHAPE, "weight": float},
    "stack": {},
    "svc": {
        "C": float,
        "kernel": str,
        "degree": int,
        "gamma": [float, str],
        "coef0": float,
        "tol": float,
        "class_weight": [NoneType, str, dict],
        "decision_function_shape": str,
        "break_ties": bool,
        "random_state": _SEED,
    },
    "union": {},
    "vote": {},
    "virtual": {
        "copies": int,
        "random_state": _SEED,
        "distort": _DISTORTION,
    },
}


# An entry of a network's log.
EPOCH: Expected = get_type_hints(Epoch)


class InvalidStepError(ValueError):
    """Its message says what is wrong with a step."""


def parse_model(data: object, n_columns: int = N_PIXELS) -> Step:
    """Return the checked step of a classifier, from untrusted plain types and arrays.

    It takes samples with `n_columns` columns: the pixels of images, or features.

    Raises
    ------
    InvalidStepError
        If a part is missing, unknown, of the wrong type, out of range or inconsistent.
    """
    step = _parse(data, count(1))
    _check_classifier(step, n_columns)
    return step


def _parse(data: Any, numbers: Iterator[int]) -> Step:
    """Check the types of a step and of its parts, apart from their relations."""
    number = next(numbers)
    fields: Expected = {
        "type": str,
        "name": str,
        "parameters": dict,
        "attributes": dict,
        "steps": list,
    }
    if not _conforms(data, fields):
        msg = "it contains no pipeline" if number == 1 else "its pipeline is incomplete"
        raise InvalidStepError(msg)
    kind = data["type"]
    if kind not in PARAMETERS or number > MAX_STEPS:
        msg = f"it has a step of type {kind[:40]!r}" if number <= MAX_STEPS else "it has no end"
        raise InvalidStepError(msg)
    parameters = dict(data["parameters"])
    # Of earlier files.
    parameters.pop("working_memory", None)
    _require(_conforms(parameters, PARAMETERS[kind]), f"parameters of its {kind}")
    _require(_conforms(data["attributes"], ATTRIBUTES.get(kind, {})), f"attributes of its {kind}")
    steps = tuple(_parse(part, numbers) for part in data["steps"])
    return Step(kind, data["name"], parameters, data["attributes"], steps)


def _conforms(value: Any, expected: Expected) -> bool:
    if isinstance(expected, list):
        return any(_conforms(value, alternative) for alternative in expected)
    if isinstance(expected, str):
        is_array = type(value) is np.ndarray and value.dtype.name == expected
        return is_array and bool(np.isfinite(value).all())
    if isinstance(expected, dict):
        is_dict = type(value) is dict and value.keys() == expected.keys()
        return is_dict and all(_conforms(value[name], x) for name, x in expected.items())
    if isinstance(expected, tuple):
        is_tuple = type(value) is tuple and len(value) == len(expected)
        return is_tuple and all(map(_conforms, value, expected))
    return type(value) is expected or (expected is float and type(value) is int)


def _require(valid: object, what: str) -> None:
    if not valid:
        msg = f"the {what} are inconsistent"
        raise InvalidStepError(msg)


def _ascend(classes: Array) -> bool:
    return classes.ndim == 1 and bool((np.diff(classes) > 0).all())


def _check_classifier(step: Step, n_columns: int) -> Array:
    """Check a classifier of samples with `n_columns` columns; return its classes."""
    if step.type in FUNCTIONS or step.type == "union":
        msg = f"it has {step.type} in place of a classifier"
        raise InvalidStepError(msg)
    if step.type == "svc":
        return _check_svc(step, n_columns)
    if step.type == "conv_net":
        return _check_network(step, n_columns)
    n_parts = len(step.steps)
    is_valid = n_parts == 1 or (n_parts > 1 and step.type in (*ENSEMBLES, "pipeline"))
    _require(is_valid, f"parts of its {step.type}")
    if step.type in ENSEMBLES:
        # scikit-learn fits their estimators to class indices.
        indices = np.arange(len(step.classes))
        views = [_check_classifier(view, n_columns) for view in step.steps]
        is_valid = _ascend(step.classes)
        is_valid = is_valid and all(np.array_equal(view, indices) for view in views)
        if step.type == "stack":
            exponents = step.attributes["exponents"]
            is_valid = is_valid and exponents.shape == (n_parts,) and bool((exponents >= 0).all())
        _require(is_valid, f"attributes of its {step.type}")
        return step.classes
    if step.type == "calibrated":
        fitted = step.attributes
        slope, typical = fitted["novelty_slope"], fitted["typical_novelty"]
        is_valid = 0 < fitted["temperature"] < inf and 0 <= slope <= MAX_SLOPE and 0 <= typical <= 2
        _require(is_valid, "attributes of its calibrated")
    *transformers, classifier = step.steps
    for transformer in transformers:
        n_columns = _check_transformer(transformer, n_columns)
    return _check_classifier(classifier, n_columns)


def _check_transformer(step: Step, n_columns: int) -> int:
    """Check a transformer of images of `n_columns` pixels; return its number of outputs."""
    if step.type in ("pipeline", "union"):
        _require(step.steps, f"parts of its {step.type}")
        if step.type == "union":
            return sum(_check_transformer(part, n_columns) for part in step.steps)
        for part in step.steps:
            n_columns = _check_transformer(part, n_columns)
        return n_columns
    if step.type == "conv_net":
        _check_network(step, n_columns)
        return step.network.n_hidden
    if step.type not in FUNCTIONS:
        msg = f"it has {step.type} in place of a transformer"
        raise InvalidStepError(msg)
    parameters = step.parameters
    check_parameters(parameters)
    shape = parameters["image_shape"]
    _require(min(shape) > 0 and prod(shape) == n_columns, f"parameters of its {step.type}")
    if step.type == "normalize_size":
        return int(parameters["side"] ** 2)
    if step.type == "gradient_features":
        return int(parameters["directions"] * parameters["grid"] ** 2)
    return 2 if step.type == "shape_features" else n_columns


def _check_network(step: Step, n_columns: int) -> Array:
    """Check a network by building it, for which the extra [cnn] is needed; return the classes."""
    # Here, because it imports scikit-learn, which SVMs do not need to predict.
    from mnist_svm.networks.parameters import check_network_parameters

    fitted, shape = step.attributes, step.parameters["image_shape"]
    check_network_parameters(SimpleNamespace(**step.parameters))
    is_valid = 0 < fitted["temperature"] < inf and 0 <= fitted["data_max"] < inf
    weights = all(_conforms(array, "float32") for array in fitted["weights"])
    weights = weights and all(_conforms(epoch, EPOCH) for epoch in fitted["fit_log"])
    is_shape = min(shape) > 0 and prod(shape) == n_columns
    classes = step.classes
    # Before the network is built, whose size depends on it.
    weights = weights and fitted["weights"] and fitted["weights"][-1].shape == classes.shape
    is_sorted = _ascend(classes) and len(classes) > 1
    _require(is_valid and weights and is_shape and is_sorted, "attributes of its conv_net")
    # Raises ValueError if the weights are of other shapes.
    _ = step.network
    return classes


def _check_svc(svc: Step, n_columns: int) -> Array:
    """Check the numbers that predictions depend on; return the classes."""
    parameters, fitted = svc.parameters, svc.attributes
    numbers = (parameters["coef0"], fitted["gamma"])
    is_kernel = parameters["kernel"] in KERNELS and 0 <= parameters["degree"] <= MAX_DEGREE
    _require(is_kernel and all(map(isfinite, numbers)), "parameters of its svc")
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
        and _ascend(fitted["classes"])
        and (counts >= 0).all()
        and counts.sum(dtype=np.int64) == n > 0,
        "attributes of its svc",
    )
    return svc.classes
