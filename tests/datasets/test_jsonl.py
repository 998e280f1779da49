"""Lists of pictures and labels: JSON Lines, JSON arrays, metadata of image folders."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_svm import Dataset, load_dataset
from mnist_svm.datasets.formats.jsonl import FIRST_READ
from mnist_svm.datasets.load import load_images
from mnist_svm.exceptions import FormatError
from tests.support.any_shape import png
from tests.support.mutation import MUTATIONS, assert_read_or_refused, fuzzed, mutated

N = 30


@pytest.fixture(scope="module")
def digits(test_set: Dataset) -> Dataset:
    return Dataset("digits", test_set.images[:N], test_set.labels[:N], {})


def write_pictures(folder, digits) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{index:03}.png" for index in range(len(digits.images))]
    for name, image in zip(names, digits.images, strict=True):
        (folder / name).write_bytes(png(image))
    return names


def as_lines(records) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def require_same(dataset, digits):
    np.testing.assert_array_equal(dataset.images, digits.images)
    np.testing.assert_array_equal(dataset.labels, digits.labels)


KEYS = [
    ("image", "label"),
    ("file_name", "class"),
    ("path", "digit"),
    ("filepath", "target"),
    ("img", "text"),
    ("Picture", "Label"),
]


@pytest.mark.parametrize(("picture", "label"), KEYS)
def test_the_usual_names_of_pictures_and_labels_are_known(tmp_path, digits, picture, label):
    names = write_pictures(tmp_path / "pictures", digits)
    records = [
        {"id": index, picture: f"pictures/{name}", label: digit}
        for index, (name, digit) in enumerate(zip(names, digits.labels.tolist(), strict=True))
    ]
    (tmp_path / "list.jsonl").write_text(as_lines(records))
    require_same(load_dataset(tmp_path / "list.jsonl"), digits)


def pairs(digits):
    return zip(digits.images, digits.labels.tolist(), strict=True)


PICTURES = {
    "rows of pixels": lambda image: image.tolist(),
    "one row of pixels": lambda image: image.ravel().tolist(),
    "fractions": lambda image: (image / 255).tolist(),
    "data URL": lambda image: "data:image/png;base64," + base64.b64encode(png(image)).decode(),
}
SPELLINGS = {
    "lines": as_lines,
    "lines with blank ones": lambda records: "\n" + as_lines(records).replace("\n", "\r\n\r\n"),
    "array": json.dumps,
    "indented array": lambda records: json.dumps(records, indent=2),
    "with a byte-order mark": lambda records: "\ufeff" + as_lines(records),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_pictures_in_the_file_itself_are_read(tmp_path, digits, picture, spelling):
    records = [{"image": picture(image), "label": label} for image, label in pairs(digits)]
    (tmp_path / "list").write_bytes(spelling(records).encode())
    require_same(load_dataset(tmp_path / "list"), digits)


def test_records_longer_than_a_block_are_read(tmp_path, digits):
    padding = "x" * FIRST_READ
    records = [
        {"note": padding * (index % 3), "image": image.tolist(), "label": label}
        for index, (image, label) in enumerate(pairs(digits))
    ]
    (tmp_path / "list.json").write_text(json.dumps(records))
    require_same(load_dataset(tmp_path / "list.json"), digits)


@pytest.mark.parametrize("label", [str, float, lambda digit: f"{digit}.0"])
def test_labels_may_be_numbers_of_any_spelling(tmp_path, digits, label):
    records = [{"image": image.tolist(), "label": label(digit)} for image, digit in pairs(digits)]
    (tmp_path / "list.jsonl").write_text(as_lines(records))
    require_same(load_dataset(tmp_path / "list.jsonl"), digits)


def test_words_are_classes(tmp_path, digits):
    records = [
        {"image": image.tolist(), "label": "even" if digit % 2 == 0 else "odd"}
        for image, digit in pairs(digits)
    ]
    (tmp_path / "list.jsonl").write_text(as_lines(records))
    dataset = load_dataset(tmp_path / "list.jsonl")
    assert dict(dataset.class_names) == {0: "even", 1: "odd"}
    np.testing.assert_array_equal(dataset.labels, digits.labels % 2)


def test_a_list_without_labels_has_images(tmp_path, digits):
    (tmp_path / "list.jsonl").write_text(as_lines({"image": x.tolist()} for x in digits.images))
    np.testing.assert_array_equal(load_images(tmp_path / "list.jsonl"), digits.images)


# Folders.


@pytest.mark.parametrize("name", ["train.jsonl", "my_train.ndjson", "train.json"])
def test_lists_of_the_splits_in_a_folder_are_its_parts(tmp_path, digits, name):
    names = write_pictures(tmp_path / "pictures", digits)
    records = [
        {"path": f"pictures/{file}", "label": label}
        for file, label in zip(names, digits.labels.tolist(), strict=True)
    ]
    spell = json.dumps if name.endswith("json") and "nd" not in name else as_lines
    (tmp_path / name).write_text(spell(records))
    (tmp_path / name.replace("train", "test")).write_text(spell(records[:7]))
    require_same(load_dataset(tmp_path), digits)
    assert len(load_dataset(tmp_path, split="test").labels) == 7


def write_metadata(folder, digits, name):
    names = write_pictures(folder, digits)
    rows = list(zip(names, digits.labels.tolist(), strict=True))
    lines = [f"{file},{label}" for file, label in rows]
    text = {
        "metadata.jsonl": as_lines({"file_name": file, "label": label} for file, label in rows),
        "metadata.csv": "\n".join(["file_name,label", *lines]),
    }
    (folder / name).write_text(text[name])


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_the_metadata_of_an_image_folder_are_read(tmp_path, digits, name):
    write_metadata(tmp_path, digits, name)
    require_same(load_dataset(tmp_path), digits)


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_the_metadata_of_an_image_folder_with_splits_are_read(tmp_path, digits, name):
    for split in ("train", "test"):
        write_metadata(tmp_path / split, digits, name)
        require_same(load_dataset(tmp_path, split=split), digits)


def test_a_table_of_paths_and_labels_is_read(tmp_path, digits):
    names = write_pictures(tmp_path / "train", digits)
    lines = [f"{name},{label}" for name, label in zip(names, digits.labels, strict=True)]
    (tmp_path / "train.csv").write_text("\n".join(["filename,label", *lines]))
    require_same(load_dataset(tmp_path), digits)


# Wrong lists.

IMAGE = np.zeros((28, 28), int).tolist()
BAD = {
    "a missing picture": ({"image": "no.png", "label": 1}, "line 2: no picture no.png in "),
    "a way out": ({"image": "../7.png", "label": 1}, r"line 2: ../7.png: .* without \.\."),
    "a way out on Windows": ({"image": "a\\..\\..\\7.png", "label": 1}, r"without \.\."),
    "a null character": ({"image": "a\0.png", "label": 1}, r"line 2: no picture a\?.png"),
    "a long name": ({"image": "a" * 9999, "label": 1}, "line 2: no picture aaa"),
    "a web address": ({"image": "https://host/7.png", "label": 1}, "download the pictures"),
    "no picture": ({"image": None, "label": 1}, "line 2: expected the path of a picture"),
    "a number": ({"image": 7, "label": 1}, "line 2: expected the path .* found 7"),
    "no base64": ({"image": "data:image/png;base64,???", "label": 1}, "not valid base64"),
    "no picture in base64": ({"image": "data:image/png;base64,AAAA", "label": 1}, "not a picture"),
    "a small picture": ({"image": [[0, 1], [2, 3]], "label": 1}, "line 2: expected 28 x 28 pixels"),
    "rows of several lengths": ({"image": [[0], [1, 2]], "label": 1}, "expected 28 x 28 pixels"),
    "words for pixels": ({"image": ["0"] * 784, "label": 1}, "expected 28 x 28 pixels"),
    "a bright pixel": ({"image": [0] * 783 + [256], "label": 1}, "line 2: pixel 784: .* found 256"),
    "no label": ({"image": IMAGE}, "line 2: label: expected a number .* found None"),
    "an empty label": ({"image": IMAGE, "label": ""}, "line 2: label: expected a whole number"),
    "a negative label": ({"image": IMAGE, "label": -1}, "label: expected a whole number"),
    "a part": ({"image": IMAGE, "label": 7.5}, "label: expected a whole number .* found 7.5"),
    "two labels": ({"image": IMAGE, "label": [1, 2]}, "label: expected a number"),
    "truth": ({"image": IMAGE, "label": True}, "label: expected a number .* found True"),
    "no object": ([1, 2], r"line 2: expected a JSON object .* found \[1, 2\]"),
}


@pytest.mark.parametrize(("record", "message"), BAD.values(), ids=BAD)
def test_an_invalid_record_is_refused_with_its_line(tmp_path, record, message):
    (tmp_path / "list.jsonl").write_text(as_lines([{"image": IMAGE, "label": 0}, record]))
    with pytest.raises(FormatError, match=message) as error:
        load_dataset(tmp_path / "list.jsonl")
    assert str(error.value).startswith(f"{tmp_path / 'list.jsonl'}: ")
    assert "\n" not in str(error.value)


BAD_TEXTS = {
    "cut": (as_lines([{"image": IMAGE, "label": 0}])[:-9], "line 1: expected a JSON object"),
    "cut array": (json.dumps([{"image": IMAGE, "label": 0}] * 3)[:-9], "record 3: expected an arr"),
    "no end": (json.dumps([{"image": IMAGE, "label": 0}])[:-1], "after record 1: .* found ''"),
    "two arrays": (json.dumps([{"image": IMAGE, "label": 0}]) * 2, "after record 1: expected"),
    "no comma": ('[{"image": "a"} {"image": "b"}]', "after record 1: expected a comma"),
    "other keys": ('{"name": "a", "age": 3}', "expected a picture, called image.* found name, age"),
    "a dictionary of columns": ('{"x": {"0": 1}}', "line 1: expected a picture"),
    "deep": ('{"image": ' + "[" * 100_000, "line 1: expected a JSON object"),
    "pixels and pictures": (
        as_lines([{"image": IMAGE}, {"image": "data:image/png;base64,"
         + base64.b64encode(png(np.eye(28, dtype=np.uint8) * 255)).decode()}]),
        "line 2: expected all images as pixels or all as pictures",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_other_texts_are_refused(tmp_path, text, message):
    (tmp_path / "list.json").write_text(text)
    with pytest.raises(FormatError, match=message) as error:
        load_images(tmp_path / "list.json")
    assert str(error.value).startswith(f"{tmp_path / 'list.json'}: ")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "list").write_bytes(b'{"image": "\xff\xfe"}')
    with pytest.raises(FormatError, match="expected JSON in UTF-8"):
        load_images(tmp_path / "list")


def test_a_record_without_end_is_refused_in_little_memory(tmp_path):
    with (tmp_path / "list").open("wb") as file:
        file.write(b'{"image": "')
        file.truncate(100 << 20)
    with pytest.raises(FormatError, match="line 1: longer than"):
        load_images(tmp_path / "list")


DIAGONAL = (np.eye(28, dtype=int) * 255).tolist()


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, spelling=st.sampled_from(list(SPELLINGS.values())))
def test_a_mutated_list_is_read_or_refused_and_nothing_else(tmp_path, mutations, spelling):
    records = [{"image": DIAGONAL, "label": 1}, {"image": DIAGONAL, "label": 7}]
    path = tmp_path / "mutated"
    path.write_bytes(mutated(spelling(records).encode(), mutations))
    assert_read_or_refused(path)
