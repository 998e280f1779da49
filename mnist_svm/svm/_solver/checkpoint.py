"""Checkpoints: the state of a fit between two rounds, in a file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from mnist_svm._io import atomic_write
from mnist_svm.svm._solver.pair import Pair
from mnist_svm.svm._solver.working_set import Round, WorkingSetSolver
from mnist_svm.svm.log import logger

# Attributes of a pair that the next round depends on: arrays, and numbers.
PAIR_ARRAYS = ("members", "coef", "margins")
PAIR_NUMBERS = ("first", "second", "bias", "iterations", "violation", "stale")
ROUND_FIELDS = tuple(field.name for field in fields(Round))

# Parameters of an estimator that do not affect the result.
WITHOUT_EFFECT = ("n_jobs", "verbose", "checkpoint")


class Checkpoint:
    """A file that holds the state of one fit; `fit_id` identifies its data and parameters."""

    def __init__(self, path: str, fit_id: str) -> None:
        self._path = Path(path)
        self._fit_id = fit_id

    def save(self, solver: WorkingSetSolver, random_state: np.random.RandomState) -> None:
        """Write the state after a round.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with atomic_write(self._path) as file:
            np.savez(file, fit_id=np.array(self._fit_id), **_to_arrays(solver, random_state))

    def restore(self, solver: WorkingSetSolver, random_state: np.random.RandomState) -> bool:
        """Set the state of solver and generator to that of the file.

        Returns False, and changes nothing, if there is no file or it is not of this fit.

        Raises
        ------
        OSError
            If the file exists but cannot be read.
        """
        try:
            with np.load(self._path, allow_pickle=False) as file:
                arrays = dict(file)
        except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
            return False
        if str(arrays.get("fit_id")) != self._fit_id:
            return False
        _from_arrays(solver, random_state, arrays)
        return True


def resume(
    path: str | None,
    parameters: Mapping[str, Any],
    solver: WorkingSetSolver,
    random_state: np.random.RandomState,
) -> Callable[[], None]:
    """Restore the state from a checkpoint of the same fit, if any; return a function that saves it.

    `parameters` are those of the estimator. Without a path, nothing is restored or saved.

    Raises
    ------
    OSError
        If the file exists but cannot be read.
    """
    if path is None:
        return lambda: None
    checkpoint = Checkpoint(path, _fingerprint(parameters, solver))
    if checkpoint.restore(solver, random_state):
        logger.info("resuming after round %s", len(solver.log))
    return lambda: checkpoint.save(solver, random_state)


def _fingerprint(parameters: Mapping[str, Any], solver: WorkingSetSolver) -> str:
    """A hash of all that determines the result of a fit."""
    relevant = sorted(item for item in parameters.items() if item[0] not in WITHOUT_EFFECT)
    digest = hashlib.blake2b(repr(relevant).encode(), digest_size=16)
    samples = solver.samples
    for array in (samples.order, samples.classes, samples.norms, solver.box):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _to_arrays(solver: WorkingSetSolver, random_state: np.random.RandomState) -> dict[str, Any]:
    _, keys, position, has_gauss, gauss = random_state.get_state(legacy=True)
    arrays: dict[str, Any] = {
        "in_working_set": solver.in_working_set,
        "margin_bounds": solver.margin_bounds,
        "flags": np.array([solver.approximate, solver.grow_only]),
        "generator_keys": np.asarray(keys),
        "generator": np.array([position, has_gauss, gauss], np.float64),
        "sizes": np.array([len(pair.members) for pair in solver.pairs]),
    }
    for name in PAIR_ARRAYS:
        arrays[name] = np.concatenate([getattr(pair, name) for pair in solver.pairs])
    for name in PAIR_NUMBERS:
        arrays[name] = np.array([getattr(pair, name) for pair in solver.pairs])
    for name in ROUND_FIELDS:
        arrays[f"log_{name}"] = np.array([getattr(entry, name) for entry in solver.log])
    return arrays


def _from_arrays(
    solver: WorkingSetSolver, random_state: np.random.RandomState, arrays: dict[str, Any]
) -> None:
    position, has_gauss, gauss = arrays["generator"].tolist()
    keys = arrays["generator_keys"]
    random_state.set_state(("MT19937", keys, int(position), int(has_gauss), gauss))
    ends = np.cumsum(arrays["sizes"])[:-1]
    columns = [
        *(np.split(arrays[name], ends) for name in PAIR_ARRAYS),
        *(arrays[name].tolist() for name in PAIR_NUMBERS),
    ]
    names = (*PAIR_ARRAYS, *PAIR_NUMBERS)
    pairs = [Pair(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]
    log = [
        Round(*row)
        for row in zip(*(arrays[f"log_{name}"].tolist() for name in ROUND_FIELDS), strict=True)
    ]
    approximate, grow_only = arrays["flags"].tolist()
    solver.set_state(
        pairs,
        log,
        arrays["in_working_set"],
        arrays["margin_bounds"],
        approximate=approximate,
        grow_only=grow_only,
    )
