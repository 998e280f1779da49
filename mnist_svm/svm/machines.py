"""The kernel machines inside a fitted model, however it is put together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.confidence import Calibrated
from mnist_svm.svm.virtual import VirtualSupportVectors


def machines(fitted: Any) -> Iterator[KernelSVC]:
    """Each fitted `KernelSVC` of a model, in order.

    Parameters
    ----------
    fitted : KernelSVC, VirtualSupportVectors, Calibrated, sklearn Pipeline or VotingClassifier
        Pipelines end with one of these, the others hold them.

    Yields
    ------
    KernelSVC
    """
    if isinstance(fitted, KernelSVC):
        yield fitted
    elif isinstance(fitted, VirtualSupportVectors | Calibrated):
        yield from machines(fitted.estimator_)
    elif hasattr(fitted, "estimators_"):
        for machine in fitted.estimators_:
            yield from machines(machine)
    else:
        yield from machines(fitted.steps[-1][1])
