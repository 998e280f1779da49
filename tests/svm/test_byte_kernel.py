"""Kernel values of bytes, with onnxruntime and without."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mnist_svm import KernelSVC
from mnist_svm.parallel.threads import threads
from mnist_svm.svm import byte_kernel
from mnist_svm.svm._solver import factors
from mnist_svm.svm._solver.columns import column_statistics
from mnist_svm.svm._solver.factors import ByteFactors, PointFactors
from mnist_svm.svm._solver.samples import Samples
from mnist_svm.svm.byte_kernel import MAX_COLUMNS, ByteKernel, is_byte_product_fast
from mnist_svm.svm.kernels import Kernel
from tests.support.svm_oracle import kernel_function

KERNELS = [
    Kernel("poly", gamma=3e-7, degree=4, coef0=1.0),
    Kernel("poly", gamma=3e-7, degree=3, coef0=0.5),
    Kernel("poly", gamma=3e-7, degree=0, coef0=1.0),
    Kernel("rbf", gamma=3e-7),
    Kernel("sigmoid", gamma=3e-7, coef0=-1.0),
]


@pytest.fixture(params=["numpy", "fastest"])
def product(request, monkeypatch):
    """The product that works everywhere, and the one that is used on this processor."""
    if request.param == "numpy":
        monkeypatch.setattr(byte_kernel, "byte_product", lambda: byte_kernel._numpy_product)
    return byte_kernel.byte_product()


@pytest.fixture
def bytes_used(monkeypatch):
    """Scan bytes, which otherwise needs 100,000 samples and a processor on which it is fast."""
    monkeypatch.setattr(factors, "MIN_SAMPLES_FOR_BYTES", 0)
    monkeypatch.setattr(factors, "is_byte_product_fast", lambda: True)


def extremes(n, n_columns):
    """Random bytes, and rows of nothing but 0, 127, 128 and 255."""
    rows = np.random.default_rng(0).integers(0, 256, (n, n_columns)).astype(np.uint8)
    rows[:4] = np.array([[0], [127], [128], [255]])
    return rows


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("n_columns", [1, 63, 784])
def test_values_are_those_of_the_formula(kernel, n_columns, product):
    rows, others = extremes(50, n_columns), extremes(70, n_columns)[::-1]
    of_bytes = ByteKernel(kernel)
    left, right = of_bytes.left_factor(rows), of_bytes.right_factor(others)
    formula = kernel_function(
        kernel.name, gamma=kernel.gamma, degree=kernel.degree, coef0=kernel.coef0
    )
    expected = formula(rows.astype(np.float64), others.astype(np.float64))
    values = of_bytes.values(left, right)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected, rtol=2e-5, atol=1e-6)
    weights = np.random.default_rng(1).normal(size=(3, 50))
    sums = of_bytes.weighted_sum(weights, left, right)
    np.testing.assert_allclose(sums, weights @ expected, rtol=1e-4, atol=1e-4)


def test_products_are_exact_up_to_the_largest_number_of_columns(product):
    rows = np.full((2, MAX_COLUMNS), 255, np.uint8)
    rows[1] = 0
    kernel = ByteKernel(Kernel("rbf", gamma=1 / (MAX_COLUMNS * 255**2)))
    values = kernel.values(kernel.left_factor(rows), kernel.right_factor(rows))
    np.testing.assert_allclose(values, [[1, np.exp(-1)], [np.exp(-1), 1]], rtol=1e-6)
    kernel = ByteKernel(Kernel("poly", gamma=1.0, degree=1, coef0=0.0))
    values = kernel.values(kernel.left_factor(rows), kernel.right_factor(rows))
    np.testing.assert_allclose(values, [[MAX_COLUMNS * 255**2, 0], [0, 0]])


def test_a_product_that_overflows_is_not_used(monkeypatch):
    def saturated(rows, columns):
        return np.clip(rows.astype(int) @ columns.astype(int), -(1 << 15), (1 << 15) - 1)

    monkeypatch.setattr(byte_kernel, "_onnxruntime_product", lambda: saturated)
    assert not is_byte_product_fast()


def test_nothing_is_imported_without_onnxruntime(monkeypatch):
    monkeypatch.setattr(byte_kernel, "find_spec", lambda name: None)
    monkeypatch.setattr(byte_kernel, "_onnxruntime_product", lambda: pytest.fail("imported"))
    assert not is_byte_product_fast()


@pytest.mark.parametrize(
    ("dtype", "kernel", "expected"),
    [
        (np.uint8, "rbf", ByteFactors),
        (np.uint8, "poly", ByteFactors),
        (np.uint8, "linear", PointFactors),
        (np.int16, "rbf", PointFactors),
        (np.float32, "rbf", PointFactors),
    ],
)
def test_bytes_are_scanned_as_bytes(train_set, bytes_used, dtype, kernel, expected):
    X, starts = train_set.X[:200].astype(dtype), np.array([0, 100, 200])
    with threads(1) as workers:
        transform = column_statistics(X, None, workers).input_transform(
            Kernel(kernel), np.dtype(np.float32)
        )
        samples = Samples(X, np.arange(200), starts, transform, workers)
    assert type(factors.exact_factors(samples)) is expected


def test_factors_of_bytes_work_in_another_process(train_set, bytes_used, product):
    X = train_set.X[:200]
    with threads(1) as workers:
        transform = column_statistics(X, None, workers).input_transform(
            Kernel("rbf", gamma=1e-7), np.dtype(np.float32)
        )
        samples = Samples(X, np.arange(200), np.array([0, 100, 200]), transform, workers)
    weights, first, second = np.ones((1, 10)), np.arange(10), np.arange(10, 40)
    sums = []
    for of_bytes in (ByteFactors(samples), pickle.loads(pickle.dumps(ByteFactors(samples)))):
        left, right = of_bytes.left(samples, first), of_bytes.right(samples, second)
        sums.append(of_bytes.weighted_sum(weights, left, right))
    np.testing.assert_array_equal(*sums)


@pytest.mark.parametrize("kernel", ["rbf", "poly"])
def test_scans_of_bytes_lead_to_the_same_optimum(train_set, bytes_used, product, kernel):
    X, y = train_set.X[:6000], train_set.labels[:6000]
    parameters = {"kernel": kernel, "decision_function_shape": "ovo", "random_state": 0}
    svc = KernelSVC(**parameters).fit(X, y)
    plain = KernelSVC(**parameters).fit(X.astype(np.float32), y)
    assert sum(entry["scanned"] for entry in svc.fit_log_) > 3000
    np.testing.assert_allclose(
        svc.decision_function(X[:1000]), plain.decision_function(X[:1000]), atol=5e-3
    )
