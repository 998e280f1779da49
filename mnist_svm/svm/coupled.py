"""CoupledSVC: KernelSVC with coupled pairwise confidences."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from mnist_svm._types import Array, Float64Array
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.data import MAX_DENSE_COLUMNS, is_dense_enough
from mnist_svm.svm.pairwise import class_confidences


class CoupledSVC(KernelSVC):
    """`KernelSVC` that predicts by coupled confidences instead of votes.

    Parameters and fitted attributes are the same. A vote ignores how close the decision of a pair
    was; the confidences of `mnist_svm.svm.pairwise.class_confidences` use it, and make fewer errors
    on digits. They can also be averaged over several SVMs, as by
    ``VotingClassifier(voting="soft")``.
    """

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predict the label with the highest confidence for each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the dtype of the labels

        Raises
        ------
        ValueError
            If ``X`` does not match `fit`.
        """
        codes = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_.take(codes))

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """Confidences in the classes, uncalibrated.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
            See `mnist_svm.svm.pairwise.class_confidences`;
            `mnist_svm.svm.calibration.Calibrated` turns them into probabilities.

        Raises
        ------
        ValueError
            If ``X`` does not match `fit`.
        """
        check_is_fitted(self)
        return self._couple(self._pair_values(X))

    def predict_with_novelty(self, X: npt.ArrayLike) -> tuple[Float64Array, Float64Array]:
        """Confidences in the classes, and how unlike all support vectors each sample is.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        confidences : float64 ndarray of shape (n_samples, k)
            As from `predict_proba`.
        novelty : float64 ndarray of shape (n_samples,), 0 to 2
            1 minus the cosine, in the kernel's feature space, between the sample and the nearest
            support vector: for ``rbf``, 1 minus the largest kernel value.

        Raises
        ------
        ValueError
            If ``X`` does not match `fit`, or not `has_novelty`.
        """
        check_is_fitted(self)
        if not self.has_novelty:
            msg = (
                "the novelty needs a kernel that is neither precomputed nor a function, and dense "
                f"data, or sparse data of at most {MAX_DENSE_COLUMNS:,} columns"
            )
            raise ValueError(msg)
        values, novelty = self._pair_values_and_novelty(X)
        return self._couple(values), novelty

    @property
    def has_novelty(self) -> bool:
        """Whether there is a novelty: not for given kernel values, nor for wide sparse data."""
        return not self._takes_kernel_values and is_dense_enough(self.support_vectors_)

    def _couple(self, values: Float64Array) -> Float64Array:
        # With two classes, positive values are for the second.
        k = len(self.classes_)
        return class_confidences(-values if k == 2 else values, k)

    def decision_function(self, X: npt.ArrayLike) -> Float64Array:
        """Logarithms of the confidences, or decision values of the pairs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray
            For "ovr" and more than two classes, the logarithms, of shape (n_samples, k). Otherwise
            as in `KernelSVC.decision_function`.

        Raises
        ------
        ValueError
            If ``X`` does not match `fit`.
        """
        check_is_fitted(self)
        if self.decision_function_shape == "ovo" or len(self.classes_) == 2:
            return super().decision_function(X)
        confidences = self.predict_proba(X)
        return np.asarray(np.log(np.maximum(confidences, np.finfo(np.float64).tiny)))
