"""Fit a pipeline to images of one or several data sets, with their weights."""

from __future__ import annotations

from typing import Any

from sklearn import config_context
from sklearn.pipeline import Pipeline

from mnist_svm._types import IntArray
from mnist_svm.datasets.types import Dataset
from mnist_svm.networks.conv_net import ConvNet
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.ensembles import LogarithmicPool

# Index of the images to train on: an array, or a slice that copies nothing.
Rows = IntArray | slice


def fit_pipeline(pipeline: Pipeline, dataset: Dataset, rows: Rows) -> Pipeline:
    """Fit the pipeline of a recipe, in place, to some images of a data set.

    Weights reach every SVM, as factors of C, and every network, as factors of the loss, through
    whatever steps and meta-estimators hold them.
    `Calibrated` learns which data set each image is from, so that it holds out a part of each.
    Without weights and with one data set, this is ``pipeline.fit(X, y)``. Raises ValueError if a
    parameter is invalid.
    """
    metadata: dict[str, Any] = {}
    if dataset.weights is not None:
        metadata["sample_weight"] = dataset.weights[rows]
    if len(dataset.parts) > 1 and isinstance(pipeline[-1], Calibrated):
        metadata["sources"] = dataset.part_indices[rows]
    X, y = dataset.X[rows], dataset.labels[rows]
    if not metadata:
        return pipeline.fit(X, y)
    # Without routing, neither an ensemble nor a Pipeline inside another estimator has a way
    # to pass weights on.
    with config_context(enable_metadata_routing=True):
        for step in pipeline.get_params().values():
            if isinstance(step, KernelSVC | ConvNet | LogarithmicPool):
                step.set_fit_request(sample_weight=True)
            elif isinstance(step, Calibrated):
                step.set_fit_request(sources=True)
        return pipeline.fit(X, y, **metadata)
