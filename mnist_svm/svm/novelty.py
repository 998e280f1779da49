"""Confidences of any classifier, and of ours the novelty of each sample, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from mnist_svm._types import Array, Float64Array
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors


def predict_with_novelty(fitted: Any, X: Array) -> tuple[Float64Array, Float64Array | None]:
    """Predict confidences, as ``fitted.predict_proba``, and the novelty of each sample.

    The novelty, float64 of shape (n,), is that of `CoupledSVC.predict_with_novelty`, at the end of
    pipelines and within `VirtualSupportVectors`; averaged classifiers average it. It is None if it
    depends on any other classifier, or not `CoupledSVC.has_novelty`.
    """
    kind = type(fitted)
    if kind is CoupledSVC and fitted.has_novelty:
        confidences, novelty = fitted.predict_with_novelty(X)
        return confidences, novelty
    if kind is VirtualSupportVectors:
        return predict_with_novelty(fitted.estimator_, X)
    if kind is Pipeline:
        for _, transformer in fitted.steps[:-1]:
            X = transformer.transform(X)
        return predict_with_novelty(fitted[-1], X)
    if kind is VotingClassifier and fitted.voting == "soft" and fitted.weights is None:
        parts = [predict_with_novelty(part, X) for part in fitted.estimators_]
        novelties = [novelty for _, novelty in parts if novelty is not None]
        mean = np.mean(novelties, axis=0) if len(novelties) == len(parts) else None
        return np.mean([confidences for confidences, _ in parts], axis=0), mean
    return np.asarray(fitted.predict_proba(X)), None
