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
from mnist_svm.models.locate import SHIPPED
from mnist_svm.pictures.boxes import Box
from mnist_svm.recognition.pages import PageReader
from mnist_svm.recognition.results import Digit, Number, Row
from tests.support.drawing import (
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
    for row, drawn in zip(reader.read_page(grey).rows, placed, strict=True):
        for digit, part in zip(row.digits, drawn, strict=True):
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
    assert [len(row.digits) for row in second.rows] == [4, 4]
    assert "No such file" in third.error


def test_all_lines_are_judged_together_before_and_after_cutting(reader, sheet):
    sizes = []

    def classify(images):
        sizes.append(len(images))
        return reader.classify(images).probabilities

    def judge(images, own, others):
        assert images.shape == own.shape == others.shape == (len(images), 28, 28)
        return np.tile([0.25, 0.5, 0.25], (len(images), 1))

    PageReader(reader.classes, classify, judge).read(sheet[0])
    # First the digits, and neighbours that may be one; then all pieces of them; then, of lines that
    # are not read for sure, what another way of cutting adds.
    assert 2 <= len(sizes) <= 3
    assert sizes[0] >= 8
    assert sizes[1] > 8


DIGIT, OTHER = 1, 2


def judge_all_as(kind: int):
    """Judge every candidate as a digit, or as other ink."""
    return lambda images, own, others: np.tile(np.eye(3)[kind], (len(images), 1))


def test_what_is_a_digit_for_sure_is_not_cut(reader, sheet):
    calls = []

    def classify(images):
        calls.append(len(images))
        return np.tile(np.eye(10)[4], (len(images), 1))

    page = PageReader(reader.classes, classify, judge_all_as(DIGIT))
    content = page.read(sheet[0])
    assert [row.text for row in content.rows] == ["4444", "4444"]
    assert len(calls) == 1


def test_a_stroke_that_is_no_digit_is_no_number(reader):
    page = PageReader(
        reader.classes,
        lambda images: reader.classify(images).probabilities,
        judge_all_as(OTHER),
    )
    stroke = PlacedInk(np.ones((60, 8), dtype=np.float32), 60, 60)
    with pytest.raises(PictureError, match="no digits found"):
        page.read(on_paper(compose_ink((180, 200), [stroke])))


# --- numbers -----------------------------------------------------------------------------


def number_at(text: str, left: int = 0, *, confidence: float = 1.0) -> Number:
    image = np.zeros((28, 28), np.uint8)
    digits = tuple(
        Digit(int(sign), 0.9, Box(0, 40, left + 30 * k, left + 30 * k + 20), image, np.eye(10)[k])
        for k, sign in enumerate(text)
    )
    return Number(digits, confidence, Box(0, 40, left, left + 30 * len(text)))


def test_numbers_of_a_row_are_written_with_a_space_between_them():
    row = Row((number_at("12"), number_at("34", 130)))
    assert row.text == "12 34"
    assert [digit.label for digit in row.digits] == [1, 2, 3, 4]


def test_a_number_below_the_threshold_is_written_as_a_question_mark():
    row = Row((number_at("12", confidence=0.79), number_at("34", 130, confidence=0.8)))
    assert row.to_text(reject_below=0.8) == "? 34"


def test_a_wide_gap_separates_two_numbers_of_a_row(reader, digits, number):
    left = in_a_row(digits[:3], 60, top=80, left=30, gap=20)
    right = in_a_row(digits[3:6], 60, top=80, left=left[-1].right + 120, gap=20)
    page = reader.read_page(on_paper(compose_ink(PAGE_SHAPE, left + right)))
    assert page.text == f"{number[:3]} {number[3:6]}"
    assert [each.text for each in page.numbers] == [number[:3], number[3:6]]


def test_the_box_of_a_number_holds_those_of_its_digits(reader, sheet):
    for each in reader.read_page(sheet[0]).numbers:
        for digit in each.digits:
            assert each.box == each.box.union(digit.box)


@pytest.mark.parametrize(
    ("is_digit", "is_class"), [(0.7, 0.98), (0.98, 0.6), (0.7, 0.6)], ids=["digit", "class", "both"]
)
def test_a_number_is_less_sure_where_its_digits_are(reader, sheet, is_digit, is_class):
    def confidence(is_digit: float, is_class: float) -> float:
        others = (1 - is_digit) / 2
        classes = np.full(10, (1 - is_class) / 9)
        classes[4] = is_class
        page = PageReader(
            reader.classes,
            lambda images: np.tile(classes, (len(images), 1)),
            lambda images, own, other: np.tile([others, is_digit, others], (len(images), 1)),
        )
        rows = page.read(sheet[0]).rows
        return min(number.confidence for row in rows for number in row.numbers)

    assert confidence(is_digit, is_class) < confidence(0.98, 0.98)


def test_numbers_have_a_probability(reader, sheet):
    for each in reader.read_page(sheet[0]).numbers:
        assert 0 < each.confidence < 1


def test_files_of_mnist_images_are_read_like_arrays(reader, test_set, tmp_path):
    images = test_set.images[:200]
    files = [tmp_path / f"{k}.png" for k in range(len(images))]
    for image, file in zip(images, files, strict=True):
        Image.fromarray(image).save(file)
    readings = reader.classify(images)
    for k, read in enumerate(reader.read(files)):
        assert read.top(10) == readings.top(k, 10)


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


def test_json_lists_numbers_digits_boxes_and_confidences(run, sheet_file, reader, number):
    (page,) = json.loads(run("read", sheet_file, "--json", "--model", SHIPPED).stdout)
    assert page["file"] == str(sheet_file)
    assert [row["text"] for row in page["rows"]] == [number[:4], number[4:8]]
    for row, read in zip(page["rows"], reader.read_page(sheet_file).rows, strict=True):
        (each,) = row["numbers"]
        assert set(each) == {"text", "confidence", "rejected", "box"}
        assert (each["text"], each["rejected"]) == (row["text"], False)
        assert each["confidence"] == pytest.approx(read.numbers[0].confidence)
        assert each["box"] == read.numbers[0].box.to_dict()
        for answer, digit in zip(row["digits"], read.digits, strict=True):
            assert set(answer) == {"label", "confidence", "rejected", "box", "probabilities"}
            assert answer["rejected"] is False
            assert answer["confidence"] == pytest.approx(digit.confidence)
            assert answer["box"] == digit.box.to_dict()


def test_reject_below_is_for_whole_numbers(run, sheet_file):
    arguments = ("read", sheet_file, "--model", SHIPPED, "--reject-below", "1")
    assert lines(run(*arguments)) == ["?", "?"]
    (page,) = json.loads(run(*arguments, "--json").stdout)
    for row in page["rows"]:
        assert row["text"] == "?"
        assert [(each["text"], each["rejected"]) for each in row["numbers"]] == [(None, True)]
        assert {(each["label"], each["rejected"]) for each in row["digits"]} == {(None, True)}
        assert len(row["digits"]) == 4


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
