"""KernelSVC: the scikit-learn estimator."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_svm._types import Array, Float64Array
from mnist_svm.parallel.threads import threads
from mnist_svm.parallel.workers import workers_for
from mnist_svm.svm._solver.checkpoint import resume
from mnist_svm.svm._solver.columns import column_statistics
from mnist_svm.svm._solver.samples import Samples, project_samples
from mnist_svm.svm._solver.working_set import WorkingSetSolver
from mnist_svm.svm.convergence import report_no_convergence
from mnist_svm.svm.decisions import DecisionFunctions, sum_pairs
from mnist_svm.svm.kernels import Kernel, kernel_dtype
from mnist_svm.svm.log import log_to, logger
from mnist_svm.svm.pairwise import class_scores, count_votes
from mnist_svm.svm.validation import check_parameters, check_weights, sort_by_class

MIB = 1 << 20


class KernelSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """C-support vector classification with a kernel: exact, and fast on many samples.

    One-vs-one like `sklearn.svm.SVC`, with the same optimum, attributes and predictions, for dense
    data. `mnist_svm.svm._solver.working_set` describes the solver. Kernel values are computed in
    float32, or in float64 for up to 5,000 samples.

    Within ``joblib.parallel_config("dask")``, the workers of a Dask cluster do the fit; see
    `mnist_svm.parallel.workers`.

    Parameters
    ----------
    C : float, default=1.0
        Cost of a margin violation, positive.
    kernel : {"linear", "poly", "rbf"}, default="rbf"
        ``<x, z>``, ``(gamma <x, z> + coef0) ** degree`` or ``exp(-gamma ||x - z||**2)``.
    degree : int, default=3
        Degree of ``poly``, at least 0.
    gamma : {"scale", "auto"} or float, default="scale"
        Coefficient of ``poly`` and ``rbf``, at least 0. "scale" is 1 / (n_features * X.var()),
        with the variance weighted by sample_weight (`sklearn.svm.SVC` ignores the weights here).
        "auto" is 1 / n_features.
    coef0 : float, default=0.0
        Constant of ``poly``. If negative, the kernel may not be positive definite, and the fit is
        slower, because changes of the margins have no bound.
    tol : float, default=1e-3
        Tolerance of the optimality conditions, in units of the margin.
    class_weight : dict, "balanced" or None, default=None
        Factor of C for each class. "balanced" is n_samples / (n_classes * n_samples_of_class).
        As in `sklearn.svm.SVC`, it counts every sample once, whatever its sample_weight; with
        "balanced", unlike without, a weight of 2 is not the same as a repeated sample.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        One score per class, or one value per pair of classes. Two classes always have one value.
    break_ties : bool, default=False
        Whether `predict` breaks ties of votes by the sums of decision values, instead of taking
        the first class. Requires "ovr".
    working_memory : float, default=1024
        MiB that a fit may use in addition to ``X``, the result and a few numbers per sample and
        class; on a cluster, per worker thread as well. Less memory makes it slower, not wrong.
    n_jobs : int or None, default=-1
        Number of threads, as in joblib. It does not affect the result.
    checkpoint : str or None, default=None
        Path of a file to store the state of a fit in after each round. A fit resumes from this
        file if it has the same data and parameters as the fit that wrote it; with an int as
        `random_state`, the result is bit-equal to that of an uninterrupted fit. The file is not
        deleted after the fit, and the path is not pickled.
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
    support_vectors_ : ndarray of shape (n_SV, n_features), of the dtype of ``X``
    n_support_ : int32 ndarray of shape (k,)
        Number of support vectors of each class.
    dual_coef_ : float64 ndarray of shape (k - 1, n_SV)
        Dual coefficients ``alpha_i y_i``: those of a support vector of class c in its pairs with
        class 0, 1, ..., without c. In binary problems y_i is +1 for the second class.
    intercept_ : float64 ndarray of shape (k (k - 1) / 2,)
        Intercepts of the pairs (0, 1), (0, 2), ..., (1, 2), ...
    n_iter_ : int32 ndarray of shape (k (k - 1) / 2,)
        Iterations of libsvm for each pair, over all rounds.
    class_weight_ : float64 ndarray of shape (k,)
    gamma_ : float
        The kernel's coefficient.
    kkt_violation_ : float
        Upper bound of the violation of the optimality conditions, over all samples and pairs.
    fit_log_ : list of dict
        One per round, with the fields of `mnist_svm.svm._solver.working_set.Round`.
    shape_fit_ : (int, int)
        Shape of ``X`` in `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If ``X`` had feature names that are all strings.

    See Also
    --------
    sklearn.svm.SVC : Has more kernels, and accepts sparse data.

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
    support_vectors_: Array
    n_support_: npt.NDArray[np.int32]
    dual_coef_: Float64Array
    intercept_: Float64Array
    n_iter_: npt.NDArray[np.int32]
    class_weight_: Float64Array
    gamma_: float
    kkt_violation_: float
    fit_log_: list[dict[str, Any]]
    shape_fit_: tuple[int, int]
    _prepared: DecisionFunctions | None = None

    def __init__(
        self,
        *,
        C: float = 1.0,
        kernel: str = "rbf",
        degree: int = 3,
        gamma: float | str = "scale",
        coef0: float = 0.0,
        tol: float = 1e-3,
        class_weight: Mapping[Any, float] | str | None = None,
        decision_function_shape: str = "ovr",
        break_ties: bool = False,
        working_memory: float = 1024,
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
        self.tol = tol
        self.class_weight = class_weight
        self.decision_function_shape = decision_function_shape
        self.break_ties = break_ties
        self.working_memory = working_memory
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
        X : array-like of shape (n_samples, n_features), or a memory map
            Any real numbers. Neither copied nor converted as a whole.
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
            If libsvm did not converge for a pair; see `kkt_violation_`.
        """
        check_parameters(self)
        self.__dict__.pop("_prepared", None)
        rows, labels = validate_data(self, X, y, dtype="numeric")
        check_classification_targets(labels)
        weights = check_weights(sample_weight, len(labels))
        classes, codes = np.unique(labels, return_inverse=True)
        self.class_weight_ = compute_class_weight(self.class_weight, classes=classes, y=labels)
        box = self.C * np.asarray(self.class_weight_[codes], np.float64)
        if weights is not None:
            box *= weights
        self.classes_, order, starts = sort_by_class(labels, box > 0)
        memory = int(self.working_memory * MIB)
        random_state = check_random_state(self.random_state)
        printing = log_to(_print) if self.verbose else nullcontext()
        with workers_for(self.n_jobs) as workers, printing:
            columns = column_statistics(rows, weights, workers.local)
            kernel = self._make_kernel(self._compute_gamma(rows.shape[1], columns.variance))
            input_transform = columns.input_transform(kernel, kernel_dtype(len(rows)))
            samples = Samples(rows, order, starts, input_transform, workers.local)
            projected = project_samples(samples, workers.local, random_state, memory // 3)
            solver = WorkingSetSolver(
                samples, box[samples.order], tol=self.tol, workers=workers, memory=memory // 2
            )
            save = resume(self.checkpoint, self.get_params(), solver, random_state)
            solver.solve(random_state, projected, logger.info, save)
        self.gamma_ = kernel.gamma
        self.shape_fit_ = rows.shape
        self._store(rows, solver)
        return self

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
    def coef_(self) -> Float64Array:
        """Weights of the features, of shape (k (k - 1) / 2, n_features): ``linear`` only."""
        if self.kernel != "linear":
            msg = f"coef_ is only available for the linear kernel, not for {self.kernel!r}"
            raise AttributeError(msg)
        ends = np.cumsum(self.n_support_)[:-1]
        vectors = np.split(self.support_vectors_, ends)
        coef = np.split(self.dual_coef_, ends, axis=1)
        parts = [of_class @ points for of_class, points in zip(coef, vectors, strict=True)]
        return sum_pairs([part.T for part in parts]).T

    def _compute_gamma(self, n_features: int, variance: float) -> float:
        if self.gamma == "scale":
            return 1 / (n_features * variance) if variance > 0 else 1.0
        return 1 / n_features if self.gamma == "auto" else float(self.gamma)

    def _make_kernel(self, gamma: float) -> Kernel:
        return Kernel(self.kernel, gamma, int(self.degree), float(self.coef0))

    def _store(self, X: Array, solver: WorkingSetSolver) -> None:
        """Set the fitted attributes from the solution, in the layout of libsvm."""
        k = len(self.classes_)
        order, classes = solver.samples.order, solver.samples.classes
        support = np.unique(np.concatenate([pair.support for pair in solver.pairs]))
        support = support[np.lexsort([order[support], classes[support]])]
        position = np.empty(len(order), np.intp)
        position[support] = np.arange(len(support))
        self.n_support_ = np.bincount(classes[support], minlength=k).astype(np.int32)
        self.support_ = order[support].astype(np.int32)
        self.support_vectors_ = np.asarray(X[self.support_])
        # scikit-learn flips the sign of a single pair: positive is for the second class.
        sign = -1 if k == 2 else 1
        self.dual_coef_ = np.zeros((k - 1, len(support)))
        for pair in solver.pairs:
            is_first = classes[pair.support] == pair.first
            row = np.where(is_first, pair.second - 1, pair.first)
            self.dual_coef_[row, position[pair.support]] = sign * pair.coef[pair.coef != 0]
        self.intercept_ = sign * np.array([pair.bias for pair in solver.pairs])
        self.n_iter_ = np.array([pair.iterations for pair in solver.pairs], np.int32)
        self.kkt_violation_ = solver.violation
        self.fit_log_ = [asdict(entry) for entry in solver.log]
        n_failed = sum(pair.violation > self.tol for pair in solver.pairs)
        if n_failed:
            msg = (
                f"{n_failed} of {len(solver.pairs)} pairs did not converge: the optimality "
                f"conditions are violated by up to {solver.violation:.2g}, tol={self.tol:g}. "
                "Scale the features, or lower C."
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

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        return {key: state[key] for key in state if key not in ("_prepared", "checkpoint")}

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        # Not in the state: the path may not exist on this computer.
        self.checkpoint = None

    def _decision_functions(self) -> DecisionFunctions:
        return DecisionFunctions(
            self._make_kernel(self.gamma_),
            self.support_vectors_,
            self.n_support_,
            self.dual_coef_,
            self.shape_fit_[0],
        )

    def _pair_values(self, X: npt.ArrayLike) -> Float64Array:
        """Decision values of all pairs, of shape (n_samples, k (k - 1) / 2)."""
        rows: Array = validate_data(self, X, dtype="numeric", reset=False)
        with threads(self.n_jobs) as workers:
            values = (self._prepared or self._decision_functions()).values(rows, workers)
        return values + self.intercept_

    def _pair_values_and_novelty(self, X: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
        """`_pair_values`, and the novelty of each sample; see `DecisionFunctions`."""
        rows: Array = validate_data(self, X, dtype="numeric", reset=False)
        functions = self._prepared or self._decision_functions()
        with threads(self.n_jobs) as workers:
            values, novelty = functions.values_and_novelty(rows, workers)
        return values + self.intercept_, novelty


def _print(message: str) -> None:
    if sys.stderr is not None:
        # In one piece, because several threads may fit.
        sys.stderr.write(f"{message}\n")
