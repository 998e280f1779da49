"""Digits in boxes on photos, as COCO and YOLO have them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnist_svm import Dataset, Recognizer, load_dataset
from mnist_svm.datasets.load import load_images
from mnist_svm.exceptions import FormatError
from mnist_svm.pictures import decode
from tests.support.mutation import MUTATIONS, assert_read_or_refused, fuzzed, mutated

N = 48
# Width and height of the pages, digits on each, and their size.
WIDTH, HEIGHT, PER_PAGE, SIDE = 420, 240, 24, 40

Box = tuple[float, float, float, float]


class Pages:
    """Digits of MNIST on pages of paper, dark on bright, with the boxes around their ink."""

    def __init__(self, dataset: Dataset) -> None:
        random = np.random.default_rng(0)
        self.labels = dataset.labels[:N].tolist()
        self.pages, self.boxes = [], []
        for start in range(0, N, PER_PAGE):
            ink = np.zeros((HEIGHT, WIDTH))
            boxes: list[Box] = []
            for place, image in enumerate(dataset.images[start : start + PER_PAGE]):
                rows, columns = (np.flatnonzero(image.max(axis)) for axis in (1, 0))
                digit = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                width = max(4, SIDE * digit.shape[1] // digit.shape[0] * 3 // 4)
                digit = np.asarray(Image.fromarray(digit).resize((width, SIDE)))
                left, top = 20 + 50 * (place % 8), 20 + 70 * (place // 8)
                ink[top : top + SIDE, left : left + width] = digit
                boxes.append((left, top, left + width, top + SIDE))
            paper = 220 - 170 * ink / 255 + random.normal(0, 4, ink.shape)
            self.pages.append(np.clip(paper, 0, 255).astype(np.uint8))
            self.boxes.append(boxes)

    def write(self, folder: Path, *, names: str = "page{}.png") -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        files = [names.format(index) for index in range(len(self.pages))]
        for file, page in zip(files, self.pages, strict=True):
            Image.fromarray(page).save(folder / file)
        return files


def grown(box: Box, part: float) -> Box:
    margin = part * max(box[2] - box[0], box[3] - box[1])
    return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin


@pytest.fixture(scope="module")
def pages(test_set: Dataset) -> Pages:
    return Pages(test_set)


@pytest.fixture(scope="module")
def model() -> Recognizer:
    return Recognizer.load()


def coco(pages: Pages, files: list[str], part: float = 0) -> dict[str, Any]:
    content: dict[str, Any] = {
        "info": {},
        "images": [
            {"id": index, "file_name": file, "width": WIDTH, "height": HEIGHT}
            for index, file in enumerate(files)
        ],
        "categories": [
            {"id": 0, "name": "digits", "supercategory": "none"},
            *({"id": 1 + k, "name": str(k), "supercategory": "digits"} for k in range(10)),
        ],
        "annotations": [],
    }
    labels = iter(pages.labels)
    for index, boxes in enumerate(pages.boxes[: len(files)]):
        for box in boxes:
            left, top, right, bottom = grown(box, part)
            bbox = [left, top, right - left, bottom - top]
            label = {"image_id": index, "category_id": 1 + next(labels), "bbox": bbox}
            content["annotations"].append({"id": len(content["annotations"]), **label})
    return content


def yolo(pages: Pages, part: float = 0) -> list[str]:
    labels, texts = iter(pages.labels), []
    for boxes in pages.boxes:
        lines = []
        for box in boxes:
            left, top, right, bottom = grown(box, part)
            sides = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
            parts = [x / y for x, y in zip(sides, (WIDTH, HEIGHT) * 2, strict=True)]
            lines.append(f"{next(labels)} " + " ".join(f"{x:.6f}" for x in parts))
        texts.append("\n".join(lines) + "\n")
    return texts


def write_yolo(photos: Path, boxes: Path, pages: Pages, part: float = 0) -> None:
    files = pages.write(photos)
    boxes.mkdir(parents=True, exist_ok=True)
    for file, text in zip(files, yolo(pages, part), strict=True):
        (boxes / file).with_suffix(".txt").write_text(text)


NAMES = "names: ['0','1','2','3','4','5','6','7','8','9']\nnc: 10\n"


@pytest.mark.parametrize("part", [0, 0.05, 0.2, 0.3], ids=["tight", "close", "wide", "wider"])
@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_digits_in_tight_and_wide_boxes_are_read_well(tmp_path, pages, model, form, part):
    if form == "coco":
        content = coco(pages, pages.write(tmp_path), part)
        (tmp_path / "_annotations.coco.json").write_text(json.dumps(content))
    else:
        write_yolo(tmp_path / "images", tmp_path / "labels", pages, part)
        (tmp_path / "data.yaml").write_text(NAMES)
    dataset = load_dataset(tmp_path)
    assert dataset.labels.tolist() == pages.labels
    assert not dataset.class_names
    assert (model.classify(dataset.images).labels == pages.labels).sum() >= N - 1


# Folders.


def roboflow(folder: Path, pages: Pages) -> None:
    for split in ("train", "valid", "test"):
        content = coco(pages, pages.write(folder / split))
        (folder / split / "_annotations.coco.json").write_text(json.dumps(content))


def coco_folders(folder: Path, pages: Pages) -> None:
    (folder / "annotations").mkdir()
    for split in ("train", "val", "test"):
        content = coco(pages, pages.write(folder / f"{split}2017"))
        name = f"instances_{split}2017.json"
        (folder / "annotations" / name).write_text(json.dumps(content))


def ultralytics(folder: Path, pages: Pages) -> None:
    for split in ("train", "val", "test"):
        write_yolo(folder / "images" / split, folder / "labels" / split, pages)
    (folder / "data.yaml").write_text(f"path: .\ntrain: images/train\n{NAMES}")


def roboflow_yolo(folder: Path, pages: Pages) -> None:
    for split in ("train", "valid", "test"):
        write_yolo(folder / split / "images", folder / split / "labels", pages)
    (folder / "data.yaml").write_text(NAMES)


FOLDERS = [roboflow, coco_folders, ultralytics, roboflow_yolo]


@pytest.mark.parametrize("write", FOLDERS)
def test_splits_are_parts_and_the_validation_set_is_left_out(tmp_path, pages, write):
    write(tmp_path, pages)
    for split in ("train", "test"):
        dataset = load_dataset(tmp_path, split=split)
        assert dataset.labels.tolist() == pages.labels
        assert any("validation set" in notice for notice in dataset.notices)


@pytest.mark.parametrize("name", ["_annotations.coco.json", "anything"])
def test_a_file_of_coco_is_read_by_itself(tmp_path, pages, name):
    (tmp_path / name).write_text(json.dumps(coco(pages, pages.write(tmp_path / "images"))))
    assert load_dataset(tmp_path / name).labels.tolist() == pages.labels


def test_the_keys_of_coco_may_be_in_any_order(tmp_path, pages):
    content = {"version": "1.0", "year": 2024} | coco(pages, pages.write(tmp_path))
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    assert load_dataset(tmp_path).labels.tolist() == pages.labels


def test_files_of_boxes_beside_the_photos_are_read(tmp_path, pages):
    write_yolo(tmp_path, tmp_path, pages)
    (tmp_path / "classes.txt").write_text("\n".join("0123456789"))
    assert load_dataset(tmp_path).labels.tolist() == pages.labels


def test_a_photo_is_decoded_once(tmp_path, pages, monkeypatch):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    calls = []
    original = decode.decode
    monkeypatch.setattr(decode, "decode", lambda *a, **k: calls.append(a) or original(*a, **k))
    load_dataset(tmp_path)
    assert len(calls) == len(pages.pages)


SPELLINGS = {
    "a list": "names: [zero, 'one', \"two\"]",
    "a list in lines": "names:\n- zero\n- 'one'\n- \"two\"\nnc: 3",
    "an indented list": "nc: 3\nnames:\n  - zero  # 0\n\n  # more\n  - one\n  - two\ntrain: x",
    "a mapping": "path: ..\nnames:\n  0: zero\n  1: one\n  2: 'two'\ndownload: null\n",
    "a mapping in one line": "names: {0: zero, 1: one, 2: two}",
    "a list over lines": "names: [\n  zero,  # 0\n  one,\n  two ]\n",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_the_names_of_classes_are_those_of_the_yaml_file(tmp_path, pages, text):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    for path in (tmp_path / "labels").iterdir():
        path.write_text("1 0.1 0.2 0.1 0.2\n2 0.3 0.2 0.1 0.2\n")
    (tmp_path / "data.yaml").write_text(text.replace("zero", "cat").replace("two", "dog's"))
    if "'two'" in text:
        (tmp_path / "data.yaml").write_text(text.replace("zero", "cat").replace("two", "dog''s"))
    dataset = load_dataset(tmp_path)
    assert set(dataset.labels.tolist()) == {1, 2} or dataset.class_names
    named = {dataset.class_names.get(k, str(k)) for k in set(dataset.labels.tolist())}
    assert "dog's" in named


def test_without_names_the_codes_are_numbers_and_this_is_said(tmp_path, pages):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    dataset = load_dataset(tmp_path)
    assert any("no names of classes (data.yaml)" in notice for notice in dataset.notices)


def test_outlines_have_boxes_around_them(tmp_path, pages):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    before = load_images(tmp_path)
    for path in (tmp_path / "labels").iterdir():
        lines = []
        for line in path.read_text().splitlines():
            code, *values = line.split()
            x, y, w, h = map(float, values)
            xs, ys = (x - w / 2, x + w / 2), (y - h / 2, y + h / 2)
            corners = [xs[0], ys[0], xs[1], ys[0], xs[1], ys[1], xs[0], ys[1]]
            lines.append(" ".join([code, *(f"{v:.7f}" for v in corners)]))
        path.write_text("\n".join(lines))
    dataset = load_dataset(tmp_path)
    assert any("outlines" in notice for notice in dataset.notices)
    assert (dataset.images != before).any(axis=(1, 2)).sum() <= 3


def test_crowds_and_boxes_without_width_are_left_out_and_said(tmp_path, pages):
    content = coco(pages, pages.write(tmp_path))
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["bbox"][2] = 0.5
    (tmp_path / "a.json").write_text(json.dumps(content))
    dataset = load_dataset(tmp_path / "a.json")
    assert dataset.labels.tolist() == pages.labels[2:]
    said = "; ".join(dataset.notices)
    assert "1 boxes of crowds" in said
    assert "a box of less than 3 pixels, left out; the first is" in said


def test_a_box_somewhat_out_of_the_photo_is_cut(tmp_path, pages):
    content = coco(pages, pages.write(tmp_path))
    content["annotations"][0]["bbox"] = [-1, -1, 60, 80]
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert len(load_dataset(tmp_path / "a.json").labels) == N


# Wrong files.


def set_box(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["annotations"][1].update(values)


def set_image(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["images"][0].update(values)


BAD_COCO = {
    "a missing photo": (set_image(file_name="no.png"), "no photo no.png"),
    "a way out": (set_image(file_name="../a.png"), r"without \.\., found ../a.png"),
    "no name": (set_image(file_name=None), "expected the file_name of a photo.* found None"),
    "another size": (set_image(width=HEIGHT, height=WIDTH), "expected a photo of 240 x 420"),
    "two photos with one id": (set_image(id=1), r"images\[1\]: expected an id of its own"),
    "an unknown photo": (set_box(image_id=99), r"annotations\[1\]: .* found image_id 99"),
    "an unknown category": (set_box(category_id=99), r"annotations\[1\]: .* category_id 99"),
    "a word for a category": (set_box(category_id="7"), r"annotations\[1\]: category_id: "),
    "a box far out": (set_box(bbox=[400, 0, 60, 60]), r"annotations\[1\]: expected a box in page0"),
    "a negative width": (set_box(bbox=[9, 9, -5, 5]), r"annotations\[1\]: expected a box, found"),
    "a turned box": (set_box(bbox=[9, 9, 5, 5, 45]), r"annotations\[1\]: .* not turned"),
    "no box": (set_box(bbox=None), r"annotations\[1\]: expected a bbox .* found None"),
    "nan": (set_box(bbox=[0, 0, float("nan"), 9]), r"annotations\[1\]: expected a bbox"),
    "a huge number": (set_box(bbox=[0, 0, 10**400, 9]), r"annotations\[1\]: expected a bbox"),
    "no list": (lambda content: content.update(annotations={}), "a list of objects called annot"),
    "no boxes": (lambda content: content.update(annotations=[]), "no boxes of digits in it"),
}


@pytest.mark.parametrize(("change", "message"), BAD_COCO.values(), ids=BAD_COCO)
def test_a_wrong_file_of_coco_is_refused(tmp_path, pages, change, message):
    content = coco(pages, pages.write(tmp_path))
    change(content)
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(FormatError, match=message) as error:
        load_dataset(tmp_path / "a.json")
    assert str(error.value).startswith(f"{tmp_path / 'a.json'}: ")
    assert "\n" not in str(error.value)


def test_a_truncated_file_of_coco_is_refused(tmp_path, pages):
    text = json.dumps(coco(pages, pages.write(tmp_path)))
    (tmp_path / "a.json").write_text(text[:-100])
    with pytest.raises(FormatError, match="damaged or truncated text"):
        load_dataset(tmp_path)


BAD_YOLO = {
    "four values": ("1 0.5 0.5 0.1", "line 2: expected a class, centre, .* found 4 values"),
    "a confidence": ("1 0.5 0.5 0.1 0.1 0.9", "line 2: expected .* found 6 values"),
    "pixels": ("1 100 50 20 40", "line 2: expected parts of the photo's sides .* found 100"),
    "far out": ("1 0.99 0.5 0.2 0.1", "line 2: expected a box in page0.png"),
    "a negative width": ("1 0.5 0.5 -0.2 0.1", "line 2: expected a box, found"),
    "an unknown class": ("10 0.5 0.5 0.1 0.1", "line 2: expected one of the 10 classes, 0 to 9"),
    "a word": ("seven 0.5 0.5 0.1 0.1", "line 2: expected one of the 10 classes"),
    "no number": ("1 0.5 0.5 0.1 x", "line 2: expected parts .* found x"),
    "nan": ("1 0.5 0.5 0.1 nan", "line 2: expected parts .* found nan"),
}


@pytest.mark.parametrize(("line", "message"), BAD_YOLO.values(), ids=BAD_YOLO)
def test_a_wrong_line_of_yolo_is_refused(tmp_path, pages, line, message):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    (tmp_path / "data.yaml").write_text(NAMES)
    path = tmp_path / "labels" / "page0.txt"
    first, _, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first, line, *rest]))
    with pytest.raises(FormatError, match=message) as error:
        load_dataset(tmp_path)
    assert str(error.value).startswith(f"{path}: ")


def test_boxes_without_a_photo_are_refused(tmp_path, pages):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    (tmp_path / "images" / "page1.png").unlink()
    with pytest.raises(FormatError, match=r"labels/page1.txt: no photo page1 in "):
        load_dataset(tmp_path)


def test_a_damaged_photo_is_refused(tmp_path, pages):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    (tmp_path / "images" / "page1.png").write_bytes(b"text")
    with pytest.raises(FormatError, match=r"page1.txt: line 1: .*page1.png: not a picture"):
        load_dataset(tmp_path)


BAD_NAMES = {
    "another number": ("names: [a, b]\nnc: 3", "expected 3 names, as nc declares, found 2"),
    "a word": ("names: seven", "expected a list of names.* found seven"),
    "an alias": ("names: *other", "expected a list of names"),
    "nothing": ("names:\nnc: 10", "expected a list of names"),
    "not closed": ("names: [a, b", "expected a list of names"),
    "lists in lists": ("names: [[a], b]", "expected a list of names"),
    "a code twice": ("names: {0: a, 0: b}", "expected a list of names"),
    "list and mapping": ("names:\n - a\n 1: b\n", "expected a list of names"),
}


@pytest.mark.parametrize(("text", "message"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_names_that_are_not_understood_are_refused(tmp_path, pages, text, message):
    write_yolo(tmp_path / "images", tmp_path / "labels", pages)
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(FormatError, match=message) as error:
        load_dataset(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'data.yaml'}: ")


@pytest.fixture
def two_digits(tmp_path, pages):
    page = Image.fromarray(pages.pages[0][:80, :120])
    for folder in ("a", "a/images", "a/labels"):
        (tmp_path / folder).mkdir()
    page.save(tmp_path / "a" / "images" / "x.png")
    return tmp_path / "a"


COCO = {
    "images": [{"id": 1, "file_name": "x.png", "width": 120, "height": 80}],
    "annotations": [{"image_id": 1, "category_id": 7, "bbox": [18.0, 18.0, 30.0, 44.0]}] * 2,
    "categories": [{"id": 7, "name": "7"}, {"id": 1, "name": "one"}],
}


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS)
def test_a_mutated_file_of_coco_is_read_or_refused_and_nothing_else(two_digits, mutations):
    path = two_digits / "_annotations.coco.json"
    path.write_bytes(mutated(json.dumps(COCO).encode(), mutations))
    assert_read_or_refused(two_digits)


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, which=st.sampled_from(["boxes", "names"]))
def test_mutated_files_of_yolo_are_read_or_refused_and_nothing_else(two_digits, mutations, which):
    texts = {"boxes": "1 0.3 0.5 0.25 0.55\n7 0.7 0.5 0.25 0.55\n", "names": NAMES}
    contents = {name: text.encode() for name, text in texts.items()}
    contents[which] = mutated(contents[which], mutations)
    (two_digits / "labels" / "x.txt").write_bytes(contents["boxes"])
    (two_digits / "data.yaml").write_bytes(contents["names"])
    assert_read_or_refused(two_digits)
