"""The networks inside a fitted model, whatever meta-estimators hold them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mnist_svm.networks.conv_net import ConvNet


def fitted_networks(model: Any) -> Iterator[ConvNet]:
    """Each fitted `ConvNet` of a model, in order: of pipelines, and of meta-estimators."""
    if isinstance(model, ConvNet):
        yield model
    elif hasattr(model, "estimator_"):
        yield from fitted_networks(model.estimator_)
    elif hasattr(model, "estimators_"):
        for estimator in model.estimators_:
            yield from fitted_networks(estimator)
    elif hasattr(model, "steps"):
        for _, step in model.steps:
            yield from fitted_networks(step)
