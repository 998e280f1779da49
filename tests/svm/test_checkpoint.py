"""A fit that is interrupted goes on from its last round, to the same machine."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from sklearn.base import clone

from mnist_svm import Deskew, KernelSVC
from mnist_svm.svm._solver import samples
from mnist_svm.svm._solver.checkpoint import Checkpoint
from mnist_svm.svm._solver.working_set import WorkingSetSolver
from tests.support.svm_oracle import bits


class InterruptionError(Exception):
    pass


@pytest.fixture(scope="module")
def digits(train_set):
    """6,000 deskewed images and their labels."""
    return Deskew().fit_transform(train_set.X[:6000]), train_set.labels[:6000]


@pytest.fixture(autouse=True)
def guesses(monkeypatch):
    """Let the solver project its samples for guesses, as it does where there are many."""
    monkeypatch.setattr(samples, "MIN_SAMPLES_TO_PROJECT", 1000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


def machine(path=None, **parameters):
    given = {"kernel": "rbf", "gamma": 1e-7, "C": 3.0, "random_state": 0, **parameters}
    return KernelSVC(**given, checkpoint=None if path is None else str(path))


@pytest.fixture(scope="module")
def without_a_break(digits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "MIN_SAMPLES_TO_PROJECT", 1000)
        return bits(machine().fit(*digits))


@pytest.fixture
def interrupted(monkeypatch, digits):
    """Fits, but for an interruption after so many rounds."""
    save = Checkpoint.save

    def fit(unfitted, rounds):
        left = [rounds]

        def save_and_stop(*state):
            save(*state)
            left[0] -= 1
            if not left[0]:
                raise InterruptionError

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "save", save_and_stop)
            with pytest.raises(InterruptionError):
                unfitted.fit(*digits)

    return fit


def rounds_of(monkeypatch):
    """A list to which each round's solves are added."""
    solved = []
    solve = WorkingSetSolver._solve_pairs
    monkeypatch.setattr(
        WorkingSetSolver,
        "_solve_pairs",
        lambda self, most: solved.append(len(self.log) + 1) or solve(self, most),
    )
    return solved


@pytest.mark.slow
def test_a_fit_goes_on_to_the_same_bits_from_every_round(
    digits, without_a_break, interrupted, path, monkeypatch
):
    last = len(without_a_break[1])
    assert {row[1] for row in without_a_break[1]} == {True, False}, "guesses, and exact scans"
    for rounds in range(1, last):
        path.unlink(missing_ok=True)
        interrupted(machine(path), rounds)
        with monkeypatch.context() as patch:
            solved = rounds_of(patch)
            again = machine(path).fit(*digits)
        assert solved == list(range(rounds + 1, last + 1))
        assert bits(again) == without_a_break


def test_a_fit_may_be_interrupted_in_every_round(digits, without_a_break, interrupted, path):
    for _ in range(1, len(without_a_break[1])):
        interrupted(machine(path), 1)
    assert bits(machine(path).fit(*digits)) == without_a_break


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [{"C": 1.0}, {"gamma": 2e-7}, {"tol": 1e-2}, {"random_state": 1}], ids=str
)
def test_other_parameters_are_another_fit(digits, interrupted, path, change):
    interrupted(machine(path), 2)
    assert bits(machine(path, **change).fit(*digits)) == bits(machine(**change).fit(*digits))


@pytest.mark.slow
def test_other_samples_or_labels_are_another_fit(digits, interrupted, path):
    X, y = digits
    interrupted(machine(path), 2)
    kept = path.read_bytes()
    # Two neighbours of one class change places; the sums over all rows stay what they are.
    first, second = np.flatnonzero(y == 3)[:2]
    swapped = np.arange(len(y))
    swapped[[first, second]] = second, first
    assert bits(machine(path).fit(X[swapped], y)) == bits(machine().fit(X[swapped], y))
    path.write_bytes(kept)
    assert bits(machine(path).fit(X, y[swapped] % 9)) == bits(machine().fit(X, y[swapped] % 9))


def test_threads_are_no_part_of_a_fit(digits, without_a_break, interrupted, path, monkeypatch):
    interrupted(machine(path, n_jobs=1), 2)
    solved = rounds_of(monkeypatch)
    assert bits(machine(path, n_jobs=2).fit(*digits)) == without_a_break
    assert solved[0] == 3


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no checkpoint", None], ids=["empty", "text", "cut"])
def test_a_file_that_is_no_checkpoint_is_replaced(
    digits, without_a_break, interrupted, path, content
):
    if content is None:
        interrupted(machine(path), 2)
        content = path.read_bytes()[:-100]
    path.write_bytes(content)
    assert bits(machine(path).fit(*digits)) == without_a_break
    with np.load(path) as kept:
        assert len(kept["log_round"]) == len(without_a_break[1]) - 1


def test_a_folder_that_is_gone_is_told_of(digits, path):
    unfitted = machine(path.parent / "gone" / "fit.npz")
    with pytest.raises(FileNotFoundError, match=r"gone"):
        unfitted.fit(*digits)


def test_a_checkpoint_is_no_part_of_a_saved_machine(digits, path):
    fitted = machine(path).fit(digits[0][:500], digits[1][:500])
    assert clone(fitted).checkpoint == str(path)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.checkpoint is None
    assert str(path).encode() not in pickle.dumps(fitted)
    # As of a version that knew of none.
    assert again.get_params()["checkpoint"] is None


def test_nothing_is_written_beside_the_file(digits, path):
    machine(path).fit(*digits)
    assert list(path.parent.iterdir()) == [path]
    shutil.rmtree(path.parent)
