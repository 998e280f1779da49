"""Leave-one-out predictions, compared with fits to all other samples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.training.leave_one_out import FittedSamples, predict_left_out


@pytest.mark.parametrize("n_classes", [2, 5])
def test_the_prediction_is_that_of_a_fit_to_all_other_groups(n_classes):
    X, y = load_digits(n_class=n_classes, return_X_y=True)
    X, y = X[:150] + np.random.default_rng(0).normal(0, 5, X[:150].shape), y[:150]
    # Of each of the first samples, the group has two more: one copy, one of another place.
    groups = np.full(150, -1)
    groups[:30] = np.tile(np.arange(10), 3)
    y[:30] = np.tile(y[:10], 3)
    samples = FittedSamples.of(X, y, np.linspace(0.5, 2, 150), groups)
    svc = CoupledSVC(C=30, gamma=5e-3).fit(X, y, samples.weights)
    expected = []
    for group in range(10):
        rest = samples.rows(groups != group)
        refitted = CoupledSVC(C=30, gamma=5e-3).fit(rest.X, rest.y, rest.weights)
        expected.append(refitted.predict(X[[group]])[0])
    support = samples.rows(svc.support_)
    predicted = predict_left_out([(svc, support, X[:10])], np.arange(10), y[:10])
    assert (np.array(expected) != svc.predict(X[:10])).any()
    assert predicted.tolist() == expected
