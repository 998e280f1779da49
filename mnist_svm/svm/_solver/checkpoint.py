"""The state of a fit between two rounds, in a file, so that it can be interrupted."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mnist_svm._io import atomic_write
from mnist_svm.svm._solver.pair import Pair
from mnist_svm.svm._solver.working_set import Round, WorkingSetSolver

Arrays = dict[str, Any]

# Of a pair, what the next round begins with: an array each, and a number each.
VECTORS = ("members", "coef", "margins")
NUMBERS = ("first", "second", "bias", "iterations", "violation", "stale")
LOGGED = tuple(field.name for field in fields(Round))


class Checkpoint:
    """A file that holds the state of one fit.

    Parameters
    ----------
    path : str
    fit : str
        Which fit it is: see `fingerprint`.
    """

    def __init__(self, path: str, fit: str) -> None:
        self._path = Path(path)
        self._fit = fit

    def save(self, solver: WorkingSetSolver, random_state: np.random.RandomState) -> None:
        """Keep the state after a round.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with atomic_write(self._path) as file:
            np.savez(file, fit=np.array(self._fit), **_state(solver, random_state))

    def restore(self, solver: WorkingSetSolver, random_state: np.random.RandomState) -> bool:
        """Go back to the state that was kept, if it is of this fit.

        Returns
        -------
        bool
            Whether it was; else nothing is changed.

        Raises
        ------
        OSError
            If there is a file that cannot be read.
        """
        try:
            with np.load(self._path, allow_pickle=False) as kept:
                state = dict(kept)
        except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
            return False
        if str(state.get("fit")) != self._fit:
            return False
        _restore(solver, random_state, state)
        return True


def fingerprint(parameters: dict[str, Any], arrays: Iterable[npt.NDArray[Any]]) -> str:
    """What tells a fit from others.

    Parameters
    ----------
    parameters : dict
    arrays : iterable of ndarrays
        Of the samples.

    Returns
    -------
    str
    """
    digest = hashlib.blake2b(repr(sorted(parameters.items())).encode(), digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _state(solver: WorkingSetSolver, random_state: np.random.RandomState) -> Arrays:
    _, keys, position, has_gauss, gauss = random_state.get_state(legacy=True)
    state: Arrays = {
        "inside": solver.inside,
        "floor": solver.floor,
        "guessing": np.array(solver.guessing),
        "settled": np.array(solver.settled),
        "keys": np.asarray(keys),
        "drawn": np.array([position, has_gauss, gauss], np.float64),
        "sizes": np.array([len(pair.members) for pair in solver.pairs]),
    }
    for name in VECTORS:
        state[name] = np.concatenate([getattr(pair, name) for pair in solver.pairs])
    for name in NUMBERS:
        state[name] = np.array([getattr(pair, name) for pair in solver.pairs])
    for name in LOGGED:
        state[f"log_{name}"] = np.array([getattr(entry, name) for entry in solver.log])
    return state


def _restore(solver: WorkingSetSolver, random_state: np.random.RandomState, state: Arrays) -> None:
    position, has_gauss, gauss = state["drawn"].tolist()
    random_state.set_state(("MT19937", state["keys"], int(position), int(has_gauss), gauss))
    solver.inside, solver.floor = state["inside"], state["floor"]
    solver.guessing, solver.settled = bool(state["guessing"]), bool(state["settled"])
    ends = np.cumsum(state["sizes"])[:-1]
    vectors = zip(*(np.split(state[name], ends) for name in VECTORS), strict=True)
    numbers = zip(*(state[name].tolist() for name in NUMBERS), strict=True)
    solver.pairs = [
        Pair(**dict(zip(VECTORS, of_pair, strict=True)), **dict(zip(NUMBERS, its, strict=True)))
        for of_pair, its in zip(vectors, numbers, strict=True)
    ]
    entries = zip(*(state[f"log_{name}"].tolist() for name in LOGGED), strict=True)
    solver.log = [Round(*entry) for entry in entries]
