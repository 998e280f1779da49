"""Pairs whose Gram matrix does not fit in memory: solved part by part."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import Deskew, KernelSVC
from mnist_svm.parallel.threads import threads
from mnist_svm.svm._solver.columns import column_statistics
from mnist_svm.svm._solver.optimum import gram_bytes, solve_dual
from mnist_svm.svm._solver.pair import solve_pair
from mnist_svm.svm._solver.parts import MIN_PART_SIZE
from mnist_svm.svm.kernels import Kernel

TOL = 1e-4
KERNELS = [Kernel("rbf", gamma=0.02), Kernel("poly", gamma=0.01, degree=2, coef0=1.0)]
# Bytes that fit a part of 600 samples of 2,400.
MEMORY_OF_600 = gram_bytes(602, 784) + 2 * 2400 * 784 * 4


@pytest.fixture(scope="module")
def separable(train_set):
    """2,400 deskewed images of fours and nines, 0-1, and their signs."""
    rows = np.flatnonzero(np.isin(train_set.labels, [4, 9]))[:2400]
    X = Deskew().fit_transform(train_set.X[rows]) / np.float32(255)
    return X, np.where(train_set.labels[rows] == 4, 1.0, -1.0)


@pytest.fixture(scope="module")
def pair(separable):
    """The same, with a tenth of the signs flipped."""
    X, signs = separable
    return X, np.where(np.random.default_rng(0).random(len(X)) < 0.1, -signs, signs)


def solve(kernel, pair, *, memory, C=1.0, start=None, max_parts=1000):
    X, signs = pair
    with threads(1) as workers:
        transform = column_statistics(X, None, workers).input_transform(
            kernel, np.dtype(np.float32)
        )
    box = np.full(len(X), C, np.float64)
    start = np.zeros(len(X)) if start is None else start
    points = transform.transform(X)
    return solve_pair(
        transform.kernel, points, signs, box, start, tol=TOL, memory=memory, max_parts=max_parts
    )


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_parts_reach_the_optimum_of_the_whole(kernel, pair):
    whole, solution = (solve(kernel, pair, memory=memory) for memory in (1 << 30, MEMORY_OF_600))
    assert solution.violation <= 10 * TOL
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)
    assert solution.bias == pytest.approx(whole.bias, abs=20 * TOL)
    assert solution.coef.sum() == pytest.approx(0, abs=1e-6)
    assert (solution.coef * pair[1] >= 0).all()
    # There was more than one part.
    assert solution.iterations > whole.iterations


def test_parts_smaller_than_the_free_coefficients_reach_the_optimum(pair):
    X, signs = pair
    subset = X[:1000], signs[:1000]
    whole, solution = (solve(KERNELS[0], subset, memory=memory) for memory in (1 << 30, 0))
    free = (whole.coef != 0) & (np.abs(whole.coef) < 1)
    assert np.count_nonzero(free) > 2 * MIN_PART_SIZE
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)


def test_few_parts_suffice_where_most_samples_violate(separable, monkeypatch):
    """A part must not undo the step of the last one."""
    sizes = []

    def counted(gram, *others):
        sizes.append(len(gram))
        return solve_dual(gram, *others)

    monkeypatch.setattr("mnist_svm.svm._solver.parts.solve_dual", counted)
    X, signs = separable
    flipped = np.random.default_rng(0).random(len(X)) < 0.3
    solution = solve(KERNELS[0], (X, np.where(flipped, -signs, signs)), memory=MEMORY_OF_600)
    assert np.count_nonzero(solution.coef) > 1500
    assert len(sizes) <= 8
    assert max(sizes) < 1000


def test_parts_respect_the_bound_of_each_sample(pair):
    box = np.where(np.arange(2400) % 2, 0.1, 1.0)
    whole, solution = (solve(KERNELS[0], pair, memory=m, C=box) for m in (1 << 30, MEMORY_OF_600))
    assert (np.abs(solution.coef) <= box).all()
    assert (np.abs(solution.coef) == box)[1::2].sum() > 100
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)


def test_parts_separate_where_c_is_infinite(separable):
    solution = solve(KERNELS[0], separable, memory=MEMORY_OF_600, C=np.inf)
    assert solution.margins.min() >= 1 - 10 * TOL
    assert solution.violation <= 10 * TOL


def test_parts_start_from_the_last_solution(pair):
    whole = solve(KERNELS[0], pair, memory=1 << 30)
    solution = solve(KERNELS[0], pair, memory=4 * MEMORY_OF_600, start=whole.coef, max_parts=2)
    assert solution.violation <= 10 * TOL
    assert solution.weight_change <= 0.02 * np.sqrt(
        whole.coef @ (pair[1] * whole.margins - whole.bias)
    )


def test_one_sample_of_a_class_is_enough(pair):
    X, signs = pair
    first = np.flatnonzero(signs < 0)[0]
    rows = np.append(np.flatnonzero(signs > 0)[:1000], first)
    subset = X[rows], signs[rows]
    whole, solution = (solve(KERNELS[0], subset, memory=memory) for memory in (1 << 30, 0))
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)


def test_too_few_parts_report_the_violation(pair):
    assert solve(KERNELS[0], pair, memory=MEMORY_OF_600, max_parts=1).violation > 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Solver terminated early")
def test_parts_stop_where_rounding_prevents_the_optimum(pair, monkeypatch):
    monkeypatch.setattr("mnist_svm.svm._solver.optimum.MAX_ITER", 1000)
    monkeypatch.setattr("mnist_svm.svm._solver.optimum.MAX_ITER_PER_SAMPLE", 0)
    # Kernel values of up to 10**8, in float32.
    solution = solve(Kernel("poly", gamma=1.0, degree=4, coef0=1.0), pair, memory=MEMORY_OF_600)
    assert solution.violation > 0.1
    assert solution.iterations < 500 * 1000


def test_pairs_solved_in_few_parts_are_exact_in_the_end(pair, monkeypatch):
    """Approximate rounds limit the parts of a pair; exact rounds then finish it."""
    monkeypatch.setattr("mnist_svm.svm._solver.samples.MIN_SAMPLES_TO_PROJECT", 2000)
    monkeypatch.setattr("mnist_svm.svm._solver.samples.SAMPLES_FOR_DIRECTIONS", 1000)
    monkeypatch.setattr("mnist_svm.svm._solver.working_set.MAX_PARTS_APPROXIMATE", 1)
    X, signs = pair
    whole = KernelSVC(kernel="rbf", gamma=0.02, random_state=0).fit(X, signs)
    solution = KernelSVC(kernel="rbf", gamma=0.02, random_state=0, working_memory=48).fit(X, signs)
    assert not solution.fit_log_[0]["exact"]
    assert solution.kkt_violation_ <= 1e-3
    np.testing.assert_allclose(
        solution.decision_function(X), whole.decision_function(X), atol=20 * TOL
    )
