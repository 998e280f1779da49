"""Kernel rows: weighted sums equal a plain product, whichever rows are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_svm.parallel.threads import SERIAL, threads
from mnist_svm.svm._solver.rows import KernelRows
from mnist_svm.svm.kernels import Kernel
from tests.support.svm_oracle import kernel_function

M = 40
KERNELS = [
    Kernel("linear"),
    Kernel("poly", degree=3, coef0=1.0),
    Kernel("rbf"),
    Kernel("sigmoid", coef0=-0.3),
]


def points(m=M):
    """Points of two coordinates, scaled so that gamma is 1."""
    return np.random.default_rng(0).normal(scale=0.6, size=(m, 2))


def rows_of(kernel, n_kept, *, use_numba=False, workers=SERIAL, dtype=np.float64, m=M):
    """Rows of which so many are kept."""
    of = points(m).astype(dtype)
    memory = n_kept * m * of.itemsize
    return KernelRows(kernel, of, memory=memory, workers=workers, use_numba=use_numba)


@pytest.fixture(scope="module", autouse=True)
def few_rows_are_kept():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnist_svm.svm._solver.rows.MIN_ROWS_KEPT", 1)
        yield


def matrix_of(kernel, m=M):
    """The kernel matrix by its formula."""
    formula = kernel_function(kernel.name, degree=kernel.degree, coef0=kernel.coef0)
    return formula(points(m), points(m))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@settings(deadline=None)
@given(
    n_kept=st.integers(0, M),
    indices=st.lists(st.lists(st.integers(0, M - 1), unique=True), max_size=12),
    seed=st.integers(0, 99),
)
def test_weighted_sums_are_a_plain_product(use_numba, kernel, n_kept, indices, seed):
    rng = np.random.default_rng(seed)
    rows, matrix = rows_of(kernel, n_kept, use_numba=use_numba), matrix_of(kernel)
    for chosen in indices:
        index, weights = np.array(chosen, np.intp), rng.normal(size=len(chosen))
        np.testing.assert_allclose(
            rows.weighted_sums(index, weights), weights @ matrix[index], rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("n_kept", [0, 5, M])
def test_float32_rows_are_summed_in_float64(use_numba, n_kept):
    kernel, index = Kernel("rbf"), np.arange(M)
    rows = rows_of(kernel, n_kept, use_numba=use_numba, dtype=np.float32)
    # Sums in float32 would lose all digits of the result.
    weights = np.where(index % 2, -1e8, 1e8) + index
    matrix = rows.gram(index, index)
    assert matrix.dtype == np.float32
    expected = weights @ matrix.astype(np.float64)
    np.testing.assert_allclose(rows.weighted_sums(index, weights), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_gram_gives_the_values_of_the_points_in_order(kernel):
    first, second = np.array([7, 3, 3, 20]), np.array([1, 39, 3])
    np.testing.assert_allclose(
        rows_of(kernel, 0).gram(first, second), matrix_of(kernel)[np.ix_(first, second)], atol=1e-12
    )


@pytest.mark.parametrize("n_kept", [0, 100, 600])
def test_sums_do_not_depend_on_the_number_of_threads(use_numba, n_kept):
    index, weights = np.arange(600), np.random.default_rng(0).normal(size=600)
    arguments = {"use_numba": use_numba, "dtype": np.float32, "m": 600}
    serial = rows_of(Kernel("rbf"), n_kept, **arguments).weighted_sums(index, weights)
    with threads(2) as workers:
        rows = rows_of(Kernel("rbf"), n_kept, workers=workers, **arguments)
        parallel = rows.weighted_sums(index, weights)
    assert parallel.tobytes() == serial.tobytes()


# --- which rows are kept ---------------------------------------------------------------------


def computed_rows(n_kept, *indices):
    """The points whose rows were computed, for each of some sums."""
    rows, computed = rows_of(Kernel("rbf"), n_kept), []
    number_of, values = {x: i for i, x in enumerate(points()[:, 0].tolist())}, Kernel.values

    def noted(kernel, left, right):
        # Columns of the left factor: 1, -norm, coordinates.
        computed[-1].extend(number_of[x] for x in left[:, 2].tolist())
        return values(kernel, left, right)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernel, "values", noted)
        for index in indices:
            computed.append([])
            rows.weighted_sums(np.array(index), np.ones(len(index)))
    return [sorted(numbers) for numbers in computed]


def test_kept_rows_are_not_computed_again():
    assert computed_rows(10, [1, 2, 3], [3, 1], [4, 2]) == [[1, 2, 3], [], [4]]


def test_rows_used_longest_ago_are_forgotten():
    assert computed_rows(4, [1, 2], [3, 4], [1, 2], [5, 6], [1, 2], [3, 4]) == [
        [1, 2], [3, 4], [], [5, 6], [], [3, 4]
    ]  # fmt: skip


def test_rows_that_were_used_once_stay_while_others_are_older():
    assert computed_rows(4, [1, 2], [1, 2], [3, 4], [5, 6], [3, 4])[-2:] == [[5, 6], []]


def test_more_rows_than_are_kept_are_computed_in_parts():
    assert computed_rows(3, [0, 1, 2, 3, 4, 5, 6], [6]) == [[0, 1, 2, 3, 4, 5, 6], []]


def test_without_memory_rows_are_computed_each_time():
    assert computed_rows(0, [1, 2], [1, 2]) == [[1, 2], [1, 2]]


def test_fewer_rows_than_are_worthwhile_are_not_kept(monkeypatch):
    monkeypatch.setattr("mnist_svm.svm._solver.rows.MIN_ROWS_KEPT", 10)
    assert computed_rows(9, [1, 2], [1, 2]) == [[1, 2], [1, 2]]


def test_all_rows_of_few_points_are_kept(monkeypatch):
    monkeypatch.setattr("mnist_svm.svm._solver.rows.MIN_ROWS_KEPT", M + 1)
    assert computed_rows(M, [1, 2], [1, 2]) == [[1, 2], []]


def test_negative_memory_keeps_none():
    assert computed_rows(-3, [1, 2], [1, 2]) == [[1, 2], [1, 2]]
