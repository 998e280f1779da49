"""Data sets that are joined, and their weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mnist_svm import Dataset
from mnist_svm.exceptions import FormatError


def make(name, labels, *, class_names=None, **fields):
    """A data set whose images say which one of it they are."""
    labels = np.array(labels, np.int64)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    images[:, 14, 14] = 1 + np.arange(len(labels))
    sha256 = {"images-idx3-ubyte": f"{name} images", "labels-idx1-ubyte": f"{name} labels"}
    return Dataset(name, images, labels, sha256, class_names or {}, **fields)


ONE, OTHER, THIRD = make("one", [0, 1, 2]), make("other", [2, 0]), make("third/", [1])


def test_joined_images_keep_their_order_and_labels():
    joined = Dataset.concatenate([ONE, OTHER])
    assert joined.labels.tolist() == [0, 1, 2, 2, 0]
    assert joined.labels.dtype == np.int64
    assert joined.images[:, 14, 14].tolist() == [1, 2, 3, 1, 2]
    assert joined.part_indices.tolist() == [0, 0, 0, 1, 1]
    assert joined.name == "one + other"
    assert joined.weights is None


def test_each_image_has_the_weight_of_its_set():
    joined = Dataset.concatenate([ONE, OTHER, THIRD], [1, 2, 0.1])
    assert joined.weights.tolist() == [1, 1, 1, 2, 2, 0.1]
    assert joined.weights.dtype == np.float64
    assert joined.name == "one + other:2 + third/:0.1"
    assert joined.sources == ("one", "other:2", "third/:0.1")


def test_weights_of_1_are_none():
    assert Dataset.concatenate([ONE, OTHER], [1, 1.0]).weights is None


def test_the_checksums_are_those_of_every_set():
    assert Dataset.concatenate([ONE, THIRD]).sha256 == {
        "one/images-idx3-ubyte": "one images",
        "one/labels-idx1-ubyte": "one labels",
        "third//images-idx3-ubyte": "third/ images",
        "third//labels-idx1-ubyte": "third/ labels",
    }


def test_sets_that_were_joined_before_stay_apart():
    joined = Dataset.concatenate([Dataset.concatenate([ONE, OTHER], [1, 2]), THIRD], [3, 5])
    assert joined.sources == ("one:3", "other:6", "third/:5")
    assert [(part.name, part.n_images) for part in joined.parts] == [
        ("one", 3),
        ("other", 2),
        ("third/", 1),
    ]
    assert joined.parts[1].sha256 == OTHER.sha256


def test_a_set_alone_is_its_own_part():
    (part,) = ONE.parts
    assert (part.name, part.n_images, part.sha256) == ("one", 3, ONE.sha256)
    assert ONE.part_indices.tolist() == [0, 0, 0]
    assert ONE.sources == ("one",)


def test_class_names_are_joined():
    letters = make("letters", [10, 11], class_names={10: "a", 11: "b"})
    assert Dataset.concatenate([ONE, letters]).class_names == {10: "a", 11: "b"}
    assert Dataset.concatenate([replace(ONE, inverted=True), letters]).inverted


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (
            ONE,
            make("clothes", [0, 1], class_names={0: "T-shirt", 1: "Trouser", 2: "Pullover"}),
            r"of one \(0, 1, 2\) and clothes \(T-shirt, Trouser, Pullover\) do not go .* label 0",
        ),
        (
            make("a", [0, 1], class_names={1: "x"}),
            make("b", [1, 2], class_names={1: "y"}),
            r"classes of a \(0, x\) and b \(y, 2\) .* label 1 is 'x' in the first and 'y'",
        ),
    ],
    ids=["digits and clothes", "two names"],
)
def test_another_name_for_a_label_is_refused_with_both_lists(first, second, says):
    with pytest.raises(FormatError, match=says):
        Dataset.concatenate([first, second])


def test_a_set_that_is_given_twice_is_refused():
    with pytest.raises(FormatError, match=r"other: given twice; .* count more: other:2"):
        Dataset.concatenate([Dataset.concatenate([ONE, OTHER]), OTHER])


@pytest.mark.parametrize(
    ("datasets", "weights"),
    [([], None), ([], []), ([ONE, OTHER], [1]), ([ONE], [1, 2])],
    ids=["none", "no weights", "too few weights", "too many weights"],
)
def test_a_weight_is_needed_for_each_set(datasets, weights):
    with pytest.raises(ValueError, match="expected a weight for each data set"):
        Dataset.concatenate(datasets, weights)


@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf])
def test_weights_are_positive_and_finite(weight):
    with pytest.raises(ValueError, match="weights must be positive and finite"):
        Dataset.concatenate([ONE, OTHER], [1, weight])


def test_weights_and_parts_must_fit_the_images():
    with pytest.raises(ValueError, match="one for each of 3 images"):
        replace(ONE, weights=np.ones(2))
    joined = Dataset.concatenate([ONE, OTHER])
    with pytest.raises(ValueError, match="do not have 2 images in all"):
        replace(joined, images=joined.images[:2], labels=joined.labels[:2])
