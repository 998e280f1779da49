"""Names of classes: what they mean, and one list for all parts of a data set."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mnist_svm import load_dataset
from mnist_svm.datasets.class_names import number_meant, settle_classes
from mnist_svm.datasets.formats.folder import write_folder
from tests.support.any_shape import WORDS


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("7", 7),
        ("007", 7),
        ("7.0", 7),
        (" 7 ", 7),
        ("seven", 7),
        ("SEVEN", 7),
        ("sieben", 7),
        ("null", 0),
        ("zéro", 0),
        ("zero", 0),
        ("eins", 1),
        ("trois", 3),
        ("fünf", 5),
        ("fuenf", 5),
        ("três", 3),
        ("pięć", 5),
        ("dört", 4),
        ("digit_7", 7),
        ("Digit 7", 7),
        ("class-7", 7),
        ("n7", 7),
        ("7 - seven", 7),
        ("seven (7)", 7),
        ("label: 12", 12),
    ],
)
def test_names_that_mean_numbers(name, number):
    assert number_meant(name) == number


@pytest.mark.parametrize(
    "name",
    [
        "",
        "cat",
        "T-shirt/top",
        "A/a",
        "o",
        "digit",
        "-7",
        "7up",
        "one_2",
        "7 or 8",
        "7+",
        "seventh",
    ],
)
def test_other_names_mean_no_number(name):
    assert number_meant(name) is None


def test_parts_with_other_words_share_one_list():
    new_labels, names = settle_classes([{0: "apple", 1: "fig", 2: "pear"}, {0: "apple", 1: "pear"}])
    assert names == {0: "apple", 1: "fig", 2: "pear"}
    assert new_labels == [{0: 0, 1: 1, 2: 2}, {0: 0, 1: 2}]


def test_words_that_parts_agree_about_keep_their_labels():
    declared = {0: "shirt", 1: "boot", 5: "bag"}
    new_labels, names = settle_classes([declared, {1: "boot"}])
    assert names == declared
    assert new_labels == [{0: 0, 1: 1, 5: 5}, {1: 1}]


def test_words_beside_numbers_get_the_labels_after_them():
    new_labels, names = settle_classes([{0: "1", 1: "7", 2: "unsorted"}])
    assert new_labels == [{0: 1, 1: 7, 2: 8}]
    assert names == {8: "unsorted"}


@pytest.mark.parametrize(
    "names",
    [
        WORDS,
        [f"digit_{digit}" for digit in range(10)],
        [f"{digit} - {word}" for digit, word in enumerate(WORDS)],
        ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
    ],
)
def test_folders_that_mean_digits_have_digits_as_labels(tmp_path, test_set, names):
    images, labels = test_set.images[:200], test_set.labels[:200]
    write_folder(tmp_path, images, labels, dict(enumerate(names)))
    dataset = load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.labels, labels)
    np.testing.assert_array_equal(dataset.images, images)
    assert not dataset.class_names


def test_a_class_that_is_missing_in_the_test_set_shifts_no_label(tmp_path, test_set):
    names = dict(enumerate("abcdefghij"))
    images, labels = test_set.images[:400], test_set.labels[:400]
    rest = ~np.isin(labels, [2, 8])
    write_folder(tmp_path / "train", images, labels, names)
    write_folder(tmp_path / "test", images[rest], labels[rest], names)
    test = load_dataset(tmp_path, split="test")
    np.testing.assert_array_equal(test.labels, labels[rest])
    assert test.class_names == load_dataset(tmp_path, split="train").class_names == names


@pytest.mark.parametrize(
    "name", [".ipynb_checkpoints", "@eaDir", "__MACOSX", ".git", "#recycle", "lost+found"]
)
def test_hidden_folders_and_those_of_systems_are_no_classes(tmp_path, test_set, name):
    images, labels = test_set.images[:100], test_set.labels[:100]
    write_folder(tmp_path, images, labels)
    (tmp_path / name).mkdir()
    Image.fromarray(images[0]).save(tmp_path / name / "0.png")
    np.testing.assert_array_equal(load_dataset(tmp_path).labels, labels)


def test_another_folder_beside_digits_is_a_class_and_changes_no_label(tmp_path, test_set):
    images, labels = test_set.images[:100], test_set.labels[:100]
    write_folder(tmp_path, images, labels)
    (tmp_path / "unsorted").mkdir()
    Image.fromarray(images[0]).save(tmp_path / "unsorted" / "z.png")
    dataset = load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.labels[:100], labels)
    assert dataset.class_names == {10: "unsorted"}
    assert dataset.notices == (
        "has classes that are no numbers beside numbers; as labels, unsorted is 10",
    )


def test_pictures_outside_of_the_classes_are_told(tmp_path, test_set):
    write_folder(tmp_path, test_set.images[:100], test_set.labels[:100])
    Image.fromarray(test_set.images[0]).save(tmp_path / "stray.png")
    dataset = load_dataset(tmp_path)
    assert len(dataset.labels) == 100
    assert dataset.notices == ("leaves out pictures that are in no sub-folder: 1",)
