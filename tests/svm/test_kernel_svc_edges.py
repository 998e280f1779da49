"""Edge cases of KernelSVC: weights, labels, tiny and hard problems, invalid input."""

from __future__ import annotations

import logging
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.svm import SVC

from mnist_svm import Deskew, KernelSVC
from tests.support.svm_oracle import kernel_function, max_kkt_violation


@pytest.fixture(scope="module")
def digits(train_set, test_set):
    """2,000 deskewed training images, 0-1, and 1,000 of the test: X, y, X_test."""
    transformer = Deskew().fit(train_set.X)
    X = transformer.transform(train_set.X[:2000]) / 255
    return X, train_set.labels[:2000], transformer.transform(test_set.X[:1000]) / 255


@pytest.fixture(scope="module")
def two_digits(digits):
    """The threes and eights of them, which are hard to separate."""
    X, y, X_test = digits
    return X[np.isin(y, (3, 8))], y[np.isin(y, (3, 8))], X_test


@pytest.fixture(params=["libsvm", "blocks", "working_sets"])
def solver(request):
    """A solver of KernelSVC."""
    return request.param


def fit_both(X, y, sample_weight=None, solver="auto", **parameters):
    ours, peer = KernelSVC(**parameters, solver=solver), SVC(**parameters)
    return ours.fit(X, y, sample_weight=sample_weight), peer.fit(X, y, sample_weight=sample_weight)


def assert_same_decisions(ours, peer, X, atol=5e-3):
    # Compare pairs: the score of a class jumps by a vote where a pair is close to 0.
    one, other = (m.set_params(decision_function_shape="ovo") for m in (ours, peer))
    np.testing.assert_allclose(
        one.decision_function(X), other.decision_function(X), rtol=0, atol=atol
    )


# --- prepared ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["poly", "rbf", "linear"])
def test_prepare_changes_no_bit_of_the_decisions(digits, kernel):
    X, y, X_test = digits
    svc = KernelSVC(kernel=kernel).fit(X, y)
    before = [svc.decision_function(X_test[:n]) for n in (3, 1000)]
    assert svc.prepare() is svc
    for n, values in zip((3, 1000), before, strict=True):
        np.testing.assert_array_equal(svc.decision_function(X_test[:n]), values)


def test_prepare_is_not_pickled_and_reset_by_fit(two_digits):
    X, y, X_test = two_digits
    svc = KernelSVC().fit(X, y)
    plain = pickle.dumps(svc)
    assert pickle.dumps(svc.prepare()) == plain
    expected = KernelSVC(C=0.01).fit(X, y).decision_function(X_test)
    again = svc.set_params(C=0.01).fit(X, y)
    np.testing.assert_array_equal(again.decision_function(X_test), expected)


def test_prepare_requires_a_fitted_svc():
    with pytest.raises(NotFittedError):
        KernelSVC().prepare()


# --- a drop-in for SVC ----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["ovo", "ovr"])
@pytest.mark.parametrize("break_ties", [False, True])
def test_shapes_and_predictions_are_svc_s(digits, shape, break_ties):
    X, y, X_test = digits
    ours, peer = fit_both(X, y, decision_function_shape=shape, break_ties=break_ties)
    one, other = (svc.decision_function(X_test) for svc in (ours, peer))
    assert one.shape == other.shape
    assert (np.abs(one - other) < 5e-3).mean() > 0.999
    if break_ties and shape == "ovo":
        with pytest.raises(ValueError, match="break_ties must be False"):
            ours.predict(X_test)
    else:
        assert (ours.predict(X_test) == peer.predict(X_test)).mean() >= 0.999


def test_attributes_have_svc_s_names_types_and_shapes(digits):
    ours, peer = fit_both(*digits[:2])
    for name in ("classes_", "n_support_", "dual_coef_", "intercept_", "class_weight_", "n_iter_"):
        one, other = getattr(ours, name), getattr(peer, name)
        assert (one.dtype, one.ndim) == (other.dtype, other.ndim), name
        assert one.shape[:1] == other.shape[:1], name
    assert ours.support_.dtype == peer.support_.dtype
    assert (np.diff(ours.support_)[np.diff(digits[1][ours.support_]) == 0] > 0).all()
    assert ours.shape_fit_ == peer.shape_fit_
    assert ours.gamma_ == pytest.approx(peer._gamma, rel=1e-6)


def test_two_classes_have_svc_s_signs(two_digits):
    X, y, X_test = two_digits
    ours, peer = fit_both(X, y, kernel="poly", coef0=1.0)
    assert ours.decision_function(X_test).shape == (1000,)
    assert_same_decisions(ours, peer, X_test)
    np.testing.assert_array_equal(ours.predict(X_test), peer.predict(X_test))
    np.testing.assert_allclose(ours.intercept_, peer.intercept_, atol=5e-3)
    for svc in (ours, peer):
        positive = svc.dual_coef_[0] > 0
        assert (y[svc.support_[positive]] == 8).all()


@pytest.mark.parametrize("pair", [(3, 8), (0, 1, 2)])
def test_the_linear_weights_are_svc_s(digits, pair):
    X, y, X_test = digits
    rows = np.isin(y, pair)
    ours, peer = fit_both(X[rows], y[rows], kernel="linear", decision_function_shape="ovo")
    assert ours.coef_.shape == peer.coef_.shape
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=2e-3)
    by_weights = X_test @ ours.coef_.T + ours.intercept_
    np.testing.assert_allclose(np.squeeze(by_weights), ours.decision_function(X_test), atol=1e-3)


def test_other_kernels_have_no_coef(two_digits):
    svc = KernelSVC().fit(*two_digits[:2])
    assert not hasattr(svc, "coef_")


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.01, 0, np.float32(0.02), 1])
def test_gamma_is_svc_s(two_digits, gamma):
    X, y, X_test = two_digits
    ours, peer = fit_both(X, y, gamma=gamma)
    assert ours.gamma_ == pytest.approx(peer._gamma, rel=1e-6)
    assert_same_decisions(ours, peer, X_test)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float64, np.bool_])
def test_x_may_have_any_numeric_type(digits, dtype):
    X, y, X_test = (part if part.ndim == 1 else (200 * part).astype(dtype) for part in digits)
    ours, peer = fit_both(X, y)
    assert ours.support_vectors_.dtype == dtype
    assert_same_decisions(ours, peer, X_test)


@pytest.mark.slow
def test_a_common_offset_costs_no_precision(digits):
    # float32 alone would keep one digit of the pixels. 6,000 samples are too many for float64. The
    # offset of 1 avoids zeros, which would sort the columns differently.
    X, X_test = (1 + part.astype(np.float64) for part in digits[::2])
    X, y = X.repeat(3, axis=0), digits[1].repeat(3)
    parameters = {"C": 0.3, "gamma": 0.01, "random_state": 0}
    one, other = KernelSVC(**parameters).fit(X, y), KernelSVC(**parameters).fit(1e6 + X, y)
    np.testing.assert_array_equal(one.support_, other.support_)
    ovo = {"decision_function_shape": "ovo"}
    expected = one.set_params(**ovo).decision_function(X_test)
    values = other.set_params(**ovo).decision_function(1e6 + X_test)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-4)


NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])


def test_labels_may_be_strings(digits):
    X, y, X_test = digits
    by_name, by_number = KernelSVC(random_state=0).fit(X, NAMES[y]), KernelSVC().fit(X, y)
    assert by_name.classes_.tolist() == sorted(NAMES)
    assert (by_name.predict(X_test) == NAMES[by_number.predict(X_test)]).mean() > 0.998


@pytest.mark.parametrize("labels", [(0, 9), (1, 4, 7), (-1, 3)])
def test_labels_may_have_gaps(digits, labels):
    X, y, X_test = digits
    rows = np.isin(y, [label % 10 for label in labels])
    chosen = np.where(y[rows] == 9, labels[0], y[rows]) if -1 in labels else y[rows]
    ours, peer = fit_both(X[rows], chosen)
    np.testing.assert_array_equal(ours.classes_, peer.classes_)
    assert_same_decisions(ours, peer, X_test)


def test_cloning_and_pickling_change_no_bit(digits, tmp_path):
    X, y, X_test = digits
    svc = KernelSVC(kernel="poly", degree=4, C=2.0, random_state=0).fit(X, y)
    joblib.dump(svc, tmp_path / "svc.joblib")
    back = joblib.load(tmp_path / "svc.joblib")
    np.testing.assert_array_equal(back.decision_function(X_test), svc.decision_function(X_test))
    again = clone(svc).fit(X, y)
    np.testing.assert_array_equal(again.dual_coef_, svc.dual_coef_)


# --- weights ----------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", [{3: 5.0}, {3: 0.1, 8: 2.0}, "balanced"])
def test_class_weights_are_svc_s(two_digits, class_weight, solver):
    X, y, X_test = two_digits
    uneven = np.concatenate([np.flatnonzero(y == 3)[:40], np.flatnonzero(y == 8)])
    X, y = X[uneven], y[uneven]
    ours, peer = fit_both(X, y, class_weight=class_weight, C=0.1, solver=solver)
    np.testing.assert_allclose(ours.class_weight_, peer.class_weight_)
    assert_same_decisions(ours, peer, X_test)


def test_sample_weights_are_svc_s(digits, solver):
    X, y, X_test = digits
    X, y = X[:1000], y[:1000]
    weights = np.random.default_rng(0).uniform(0.01, 3, len(y))
    ours, peer = fit_both(X, y, weights, solver, gamma=0.01, C=0.5, decision_function_shape="ovo")
    assert_same_decisions(ours, peer, X_test)
    assert max_kkt_violation(ours, X, y, kernel_function("rbf", gamma=0.01), 0.5 * weights) <= 2e-3


def test_a_weight_of_two_is_a_sample_twice(digits, solver):
    X, y, X_test = digits
    X, y = X[:1000], y[:1000]
    counts = np.random.default_rng(0).integers(0, 4, len(y))
    parameters = {"C": 0.3, "decision_function_shape": "ovo", "solver": solver}
    weighted = KernelSVC(**parameters).fit(X, y, sample_weight=counts)
    repeated = KernelSVC(**parameters).fit(X.repeat(counts, axis=0), y.repeat(counts))
    assert weighted.gamma_ == pytest.approx(repeated.gamma_, rel=1e-12)
    assert_same_decisions(weighted, repeated, X_test)


def test_balanced_classes_are_counted_by_sample_weights_as_linear_svc_does(two_digits, solver):
    X, y, X_test = two_digits
    X, y = X[:300], y[:300]
    weights = np.where(y == 3, 5.0, 1.0)
    ours = KernelSVC(class_weight="balanced", gamma=0.01, C=0.1, solver=solver)
    ours.fit(X, y, sample_weight=weights)
    repeated = clone(ours).fit(X.repeat(weights.astype(int), axis=0), y.repeat(weights.astype(int)))
    totals = np.bincount(y, weights=weights)[[3, 8]]
    np.testing.assert_allclose(ours.class_weight_, totals.sum() / (2 * totals))
    np.testing.assert_allclose(repeated.class_weight_, ours.class_weight_)
    assert_same_decisions(ours, repeated, X_test)


def test_balanced_classes_are_svc_s_without_sample_weights(two_digits):
    X, y, X_test = two_digits
    ours, peer = fit_both(X[:300], y[:300], class_weight="balanced", gamma=0.01, C=0.1)
    np.testing.assert_allclose(ours.class_weight_, peer.class_weight_)
    assert_same_decisions(ours, peer, X_test)


def test_a_class_of_weight_zero_does_not_count_as_balanced(digits):
    X, y, _ = digits
    weights = (y != 5).astype(float)
    svc = KernelSVC(class_weight="balanced").fit(X, y, sample_weight=weights)
    without = KernelSVC(class_weight="balanced").fit(X[y != 5], y[y != 5])
    np.testing.assert_allclose(np.delete(svc.class_weight_, 5), without.class_weight_)
    np.testing.assert_array_equal(svc.support_, np.flatnonzero(y != 5)[without.support_])


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_samples_of_weight_zero_or_less_are_ignored(digits, weight, solver):
    X, y, X_test = digits
    used = np.random.default_rng(0).random(len(y)) < 0.5
    parameters = {"gamma": 0.01, "decision_function_shape": "ovo", "random_state": 0}
    parameters["solver"] = solver
    weighted = KernelSVC(**parameters).fit(X, y, sample_weight=np.where(used, 1.0, weight))
    without = KernelSVC(**parameters).fit(X[used], y[used])
    assert used[weighted.support_].all()
    np.testing.assert_array_equal(np.flatnonzero(used)[without.support_], weighted.support_)
    assert_same_decisions(weighted, without, X_test, atol=1e-3)


def test_classes_of_weight_zero_are_ignored(digits):
    X, y, X_test = digits
    svc = KernelSVC().fit(X, y, sample_weight=(y != 5).astype(float))
    assert svc.classes_.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert 5 not in svc.predict(X_test)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (lambda y: np.zeros(len(y)), "all samples have zero or negative weights"),
        (lambda y: -np.ones(len(y)), "all samples have zero or negative weights"),
        (lambda y: (y == 3).astype(float), r"belong to the same class: 3\. The number"),
        (lambda y: np.ones(5), "sample_weight has 5 elements, but X has "),
        (lambda y: np.where(y == 3, np.nan, 1), "sample_weight contains NaN or infinity"),
        (lambda y: np.ones((len(y), 2)), "should be a 1d array"),
    ],
)
def test_invalid_weights_are_rejected(two_digits, weight, message):
    X, y, _ = two_digits
    with pytest.raises(ValueError, match=message):
        KernelSVC().fit(X, y, sample_weight=weight(y))


# --- tiny and degenerate problems --------------------------------------------------------


def test_one_sample_per_class_is_enough(digits, solver):
    X, y, _ = digits
    first = [np.flatnonzero(y == digit)[0] for digit in range(10)]
    ours, peer = fit_both(X[first], y[first], solver=solver, decision_function_shape="ovo")
    np.testing.assert_array_equal(ours.predict(X[first]), np.arange(10))
    assert_same_decisions(ours, peer, X[first])


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_few_samples_give_svc_s_decisions(two_digits, n, kernel, solver):
    X, y, X_test = two_digits
    rows = np.concatenate([np.flatnonzero(y == 3)[: n // 2], np.flatnonzero(y == 8)[: n - n // 2]])
    ours, peer = fit_both(X[rows], y[rows], kernel=kernel, solver=solver)
    assert_same_decisions(ours, peer, X_test)


def test_duplicates_with_different_labels_are_bounded(two_digits, solver):
    X, y, X_test = two_digits
    X, y = np.concatenate([X, X[:50]]), np.concatenate([y, 11 - y[:50]])
    ours, peer = fit_both(X, y, solver=solver)
    assert_same_decisions(ours, peer, X_test)
    twice = np.isin(ours.support_, np.arange(50)) | (ours.support_ >= len(y) - 50)
    assert np.count_nonzero(np.abs(ours.dual_coef_[0, twice]) == 1.0) >= 50


def test_nothing_but_duplicates_with_different_labels_can_be_fitted(solver):
    ours, peer = fit_both(np.ones((6, 3)), [0, 1, 0, 1, 0, 1], kernel="linear", solver=solver)
    np.testing.assert_allclose(
        ours.decision_function(np.ones((1, 3))), peer.decision_function(np.ones((1, 3))), atol=1e-9
    )


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_features_give_svc_s_decisions(digits, kernel, value, solver):
    X, y, X_test = digits
    constant = np.full_like(X[:300], value)
    ours, peer = fit_both(constant, y[:300], solver=solver, kernel=kernel, gamma=1e-3)
    other = np.full_like(X_test[:5], value)
    assert_same_decisions(ours, peer, other)


@pytest.mark.parametrize("kernel", ["linear", "poly", "rbf"])
def test_constant_features_are_scanned_outside_the_working_set(kernel):
    X, y = np.zeros((2000, 3)), np.arange(2000) % 2
    svc = KernelSVC(kernel=kernel, solver="working_sets").fit(X, y)
    assert svc.fit_log_[0]["scanned"] > 0
    assert svc.kkt_violation_ <= 1e-3


def test_constant_columns_among_others_change_nothing(two_digits):
    X, y, X_test = two_digits
    parameters = {"gamma": 0.01, "random_state": 0}
    wide = [np.hstack([part, np.full((len(part), 2), 3.0), 0 * part]) for part in (X, X_test)]
    one, other = KernelSVC(**parameters).fit(X, y), KernelSVC(**parameters).fit(wide[0], y)
    np.testing.assert_allclose(
        other.decision_function(wide[1]), one.decision_function(X_test), atol=1e-4
    )


# --- hard problems -----------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_a_hard_problem_converges_or_warns(two_digits, kernel, solver):
    X, y, _ = two_digits
    y = np.where(np.random.default_rng(0).random(len(y)) < 0.1, 11 - y, y)
    svc = KernelSVC(kernel=kernel, C=1e6, solver=solver)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        svc.fit(X, y)
    convergence_warnings = [w for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert (svc.kkt_violation_ <= 2e-3) != bool(convergence_warnings)


def test_no_convergence_warns_with_the_violation(two_digits, solver):
    X, y, _ = two_digits
    with pytest.warns(ConvergenceWarning, match="1 of 1 pairs did not converge") as caught:
        svc = KernelSVC(max_iter=10, solver=solver).fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert svc.kkt_violation_ > 1e-3
    # The reported violation is the true one.
    expected = max_kkt_violation(svc, X, y, kernel_function("rbf", gamma=svc.gamma_), 1.0)
    assert svc.kkt_violation_ == pytest.approx(expected, rel=1e-3)


def test_an_infinite_c_separates(two_digits, solver):
    X, y, X_test = two_digits
    ours, peer = fit_both(X, y, C=np.inf, solver=solver)
    assert ours.score(X, y) == 1.0
    assert_same_decisions(ours, peer, X_test)


def test_kernel_values_out_of_range_are_rejected(digits, solver):
    X, y, _ = digits
    with pytest.raises(ValueError, match="beyond the range of float32: scale the features"):
        KernelSVC(kernel="poly", degree=9, gamma=1e6, solver=solver).fit(X, y)


# --- parameters --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"C": 0}, "C must be a number > 0, got 0"),
        ({"C": -1.0}, "C must be a number > 0, got -1.0"),
        ({"C": "1"}, "C must be a number > 0, got '1'"),
        ({"C": float("nan")}, "C must be a number > 0, got nan"),
        ({"kernel": "laplacian"}, "kernel must be one of 'linear', 'poly', 'rbf', 'sigmoid', 'pre"),
        ({"kernel": 3}, "kernel must be one of"),
        ({"max_iter": 0}, "max_iter must be a positive integer, or -1 for no limit, got 0"),
        ({"solver": "smo"}, "solver must be one of 'auto', 'libsvm', 'blocks', 'working_sets'"),
        ({"degree": -1}, "degree must be an integer >= 0, got -1"),
        ({"degree": 2.5}, "degree must be an integer >= 0, got 2.5"),
        ({"gamma": -0.1}, "gamma must be a number >= 0, got -0.1"),
        ({"gamma": "wide"}, "gamma must be one of 'scale', 'auto', got 'wide'"),
        ({"gamma": None}, "gamma must be a number >= 0, got None"),
        ({"coef0": float("inf")}, "coef0 must be a number"),
        ({"tol": 0}, "tol must be a number > 0, got 0"),
        ({"decision_function_shape": "all"}, "decision_function_shape must be one of"),
        ({"cache_size": 0}, "cache_size must be a number > 0, got 0"),
        ({"cache_size": 2**30}, "more than 1 TiB; it is in MiB, not in bytes"),
        ({"class_weight": "even"}, "class_weight"),
    ],
)
def test_an_invalid_parameter_is_named(two_digits, parameters, message):
    with pytest.raises(ValueError, match=message):
        KernelSVC(**parameters).fit(*two_digits[:2])


@pytest.mark.parametrize("labels", [np.linspace(0, 1, 20), [3] * 20, np.ones((20, 2))])
def test_invalid_labels_are_rejected(digits, labels):
    with pytest.raises(ValueError, match=r"[Uu]nknown label type|same class|1d array"):
        KernelSVC().fit(digits[0][:20], labels)


# --- log ----------------------------------------------------------


def test_every_round_is_logged(digits, caplog):
    with caplog.at_level(logging.INFO, logger="mnist_svm.svm"):
        svc = KernelSVC(solver="working_sets").fit(*digits[:2])
    assert len(caplog.records) == len(svc.fit_log_)
    assert " 0 violators left" in caplog.messages[-1]


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_prints_the_rounds_on_stderr(digits, capfd, verbose):
    KernelSVC(verbose=verbose).fit(*digits[:2])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("round 1: working set ") if verbose else err == ""
    assert logging.getLogger("mnist_svm.svm").handlers == []
