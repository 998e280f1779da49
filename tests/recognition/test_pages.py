"""Reading of pages, from Python and with the command `read`."""

from __future__ import annotations

import json
import time
from itertools import chain

import numpy as np
import pytest
from PIL import Image

from mnist_svm import Recognizer
from mnist_svm.exceptions import PictureError
from mnist_svm.models.file import load_model
from mnist_svm.models.locate import SHIPPED, TOUCHING
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.render import render_digit
from mnist_svm.recognition.pages import SPLIT_ROUNDS, PageReader
from mnist_svm.recognition.results import Digit, row_text
from tests.support.drawing import (
    ONE_PIECE_DIGITS,
    PAGE_SHAPE,
    PlacedInk,
    compose_ink,
    in_a_row,
    on_paper,
    scaled_ink,
    touching_pair,
)


@pytest.fixture(scope="module")
def reader():
    return Recognizer.load(SHIPPED)


@pytest.fixture
def digits(test_set):
    return [test_set.images[k] for k in ONE_PIECE_DIGITS]


@pytest.fixture
def number(test_set):
    return "".join(str(test_set.labels[k]) for k in ONE_PIECE_DIGITS)


@pytest.fixture
def sheet(digits):
    """A page with two rows of four digits, and their positions."""
    rows = [
        in_a_row(digits[:4], 60, top=30, left=40, gap=20),
        in_a_row(digits[4:8], 60, top=130, left=40, gap=20),
    ]
    return on_paper(compose_ink(PAGE_SHAPE, chain.from_iterable(rows))), rows


@pytest.fixture
def sheet_file(sheet, tmp_path):
    path = tmp_path / "sheet.png"
    Image.fromarray(sheet[0]).save(path)
    return path


def lines(result) -> list[str]:
    return result.stdout.splitlines()


# --- reading -----------------------------------------------------------------------------


def test_rows_are_read(reader, sheet, number):
    page = reader.read_page(sheet[0])
    assert page.text == f"{number[:4]}\n{number[4:8]}"


def test_boxes_match_the_drawn_digits(reader, sheet):
    grey, placed = sheet
    for read, drawn in zip(reader.read_page(grey).rows, placed, strict=True):
        for digit, part in zip(read, drawn, strict=True):
            sides = (part.top, part.bottom, part.left, part.right)
            np.testing.assert_allclose(digit.box, sides, atol=3)


def test_image_of_a_digit_is_in_mnist_form_and_has_its_label(reader, sheet):
    for digit in reader.read_page(sheet[0]).digits:
        assert digit.image.shape == (28, 28)
        readings = reader.classify(digit.image[None])
        assert readings.labels[0] == digit.label
        assert readings.confidence[0] == pytest.approx(digit.confidence)


@pytest.mark.parametrize(
    "light",
    [0.5 + 0.5 * np.linspace(0, 1, PAGE_SHAPE[1]), 0.5 + 0.5 * np.linspace(1, 0, PAGE_SHAPE[1])],
)
def test_shaded_paper_is_read(reader, digits, number, light):
    cover = compose_ink(PAGE_SHAPE, in_a_row(digits[:8], 60, top=80, left=40, gap=20))
    reading = reader.read_page(on_paper(cover, light=light, grain=3))
    assert reading.text == number[:8]


def test_light_digits_on_a_dark_page_are_read(reader, sheet, number):
    page = reader.read_page(255 - sheet[0])
    assert page.text == f"{number[:4]}\n{number[4:8]}"


def test_a_single_digit_is_read(reader, digits, number):
    for image, label in zip(digits, number, strict=True):
        page = np.pad(scaled_ink(image, 80), 50)
        reading = reader.read_page(on_paper(page))
        assert reading.text == label


@pytest.mark.slow
def test_most_touching_pairs_are_cut_and_read(reader, test_set):
    images, labels = test_set.images[100:140], test_set.labels[100:140]
    right = 0
    for k in range(0, 40, 2):
        both, _ = touching_pair(images[k], images[k + 1])
        reading = reader.read_page(on_paper(np.pad(both, 40)))
        right += reading.text == f"{labels[k]}{labels[k + 1]}"
    assert right >= 16


def test_digits_that_stand_apart_are_not_cut(reader, test_set):
    images, labels = test_set.images[300:380], test_set.labels[300:380]
    right = 0
    for k in range(0, 80, 8):
        cover = compose_ink(PAGE_SHAPE, in_a_row(images[k : k + 8], 50, top=80, left=20, gap=18))
        reading = reader.read_page(on_paper(cover))
        right += reading.text == "".join(map(str, labels[k : k + 8]))
    assert right >= 8


def test_unreadable_pages_do_not_stop_the_others(reader, sheet_file, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("L", (90, 60), 255).save(blank)
    first, second, third = reader.read_page([blank, sheet_file, tmp_path / "none.png"])
    assert "blank picture" in first.error
    assert second.error is None
    assert second.size == PAGE_SHAPE
    assert [len(row) for row in second.rows] == [4, 4]
    assert "No such file" in third.error


def test_joining_neighbours_keeps_all_ink():
    bars = [PlacedInk(np.ones((60, 6), dtype=np.float32), 80, left) for left in (100, 112, 124)]

    def predict_proba(images):
        wide = (images > 128).any(axis=1).sum(axis=1) > 4
        confidence = np.where(wide, 0.99, 0.5)
        return np.stack([confidence, 1 - confidence], axis=1)

    page = PageReader(np.array([0, 1]), predict_proba, lambda images: np.ones(len(images)))
    (row,) = page.read(on_paper(compose_ink(PAGE_SHAPE, bars)))
    assert len(row) == 2
    assert sum(digit.box.width for digit in row) == pytest.approx(6 + 18, abs=2)


def test_each_stage_classifies_all_blobs_in_one_call(reader, sheet):
    sizes = []

    def predict_proba(images):
        sizes.append(len(images))
        return reader.classify(images).probabilities

    PageReader(reader.classes, predict_proba, lambda images: np.zeros(len(images))).read(sheet[0])
    assert sizes[0] == 8
    assert 2 <= len(sizes) <= 2 + SPLIT_ROUNDS


def digit(label: int, left: int, *, confidence: float = 1.0) -> Digit:
    box, image = Box(0, 40, left, left + 20), np.zeros((28, 28), np.uint8)
    return Digit(label, confidence, box, image, np.eye(10)[label])


def test_a_wide_gap_is_written_as_a_space():
    row = (digit(1, 0), digit(2, 30), digit(3, 130), digit(4, 160))
    assert row_text(row) == "12 34"


def test_a_digit_below_the_threshold_is_written_as_a_question_mark():
    row = (digit(1, 0, confidence=0.5), digit(2, 30, confidence=0.8), digit(3, 60))
    assert row_text(row, reject_below=0.8) == "?23"


def test_files_of_mnist_images_are_read_like_arrays(reader, test_set, tmp_path):
    images = test_set.images[:200]
    files = [tmp_path / f"{k}.png" for k in range(len(images))]
    for image, file in zip(images, files, strict=True):
        Image.fromarray(image).save(file)
    readings = reader.classify(images)
    for k, read in enumerate(reader.read(files)):
        assert read.top(10) == readings.top(k, 10)


# --- the classifier of touching digits ---------------------------------------------------


def test_single_and_touching_digits_are_distinguished(test_set):
    classifier = load_model(TOUCHING).pipeline
    assert classifier.classes_.tolist() == [1, 2]
    images = test_set.images[1000:1400]
    singles = [np.pad(scaled_ink(image, 48), 3) for image in images[:200]]
    pairs = [
        np.pad(touching_pair(one, two, 48)[0], 3)
        for one, two in zip(images[:200], images[200:], strict=True)
    ]
    X = np.stack([render_digit(ink, ink > 0.5).ravel() for ink in singles + pairs])
    correct = classifier.predict(X) == np.repeat([1, 2], 200)
    assert correct[:200].mean() >= 0.97
    assert correct[200:].mean() >= 0.97


# --- the command -------------------------------------------------------------------------


def test_one_picture_prints_its_rows(run, sheet_file, number):
    result = run("read", sheet_file, "--model", SHIPPED)
    assert result.exit_code == 0
    assert lines(result) == [number[:4], number[4:8]]


def test_several_pictures_print_names_before_rows(run, sheet_file, number):
    result = run("read", sheet_file, sheet_file, "--model", SHIPPED)
    assert lines(result) == [f"{sheet_file}\t{number[:4]}", f"{sheet_file}\t{number[4:8]}"] * 2


def test_a_folder_stands_for_its_pictures(run, sheet_file, number):
    result = run("read", sheet_file.parent, "--model", SHIPPED)
    assert lines(result) == [f"{sheet_file}\t{number[:4]}", f"{sheet_file}\t{number[4:8]}"]


def test_standard_input_is_read(sheet_file, number, finish):
    with sheet_file.open("rb") as file:
        code, out, _ = finish("read", "-", "--model", SHIPPED, stdin=file)
    assert code == 0
    assert out.splitlines() == [number[:4], number[4:8]]


def test_json_lists_numbers_digits_boxes_and_confidences(run, sheet_file, sheet, number):
    (page,) = json.loads(run("read", sheet_file, "--json", "--model", SHIPPED).stdout)
    assert page["file"] == str(sheet_file)
    assert [row["text"] for row in page["rows"]] == [number[:4], number[4:8]]
    for row, placed in zip(page["rows"], sheet[1], strict=True):
        for digit, part in zip(row["digits"], placed, strict=True):
            assert set(digit) == {"label", "confidence", "rejected", "box", "probabilities"}
            assert digit["rejected"] is False
            assert 0 < digit["confidence"] <= 1
            box = digit["box"]
            assert abs(box["left"] - part.left) <= 3
            assert abs(box["top"] - part.top) <= 3
            assert abs(box["width"] - part.ink.shape[1]) <= 6
            assert abs(box["height"] - part.ink.shape[0]) <= 6


def test_reject_below(run, sheet_file):
    arguments = ("read", sheet_file, "--model", SHIPPED, "--reject-below", "1")
    assert lines(run(*arguments)) == ["????", "????"]
    (page,) = json.loads(run(*arguments, "--json").stdout)
    assert page["rows"][0]["text"] == "????"
    for digit in page["rows"][0]["digits"]:
        assert digit["label"] is None
        assert digit["rejected"] is True


def test_unreadable_picture_among_good_ones_exits_with_1(run, sheet_file, tmp_path, number):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    result = run("read", text, sheet_file, "--model", SHIPPED)
    assert result.exit_code == 1
    assert lines(result) == [f"{sheet_file}\t{number[:4]}", f"{sheet_file}\t{number[4:8]}"]
    (line,) = [line for line in result.stderr.splitlines() if "error" in line]
    assert line.startswith(f"mnist-svm: error: {text}: ")


def test_json_has_errors_among_the_pages(run, sheet_file, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("L", (90, 60), 255).save(blank)
    result = run("read", blank, sheet_file, "--json", "--model", SHIPPED)
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert set(first) == {"file", "error"}
    assert len(second["rows"]) == 2


@pytest.mark.parametrize(("zoom", "size"), [(0.25, (480, 180)), (1, (640, 240)), (4, (1600, 600))])
def test_annotate_draws_on_a_copy_of_the_picture(run, sheet, tmp_path, zoom, size):
    grey, placed = sheet
    path, drawn = tmp_path / "page.png", tmp_path / "drawn.png"
    Image.fromarray(grey).resize((int(zoom * PAGE_SHAPE[1]), int(zoom * PAGE_SHAPE[0]))).save(path)
    assert run("read", path, "--annotate", drawn, "--model", SHIPPED).exit_code == 0
    image = Image.open(drawn)
    assert image.format == "PNG"
    assert image.size == size
    scale = image.width / PAGE_SHAPE[1]
    # There is a coloured line at the left of each digit, and the background is unchanged.
    coloured = np.ptp(np.asarray(image, dtype=int), axis=2) > 40
    for part in chain.from_iterable(placed):
        middle = round((part.top + part.bottom) / 2 * scale)
        left = round(part.left * scale)
        assert coloured[middle, max(left - 10, 0) : left + 4].any()
    assert not coloured[:, round(500 * scale) :].any()


def test_annotate_takes_a_single_picture(run, sheet_file, tmp_path):
    for several in ([sheet_file, sheet_file], [sheet_file.parent]):
        result = run("read", *several, "--annotate", tmp_path / "drawn.png")
        assert result.exit_code == 2
        assert "--annotate" in result.stderr
    assert not (tmp_path / "drawn.png").exists()


def test_unwritable_annotation_is_reported_before_reading(
    finish, sheet_file, read_only_folder, no_privilege
):
    drawn = read_only_folder / "drawn.png"
    code, out, err = finish("read", sheet_file, "--annotate", drawn, before=no_privilege)
    assert code == 1
    assert out == ""
    assert str(drawn.parent) in err
    assert "Traceback" not in err


def test_read_without_a_picture_is_a_usage_error(run):
    assert run("read").exit_code == 2


def test_page_with_a_single_mark_does_not_fail(reader):
    for mark in (np.ones((3, 60), np.float32), np.ones((4, 4), np.float32)):
        page = compose_ink((120, 200), [PlacedInk(mark, 60, 60)])
        reader.read_page(on_paper(page))


def test_deadline_stops_reading_noise(reader):
    dots = np.random.default_rng(0).random((200, 200)) < 0.3
    noise = np.kron(dots, np.ones((4, 4))).astype(np.uint8) * 255
    page = reader.read_page(noise, deadline=time.monotonic())
    assert page.error.startswith("not read in time")
    with pytest.raises(PictureError, match=r"^<array>: not read in time"):
        _ = page.text


def test_deadline_does_not_change_the_result(reader, sheet):
    grey, _ = sheet
    timed = reader.read_page(grey, deadline=time.monotonic() + 3600)
    assert timed.text == reader.read_page(grey).text


def test_prepare_does_not_change_the_result(reader, sheet):
    grey, _ = sheet
    prepared = Recognizer.load(SHIPPED).prepare().read_page(grey)
    for digit, expected in zip(prepared.digits, reader.read_page(grey).digits, strict=True):
        assert digit.confidence == expected.confidence


def test_digits_have_the_probabilities_of_all_classes(reader, sheet):
    for digit in reader.read_page(sheet[0]).digits:
        assert digit.probabilities.sum() == pytest.approx(1)
        assert digit.probabilities[digit.label] == digit.confidence
