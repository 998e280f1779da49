"""Numbers in the fields of forms are read without the lines of the forms."""

from __future__ import annotations

import pytest

from mnist_svm import Recognizer
from mnist_svm.models.locate import SHIPPED
from tests.support.guises.forms import FORMS, Form, render_form
from tests.support.guises.lines import Writers

# Least fraction of numbers that are right; MNIST's own difficult digits are among them.
MIN_RIGHT = 0.95


@pytest.fixture(scope="module")
def reader():
    return Recognizer.load(SHIPPED)


@pytest.fixture(scope="module")
def writers(test_set):
    return Writers(test_set.images, test_set.labels)


def count_right(reader: Recognizer, writers: Writers, form: Form, index: int) -> tuple[int, int]:
    """How many numbers of a form are right, and how many there are; a phantom row costs one."""
    file, text = render_form(form, writers, index)
    (page,) = reader.read_page([file])
    rows = [] if page.error else page.text.replace(" ", "").split("\n")
    numbers = text.split("\n")
    found = sum(number in rows for number in numbers)
    return max(found - max(len(rows) - len(numbers), 0), 0), len(numbers)


def assert_right(reader: Recognizer, writers: Writers, indices: range) -> None:
    right, total, misread = 0, 0, []
    for name, form in FORMS.items():
        for index in indices:
            found, numbers = count_right(reader, writers, form, index)
            right, total = right + found, total + numbers
            misread += [name] * (numbers - found)
    assert right >= MIN_RIGHT * total, f"{right} of {total}: {misread}"


def test_numbers_in_every_form_are_read(reader, writers):
    assert_right(reader, writers, range(1))


@pytest.mark.slow
def test_many_numbers_in_every_form_are_read(reader, writers):
    assert_right(reader, writers, range(1, 2))
