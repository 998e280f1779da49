"""What code that uses SVC finds in KernelSVC: attributes of sparse data, errors, probabilities.

Most of it, `test_sklearn_suite` tests as well.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from mnist_svm import Calibrated, CoupledSVC, KernelSVC

# Folds are other ones if samples are removed or repeated; of SVC, the same checks fail.
OF_FOLDS = {
    "check_sample_weight_equivalence_on_dense_data": "folds",
    "check_sample_weight_equivalence_on_sparse_data": "folds",
}


@parametrize_with_checks(
    [
        KernelSVC(kernel="precomputed"),
        KernelSVC(kernel="sigmoid"),
        KernelSVC(probability=True),
        Calibrated(CoupledSVC(kernel="precomputed")),
    ],
    expected_failed_checks=lambda svc: OF_FOLDS if getattr(svc, "probability", False) else {},
)
def test_scikit_learn_checks_pass(estimator, check):
    check(estimator)


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


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_kernel_function_with_values_that_are_not_finite_is_an_error(digits, value):
    X, y, X_test = digits

    def kernel(A, B):
        values = A @ B.T
        values[0, -1] = value if A is not B else values[0, -1]
        return values

    svc = KernelSVC(kernel=kernel).fit(X, y)
    for method in (svc.predict, svc.decision_function):
        with pytest.raises(ValueError, match=r"kernel values contains (NaN|infinity)"):
            method(X_test)
    with pytest.raises(ValueError, match=r"kernel values contains (NaN|infinity)"):
        KernelSVC(kernel=lambda A, B: kernel(A, B.copy())).fit(X, y)


def test_a_kernel_function_with_a_wrong_shape_is_an_error(digits):
    X, y, X_test = digits

    def kernel(A, B):
        return np.ones((len(A), len(B))) if A is B else np.ones((len(A), len(B) + 1))

    with pytest.raises(ValueError, match=r"shape \(400, 64\), expected \(400, 400\)"):
        KernelSVC(kernel=lambda A, B: A).fit(X, y)
    with pytest.raises(ValueError, match=r"shape \(50, 401\), expected \(50, 400\)"):
        KernelSVC(kernel=kernel).fit(X, y).predict(X_test)


def test_the_parameters_of_an_svc_can_be_passed_on(digits):
    X, y, X_test = digits
    peer = SVC(C=3.0, kernel="poly", coef0=1.0)
    svc = KernelSVC(**peer.get_params())
    assert not hasattr(svc, "predict_proba")
    ours, expected = (fitted.fit(X, y).decision_function(X_test) for fitted in (svc, peer))
    assert not hasattr(svc, "predict_proba")
    np.testing.assert_allclose(ours, expected, atol=5e-3)


def test_probabilities_asked_for_after_the_fit_are_not_available(digits):
    X, y, X_test = digits
    svc = KernelSVC().fit(X, y)
    assert not hasattr(svc, "predict_proba")
    svc.set_params(probability=True)
    with pytest.raises(NotFittedError, match="fitted with probability=False"):
        svc.predict_proba(X_test)


@pytest.mark.parametrize("change", [lambda y: (y * 0 + 7, None), lambda y: (y, y == 7)])
def test_a_single_class_is_an_error_with_its_label(digits, change):
    X, y, _ = digits
    with pytest.raises(ValueError, match=r"positive weights belong to the same class: 7\. The"):
        KernelSVC().fit(X, *change(y))


def test_predictions_follow_dual_coefficients_that_are_changed():
    # As in scikit-learn's test of a private attribute, with the public one.
    X = [[-2, -1], [-1, -1], [-1, -2], [1, 1], [1, 2], [2, 1]]
    svc = KernelSVC(kernel="linear").fit(X, [1, 1, 1, 2, 2, 2])
    np.testing.assert_allclose(svc.dual_coef_, [[-0.25, 0.25]])
    assert svc.predict([[-0.1, -0.1]]) == 1
    svc.dual_coef_ = np.array([[0.0, -1.0]])
    assert svc.predict([[-0.1, -0.1]]) == 2


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf", "sigmoid"])
def test_sparse_samples_are_predicted_after_a_fit_to_dense_ones(digits, kernel):
    X, y, X_test = digits
    svc = KernelSVC(kernel=kernel).fit(X, y)
    np.testing.assert_array_equal(
        svc.decision_function(sparse.lil_array(X_test)), svc.decision_function(X_test)
    )


# --- probabilities -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def words():
    """Two topics of made-up words, as counts of 6,000 words; and labels."""
    rng = np.random.default_rng(0)
    topics = rng.dirichlet(np.full(6000, 0.02), size=2)
    mixed = np.array([[0.6, 0.4], [0.4, 0.6]]) @ topics
    y = np.arange(400) % 2
    return sparse.csr_matrix([rng.multinomial(60, mixed[label]) for label in y], dtype=float), y


def log_loss_of(svc, X, y):
    probabilities = svc.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    return log_loss(y, probabilities, labels=svc.classes_)


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
def test_probabilities_of_sparse_samples_are_those_of_dense_ones(digits, kernel):
    X, y, X_test = digits
    parameters = {"kernel": kernel, "probability": True}
    of_dense = KernelSVC(**parameters).fit(X, y)
    of_sparse = KernelSVC(**parameters).fit(sparse.csr_matrix(X), y)
    expected = of_dense.predict_proba(X_test)
    for rows in (X_test, sparse.csr_matrix(X_test)):
        np.testing.assert_allclose(of_sparse.predict_proba(rows), expected, atol=1e-5)


def test_wide_sparse_samples_have_probabilities(words):
    X, y = words
    ours, peer = (
        make(kernel="linear", C=0.01).fit(X[:300], y[:300])
        for make in (
            lambda **parameters: KernelSVC(probability=True, **parameters),
            lambda **parameters: CalibratedClassifierCV(SVC(**parameters), ensemble=False),
        )
    )
    assert log_loss_of(ours, X[300:], y[300:]) < 1.1 * log_loss_of(peer, X[300:], y[300:])


def test_given_kernel_values_have_probabilities(digits):
    X, y, _ = digits
    X_test, y_test = (part[1000:] for part in load_digits(return_X_y=True))
    precomputed = KernelSVC(kernel="precomputed", probability=True).fit(X @ X.T / 500, y)
    function = KernelSVC(kernel=lambda A, B: A @ B.T / 500, probability=True).fit(X, y)
    probabilities = function.predict_proba(X_test)
    np.testing.assert_array_equal(precomputed.predict_proba(X_test @ X.T / 500), probabilities)
    np.testing.assert_allclose(np.log(probabilities), function.predict_log_proba(X_test))
    named = KernelSVC(kernel="linear", C=1 / 500, probability=True).fit(X, y)
    assert log_loss_of(function, X_test, y_test) < 1.1 * log_loss_of(named, X_test, y_test)


def test_names_of_features_are_those_of_the_samples_with_probabilities(digits):
    X, y, X_test = digits
    frames = [pd.DataFrame(part, columns=[f"x{i}" for i in range(64)]) for part in (X, X_test)]
    svc = KernelSVC(probability=True).fit(frames[0], y)
    assert svc.feature_names_in_.tolist() == frames[0].columns.tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svc.predict(frames[1])
        svc.predict_proba(frames[1])
    with pytest.raises(ValueError, match="feature names"):
        svc.predict_proba(frames[1].iloc[:, ::-1])
