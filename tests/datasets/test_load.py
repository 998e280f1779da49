"""Data sets in every input format, made of MNIST digits."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from mnist_svm import Dataset, load_dataset, write_idx
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.datasets.formats.npz import write_npz
from mnist_svm.datasets.load import load_images
from mnist_svm.datasets.types import LabelledImages
from mnist_svm.exceptions import DataMissingError, FormatError, MissingExtraError
from mnist_svm.pictures.normalize import normalize
from tests.support.any_shape import png
from tests.support.mutation import MUTATIONS, assert_read_or_refused, fuzzed, mutated
from tests.support.paths import DATA, ROOT

N = 300


@pytest.fixture(scope="session")
def sample(test_set: Dataset) -> LabelledImages:
    """Return a few MNIST digits, to be written in every format."""
    return LabelledImages(test_set.images[:N], test_set.labels[:N])


def as_hub(path: Path, sample: LabelledImages, **others: object) -> None:
    """Write encoded pictures with optional paths, as data hubs do."""
    pictures = [{"bytes": png(image), "path": None} for image in sample.images]
    columns = {"image": pictures, "label": sample.labels, **others}
    parquet.write_table(pa.table(columns), path)


def as_pixels(path: Path, sample: LabelledImages) -> None:
    rows = sample.images.reshape(len(sample.images), 784)
    columns = {f"pixel{i + 1}": rows[:, i] for i in range(784)}
    # Labels as categories of strings.
    labels = pa.array(sample.labels.astype(str)).dictionary_encode()
    parquet.write_table(pa.table({**columns, "class": labels}), path)


def as_folder(path: Path, sample: LabelledImages) -> None:
    write_folder(path, sample.images, sample.labels)


def as_idx(path: Path, sample: LabelledImages) -> None:
    path.mkdir()
    write_idx(path / "train-images-idx3-ubyte.gz", sample.images)
    write_idx(path / "train-labels-idx1-ubyte", sample.labels.astype(np.uint8))


def as_keras(path: Path, sample: LabelledImages) -> None:
    np.savez(path, x_train=sample.images, y_train=sample.labels.astype(np.uint8))


def as_wide_npz(path: Path, sample: LabelledImages) -> None:
    floats = sample.images.reshape(N, 784).astype(np.float64)
    np.savez_compressed(path, images=floats, labels=sample.labels.reshape(-1, 1))


def as_fractions(path: Path, sample: LabelledImages) -> None:
    np.savez(path, X_train=sample.images[..., None] / np.float32(255), Y_train=sample.labels)


def as_csv(path: Path, sample: LabelledImages) -> None:
    write_csv(path, sample.images, sample.labels)


FORMATS = {
    "idx": as_idx,
    "train.csv": as_csv,
    "train.csv.gz": as_csv,
    "mnist.npz": as_keras,
    "wide.npz": as_wide_npz,
    "fractions.npz": as_fractions,
    "hub.parquet": as_hub,
    "pixels.parquet": as_pixels,
    "folder": as_folder,
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_preserves_images_and_labels(tmp_path, sample, name):
    FORMATS[name](tmp_path / name, sample)
    dataset = load_dataset(tmp_path / name)
    assert dataset.images.dtype == np.uint8
    assert dataset.labels.dtype == np.int64
    np.testing.assert_array_equal(dataset.images, sample.images)
    np.testing.assert_array_equal(dataset.labels, sample.labels)


def test_the_checksums_do_not_depend_on_the_format(tmp_path, sample):
    found = set()
    for name, write in FORMATS.items():
        write(tmp_path / name, sample)
        found.add(tuple(load_dataset(tmp_path / name).sha256.values()))
    assert len(found) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_the_format_is_detected_by_content(tmp_path, sample, name):
    FORMATS[name](tmp_path / name, sample)
    # Renamed afterwards, because np.savez adds its suffix.
    (tmp_path / name).rename(tmp_path / "nameless")
    np.testing.assert_array_equal(load_dataset(tmp_path / "nameless").labels, sample.labels)


def test_the_labels_of_an_idx_file_are_found(test_set):
    dataset = load_dataset(DATA / "t10k-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(dataset.labels, test_set.labels)


def test_a_data_set_has_the_names_of_scikit_learn(test_set):
    assert test_set.y is test_set.labels
    np.testing.assert_array_equal(test_set.X, test_set.images.reshape(10_000, 784))


# Folders with splits.


def test_a_folder_with_two_csv_files_has_two_splits(tmp_path, sample):
    write_csv(tmp_path / "train.csv", sample.images[:200], sample.labels[:200])
    write_csv(tmp_path / "test.csv.gz", sample.images[200:], None)
    assert len(load_dataset(tmp_path, split="train").labels) == 200
    np.testing.assert_array_equal(load_images(tmp_path, split="test"), sample.images[200:])
    with pytest.raises(FormatError, match="no labels in its test split"):
        load_dataset(tmp_path, split="test")


def test_names_of_csv_files_may_have_a_prefix(tmp_path, sample):
    write_csv(tmp_path / "mnist_train.csv", sample.images, sample.labels)
    write_csv(tmp_path / "mnist_test.csv.gz", sample.images[:50], sample.labels[:50])
    assert len(load_dataset(tmp_path, split="train").labels) == N
    assert len(load_dataset(tmp_path, split="test").labels) == 50
    write_csv(tmp_path / "my-train.csv", sample.images, sample.labels)
    with pytest.raises(FormatError, match=r"which of mnist_train.csv and my-train.csv\?"):
        load_dataset(tmp_path, split="train")
    write_csv(tmp_path / "train.csv", sample.images[:9], sample.labels[:9])
    assert len(load_dataset(tmp_path, split="train").labels) == 9


def test_names_of_idx_files_may_have_a_dot(tmp_path, sample):
    write_idx(tmp_path / "train-images.idx3-ubyte", sample.images)
    write_idx(tmp_path / "train-labels.idx1-ubyte", sample.labels.astype(np.uint8))
    np.testing.assert_array_equal(load_dataset(tmp_path).labels, sample.labels)


@pytest.mark.parametrize("place", [".", "data", "fashion_mnist"])
def test_parquet_files_of_a_split_are_joined(tmp_path, sample, place):
    folder = tmp_path / place
    folder.mkdir(exist_ok=True)
    for shard, rows in enumerate((slice(0, 120), slice(120, 260))):
        part = LabelledImages(sample.images[rows], sample.labels[rows])
        as_hub(folder / f"train-0000{shard}-of-00002.parquet", part)
    as_hub(
        folder / "test-00000-of-00001.parquet", LabelledImages(sample.images[:9], sample.labels[:9])
    )
    train = load_dataset(tmp_path, split="train")
    np.testing.assert_array_equal(train.images, sample.images[:260])
    assert len(load_dataset(tmp_path, split="test").labels) == 9


def test_parquet_files_of_a_split_must_have_the_same_columns(tmp_path, sample):
    as_hub(tmp_path / "train-0.parquet", sample)
    table = pa.table({"image": [png(image) for image in sample.images]})
    parquet.write_table(table, tmp_path / "train-1.parquet")
    with pytest.raises(FormatError, match="has other columns"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("training", "testing")])
def test_folders_of_pictures_may_have_splits(tmp_path, sample, train, test):
    write_folder(tmp_path / train, sample.images, sample.labels)
    write_folder(tmp_path / test, sample.images[:50], sample.labels[:50])
    assert len(load_dataset(tmp_path, split="train").labels) == N
    assert len(load_dataset(tmp_path, split="test").labels) == 50


def test_word_classes_are_numbered_alphabetically(tmp_path, sample):
    for digit, word in ((7, "oval"), (1, "bar"), (2, "hook")):
        (tmp_path / word).mkdir()
        for index in np.flatnonzero(sample.labels == digit)[:3]:
            Image.fromarray(sample.images[index]).save(tmp_path / word / f"{index}.png")
    dataset = load_dataset(tmp_path)
    assert dict(dataset.class_names) == {0: "bar", 1: "hook", 2: "oval"}
    assert sorted(dataset.labels.tolist()) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_pictures_of_other_sizes_are_normalized(tmp_path):
    (tmp_path / "4").mkdir()
    large = Image.open(ROOT / "images_test" / "4.png").convert("L").resize((90, 90))
    large.save(tmp_path / "4" / "large.png")
    dataset = load_dataset(tmp_path)
    np.testing.assert_array_equal(dataset.images[0], normalize(np.asarray(large)))


@pytest.mark.parametrize("name", FORMATS)
def test_dark_ink_on_a_bright_background_is_inverted(tmp_path, sample, name):
    FORMATS[name](tmp_path / name, LabelledImages(255 - sample.images, sample.labels))
    dataset = load_dataset(tmp_path / name)
    # Of pictures, each has a polarity of its own.
    assert dataset.inverted == (name not in {"hub.parquet", "folder"})
    np.testing.assert_array_equal(dataset.images, sample.images)


def test_a_maximum_of_1_is_scaled_to_255(tmp_path, sample):
    ink = (sample.images > 127).astype(np.uint8)
    write_csv(tmp_path / "bits.csv", ink, sample.labels)
    np.testing.assert_array_equal(load_dataset(tmp_path / "bits.csv").images, 255 * ink)


def test_mnist_is_not_inverted(train_set, test_set):
    assert not train_set.inverted
    assert not test_set.inverted


def test_other_files_in_a_folder_of_pictures_are_ignored(tmp_path, sample):
    write_folder(tmp_path / "set", sample.images, sample.labels)
    (tmp_path / "set" / "README.txt").write_text("Pictures of digits.")
    (tmp_path / "set" / "3" / "._hidden.png").write_bytes(b"of a file system")
    (tmp_path / "set" / "notes").mkdir()
    assert len(load_dataset(tmp_path / "set").labels) == N


def test_a_damaged_picture_is_named(tmp_path, sample):
    write_folder(tmp_path / "set", sample.images, sample.labels)
    (tmp_path / "set" / "5" / "bad.png").write_text("text")
    with pytest.raises(FormatError, match=r"set/5/bad.png: .*not a picture"):
        load_dataset(tmp_path / "set")


# CSV files.

HEADER = "label," + ",".join(f"pixel{i}" for i in range(784))
ROW = "7," + ",".join(["0"] * 400 + ["255"] * 384)


def csv_file(folder: Path, *lines: str, end: str = "\n") -> Path:
    path = folder / "digits.csv"
    path.write_bytes((end.join(lines) + end).encode())
    return path


@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, ROW),
        (ROW,),
        ("\ufeff" + HEADER, ROW),
        ("\ufeff" + ROW,),
        (HEADER.replace(",", " , "), ROW.replace(",", ", ")),
        (HEADER.replace("label", '"class"'), ROW),
        ("class," + ",".join(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29)), ROW),
        (HEADER.removeprefix("label,") + ",Label", ROW.removeprefix("7,") + ",7"),
        (HEADER, ROW.replace("255", "255.0")),
        ("," + HEADER, "12345," + ROW),
        ("ImageId," + HEADER, "a name," + ROW),
        (",".join(map(str, range(785))), ROW),
        (HEADER, ROW, "", "  ", ""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_variants_of_csv_are_read(tmp_path, lines, end):
    dataset = load_dataset(csv_file(tmp_path, *lines, end=end))
    assert dataset.labels.tolist() == [7]
    assert dataset.images.ravel().tolist() == [0] * 400 + [255] * 384


def test_the_last_newline_may_be_missing(tmp_path):
    path = tmp_path / "digits.csv"
    path.write_text(f"{HEADER}\n{ROW}\n{ROW}")
    assert load_dataset(path).labels.tolist() == [7, 7]


@pytest.mark.parametrize("header", [(), (HEADER.removeprefix("label,"),)])
def test_a_csv_file_without_labels_has_images(tmp_path, header):
    path = csv_file(tmp_path, *header, ROW.removeprefix("7,"))
    assert load_images(path).shape == (1, 28, 28)
    with pytest.raises(FormatError, match="no labels"):
        load_dataset(path)


BAD_ROWS = {
    "short": (ROW.rpartition(",")[0], "line 4: expected 785 values, found 784"),
    "long": (ROW + ",0", "line 4: expected 785 values, found 786"),
    "blank": ("", "line 4: expected 785 values, found a blank line"),
    "word": (
        ROW.replace("255", "ink", 1),
        r"line 4, column 402 \(pixel400\): expected a whole number from 0 to 255, found 'ink'",
    ),
    "missing": ("," + ROW[2:], r"line 4, column 1 \(label\): .* found ''"),
    "negative": (ROW.replace("255", "-1", 1), "line 4, column 402 .* found '-1'"),
    "bright": (ROW.replace("255", "256", 1), "line 4, column 402 .* found '256'"),
    "part": (ROW.replace("255", "0.5", 1), "line 4, column 402 .* found '0.5'"),
    "nan": (ROW.replace("255", "nan", 1), "line 4, column 402 .* found 'nan'"),
    "huge": (ROW.replace("255", "9" * 30, 1), "line 4, column 402 .* found '999"),
    "huge label": ("9" * 11 + ROW[1:], r"line 4, column 1 \(label\): .* to 2,147,483,647"),
    "not ASCII": (ROW.replace("255", "\u0662", 1), "line 4, column 402 .* found '\u0662'"),
    "endless": ("0," * 40_000, "line 4: longer than 785 numbers"),
    "semicolons": (ROW.replace(",", ";"), "line 4: expected 785 values, found 1"),
}


@pytest.mark.parametrize(("row", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_the_error_for_an_invalid_row_has_its_line(tmp_path, row, message):
    path = csv_file(tmp_path, HEADER, ROW, ROW, row, ROW)
    with pytest.raises(FormatError, match=message) as caught:
        load_dataset(path)
    assert str(caught.value).startswith(f"{path}: line 4")
    assert "\n" not in str(caught.value)


def test_the_error_for_a_late_invalid_row_has_its_line(tmp_path):
    rows = [ROW] * 9_000
    rows[8_765] = ROW.replace("255", "x", 1)
    with pytest.raises(FormatError, match=r"line 8767, column 402"):
        load_dataset(csv_file(tmp_path, HEADER, *rows))


def test_blank_lines_in_the_middle_are_refused(tmp_path):
    # The blank lines fill several blocks.
    blanks = [""] * 3_000_000
    with pytest.raises(FormatError, match="line 3: expected 785 values, found a blank line"):
        load_dataset(csv_file(tmp_path, HEADER, ROW, *blanks, ROW))


BAD_HEADERS = {
    "nothing": ("", "line 1: expected the names of 784 pixel columns .* found nothing"),
    "other columns": ("name,age", "found 2 columns, first 'name'"),
    "a pixel too few": (HEADER.rpartition(",")[0], "found 784 columns"),
    "two labels": (HEADER + ",class", "found 786 columns"),
    "numbers": ("1,2,3", "line 1: expected 784 pixels, with or without a label, found 3 values"),
}


@pytest.mark.parametrize(("header", "message"), BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_other_tables_are_refused(tmp_path, header, message):
    path = csv_file(tmp_path, header, ROW)
    with pytest.raises(FormatError, match=message) as caught:
        load_dataset(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", HEADER.encode(), HEADER.encode() + b"\n\n"])
def test_a_csv_file_without_an_image_is_refused(tmp_path, content):
    (tmp_path / "empty.csv").write_bytes(content)
    with pytest.raises(FormatError, match=r"empty.csv: (no images in it|line 1: expected)"):
        load_dataset(tmp_path / "empty.csv")


def test_a_picture_is_not_a_data_set(tmp_path):
    with pytest.raises(FormatError, match=r"7.png: .*a single picture; for one, use"):
        load_dataset(ROOT / "images_test" / "7.png")


@pytest.mark.slow
def test_a_large_csv_file_takes_the_memory_of_its_arrays(tmp_path, train_set):
    """The file has 109 MB; the images have 47 MB."""
    path = tmp_path / "train.csv"
    write_csv(path, train_set.images, train_set.labels)
    script = f"""
import resource
from mnist_svm.datasets.load import load_dataset
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
dataset = load_dataset({str(path)!r})
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024 - dataset.images.nbytes - dataset.labels.nbytes)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert int(done.stdout) < 32 << 20, done.stderr


# NumPy archives.


BAD_ARRAYS = {
    "another shape": ({"x_train": np.zeros((5, 28, 27))}, r"x_train: expected images of shape"),
    "colours": ({"x_train": np.zeros((5, 28, 28, 3))}, r"found \(5, 28, 28, 3\)"),
    "no images": ({"x_train": np.zeros((0, 28, 28))}, r"found \(0, 28, 28\)"),
    "one image": ({"images": np.zeros((28, 28))}, r"images: expected images of shape"),
    "fractions": ({"x_train": np.full((5, 28, 28), 1.5)}, r"image 1: .* found 1.5"),
    "negative fractions": ({"x_train": np.full((5, 784), -0.5)}, r"image 1: .* found -0.5"),
    "too bright": ({"x_train": np.arange(3 * 784).reshape(3, 784)}, "image 1: .* found 256"),
    "not numbers": ({"x_train": np.full((5, 784), np.nan)}, "image 1: .* found nan"),
    "words": ({"x_train": np.full((5, 784), "0")}, "expected numbers, found <U1"),
    "objects": ({"x_train": np.full((5, 784), None)}, "declares .* of object; expected numbers"),
    "labels too few": (
        {"x_train": np.zeros((5, 784)), "y_train": np.zeros(4)},
        r"y_train: expected 5 labels, one for each image, found shape \(4,\)",
    ),
    "one-hot labels": (
        {"x_train": np.zeros((5, 784)), "y_train": np.zeros((5, 10))},
        r"found shape \(5, 10\)",
    ),
    "negative label": (
        {"x_train": np.zeros((2, 784)), "y_train": np.array([0, -1])},
        "y_train: image 2: .* found -1",
    ),
    "other names": ({"a": np.zeros(1), "b": np.zeros(2)}, "expected arrays called x_train.* a, b"),
}


@pytest.mark.parametrize(("arrays", "message"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_other_arrays_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(FormatError, match=message) as caught:
        load_dataset(tmp_path / "bad.npz")
    assert str(caught.value).startswith(f"{tmp_path / 'bad.npz'}: ")


def test_an_archive_that_declares_gigabytes_allocates_almost_nothing(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 28, 28)}
    )
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", header.getvalue() + bytes(1 << 20))
    with pytest.raises(FormatError, match="declares 784,000,000,000 bytes"):
        load_dataset(tmp_path / "bomb.npz")


def test_pickled_objects_are_not_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", x_train=np.array([{"a": 1}] * 3, dtype=object))
    with pytest.raises(FormatError, match="of object; expected numbers"):
        load_dataset(tmp_path / "evil.npz")


# Parquet files.


def test_the_error_for_a_missing_picture_has_its_row(tmp_path, sample):
    pictures = [png(image) for image in sample.images]
    pictures[41] = None
    path = tmp_path / "holes.parquet"
    parquet.write_table(pa.table({"image": pictures, "label": sample.labels}), path)
    with pytest.raises(FormatError, match=r"holes.parquet: row 42: no picture in it"):
        load_dataset(path)


def test_the_error_for_a_damaged_picture_has_its_row(tmp_path, sample):
    pictures = [png(image) for image in sample.images]
    pictures[41] = pictures[41][:60]
    path = tmp_path / "damaged.parquet"
    parquet.write_table(pa.table({"image": pictures, "label": sample.labels}), path)
    with pytest.raises(FormatError, match=r"damaged.parquet: row 42: damaged picture"):
        load_dataset(path)


def test_a_missing_label_is_refused(tmp_path, sample):
    labels = [None, *sample.labels.tolist()[1:]]
    as_hub(tmp_path / "holes.parquet", sample, label=labels)
    with pytest.raises(FormatError, match="a value is missing in the column label"):
        load_dataset(tmp_path / "holes.parquet")


def test_the_error_for_an_invalid_pixel_has_its_row(tmp_path, sample):
    rows = sample.images.reshape(N, 784).astype(np.int16)
    rows[41, 5] = 256
    table = pa.table({**{f"p{i}": rows[:, i] for i in range(784)}, "y": sample.labels})
    parquet.write_table(table, tmp_path / "bright.parquet")
    with pytest.raises(FormatError, match=r"image 42: .* found 256"):
        load_dataset(tmp_path / "bright.parquet")


def test_another_table_is_refused(tmp_path):
    parquet.write_table(pa.table({"name": ["a"], "age": [1]}), tmp_path / "people.parquet")
    with pytest.raises(FormatError, match=r"a column of pictures.* found 2 columns.* name, age"):
        load_dataset(tmp_path / "people.parquet")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, sample, monkeypatch):
    as_hub(tmp_path / "hub.parquet", sample)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-svm\[parquet\]'"):
        load_dataset(tmp_path / "hub.parquet")


# Missing data sets.


def test_the_error_for_an_unknown_name_lists_the_catalog():
    with pytest.raises(
        DataMissingError, match=r"no such file or folder, and not in the catalog .*kmnist"
    ):
        load_dataset("mnits")


def test_the_error_for_another_folder_lists_the_formats(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(DataMissingError, match=r"expected train-images-idx3-ubyte.gz .* train.csv"):
        load_dataset(tmp_path)


def test_train_and_test_are_not_classes(tmp_path, sample):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        Image.fromarray(sample.images[0]).save(tmp_path / part / "7.png")
    assert len(load_images(tmp_path, split="train")) == 1
    with pytest.raises(FormatError, match="no labels in its train split"):
        load_dataset(tmp_path)


def test_the_error_for_a_missing_split_lists_the_others(tmp_path, sample):
    as_idx(tmp_path / "idx", sample)
    with pytest.raises(DataMissingError, match="has no test split, only train"):
        load_dataset(tmp_path / "idx", split="test")


def test_missing_labels_are_refused_by_load_dataset_only(tmp_path, sample):
    as_idx(tmp_path / "idx", sample)
    (tmp_path / "idx" / "train-labels-idx1-ubyte").unlink()
    assert len(load_images(tmp_path / "idx", split="train")) == N
    with pytest.raises(FormatError, match="no labels in its train split"):
        load_dataset(tmp_path / "idx")


# Damaged files.


def contents() -> dict[str, bytes]:
    """Return a small file in each format."""
    with gzip.open(DATA / "t10k-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + 5 * 784)[16:], np.uint8).reshape(5, 28, 28)
    few = LabelledImages(images, np.array([7, 2, 1, 0, 4]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_csv(folder / "csv", few.images, few.labels)
        with (folder / "plain").open("wb") as file:
            np.savez(file, images=few.images, labels=few.labels)
        write_npz(folder / "npz", {"all": few})
        as_hub(folder / "parquet", few)
        as_pixels(folder / "pixels", few)
        found = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {**found, "png": png(images[0])}


SMALL = contents()


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, packed=st.sampled_from(["", "inside", "itself"]))
@example(mutations=[(0.5, "insert", b'"')], packed="")
def test_a_mutated_csv_file_is_read_or_refused_and_nothing_else(tmp_path, mutations, packed):
    content = {
        "": lambda: mutated(SMALL["csv"], mutations),
        "inside": lambda: gzip.compress(mutated(SMALL["csv"], mutations), 1),
        "itself": lambda: mutated(gzip.compress(SMALL["csv"], 1, mtime=0), mutations),
    }[packed]()
    path = tmp_path / "mutated"
    path.write_bytes(content)
    assert_read_or_refused(path)


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, form=st.sampled_from(["plain", "npz"]))
def test_a_mutated_archive_is_read_or_refused_and_nothing_else(tmp_path, mutations, form):
    path = tmp_path / "mutated"
    path.write_bytes(mutated(SMALL[form], mutations))
    assert_read_or_refused(path)


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS)
def test_a_mutated_array_in_an_archive_is_read_or_refused(tmp_path, mutations):
    with zipfile.ZipFile(io.BytesIO(SMALL["plain"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "mutated"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, mutated(content, mutations))
    assert_read_or_refused(path)


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, form=st.sampled_from(["parquet", "pixels"]))
def test_a_mutated_parquet_file_is_read_or_refused_and_nothing_else(tmp_path, mutations, form):
    path = tmp_path / "mutated"
    path.write_bytes(mutated(SMALL[form], mutations))
    assert_read_or_refused(path)


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS)
def test_a_mutated_picture_in_a_folder_is_read_or_refused_and_nothing_else(tmp_path, mutations):
    folder = tmp_path / "set" / "7"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sound.png").write_bytes(SMALL["png"])
    (folder / "mutated.png").write_bytes(mutated(SMALL["png"], mutations))
    assert_read_or_refused(tmp_path / "set")
