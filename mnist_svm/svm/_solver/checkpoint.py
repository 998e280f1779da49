"""Checkpoints: the state of a fit between two rounds, in a file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mnist_svm._io import atomic_write
from mnist_svm.svm._solver.pair import Pair
from mnist_svm.svm._solver.working_set import Round, WorkingSetSolver
from mnist_svm.svm.log import logger

# Fields of a pair that the next round depends on: arrays, and numbers.
PAIR_ARRAYS = ("members", "coef", "margins")
PAIR_NUMBERS = ("first", "second", "bias", "iterations", "violation", "stale", "is_whole")
ROUND_FIELDS = tuple(field.name for field in fields(Round))

# Parameters of an estimator that do not affect the result.
WITHOUT_EFFECT = ("n_jobs", "verbose", "checkpoint")


def resume(
    path: str | None,
    parameters: Mapping[str, Any],
    solver: WorkingSetSolver,
    random_state: np.random.RandomState,
) -> Callable[[], None]:
    """Restore the state from a checkpoint of the same fit, if any; return a function that saves it.

    `parameters` are those of the estimator. Without a path, nothing is restored or saved. Raises
    OSError if the file exists but cannot be read.
    """
    if path is None:
        return lambda: None
    checkpoint = Checkpoint(Path(path), _fingerprint(parameters, solver), solver, random_state)
    if checkpoint.restore():
        logger.info("resuming after round %s", len(solver.log))
    return checkpoint.save


def _fingerprint(parameters: Mapping[str, Any], solver: WorkingSetSolver) -> str:
    """A hash of all that determines the result of a fit."""
    relevant = sorted(item for item in parameters.items() if item[0] not in WITHOUT_EFFECT)
    digest = hashlib.blake2b(repr(relevant).encode(), digest_size=16)
    samples = solver.samples
    for array in (samples.order, samples.classes, samples.norms, solver.box):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """A file that holds the state of a solver and of its random numbers."""

    path: Path
    fingerprint: str
    solver: WorkingSetSolver
    random_state: np.random.RandomState

    def save(self) -> None:
        """Write the state."""
        _, keys, position, has_gauss, gauss = self.random_state.get_state(legacy=True)
        solver = self.solver
        arrays: dict[str, Any] = {
            "fingerprint": np.array(self.fingerprint),
            "generator_keys": np.asarray(keys),
            "generator": np.array([position, has_gauss, gauss], np.float64),
            "in_working_set": solver.in_working_set,
            "margin_bounds": solver.margin_bounds,
            "flags": np.array([solver.approximate, solver.grow_only]),
            "sizes": np.array([len(pair.members) for pair in solver.pairs]),
        }
        for name in PAIR_ARRAYS:
            arrays[name] = np.concatenate([getattr(pair, name) for pair in solver.pairs])
        for name in PAIR_NUMBERS:
            arrays[name] = np.array([getattr(pair, name) for pair in solver.pairs])
        for name in ROUND_FIELDS:
            arrays[f"log_{name}"] = np.array([getattr(entry, name) for entry in solver.log])
        with atomic_write(self.path) as file:
            np.savez(file, **arrays)

    def restore(self) -> bool:
        """Read the state; return False, and change nothing, if there is none of this fit."""
        try:
            with np.load(self.path, allow_pickle=False) as file:
                arrays = dict(file)
        except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
            return False
        if str(arrays.get("fingerprint")) != self.fingerprint:
            return False
        position, has_gauss, gauss = arrays["generator"].tolist()
        keys = arrays["generator_keys"]
        self.random_state.set_state(("MT19937", keys, int(position), int(has_gauss), gauss))
        ends = np.cumsum(arrays["sizes"])[:-1]
        columns = [
            *(np.split(arrays[name], ends) for name in PAIR_ARRAYS),
            *(arrays[name].tolist() for name in PAIR_NUMBERS),
        ]
        names = PAIR_ARRAYS + PAIR_NUMBERS
        log_columns = [arrays[f"log_{name}"].tolist() for name in ROUND_FIELDS]
        rows = zip(*columns, strict=True)
        solver = self.solver
        solver.pairs = [Pair(**dict(zip(names, row, strict=True))) for row in rows]
        solver.log = [Round(*row) for row in zip(*log_columns, strict=True)]
        solver.in_working_set = arrays["in_working_set"]
        solver.margin_bounds = arrays["margin_bounds"]
        solver.approximate, solver.grow_only = arrays["flags"].tolist()
        return True
