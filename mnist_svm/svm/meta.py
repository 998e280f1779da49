"""What the meta-estimators share: metadata for the estimator, and predictions by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.metadata_routing import (
    MetadataRequest,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted, has_fit_parameter, validate_data

from mnist_svm._types import Array, IntArray


class MetaClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Base class of classifiers that fit clones of `estimator`, and predict by `estimator_`."""

    estimator: Any
    estimator_: Any
    classes_: Array
    n_features_in_: int

    def predict(self, X: npt.ArrayLike) -> Array:
        """Predict the label of each sample, by `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the dtype of the labels
        """
        return np.asarray(self._delegate("predict", X))

    def get_metadata_routing(self) -> Any:
        """Return scikit-learn's description of the metadata that `fit` takes and passes on."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        # Of the estimator's own requests, that of `score` for weights would have to be set.
        own = MetadataRequest(owner=self)
        own.fit = super().get_metadata_routing().fit
        router = MetadataRouter(owner=self).add_self_request(own)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def _delegate(self, method: str, X: npt.ArrayLike) -> Any:
        check_is_fitted(self)
        return getattr(self.estimator_, method)(
            validate_data(self, X, accept_sparse="csr", reset=False)
        )

    def _route(self, fit_params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of `fit` that `estimator` gets, or raise ValueError.

        Without metadata routing, it gets those that its `fit` has by name.
        """
        given = {name: value for name, value in fit_params.items() if value is not None}
        if get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, "fit", **given).estimator.fit)
        for name in given:
            if not isinstance(self.estimator, MetaClassifier) and not has_fit_parameter(
                self.estimator, name
            ):
                msg = (
                    f"{name}: {type(self.estimator).__name__}.fit has no such parameter; to pass "
                    "it on to a step, set_config(enable_metadata_routing=True) and request it there"
                )
                raise ValueError(msg)
        return given


def select_rows(fit_params: Mapping[str, Any], index: IntArray, n: int) -> dict[str, Any]:
    """Select rows of those parameters of `fit` that have a value for each of n samples."""
    return {
        name: np.asarray(value)[index] if np.ndim(value) and len(value) == n else value
        for name, value in fit_params.items()
    }
