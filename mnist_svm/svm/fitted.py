"""The kernel machines inside a fitted model, however it is put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mnist_svm.svm.classifier import KernelSVC


def fitted_svcs(fitted: Any) -> Iterator[KernelSVC]:
    """Each fitted `KernelSVC` of a model, in order.

    Parameters
    ----------
    fitted : KernelSVC, sklearn Pipeline, VotingClassifier, or what holds one as ``estimator_``
        Pipelines end with one of these, the others hold them.

    Yields
    ------
    KernelSVC
    """
    for _, machine in svcs_with_transformers(fitted):
        yield machine


def svcs_with_transformers(
    fitted: Any, steps: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], KernelSVC]]:
    """Each fitted `KernelSVC` of a model, and what its samples go through before.

    Parameters
    ----------
    fitted : see `fitted_svcs`
    steps : tuple of transformers
        What samples have gone through before they come to ``fitted``.

    Yields
    ------
    (tuple of transformers, KernelSVC)
    """
    if isinstance(fitted, KernelSVC):
        yield steps, fitted
    elif hasattr(fitted, "estimator_"):
        yield from svcs_with_transformers(fitted.estimator_, steps)
    elif hasattr(fitted, "estimators_"):
        for machine in fitted.estimators_:
            yield from svcs_with_transformers(machine, steps)
    else:
        *before, (_, last) = fitted.steps
        yield from svcs_with_transformers(last, (*steps, *(step for _, step in before)))
