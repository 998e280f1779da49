"""Fit all pairs of classes: choose between libsvm and the solvers of this package, and run them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from mnist_svm._types import Float64Array, IntArray
from mnist_svm.parallel.workers import workers_for
from mnist_svm.svm._solver.checkpoint import resume
from mnist_svm.svm._solver.columns import column_statistics
from mnist_svm.svm._solver.compilation import is_compiler_installed
from mnist_svm.svm._solver.factors import project_samples
from mnist_svm.svm._solver.libsvm import fit_libsvm
from mnist_svm.svm._solver.problem import Limits
from mnist_svm.svm._solver.samples import Samples, check_range
from mnist_svm.svm._solver.working_set import WorkingSetSolver
from mnist_svm.svm.data import dense_rows, is_dense_enough, squares, variance
from mnist_svm.svm.kernels import Kernel, kernel_dtype
from mnist_svm.svm.log import logger
from mnist_svm.svm.solution import Solution, solution_of_libsvm, solution_of_pairs

# Up to this many samples, libsvm takes less time than it takes to start threads and the compiler.
MAX_LIBSVM_SAMPLES = 2000

# Without Numba, libsvm is also faster for many small pairs of classes, if kernel values are cheap.
MAX_LIBSVM_PAIR = 2000
MAX_LIBSVM_FEATURES = 32

MIB = 1 << 20


def fit_pairs(
    svc: Any,
    data: Any,
    order: IntArray,
    starts: IntArray,
    boxes: Sequence[Float64Array],
    weights: Float64Array | None,
) -> Iterator[tuple[Kernel, Solution]]:
    """Solve all pairs of classes, and yield the kernel, with its gamma, and the solution.

    For several boxes, each solution starts from the last one.

    Parameters
    ----------
    svc : KernelSVC
        Its parameters are valid.
    data : ndarray or CSR matrix of shape (n, n_features), or kernel values of shape (n, n)
        Kernel values if the kernel is "precomputed" or a function.
    order, starts : intp ndarrays
        From `mnist_svm.svm.validation.sort_by_class`.
    boxes : list of float64 ndarrays of shape (n,)
        C_i of each sample. Each array is the one before times a factor above 1.
    weights : float64 ndarray of shape (n,), optional
        Of the samples, for the variance of the data.
    """
    is_given = callable(svc.kernel) or svc.kernel == "precomputed"
    solver, decision = _choose(svc.solver, data, np.diff(starts), is_given)
    if solver == "libsvm":
        of_data = 1.0 if is_given or svc.gamma != "scale" else variance(data, weights)
        kernel = make_kernel(svc, data.shape[1], of_data)
        for box in boxes:
            yield kernel, _fit_with_libsvm(svc, data, order, starts, box, kernel, decision)
        return
    rows = dense_rows(data)
    memory = int(svc.cache_size * MIB)
    random_state = check_random_state(svc.random_state)
    with workers_for(svc.n_jobs) as workers:
        columns = column_statistics(rows, weights, workers.local)
        kernel = make_kernel(svc, rows.shape[1], columns.variance)
        input_transform = columns.input_transform(kernel, kernel_dtype(len(rows)))
        samples = Samples(rows, order, starts, input_transform, workers.local)
        projected = project_samples(samples, workers.local, random_state, memory // 3)
        working_sets = WorkingSetSolver(
            samples,
            boxes[0][samples.order],
            tol=svc.tol,
            workers=workers,
            memory=memory // 2,
            use_numba=is_compiler_installed(),
            max_iter=svc.max_iter,
            solver=solver,
        )
        path = svc.checkpoint if len(boxes) == 1 else None
        save = resume(path, svc.get_params(), working_sets, random_state)
        for number, box in enumerate(boxes):
            if number:
                working_sets.change_box(box[samples.order])
            working_sets.solve(random_state, projected, logger.info, save)
            yield kernel, solution_of_pairs(working_sets)


def make_kernel(svc: Any, n_features: int, of_data: float) -> Kernel:
    """The kernel of an estimator; `of_data` is the variance of the data, for gamma "scale"."""
    if svc.gamma == "scale":
        gamma = 1 / (n_features * of_data) if of_data > 0 else 1.0
    else:
        gamma = 1 / n_features if svc.gamma == "auto" else float(svc.gamma)
    return Kernel.of(svc, gamma)


def _choose(solver: str, data: Any, class_sizes: IntArray, is_given: bool) -> tuple[str, str]:
    """The solver, and why it was chosen, if that is known before a first look at the data.

    Raises ValueError if the solver cannot solve the problem.
    """
    if is_given:
        only = "given kernel values"
    elif not is_dense_enough(data):
        only = f"sparse data with {data.shape[1]:,} columns"
    else:
        only = ""
    if only and solver not in ("auto", "libsvm"):
        msg = f"solver={solver!r} needs dense data and a named kernel, found {only}: use 'auto'"
        raise ValueError(msg)
    if only or solver == "libsvm":
        return "libsvm", f"libsvm: {only or 'as asked for'}"
    n, n_features = int(class_sizes.sum()), data.shape[1]
    if solver == "auto" and n <= MAX_LIBSVM_SAMPLES:
        return "libsvm", f"libsvm: {n:,} samples, at most {MAX_LIBSVM_SAMPLES:,}"
    largest_pair = int(np.sort(class_sizes)[-2:].sum())
    is_small = largest_pair <= MAX_LIBSVM_PAIR and n_features <= MAX_LIBSVM_FEATURES
    if solver == "auto" and is_small and not is_compiler_installed():
        return "libsvm", f"libsvm: pairs of at most {largest_pair:,} samples, and no Numba"
    return solver, ""


def _fit_with_libsvm(
    svc: Any,
    data: Any,
    order: IntArray,
    starts: IntArray,
    box: Float64Array,
    kernel: Kernel,
    decision: str,
) -> Solution:
    start = time.perf_counter()
    codes = np.empty(len(box), np.intp)
    codes[order] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    rows = np.arange(len(box))
    if len(order) < len(box):
        rows = np.sort(order)
        data = data[rows][:, rows] if kernel.name == "precomputed" else data[rows]
    _check_range(data, kernel)
    parameters = {
        "kernel": kernel.name,
        "gamma": kernel.gamma,
        "degree": kernel.degree,
        "coef0": kernel.coef0,
        "shrinking": svc.shrinking,
        "cache_size": svc.cache_size,
    }
    limits = Limits(svc.tol, 0, max_iter=svc.max_iter)
    fitted = fit_libsvm(data, codes[rows], box[rows], parameters, limits)
    seconds = time.perf_counter() - start
    solution = solution_of_libsvm(fitted, rows, svc.tol, seconds, decision)
    logger.info(solution.log[0])
    return solution


def _check_range(data: Any, kernel: Kernel) -> None:
    """Raise ValueError if kernel values are too large; the largest are those of equal samples."""
    if kernel.name == "precomputed":
        check_range(data)
    elif kernel.name in ("linear", "poly"):
        norms = np.ravel(squares(data).sum(axis=1)) * (kernel.gamma if kernel.name == "poly" else 1)
        check_range(kernel.diagonal(norms))
