"""Folders as the library of a data hub saves them to disk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_svm import Dataset, load_dataset
from mnist_svm.exceptions import FormatError
from tests.support.any_shape import png
from tests.support.mutation import MUTATIONS, assert_read_or_refused, fuzzed, mutated

N = 30
DIGITS = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def digits(test_set: Dataset) -> Dataset:
    return Dataset("digits", test_set.images[:N], test_set.labels[:N], {})


def table_of(dataset: Dataset) -> pa.Table:
    pictures = [{"bytes": png(image), "path": None} for image in dataset.images]
    return pa.table({"image": pictures, "label": dataset.labels})


def save(folder: Path, table: pa.Table, *, names=(), n_files=1, as_file=False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files = [f"data-{index:05}-of-{n_files:05}.arrow" for index in range(n_files)]
    ends = np.linspace(0, len(table), n_files + 1).astype(int)
    for file, start, end in zip(files, ends[:-1], ends[1:], strict=True):
        new = pa.ipc.new_file if as_file else pa.ipc.new_stream
        with new(str(folder / file), table.schema) as writer:
            writer.write_table(table.slice(start, end - start), max_chunksize=7)
    label = {"names": list(names), "_type": "ClassLabel"} if names else {"dtype": "int64"}
    info = {"features": {"image": {"_type": "Image"}, "label": label}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    state = {"_data_files": [{"filename": file} for file in files], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))


def require_same(dataset, digits):
    np.testing.assert_array_equal(dataset.images, digits.images)
    np.testing.assert_array_equal(dataset.labels, digits.labels)


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("n_files", [1, 3])
@pytest.mark.parametrize("names", [(), DIGITS])
def test_a_saved_data_set_is_read(tmp_path, digits, names, n_files, as_file):
    save(tmp_path, table_of(digits), names=names, n_files=n_files, as_file=as_file)
    dataset = load_dataset(tmp_path)
    require_same(dataset, digits)
    assert not dataset.class_names


def test_splits_are_parts_and_others_are_said(tmp_path, digits):
    for split, n in (("train", N), ("validation", 5), ("test", 9)):
        save(tmp_path / split, table_of(digits).slice(0, n))
    described = json.dumps({"splits": ["train", "validation", "test"]})
    (tmp_path / "dataset_dict.json").write_text(described)
    train = load_dataset(tmp_path)
    require_same(train, digits)
    assert "has the splits validation, which are left out" in train.notices
    assert len(load_dataset(tmp_path, split="test").labels) == 9


def test_the_names_of_classes_are_those_of_the_description(tmp_path, digits):
    names = ["coat", *(f"thing {digit}" for digit in range(1, 10))]
    save(tmp_path, table_of(digits), names=names)
    dataset = load_dataset(tmp_path)
    assert {dataset.class_names[label] for label in dataset.labels} == {
        names[label] for label in digits.labels
    }


def test_lists_of_pixels_are_read(tmp_path, digits):
    save(tmp_path, pa.table({"image": digits.images.tolist(), "label": digits.labels}))
    require_same(load_dataset(tmp_path), digits)


def test_one_arrow_file_is_read(tmp_path, digits):
    save(tmp_path, table_of(digits))
    require_same(load_dataset(tmp_path / "data-00000-of-00001.arrow"), digits)


# Wrong folders.


def state(folder: Path, **values: object) -> None:
    path = folder / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


BAD = {
    "a missing file": (
        lambda folder: (folder / "data-00000-of-00001.arrow").unlink(),
        "state.json: no file data-00000-of-00001.arrow beside it",
    ),
    "a way out": (
        lambda folder: state(folder, _data_files=[{"filename": "../a.arrow"}]),
        "state.json: expected the names of files beside it",
    ),
    "no files": (lambda folder: state(folder, _data_files=[]), "expected the names of files"),
    "a selection": (
        lambda folder: state(folder, _indices_data_files=[{"filename": "a"}]),
        r"a selection of rows; save it again, as flatten_indices\(\) returns it",
    ),
    "no JSON": (
        lambda folder: (folder / "state.json").write_text("{"),
        "state.json: expected a description in JSON",
    ),
    "no object": (
        lambda folder: (folder / "state.json").write_text("[1]"),
        r"state.json: expected a JSON object, found \[1\]",
    ),
    "no Arrow": (
        lambda folder: (folder / "data-00000-of-00001.arrow").write_text("text"),
        "arrow: damaged Parquet file",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_a_wrong_folder_is_refused(tmp_path, digits, change, message):
    save(tmp_path, table_of(digits))
    change(tmp_path)
    with pytest.raises(FormatError, match=message) as error:
        load_dataset(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("part", [0.2, 0.9])
def test_a_truncated_arrow_file_is_refused(tmp_path, digits, part, as_file):
    save(tmp_path, table_of(digits), as_file=as_file)
    path = tmp_path / "data-00000-of-00001.arrow"
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(FormatError, match=r"data-00000-of-00001.arrow: damaged Arrow file"):
        load_dataset(tmp_path)


def test_a_stream_that_is_cut_between_two_batches_is_refused(tmp_path, digits):
    save(tmp_path, table_of(digits))
    path = tmp_path / "data-00000-of-00001.arrow"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(FormatError, match="truncated: no end marker"):
        load_dataset(tmp_path)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> list[bytes]:
    image = np.eye(28, dtype=np.uint8) * 255
    few = Dataset("few", np.stack([image] * 3), np.arange(3), {})
    contents = []
    for table in (table_of(few), pa.table({"image": few.images.tolist(), "label": few.labels})):
        for as_file in (False, True):
            folder = tmp_path_factory.mktemp("small")
            save(folder, table, as_file=as_file)
            contents.append((folder / "data-00000-of-00001.arrow").read_bytes())
    return contents


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, index=st.integers(0, 3))
def test_a_mutated_arrow_file_is_read_or_refused_and_nothing_else(
    tmp_path, small, index, mutations
):
    path = tmp_path / "mutated"
    path.write_bytes(mutated(small[index], mutations))
    assert_read_or_refused(path)
