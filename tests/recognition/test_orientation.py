"""Images that lie otherwise than MNIST's are found out by a model that reads them."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import FormatError, Recognizer
from mnist_svm.datasets.orientation import DESCRIPTIONS, ORIENTATIONS, UPRIGHT, turn_upright
from mnist_svm.recognition.orientation import (
    MIN_GAIN,
    SAMPLE_SIZE,
    find_orientation,
)

LAID = {
    "upright": lambda image: image,
    "transposed": np.transpose,
    "mirrored": np.fliplr,
    "flipped": np.flipud,
    "upside-down": lambda image: np.rot90(image, 2),
    "turned-left": np.rot90,
    "turned-right": lambda image: np.rot90(image, -1),
    "anti-transposed": lambda image: np.rot90(image, 2).T,
}


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer.load()


def lay(images, orientation):
    return np.stack([LAID[orientation](image) for image in images])


def test_every_orientation_is_there_and_described():
    assert set(LAID) == set(ORIENTATIONS) == set(DESCRIPTIONS)


@pytest.mark.parametrize("name", LAID)
def test_images_are_turned_upright_again(test_set, name):
    laid = lay(test_set.images[:20], name)
    np.testing.assert_array_equal(turn_upright(laid, name), test_set.images[:20])


@pytest.mark.parametrize("name", LAID)
def test_the_orientation_of_digits_is_found(recognizer, test_set, name):
    found = find_orientation(recognizer, lay(test_set.images[:2000], name), test_set.labels[:2000])
    assert found.name == name
    assert found.n == SAMPLE_SIZE
    assert found.accuracy > 0.95
    assert (found.as_stored == found.accuracy) == (name == UPRIGHT)
    assert found.as_stored < 0.6 or name == UPRIGHT


def test_labels_that_the_model_does_not_know_are_left_out(recognizer, test_set):
    labels = np.concatenate([np.full(900, 77), test_set.labels[900:1000]])
    found = find_orientation(recognizer, lay(test_set.images[:1000], "transposed"), labels)
    assert (found.name, found.n) == ("transposed", 100)


def test_no_label_that_the_model_knows_is_no_orientation(recognizer, test_set):
    found = find_orientation(recognizer, test_set.images[:50], np.full(50, 30))
    assert (found.name, found.n, found.accuracy) == (UPRIGHT, 0, 0)


def wrong_labels(labels):
    return np.random.default_rng(0).permutation(labels)


@pytest.mark.parametrize("change", [wrong_labels, lambda labels: (labels + 1) % 10])
def test_wrong_labels_are_no_orientation(recognizer, test_set, change):
    found = find_orientation(recognizer, test_set.images[:1000], change(test_set.labels[:1000]))
    assert found.name == UPRIGHT
    assert found.accuracy == found.as_stored < 0.3


def test_6_and_9_with_each_other_s_labels_are_not_upside_down(recognizer, test_set):
    chosen = np.flatnonzero(np.isin(test_set.labels, [6, 9]))[:200]
    found = find_orientation(recognizer, test_set.images[chosen], 15 - test_set.labels[chosen])
    assert found.name == UPRIGHT


def test_a_few_images_are_too_few_to_tell(recognizer, test_set):
    n = MIN_GAIN - 1
    found = find_orientation(
        recognizer, lay(test_set.images[:n], "transposed"), test_set.labels[:n]
    )
    assert found.name == UPRIGHT


def test_dark_ink_is_refused(recognizer, test_set):
    with pytest.raises(FormatError, match="expected bright ink"):
        find_orientation(recognizer, 255 - test_set.images[:100], test_set.labels[:100])
