"""Checkpoints: an interrupted fit resumes after its last round, with a bit-equal result."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from sklearn.base import clone

from mnist_svm import Deskew, KernelSVC
from mnist_svm.svm._solver import factors
from mnist_svm.svm._solver.checkpoint import Checkpoint
from mnist_svm.svm._solver.working_set import WorkingSetSolver
from tests.support.svm_oracle import fit_bits


class InterruptionError(Exception):
    pass


@pytest.fixture(scope="module")
def digits(train_set):
    """6,000 deskewed images and their labels."""
    return Deskew().fit_transform(train_set.X[:6000]), train_set.labels[:6000]


@pytest.fixture(autouse=True)
def approximate_rounds(monkeypatch):
    """Project the samples for approximate rounds, which otherwise needs 40,000 samples."""
    monkeypatch.setattr(factors, "MIN_SAMPLES_TO_PROJECT", 1000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit.npz"


def make_svc(path=None, **parameters):
    all_parameters = {"kernel": "rbf", "gamma": 1e-7, "C": 3.0, "random_state": 0, **parameters}
    return KernelSVC(**all_parameters, checkpoint=None if path is None else str(path))


@pytest.fixture(scope="module")
def uninterrupted(digits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factors, "MIN_SAMPLES_TO_PROJECT", 1000)
        return fit_bits(make_svc().fit(*digits))


@pytest.fixture
def interrupted(monkeypatch, digits):
    """A function that fits, and interrupts after a number of rounds."""
    save = Checkpoint.save

    def fit(unfitted, rounds):
        remaining = [rounds]

        def save_and_stop(*state):
            save(*state)
            remaining[0] -= 1
            if not remaining[0]:
                raise InterruptionError

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "save", save_and_stop)
            with pytest.raises(InterruptionError):
                unfitted.fit(*digits)

    return fit


def rounds_of(monkeypatch):
    """A list of the numbers of the rounds that are run from now on."""
    solved = []
    solve = WorkingSetSolver._solve_pairs
    monkeypatch.setattr(
        WorkingSetSolver,
        "_solve_pairs",
        lambda self, most: solved.append(len(self.log) + 1) or solve(self, most),
    )
    return solved


@pytest.mark.slow
def test_a_fit_resumed_after_any_round_is_bit_equal(
    digits, uninterrupted, interrupted, path, monkeypatch
):
    last = len(uninterrupted[1])
    assert {row[1] for row in uninterrupted[1]} == {True, False}, "approximate and exact rounds"
    for rounds in range(1, last):
        path.unlink(missing_ok=True)
        interrupted(make_svc(path), rounds)
        with monkeypatch.context() as patch:
            solved = rounds_of(patch)
            again = make_svc(path).fit(*digits)
        assert solved == list(range(rounds + 1, last + 1))
        assert fit_bits(again) == uninterrupted


def test_a_fit_interrupted_after_each_round_is_bit_equal(digits, uninterrupted, interrupted, path):
    for _ in range(1, len(uninterrupted[1])):
        interrupted(make_svc(path), 1)
    assert fit_bits(make_svc(path).fit(*digits)) == uninterrupted


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [{"C": 1.0}, {"gamma": 2e-7}, {"tol": 1e-2}, {"random_state": 1}], ids=str
)
def test_other_parameters_start_another_fit(digits, interrupted, path, change):
    interrupted(make_svc(path), 2)
    assert fit_bits(make_svc(path, **change).fit(*digits)) == fit_bits(
        make_svc(**change).fit(*digits)
    )


@pytest.mark.slow
def test_other_samples_or_labels_start_another_fit(digits, interrupted, path):
    X, y = digits
    interrupted(make_svc(path), 2)
    content = path.read_bytes()
    # Swapping two samples of a class leaves all column statistics as they are.
    first, second = np.flatnonzero(y == 3)[:2]
    swapped = np.arange(len(y))
    swapped[[first, second]] = second, first
    assert fit_bits(make_svc(path).fit(X[swapped], y)) == fit_bits(make_svc().fit(X[swapped], y))
    path.write_bytes(content)
    assert fit_bits(make_svc(path).fit(X, y[swapped] % 9)) == fit_bits(
        make_svc().fit(X, y[swapped] % 9)
    )


def test_a_fit_may_resume_with_other_threads(digits, uninterrupted, interrupted, path, monkeypatch):
    interrupted(make_svc(path, n_jobs=1), 2)
    solved = rounds_of(monkeypatch)
    assert fit_bits(make_svc(path, n_jobs=2).fit(*digits)) == uninterrupted
    assert solved[0] == 3


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no checkpoint", None], ids=["empty", "text", "cut"])
def test_an_invalid_checkpoint_is_replaced(digits, uninterrupted, interrupted, path, content):
    if content is None:
        interrupted(make_svc(path), 2)
        content = path.read_bytes()[:-100]
    path.write_bytes(content)
    assert fit_bits(make_svc(path).fit(*digits)) == uninterrupted
    with np.load(path) as file:
        assert len(file["log_round"]) == len(uninterrupted[1]) - 1


def test_a_missing_folder_is_an_error(digits, path):
    unfitted = make_svc(path.parent / "gone" / "fit.npz")
    with pytest.raises(FileNotFoundError, match=r"gone"):
        unfitted.fit(*digits)


def test_the_checkpoint_path_is_not_pickled(digits, path):
    fitted = make_svc(path).fit(digits[0][:500], digits[1][:500])
    assert clone(fitted).checkpoint == str(path)
    again = pickle.loads(pickle.dumps(fitted))
    assert again.checkpoint is None
    assert str(path).encode() not in pickle.dumps(fitted)
    assert again.get_params()["checkpoint"] is None


def test_only_the_checkpoint_file_is_written(digits, path):
    make_svc(path).fit(*digits)
    assert list(path.parent.iterdir()) == [path]
    shutil.rmtree(path.parent)
