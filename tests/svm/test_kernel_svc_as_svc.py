"""What code that uses SVC finds in KernelSVC: attributes of sparse data, errors, probabilities.

Most of it, `test_sklearn_suite` tests as well.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.svm import SVC

from mnist_svm import KernelSVC


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400], X[400:450]


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csr_array])
def test_weights_of_sparse_features_are_svc_s_and_sparse(digits, container, n_classes):
    X, y, _ = digits
    rows = y < n_classes
    ours, peer = (
        make(kernel="linear").fit(container(X[rows]), y[rows]) for make in (KernelSVC, SVC)
    )
    assert ours.coef_.format == peer.coef_.format == "csr"
    np.testing.assert_allclose(ours.coef_.toarray(), peer.coef_.toarray(), atol=1e-3)
    dense = KernelSVC(kernel="linear").fit(X[rows], y[rows])
    np.testing.assert_allclose(ours.coef_.toarray(), dense.coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix])
def test_weights_of_features_cannot_be_written(digits, make):
    X, y, _ = digits
    coef = KernelSVC(kernel="linear").fit(make(X), y).coef_
    with pytest.raises(ValueError, match="read-only"):
        (coef.data if sparse.issparse(coef) else coef)[:] = 1.0


@pytest.mark.parametrize("solver", ["libsvm", "blocks", "working_sets"])
def test_dual_coefficients_of_sparse_samples_are_sparse(digits, solver):
    X, y, X_test = digits
    of_sparse = KernelSVC(solver=solver, random_state=0).fit(sparse.csr_matrix(X), y)
    of_dense = KernelSVC(solver=solver, random_state=0).fit(X, y)
    assert of_sparse.dual_coef_.format == SVC().fit(sparse.csr_matrix(X), y).dual_coef_.format
    np.testing.assert_allclose(of_sparse.dual_coef_.toarray(), of_dense.dual_coef_, atol=1e-9)
    for rows in (X_test, sparse.csr_matrix(X_test)):
        np.testing.assert_allclose(
            of_sparse.decision_function(rows), of_dense.decision_function(X_test), atol=1e-9
        )
        np.testing.assert_allclose(
            of_sparse.prepare().decision_function(rows),
            of_dense.decision_function(X_test),
            atol=1e-9,
        )


def test_dual_coefficients_of_wide_sparse_samples_are_sparse(digits):
    X, y, X_test = digits
    pad = sparse.csr_matrix((1, 5000))
    wide, wide_test = (
        sparse.hstack([part, sparse.vstack([pad] * len(part))], format="csr")
        for part in (X, X_test)
    )
    of_wide, of_dense = KernelSVC(gamma=1e-3).fit(wide, y), KernelSVC(gamma=1e-3).fit(X, y)
    np.testing.assert_allclose(of_wide.dual_coef_.toarray(), of_dense.dual_coef_, atol=1e-9)
    np.testing.assert_allclose(
        of_wide.decision_function(wide_test), of_dense.decision_function(X_test), atol=1e-9
    )


@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.lil_array])
def test_a_kernel_function_may_give_sparse_values(digits, container):
    X, y, X_test = digits
    X, X_test = container(X), container(X_test)
    of_function = KernelSVC(kernel=lambda A, B: (A @ B.T).tocsr()).fit(X, y)
    named = KernelSVC(kernel="linear").fit(X, y)
    np.testing.assert_allclose(
        of_function.decision_function(X_test), named.decision_function(X_test), atol=1e-9
    )


def test_a_kernel_function_with_a_wrong_shape_is_an_error(digits):
    X, y, X_test = digits

    def kernel(A, B):
        return np.ones((len(A), len(B))) if A is B else np.ones((len(A), len(B) + 1))

    with pytest.raises(ValueError, match=r"shape \(400, 64\), expected \(400, 400\)"):
        KernelSVC(kernel=lambda A, B: A).fit(X, y)
    with pytest.raises(ValueError, match=r"shape \(50, 401\), expected \(50, 400\)"):
        KernelSVC(kernel=kernel).fit(X, y).predict(X_test)


def test_probabilities_asked_for_after_the_fit_are_not_available(digits):
    X, y, X_test = digits
    svc = KernelSVC().fit(X, y)
    assert not hasattr(svc, "predict_proba")
    svc.set_params(probability=True)
    with pytest.raises(NotFittedError, match="fitted with probability=False"):
        svc.predict_proba(X_test)


def test_one_class_is_an_error_that_says_whether_weights_leave_it(digits):
    X, y, _ = digits
    with pytest.raises(ValueError, match="greater than one; got 1 class: 7"):
        KernelSVC().fit(X, np.full(len(y), 7))
    with pytest.raises(ValueError, match=r"positive weights belong to the same class: 7 \(a w"):
        KernelSVC().fit(X, y, sample_weight=y == 7)
