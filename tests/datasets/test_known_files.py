"""Files of the catalog are known wherever they lie, and images can be turned upright."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest

from mnist_svm import load_dataset, write_idx
from mnist_svm.datasets import known_files
from mnist_svm.datasets.catalog import CATALOG, EMNIST_DIGITS, FASHION_MNIST
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.verify import payload_sha256

N = 100


@pytest.fixture
def stored(test_set):
    """Images as EMNIST stores them, and their labels."""
    return test_set.images[:N].transpose(0, 2, 1), test_set.labels[:N]


def as_idx(folder, images, labels, name="emnist-digits-test"):
    write_idx(folder / f"{name}-images-idx3-ubyte.gz", images)
    write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels.astype(np.uint8))
    return folder / f"{name}-images-idx3-ubyte.gz"


@pytest.mark.parametrize(
    "name", ["emnist-digits-test", "emnist-mnist-train", "EMNIST_byclass-test"]
)
def test_idx_files_with_names_of_emnist_are_turned_upright(tmp_path, test_set, stored, name):
    dataset = load_dataset(as_idx(tmp_path, *stored, name))
    np.testing.assert_array_equal(dataset.images, test_set.images[:N])
    np.testing.assert_array_equal(dataset.labels, test_set.labels[:N])
    assert dataset.notices == (
        "is stored by columns, as files named emnist... are; the images are turned upright",
    )


def test_a_folder_of_emnist_is_turned_upright(tmp_path, test_set, stored):
    as_idx(tmp_path, *stored)
    np.testing.assert_array_equal(load_dataset(tmp_path, split="test").images, test_set.images[:N])


@pytest.mark.parametrize("name", ["emnist-digits-test.csv", "emnist-letters-train.csv.gz"])
def test_csv_files_with_names_of_emnist_are_turned_upright(tmp_path, test_set, stored, name):
    write_csv(tmp_path / name, *stored)
    np.testing.assert_array_equal(load_dataset(tmp_path / name).images, test_set.images[:N])


def test_the_orientation_can_be_stated(tmp_path, test_set, stored):
    path = as_idx(tmp_path, *stored)
    as_stored = load_dataset(path, orientation="upright")
    np.testing.assert_array_equal(as_stored.images, stored[0])
    assert as_stored.notices[0].endswith("the images are taken as upright")
    other = tmp_path / "other.csv"
    write_csv(other, test_set.images[:N, ::-1], test_set.labels[:N])
    turned = load_dataset(other, orientation="flipped")
    np.testing.assert_array_equal(turned.images, test_set.images[:N])


def test_an_unknown_orientation_is_refused(tmp_path, test_set):
    write_csv(tmp_path / "x.csv", test_set.images[:2], test_set.labels[:2])
    with pytest.raises(ValueError, match="orientation: expected one of upright, transposed"):
        load_dataset(tmp_path / "x.csv", orientation="sideways")


def in_catalog(monkeypatch, info, sha256):
    """Put a data set into the catalog whose training images have a checksum."""
    images, labels = info.splits["train"]
    known = replace(images, size=16 + 784 * N, sha256=sha256)
    splits = {**info.splits, "train": (known, labels)}
    catalog = {**CATALOG, info.name: replace(info, splits=splits)}
    monkeypatch.setattr(known_files, "CATALOG", catalog)


def test_files_are_known_by_their_payload(tmp_path, monkeypatch, test_set):
    images = test_set.images[:N]
    in_catalog(monkeypatch, FASHION_MNIST, payload_sha256(images))
    write_idx(tmp_path / "x-images-idx3-ubyte", images)
    write_idx(tmp_path / "x-labels-idx1-ubyte", test_set.labels[:N].astype(np.uint8))
    names = load_dataset(tmp_path / "x-images-idx3-ubyte").class_names
    assert (names[0], names[9]) == ("T-shirt/top", "Ankle boot")


def test_files_are_known_by_their_bytes_as_published(tmp_path, monkeypatch, test_set, stored):
    import hashlib

    path = as_idx(tmp_path, *stored, "renamed")
    assert gzip.decompress(path.read_bytes())
    in_catalog(monkeypatch, EMNIST_DIGITS, hashlib.sha256(path.read_bytes()).hexdigest())
    dataset = load_dataset(path)
    np.testing.assert_array_equal(dataset.images, test_set.images[:N])
    assert "is emnist-digits of the catalog, which is stored by columns" in dataset.notices[0]
