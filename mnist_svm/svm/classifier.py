"""KernelSVC: the scikit-learn estimator."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from mnist_svm._types import Array, Float64Array
from mnist_svm.parallel.threads import threads
from mnist_svm.svm.convergence import report_no_convergence
from mnist_svm.svm.data import dense_rows, is_dense_enough, to_dense
from mnist_svm.svm.decisions import DecisionFunctions, pair_columns, values_from_kernel
from mnist_svm.svm.fitting import fit_pairs
from mnist_svm.svm.kernels import Kernel
from mnist_svm.svm.log import log_to
from mnist_svm.svm.optimality import pair_violations
from mnist_svm.svm.pairwise import class_scores, count_votes
from mnist_svm.svm.solution import Solution
from mnist_svm.svm.validation import (
    balanced_weights,
    check_parameters,
    check_square,
    check_weights,
    sort_by_class,
)

# Rows of sparse data whose kernel values are computed at a time.
SPARSE_ROWS_PER_BLOCK = 256


def _is_calibrated(svc: Any) -> bool:
    # "deprecated" is the default of scikit-learn's SVC from 1.9 on, and means False.
    return bool(svc.probability) and svc.probability != "deprecated"


def _has_probabilities(svc: Any) -> bool:
    if not _is_calibrated(svc):
        msg = "predict_proba is only available with probability=True"
        raise AttributeError(msg)
    return True


class KernelSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """C-support vector classification with a kernel: exact, and fast on many samples.

    One-vs-one like `sklearn.svm.SVC`, with the same optimum, attributes and predictions. Kernel
    values are computed in float32, or in float64 for up to 5,000 samples.

    There are three solvers, and `solver` chooses. For few samples it is libsvm, as in `SVC`. Else a
    first solution on some hundred samples of each class tells how many support vectors to expect.
    A pair of classes with many, as in noisy data, is solved on all of its samples, block by block
    (`mnist_svm.svm._solver.blocks`); with few, on small working sets, which grow until all other
    samples satisfy the optimality conditions (`mnist_svm.svm._solver.working_set`). Both take half
    the time if Numba is installed: ``pip install 'mnist-svm[fast]'``.

    Within ``joblib.parallel_config("dask")``, the workers of a Dask cluster do the fit; see
    `mnist_svm.parallel.workers`.

    Parameters
    ----------
    C : float, default=1.0
        Cost of a margin violation, positive.
    kernel : {"linear", "poly", "rbf", "sigmoid", "precomputed"} or callable, default="rbf"
        ``<x, z>``, ``(gamma <x, z> + coef0) ** degree``, ``exp(-gamma ||x - z||**2)`` or
        ``tanh(gamma <x, z> + coef0)``. With "precomputed", `fit` takes kernel values of shape
        (n_samples, n_samples), and other methods those with the training samples. A function takes
        two lists of samples, of n and m, and returns kernel values of shape (n, m).
    degree : int, default=3
        Degree of ``poly``, at least 0.
    gamma : {"scale", "auto"} or float, default="scale"
        Coefficient of ``poly`` and ``rbf``, at least 0. "scale" is 1 / (n_features * X.var()),
        with the variance weighted by sample_weight (`sklearn.svm.SVC` ignores the weights here).
        "auto" is 1 / n_features.
    coef0 : float, default=0.0
        Constant of ``poly`` and ``sigmoid``. If negative for ``poly``, the kernel may not be
        positive definite, as ``sigmoid`` is not, and the fit is slower, because changes of the
        margins have no bound.
    shrinking : bool, default=True
        Whether libsvm leaves out samples that it expects to stay at their bounds. It does not
        affect the result, nor the other solvers.
    probability : bool, default=False
        Whether `fit` also calibrates probabilities, on held-out samples: `predict_proba`. It takes
        about twice the time.
    tol : float, default=1e-3
        Tolerance of the optimality conditions, in units of the margin.
    class_weight : dict, "balanced" or None, default=None
        Factor of C for each class. "balanced" is n_samples / (n_classes * n_samples_of_class),
        where samples count by their sample_weight, as in `sklearn.svm.LinearSVC`: a weight of 2 is
        the same as a repeated sample. `sklearn.svm.SVC` counts every sample once.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        One score per class, or one value per pair of classes. Two classes always have one value.
    break_ties : bool, default=False
        Whether `predict` breaks ties of votes by the sums of decision values, instead of taking
        the first class. Requires "ovr".
    cache_size : float, default=1024
        MiB that a fit may use in addition to ``X``, the result and a few numbers per sample and
        class; on a cluster, per worker thread as well. Less memory makes it slower, not wrong.
    max_iter : int, default=-1
        Largest number of iterations for each pair of classes, in each round; -1 is 10 million.
    solver : {"auto", "libsvm", "blocks", "working_sets"}, default="auto"
        See above. "blocks" solves all pairs on all of their samples, "working_sets" none. Kernels
        that are "precomputed" or functions, and sparse data of more than 4,096 columns, are always
        solved by libsvm.
    n_jobs : int or None, default=-1
        Number of threads, as in joblib. It does not affect the result.
    checkpoint : str or None, default=None
        Path of a file to store the state of a fit in after each round of working sets; fits
        without any, see `solver`, store nothing. A fit resumes from this file if it has the same
        data and parameters as the fit that wrote it; with an int as `random_state`, the result is
        bit-equal to that of an uninterrupted fit. The file is not deleted after the fit, and the
        path is not pickled.
    random_state : int, RandomState instance or None, default=None
        Seed of the first working sets, and of the samples that join them in approximate rounds.
        Fits with the same seed are bit-equal, others equal to the tolerance.
    verbose : bool or int, default=False
        Whether to print each round on stderr. The logger ``mnist_svm.svm`` always gets them.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, ascending.
    support_ : int32 ndarray of shape (n_SV,)
        Rows of the support vectors in ``X``, sorted by class.
    support_vectors_ : ndarray or CSR matrix of shape (n_SV, n_features), of the dtype of ``X``
        Empty for kernels that are "precomputed" or functions.
    n_support_ : int32 ndarray of shape (k,)
        Number of support vectors of each class.
    dual_coef_ : float64 ndarray of shape (k - 1, n_SV), or a CSR matrix if ``X`` was sparse
        Dual coefficients ``alpha_i y_i``: those of a support vector of class c in its pairs with
        class 0, 1, ..., without c. In binary problems y_i is +1 for the second class.
    intercept_ : float64 ndarray of shape (k (k - 1) / 2,)
        Intercepts of the pairs (0, 1), (0, 2), ..., (1, 2), ...
    n_iter_ : int32 ndarray of shape (k (k - 1) / 2,)
        Iterations for each pair, over all rounds.
    class_weight_ : float64 ndarray of shape (k,)
    gamma_ : float
        The kernel's coefficient.
    kkt_violation_ : float
        Upper bound of the violation of the optimality conditions, over all samples and pairs.
    fit_log_ : list of dict
        One per round, with the fields of `mnist_svm.svm._solver.working_set.Round`. "decision" says
        which solver was chosen, and why.
    shape_fit_ : tuple of int
        Shape of ``X`` in `fit`; of a list, its length.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If ``X`` had feature names that are all strings.

    See Also
    --------
    sklearn.svm.SVC : The same, by libsvm alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mnist_svm import KernelSVC
    >>> X, y = load_digits(return_X_y=True)
    >>> svc = KernelSVC(kernel="poly", degree=4, coef0=1.0).fit(X[:1500], y[:1500])
    >>> round(svc.score(X[1500:], y[1500:]), 3)
    0.943
    """

    classes_: Array
    support_: npt.NDArray[np.int32]
    support_vectors_: Any
    n_support_: npt.NDArray[np.int32]
    dual_coef_: Float64Array | Any
    intercept_: Float64Array
    n_iter_: npt.NDArray[np.int32]
    class_weight_: Float64Array
    gamma_: float
    kkt_violation_: float
    fit_log_: list[dict[str, Any]]
    shape_fit_: tuple[int, ...]
    _prepared: DecisionFunctions | None = None
    _calibrated: Any = None
    _training_data: Any

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: Any = "rbf",
        degree: int = 3,
        gamma: float | str = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        probability: bool = False,
        tol: float = 1e-3,
        class_weight: Mapping[Any, float] | str | None = None,
        decision_function_shape: str = "ovr",
        break_ties: bool = False,
        cache_size: float = 1024,
        max_iter: int = -1,
        solver: str = "auto",
        n_jobs: int | None = -1,
        checkpoint: str | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.probability = probability
        self.tol = tol
        self.class_weight = class_weight
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.cache_size = cache_size
        self.max_iter = max_iter
        self.solver = solver
        self.n_jobs = n_jobs
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Find the support vectors.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features), or a memory map
            Any real numbers. Neither copied nor converted as a whole, but for libsvm.
        y : array-like of shape (n_samples,)
            Labels of any type.
        sample_weight : array-like of shape (n_samples,), optional
            Factor of C for each sample. Samples of weight 0 or less are ignored, and so are
            classes without any other sample.

        Returns
        -------
        KernelSVC
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are invalid, or fewer than two classes remain.
        OSError
            If the `checkpoint` cannot be read or written.
        ClusterError
            If a Dask cluster does the fit (see `mnist_svm.parallel.workers`), and is lost.

        Warns
        -----
        ConvergenceWarning
            If a pair did not converge; see `kkt_violation_`.
        """
        for _ in self._fit_values(X, y, sample_weight, [self.C]):
            pass
        return self

    def path(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        C: Sequence[float],
        sample_weight: npt.ArrayLike | None = None,
    ) -> list[Self]:
        """Fit for several values of C, each from the solution for the next smaller one.

        Takes little longer than the fit for the largest. `checkpoint` is not used.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        C : sequence of float
            Values of the parameter, in any order.

        Returns
        -------
        list of KernelSVC
            A fitted clone for each value of C, in their order.

        Raises
        ------
        ValueError
            As in `fit`.
        """
        ascending = sorted(set(C))
        svcs = {value: clone(self).set_params(C=value) for value in ascending}
        for svc in svcs.values():
            check_parameters(svc)
        fitted, parameters = clone(self), self.get_params()
        fits = fitted._fit_values(X, y, sample_weight, ascending)  # noqa: SLF001 - a clone
        for svc, _ in zip(svcs.values(), fits, strict=True):
            attributes = {k: value for k, value in vars(fitted).items() if k not in parameters}
            vars(svc).update(attributes)
        return [svcs[value] for value in C]

    def _fit_values(self, X: Any, y: Any, sample_weight: Any, C: Sequence[float]) -> Iterator[None]:
        """Fit for ascending values of C, and yield after each."""
        check_parameters(self)
        self._forget()
        data, labels = self._validate_training_data(X, y)
        if _is_calibrated(self):
            for self.C in C:
                self._fit_with_probabilities(data, labels, sample_weight)
                yield
            return
        # Other types are always classes; the check takes as long as fitting some hundred samples.
        if labels.dtype.kind in "fcO":
            check_classification_targets(labels)
        weights = check_weights(sample_weight, len(labels))
        classes, codes = np.unique(labels, return_inverse=True)
        if self.class_weight == "balanced":
            self.class_weight_ = balanced_weights(codes, weights)
        elif self.class_weight is None:
            self.class_weight_ = np.ones(len(classes))
        else:
            self.class_weight_ = compute_class_weight(self.class_weight, classes=classes, y=labels)
        factors = np.asarray(self.class_weight_[codes], np.float64)
        if weights is not None:
            factors *= weights
        self.classes_, order, starts = sort_by_class(labels, factors > 0)
        boxes = [value * factors for value in C]
        values = self._call_kernel(data, data) if callable(self.kernel) else data
        with log_to(_print) if self.verbose else nullcontext():
            fits = fit_pairs(self, values, order, starts, boxes, weights)
            for box, (kernel, solution) in zip(boxes, fits, strict=True):
                self.gamma_ = kernel.gamma
                self._store(data, solution)
                if solution.n_failed:
                    self._report_no_convergence(solution, data, codes, box)
                yield

    def _forget(self) -> None:
        """Forget what is not part of the attributes of a fit."""
        for name in ("_prepared", "_calibrated", "_training_data"):
            self.__dict__.pop(name, None)

    def _validate_training_data(self, X: Any, y: Any) -> tuple[Any, Array]:
        if callable(self.kernel):
            check_consistent_length(X, y)
            labels = column_or_1d(y, warn=True)
            self.shape_fit_ = X.shape if hasattr(X, "shape") else (len(labels),)
            return X, labels
        if self.kernel == "precomputed" and sparse.issparse(X):
            msg = "Sparse precomputed kernels are not supported; use K.toarray()"
            raise TypeError(msg)
        data, labels = validate_data(self, X, y, dtype="numeric", accept_sparse="csr")
        if self.kernel == "precomputed":
            check_square(data)
        self.shape_fit_ = data.shape
        return data, labels

    def _fit_with_probabilities(self, data: Any, labels: Array, sample_weight: Any) -> Self:
        from mnist_svm.svm.calibration import Calibrated
        from mnist_svm.svm.coupled import CoupledSVC

        parameters = self.get_params()
        svc, values = CoupledSVC(**{**parameters, "probability": False}), data
        if callable(self.kernel):
            values = self._call_kernel(data, data)
            svc.set_params(kernel="precomputed")
            self._training_data = data
        weights = check_weights(sample_weight, len(labels))
        self._calibrated = Calibrated(svc).fit(values, labels, sample_weight=weights)
        for name, value in vars(self._calibrated.estimator_).items():
            if name not in (*parameters, "n_features_in_", "shape_fit_"):
                setattr(self, name, value)
        return self

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Probabilities of the classes, calibrated on held-out samples.

        The highest one is nearly always, but not necessarily, that of the class that `predict`
        gives, which counts votes. `sklearn.svm.SVC` fits a sigmoid to each pair instead.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
            See `mnist_svm.svm.calibration.Calibrated`.

        Raises
        ------
        ValueError
            If ``X`` does not match `fit`.
        NotFittedError
            If `probability` was not True in `fit`.
        """
        check_is_fitted(self)
        if self._calibrated is None:
            msg = "predict_proba is not available when fitted with probability=False"
            raise NotFittedError(msg)
        return np.asarray(self._calibrated.predict_proba(self._validate_for_predict(X)))

    @available_if(_has_probabilities)  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Logarithms of `predict_proba`."""
        return np.asarray(np.log(self.predict_proba(X)))

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predict the label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the dtype of the labels

        Raises
        ------
        ValueError
            If ``X`` does not match `fit`, or `break_ties` is True with "ovo".
        """
        check_is_fitted(self)
        if self.break_ties and self.decision_function_shape == "ovo":
            msg = "break_ties must be False when decision_function_shape is 'ovo'"
            raise ValueError(msg)
        k = len(self.classes_)
        values = self._pair_values(X)
        if k == 2:
            codes = (values[:, 0] >= 0).astype(np.intp)
        elif self.break_ties:
            codes = class_scores(values, k).argmax(axis=1)
        else:
            codes = count_votes(values > 0, k).argmax(axis=1)
        return np.asarray(self.classes_.take(codes))

    def decision_function(self, X: npt.ArrayLike) -> Float64Array:
        """Decision values in units of the margin.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray
            Two classes: of shape (n_samples,), positive for the second class. Otherwise, "ovr":
            (n_samples, k), see `mnist_svm.svm.pairwise.class_scores`; "ovo":
            (n_samples, k (k - 1) / 2), positive for the first class of each pair.

        Raises
        ------
        ValueError
            If ``X`` does not match `fit`.
        """
        check_is_fitted(self)
        values = self._pair_values(X)
        k = len(self.classes_)
        if k == 2:
            return values[:, 0]
        return class_scores(values, k) if self.decision_function_shape == "ovr" else values

    @property
    def coef_(self) -> Float64Array | Any:
        """Weights of the features, of shape (k (k - 1) / 2, n_features): ``linear`` only.

        Read-only, and a CSR matrix if the support vectors are.
        """
        if self.kernel != "linear":
            msg = f"coef_ is only available for the linear kernel, not for {self.kernel!r}"
            raise AttributeError(msg)
        ends = np.cumsum(self.n_support_)
        slices = [slice(end - n, end) for n, end in zip(self.n_support_, ends, strict=True)]
        parts = [self.dual_coef_[:, part] @ self.support_vectors_[part] for part in slices]
        is_sparse = sparse.issparse(self.support_vectors_)
        rows = sparse.vstack(parts, format="csr") if is_sparse else np.concatenate(parts)
        first, second = pair_columns(len(parts))
        coef = rows[first] + rows[second]
        (coef.data if is_sparse else coef).flags.writeable = False
        return coef

    def _store(self, data: Any, solution: Solution) -> None:
        """Set the fitted attributes, in the layout of libsvm."""
        self.support_ = solution.support
        self.n_support_ = solution.n_support
        if callable(self.kernel):
            self._training_data = data
        given = self._takes_kernel_values
        self.support_vectors_ = np.empty((0, 0)) if given else data[self.support_]
        self.dual_coef_ = solution.dual_coef
        if sparse.issparse(self.support_vectors_):
            self.dual_coef_ = type(self.support_vectors_)(solution.dual_coef)
        self.intercept_ = solution.intercept
        self.n_iter_ = solution.n_iter
        self.kkt_violation_ = solution.violation
        self.fit_log_ = [asdict(entry) for entry in solution.log]

    def _report_no_convergence(
        self, solution: Solution, data: Any, codes: Array, box: Float64Array
    ) -> None:
        """Warn, with the violation of the optimality conditions, which libsvm does not tell."""
        n_failed = solution.n_failed
        if np.isnan(solution.violation):
            classes = np.unique(codes[box > 0])
            violations = pair_violations(
                solution, self._pair_values(data), np.searchsorted(classes, codes), box
            )
            self.kkt_violation_ = float(violations.max())
            n_failed = int(np.count_nonzero(violations > self.tol))
        msg = (
            f"{n_failed} of {len(self.n_iter_)} pairs did not converge: the optimality conditions "
            f"are violated by up to {self.kkt_violation_:.2g}, tol={self.tol:g}. "
            "Scale the features, lower C, or raise max_iter."
        )
        report_no_convergence(msg)

    def prepare(self) -> Self:
        """Precompute what all predictions share, and keep it in memory.

        Saves time if a few samples at a time are predicted again and again. It takes the memory
        of the support vectors in float32 or float64, and is not pickled. Do not change fitted
        attributes by hand afterwards; `fit` resets it.

        Returns
        -------
        KernelSVC
            The same estimator.
        """
        check_is_fitted(self)
        self._prepared = self._decision_functions()
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.kernel != "precomputed"
        tags.input_tags.pairwise = self.kernel == "precomputed"
        return tags

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        return {key: state[key] for key in state if key not in ("_prepared", "checkpoint")}

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        # Not in the state: the path may not exist on this computer.
        self.checkpoint = None

    @property
    def _takes_kernel_values(self) -> bool:
        return callable(self.kernel) or self.kernel == "precomputed"

    def _decision_functions(self) -> DecisionFunctions:
        return DecisionFunctions(
            Kernel.of(self, self.gamma_),
            to_dense(self.support_vectors_),
            self.n_support_,
            to_dense(self.dual_coef_),
            self.shape_fit_[0],
        )

    def _validate_for_predict(self, X: Any) -> Any:
        """Samples as an array or a CSR matrix, or kernel values if `_takes_kernel_values`."""
        if callable(self.kernel):
            return self._call_kernel(X, self._training_data)
        return validate_data(self, X, dtype="numeric", accept_sparse="csr", reset=False)

    def _pair_values(self, X: Any) -> Float64Array:
        """Decision values of all pairs, of shape (n_samples, k (k - 1) / 2)."""
        data = self._validate_for_predict(X)
        if self._takes_kernel_values:
            return self._values_from_kernel(data[:, self.support_])
        if not is_dense_enough(self.support_vectors_):
            return self._sparse_pair_values(sparse.csr_matrix(data))
        rows = dense_rows(data)
        with threads(self.n_jobs) as workers:
            values = (self._prepared or self._decision_functions()).values(rows, workers)
        return values + self.intercept_

    def _call_kernel(self, X: Any, others: Any) -> Array:
        """Values of a kernel that is a function, which may be sparse."""
        values = check_array(to_dense(self.kernel(X, others)), input_name="kernel values")
        n, m = (part.shape[0] if sparse.issparse(part) else len(part) for part in (X, others))
        if values.shape != (n, m):
            msg = f"the kernel gave values of shape {values.shape}, expected ({n}, {m})"
            raise ValueError(msg)
        return np.asarray(values)

    def _values_from_kernel(self, values: Array) -> Float64Array:
        dual_coef = to_dense(self.dual_coef_)
        return values_from_kernel(values, self.n_support_, dual_coef) + self.intercept_

    def _sparse_pair_values(self, rows: Any) -> Float64Array:
        kernel = Kernel.of(self, self.gamma_)
        starts = range(0, max(rows.shape[0], 1), SPARSE_ROWS_PER_BLOCK)
        blocks = (rows[start : start + SPARSE_ROWS_PER_BLOCK] for start in starts)
        return np.concatenate(
            [
                self._values_from_kernel(kernel.sparse_values(block, self.support_vectors_))
                for block in blocks
            ]
        )

    def _pair_values_and_novelty(self, X: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
        """`_pair_values`, and the novelty of each sample; see `DecisionFunctions`."""
        rows = dense_rows(self._validate_for_predict(X))
        functions = self._prepared or self._decision_functions()
        with threads(self.n_jobs) as workers:
            values, novelty = functions.values_and_novelty(rows, workers)
        return values + self.intercept_, novelty


def _print(message: str) -> None:
    if sys.stderr is not None:
        # In one piece, because several threads may fit.
        sys.stderr.write(f"{message}\n")
