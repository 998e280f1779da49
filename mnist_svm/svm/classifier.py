"""KernelSVC: the scikit-learn estimator."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_svm.constants import Float64Array, IntArray
from mnist_svm.parallel.threads import threads
from mnist_svm.parallel.workers import workers_for
from mnist_svm.svm._solver.checkpoint import Checkpoint, fingerprint
from mnist_svm.svm._solver.frame import survey
from mnist_svm.svm._solver.samples import Samples, project
from mnist_svm.svm._solver.working_set import WorkingSetSolver
from mnist_svm.svm.decisions import Expansion, coupled
from mnist_svm.svm.kernels import Kernel, kernel_dtype
from mnist_svm.svm.log import log_to, logger
from mnist_svm.svm.pairwise import class_scores, votes
from mnist_svm.svm.parameters import check_parameters, checked_weights

MIB = 1 << 20


class KernelSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """C-support vector classification with a kernel: exact, and fast on many samples.

    One-vs-one, as `sklearn.svm.SVC`, with the same optimum, attributes and answers, for dense
    data. `mnist_svm.svm._solver.working_set` tells how it is found. Kernel values are computed in
    float32, and in float64 where a machine is fitted to 5,000 samples or fewer.

    Within ``joblib.parallel_config("dask")``, a fit is done by the workers of a Dask cluster; see
    `mnist_svm.parallel.workers`.

    Parameters
    ----------
    C : float, default=1.0
        Price of a margin violation, positive.
    kernel : {"linear", "poly", "rbf"}, default="rbf"
        ``<x, z>``, ``(gamma <x, z> + coef0) ** degree`` or ``exp(-gamma ||x - z||**2)``.
    degree : int, default=3
        Of the polynomial, at least 0.
    gamma : {"scale", "auto"} or float, default="scale"
        Coefficient of ``poly`` and ``rbf``, at least 0. "scale" is 1 / (n_features * X.var()),
        where a sample counts as often as its sample_weight says, so that a weight of 2 is as good
        as a repeated sample (`sklearn.svm.SVC` counts each once). "auto" is 1 / n_features.
    coef0 : float, default=0.0
        Constant of ``poly``. Where it is negative, the kernel may have no feature space, and
        the fit is slower, because nothing bounds how a margin moves.
    tol : float, default=1e-3
        Tolerance of the optimality conditions, in units of the margin.
    class_weight : dict, "balanced" or None, default=None
        Factor of C for each class, as in scikit-learn.
    decision_function_shape : {"ovr", "ovo"}, default="ovr"
        A score a class, or a value a pair of classes. Two classes always have one value.
    break_ties : bool, default=False
        Whether `predict` settles equal numbers of votes by the sums of decision values, rather
        than for the first class. Needs "ovr".
    working_memory : float, default=1024
        MiB that a fit may take beyond ``X``, its result and a few numbers for each sample and
        class; on a cluster, each thread of a worker as well. Too little makes it slower, not
        wrong.
    n_jobs : int or None, default=-1
        Threads, as in joblib; BLAS has one in each of them. The result does not depend on it.
    checkpoint : str or None, default=None
        Path of a file that keeps the state of a fit after each round. If it is there, and was
        made by a fit to the same data with the same parameters, the fit goes on from it; with an
        int as `random_state`, the result is that of a fit without a break, to the bit. The file
        is left to whoever gave the path; it is not pickled with the machine.
    random_state : int, RandomState instance or None, default=None
        Draws the first working sets, and who joins them after a guess. Two fits with the same
        seed are equal to the bit, others to the tolerance.
    verbose : bool or int, default=False
        Whether to tell of each round on stderr. The logger ``mnist_svm.svm`` is always told.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels, ascending.
    support_ : int32 ndarray of shape (n_SV,)
        Rows of the support vectors in ``X``, class by class.
    support_vectors_ : ndarray of shape (n_SV, n_features), of the type of ``X``
    n_support_ : int32 ndarray of shape (k,)
        Support vectors of each class.
    dual_coef_ : float64 ndarray of shape (k - 1, n_SV)
        Dual coefficients ``alpha_i y_i``: those of a support vector of class c in the pairs with
        class 0, 1, ..., without c. In binary problems y_i is +1 for the second class.
    intercept_ : float64 ndarray of shape (k (k - 1) / 2,)
        Constants of the decision functions of the pairs (0, 1), (0, 2), ..., (1, 2), ...
    n_iter_ : int32 ndarray of shape (k (k - 1) / 2,)
        Iterations of libsvm in all rounds, for each pair.
    class_weight_ : float64 ndarray of shape (k,)
    gamma_ : float
        The kernel's coefficient.
    kkt_violation_ : float
        No margin of any sample in any pair violates the optimality conditions by more.
    fit_log_ : list of dict
        What happened in each round; see `mnist_svm.svm._solver.working_set.Round`.
    shape_fit_ : (int, int)
        Shape of ``X`` in `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If ``X`` had names of type str.

    See Also
    --------
    sklearn.svm.SVC : Has more kernels, and takes sparse data.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from mnist_svm import KernelSVC
    >>> X, y = load_digits(return_X_y=True)
    >>> machine = KernelSVC(kernel="poly", degree=4, coef0=1.0).fit(X[:1500], y[:1500])
    >>> round(machine.score(X[1500:], y[1500:]), 3)
    0.943
    """

    classes_: npt.NDArray[Any]
    support_: npt.NDArray[np.int32]
    support_vectors_: npt.NDArray[Any]
    n_support_: npt.NDArray[np.int32]
    dual_coef_: Float64Array
    intercept_: Float64Array
    n_iter_: npt.NDArray[np.int32]
    class_weight_: Float64Array
    gamma_: float
    kkt_violation_: float
    fit_log_: list[dict[str, Any]]
    shape_fit_: tuple[int, int]
    _kept: Expansion | None = None

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
            Factor of C for each sample. One of zero or less leaves a sample out, and if it
            leaves out all of a class, the class as well.

        Returns
        -------
        KernelSVC
            Itself.

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or fewer than two classes remain.
        OSError
            If the `checkpoint` cannot be read or written.
        ClusterError
            If the work is done by a Dask cluster (see `mnist_svm.parallel.workers`), and that is lost.

        Warns
        -----
        ConvergenceWarning
            If libsvm gave up on a pair. `kkt_violation_` says how far the optimum is.
        """
        check_parameters(self)
        self.__dict__.pop("_kept", None)
        checked: tuple[npt.NDArray[Any], npt.NDArray[Any]]
        checked = validate_data(self, X, y, dtype="numeric")
        rows, labels = checked
        check_classification_targets(labels)
        counts = checked_weights(sample_weight, len(labels))
        caps = self.C * self._class_factors(labels)
        if counts is not None:
            caps *= counts
        weighted, starts = self._by_class(labels, caps > 0)
        memory = int(self.working_memory * MIB)
        random_state = check_random_state(self.random_state)
        told = log_to(logging.StreamHandler()) if self.verbose else nullcontext()
        with workers_for(self.n_jobs) as workers, told:
            columns = survey(rows, counts, workers.local)
            kernel = self._kernel_of(self._gamma(rows.shape[1], columns.variance))
            frame = columns.frame(kernel, kernel_dtype(len(rows)))
            samples = Samples(rows, weighted, starts, frame, workers.local)
            projected = project(samples, workers.local, random_state, memory // 3)
            solver = WorkingSetSolver(
                samples, caps[samples.order], tol=self.tol, workers=workers, memory=memory // 2
            )
            keep = self._kept_in_file(solver, random_state)
            with warnings.catch_warnings():
                # libsvm's, of single pairs in single rounds.
                warnings.simplefilter("ignore", ConvergenceWarning)
                solver.solve(random_state, projected, logger.info, keep)
        self.gamma_ = kernel.gamma
        self.shape_fit_ = rows.shape
        self._take(rows, solver)
        return self

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the type of the labels

        Raises
        ------
        ValueError
            If ``X`` is not as in `fit`, or `break_ties` does not fit the decision function.
        """
        check_is_fitted(self)
        if self.break_ties and self.decision_function_shape == "ovo":
            msg = "break_ties must be False when decision_function_shape is 'ovo'"
            raise ValueError(msg)
        k = len(self.classes_)
        values = self._pair_values(X)
        if k == 2:
            answer = (values[:, 0] >= 0).astype(np.intp)
        elif self.break_ties:
            answer = class_scores(values, k).argmax(axis=1)
        else:
            answer = votes(values > 0, k).argmax(axis=1)
        return np.asarray(self.classes_.take(answer))

    def decision_function(self, X: npt.ArrayLike) -> Float64Array:
        """Decision values: positive for the first class of a pair, or the second of two.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray
            Of shape (n_samples,) for two classes; else (n_samples, k), see
            `mnist_svm.svm.pairwise.class_scores`, or (n_samples, k (k - 1) / 2) for "ovo", in
            units of the margin.

        Raises
        ------
        ValueError
            If ``X`` is not as in `fit`.
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
            msg = "coef_ is there for the linear kernel only"
            raise AttributeError(msg)
        parts = [
            self.dual_coef_[:, mine] @ self.support_vectors_[mine] for mine in self._class_slices()
        ]
        return coupled([part.T for part in parts]).T

    def _kept_in_file(
        self, solver: WorkingSetSolver, random_state: np.random.RandomState
    ) -> Callable[[], None]:
        """Take up an interrupted fit, and give what keeps its rounds."""
        if self.checkpoint is None:
            return lambda: None
        indifferent = {"n_jobs", "verbose", "checkpoint"}
        parameters = {
            name: value for name, value in self.get_params().items() if name not in indifferent
        }
        samples = solver.samples
        arrays = samples.order, samples.classes, samples.norms, solver.caps
        file = Checkpoint(self.checkpoint, fingerprint(parameters, arrays))
        if file.restore(solver, random_state):
            logger.info("going on after round %s", len(solver.log))
        return lambda: file.save(solver, random_state)

    def _class_factors(self, y: npt.NDArray[Any]) -> Float64Array:
        """The factor of C of each sample's class."""
        classes, codes = np.unique(y, return_inverse=True)
        self.class_weight_ = compute_class_weight(self.class_weight, classes=classes, y=y)
        return np.asarray(self.class_weight_[codes], np.float64)

    def _by_class(
        self, y: npt.NDArray[Any], positive: npt.NDArray[np.bool_]
    ) -> tuple[IntArray, IntArray]:
        """Rows of positive weight in the order of their classes, and where each class starts."""
        used = np.flatnonzero(positive)
        if not len(used):
            msg = "Invalid input: all samples have zero or negative weights"
            raise ValueError(msg)
        self.classes_, codes = np.unique(y[used], return_inverse=True)
        if len(self.classes_) < 2:
            msg = (
                "The number of classes has to be greater than one; got 1 class among the "
                f"samples of positive weight: {self.classes_[0]!r}"
            )
            raise ValueError(msg)
        order = used[np.argsort(codes, kind="stable")]
        starts = np.concatenate([[0], np.cumsum(np.bincount(codes))])
        return order, starts

    def _gamma(self, n_features: int, variance: float) -> float:
        if self.gamma == "scale":
            return 1 / (n_features * variance) if variance > 0 else 1.0
        return 1 / n_features if self.gamma == "auto" else float(self.gamma)

    def _kernel_of(self, gamma: float) -> Kernel:
        return Kernel(self.kernel, gamma, int(self.degree), float(self.coef0))

    def _take(self, X: npt.NDArray[Any], solver: WorkingSetSolver) -> None:
        """Keep the solution in the shape of libsvm's."""
        k = len(self.classes_)
        order, classes = solver.samples.order, solver.samples.classes
        support = np.unique(np.concatenate([pair.support for pair in solver.pairs]))
        # As they follow each other in X, class by class.
        support = support[np.lexsort([order[support], classes[support]])]
        place = np.empty(len(order), np.intp)
        place[support] = np.arange(len(support))
        self.n_support_ = np.bincount(classes[support], minlength=k).astype(np.int32)
        self.support_ = order[support].astype(np.int32)
        self.support_vectors_ = np.asarray(X[self.support_])
        # scikit-learn turns the sign of a single pair: positive is for the second class.
        sign = -1 if k == 2 else 1
        self.dual_coef_ = np.zeros((k - 1, len(support)))
        for pair in solver.pairs:
            of_first = classes[pair.support] == pair.first
            row = np.where(of_first, pair.second - 1, pair.first)
            self.dual_coef_[row, place[pair.support]] = sign * pair.coef[pair.coef != 0]
        self.intercept_ = sign * np.array([pair.bias for pair in solver.pairs])
        self.n_iter_ = np.array([pair.iterations for pair in solver.pairs], np.int32)
        self.kkt_violation_ = solver.violation
        self.fit_log_ = [asdict(entry) for entry in solver.log]
        gave_up = sum(pair.violation > self.tol for pair in solver.pairs)
        if gave_up:
            msg = (
                f"{gave_up} of {len(solver.pairs)} pairs did not converge: the optimality "
                f"conditions are violated by up to {solver.violation:.2g}, tol={self.tol:g}. "
                "Scale the features, or lower C."
            )
            warnings.warn(msg, ConvergenceWarning, stacklevel=3)

    def _class_slices(self) -> list[slice]:
        """Where the support vectors of each class are."""
        ends = np.cumsum(self.n_support_)
        return [slice(end - n, end) for n, end in zip(self.n_support_, ends, strict=True)]

    def prepare(self) -> Self:
        """Compute now, and keep, what every prediction begins with.

        Worth it where a few samples at a time are predicted again and again. It takes the memory
        of the support vectors in float32 or float64, and is not saved with the machine. What is
        learned must not be changed by hand afterwards; `fit` forgets it.

        Returns
        -------
        KernelSVC
            Itself.
        """
        check_is_fitted(self)
        self._kept = self._expansion()
        return self

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_kept", "checkpoint")}

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        # A path of the machine that it was fitted on, or not known yet to the version that was.
        self.checkpoint = None

    def _expansion(self) -> Expansion:
        return Expansion(
            self._kernel_of(self.gamma_),
            [self.support_vectors_[mine] for mine in self._class_slices()],
            [self.dual_coef_[:, mine] for mine in self._class_slices()],
            kernel_dtype(self.shape_fit_[0]),
        )

    def _pair_values(self, X: npt.ArrayLike) -> Float64Array:
        """Decision values of all pairs."""
        rows: npt.NDArray[Any] = validate_data(self, X, dtype="numeric", reset=False)
        with threads(self.n_jobs) as workers:
            values = (self._kept or self._expansion()).values(rows, workers)
        return values + self.intercept_
