"""The SVMs inside a fitted model, whatever meta-estimators hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mnist_svm.svm.classifier import KernelSVC


def fitted_svcs(model: Any) -> Iterator[KernelSVC]:
    """Each fitted `KernelSVC` of a model, in order.

    `model` is one, or a Pipeline, a VotingClassifier or a meta-estimator with ``estimator_``, also
    nested. Classifiers of other types have none.
    """
    for _, svc in svcs_with_transformers(model):
        yield svc


def svcs_with_transformers(
    model: Any, transformers: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], KernelSVC]]:
    """Each fitted `KernelSVC` of a model, with the transformers in front of it and of the model."""
    if isinstance(model, KernelSVC):
        yield transformers, model
    elif hasattr(model, "estimator_"):
        yield from svcs_with_transformers(model.estimator_, transformers)
    elif hasattr(model, "estimators_"):
        for estimator in model.estimators_:
            yield from svcs_with_transformers(estimator, transformers)
    elif hasattr(model, "steps"):
        *steps, (_, last) = model.steps
        yield from svcs_with_transformers(last, (*transformers, *(step for _, step in steps)))
