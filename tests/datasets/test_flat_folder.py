"""Pictures side by side in one folder."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mnist_svm import FormatError, load_dataset
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.datasets.load import load_images
from tests.support.any_shape import WORDS


def write(folder, test_set, name, n=30):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(n):
        file = folder / f"{name(index, test_set.labels[index])}.png"
        Image.fromarray(test_set.images[index]).save(file)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        lambda i, label: f"{label}_{i:03}",
        lambda i, label: f"{label}-{i:03}",
        lambda i, label: f"{label} ({i})",
        lambda i, label: f"{WORDS[label]}_{i}",
    ],
)
def test_names_that_begin_with_digits_are_labels_and_told(tmp_path, test_set, name):
    dataset = load_dataset(write(tmp_path, test_set, name))
    found = {(label, image.tobytes()) for label, image in zip(dataset.labels, dataset.images)}
    pairs = zip(test_set.labels[:30], test_set.images, strict=False)
    assert found == {(label, image.tobytes()) for label, image in pairs}
    assert "the names of its files are taken to begin with the label: " in dataset.notices[0]


@pytest.mark.parametrize(
    "name",
    [
        lambda i, label: f"IMG_{i:04}",
        lambda i, label: f"{i:04}",
        lambda i, label: f"{label}_{i}" if i else "scan",
        lambda i, label: f"7_{i}",
        lambda i, label: f"scan{label}_{i}",
    ],
)
def test_other_names_are_no_labels(tmp_path, test_set, name):
    write(tmp_path, test_set, name)
    assert load_images(tmp_path).shape == (30, 28, 28)
    with pytest.raises(FormatError, match="no labels"):
        load_dataset(tmp_path)


def test_folders_of_splits_may_be_flat(tmp_path, test_set):
    for split in ("train", "test"):
        write(tmp_path / split, test_set, lambda i, label: f"{label}_{i:03}")
    for split in ("train", "test"):
        assert len(load_dataset(tmp_path, split=split).labels) == 30


def test_a_test_set_without_labels_may_be_flat_beside_classes(tmp_path, test_set):
    write_folder(tmp_path / "train", test_set.images[:60], test_set.labels[:60])
    write(tmp_path / "test", test_set, lambda i, label: f"{i:04}")
    assert len(load_dataset(tmp_path).labels) == 60
    assert len(load_images(tmp_path, split="test")) == 30


def test_splits_in_folders_of_their_own_names_are_read(tmp_path, test_set):
    """Kaggle's MNIST as pictures: trainingSet/trainingSet/0 and testSet/testSet."""
    images, labels = test_set.images[:60], test_set.labels[:60]
    write_folder(tmp_path / "trainingSet" / "trainingSet", images, labels)
    write(tmp_path / "testSet" / "testSet", test_set, lambda i, label: f"img_{i}")
    np.testing.assert_array_equal(load_dataset(tmp_path).labels, labels)
    assert len(load_images(tmp_path, split="test")) == 30


def test_several_flat_folders_are_several_data_sets(tmp_path, test_set):
    for person in ("anna", "bert"):
        write(tmp_path / "people" / person / "scans", test_set, lambda i, label: f"{label}_{i}")
    with pytest.raises(FormatError, match="which of the data sets in the folders anna, bert"):
        load_dataset(tmp_path / "people")
    labels = load_dataset(tmp_path / "people" / "anna").labels
    np.testing.assert_array_equal(np.sort(labels), np.sort(test_set.labels[:30]))
