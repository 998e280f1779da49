"""Images reconstructed from gradient features of real digits."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import RECIPES, GradientFeatures, NormalizeSize
from mnist_svm.features.inverse import _Objective, reconstruct_images


@pytest.fixture(scope="module")
def fitted(train_set):
    pipeline = RECIPES["gradient"].pipeline(calibrate=False)
    return pipeline.fit(train_set.X[:2000], train_set.labels[:2000])


@pytest.fixture(scope="module")
def strokes(fitted):
    """Size normalisation and gradients."""
    return [step for _, step in fitted["features"]["strokes"].steps]


@pytest.mark.parametrize(
    ("directions", "side", "power"), [(8, 32, 0.4), (12, 28, 0.5), (4, 28, 0.7)]
)
def test_the_reconstruction_has_nearly_the_same_features(test_set, directions, side, power):
    sized = NormalizeSize(side=side).fit_transform(test_set.X[:4])
    gradients = GradientFeatures(directions=directions, grid=6, power=power)
    features = gradients.fit_transform(sized)
    reconstructed = reconstruct_images(features, gradients).reshape(len(features), -1)
    again = gradients.transform(reconstructed)
    for expected, actual in zip(features, again, strict=True):
        assert np.corrcoef(expected, actual)[0, 1] > 0.93


def test_the_svm_predicts_the_same_for_the_reconstruction(fitted, strokes, test_set):
    _, gradients = strokes
    features = fitted["features"].transform(test_set.X[:8])
    shape = features[:, -2:]
    reconstructed = reconstruct_images(features[:, :-2], gradients).reshape(len(features), -1)
    again = np.concatenate([gradients.transform(reconstructed), shape], axis=1)
    np.testing.assert_array_equal(fitted["svm"].predict(again), fitted["svm"].predict(features))


def test_the_reconstruction_is_aligned_with_the_digit(strokes, test_set):
    normalize, gradients = strokes
    sized = normalize.transform(test_set.X[:5])
    reconstructed = reconstruct_images(gradients.transform(sized), gradients)
    assert reconstructed.shape == (5, 32, 32)
    for image, reconstruction in zip(sized, reconstructed, strict=True):
        assert reconstruction.max() == 255
        assert np.corrcoef(reconstruction.ravel(), image)[0, 1] > 0.8


def test_zero_features_make_a_blank_image(strokes):
    _, gradients = strokes
    assert not reconstruct_images(
        np.zeros((1, gradients.directions * 36), np.uint8), gradients
    ).any()


def test_the_gradient_of_the_cost_equals_finite_differences(strokes, test_set):
    normalize, gradients = strokes
    (features,) = gradients.transform(normalize.transform(test_set.X[:1]))
    objective = _Objective(gradients)
    lengths = objective.lengths(features)
    pixels = np.random.RandomState(0).uniform(size=1024)
    _, gradient = objective.cost(pixels, lengths)
    for index in range(0, 1024, 97):
        step = np.zeros(1024)
        step[index] = 1e-5
        (above, _), (below, _) = (
            objective.cost(pixels + change, lengths) for change in (step, -step)
        )
        assert gradient[index] == pytest.approx((above - below) / 2e-5, rel=1e-5)
