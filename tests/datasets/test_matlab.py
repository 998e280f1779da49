"""MATLAB files, as SciPy writes them, with the arrays that are in common use."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.io import loadmat, savemat

from mnist_svm import Dataset, Recognizer, load_dataset
from mnist_svm.datasets.formats.mat_file import MAX_BYTES, read_mat
from mnist_svm.datasets.load import load_images
from mnist_svm.exceptions import FormatError
from tests.support.mutation import MUTATIONS, assert_read_or_refused, fuzzed, mutated

N = 60


@pytest.fixture(scope="module")
def digits(test_set: Dataset) -> Dataset:
    return Dataset("digits", test_set.images[:N], test_set.labels[:N], {})


def by_columns(images: np.ndarray) -> np.ndarray:
    """Images as rows of their pixels in MATLAB's order."""
    return images.swapaxes(1, 2).reshape(len(images), -1)


def rows(images):
    return images.reshape(len(images), 784)


# Arrays of a file of MNIST's images, whatever their names.
WAYS = {
    "X, y": lambda x, y: {"X": rows(x), "y": y[:, None]},
    "fractions": lambda x, y: {"X": rows(x) / 255, "y": y[:, None].astype(float)},
    "mnist-original": lambda x, y: {"data": rows(x).T, "label": y[None].astype(float)},
    "images, labels": lambda x, y: {"images": rows(x), "labels": y[:, None].astype(np.uint8)},
    "28 x 28 x n": lambda x, y: {"images": np.moveaxis(x, 0, 2), "labels": y[:, None]},
    "28 x 28 x 1 x n": lambda x, y: {"X": np.moveaxis(x, 0, 2)[:, :, None], "y": y[:, None]},
    "n x 28 x 28": lambda x, y: {"x": x, "y": y[None]},
    "EMNIST": lambda x, y: {
        "dataset": {
            "train": {"images": by_columns(x), "labels": y[:, None], "writers": y[:, None]},
            "mapping": np.arange(20).reshape(10, 2),
        }
    },
    "split": lambda x, y: {"trainX": rows(x), "trainY": y[None], "testX": rows(x[:9])},
    "x_train": lambda x, y: {"x_train": rows(x), "y_train": y[None], "note": "text"},
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_arrays_under_the_usual_names_are_read(tmp_path, digits, way, compressed):
    path = tmp_path / "digits.mat"
    savemat(path, way(digits.images, digits.labels), do_compression=compressed)
    dataset = load_dataset(path)
    np.testing.assert_array_equal(dataset.images, digits.images)
    np.testing.assert_array_equal(dataset.labels, digits.labels)


def test_the_test_arrays_are_the_test_part(tmp_path, digits):
    savemat(tmp_path / "a.mat", WAYS["split"](digits.images, digits.labels))
    np.testing.assert_array_equal(load_images(tmp_path / "a.mat", split="test"), digits.images[:9])


def test_an_array_for_each_digit_is_read(tmp_path, digits):
    arrays = {f"train{k}": rows(digits.images[digits.labels == k]) for k in range(10)}
    savemat(tmp_path / "mnist_all.mat", arrays)
    dataset = load_dataset(tmp_path / "mnist_all.mat")
    order = np.argsort(digits.labels, kind="stable")
    np.testing.assert_array_equal(dataset.images, digits.images[order])
    np.testing.assert_array_equal(dataset.labels, digits.labels[order])


@pytest.fixture(scope="module")
def model():
    return Recognizer.load()


def resized(images: np.ndarray, side: int, *, crop: int) -> np.ndarray:
    """The inner part of images in another size, 0 to 1 with the overshoot of the scaling."""
    inner = images[:, crop : 28 - crop, crop : 28 - crop].astype(np.float32) / 255
    pictures = [Image.fromarray(image).resize((side, side), Image.BICUBIC) for image in inner]
    return np.stack([np.asarray(picture, np.float64) for picture in pictures])


def test_the_digits_of_the_course_are_upright_and_read_well(tmp_path, test_set, model):
    images, labels = test_set.images[:200], test_set.labels[:200]
    course = {
        "X": by_columns(resized(images, 20, crop=3)),
        "y": np.where(labels == 0, 10, labels)[:, None],
    }
    assert course["X"].min() < 0
    savemat(tmp_path / "ex3data1.mat", course)
    dataset = load_dataset(tmp_path / "ex3data1.mat")
    np.testing.assert_array_equal(dataset.labels, labels)
    assert (model.classify(dataset.images).labels == labels).mean() >= 0.98
    said = "; ".join(dataset.notices)
    for clause in ("20 x 20", "stored by columns", "label 10 for the digit 0"):
        assert clause in said


@pytest.mark.parametrize("low", [0, -1])
def test_the_digits_of_usps_are_read_well(tmp_path, test_set, model, low):
    images, labels = test_set.images[:200], test_set.labels[:200]
    small = np.clip(resized(images, 16, crop=4), 0, 1)
    fea = (low + (1 - low) * small).reshape(200, 256)
    savemat(tmp_path / "usps.mat", {"fea": fea, "gnd": labels[:, None].astype(float)})
    dataset = load_dataset(tmp_path / "usps.mat")
    assert (model.classify(dataset.images).labels == labels).mean() >= 0.96


def test_labels_from_1_to_10_of_other_images_are_said(tmp_path, digits):
    savemat(tmp_path / "a.mat", {"X": rows(digits.images), "y": digits.labels[:, None] + 1})
    dataset = load_dataset(tmp_path / "a.mat")
    np.testing.assert_array_equal(dataset.labels, digits.labels + 1)
    assert any("labels from 1 to 10" in notice for notice in dataset.notices)


# Wrong files.

ZEROS = np.zeros((5, 784))
BAD = {
    "other names": ({"a": ZEROS}, r"expected arrays called X and y.*; found a 5 x 784"),
    "no numbers": ({"X": "text"}, "found no arrays of numbers"),
    "two arrays of images": ({"X": ZEROS, "data": ZEROS}, "which of the arrays X and data"),
    "labels too few": ({"X": ZEROS, "y": np.zeros((4, 1))}, "found 5 x 784 numbers and 4 labels"),
    "one-hot labels": ({"X": ZEROS, "y": np.zeros((5, 10))}, "and 10 labels"),
    "another size": ({"X": np.zeros((5, 100))}, "expected images of 28 x 28, 20 x 20, 16 x 16"),
    "rows or columns": ({"X": np.zeros((784, 784))}, "found 784 x 784 numbers"),
    "colours": ({"X": np.zeros((32, 32, 3, 5))}, "found 32 x 32 x 3 x 5"),
    "no images": ({"X": np.zeros((0, 784))}, "found 0 x 784"),
    "standardized": ({"X": np.linspace(-3, 3, 5 * 784).reshape(5, 784)}, "found -3"),
    "standardized small": ({"X": np.linspace(-3, 3, 5 * 400).reshape(5, 400)}, "found -3 to 3"),
    "missing": ({"X": np.full((5, 400), np.nan)}, "found nan to nan"),
    "negative label": ({"X": ZEROS, "y": np.full((5, 1), -1)}, "y: image 1: .* found -1"),
}


@pytest.mark.parametrize(("arrays", "message"), BAD.values(), ids=BAD)
def test_other_arrays_are_refused(tmp_path, arrays, message):
    savemat(tmp_path / "bad.mat", arrays)
    with pytest.raises(FormatError, match=message) as error:
        load_images(tmp_path / "bad.mat")
    assert str(error.value).startswith(f"{tmp_path / 'bad.mat'}: ")
    assert "\n" not in str(error.value)


HEADS = {
    "7.3": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF", "save -v7 FILE.mat"),
    "Octave's text": (b"# Created by Octave 8.4.0\n# name: X\n", "save -v7 FILE.mat"),
    "cut in the header": (b"MATLAB 5.0 MAT-file, Platform: posix", "expected a header of 128"),
    "header alone": (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", "found no arrays"),
}


@pytest.mark.parametrize(("content", "message"), HEADS.values(), ids=HEADS)
def test_other_versions_are_refused(tmp_path, content, message):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        load_images(tmp_path / "a.mat")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_refused(tmp_path, digits, compressed):
    path = tmp_path / "a.mat"
    savemat(path, WAYS["X, y"](digits.images, digits.labels), do_compression=compressed)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(FormatError, match="damaged or truncated MAT file"):
        load_images(path)


HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"


@pytest.mark.parametrize("size", [MAX_BYTES + 8, 1 << 30])
def test_a_bomb_is_refused_in_little_memory(tmp_path, size):
    packed = zlib.compress((14).to_bytes(4, "little") + size.to_bytes(4, "little") + bytes(4 << 20))
    element = (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little") + packed
    (tmp_path / "bomb.mat").write_bytes(HEADER + element)
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"arrays of more than|compressed element of"):
        load_images(tmp_path / "bomb.mat")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


# SciPy's reader is the oracle.

NESTED = {
    "a": np.arange(6.0).reshape(2, 3),
    "b": np.arange(24, dtype=np.int16).reshape(2, 3, 4),
    "c": np.ones((2, 2), bool),
    "d": np.float32(1.5),
    "text": "text",
    "cells": np.array([1, "a"], dtype=object),
    "s": {"t": {"u": np.arange(5, dtype=np.uint8)}, "v": np.zeros((0, 3))},
}


@pytest.mark.parametrize("compressed", [False, True])
def test_numeric_arrays_are_the_same_as_scipys(tmp_path, compressed):
    savemat(tmp_path / "a.mat", NESTED, do_compression=compressed)
    found, expected = read_mat(tmp_path / "a.mat"), loadmat(tmp_path / "a.mat")
    for name in "abcd":
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_array_equal(found["s.t.u"], [NESTED["s"]["t"]["u"]])
    assert found.keys() == {"a", "b", "c", "d", "s.t.u", "s.v"}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("mat")
    image = np.tile(np.eye(28) * 255, (3, 1, 1)).astype(np.uint8)
    contents = []
    for name in ("X, y", "EMNIST", "28 x 28 x n"):
        for compressed in (False, True):
            arrays = WAYS[name](image, np.arange(3))
            savemat(folder / "a.mat", arrays, do_compression=compressed)
            contents.append((folder / "a.mat").read_bytes())
    return contents


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, index=st.integers(0, 5))
def test_a_mutated_file_is_read_or_refused_and_nothing_else(tmp_path, small, mutations, index):
    path = tmp_path / "mutated"
    path.write_bytes(mutated(small[index], mutations))
    assert_read_or_refused(path)
