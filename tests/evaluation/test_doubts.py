"""Labels that a model doubts: by name, in order of confidence, and out of fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mnist_svm import FormatError, Recognizer
from mnist_svm.datasets.types import Dataset, LabelledImages
from mnist_svm.evaluation.doubts import (
    knows_classes,
    order_names,
    read_labels,
    read_out_of_fold,
    was_trained_on,
)


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer.load()


def read(recognizer, dataset, labels=None, names=None, **options):
    labels = dataset.labels if labels is None else labels
    rows = np.arange(len(labels))
    return read_labels(recognizer, dataset.images, labels, names or {}, rows, **options)


@pytest.fixture(scope="module")
def test_readings(recognizer, test_set):
    return read(recognizer, test_set)


def test_the_best_known_wrong_labels_of_mnist_are_among_the_first(test_readings):
    """A 9 called 4, a 6 called 5, a 9 called 8 and a 3 called 5: see the images."""
    first = {doubt.index: doubt for doubt in test_readings.doubts(20)}
    known = {2130: ("4", "9"), 9729: ("5", "6"), 947: ("8", "9"), 5937: ("5", "3")}
    for index, (label, seen) in known.items():
        assert (first[index].label, first[index].read) == (label, seen)


def test_doubts_are_those_that_are_read_otherwise_the_surest_first(test_readings):
    doubts = test_readings.doubts(10_000)
    assert len(doubts) == np.count_nonzero(~test_readings.correct) < 100
    confidences = [doubt.confidence for doubt in doubts]
    assert confidences == sorted(confidences, reverse=True)
    assert test_readings.doubts(3) == doubts[:3]


def test_classes_are_compared_by_name(recognizer, test_set):
    part = replace(test_set, images=test_set.images[:300], labels=test_set.labels[:300])
    names = {label: str(9 - label) for label in range(10)}
    readings = read(recognizer, part, 9 - part.labels, names)
    assert readings.accuracy > 0.98


def test_a_class_that_the_model_does_not_know_is_never_read(recognizer, test_set):
    part = replace(test_set, images=test_set.images[:100], labels=test_set.labels[:100])
    labels = np.where(part.labels == 7, 10, part.labels)
    readings = read(recognizer, part, labels, {10: "seven?"})
    assert readings.names == (*map(str, range(10)), "seven?")
    assert {doubt.label for doubt in readings.doubts(100)} == {"seven?"}


def test_images_are_turned_before_they_are_read(recognizer, test_set):
    part = replace(test_set, images=test_set.images[:300].transpose(0, 2, 1))
    rows = np.arange(300)
    args = (recognizer, part.images, part.labels, {}, rows)
    assert read_labels(*args).accuracy < 0.3
    assert read_labels(*args, "transposed").accuracy > 0.98


def test_dark_ink_is_refused(recognizer, test_set):
    inverted = replace(test_set, images=255 - test_set.images[:100], labels=test_set.labels[:100])
    with pytest.raises(FormatError, match="expected bright ink"):
        read(recognizer, inverted)


@pytest.mark.parametrize(
    ("labels", "names", "known"),
    [
        (range(10), {}, True),
        (range(1, 11), {}, True),
        (range(1, 27), {}, False),
        (range(10), {0: "o", 1: "ki", 2: "su"}, False),
        (range(3), {0: "7", 1: "8", 2: "9"}, True),
        ([], {}, False),
    ],
)
def test_the_model_knows_most_classes_or_is_not_asked(recognizer, labels, names, known):
    assert knows_classes(recognizer, np.array(labels, np.int64), names) == known


def test_names_are_ordered_as_numbers_then_words():
    assert order_names({"b", "10", "9", "a"}) == ("9", "10", "a", "b")


def test_most_wrong_labels_are_found_out_of_fold(train_set):
    labels = train_set.labels[:3000].copy()
    wrong = np.arange(100, 3000, 290)
    labels[wrong] = (labels[wrong] + 5) % 10
    part = Dataset("part", train_set.images[:3000], labels, {})
    readings = read_out_of_fold(part, n_jobs=1)
    doubted = {doubt.index for doubt in readings.doubts(20)}
    assert len(doubted & set(wrong.tolist())) >= 8
    assert 0.95 < readings.accuracy < 1


def test_the_training_set_is_known_by_its_checksums(recognizer, train_set, test_set):
    info = recognizer.model.info
    images, labels = train_set.images, train_set.labels
    assert was_trained_on(info, LabelledImages(images, labels))
    assert not was_trained_on(info, LabelledImages(test_set.images, test_set.labels))
    assert not was_trained_on(info, LabelledImages(images, (labels + 1) % 10))
    assert not was_trained_on(info, LabelledImages(images, None))
