"""CoupledSVC: the kernel machine whose pairs agree on one confidence a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from mnist_svm.constants import Float64Array
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.pairwise import class_confidences


class CoupledSVC(KernelSVC):
    """`KernelSVC` that answers by coupled confidences in place of votes.

    The pairs of classes are the same, and so are the parameters and what is learned. But votes
    count a duel that was nearly a draw as much as a clear one; the coupled confidences of
    `mnist_svm.svm.pairwise.class_confidences` do not, and make fewer errors on digits. They
    can be averaged over several machines, which votes of one machine cannot.
    """

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The most confident label of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the type of the labels

        Raises
        ------
        ValueError
            If ``X`` is not as in `fit`.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_.take(best))

    def predict_proba(self, X: npt.ArrayLike) -> Float64Array:
        """A confidence in each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray of shape (n_samples, k), 0 to 1, each row adding up to 1
            See `mnist_svm.svm.pairwise.class_confidences`; `mnist_svm.svm.calibration.Calibrated`
            makes probabilities of them.

        Raises
        ------
        ValueError
            If ``X`` is not as in `fit`.
        """
        check_is_fitted(self)
        values = self._pair_values(X)
        # Of two classes, a positive value is for the second.
        k = len(self.classes_)
        return class_confidences(-values if k == 2 else values, k)

    def decision_function(self, X: npt.ArrayLike) -> Float64Array:
        """Decision values of the pairs, or the logarithm of the confidence in each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        float64 ndarray
            For "ovr" and more than two classes, of shape (n_samples, k), the logarithms; else as
            in `KernelSVC.decision_function`.

        Raises
        ------
        ValueError
            If ``X`` is not as in `fit`.
        """
        check_is_fitted(self)
        if self.decision_function_shape == "ovo" or len(self.classes_) == 2:
            return super().decision_function(X)
        confidences = self.predict_proba(X)
        return np.asarray(np.log(np.maximum(confidences, np.finfo(np.float64).tiny)))
