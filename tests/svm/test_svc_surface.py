"""All kernels and kinds of data that SVC takes, with its decisions, on a few hundred digits."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from mnist_svm import Deskew, KernelSVC
from tests.support.svm_oracle import dual_objectives, kernel_function, max_kkt_violation

SOLVERS = ["libsvm", "blocks", "working_sets"]
NAMED = {
    "linear": {"kernel": "linear"},
    "poly": {"kernel": "poly", "degree": 3, "coef0": 1.0},
    "rbf": {"kernel": "rbf"},
    # Of small values, so that the matrix is nearly positive definite, and the optimum is unique.
    "sigmoid": {"kernel": "sigmoid", "gamma": 1e-3, "coef0": 0.2},
}


@pytest.fixture(scope="module")
def digits(train_set, test_set):
    """300 deskewed images of threes, fives and eights, 0-1, and 200 to test: X, y, X_test."""
    parts = []
    for of, n in ((train_set, 300), (test_set, 200)):
        rows = np.flatnonzero(np.isin(of.labels, [3, 5, 8]))[:n]
        parts += [Deskew().fit_transform(of.X[rows]) / 255.0, of.labels[rows]]
    return parts[0], parts[1], parts[2]


def pad(X, n=4096):
    """CSR matrix of the same rows with columns of zeros, too many to be made dense."""
    zeros = sparse.csr_matrix((X.shape[0], n), dtype=X.dtype)
    return sparse.hstack([sparse.csr_matrix(X), zeros], format="csr")


def assert_same_decisions(ours, peer, X, X_peer=None):
    """Compare the pairs' decision values, and the predictions where no pair is close to 0."""
    X_peer = X if X_peer is None else X_peer
    for svc in (ours, peer):
        svc.set_params(decision_function_shape="ovo")
    expected = peer.decision_function(X_peer)
    np.testing.assert_allclose(ours.decision_function(X), expected, rtol=0, atol=5e-3)
    clear = (np.abs(expected) > 5e-3).all(axis=1)
    np.testing.assert_array_equal(ours.predict(X)[clear], peer.predict(X_peer)[clear])


# --- named kernels ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_decisions_are_svc_s(digits, name, solver, container):
    X, y, X_test = digits
    ours = KernelSVC(**NAMED[name], solver=solver).fit(container(X), y)
    assert_same_decisions(ours, SVC(**NAMED[name]).fit(X, y), container(X_test), X_test)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("coef0", [-1.0, 0.0])
def test_an_indefinite_sigmoid_meets_the_optimality_conditions(digits, solver, coef0):
    X, y, _ = digits
    parameters = {"gamma": 0.05, "coef0": coef0}
    kernel = kernel_function("sigmoid", **parameters)
    # There are several optima.
    assert np.linalg.eigvalsh(kernel(X[:50], X[:50]))[0] < -0.1
    svc = KernelSVC(kernel="sigmoid", solver=solver, **parameters).fit(X, y)
    assert max_kkt_violation(svc, X, y, kernel, 1.0) <= 1.1e-3


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array])
def test_decisions_of_wide_sparse_data_are_svc_s(digits, name, container):
    X, y, X_test = digits
    wide, wide_test = container(pad(X)), container(pad(X_test))
    ours, peer = (make(**NAMED[name]).fit(wide, y) for make in (KernelSVC, SVC))
    assert ours.gamma_ == pytest.approx(peer._gamma, rel=1e-9)
    assert_same_decisions(ours, peer, wide_test)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("width", [0, 4096])
@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
def test_sparse_data_of_any_type_are_those_numbers(digits, name, width, dtype):
    X, y, X_test = digits
    parts = [sparse.csr_matrix((200 * part).astype(dtype)) for part in (X, X_test)]
    X, X_test = (pad(part, width) for part in parts)
    assert X.dtype == dtype
    parameters = {**NAMED[name], **({"gamma": 1e-8} if name == "sigmoid" else {})}
    # Linear kernel values are large.
    parameters["C"] = 1e-4 if name == "linear" else 1.0
    ours = KernelSVC(**parameters).fit(X, y)
    peer = SVC(**parameters).fit(X.astype(np.float64), y)
    assert ours.gamma_ == pytest.approx(peer._gamma, rel=1e-6)
    assert_same_decisions(ours, peer, X_test, X_test.astype(np.float64))


@pytest.mark.parametrize("name", NAMED)
def test_wide_sparse_and_dense_samples_are_predicted_alike(digits, name):
    X, y, X_test = digits
    svc = KernelSVC(**NAMED[name]).fit(pad(X), y)
    of_dense, of_sparse = map(svc.decision_function, (pad(X_test).toarray(), pad(X_test)))
    np.testing.assert_allclose(of_dense, of_sparse, rtol=0, atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_support_vectors_have_the_type_of_the_samples(digits, solver):
    X, y, _ = digits
    for samples in (X, sparse.csr_matrix(X), sparse.csr_array(X), sparse.csc_matrix(X)):
        svc = KernelSVC(solver=solver).fit(samples, y)
        expected = samples.tocsr() if sparse.issparse(samples) else samples
        assert type(svc.support_vectors_) is type(expected)
        chosen = expected[svc.support_] - svc.support_vectors_
        assert abs(chosen).max() == 0


def test_a_sparse_fit_can_be_prepared(digits):
    X, y, X_test = digits
    svc = KernelSVC(solver="blocks").fit(sparse.csr_matrix(X), y)
    before = svc.decision_function(X_test)
    np.testing.assert_array_equal(svc.prepare().decision_function(X_test), before)


@pytest.mark.parametrize("shrinking", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_shrinking_does_not_matter(digits, solver, shrinking):
    X, y, X_test = digits
    ours = KernelSVC(solver=solver, shrinking=shrinking).fit(X, y)
    assert_same_decisions(ours, SVC().fit(X, y), X_test)


@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_approximate_rounds_take_kernel_values_below_zero(digits, monkeypatch, value):
    monkeypatch.setattr("mnist_svm.svm._solver.factors.MIN_SAMPLES_TO_PROJECT", 300)
    monkeypatch.setattr("mnist_svm.svm._solver.factors.SAMPLES_FOR_DIRECTIONS", 300)
    monkeypatch.setattr("mnist_svm.svm._solver.working_set.MIN_FIRST_SAMPLES", 50)
    X, y, _ = digits
    # An empty image is projected without a loss.
    X = np.where(np.arange(300)[:, None] == 0, 0, X)
    parameters = {"gamma": 0.01, "coef0": value}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svc = KernelSVC(kernel="sigmoid", solver="working_sets", **parameters).fit(X, y)
    assert not svc.fit_log_[0]["exact"]
    kernel = kernel_function("sigmoid", **parameters)
    assert max_kkt_violation(svc, X, y, kernel, 1.0) <= 1.1e-3


@pytest.fixture(scope="module")
def tiny_blocks():
    """Blocks and working sets of a few samples."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "blocks.BLOCK_SIZE": 32,
            "rows.MIN_ROWS_KEPT": 4,
            "pair.MAX_COMPILED_GRAM": 30,
            "pair.MAX_LIBSVM_GRAM": 30,
            "working_set.MIN_FIRST_SAMPLES": 6,
        }.items():
            patch.setattr(f"mnist_svm.svm._solver.{name}", value)
        yield patch


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(4, 120),
    n_classes=st.integers(2, 3),
    kernel=st.sampled_from(["linear", "poly", "rbf"]),
    C=st.sampled_from([0.01, 0.2, 2.0]),
    distance=st.sampled_from([0.0, 0.5, 1.0]),
    weighted=st.booleans(),
)
def test_any_small_data_have_svc_s_optimum(
    tiny_blocks, use_numba, solver, seed, n, n_classes, kernel, C, distance, weighted
):
    tiny_blocks.setattr("mnist_svm.svm.fitting.is_compiler_installed", lambda: use_numba)
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = np.arange(n_classes)
    # Some samples occur several times, also with different labels.
    X = (rng.normal(size=(n, 2)) + distance * y[:, None])[rng.integers(0, n, n)]
    weights = rng.uniform(0.1, 2, n) if weighted else np.ones(n)
    parameters = {"kernel": kernel, "gamma": 0.5, "degree": 2, "coef0": 1.0, "C": C}
    ours = KernelSVC(**parameters, solver=solver, random_state=0).fit(X, y, sample_weight=weights)
    peer = SVC(**parameters).fit(X, y, sample_weight=weights)
    formula = kernel_function(kernel, gamma=0.5, degree=2, coef0=1.0)
    assert max_kkt_violation(ours, X, y, formula, C * weights) <= 2e-3
    np.testing.assert_allclose(
        dual_objectives(ours, X, formula), dual_objectives(peer, X, formula), rtol=2e-3
    )


# --- given kernel values ----------------------------------------------------------------------


def histogram_kernel(A, B):
    """The intersection of histograms, of a quarter of the columns: none of the named kernels."""
    A, B = np.ascontiguousarray(A[:, ::4]), np.ascontiguousarray(B[:, ::4])
    return np.array([np.minimum(a, B).sum(axis=1) for a in A], np.float64) / 5


def common_letters(words, others):
    """Of two lists of strings: the number of letters that occur in both."""
    return np.array([[len(set(a) & set(b)) for b in others] for a in words], float)


def test_precomputed_decisions_are_svc_s(digits):
    X, y, X_test = digits
    K, K_test = histogram_kernel(X, X), histogram_kernel(X_test, X)
    ours, peer = (make(kernel="precomputed").fit(K, y) for make in (KernelSVC, SVC))
    assert_same_decisions(ours, peer, K_test)


def test_decisions_of_a_kernel_function_are_svc_s(digits):
    X, y, X_test = digits
    ours, peer = (make(kernel=histogram_kernel).fit(X, y) for make in (KernelSVC, SVC))
    assert_same_decisions(ours, peer, X_test)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8])
def test_kernel_values_may_have_any_type(digits, dtype):
    X, y, X_test = digits
    K, K_test = ((8 * histogram_kernel(part, X)).astype(dtype) for part in (X, X_test))
    ours = KernelSVC(kernel="precomputed").fit(K, y)
    peer = SVC(kernel="precomputed").fit(K.astype(np.float64), y)
    assert_same_decisions(ours, peer, K_test, K_test.astype(np.float64))


@pytest.fixture(scope="module")
def words():
    """Words with a vowel in each, and which of them have more of the letters a to m."""
    rng = np.random.default_rng(0)
    chosen = ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 7)) for _ in range(300)]
    return chosen, [sum(c < "n" for c in word) > 3 for word in chosen]


def test_a_kernel_function_may_take_strings(words):
    X, y = words
    ours = KernelSVC(kernel=common_letters).fit(X[:200], y[:200])
    peer = SVC(kernel="precomputed").fit(common_letters(X[:200], X[:200]), y[:200])
    expected = peer.decision_function(common_letters(X[200:], X[:200]))
    np.testing.assert_allclose(ours.decision_function(X[200:]), expected, rtol=0, atol=5e-3)
    assert ours.score(X[200:], y[200:]) > 0.8


@pytest.mark.parametrize("kernel", ["precomputed", histogram_kernel])
def test_given_kernel_values_have_svc_s_attributes(digits, kernel):
    X, y, _ = digits
    data = histogram_kernel(X, X) if kernel == "precomputed" else X
    ours, peer = (make(kernel=kernel).fit(data, y) for make in (KernelSVC, SVC))
    assert ours.shape_fit_ == peer.shape_fit_
    assert ours.support_vectors_.shape == peer.support_vectors_.shape
    np.testing.assert_array_equal(ours.support_, peer.support_)
    np.testing.assert_array_equal(ours.n_support_, peer.n_support_)
    np.testing.assert_allclose(ours.dual_coef_, peer.dual_coef_, atol=1e-9)
    assert not hasattr(ours, "coef_")


@pytest.mark.parametrize("kind", ["wide", "precomputed", "function"])
def test_samples_solved_by_libsvm_alone_have_weights(digits, kind):
    X, y, X_test = digits
    kernel = {"wide": "rbf", "precomputed": "precomputed", "function": histogram_kernel}[kind]
    formula = kernel_function("rbf", gamma=0.01) if kind == "wide" else histogram_kernel
    data, data_test = {
        "wide": (pad(X), pad(X_test)),
        "precomputed": (histogram_kernel(X, X), histogram_kernel(X_test, X)),
        "function": (X, X_test),
    }[kind]
    # A third of the samples have no weight.
    weights = np.random.default_rng(0).uniform(-0.5, 1, len(y)).clip(0)
    parameters = {"gamma": 0.01, "class_weight": {3: 0.5}}
    ours = KernelSVC(kernel=kernel, **parameters).fit(data, y, sample_weight=weights)
    assert (weights[ours.support_] > 0).all()
    box = weights * np.where(y == 3, 0.5, 1)
    assert max_kkt_violation(ours, X, y, formula, box) <= 1.1e-3
    # SVC mistakes support vectors if it has kernel values and weights of 0.
    used = weights > 0
    peer = SVC(kernel=formula, class_weight={3: 0.5}).fit(
        X[used], y[used], sample_weight=weights[used]
    )
    assert_same_decisions(ours, peer, data_test, X_test)


def test_a_grid_search_takes_precomputed_kernel_values(digits):
    X, y, _ = digits
    grid = {"C": [0.01, 1.0, 100.0]}
    searches = [
        GridSearchCV(make(kernel="precomputed"), grid, cv=3).fit(histogram_kernel(X, X), y)
        for make in (KernelSVC, SVC)
    ]
    ours, peer = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(ours, peer, atol=0.01)
    assert ours.min() > 0.5


def test_a_grid_search_chooses_between_kernels(digits):
    X, y, _ = digits
    grid = {"kernel": ["rbf", histogram_kernel]}
    search = GridSearchCV(KernelSVC(), grid, cv=3).fit(X, y)
    assert search.cv_results_["mean_test_score"].min() > 0.8


@pytest.mark.parametrize("kernel", ["rbf", "precomputed", histogram_kernel])
def test_tags_are_svc_s(kernel):
    ours, peer = (make(kernel=kernel).__sklearn_tags__() for make in (KernelSVC, SVC))
    assert ours.input_tags == peer.input_tags


@pytest.mark.parametrize("kernel", ["precomputed", histogram_kernel])
def test_models_of_given_kernel_values_are_pickled(digits, kernel):
    X, y, X_test = digits
    if kernel == "precomputed":
        X, X_test = histogram_kernel(X, X), histogram_kernel(X_test, X)
    svc = KernelSVC(kernel=kernel).fit(X, y)
    back = pickle.loads(pickle.dumps(svc))
    np.testing.assert_array_equal(back.decision_function(X_test), svc.decision_function(X_test))


def test_a_kernel_function_is_cloned_as_it_is():
    svc = KernelSVC(kernel=histogram_kernel, C=2.0, shrinking=False, max_iter=5, cache_size=7)
    assert clone(svc).get_params() == svc.get_params()
    assert clone(svc).kernel is histogram_kernel


def test_all_parameters_of_svc_are_taken():
    assert set(SVC().get_params()) - {"verbose"} <= set(KernelSVC().get_params())


def test_a_fit_to_other_data_forgets_the_samples_of_a_kernel_function(digits):
    X, y, X_test = digits
    svc = KernelSVC(kernel=histogram_kernel).fit(X, y)
    again = svc.set_params(kernel="rbf").fit(X, y)
    fresh = KernelSVC().fit(X, y)
    assert vars(again).keys() == vars(fresh).keys()
    np.testing.assert_array_equal(again.predict(X_test), fresh.predict(X_test))


# --- errors -----------------------------------------------------------------------------------


def error_of(function):
    with pytest.raises((ValueError, TypeError)) as caught:
        function()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_sparse_kernel_values_are_rejected(digits):
    X, y, _ = digits
    svc = KernelSVC(kernel="precomputed")
    assert "not supported" in error_of(lambda: svc.fit(sparse.csr_matrix(X @ X.T), y))


def test_kernel_values_that_are_not_square_are_rejected(digits):
    X, y, _ = digits
    error = error_of(lambda: KernelSVC(kernel="precomputed").fit(X, y))
    assert error == "Precomputed matrix must be a square matrix; got 300x784"


def test_kernel_values_of_other_samples_are_rejected(digits):
    X, y, X_test = digits
    svc = KernelSVC(kernel="precomputed").fit(X @ X.T, y)
    assert "expecting 300 features" in error_of(lambda: svc.predict(X_test @ X_test.T))


@pytest.mark.parametrize("solver", ["blocks", "working_sets"])
@pytest.mark.parametrize("kernel", ["precomputed", histogram_kernel])
def test_other_solvers_do_not_take_given_kernel_values(digits, solver, kernel):
    X, y, _ = digits
    error = error_of(lambda: KernelSVC(kernel=kernel, solver=solver).fit(X @ X.T, y))
    assert error.startswith(f"solver='{solver}' needs dense data and a named kernel, found given ")


@pytest.mark.parametrize("solver", ["blocks", "working_sets"])
def test_other_solvers_do_not_take_wide_sparse_data(digits, solver):
    X, y, _ = digits
    error = error_of(lambda: KernelSVC(solver=solver).fit(pad(X), y))
    assert "sparse data with 4,880 columns" in error


@pytest.mark.parametrize("kernel", ["linear", "poly"])
@pytest.mark.parametrize("width", [0, 4096])
def test_kernel_values_of_sparse_data_out_of_range_are_rejected(digits, kernel, width):
    X, y, _ = digits
    svc = KernelSVC(kernel=kernel, gamma=1.0)
    assert "scale the features" in error_of(lambda: svc.fit(pad(1e20 * X, width), y))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_values_of_a_kernel_function_out_of_range_are_rejected(digits, value):
    X, y, _ = digits

    def kernel(A, B):
        values = np.zeros((len(A), len(B)))
        values[0, 0] = value
        return values

    error = error_of(lambda: KernelSVC(kernel=kernel).fit(X, y))
    assert "beyond the range" in error or "Input kernel values contains" in error


# --- the limit of iterations ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sparse", "wide", "precomputed", "function"])
def test_the_limit_of_iterations_warns_with_the_violation(digits, kind):
    X, y, _ = digits
    kernel = {"precomputed": "precomputed", "function": histogram_kernel}.get(kind, "rbf")
    data = {
        "sparse": sparse.csr_matrix, "wide": pad, "function": np.asarray,
        "precomputed": lambda X: histogram_kernel(X, X),
    }[kind](X)  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="3 of 3 pairs did not converge") as caught:
        svc = KernelSVC(kernel=kernel, gamma=0.02, max_iter=10).fit(data, y)
    assert len(caught) == 1
    formula = kernel_function("rbf", gamma=0.02) if kernel == "rbf" else histogram_kernel
    expected = max_kkt_violation(svc, X, y, formula, 1.0)
    assert expected > 0.1
    assert svc.kkt_violation_ == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_limit_holds_for_each_pair_and_round(digits, solver):
    X, y, _ = digits
    with pytest.warns(ConvergenceWarning):
        svc = KernelSVC(solver=solver, max_iter=10).fit(X, y)
    # Each pair is solved at most twice in the first round.
    assert (svc.n_iter_ <= 10 * (len(svc.fit_log_) + 1)).all()


# --- probabilities ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ten_digits(train_set, test_set):
    """900 deskewed images, 0-1, and 1,000 to test: X, y, X_test, y_test."""
    X, X_test = (Deskew().fit_transform(part) for part in (train_set.X[:900], test_set.X[:1000]))
    return X / 255.0, train_set.labels[:900], X_test / 255.0, test_set.labels[:1000]


@pytest.fixture(scope="module")
def probable(ten_digits):
    return KernelSVC(probability=True, random_state=0).fit(*ten_digits[:2])


def test_probabilities_are_positive_and_add_up_to_one(probable, ten_digits):
    probabilities = probable.predict_proba(ten_digits[2])
    assert probabilities.shape == (1000, 10)
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_the_most_probable_class_is_nearly_always_the_predicted_one(probable, ten_digits):
    best = probable.classes_[probable.predict_proba(ten_digits[2]).argmax(axis=1)]
    assert (best == probable.predict(ten_digits[2])).mean() >= 0.97


def test_probabilities_are_as_good_as_svc_s(probable, ten_digits):
    X, y, X_test, y_test = ten_digits
    with warnings.catch_warnings():
        # scikit-learn 1.9 deprecates the parameter of its own SVC.
        warnings.simplefilter("ignore", FutureWarning)
        peer = SVC(probability=True, random_state=0).fit(X, y)
    ours, theirs = (log_loss(y_test, svc.predict_proba(X_test)) for svc in (probable, peer))
    of_shares = log_loss(y_test, np.tile(np.bincount(y) / len(y), (1000, 1)))
    assert ours < 1.05 * theirs
    assert ours < 0.25 * of_shares


def test_decisions_do_not_depend_on_probability(probable, ten_digits):
    X, y, X_test, _ = ten_digits
    without = KernelSVC(random_state=0).fit(X, y)
    np.testing.assert_array_equal(
        probable.decision_function(X_test), without.decision_function(X_test)
    )
    for name in ("support_", "dual_coef_", "intercept_", "support_vectors_", "n_iter_"):
        np.testing.assert_array_equal(getattr(probable, name), getattr(without, name))


def test_logarithms_are_those_of_the_probabilities(probable, ten_digits):
    X_test = ten_digits[2][:50]
    np.testing.assert_allclose(
        np.exp(probable.predict_log_proba(X_test)), probable.predict_proba(X_test)
    )


def test_probabilities_are_pickled_and_cloned(probable, ten_digits):
    X, y, X_test, _ = ten_digits
    expected = probable.predict_proba(X_test)
    for other in (pickle.loads(pickle.dumps(probable)), clone(probable).fit(X, y)):
        np.testing.assert_array_equal(other.predict_proba(X_test), expected)


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba"])
def test_without_probability_there_is_no_such_method(ten_digits, method):
    svc = KernelSVC().fit(*ten_digits[:2])
    with pytest.raises(AttributeError, match=f"'KernelSVC' has no attribute '{method}'"):
        getattr(svc, method)


def test_two_classes_have_probabilities_of_both(digits):
    X, y, X_test = digits
    rows = y != 5
    svc = KernelSVC(probability=True).fit(X[rows], y[rows])
    probabilities = svc.predict_proba(X_test)
    assert probabilities.shape == (len(X_test), 2)
    clear = np.abs(svc.decision_function(X_test)) > 1e-6
    np.testing.assert_array_equal(
        svc.classes_[probabilities.argmax(axis=1)][clear], svc.predict(X_test)[clear]
    )
