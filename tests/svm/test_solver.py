"""The parts of the solver: kernels, scans, margin bounds, memory, threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.svm import SVC
from threadpoolctl import threadpool_info

from mnist_svm import Deskew, KernelSVC
from mnist_svm.parallel.threads import threads
from mnist_svm.svm import fitting
from mnist_svm.svm._solver.columns import column_statistics
from mnist_svm.svm._solver.factors import PointFactors, ProjectedSamples
from mnist_svm.svm._solver.samples import Samples
from mnist_svm.svm._solver.scan import KernelExpansion, scan
from mnist_svm.svm.kernels import InputTransform, Kernel, squared_norms, trim_trailing_zeros
from mnist_svm.svm.solution import solution_of_pairs
from tests.support.paths import ROOT
from tests.support.svm_oracle import (
    decision_values,
    dual_objectives,
    kernel_function,
    max_kkt_violation,
)

KERNELS = [
    Kernel("linear"),
    Kernel("poly", gamma=0.3, degree=4, coef0=1.0),
    Kernel("poly", gamma=2.0, degree=3, coef0=-0.5),
    Kernel("poly", gamma=1.0, degree=0, coef0=1.0),
    Kernel("rbf", gamma=0.7),
]
# The last two have points that are very small and very large.
TO_PROJECT = [
    Kernel("poly", gamma=0.03, degree=4, coef0=1.0),
    Kernel("rbf", gamma=0.02),
    Kernel("poly", gamma=1e-14, degree=1, coef0=0.0),
    Kernel("poly", gamma=1e12, degree=1, coef0=0.0),
]
SMALL_MATRIX = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-3, 3)
)


@pytest.fixture(scope="module")
def digits(train_set):
    """4,000 deskewed images, float32, 0-1, and their labels."""
    return Deskew().fit_transform(train_set.X[:4000]) / np.float32(255), train_set.labels[:4000]


def factors(kernel, rows, dtype=np.float64, centre=None):
    centre = np.zeros(rows.shape[1]) if centre is None else centre
    points = InputTransform(kernel, centre, None, np.dtype(dtype)).transform(rows)
    norms = squared_norms(points)
    return (
        kernel.left_factor(points, norms),
        kernel.right_factor(points, norms),
        kernel.diagonal(norms),
    )


def samples_of(digits, kernel, workers):
    """`Samples` of all digits in float32, and their input transform."""
    X, y = digits
    transform = column_statistics(X, None, workers).input_transform(kernel, np.dtype(np.float32))
    starts = np.concatenate([[0], np.bincount(y).cumsum()])
    return Samples(X, np.argsort(y, kind="stable"), starts, transform, workers), transform


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@given(rows=SMALL_MATRIX)
def test_kernel_values_are_those_of_the_formula(kernel, rows):
    left, right, diagonal = factors(kernel, rows)
    formula = kernel_function(
        kernel.name, gamma=kernel.gamma, degree=kernel.degree, coef0=kernel.coef0
    )
    expected = formula(rows, rows)
    np.testing.assert_allclose(kernel.values(left, right), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(diagonal, np.diag(expected), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_kernel_values_of_digits_in_float32_are_close(kernel, digits):
    rows = digits[0][:200] / 10
    left, right, _ = factors(kernel, rows, np.float32, centre=rows.mean(axis=0, dtype=np.float64))
    formula = kernel_function(
        kernel.name, gamma=kernel.gamma, degree=kernel.degree, coef0=kernel.coef0
    )
    expected = formula(rows.astype(np.float64), rows.astype(np.float64))
    assert kernel.values(left, right).dtype == np.float32
    np.testing.assert_allclose(kernel.values(left, right), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_weighted_sum_is_the_sum_of_kernel_values(kernel, digits):
    left, right, _ = factors(kernel, digits[0][:100].astype(np.float64))
    weights = np.random.default_rng(0).normal(size=(3, 100))
    expected = weights @ kernel.values(left, right)
    np.testing.assert_allclose(kernel.weighted_sum(weights, left, right), expected, rtol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_trimmed_factors_give_the_same_values(kernel, digits):
    rows = digits[0][:300].astype(np.float64)
    with threads(1) as workers:
        transform = column_statistics(rows, None, workers).input_transform(
            kernel, np.dtype(np.float64)
        )
    points = transform.transform(rows)
    norms = squared_norms(points)
    # The points with the most trailing zeros.
    subset = (points[:, ::-1] != 0).argmax(axis=1).argsort()[-20:]
    left, right = (
        kernel.left_factor(points, norms),
        kernel.right_factor(points[subset], norms[subset]),
    )
    assert trim_trailing_zeros(right).shape[1] < 0.9 * right.shape[1]
    expected = kernel.values(left, right)
    np.testing.assert_allclose(
        kernel.values(left, trim_trailing_zeros(right)), expected, rtol=1e-12
    )
    weights = np.random.default_rng(0).normal(size=(3, 300))
    sums = kernel.weighted_sum(weights, trim_trailing_zeros(left), trim_trailing_zeros(right))
    np.testing.assert_allclose(sums, weights @ expected, rtol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_a_scan_without_support_vectors_gives_the_biases(kernel, digits):
    X, _ = digits
    margins = np.full((len(X), 10), np.nan, np.float32)
    none = np.empty(0, np.intp)
    plan = [KernelExpansion(np.arange(300), np.array([4]), none, np.empty((1, 0)), np.array([0.5]))]
    with threads(2) as workers:
        samples, _ = samples_of(digits, kernel, workers)
        scan(workers, samples, PointFactors(samples), plan, margins, 1 << 20)
    assert (margins[:300, 4] == 0.5).all()
    assert np.isnan(np.delete(margins, 4, axis=1)).all()


def test_a_zero_factor_is_trimmed_to_no_columns():
    assert trim_trailing_zeros(np.zeros((3, 5))).shape == (3, 0)


@pytest.mark.parametrize("kernel", [KERNELS[1], KERNELS[-1]], ids=str)
def test_columns_and_samples_are_sorted_so_that_blocks_end_with_zeros(kernel, digits):
    X, y = digits
    with threads(2) as workers:
        samples, transform = samples_of(digits, kernel, workers)
    nonzeros = np.count_nonzero(X[:, transform.columns], axis=0)
    assert (np.diff(nonzeros) <= 0).all()
    assert nonzeros[-1] > 0
    assert not transform.centre.any()
    for digit, mine in enumerate(samples.class_slices):
        np.testing.assert_array_equal(np.sort(samples.order[mine]), np.flatnonzero(y == digit))
        half = PointFactors(samples).right(
            samples, np.arange(mine.start, (mine.start + mine.stop) // 2)
        )
        assert half.shape[1] < 0.75 * samples.n_columns


def test_mostly_nonzero_columns_keep_their_order_and_are_centred(digits):
    X = digits[0] + np.float32(1)
    with threads(2) as workers:
        transform = column_statistics(X, None, workers).input_transform(
            Kernel("rbf"), np.dtype(np.float32)
        )
    np.testing.assert_array_equal(transform.columns, np.flatnonzero(np.ptp(X, axis=0)))
    np.testing.assert_allclose(transform.centre, X.mean(axis=0, dtype=np.float64))


@pytest.mark.parametrize("n_directions", [32, 300])
@pytest.mark.parametrize("kernel", TO_PROJECT, ids=str)
def test_errors_of_projected_samples_are_at_most_their_residual_norms(kernel, n_directions, digits):
    rng = np.random.default_rng(0)
    with threads(2) as workers:
        samples, _ = samples_of(digits, kernel, workers)
        points = samples.points(np.arange(len(samples)))
        basis = np.linalg.svd(points[::10], full_matrices=False)[2][:n_directions].T
        projected = ProjectedSamples(samples, basis, workers)
    everyone, support = np.arange(len(samples)), np.sort(rng.permutation(len(samples))[:200])
    coef = rng.normal(size=(50, 200))
    exact, approximate = (
        kernel.values(factors.left(samples, support), factors.right(samples, everyone))
        for factors in (PointFactors(samples), projected)
    )
    norms = np.sqrt(np.einsum("ij,jk,ik->i", coef, exact[:, support].astype(np.float64), coef))
    errors = np.abs(coef @ exact - coef @ approximate)
    assert (errors <= norms[:, None] * projected.residual_norms).all()
    # Most of what is left of the bound is left by the projection, not by rounding.
    kept = np.sqrt((projected.residual_norms**2).mean() / (samples.feature_norms**2).mean())
    assert kept < (0.5 if n_directions == 32 else 0.15)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 511, 512, 513, 4000])
def test_column_statistics_are_numpy_s(digits, dtype, n):
    X = (200 * digits[0][:n]).astype(dtype)
    with threads(2) as workers:
        columns = column_statistics(X, None, workers)
    np.testing.assert_allclose(columns.mean, X.mean(axis=0, dtype=np.float64), atol=1e-9)
    assert columns.variance == pytest.approx(X.astype(np.float64).var(), rel=1e-9)
    np.testing.assert_array_equal(columns.minimum, X.min(axis=0))
    np.testing.assert_array_equal(columns.maximum, X.max(axis=0))
    np.testing.assert_array_equal(columns.nonzero_share, np.count_nonzero(X, axis=0) / n)


def test_weighted_column_statistics_are_those_of_repeated_rows(digits):
    X = digits[0].astype(np.float64)
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    counts[:600] = 0
    with threads(2) as workers:
        columns = column_statistics(X, counts.astype(float), workers)
    repeated = X.repeat(counts, axis=0)
    np.testing.assert_allclose(columns.mean, repeated.mean(axis=0), atol=1e-12)
    assert columns.variance == pytest.approx(repeated.var(), rel=1e-12)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), C=st.sampled_from([0.1, 1.0, 30.0]))
def test_overlapping_clouds_have_svc_s_optimum(seed, C):
    # Few features and many bounded support vectors, the opposite of MNIST.
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 1200)
    X = rng.normal(size=(1200, 2)) + y[:, None]
    ours = KernelSVC(C=C, decision_function_shape="ovo").fit(X, y)
    peer = SVC(C=C, decision_function_shape="ovo").fit(X, y)
    kernel = kernel_function("rbf", gamma=ours.gamma_)
    assert max_kkt_violation(ours, X, y, kernel, C) <= 1.1e-3
    np.testing.assert_allclose(
        dual_objectives(ours, X, kernel) / dual_objectives(peer, X, kernel), 1, 1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poly", "rbf"])
@pytest.mark.parametrize("approximate", [False, True])
def test_margin_bounds_lie_below_the_margins(digits, monkeypatch, name, approximate):
    # Compare the last bound of every sample in every pair with the exact margin.
    X, y = digits
    if approximate:
        monkeypatch.setattr("mnist_svm.svm._solver.factors.MIN_SAMPLES_TO_PROJECT", 1000)
        monkeypatch.setattr("mnist_svm.svm._solver.factors.SAMPLES_FOR_DIRECTIONS", 1000)
        monkeypatch.setattr("mnist_svm.svm._solver.working_set.MIN_FIRST_SAMPLES", 50)
        # One approximate round, so that exact rounds have much left to do.
        monkeypatch.setattr("mnist_svm.svm._solver.working_set.MAX_SHRINKING_ROUNDS", 0)
    solvers = []
    monkeypatch.setattr(
        fitting,
        "solution_of_pairs",
        lambda solver: (solvers.append(solver), solution_of_pairs(solver))[1],
    )
    svc = KernelSVC(
        kernel=name, degree=4, coef0=1, decision_function_shape="ovo", solver="working_sets"
    ).fit(X, y)
    (solver,) = solvers
    order = solver.samples.order
    assert svc.fit_log_[0]["exact"] != approximate
    kernel = kernel_function(name, gamma=svc.gamma_, degree=4, coef0=1)
    decisions = decision_values(svc, X, kernel, X[order])
    checked = 0
    for pair, f in zip(solver.pairs, decisions.T, strict=True):
        for own, sign in ((pair.first, 1), (pair.second, -1)):
            mine = y[order] == own
            bounds = solver.margin_bounds[mine, pair.opponent(own)]
            assert (bounds <= sign * f[mine] + 1e-3).all()
            # The bounds prove that no sample outside the working sets violates.
            outside = ~solver.in_working_set[mine, pair.opponent(own)]
            assert (bounds[outside] >= 1 - 1e-3).all()
            checked += np.count_nonzero(outside & (bounds < sign * f[mine] - 1e-3))
    # Some bounds are far below the margin: those margins were not computed.
    assert checked > 0


MEMORY = """
import os, sys, threading, time
import numpy as np
from mnist_svm import KernelSVC
X, y = np.load(sys.argv[1], mmap_mode=sys.argv[4] or None), np.load(sys.argv[2])
KernelSVC().fit(X[:100], y[:100])
page = os.sysconf("SC_PAGE_SIZE")
field = 2 if sys.argv[4] else None
def resident():
    with open("/proc/self/statm") as file:
        words = file.read().split()
    # Without pages that are mapped from files.
    return (int(words[1]) - int(words[2])) * page
before, peak, done = resident(), 0, False
def watch():
    global peak
    while not done:
        peak = max(peak, resident())
        time.sleep(0.002)
watcher = threading.Thread(target=watch)
watcher.start()
svc = KernelSVC(kernel="poly", degree=4, coef0=1, cache_size=float(sys.argv[3]))
svc.fit(X, y)
done = True
watcher.join()
print((peak - before) / 2**20, svc.support_vectors_.nbytes / 2**20, svc.kkt_violation_)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("memory", "mapped"), [(64, "r"), (256, "")])
def test_cache_size_bounds_the_memory_of_a_fit(train_set, tmp_path, memory, mapped):
    # A tenth of the labels is wrong, so that working sets are large. X has 72 MiB in float64.
    rng = np.random.default_rng(0)
    X = Deskew().fit_transform(train_set.X[:12_000]).astype(np.float64)
    y = np.where(rng.random(12_000) < 0.1, rng.integers(0, 10, 12_000), train_set.labels[:12_000])
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", y)
    arguments = [str(tmp_path / "X.npy"), str(tmp_path / "y.npy"), str(memory), mapped]
    # With one arena per thread, glibc would keep freed memory.
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *arguments], env={**os.environ, "MALLOC_ARENA_MAX": "1"},
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    used, result, violation = map(float, done.stdout.split())
    # Allow for a few numbers per sample and class, and for code that is loaded late.
    assert used <= memory + result + 15
    assert violation <= 2e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poly", "rbf"])
def test_pairs_whose_gram_matrix_does_not_fit_are_solved(digits, name, monkeypatch):
    X, y = digits
    parameters = {"kernel": name, "degree": 4, "coef0": 1, "decision_function_shape": "ovo"}
    expected = KernelSVC(**parameters).fit(X, y)
    monkeypatch.setattr("mnist_svm.svm._solver.pair.gram_bytes", lambda m, n_features: 1 << 60)
    svc = KernelSVC(**parameters).fit(X, y)
    kernel = kernel_function(name, gamma=svc.gamma_, degree=4, coef0=1)
    assert max_kkt_violation(svc, X, y, kernel, 1.0) <= 2e-3
    np.testing.assert_allclose(svc.decision_function(X), expected.decision_function(X), atol=5e-3)


def test_a_memory_map_is_fitted_like_an_array(digits, tmp_path):
    X, y = digits
    np.save(tmp_path / "X.npy", (255 * X).astype(np.uint8))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    one = KernelSVC(random_state=0).fit(mapped, y)
    other = KernelSVC(random_state=0).fit(np.array(mapped), y)
    np.testing.assert_array_equal(one.dual_coef_, other.dual_coef_)
    assert one.support_vectors_.dtype == np.uint8
    assert not isinstance(one.support_vectors_, np.memmap)


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_threads_are_restored(digits):
    X, y = digits
    before = blas_threads()
    svc = KernelSVC().fit(X[:500], y[:500])
    workers = [threading.Thread(target=svc.predict, args=(X,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert blas_threads() == before


def test_concurrent_predictions_are_bit_equal(digits):
    X, y = digits
    svc = KernelSVC().fit(X[:1000], y[:1000])
    expected = svc.decision_function(X)
    results = {}
    workers = [
        threading.Thread(
            target=lambda index=index: results.update({index: svc.decision_function(X)})
        )
        for index in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 4
    for decisions in results.values():
        np.testing.assert_array_equal(decisions, expected)
