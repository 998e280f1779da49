"""Which solver is chosen: from the number of samples, and a first look at real digits."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from mnist_svm import Deskew, KernelSVC
from mnist_svm.svm import fitting
from mnist_svm.svm._solver.first_look import expected_share
from mnist_svm.svm.fitting import MAX_LIBSVM_SAMPLES

# --- the estimate -----------------------------------------------------------------------------


def test_bounded_samples_keep_their_share():
    coef, box = np.array([0.5, -0.5, 0.0, 0.0]), np.full(4, 0.5)
    assert expected_share(coef, box, 400) == 0.5


def test_free_support_vectors_become_rarer_with_the_square_root():
    coef, box = np.array([0.2, -0.2, 0.0, 0.0]), np.full(4, 0.5)
    assert expected_share(coef, box, 400) == pytest.approx(0.5 / 10)


def test_each_coefficient_is_compared_with_its_own_bound():
    # Two bounded, one free, five zero.
    coef = np.array([0.3, -1.0, 0.7, 0, 0, 0, 0, 0])
    box = np.array([0.3, 1.0, 0.9, 1, 1, 1, 1, 1])
    assert expected_share(coef, box, 32) == pytest.approx(2 / 8 + 1 / 8 / 2)


@given(
    alphas=st.lists(st.sampled_from([0.0, 0.4, 1.0]), min_size=1, max_size=50),
    factor=st.integers(1, 100),
)
def test_the_share_is_between_that_of_bounded_samples_and_that_of_support_vectors(alphas, factor):
    coef = np.array(alphas)
    share = expected_share(coef, np.ones(len(coef)), factor * len(coef))
    assert (coef == 1).mean() <= share <= (coef > 0).mean() + 1e-12


# --- the choice -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(train_set):
    """2,500 deskewed images of zeros, fours and nines, 0-1, and their labels."""
    rows = np.flatnonzero(np.isin(train_set.labels, [0, 4, 9]))[: MAX_LIBSVM_SAMPLES + 500]
    return Deskew().fit_transform(train_set.X[rows]) / np.float32(255), train_set.labels[rows]


@pytest.fixture(scope="module")
def noisy(digits):
    """The same, with random labels for fours and nines."""
    X, y = digits
    return X, np.where(y == 0, 0, np.random.default_rng(0).choice([4, 9], len(y)))


def make_svc(**parameters):
    return KernelSVC(gamma=0.01, C=10.0, random_state=0, **parameters)


def decision(X, y, **parameters):
    return make_svc(**parameters).fit(X, y).fit_log_[0]["decision"]


def whole_pairs(text):
    """The numbers of pairs on all samples, and of pairs."""
    found = re.fullmatch(
        r"(\d+) of (\d+) pairs on all samples; support vectors expected: \d+% to \d+%", text
    )
    return int(found[1]), int(found[2])


def test_separable_digits_are_solved_on_working_sets(digits):
    assert whole_pairs(decision(*digits)) == (0, 3)


def test_pairs_with_noisy_labels_are_solved_on_all_samples_and_others_are_not(noisy):
    assert whole_pairs(decision(*noisy)) == (1, 3)


def test_the_expected_shares_are_about_those_of_the_solution(noisy):
    X, y = noisy
    svc = make_svc().fit(X, y)
    lowest, highest = map(int, re.findall(r"(\d+)%", svc.fit_log_[0]["decision"]))
    # Of the pair (4, 9), and of all samples: nearly all are support vectors of a pair.
    of_pair = np.count_nonzero(svc.dual_coef_[1]) / np.count_nonzero(y)
    assert highest / 100 == pytest.approx(of_pair, rel=0.2)
    assert lowest < highest / 4


def test_only_the_first_round_tells_of_the_choice(digits):
    svc = make_svc().fit(*digits)
    assert len(svc.fit_log_) > 1
    assert {entry["decision"] for entry in svc.fit_log_[1:]} == {""}


def test_the_choice_is_logged(noisy, caplog):
    with caplog.at_level("INFO", logger="mnist_svm.svm"):
        text = decision(*noisy)
    assert f"({text})" in caplog.messages[0]


def test_blocks_are_used_for_all_pairs_if_asked_for(digits):
    assert whole_pairs(decision(*digits, solver="blocks")) == (3, 3)


def test_working_sets_are_used_for_all_pairs_if_asked_for(noisy):
    assert whole_pairs(decision(*noisy, solver="working_sets")) == (0, 3)


def test_libsvm_is_used_if_asked_for(digits):
    assert decision(*digits, solver="libsvm") == "libsvm: as asked for"


@pytest.mark.parametrize("solver", ["blocks", "working_sets"])
def test_few_samples_are_solved_by_what_is_asked_for(digits, solver):
    X, y = digits
    assert whole_pairs(decision(X[:200], y[:200], solver=solver))[1] == 3


def test_few_samples_are_solved_by_libsvm(digits):
    X, y = (part[:MAX_LIBSVM_SAMPLES] for part in digits)
    assert decision(X, y).startswith("libsvm: ")


def test_one_sample_more_is_not(digits):
    X, y = (part[: MAX_LIBSVM_SAMPLES + 1] for part in digits)
    assert whole_pairs(decision(X, y))[1] == 3


def test_samples_without_weight_are_not_counted(digits):
    X, y = (part[: MAX_LIBSVM_SAMPLES + 100] for part in digits)
    weights = (np.arange(len(y)) >= 100).astype(float)
    svc = make_svc().fit(X, y, sample_weight=weights)
    assert svc.fit_log_[0]["decision"].startswith(f"libsvm: {MAX_LIBSVM_SAMPLES:,} samples")


def test_sparse_data_of_few_columns_are_looked_at(digits):
    X, y = digits
    assert decision(sparse.csr_matrix(X), y) == decision(X, y)


def test_wide_sparse_data_are_solved_by_libsvm(digits):
    X, y = digits
    wide = sparse.hstack([sparse.csr_matrix(X[:300]), sparse.csr_matrix((300, 4000))])
    assert decision(wide, y[:300]) == "libsvm: sparse data with 4,784 columns"


def test_given_kernel_values_are_solved_by_libsvm(digits):
    X, y = (part[:300] for part in digits)
    assert decision(X @ X.T, y, kernel="precomputed") == "libsvm: given kernel values"


@pytest.mark.parametrize(
    ("installed", "solver"), [(True, "pairs on all"), (False, "libsvm: pairs")]
)
def test_many_small_pairs_are_left_to_libsvm_without_numba(monkeypatch, installed, solver):
    monkeypatch.setattr(fitting, "is_compiler_installed", lambda: installed)
    rng = np.random.default_rng(0)
    y = np.arange(2100) % 4
    X = rng.normal(size=(2100, 5)) + y[:, None]
    svc = KernelSVC().fit(X, y)
    assert solver in svc.fit_log_[0]["decision"]
