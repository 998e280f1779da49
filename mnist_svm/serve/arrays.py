"""Arrays of a JSON body -> images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from pydantic_core import from_json

from mnist_svm.constants import IMAGE_SIDE, N_PIXELS, WHITE, Images
from mnist_svm.serve.error_responses import ProblemError
from mnist_svm.serve.schemas import FORMS, Arrays
from mnist_svm.serve.settings import MAX_ARRAYS

# What an image may be like.
SHAPES = {(N_PIXELS,), (IMAGE_SIDE, IMAGE_SIDE), (IMAGE_SIDE, IMAGE_SIDE, 1)}

# Largest numbers from which on white is 255, and up to which it is 1.
BYTES_FROM, FRACTIONS_TO = 2, 1


def images_of(body: bytes) -> Images:
    """The images of a JSON body.

    Parameters
    ----------
    body : bytes
        As `mnist_svm.serve.schemas.Arrays` says.

    Returns
    -------
    uint8 ndarray of shape (n, 28, 28), 0-255

    Raises
    ------
    ProblemError
        If the body is no such JSON, or it cannot be told what white is.
    """
    try:
        told = from_json(body)
    except ValueError as error:
        msg = f"body: not JSON: {error}"
        raise ProblemError(422, msg) from None
    values, stated = _plain(told, body), None
    if values is None:
        arrays = _looked_at(told)
        values, stated = np.array(arrays.data, dtype=np.float64), arrays.range
    values = values.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    white = _white(values) if stated is None else {"0-255": WHITE, "0-1": 1}[stated]
    if values.max() > white:
        msg = f"data: a number of {values.max():g} where the range is 0-1"
        raise ProblemError(422, msg)
    return np.rint(values * (WHITE / white)).astype(np.uint8)


def _plain(told: Any, body: bytes) -> npt.NDArray[np.float64] | None:
    """The numbers, if NumPy alone can tell that they are sound: twice as fast as one by one."""
    # Strings and booleans it would take for numbers.
    if not isinstance(told, dict) or told.keys() != {"data"} or body.count(b'"') != 2:
        return None
    if b"true" in body or b"false" in body:
        return None
    try:
        values = np.array(told["data"], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    one, several = values.shape in SHAPES, values.shape[1:] in SHAPES
    fits = one or (several and 0 < len(values) <= MAX_ARRAYS)
    # Of a null came what is not a number, and no comparison holds.
    return values if fits and values.min() >= 0 and values.max() <= WHITE else None


def _looked_at(told: Any) -> Arrays:
    """The arrays, or what is wrong with them."""
    if not isinstance(told, dict):
        raise ProblemError(422, 'body: expected an object: {"data": ...}')
    # By itself pydantic would tell of each of a million fields.
    if others := told.keys() - Arrays.model_fields.keys():
        msg = f"body: {len(others)} fields that are not known; it takes data and range"
        raise ProblemError(422, msg)
    try:
        return Arrays.model_validate(told)
    except ValidationError as error:
        raise ProblemError(422, _told(error)) from None


def _white(values: npt.NDArray[np.float64]) -> int:
    largest = values.max()
    if largest <= FRACTIONS_TO:
        return 1
    if largest >= BYTES_FROM:
        return WHITE
    msg = f'data: the largest number is {largest:g}; say "range": "0-1" or "0-255"'
    raise ProblemError(422, msg)


def _told(error: ValidationError) -> str:
    """The first fault on one line."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"] if part not in FORMS)
    return f"{where or 'body'}: {first['msg']}"
