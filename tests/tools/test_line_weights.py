"""The fit of the weights of scores: features of paths, and the gradient of the loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from mnist_svm.recognition.lattice import Edge, Lattice, best_paths
from tools.line_weights import loss, score


def test_the_score_of_a_path_is_that_with_which_it_was_found():
    rng = np.random.default_rng(0)
    spans = [(0, 1), (0, 2), (1, 2), (2, 4), (3, 5), (4, 5)]
    edges = [Edge(*span, rng.normal(0, 2, 3)) for span in spans]
    beside = [0.0, *rng.normal(0, 1, 4).tolist()]
    lattice = Lattice(edges, rng.normal(0, 1, 5).tolist(), beside)
    paths = best_paths(lattice)
    assert len(paths) > 3
    for path in paths:
        assert score(lattice, path) == pytest.approx(path.score)


def test_the_loss_decreases_along_its_gradient():
    rng = np.random.default_rng(1)
    features, is_right = (
        rng.normal(0, 1, (6, 4)),
        np.array([True, False, False, True, False, False]),
    )
    weights = rng.normal(0, 1, 4)
    value, gradient = loss(weights, features, is_right)
    numeric = approx_fprime(weights, lambda w: loss(w, features, is_right)[0], 1e-6)
    np.testing.assert_allclose(gradient, numeric, atol=1e-4)
    assert loss(weights - 0.01 * gradient, features, is_right)[0] < value


def test_a_number_that_is_not_found_has_a_bounded_loss():
    features = np.ones((2, 3))
    value, gradient = loss(np.zeros(3), features, np.zeros(2, dtype=bool))
    assert value < 4
    np.testing.assert_array_equal(gradient, 0)
