"""What parameters and weights a machine takes, said in one line when they are wrong."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import column_or_1d

from mnist_svm.svm.kernels import KERNELS

# A larger number of MiB is a number of bytes, given by mistake.
MAX_MIB = 1 << 20

LARGEST = float(np.finfo(np.float64).max)


def check_parameters(machine: Any) -> None:
    """Refuse what `KernelSVC` cannot work with.

    Parameters
    ----------
    machine : KernelSVC

    Raises
    ------
    ValueError
        That names the parameter, what it may be, and what it is.
    """
    _check_number(machine, "C", above=0)
    _check_choice(machine, "kernel", KERNELS)
    if not isinstance(machine.degree, Integral) or machine.degree < 0:
        msg = f"degree must be an integer >= 0, got {machine.degree!r}"
        raise ValueError(msg)
    if isinstance(machine.gamma, str):
        _check_choice(machine, "gamma", ("scale", "auto"))
    else:
        _check_number(machine, "gamma", at_least=0, at_most=LARGEST)
    _check_number(machine, "coef0", at_least=-LARGEST, at_most=LARGEST)
    _check_number(machine, "tol", above=0)
    _check_choice(machine, "decision_function_shape", ("ovr", "ovo"))
    _check_number(machine, "working_memory", above=0)
    if machine.working_memory > MAX_MIB:
        msg = (
            f"working_memory={machine.working_memory} MiB is more than 1 TiB; "
            "it is in MiB, not in bytes"
        )
        raise ValueError(msg)


def checked_weights(sample_weight: npt.ArrayLike | None, n: int) -> npt.NDArray[np.float64] | None:
    """The weights of n samples, none below zero.

    Parameters
    ----------
    sample_weight : array-like of shape (n,), or None
    n : int

    Returns
    -------
    float64 ndarray of shape (n,), or None

    Raises
    ------
    ValueError
        If it is not of that shape, or not finite.
    """
    if sample_weight is None:
        return None
    weights: npt.NDArray[np.float64] = column_or_1d(sample_weight, dtype=np.float64)
    if len(weights) != n:
        msg = f"sample_weight has {len(weights)} elements, but X has {n} samples"
        raise ValueError(msg)
    if not np.isfinite(weights).all():
        msg = "sample_weight contains NaN or infinity"
        raise ValueError(msg)
    return np.asarray(np.maximum(weights, 0))


def _check_number(
    machine: Any,
    name: str,
    *,
    above: float | None = None,
    at_least: float = -np.inf,
    at_most: float = np.inf,
) -> None:
    value = getattr(machine, name)
    low = at_least if above is None else above
    sound = isinstance(value, Real) and low <= float(value) <= at_most and value != above
    if not sound:
        sign = ">=" if above is None else ">"
        msg = f"{name} must be a number {sign} {low:g}, got {value!r}"
        raise ValueError(msg)


def _check_choice(machine: Any, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(machine, name)
    if not (isinstance(value, str) and value in choices):
        msg = f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}"
        raise ValueError(msg)
