"""Parquet files as pandas and data hubs write them, made of MNIST digits."""

from __future__ import annotations

import decimal
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from mnist_svm import Dataset, load_dataset
from mnist_svm.datasets.formats.parquet import read_class_names, read_parquet
from mnist_svm.datasets.formats.parquet_files import find_parquet_parts
from mnist_svm.datasets.load import load_images
from mnist_svm.datasets.types import LabelledImages, no_progress
from mnist_svm.exceptions import DataMissingError, FormatError
from tests.support.any_shape import WORDS, png
from tests.support.mutation import MUTATIONS, fuzzed, mutated

N = 62
NAMES = [f"pixel{i}" for i in range(784)]


@pytest.fixture(scope="session")
def sample(test_set: Dataset) -> LabelledImages:
    return LabelledImages(test_set.images[:N], test_set.labels[:N])


def assert_is_sample(found: Dataset | LabelledImages, sample: LabelledImages) -> None:
    np.testing.assert_array_equal(found.images, sample.images)
    np.testing.assert_array_equal(found.labels, sample.labels)


def pngs(sample: LabelledImages) -> list[dict]:
    return [{"bytes": png(image), "path": None} for image in sample.images]


def rows_of(sample: LabelledImages) -> np.ndarray:
    return sample.images.reshape(len(sample.images), 784)


def table_of(sample: LabelledImages, **others: object) -> pa.Table:
    """Return one column per pixel, a label, and other columns, which may replace these."""
    rows = rows_of(sample)
    columns = {"label": sample.labels, **{name: rows[:, i] for i, name in enumerate(NAMES)}}
    return pa.table({**columns, **others})


def write(path: Path, table: pa.Table) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)
    return path


def frame_of(sample: LabelledImages) -> pd.DataFrame:
    frame = pd.DataFrame(rows_of(sample), columns=NAMES)
    frame.insert(0, "label", sample.labels)
    return frame


def from_frame(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame)


def filtered(sample: LabelledImages) -> pd.DataFrame:
    """Return a frame with the index that is left when rows were taken out."""
    return frame_of(sample).set_axis(np.arange(N) * 3 + 1)


def as_type(sample: LabelledImages, dtype: object, scale: float = 1) -> pa.Table:
    rows = (rows_of(sample) * scale).astype(dtype)
    return pa.table({**{n: rows[:, i] for i, n in enumerate(NAMES)}, "y": sample.labels})


def in_order(sample: LabelledImages, order: list[int]) -> pa.Table:
    return table_of(sample).select([["label", *NAMES][i] for i in order])


def lists(sample: LabelledImages, column_type: pa.DataType, shape: tuple[int, ...]) -> pa.Table:
    values = [image.reshape(shape).tolist() for image in sample.images]
    return pa.table({"image": pa.array(values, column_type), "label": sample.labels})


U8 = pa.uint8()
FORMS = {
    "an index of pandas": lambda s: from_frame(filtered(s)),
    "a named index of pandas": lambda s: from_frame(frame_of(s).rename_axis("id")),
    "an index that was saved": lambda s: from_frame(frame_of(s).reset_index()),
    "sorted by name": lambda s: in_order(s, sorted(range(785), key=["label", *NAMES].__getitem__)),
    "shuffled": lambda s: in_order(s, np.random.default_rng(0).permutation(785).tolist()),
    "rows x columns, by columns of the name": lambda s: table_of(s).rename_columns(
        ["label", *(f"row{i // 28}_col{i % 28}" for i in range(784))]
    ),
    "floats": lambda s: as_type(s, np.float64),
    "fractions": lambda s: as_type(s, np.float32, 1 / 255),
    "half floats of fractions": lambda s: as_type(s, np.float16, 1 / 255),
    "64 bits": lambda s: as_type(s, np.int64),
    "texts of digits": lambda s: as_type(s, str),
    "other columns": lambda s: table_of(s, fold=np.arange(N) % 5, path=["a.png"] * N),
    "lists": lambda s: lists(s, pa.list_(U8), (784,)),
    "large lists": lambda s: lists(s, pa.large_list(pa.int64()), (784,)),
    "lists of lists": lambda s: lists(s, pa.list_(pa.list_(U8)), (28, 28)),
    "lists of fixed size": lambda s: lists(s, pa.list_(U8, 784), (784,)),
    "lists of lists of fixed size": lambda s: lists(s, pa.list_(pa.list_(U8, 28), 28), (28, 28)),
    "a channel": lambda s: lists(s, pa.list_(pa.list_(pa.list_(U8))), (1, 28, 28)),
    "lists of fractions": lambda s: pa.table(
        {"pixels": (rows_of(s) / 255).tolist(), "target": s.labels, "id": np.arange(N)}
    ),
    "a tensor": lambda s: pa.table(
        {"image": pa.FixedShapeTensorArray.from_numpy_ndarray(s.images), "label": s.labels}
    ),
    "pictures": lambda s: pa.table({"image": pngs(s), "label": s.labels}),
    "pictures as bytes": lambda s: pa.table({"png": [png(x) for x in s.images], "digit": s.labels}),
    "pictures and others": lambda s: pa.table(
        {"image": pngs(s), "mask": [b""] * N, "label": s.labels, "split": ["a"] * N}
    ),
    "labels of text": lambda s: table_of(s, label=s.labels.astype(str)),
    "labels of floats": lambda s: table_of(s, label=s.labels.astype(float)),
    "labels of decimals": lambda s: table_of(
        s, label=[decimal.Decimal(x) for x in s.labels.tolist()]
    ),
    "categories": lambda s: from_frame(frame_of(s).astype({"label": "category"})),
    "words": lambda s: table_of(s, label=[WORDS[x] for x in s.labels]),
    "categories of words": lambda s: table_of(
        s, label=pa.array([WORDS[x] for x in s.labels]).dictionary_encode()
    ),
    "ClassLabel": lambda s: hub(pa.table({"image": pngs(s), "label": s.labels}), WORDS),
}


def hub(table: pa.Table, names: list[str]) -> pa.Table:
    """Declare class names as Hugging Face's datasets does."""
    features = {
        "image": {"_type": "Image"},
        "label": {"names": names, "_type": "ClassLabel"},
    }
    info = json.dumps({"info": {"features": features}})
    return table.replace_schema_metadata({"huggingface": info})


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_other_programs_are_read(tmp_path, sample, form):
    assert_is_sample(load_dataset(write(tmp_path / "a.parquet", FORMS[form](sample))), sample)


def test_other_columns_are_named(tmp_path, sample):
    found = read_parquet([write(tmp_path / "a.parquet", FORMS["other columns"](sample))])
    assert found.notices == ("has other columns, which are left out: fold, path",)


def test_pictures_are_brought_to_form_like_files(tmp_path, sample):
    # Dark on white, larger than 28 x 28, as a scanner has them.
    pictures = [png(np.pad(255 - image, 9, constant_values=255)) for image in sample.images]
    path = write(tmp_path / "a.parquet", pa.table({"image": pictures, "label": sample.labels}))
    images = read_parquet([path]).images
    differences = np.abs(images.astype(int) - sample.images).mean(axis=(1, 2))
    assert np.median(differences) < 8


# Class names.


def test_declared_names_are_those_of_all_codes(tmp_path, sample):
    names = [*"ABCDEFGHIJKL"]
    table = hub(pa.table({"image": pngs(sample), "label": sample.labels}), names)
    found = read_parquet([write(tmp_path / "a.parquet", table)])
    assert found.class_names == dict(enumerate(names))
    np.testing.assert_array_equal(found.labels, sample.labels)


def test_the_names_of_digits_are_no_names(tmp_path, sample):
    table = hub(pa.table({"image": pngs(sample), "label": sample.labels}), [*"0123456789"])
    assert read_parquet([write(tmp_path / "a.parquet", table)]).class_names == {}


def test_a_label_without_a_declared_name_is_refused(tmp_path, sample):
    table = hub(pa.table({"image": pngs(sample), "label": sample.labels}), WORDS[:5])
    with pytest.raises(FormatError, match=r"expected labels from 0 to 4, .* found 9"):
        read_parquet([write(tmp_path / "a.parquet", table)])


def test_names_are_known_without_reading_images(tmp_path, sample):
    table = pa.table({"image": [b"no picture"] * N, "label": [WORDS[x] for x in sample.labels]})
    path = write(tmp_path / "a.parquet", table)
    assert read_class_names([path]) == dict(enumerate(sorted(WORDS)))


def test_names_in_dataset_info_are_those_of_the_labels(tmp_path, sample):
    write(tmp_path / "data" / "train-00000-of-00001.parquet", FORMS["pictures"](sample))
    features = {"label": {"names": [*"ABCDEFGHIJ"], "_type": "ClassLabel"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"features": features}))
    part = find_parquet_parts(tmp_path)["train"]
    assert part.class_names() == dict(enumerate("ABCDEFGHIJ"))
    assert part.read(no_progress).class_names == dict(enumerate("ABCDEFGHIJ"))


def test_a_test_set_without_labels_has_images(tmp_path, sample):
    table = pa.table({"image": pngs(sample), "label": np.full(N, -1)})
    found = read_parquet([write(tmp_path / "a.parquet", table)])
    assert found.labels is None
    assert found.notices == ("has the label -1 throughout, which stands for none",)


# Folders.

LAYOUTS = {
    "as converted by the hub": ("default/train/0000.parquet", "default/test/0000.parquet"),
    "by configuration": ("mnist/train/0000.parquet", "mnist/test/0000.parquet"),
    "by split": ("train/0000.parquet", "test/0000.parquet"),
    "data": ("data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"),
    "by name": ("train.parquet", "test.parquet"),
    "with a start": ("mnist_train.parquet", "mnist_test.parquet"),
    "with a configuration": ("mnist/train-00000-of-00001.parquet", "mnist/test.parquet"),
    "other words": ("Training/a.parquet", "Testing/a.parquet"),
    "partial": ("default/partial-train/0000.parquet", "default/partial-test/0000.parquet"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_hubs_are_known(tmp_path, sample, layout):
    train, test = LAYOUTS[layout]
    write(tmp_path / train, FORMS["pictures"](sample))
    few = LabelledImages(sample.images[:9], sample.labels[:9])
    write(tmp_path / test, FORMS["pictures"](few))
    assert_is_sample(load_dataset(tmp_path, split="train"), sample)
    assert_is_sample(load_dataset(tmp_path, split="test"), few)


def test_files_of_a_split_are_joined_in_the_order_of_their_numbers(tmp_path, sample):
    for index, rows in enumerate(np.array_split(np.arange(N), 12)):
        part = LabelledImages(sample.images[rows], sample.labels[rows])
        write(tmp_path / "train" / f"{index}.parquet", FORMS["lists"](part))
    assert_is_sample(load_dataset(tmp_path), sample)


def test_a_missing_file_of_a_split_is_named(tmp_path, sample):
    for index in (0, 2):
        write(tmp_path / f"train-0000{index}-of-00003.parquet", FORMS["pictures"](sample))
    with pytest.raises(FormatError, match=r"train-00001-of-00003.parquet: .*missing; download it"):
        load_dataset(tmp_path)


def test_a_validation_set_is_left_out(tmp_path, sample):
    for split in ("train", "validation", "test"):
        write(tmp_path / f"{split}-00000-of-00001.parquet", FORMS["lists"](sample))
    parts = find_parquet_parts(tmp_path)
    assert parts.keys() == {"train", "test"}
    notice = "has a validation set, which is left out; pass its file to read it"
    assert parts["train"].read(no_progress).notices == (notice,)


def test_files_without_a_split_are_one_set(tmp_path, sample):
    for index, rows in enumerate((slice(0, 30), slice(30, N))):
        part = LabelledImages(sample.images[rows], sample.labels[rows])
        write(tmp_path / f"digits-{index}.parquet", FORMS["lists"](part))
    assert_is_sample(load_dataset(tmp_path), sample)


def test_several_sets_in_one_folder_are_refused(tmp_path, sample):
    for config in ("mnist", "fashion"):
        write(tmp_path / config / "train" / "0000.parquet", FORMS["lists"](sample))
    with pytest.raises(FormatError, match=r"several data sets \(fashion, mnist\); pass the folder"):
        load_dataset(tmp_path)


def test_several_files_of_unlike_names_are_refused(tmp_path, sample):
    for name in ("one", "other"):
        write(tmp_path / f"{name}.parquet", FORMS["lists"](sample))
    with pytest.raises(FormatError, match=r"which of one.parquet, other.parquet\?"):
        load_dataset(tmp_path)


def test_a_hidden_folder_is_not_looked_into(tmp_path, sample):
    write(tmp_path / ".cache" / "train.parquet", FORMS["lists"](sample))
    with pytest.raises(DataMissingError, match="no data set in this folder"):
        load_dataset(tmp_path)


# Errors.


def unlike(sample: LabelledImages, name: str, values: object) -> pa.Table:
    return table_of(sample, **{name: values})


HOLES = [None, *[0] * (N - 1)]
BAD = {
    "one column too many": (
        lambda s: table_of(s).rename_columns(["label", "ink", *NAMES[1:]]),
        r"not all are numbered alike \(pixel1, but ink\)",
    ),
    "a column missing": (
        lambda s: table_of(s).drop_columns(["pixel99"]),
        "found 784 columns, first 'label'; 783 that may be pixels: pixel0 to pixel783",
    ),
    "an interesting column late": (
        lambda s: (
            table_of(s)
            .drop_columns(["pixel99"])
            .append_column("ink", [[0] * N])
            .append_column("pen", [[0] * N])
        ),
        "785 that may be pixels: ink, pen, pixel0 to pixel783",
    ),
    "two labels": (
        lambda s: table_of(s, digit=s.labels),
        r"2 may be it \(label, digit\); remove or rename",
    ),
    "a gap": (
        lambda s: table_of(s).rename_columns(["label", *NAMES[:-1], "pixel999"]),
        "have gaps: they run from pixel0 to pixel999",
    ),
    "a missing pixel": (lambda s: unlike(s, "pixel5", HOLES), "missing in the column pixel5"),
    "a word": (lambda s: unlike(s, "pixel5", ["a"] * N), "numbers in the column pixel5, found"),
    "too bright": (
        lambda s: unlike(s, "pixel5", [0, 256, *[0] * (N - 2)]),
        "image 2: column 'pixel5', pixel 5: expected a whole number from 0 to 255, found 256",
    ),
    "negative": (lambda s: unlike(s, "pixel5", [-1, *[0] * (N - 1)]), "image 1: .* found -1"),
    "nan": (lambda s: unlike(s, "pixel5", [np.nan] * N), "image 1: .* found nan"),
    "a fraction among whole numbers": (
        lambda s: unlike(s, "pixel500", [0.0, 0.5] * (N // 2)),
        "image 2: .* found 0.5",
    ),
    "a missing word": (
        lambda s: table_of(s, label=["seven", "", *["one"] * (N - 2)]),
        "row 2: expected .* in the column 'label', found ''",
    ),
    "a negative label": (lambda s: table_of(s, label=[-1, *[0] * (N - 1)]), "found -1"),
    "lists of another length": (
        lambda s: pa.table({"image": [[0] * 784, [0] * 783], "label": [1, 2]}),
        "row 2: expected a list of 784 pixels, or 28 lists of 28",
    ),
    "short lists": (lambda s: pa.table({"image": [[0] * 98] * 3}), "row 1: .* found 98"),
    "long lists": (
        lambda s: pa.table({"image": [[0] * 100_000] * 9}),
        "expected lists of 784 pixels .* found 900,000 numbers in 9 rows",
    ),
    "no list": (lambda s: pa.table({"image": [[0] * 784, None]}), "row 2: expected a list"),
    "an empty list": (lambda s: pa.table({"image": pa.array([[]], pa.list_(U8))}), "row 1: "),
    "a pixel missing in a list": (
        lambda s: pa.table({"image": [[0] * 783 + [None]]}),
        "a value is missing in the column image",
    ),
    "two columns of lists": (
        lambda s: pa.table({"before": [[0] * 784], "after": [[0] * 784]}),
        r"found several \(before, after\); call the one to read image",
    ),
    "numbered columns without a label": (
        lambda s: pa.table({f"V{i}": [0] for i in range(785)}),
        "unclear which has the labels; name it label",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_other_tables_are_refused(tmp_path, sample, make, message):
    path = write(tmp_path / "bad.parquet", make(sample))
    with pytest.raises(FormatError, match=message) as error:
        load_images(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


# Damaged files.

MUTATED_FORMS = ("lists of lists", "a tensor", "fractions", "categories of words", "ClassLabel")
_CONTENTS: dict[str, bytes] = {}


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, form=st.sampled_from(MUTATED_FORMS))
def test_a_mutated_file_is_read_or_refused_and_nothing_else(tmp_path, sample, mutations, form):
    path = tmp_path / "mutated.parquet"
    if form not in _CONTENTS:
        few = LabelledImages(sample.images[:5], sample.labels[:5])
        _CONTENTS[form] = write(path, FORMS[form](few)).read_bytes()
    path.write_bytes(mutated(_CONTENTS[form], mutations))
    refused, found = None, None
    try:
        found = read_parquet([path])
    except FormatError as error:
        refused = str(error)
    if found is None:
        assert str(path) in refused
        assert "\n" not in refused
    else:
        assert found.images.shape[1:] == (28, 28)
        assert found.labels is None or len(found.labels) == len(found.images)
