"""What a caller knows of the numbers on a picture: digits, pattern, line, number."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import Recognizer
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import Box
from mnist_svm.recognition.results import FieldSpec
from tests.support.drawing import (
    PAGE_SHAPE,
    PlacedInk,
    compose_ink,
    in_a_row,
    on_paper,
    touching_pair,
)


@pytest.fixture(scope="module")
def reader():
    return Recognizer.load()


@pytest.fixture
def line(digits):
    """A picture of the first five digits."""
    return on_paper(compose_ink((140, 460), in_a_row(digits[:5], 60, top=40, left=40, gap=20)))


@pytest.mark.parametrize("expected", [5, (4, 6), (5, 5)])
def test_a_number_as_expected_is_read(reader, line, number, expected):
    assert reader.read_page(line, digits=expected).text == number[:5]


@pytest.mark.parametrize("n_digits", [1, 2, 3, 4, 5, 6, 7])
def test_no_number_of_another_length_is_read(reader, line, n_digits):
    page = reader.read_page(line, digits=n_digits)
    if page.error is None:
        assert [len(each.text) for each in page.numbers] == [n_digits]
    else:
        assert page.error == f"no number of {n_digits} digits found on this picture"


def test_ink_that_cannot_be_such_a_number_is_an_error(reader, line):
    page = reader.read_page(line, digits=60)
    assert page.error == "no number of 60 digits found on this picture"
    with pytest.raises(PictureError):
        _ = page.text


def test_a_pattern_tells_the_number_of_digits(reader, line):
    page = reader.read_page(line, pattern="d.ddd")
    assert page.error is not None or len(page.text) == 4


def test_a_digit_of_the_pattern_is_read_as_that_digit(reader, line, number):
    wanted = "3" + number[1:5]
    assert reader.read_page(line, pattern=f"3dd.{number[3]}d").text == wanted


def test_marks_of_the_pattern_may_be_there_or_not(reader, digits, number):
    placed = in_a_row(digits[:5], 60, top=40, left=40, gap=24)
    point = PlacedInk(np.ones((7, 7), np.float32), 92, placed[1].right + 8)
    for ink in (placed, [*placed, point]):
        page = on_paper(compose_ink((140, 480), ink))
        assert reader.read_page(page, pattern="dd.ddd").text == number[:5]


def test_touching_digits_are_counted(reader, test_set):
    images, labels = test_set.images[100:160], test_set.labels[100:160]
    right = 0
    for k in range(0, 60, 2):
        both, _ = touching_pair(images[k], images[k + 1])
        reading = reader.read_page(on_paper(np.pad(both, 40)), digits=2)
        assert len(reading.text) == 2
        right += reading.text == f"{labels[k]}{labels[k + 1]}"
    assert right >= 26


def test_a_line_is_not_split_at_a_wide_gap(reader, digits, number):
    left = in_a_row(digits[:3], 60, top=80, left=30, gap=20)
    right = in_a_row(digits[3:6], 60, top=80, left=left[-1].right + 120, gap=20)
    page = on_paper(compose_ink(PAGE_SHAPE, left + right))
    assert reader.read_page(page).text == f"{number[:3]} {number[3:6]}"
    assert reader.read_page(page, line=True).text == number[:6]


def test_a_single_number_is_one_number(reader, digits):
    rows = [
        in_a_row(digits[:6], 60, top=30, left=40, gap=20),
        in_a_row(digits[6:8], 60, top=130, left=40, gap=20),
    ]
    page = on_paper(compose_ink(PAGE_SHAPE, rows[0] + rows[1]))
    assert len(reader.read_page(page).numbers) == 2
    assert len(reader.read_page(page, number=True).numbers) == 1


@pytest.mark.parametrize(
    "arguments",
    [{"digits": 0}, {"digits": (5, 3)}, {"pattern": "."}, {"digits": 3, "pattern": "d"}],
)
def test_nonsense_is_refused_before_reading(reader, arguments):
    with pytest.raises(ValueError, match=r"^(digits|pattern): "):
        reader.read_page("no-such-file.png", **arguments)


# --- fields ------------------------------------------------------------------------------


@pytest.fixture
def form(digits):
    """A page with two numbers, and its fields: both, and a blank one."""
    first = in_a_row(digits[:3], 60, top=40, left=40, gap=20)
    second = in_a_row(digits[3:7], 60, top=40, left=380, gap=20)
    grey = on_paper(compose_ink((260, 800), first + second))
    fields = [Box(20, 120, 20, 340), Box(20, 120, 360, 780), Box(140, 240, 20, 340)]
    return grey, fields


def test_fields_are_read_together_and_blank_ones_are_none(reader, form, number):
    grey, boxes = form
    first, second, blank = reader.read_fields(grey, [FieldSpec(box) for box in boxes])
    assert (first.text, second.text, blank) == (number[:3], number[3:7], None)


def test_boxes_of_fields_are_in_pixels_of_the_page(reader, form):
    grey, boxes = form
    readings = reader.read_fields(grey, [FieldSpec(box) for box in boxes])
    for box, reading in zip(boxes[:2], readings[:2], strict=True):
        assert box.union(reading.box) == box
        for digit in reading.digits:
            assert reading.box.union(digit.box) == reading.box


def test_each_field_has_its_own_limits(reader, form, number):
    grey, boxes = form
    fields = [FieldSpec(boxes[0], 3), FieldSpec(boxes[1], pattern=f"dd/d{number[6]}")]
    texts = [reading.text for reading in reader.read_fields(grey, fields)]
    assert texts == [number[:3], number[3:7]]


def test_a_page_without_fields_has_no_numbers(reader, form):
    assert reader.read_fields(form[0], []) == []


def test_a_field_that_cannot_be_is_refused(reader, form):
    with pytest.raises(ValueError, match=r"^digits: "):
        reader.read_fields(form[0], [FieldSpec(form[1][0], digits=0)])


def test_fields_are_not_read_after_the_deadline(reader, form):
    fields = [FieldSpec(box) for box in form[1]]
    with pytest.raises(PictureError, match="not read in time"):
        reader.read_fields(form[0], fields, deadline=0)
