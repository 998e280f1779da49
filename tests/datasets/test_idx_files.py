"""IDX files in folders, under the names and in the layouts in which they are published."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pytest

from mnist_svm import Dataset, load_dataset, write_idx
from mnist_svm.datasets.load import load_images
from mnist_svm.exceptions import DataMissingError, FormatError
from tests.support.paths import DATA

N = 60


@pytest.fixture(scope="module")
def digits(test_set: Dataset) -> Dataset:
    return Dataset("digits", test_set.images[:N], test_set.labels[:N], {})


def write(images_path, labels_path, digits, *, start=0):
    for path in (images_path, labels_path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_idx(images_path, digits.images[start:])
    write_idx(labels_path, digits.labels[start:].astype(np.uint8))


# Names of the files of images and labels, training files first.
LAYOUTS = {
    "dashes": [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"),
    ],
    "dots": [
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("t10k-images.idx3-ubyte.gz", "t10k-labels.idx1-ubyte.gz"),
    ],
    "a folder for each file": [
        (
            "train-images-idx3-ubyte/train-images-idx3-ubyte",
            "train-labels-idx1-ubyte/train-labels-idx1-ubyte",
        ),
        (
            "t10k-images-idx3-ubyte/t10k-images.idx3-ubyte",
            "t10k-labels-idx1-ubyte/t10k-labels-idx1-ubyte",
        ),
    ],
    "labels elsewhere": [
        ("train-images-idx3-ubyte", "train-labels.idx1-ubyte/train-labels-idx1-ubyte"),
        ("t10k-images.idx3-ubyte/t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    ],
    "a prefix": [
        ("my-digits-train-images-idx3-ubyte", "my-digits-train-labels-idx1-ubyte"),
        ("my-digits-test-images-idx3-ubyte.gz", "my-digits-test-labels-idx1-ubyte.gz"),
    ],
    "underscores": [
        ("train_images.idx", "train_labels.idx"),
        ("test_images.idx3.gz", "test_labels.idx1.gz"),
    ],
}


@pytest.mark.parametrize("names", LAYOUTS.values(), ids=LAYOUTS)
def test_files_are_found_by_the_names_of_their_publishers(tmp_path, digits, names):
    for start, (images, labels) in enumerate(names):
        write(tmp_path / images, tmp_path / labels, digits, start=start)
    for start, split in enumerate(("train", "test")):
        dataset = load_dataset(tmp_path, split=split)
        np.testing.assert_array_equal(dataset.images, digits.images[start:])
        np.testing.assert_array_equal(dataset.labels, digits.labels[start:])


@pytest.mark.parametrize("names", LAYOUTS.values(), ids=LAYOUTS)
def test_the_labels_of_one_file_are_found(tmp_path, digits, names):
    for start, (images, labels) in enumerate(names):
        write(tmp_path / images, tmp_path / labels, digits, start=start)
    dataset = load_dataset(tmp_path / names[1][0])
    np.testing.assert_array_equal(dataset.labels, digits.labels[1:])


def test_the_table_of_qmnist_has_the_class_in_its_first_column(tmp_path, digits):
    table = np.arange(8 * N, dtype=np.int32).reshape(N, 8)
    table[:, 0] = digits.labels
    write_idx(tmp_path / "qmnist-train-images-idx3-ubyte.gz", digits.images)
    write_idx(tmp_path / "qmnist-train-labels-idx2-int.gz", table)
    np.testing.assert_array_equal(load_dataset(tmp_path).labels, digits.labels)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.float32])
def test_labels_may_have_any_element_type(tmp_path, digits, dtype):
    write_idx(tmp_path / "train-images-idx3-ubyte", digits.images)
    write_idx(tmp_path / "train-labels-idx1-ubyte", digits.labels.astype(dtype))
    np.testing.assert_array_equal(load_dataset(tmp_path).labels, digits.labels)


def test_floating_point_images_are_scaled(tmp_path, digits):
    write_idx(tmp_path / "images", (digits.images / 255).astype(np.float32))
    np.testing.assert_array_equal(load_images(tmp_path / "images"), digits.images)


TWINS = [
    "t10k-images.idx3-ubyte",
    "t10k-images-idx3-ubyte.gz",
    "t10k-images-idx3-ubyte/t10k-images-idx3-ubyte",
]


def test_equal_twins_are_one_file(tmp_path, digits):
    for name in TWINS:
        write(tmp_path / name, tmp_path / name.replace("images", "labels"), digits)
    dataset = load_dataset(tmp_path, split="test")
    np.testing.assert_array_equal(dataset.images, digits.images)
    np.testing.assert_array_equal(dataset.labels, digits.labels)


@pytest.mark.parametrize("kind", ["images", "labels"])
@pytest.mark.parametrize("twin", TWINS)
def test_twins_that_differ_are_refused_with_both_names(tmp_path, digits, twin, kind):
    write(tmp_path / "t10k-images-idx3-ubyte", tmp_path / "t10k-labels-idx1-ubyte", digits) if (
        "/" not in twin
    ) else write(tmp_path / "t10k-images.idx3-ubyte", tmp_path / "t10k-labels.idx1-ubyte", digits)
    other = tmp_path / twin.replace("images", kind)
    other.parent.mkdir(exist_ok=True)
    stored = digits.images if kind == "images" else digits.labels.astype(np.uint8)
    write_idx(other, stored[::-1])
    with pytest.raises(FormatError, match="copies of one file, but their content differs") as error:
        load_dataset(tmp_path, split="test")
    assert str(other) in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_of_another_length_are_refused(tmp_path, digits):
    write_idx(tmp_path / "train-images-idx3-ubyte", digits.images)
    write_idx(tmp_path / "train-labels-idx1-ubyte", digits.labels[:-1].astype(np.uint8))
    with pytest.raises(FormatError, match=f"holds {N} images, but .* holds {N - 1} labels"):
        load_dataset(tmp_path)


# Several data sets in one folder.


@pytest.fixture
def emnist(tmp_path, digits):
    for start, name in enumerate(("digits", "letters")):
        stem = tmp_path / f"emnist-{name}-train"
        labels = stem.with_name(f"{stem.name}-labels-idx1-ubyte")
        write(stem.with_name(f"{stem.name}-images-idx3-ubyte"), labels, digits, start=start)
    return tmp_path


def test_several_data_sets_in_a_folder_are_refused_with_their_names(emnist):
    with pytest.raises(FormatError, match=r"which of .* emnist-digits, emnist-letters\?") as error:
        load_dataset(emnist)
    assert f"Pass one as {emnist / 'emnist-digits'}" in str(error.value)


@pytest.mark.parametrize(("name", "n"), [("emnist-digits", N), ("emnist-letters", N - 1)])
def test_one_of_several_data_sets_is_chosen_by_its_name(emnist, name, n):
    assert len(load_dataset(emnist / name).labels) == n


def test_the_name_of_no_data_set_in_the_folder_is_refused(emnist):
    with pytest.raises(DataMissingError, match="no such file or folder"):
        load_dataset(emnist / "emnist-byclass")


def test_files_with_mnists_own_names_come_first_and_the_others_are_named(emnist, digits):
    write(emnist / "train-images-idx3-ubyte", emnist / "train-labels-idx1-ubyte", digits, start=9)
    dataset = load_dataset(emnist)
    assert len(dataset.labels) == N - 9
    assert "leaves out emnist-digits, emnist-letters in the same folder" in dataset.notices[0]


def test_hidden_files_and_other_names_are_no_idx_files(tmp_path, digits):
    write(tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte", digits)
    for name in ("._train-images-idx3-ubyte", "my-train-images-idx3-ubyte.txt", "images.png"):
        (tmp_path / name).write_bytes(b"other")
    np.testing.assert_array_equal(load_dataset(tmp_path).images, digits.images)


def test_the_catalogs_own_files_are_read_by_path(tmp_path):
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        shutil.copy(DATA / name, tmp_path)
        (tmp_path / name.removesuffix(".gz")).write_bytes(
            gzip.decompress((DATA / name).read_bytes())
        )
    assert len(load_dataset(tmp_path, split="test").labels) == 10_000
