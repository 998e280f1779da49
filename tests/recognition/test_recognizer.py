"""Every kind of input that `read`, `read_page` and `classify` take, and the form of answers."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from mnist_svm import DigitReading, Recognizer, decode
from mnist_svm.exceptions import FormatError, PictureError, TooLargeError
from mnist_svm.recognition.recognizer import prepare_reading
from tests.support.paths import DIGITS, ROOT

PATH = DIGITS[7]
DATA = PATH.read_bytes()
GREY = np.asarray(Image.open(PATH))
RGB = np.stack([GREY] * 3, axis=2)
PAPER = 255 - np.kron(GREY, np.ones((8, 8), np.uint8))

# Sources of one picture of a seven, with the names of the readings.
SINGLE = {
    "path": (lambda: PATH, str(PATH)),
    "str": (lambda: str(PATH), str(PATH)),
    "bytes": (lambda: DATA, "<bytes>"),
    "bytearray": (lambda: bytearray(DATA), "<bytearray>"),
    "memoryview": (lambda: memoryview(DATA), "<memoryview>"),
    "open file": (lambda: io.BufferedReader(io.FileIO(PATH)), str(PATH)),
    "BytesIO": (lambda: io.BytesIO(DATA), "<BytesIO>"),
    "Pillow image": (lambda: Image.fromarray(GREY), "<image>"),
    "opened image": (lambda: Image.open(PATH), str(PATH)),
    "decoded picture": (lambda: decode(DATA), "<Picture>"),
    "grey": (lambda: GREY, "<array>"),
    "dark on light": (lambda: 255 - GREY, "<array>"),
    "large": (lambda: PAPER, "<array>"),
    "grey, one channel": (lambda: GREY[..., None], "<array>"),
    "grey and alpha": (lambda: np.dstack([255 - GREY, np.full_like(GREY, 255)]), "<array>"),
    "RGB": (lambda: RGB, "<array>"),
    "RGBA": (lambda: np.dstack([RGB, np.full_like(GREY, 255)]), "<array>"),
    "bool": (lambda: GREY > 100, "<array>"),
    "uint16": (lambda: GREY.astype(np.uint16) * 257, "<array>"),
    "int64": (lambda: GREY.astype(np.int64), "<array>"),
    "floats 0-1": (lambda: GREY / 255, "<array>"),
    "floats 0-255": (lambda: GREY.astype(np.float32), "<array>"),
}

# Sources of two pictures of a seven.
SEVERAL = {
    "list": lambda: [PATH, DATA],
    "tuple of kinds": lambda: (Image.fromarray(GREY), RGB / 255),
    "generator": lambda: (source for source in (GREY, PATH)),
    "array (n, h, w)": lambda: np.stack([GREY, GREY]),
    "array (n, h, w, 3)": lambda: np.stack([RGB, RGB]),
    "array of names": lambda: iter(np.array([str(PATH), str(PATH)])),
}


def tight_crop(label: int, paper: int) -> np.ndarray:
    """A bold digit of 16 x 16 pixels and two levels, without a margin."""
    image = np.asarray(Image.open(DIGITS[label]).convert("L"))
    rows, columns = (np.flatnonzero((image > 100).any(axis=axis)) for axis in (1, 0))
    digit = Image.fromarray(image).crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    ink = np.asarray(digit.resize((16, 16), Image.Resampling.BICUBIC)) > 60
    return np.where(ink, 255 - paper, paper).astype(np.uint8)


# What is not a picture of a digit, with the error of its reading.
REFUSED = {
    "text": (lambda: "7", "7: No such file"),
    "text as bytes": (lambda: b"7", "<bytes>: not a picture in a supported format"),
    "None": (lambda: None, "<NoneType>: expected a path, .*, found NoneType"),
    "number": (lambda: 7, "<int>: expected a path, .*, found int"),
    "text file": (lambda: io.StringIO("7"), "<StringIO>: file opened as text"),
    "object array": (lambda: np.full((28, 28), None), "<array>: array of object, expected"),
    "nan": (lambda: np.full((28, 28), np.nan), "<array>: grey levels are not finite"),
    "one row of pixels": (lambda: GREY.ravel(), r"<array>: array of shape \(784,\), expected"),
    "five channels": (lambda: np.zeros((28, 28, 5)), r"<array>: array of shape \(28, 28, 5\)"),
    "damaged": (lambda: DATA[:200], "<bytes>: damaged picture"),
    "blank": (lambda: np.zeros((28, 28)), "<array>: blank picture"),
}


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer.load()


# --- read and read_page ------------------------------------------------------------------


@pytest.mark.parametrize("kind", SINGLE)
def test_a_single_source_gives_a_single_reading(recognizer, kind):
    make, name = SINGLE[kind]
    reading = recognizer.read(make())
    assert (reading.label, reading.file, reading.error) == (7, name, None)
    page = recognizer.read_page(make())
    assert (page.text, page.file, page.error) == ("7", name, None)


@pytest.mark.parametrize("kind", SEVERAL)
def test_an_iterable_gives_an_iterator_in_order(recognizer, kind):
    readings, pages = recognizer.read(SEVERAL[kind]()), recognizer.read_page(SEVERAL[kind]())
    assert isinstance(readings, Iterator)
    assert isinstance(pages, Iterator)
    assert [reading.label for reading in readings] == [7, 7]
    assert [page.text for page in pages] == ["7", "7"]


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_is_an_error_of_its_reading(recognizer, kind):
    make, message = REFUSED[kind]
    for reading in (recognizer.read(make()), recognizer.read_page(make())):
        with pytest.raises(PictureError, match=f"^{message}") as caught:
            _ = reading.label if isinstance(reading, DigitReading) else reading.text
        assert str(caught.value) == f"{reading.file}: {reading.error}"
        assert "\n" not in reading.error


def test_a_folder_stands_for_its_pictures(recognizer):
    readings = list(recognizer.read(ROOT / "images_test"))
    assert [reading.label for reading in readings] == list(range(10))
    assert [reading.file for reading in readings] == [str(path) for path in DIGITS]
    first, *others = recognizer.read([ROOT / "images_test", GREY])
    assert (first.label, len(others), others[-1].label) == (0, 10, 7)


def test_an_unreadable_picture_does_not_stop_the_others(recognizer):
    readings = list(recognizer.read([b"", PATH, None]))
    assert [reading.error is None for reading in readings] == [False, True, False]
    assert readings[1].label == 7


def test_no_pictures_give_no_readings(recognizer):
    assert list(recognizer.read([])) == list(recognizer.read(np.empty((0, 28, 28)))) == []


def test_the_library_reads_with_the_shipped_model_in_any_folder(monkeypatch, tmp_path, recognizer):
    (tmp_path / "mnist-svm.joblib").write_bytes(b"another model")
    monkeypatch.chdir(tmp_path)
    assert Recognizer.load().model.info == recognizer.model.info


# --- classify ----------------------------------------------------------------------------

MNIST = np.stack([np.asarray(Image.open(path)) for path in DIGITS])


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x,
        lambda x: x.reshape(10, 784),
        lambda x: x[..., None],
        lambda x: x[:, None],
        lambda x: list(x),
        lambda x: x / 255,
        lambda x: (x / 255).astype(np.float32),
        lambda x: x.astype(float),
        lambda x: x.astype(np.int64),
    ],
)
def test_images_of_all_types_and_shapes_are_classified_alike(recognizer, convert):
    readings = recognizer.classify(convert(MNIST))
    assert readings.labels.tolist() == list(range(10))
    np.testing.assert_allclose(
        readings.probabilities, recognizer.classify(MNIST).probabilities, atol=1e-4
    )


def test_images_of_16_bits_and_of_2_levels_are_classified(recognizer):
    wide = recognizer.classify(MNIST.astype(np.uint16) * 257, range="0-65535")
    assert wide.labels.tolist() == list(range(10))
    assert recognizer.classify(MNIST > 100).labels.tolist() == list(range(10))


def test_one_image_is_classified(recognizer):
    assert recognizer.classify(MNIST[3]).labels.tolist() == [3]
    assert recognizer.classify(MNIST[3].ravel()).labels.tolist() == [3]


@pytest.mark.parametrize(
    ("convert", "message"),
    [
        (lambda x: 255 - x, "expected bright ink .* subtract from 255"),
        (lambda x: x / 255 * 1.5, "state the range"),
        (lambda x: x / 127.5 - 1, "expected values from 0"),
        (lambda x: x.astype(np.uint16) * 257, "0-65535"),
        (lambda x: np.where(x, x, np.nan), "found nan"),
        (lambda x: x.astype(str), "expected numbers"),
        (lambda x: np.stack([x] * 3, axis=3), r"found \(10, 28, 28, 3\)"),
        (lambda x: np.kron(x[0], np.ones((10, 10))), r"found \(280, 280\)"),
        (lambda x: None, "expected"),
    ],
)
def test_images_that_are_not_in_mnist_form_are_refused(recognizer, convert, message):
    with pytest.raises(FormatError, match=message) as caught:
        recognizer.classify(convert(MNIST))
    assert "\n" not in str(caught.value)


# --- readings ----------------------------------------------------------------------------


def test_a_reading_has_the_probabilities_of_all_classes(recognizer):
    reading = recognizer.read(PATH)
    np.testing.assert_array_equal(reading.classes, np.arange(10))
    assert reading.probabilities.sum() == pytest.approx(1)
    assert reading.top(99) == recognizer.classify(MNIST[7]).top(0, 10)
    assert reading.top() == [(7, reading.confidence)]
    assert reading.confidence == reading.probabilities[7] == reading.probabilities.max()
    np.testing.assert_array_equal(reading.image, GREY)


def test_readings_cannot_be_changed(recognizer):
    for reading in (recognizer.read(PATH), recognizer.read_page(PATH)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            reading.file = "another"


def test_the_answer_as_json_types(recognizer):
    reading = recognizer.read(PATH)
    answer = reading.to_dict(top=2, image=True)
    assert json.loads(json.dumps(answer)) == answer
    assert answer == {
        "file": str(PATH),
        "label": 7,
        "confidence": reading.confidence,
        "rejected": False,
        "top": [{"label": label, "confidence": p} for label, p in reading.top(2)],
        "probabilities": reading.probabilities.tolist(),
        "image": GREY.tolist(),
    }
    assert reading.to_dict(names={7: "seven"})["name"] == "seven"
    rejected = reading.to_dict(reject_below=1, names={7: "seven"})
    assert (rejected["label"], rejected["rejected"]) == (None, True)
    assert rejected["top"][0]["label"] == 7
    assert "name" not in rejected


def test_the_answer_for_a_page_as_json_types(recognizer):
    page = recognizer.read_page(PAPER)
    answer = page.to_dict(image=True)
    assert json.loads(json.dumps(answer)) == answer
    (row,) = answer.pop("rows")
    size = {"width": 224, "height": 224}
    assert answer == {"file": "<array>", **size, "text": "7", "tables": []}
    (digit,) = page.digits
    (number,) = page.numbers
    assert row == {
        "text": "7",
        "numbers": [
            {
                "text": "7",
                "confidence": number.confidence,
                "rejected": False,
                "box": number.box.to_dict(),
            }
        ],
        "digits": [
            {
                "label": 7,
                "confidence": digit.confidence,
                "rejected": False,
                "box": digit.box.to_dict(),
                "probabilities": digit.probabilities.tolist(),
                "image": digit.image.tolist(),
            }
        ],
    }
    rejected = page.to_dict(reject_below=1)
    assert (rejected["text"], rejected["rows"][0]["digits"][0]["label"]) == ("?", None)


def test_the_answer_after_an_error_has_no_label(recognizer):
    for reading in (recognizer.read(b"7"), recognizer.read_page(b"7")):
        assert reading.to_dict() == {"file": "<bytes>", "error": reading.error}


def test_a_note_is_part_of_the_answer(recognizer):
    pages = io.BytesIO()
    image = Image.open(PATH)
    image.save(pages, "TIFF", save_all=True, append_images=[image])
    for reading in (recognizer.read(pages.getvalue()), recognizer.read_page(pages.getvalue())):
        assert reading.to_dict()["note"] == "the first of 2 pages"


# --- readings that are prepared first -----------------------------------------------------


def test_a_prepared_reading_is_completed(recognizer):
    prepared = prepare_reading(PATH, file="seven", thumbnail=14)
    with pytest.raises(PictureError, match="seven: prepared, but not classified"):
        _ = prepared.label
    readings = recognizer.classify(prepared.images)
    reading = prepared.with_choice(readings.classes, readings.probabilities)
    assert (reading.label, reading.file, reading.size) == (7, "seven", (28, 28))
    assert reading.thumbnail.shape == (14, 14, 3)


def test_preparing_raises(recognizer):
    with pytest.raises(TooLargeError, match="over the limit of 783"):
        prepare_reading(DATA, max_pixels=783)
    with pytest.raises(PictureError, match="blank picture"):
        prepare_reading(np.zeros((28, 28)))


# --- pictures of which there are several images -------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        (0.5, 0.7, 1),  # odds of 1 and 2.3
        (0.5, 0.6, 0),  # odds of 1 and 1.5
        (0.9, 0.95, 1),  # odds of 9 and 19
        (0.9, 0.93, 0),  # odds of 9 and 13
        (0.9, 0.6, 0),
        (1.0, 1.0, 0),
    ],
)
def test_a_later_candidate_is_chosen_for_twice_the_odds(first, second, chosen):
    candidates = np.stack([GREY, 255 - GREY])
    reading = DigitReading().with_candidates(candidates)
    probabilities = np.array([[first, 1 - first], [1 - second, second]])
    result = reading.with_choice(np.array([3, 7]), probabilities)
    np.testing.assert_array_equal(result.image, candidates[chosen])
    np.testing.assert_array_equal(result.probabilities, probabilities[chosen])


def test_the_surest_of_later_candidates_is_chosen():
    reading = DigitReading().with_candidates(np.stack([GREY, GREY.T, GREY[::-1]]))
    probabilities = np.array([[0.6, 0.4], [0.2, 0.8], [0.99, 0.01]])
    result = reading.with_choice(np.array([3, 7]), probabilities)
    assert (result.label, result.confidence) == (3, 0.99)
    np.testing.assert_array_equal(result.image, GREY[::-1])


def test_one_candidate_is_kept_whatever_its_confidence(recognizer):
    reading = recognizer.read(PATH)
    assert reading.candidates is None
    np.testing.assert_array_equal(reading.images, GREY[np.newaxis])


@pytest.mark.parametrize("label", [0, 3, 5, 9])
@pytest.mark.parametrize("paper", [255, 0])
def test_a_digit_that_fills_its_picture_is_read_in_either_polarity(recognizer, label, paper):
    images = [tight_crop(label, paper), PATH, tight_crop(label, paper)]
    first, seven, last = recognizer.read(images)
    assert (first.label, seven.label, last.label) == (label, 7, label)
    assert len(first.candidates) == 2
    assert any(np.array_equal(first.image, image) for image in first.candidates)


# --- start-up ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        f"from mnist_svm import Recognizer; Recognizer.load().read({str(PATH)!r}).label",
        f"from mnist_svm.cli import cli; cli(['predict', {str(PATH)!r}], standalone_mode=False)",
    ],
)
def test_reading_a_picture_in_mnist_form_imports_nothing_heavy(code, tmp_path):
    code += (
        "\nimport sys\nprint(*(name for name in ('scipy', 'sklearn', 'joblib', 'asyncio')"
        " if name in sys.modules), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stderr.splitlines()[-1] == ""
