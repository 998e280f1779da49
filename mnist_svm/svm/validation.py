"""Validation of the parameters, weights and labels of `KernelSVC`, and of the machines like it."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import column_or_1d

from mnist_svm._types import Array, BoolArray, Float64Array, IntArray
from mnist_svm.svm.kernels import SVC_KERNELS

# Those of `mnist_svm.svm.machine`.
MACHINE_KERNELS = tuple(name for name in SVC_KERNELS if name != "precomputed")

SOLVERS = ("auto", "libsvm", "blocks", "working_sets")

# A larger number of MiB is most likely a number of bytes.
MAX_MIB = 1 << 20

MAX_FLOAT = float(np.finfo(np.float64).max)


def check_parameters(svc: Any) -> None:
    """Raise ValueError, with the valid values, if a parameter of a `KernelSVC` is invalid."""
    check_number(svc, "C", above=0)
    if not callable(svc.kernel):
        check_choice(svc, "kernel", SVC_KERNELS)
    _check_kernel_parameters(svc)
    check_choice(svc, "decision_function_shape", ("ovr", "ovo"))
    check_choice(svc, "solver", SOLVERS)


def check_machine(machine: Any) -> None:
    """Raise ValueError if a parameter of a `KernelMachine` is invalid, but for its own ones."""
    check_choice(machine, "kernel", MACHINE_KERNELS)
    _check_kernel_parameters(machine)


def _check_kernel_parameters(svc: Any) -> None:
    """Raise ValueError if a parameter of the kernel, or a limit of the solver, is invalid."""
    if not isinstance(svc.degree, Integral) or svc.degree < 0:
        msg = f"degree must be an integer >= 0, got {svc.degree!r}"
        raise ValueError(msg)
    if isinstance(svc.gamma, str):
        check_choice(svc, "gamma", ("scale", "auto"))
    else:
        check_number(svc, "gamma", at_least=0, at_most=MAX_FLOAT)
    check_number(svc, "coef0", at_least=-MAX_FLOAT, at_most=MAX_FLOAT)
    check_number(svc, "tol", above=0)
    if not isinstance(svc.max_iter, Integral) or svc.max_iter < -1 or svc.max_iter == 0:
        msg = f"max_iter must be a positive integer, or -1 for no limit, got {svc.max_iter!r}"
        raise ValueError(msg)
    check_number(svc, "cache_size", above=0)
    if svc.cache_size > MAX_MIB:
        msg = f"cache_size={svc.cache_size} MiB is more than 1 TiB; it is in MiB, not in bytes"
        raise ValueError(msg)


def check_weights(sample_weight: npt.ArrayLike | None, n: int) -> Float64Array | None:
    """Check the weights of n samples, and replace negative ones by 0; None stays None.

    Raises ValueError if the weights have another shape, or are not finite.
    """
    if sample_weight is None:
        return None
    weights: Float64Array = column_or_1d(sample_weight, dtype=np.float64)
    if len(weights) != n:
        msg = f"sample_weight has {len(weights)} elements, but X has {n} samples"
        raise ValueError(msg)
    if not np.isfinite(weights).all():
        msg = "sample_weight contains NaN or infinity"
        raise ValueError(msg)
    return np.asarray(np.maximum(weights, 0))


def check_used_weights(
    sample_weight: npt.ArrayLike | None, n: int
) -> tuple[IntArray, Float64Array]:
    """The rows of positive weight, and their weights, which are 1 by default.

    Raises ValueError if there are none, or as `check_weights` does.
    """
    weights = check_weights(sample_weight, n)
    if weights is None:
        return np.arange(n), np.ones(n)
    used = _used_rows(weights > 0)
    return used, weights[used]


def _used_rows(used: BoolArray) -> IntArray:
    """The rows of the used samples; raise ValueError if there are none."""
    rows = np.flatnonzero(used)
    if not len(rows):
        msg = "Invalid input - all samples have zero or negative weights."
        raise ValueError(msg)
    return rows


def check_square(values: Any) -> None:
    """Raise ValueError unless there is a kernel value for each two samples."""
    n, m = values.shape
    if n != m:
        msg = f"Precomputed matrix must be a square matrix; got {n}x{m}"
        raise ValueError(msg)


def balanced_weights(codes: IntArray, weights: Float64Array | None) -> Float64Array:
    """The weight of each class that makes the classes weigh the same; 0 for one of weight 0.

    `codes` are the classes of n samples, and `weights` their weights, at least 0.
    """
    totals = np.bincount(codes, weights=weights).astype(np.float64)
    used = totals > 0
    balanced = np.zeros(len(totals))
    balanced[used] = totals.sum() / (np.count_nonzero(used) * totals[used])
    return balanced


def sort_by_class(labels: Array, used: BoolArray) -> tuple[Array, IntArray, IntArray]:
    """Sort the used samples, those of positive weight, by class.

    Returns the labels of the k classes, ascending; the rows of the used samples, sorted by class,
    then by row; and k + 1 starts: class c has ``rows[starts[c]:starts[c + 1]]``. Raises ValueError
    if fewer than two classes are used.
    """
    rows = _used_rows(used)
    classes, codes = np.unique(labels[rows], return_inverse=True)
    if len(classes) < 2:
        msg = (
            "Invalid input - all samples with positive weights belong to the same class: "
            f"{classes[0]}. The number of classes has to be greater than one; got 1 class. "
            "A weight is sample_weight times class_weight."
        )
        raise ValueError(msg)
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes))])
    return classes, rows[np.argsort(codes, kind="stable")], starts


def check_number(
    svc: Any,
    name: str,
    *,
    above: float | None = None,
    at_least: float = -np.inf,
    at_most: float = np.inf,
) -> None:
    """Raise ValueError unless a parameter is a number within these limits."""
    value = getattr(svc, name)
    low = at_least if above is None else above
    valid = isinstance(value, Real) and low <= float(value) <= at_most and value != above
    if not valid:
        sign = ">=" if above is None else ">"
        highest = f" and <= {at_most:g}" if at_most < MAX_FLOAT else ""
        msg = f"{name} must be a number {sign} {low:g}{highest}, got {value!r}"
        raise ValueError(msg)


def check_choice(svc: Any, name: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless a parameter is one of these names."""
    value = getattr(svc, name)
    if not (isinstance(value, str) and value in choices):
        msg = f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}"
        raise ValueError(msg)
