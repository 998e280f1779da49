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
# Of 600 samples out of 2,400.
LITTLE = gram_bytes(602, 784) + 2 * 2400 * 784 * 4


@pytest.fixture(scope="module")
def separable(train_set):
    """2,400 deskewed images of fours and nines, 0-1, and their signs."""
    rows = np.flatnonzero(np.isin(train_set.labels, [4, 9]))[:2400]
    X = Deskew().fit_transform(train_set.X[rows]) / np.float32(255)
    return X, np.where(train_set.labels[rows] == 4, 1.0, -1.0)


@pytest.fixture(scope="module")
def pair(separable):
    """The same, but for a tenth of the signs."""
    X, signs = separable
    return X, np.where(np.random.default_rng(0).random(len(X)) < 0.1, -signs, signs)


def solve(kernel, pair, *, memory, C=1.0, before=None, most=1000):
    X, signs = pair
    with threads(1) as workers:
        transform = column_statistics(X, None, workers).input_transform(
            kernel, np.dtype(np.float32)
        )
    caps = np.full(len(X), C, np.float64)
    before = np.zeros(len(X)) if before is None else before
    points = transform.transform(X)
    return solve_pair(
        transform.kernel, points, signs, caps, before, tol=TOL, memory=memory, most=most
    )


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_parts_lead_to_the_optimum_of_the_whole(kernel, pair):
    whole, found = (solve(kernel, pair, memory=memory) for memory in (1 << 30, LITTLE))
    assert found.violation <= 10 * TOL
    np.testing.assert_allclose(found.margins, whole.margins, atol=20 * TOL)
    assert found.bias == pytest.approx(whole.bias, abs=20 * TOL)
    assert found.coef.sum() == pytest.approx(0, abs=1e-6)
    assert (found.coef * pair[1] >= 0).all()
    # They are not one part that took everything.
    assert found.iterations > whole.iterations


def test_parts_lead_there_when_none_holds_all_free_coefficients(pair):
    X, signs = pair
    some = X[:1000], signs[:1000]
    whole, found = (solve(KERNELS[0], some, memory=memory) for memory in (1 << 30, 0))
    free = (whole.coef != 0) & (np.abs(whole.coef) < 1)
    assert np.count_nonzero(free) > 2 * MIN_PART_SIZE
    np.testing.assert_allclose(found.margins, whole.margins, atol=20 * TOL)


def test_few_parts_do_where_most_samples_violate(separable, monkeypatch):
    """What one part does must not be undone by the next."""
    sizes = []

    def told(gram, *others):
        sizes.append(len(gram))
        return optimum(gram, *others)

    monkeypatch.setattr("mnist_svm.svm._solver.parts.solve_dual", told)
    X, signs = separable
    flipped = np.random.default_rng(0).random(len(X)) < 0.3
    found = solve(KERNELS[0], (X, np.where(flipped, -signs, signs)), memory=LITTLE)
    assert np.count_nonzero(found.coef) > 1500
    assert len(sizes) <= 8
    assert max(sizes) < 1000


def test_parts_respect_the_cap_of_each_sample(pair):
    caps = np.where(np.arange(2400) % 2, 0.1, 1.0)
    whole, found = (solve(KERNELS[0], pair, memory=m, C=caps) for m in (1 << 30, LITTLE))
    assert (np.abs(found.coef) <= caps).all()
    assert (np.abs(found.coef) == caps)[1::2].sum() > 100
    np.testing.assert_allclose(found.margins, whole.margins, atol=20 * TOL)


def test_parts_separate_where_c_is_infinite(separable):
    found = solve(KERNELS[0], separable, memory=LITTLE, C=np.inf)
    assert found.margins.min() >= 1 - 10 * TOL
    assert found.violation <= 10 * TOL


def test_parts_start_from_the_solution_before(pair):
    whole = solve(KERNELS[0], pair, memory=1 << 30)
    found = solve(KERNELS[0], pair, memory=4 * LITTLE, before=whole.coef, most=2)
    assert found.violation <= 10 * TOL
    assert found.change <= 0.02 * np.sqrt(whole.coef @ (pair[1] * whole.margins - whole.bias))


def test_one_sample_of_a_class_is_enough(pair):
    X, signs = pair
    first = np.flatnonzero(signs < 0)[0]
    rows = np.append(np.flatnonzero(signs > 0)[:1000], first)
    some = X[rows], signs[rows]
    whole, found = (solve(KERNELS[0], some, memory=memory) for memory in (1 << 30, 0))
    np.testing.assert_allclose(found.margins, whole.margins, atol=20 * TOL)


def test_too_few_parts_say_how_far_it_is(pair):
    assert solve(KERNELS[0], pair, memory=LITTLE, most=1).violation > 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Solver terminated early")
def test_parts_end_where_rounding_keeps_them_from_the_optimum(pair, monkeypatch):
    monkeypatch.setattr("mnist_svm.svm._solver.optimum.MAX_ITER", 1000)
    monkeypatch.setattr("mnist_svm.svm._solver.optimum.MAX_ITER_PER_SAMPLE", 0)
    # Kernel values of up to 10**8, in float32.
    found = solve(Kernel("poly", gamma=1.0, degree=4, coef0=1.0), pair, memory=LITTLE)
    assert found.violation > 0.1
    assert found.iterations < 500 * 1000


def test_a_machine_whose_pairs_do_not_fit_is_exact_in_the_end(pair, monkeypatch):
    """While guesses are made, a pair is given few parts; what is left undone is done afterwards."""
    monkeypatch.setattr("mnist_svm.svm._solver.samples.MIN_SAMPLES_TO_PROJECT", 2000)
    monkeypatch.setattr("mnist_svm.svm._solver.samples.SAMPLES_FOR_DIRECTIONS", 1000)
    monkeypatch.setattr("mnist_svm.svm._solver.working_set.MAX_PARTS_APPROXIMATE", 1)
    X, signs = pair
    whole = KernelSVC(kernel="rbf", gamma=0.02, random_state=0).fit(X, signs)
    found = KernelSVC(kernel="rbf", gamma=0.02, random_state=0, working_memory=48).fit(X, signs)
    assert not found.fit_log_[0]["exact"]
    assert found.kkt_violation_ <= 1e-3
    np.testing.assert_allclose(
        found.decision_function(X), whole.decision_function(X), atol=20 * TOL
    )
