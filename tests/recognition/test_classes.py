"""The classes of a data set are compared with those of a model by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mnist_svm import Dataset, FormatError, Recognizer
from mnist_svm.recognition.classes import with_labels_of_model


@pytest.fixture(scope="module")
def digits_model():
    return Recognizer.load().model.info


def dataset(labels, names=None):
    labels = np.array(labels)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    return Dataset("set", images, labels, {}, names or {})


def of_words(info, *names):
    return replace(info, classes=tuple(range(len(names))), class_names=names)


def test_digits_are_digits(digits_model):
    matched = with_labels_of_model(dataset([3, 1, 4]), digits_model)
    assert matched.labels.tolist() == [3, 1, 4]
    assert not matched.class_names


def test_names_of_digits_are_digits_in_any_language(digits_model):
    info = of_words(digits_model, "eins", "sieben", "drei")
    matched = with_labels_of_model(dataset([1, 3, 7]), info)
    assert matched.labels.tolist() == [0, 2, 1]
    assert matched.class_names == {0: "eins", 1: "sieben", 2: "drei"}


def test_words_have_the_labels_of_the_model(digits_model):
    info = of_words(digits_model, "apple", "fig", "pear")
    matched = with_labels_of_model(dataset([0, 1], {0: "Apple", 1: "pear"}), info)
    assert matched.labels.tolist() == [0, 2]


def test_labels_without_names_are_taken_as_the_models_with_a_word(digits_model):
    matched = with_labels_of_model(dataset([1, 0]), of_words(digits_model, "apple", "fig"))
    assert matched.labels.tolist() == [1, 0]
    assert matched.notices == (
        "has labels without names, which are taken as the model's: 0 = apple, 1 = fig",
    )


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0, 1], {0: "fig", 1: "pear"}, "does not know the classes fig, pear; the data set has"),
        ([3, 12], {}, "does not know the class 12; the data set has 3, 12, the model 0, 1, 2"),
        ([1, 10], {10: "unsorted"}, "does not know the class unsorted"),
    ],
)
def test_classes_that_the_model_does_not_know_are_refused(digits_model, labels, names, message):
    with pytest.raises(FormatError, match=message):
        with_labels_of_model(dataset(labels, names), digits_model)


def test_digits_are_no_words(digits_model):
    info = of_words(digits_model, "apple", "fig")
    with pytest.raises(FormatError, match="the data set has 0, 5, the model apple, fig"):
        with_labels_of_model(dataset([0, 5]), info)
