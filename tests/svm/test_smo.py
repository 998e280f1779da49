"""Sequential minimal optimisation, in NumPy and compiled: the optimum of small box problems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize
from sklearn.svm import SVC

from mnist_svm.svm._solver.compilation import is_compiler_installed
from mnist_svm.svm._solver.smo import smo_solver

TOL = 1e-5
# SMO may need many tiny steps on matrices of low rank.
MAX_ITER = 200_000

needs_numba = pytest.mark.skipif(not is_compiler_installed(), reason="needs Numba")


def rbf(points, gamma=0.5):
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    return np.exp(-gamma * squares)


def run(use_numba, gram, linear, coef, lower, upper, tol=TOL, max_iter=MAX_ITER):
    """Coefficients, errors and iterations, from the given coefficients."""
    coef = coef.copy()
    errors = linear - gram.astype(np.float64) @ coef
    iterations = smo_solver(use_numba)(gram, errors, coef, lower, upper, tol, max_iter)
    return coef, errors, iterations


def gap(gram, linear, coef, lower, upper):
    """The largest violation of the optimality conditions, by their definition."""
    errors = linear - gram.astype(np.float64) @ coef
    highest = max((e for e, c, u in zip(errors, coef, upper, strict=True) if c < u), default=-1e9)
    lowest = min((e for e, c, b in zip(errors, coef, lower, strict=True) if c > b), default=1e9)
    return highest - lowest


def objective(gram, linear, coef):
    return coef @ gram.astype(np.float64) @ coef / 2 - linear @ coef


# --- any problem ----------------------------------------------------------------------------


@st.composite
def box_problems(draw):
    """A positive semidefinite matrix, a linear term, coefficients within bounds, and bounds."""
    m, width = draw(st.integers(2, 12)), draw(st.integers(1, 4))
    points = draw(hnp.arrays(np.float64, (m, width), elements=st.floats(-3, 3, width=32)))
    gram = rbf(points) if draw(st.booleans()) else points @ points.T
    linear = draw(hnp.arrays(np.float64, m, elements=st.floats(-2, 2, width=32)))
    lower = -draw(hnp.arrays(np.float64, m, elements=st.floats(0, 2, width=32)))
    upper = draw(hnp.arrays(np.float64, m, elements=st.floats(0, 2, width=32)))
    share = draw(hnp.arrays(np.float64, m, elements=st.floats(0, 1, width=32)))
    coef = np.clip(lower + share * (upper - lower), lower, upper)
    return gram, linear, coef, lower, upper


@settings(deadline=None, max_examples=50)
@given(problem=box_problems())
def test_the_optimality_conditions_hold(use_numba, problem):
    gram, linear, _, lower, upper = problem
    coef, _, _ = run(use_numba, *problem)
    assert gap(gram, linear, coef, lower, upper) <= TOL + 1e-9


@settings(deadline=None, max_examples=50)
@given(problem=box_problems())
def test_the_objective_is_that_of_a_general_solver(use_numba, problem):
    gram, linear, start, lower, upper = problem
    coef, _, _ = run(use_numba, *problem)
    peer = minimize(
        lambda c: objective(gram, linear, c),
        start,
        jac=lambda c: gram @ c - linear,
        bounds=np.column_stack([lower, upper]),
        constraints={
            "type": "eq",
            "fun": lambda c: c.sum() - start.sum(),
            "jac": lambda c: np.ones(len(c)),
        },
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assume(peer.success)
    # Its constraints hold to 1e-8 or so, the conditions of ours to TOL.
    assert objective(gram, linear, coef) <= peer.fun + 1e-3 * (1 + abs(peer.fun))


@settings(deadline=None, max_examples=50)
@given(problem=box_problems())
def test_coefficients_stay_within_their_bounds(use_numba, problem):
    _, _, _, lower, upper = problem
    coef, _, _ = run(use_numba, *problem)
    # Where neither bound is 0, a sum may be rounded to the float behind it.
    assert (np.nextafter(lower, -np.inf) <= coef).all()
    assert (coef <= np.nextafter(upper, np.inf)).all()


@settings(deadline=None, max_examples=50)
@given(problem=box_problems())
def test_the_sum_of_the_coefficients_stays(use_numba, problem):
    coef, _, iterations = run(use_numba, *problem)
    assert coef.sum() == pytest.approx(problem[2].sum(), abs=1e-15 * (100 + iterations))


@settings(deadline=None, max_examples=50)
@given(problem=box_problems())
def test_errors_are_those_of_the_coefficients(use_numba, problem):
    gram, linear, *_ = problem
    coef, errors, _ = run(use_numba, *problem)
    np.testing.assert_allclose(errors, linear - gram @ coef, rtol=0, atol=1e-8)


@settings(deadline=None, max_examples=50)
@given(problem=box_problems())
def test_an_optimum_is_left_as_it_is(use_numba, problem):
    gram, linear, _, lower, upper = problem
    coef, _, _ = run(use_numba, *problem)
    again, _, iterations = run(use_numba, gram, linear, coef, lower, upper, tol=1.1 * TOL)
    assert iterations == 0
    np.testing.assert_array_equal(again, coef)


@settings(deadline=None, max_examples=50)
@given(problem=box_problems(), max_iter=st.integers(0, 5))
def test_iterations_are_limited(use_numba, problem, max_iter):
    gram, linear, _, lower, upper = problem
    coef, errors, iterations = run(use_numba, *problem, max_iter=max_iter)
    assert iterations <= max_iter
    # It ended because of the limit, or at the optimum; and the errors are up to date.
    assert iterations == max_iter or gap(gram, linear, coef, lower, upper) <= TOL + 1e-9
    np.testing.assert_allclose(errors, linear - gram @ coef, rtol=0, atol=1e-9)


def test_a_coefficient_at_its_bound_equals_it(use_numba):
    # Of bounds on both sides of 0, `coef + (upper - coef)` is not always `upper`.
    rng = np.random.default_rng(0)
    m = 200
    gram = rbf(rng.normal(size=(m, 3)))
    lower, upper = -rng.uniform(0.5, 1, m), rng.uniform(0.01, 0.1, m)
    start = rng.uniform(0.5, 1, m) * lower
    coef, _, _ = run(use_numba, gram, 3 * rng.normal(size=m), start, lower, upper)
    for bound in (lower, upper):
        near = np.abs(coef - bound) < 1e-12
        assert np.count_nonzero(near) > 30
        np.testing.assert_array_equal(coef[near], bound[near])


# --- two classes ----------------------------------------------------------------------------


@st.composite
def classifications(draw):
    """A problem of an SVM on random points without ties, from coefficients of zero."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m, C = draw(st.integers(2, 80)), draw(st.sampled_from([0.1, 0.3, 1.0, 30.0]))
    signs = np.where(rng.random(m) < 0.5, -1.0, 1.0)
    signs[:2] = 1.0, -1.0
    points = rng.normal(size=(m, 3)) + draw(st.sampled_from([0, 1])) * signs[:, None]
    box = C * rng.uniform(0.5, 1, m)
    lower, upper = np.minimum(signs * box, 0), np.maximum(signs * box, 0)
    return rbf(points), signs, np.zeros(m), lower, upper


@settings(deadline=None, max_examples=50)
@given(problem=classifications())
def test_the_objective_is_libsvm_s(use_numba, problem):
    gram, signs, _, lower, upper = problem
    coef, _, _ = run(use_numba, *problem, tol=1e-8)
    svc = SVC(kernel="precomputed", tol=1e-8).fit(gram, signs, sample_weight=upper - lower)
    expected = np.zeros(len(signs))
    expected[svc.support_] = svc.dual_coef_[0]
    assert objective(gram, signs, coef) == pytest.approx(
        objective(gram, signs, expected), abs=1e-8 * (1 + np.abs(expected).sum())
    )


def test_classes_that_cannot_be_told_apart_have_all_coefficients_at_a_bound(use_numba):
    # Sums of steps of 0.1 are not multiples of it.
    m = 100
    signs = np.where(np.arange(m) % 2, 1.0, -1.0)
    gram = np.eye(m)
    lower, upper = np.minimum(0.1 * signs, 0), np.maximum(0.1 * signs, 0)
    coef, _, _ = run(use_numba, gram, signs, np.zeros(m), lower, upper)
    np.testing.assert_array_equal(coef, 0.1 * signs)


@st.composite
def exact_problems(draw):
    """Problems of small binary fractions and curvatures of 1 and 2, so that nothing is rounded."""
    m = draw(st.integers(2, 30))
    groups = draw(hnp.arrays(np.int64, m, elements=st.integers(0, 3)))
    gram = np.where(groups[:, None] == groups, 0.5, 0.0) + 0.5 * np.eye(m)
    linear, lower, upper = (
        draw(hnp.arrays(np.int64, m, elements=st.integers(*limits))) / 8
        for limits in ((-16, 16), (-16, 0), (0, 16))
    )
    return gram, linear, np.zeros(m), lower, upper


@needs_numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(deadline=None, max_examples=50)
@given(problem=exact_problems())
def test_both_implementations_take_the_same_steps(dtype, problem):
    # Of equal samples, both take the first. After some 40 halvings, digits would be lost.
    gram = problem[0].astype(dtype)
    one, other = (run(flag, gram, *problem[1:], max_iter=40) for flag in (False, True))
    assert one[2] == other[2]
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


@needs_numba
@settings(deadline=None, max_examples=50)
@given(problem=classifications())
def test_both_implementations_find_the_same_coefficients(problem):
    one, other = (run(use_numba, *problem, tol=1e-10) for use_numba in (False, True))
    np.testing.assert_allclose(one[0], other[0], rtol=0, atol=1e-5)


def test_a_warm_start_takes_fewer_iterations(use_numba):
    rng = np.random.default_rng(0)
    signs = np.where(rng.random(200) < 0.5, -1.0, 1.0)
    gram = rbf(rng.normal(size=(200, 3)) + 0.3 * signs[:, None])
    lower, upper = np.minimum(signs, 0), np.maximum(signs, 0)
    coef, _, _ = run(use_numba, gram, signs, np.zeros(200), lower, upper)
    _, _, cold = run(use_numba, 1.001 * gram, signs, np.zeros(200), lower, upper)
    _, _, warm = run(use_numba, 1.001 * gram, signs, coef, lower, upper)
    assert 0 < warm < cold / 2


def test_infinite_bounds_separate(use_numba):
    rng = np.random.default_rng(0)
    signs = np.where(np.arange(100) % 2, 1.0, -1.0)
    gram = rbf(rng.normal(size=(100, 3)) + 2 * signs[:, None])
    lower, upper = np.where(signs < 0, -np.inf, 0.0), np.where(signs > 0, np.inf, 0.0)
    coef, errors, iterations = run(use_numba, gram, signs, np.zeros(100), lower, upper)
    assert iterations < MAX_ITER
    free = coef != 0
    # y_i (f(x_i) + b) = 1 for the support vectors, and more for the others.
    bias = errors[free].mean()
    margins = signs * (gram @ coef + bias)
    np.testing.assert_allclose(margins[free], 1, atol=10 * TOL)
    assert margins.min() >= 1 - 10 * TOL


# --- indefinite matrices ------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**32 - 1), m=st.integers(2, 40))
def test_indefinite_matrices_end_where_the_conditions_hold(use_numba, seed, m):
    rng = np.random.default_rng(seed)
    gram = rng.normal(size=(m, m))
    gram += gram.T
    signs = np.where(np.arange(m) % 2, 1.0, -1.0)
    lower, upper = np.minimum(signs, 0), np.maximum(signs, 0)
    coef, _, iterations = run(use_numba, gram, signs, np.zeros(m), lower, upper)
    assert iterations < MAX_ITER
    assert gap(gram, signs, coef, lower, upper) <= TOL + 1e-9


def test_a_problem_without_an_optimum_ends_at_the_limit(use_numba):
    # A matrix of -1, and no bounds: the objective falls for ever.
    signs = np.array([1.0, -1.0])
    gram = -np.eye(2)
    lower, upper = np.array([0.0, -1e250]), np.array([1e250, 0.0])
    coef, _, iterations = run(use_numba, gram, signs, np.zeros(2), lower, upper, max_iter=7)
    assert iterations == 7
    assert np.isfinite(coef).all()


def test_equal_points_of_two_classes_are_moved_to_their_bounds(use_numba):
    # The curvature is zero.
    signs = np.array([1.0, -1.0])
    lower, upper = np.array([0.0, -3.0]), np.array([3.0, 0.0])
    coef, _, iterations = run(use_numba, np.ones((2, 2)), signs, np.zeros(2), lower, upper)
    np.testing.assert_array_equal(coef, [3.0, -3.0])
    assert iterations == 1
