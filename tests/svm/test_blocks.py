"""Pairs solved block by block: the optimum of the whole, on a few hundred real digits."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import Deskew, KernelSVC
from mnist_svm.parallel.threads import SERIAL, single_threaded_blas, threads
from mnist_svm.svm._solver import blocks, pair
from mnist_svm.svm._solver.columns import column_statistics
from mnist_svm.svm._solver.problem import Limits
from mnist_svm.svm.kernels import InputTransform, Kernel
from tests.support.svm_oracle import kernel_function, max_kkt_violation

TOL = 1e-4
RBF = Kernel("rbf", gamma=0.02)
KERNELS = [RBF, Kernel("poly", gamma=0.01, degree=2, coef0=1.0), Kernel("linear")]
ALL = 1 << 30


@pytest.fixture(scope="module")
def separable(train_set):
    """500 deskewed images of fours and nines, 0-1, and their signs."""
    rows = np.flatnonzero(np.isin(train_set.labels, [4, 9]))[:500]
    X = Deskew().fit_transform(train_set.X[rows]) / np.float32(255)
    return X, np.where(train_set.labels[rows] == 4, 1.0, -1.0)


@pytest.fixture(scope="module")
def noisy(separable):
    """The same, with a fifth of the signs flipped."""
    X, signs = separable
    return X, np.where(np.random.default_rng(0).random(len(X)) < 0.2, -signs, signs)


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_SIZE", 64)
        patch.setattr("mnist_svm.svm._solver.rows.MIN_ROWS_KEPT", 8)
        yield


@pytest.fixture(scope="module", autouse=True)
def blas_has_one_thread():
    # As in a fit.
    with single_threaded_blas:
        yield


def solve(
    data,
    kernel=RBF,
    *,
    use_numba=False,
    C=1.0,
    start=None,
    sums=None,
    n_kept=None,
    max_rounds=None,
    max_iter=-1,
    workers=SERIAL,
):
    """Solve a pair block by block, with memory for some kernel rows, by default for all."""
    X, signs = data
    m = len(X)
    transform = input_transform(kernel, X)
    points = transform.transform(X)
    memory = ALL if n_kept is None else 3 * points.nbytes + n_kept * m * points.itemsize
    limits = Limits(TOL, memory, use_numba, max_iter, max_rounds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair, "MAX_COMPILED_GRAM", 0)
        patch.setattr(pair, "MAX_LIBSVM_GRAM", 0)
        box = np.full(m, C, np.float64)
        start = np.zeros(m) if start is None else start
        rows = pair.kernel_rows(transform.kernel, points, limits, workers)
        return pair.solve_pair(
            transform.kernel, points, signs, box, start, limits, sums=sums, rows=rows
        )


def solve_whole(data, kernel=RBF, *, use_numba=False, C=1.0):
    """Solve a pair on its Gram matrix."""
    X, signs = data
    transform = input_transform(kernel, X)
    box, limits = np.full(len(X), C, np.float64), Limits(TOL, ALL, use_numba)
    return pair.solve_pair(
        transform.kernel, transform.transform(X), signs, box, np.zeros(len(X)), limits
    )


def input_transform(kernel, X) -> InputTransform:
    return column_statistics(X, None, SERIAL).input_transform(kernel, np.dtype(np.float32))


@pytest.fixture
def block_sizes(monkeypatch):
    """The sizes of the blocks that were solved."""
    sizes, make = [], blocks.smo_solver

    def counted(use_numba):
        solver = make(use_numba)
        return lambda gram, *others: sizes.append(len(gram)) or solver(gram, *others)

    monkeypatch.setattr(blocks, "smo_solver", counted)
    return sizes


# --- the optimum ------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_blocks_reach_the_optimum_of_the_whole(kernel, noisy, use_numba, block_sizes):
    whole = solve_whole(noisy, kernel, use_numba=use_numba)
    solution = solve(noisy, kernel, use_numba=use_numba)
    assert len(block_sizes) > 1
    assert solution.violation <= 2 * TOL
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)
    assert solution.bias == pytest.approx(whole.bias, abs=20 * TOL)


def test_coefficients_satisfy_the_constraints_of_the_pair(noisy, use_numba):
    signs = noisy[1]
    coef = solve(noisy, use_numba=use_numba).coef
    assert coef.sum() == pytest.approx(0, abs=1e-10)
    assert ((coef * signs >= 0) & (coef * signs <= 1)).all()


def test_margins_are_those_of_the_coefficients(noisy, use_numba):
    X, signs = noisy[0].astype(np.float64), noisy[1]
    solution = solve(noisy, use_numba=use_numba)
    values = kernel_function("rbf", gamma=0.02)(X, X) @ solution.coef + solution.bias
    np.testing.assert_allclose(solution.margins, signs * values, rtol=0, atol=5e-5)


@pytest.mark.parametrize("n_kept", [0, 8, 100, 500])
@pytest.mark.parametrize("kernel", KERNELS[:2], ids=lambda kernel: kernel.name)
def test_the_number_of_kept_rows_changes_no_margin(kernel, n_kept, noisy, use_numba):
    expected = solve(noisy, kernel, use_numba=use_numba)
    solution = solve(noisy, kernel, use_numba=use_numba, n_kept=n_kept)
    assert solution.violation <= 2 * TOL
    np.testing.assert_allclose(solution.margins, expected.margins, atol=20 * TOL)


def test_less_memory_than_the_points_is_enough(noisy):
    expected, solution = solve(noisy), solve(noisy, n_kept=-100)
    np.testing.assert_allclose(solution.margins, expected.margins, atol=20 * TOL)


def test_the_bound_of_each_sample_is_respected(noisy, use_numba):
    box = np.where(np.arange(500) % 2, 0.1, 1.0)
    whole = solve_whole(noisy, C=box, use_numba=use_numba)
    solution = solve(noisy, C=box, use_numba=use_numba)
    assert (np.abs(solution.coef) <= box).all()
    assert (np.abs(solution.coef) == box)[1::2].sum() > 50
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)


def test_an_infinite_c_separates(separable, use_numba):
    solution = solve(separable, C=np.inf, use_numba=use_numba)
    assert solution.margins.min() >= 1 - 10 * TOL
    assert solution.violation <= 10 * TOL


def test_one_sample_of_a_class_is_enough(noisy, use_numba):
    X, signs = noisy
    rows = np.append(np.flatnonzero(signs > 0)[:200], np.flatnonzero(signs < 0)[0])
    subset = X[rows], signs[rows]
    whole, solution = (f(subset, use_numba=use_numba) for f in (solve_whole, solve))
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)


def test_blocks_smaller_than_the_free_coefficients_reach_the_optimum(noisy, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 16)
    whole, solution = solve_whole(noisy), solve(noisy)
    free = (whole.coef != 0) & (np.abs(whole.coef) < 1)
    assert np.count_nonzero(free) > 3 * 16
    np.testing.assert_allclose(solution.margins, whole.margins, atol=20 * TOL)


def test_the_number_of_threads_changes_no_bit(noisy, use_numba, monkeypatch):
    # Several tasks for each sum and each block of rows.
    monkeypatch.setattr("mnist_svm.svm._solver.rows.ROWS_PER_TASK", 8)
    monkeypatch.setattr("mnist_svm.svm._solver.rows.VALUES_PER_TASK", 1)
    solutions = []
    for n in (1, 2):
        with threads(n) as workers:
            solutions.append(solve(noisy, use_numba=use_numba, workers=workers))
    assert solutions[1].coef.tobytes() == solutions[0].coef.tobytes()


# --- blocks -----------------------------------------------------------------------------------


def test_few_samples_are_one_block(noisy, monkeypatch, block_sizes):
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 500)
    solve(noisy)
    assert block_sizes == [500]


def test_one_block_of_all_samples_is_solved_again_until_it_has_converged(
    noisy, use_numba, monkeypatch, block_sizes
):
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 500)
    monkeypatch.setattr(blocks, "MAX_ITER_PER_SAMPLE", 1)
    solution = solve(noisy, C=100.0, use_numba=use_numba)
    assert len(block_sizes) > 2
    assert set(block_sizes) == {500}
    assert solution.coef.sum() == pytest.approx(0, abs=1e-10)
    assert solution.violation <= 2 * TOL


def test_many_samples_have_larger_blocks(noisy, monkeypatch, block_sizes):
    monkeypatch.setattr(blocks, "LARGE_PROBLEM", 500)
    monkeypatch.setattr(blocks, "LARGE_BLOCK_SIZE", 128)
    solve(noisy)
    assert set(block_sizes) == {128}


def test_few_blocks_suffice_where_most_samples_violate(separable, block_sizes):
    """A block must not undo the step of the last one."""
    X, signs = separable
    flipped = np.random.default_rng(0).random(len(X)) < 0.3
    solution = solve((X, np.where(flipped, -signs, signs)))
    n_support = np.count_nonzero(solution.coef)
    assert n_support > 300
    # Each block brings 16 samples in: about 20 blocks for all support vectors to have been in one.
    assert len(block_sizes) < 4 * n_support / 16


def test_the_last_solution_is_where_it_starts(noisy, use_numba):
    cold = solve(noisy, use_numba=use_numba)
    warm = solve(noisy, use_numba=use_numba, start=cold.coef)
    assert warm.iterations < cold.iterations / 20
    assert warm.violation <= 2 * TOL
    np.testing.assert_allclose(warm.margins, cold.margins, atol=20 * TOL)


def test_known_sums_of_the_start_are_taken(noisy, use_numba, monkeypatch):
    start = solve(noisy, C=0.1).coef
    expected = solve(noisy, use_numba=use_numba, start=start)
    X = noisy[0].astype(np.float64)
    sums = start @ kernel_function("rbf", gamma=0.02)(X, X)
    solution = solve(noisy, use_numba=use_numba, start=start, sums=sums)
    np.testing.assert_allclose(solution.margins, expected.margins, atol=20 * TOL)


def test_the_change_of_the_weights_is_their_distance_in_feature_space(noisy, use_numba):
    X = noisy[0].astype(np.float64)
    start = solve(noisy, C=0.1).coef
    solution = solve(noisy, use_numba=use_numba, start=start)
    change = solution.coef - start
    expected = np.sqrt(change @ kernel_function("rbf", gamma=0.02)(X, X) @ change)
    assert solution.weight_change == pytest.approx(expected, rel=1e-4)


def test_too_few_rounds_report_the_violation(noisy, use_numba, block_sizes):
    X, signs = noisy[0].astype(np.float64), noisy[1]
    solution = solve(noisy, use_numba=use_numba, max_rounds=2)
    assert len(block_sizes) == 2
    assert solution.violation > 0.1
    margins = signs * (kernel_function("rbf", gamma=0.02)(X, X) @ solution.coef + solution.bias)
    below = np.where(np.abs(solution.coef) < 1, 1 - margins, 0)
    above = np.where(solution.coef != 0, margins - 1, 0)
    assert solution.violation == pytest.approx(max(below.max(), above.max()), abs=5e-5)


def test_iterations_are_limited(noisy, use_numba, block_sizes):
    solution = solve(noisy, use_numba=use_numba, max_iter=100)
    assert solution.iterations == 100
    assert len(block_sizes) < 50
    assert solution.violation > TOL


def test_it_stops_where_rounding_prevents_the_optimum(noisy, use_numba, monkeypatch, block_sizes):
    monkeypatch.setattr(blocks, "MAX_ROUNDS_WITHOUT_PROGRESS", 5)
    # Kernel values of up to 10**8, in float32.
    kernel = Kernel("poly", gamma=1.0, degree=4, coef0=1.0)
    solution = solve(noisy, kernel, use_numba=use_numba)
    assert solution.violation > TOL
    assert len(block_sizes) < 500


# --- KernelSVC --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def three_digits(train_set):
    """600 deskewed images of threes, fives and eights, a fifth with another label."""
    rows = np.flatnonzero(np.isin(train_set.labels, [3, 5, 8]))[:600]
    rng = np.random.default_rng(0)
    wrong = rng.random(len(rows)) < 0.2
    y = np.where(wrong, rng.choice([3, 5, 8], len(rows)), train_set.labels[rows])
    return Deskew().fit_transform(train_set.X[rows]) / np.float32(255), y


@pytest.fixture
def with_or_without_numba(use_numba, monkeypatch):
    """KernelSVC uses Numba, or finds none."""
    monkeypatch.setattr("mnist_svm.svm.fitting.is_compiler_installed", lambda: use_numba)


@pytest.mark.parametrize("largest_gram", [0, 10_000])
@pytest.mark.parametrize("solver", ["blocks", "working_sets"])
@pytest.mark.usefixtures("with_or_without_numba")
def test_kernel_svc_meets_the_optimality_conditions(
    three_digits, solver, largest_gram, monkeypatch
):
    monkeypatch.setattr(pair, "MAX_COMPILED_GRAM", largest_gram)
    monkeypatch.setattr(pair, "MAX_LIBSVM_GRAM", largest_gram)
    X, y = three_digits
    box = np.where(y == 8, 0.3, 1.0)
    svc = KernelSVC(gamma=0.02, solver=solver, class_weight={8: 0.3}).fit(X, y)
    assert max_kkt_violation(svc, X, y, kernel_function("rbf", gamma=0.02), box) <= 2e-3
    assert svc.kkt_violation_ <= 2e-3


@pytest.mark.parametrize("cache_size", [0.01, 5, 1000])
@pytest.mark.parametrize("solver", ["blocks", "working_sets"])
@pytest.mark.usefixtures("with_or_without_numba")
def test_any_memory_is_enough(three_digits, solver, cache_size, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 512)
    X, y = three_digits
    svc = KernelSVC(gamma=0.02, C=30.0, solver=solver, cache_size=cache_size).fit(X, y)
    assert max_kkt_violation(svc, X, y, kernel_function("rbf", gamma=0.02), 30.0) <= 2e-3


def test_without_numba_nothing_is_compiled(three_digits, monkeypatch):
    def compiled(function):
        pytest.fail(f"compiled {function.__name__}")

    monkeypatch.setattr("mnist_svm.svm.fitting.is_compiler_installed", lambda: False)
    monkeypatch.setattr("mnist_svm.svm._solver.smo.compiled", compiled)
    monkeypatch.setattr("mnist_svm.svm._solver.rows.compiled", compiled)
    X, y = three_digits
    for solver in ("blocks", "working_sets", "libsvm"):
        assert KernelSVC(solver=solver).fit(X, y).kkt_violation_ <= 1e-3


@pytest.mark.usefixtures("with_or_without_numba")
def test_approximate_rounds_stop_pairs_early_and_exact_rounds_finish_them(noisy, monkeypatch):
    monkeypatch.setattr("mnist_svm.svm._solver.factors.MIN_SAMPLES_TO_PROJECT", 500)
    monkeypatch.setattr("mnist_svm.svm._solver.factors.SAMPLES_FOR_DIRECTIONS", 400)
    monkeypatch.setattr("mnist_svm.svm._solver.working_set.MIN_FIRST_SAMPLES", 100)
    monkeypatch.setattr("mnist_svm.svm._solver.working_set.MAX_BLOCKS_APPROXIMATE", 1)
    monkeypatch.setattr(pair, "MAX_COMPILED_GRAM", 0)
    monkeypatch.setattr(pair, "MAX_LIBSVM_GRAM", 0)
    X, signs = noisy
    svc = KernelSVC(gamma=0.02, random_state=0, solver="working_sets").fit(X, signs)
    assert not svc.fit_log_[0]["exact"]
    assert max_kkt_violation(svc, X, signs, kernel_function("rbf", gamma=0.02), 1.0) <= 2e-3
