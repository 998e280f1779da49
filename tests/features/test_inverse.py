"""Pictures drawn back from gradient features of real digits."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import GradientFeatures, NormalizeSize, load_model
from mnist_svm.features.inverse import _Problem, reconstruct_images
from mnist_svm.models.locate import SHIPPED


@pytest.fixture(scope="module")
def shipped():
    return load_model(SHIPPED).pipeline


@pytest.mark.parametrize(
    ("directions", "side", "power"), [(8, 32, 0.4), (12, 28, 0.5), (4, 28, 0.7)]
)
def test_the_picture_has_nearly_the_features(test_set, directions, side, power):
    sized = NormalizeSize(side=side).fit_transform(test_set.X[:4])
    gradients = GradientFeatures(directions=directions, grid=6, power=power)
    features = gradients.fit_transform(sized)
    drawn = reconstruct_images(features, gradients).reshape(len(features), -1)
    again = gradients.transform(drawn)
    for wanted, found in zip(features, again, strict=True):
        assert np.corrcoef(wanted, found)[0, 1] > 0.93


def test_the_machine_reads_in_the_picture_what_it_read_in_the_features(shipped, test_set):
    normalize, gradients, machine = (step for _, step in shipped.steps)
    features = gradients.transform(normalize.transform(test_set.X[:8]))
    drawn = reconstruct_images(features, gradients).reshape(len(features), -1)
    np.testing.assert_array_equal(
        machine.predict(gradients.transform(drawn)), machine.predict(features)
    )


def test_the_picture_lies_where_the_digit_was(shipped, test_set):
    normalize, gradients, _ = (step for _, step in shipped.steps)
    sized = normalize.transform(test_set.X[:5])
    drawn = reconstruct_images(gradients.transform(sized), gradients)
    assert drawn.shape == (5, 32, 32)
    for image, picture in zip(sized, drawn, strict=True):
        assert picture.max() == 255
        assert np.corrcoef(picture.ravel(), image)[0, 1] > 0.8


def test_no_features_make_blank_paper(shipped):
    gradients = shipped["gradients"]
    assert not reconstruct_images(
        np.zeros((1, gradients.directions * 36), np.uint8), gradients
    ).any()


def test_the_cost_has_the_slope_that_it_says(shipped, test_set):
    normalize, gradients, _ = (step for _, step in shipped.steps)
    (features,) = gradients.transform(normalize.transform(test_set.X[:1]))
    problem = _Problem(gradients)
    lengths = problem.lengths(features)
    pixels = np.random.RandomState(0).uniform(size=1024)
    _, slope = problem.cost(pixels, lengths)
    for at in range(0, 1024, 97):
        step = np.zeros(1024)
        step[at] = 1e-5
        (above, _), (below, _) = (problem.cost(pixels + of, lengths) for of in (step, -step))
        assert slope[at] == pytest.approx((above - below) / 2e-5, rel=1e-5)
