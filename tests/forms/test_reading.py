"""Filled forms, printed, written on, photographed: the numbers in their fields."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mnist_svm import FormTemplate, Recognizer, read_form
from mnist_svm.models.locate import SHIPPED
from tests.support.guises.lines import Writers
from tests.support.guises.pages import FIELDS, FormSheet, render_form


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer.load(SHIPPED, n_jobs=1)


def template_of(sheet: FormSheet) -> FormTemplate:
    """The template of a form, with the numbers of digits."""
    digits = {name: least if least == most else [least, most] for name, *_, least, most in FIELDS}
    fields = [each | {"digits": digits[each["name"]]} for each in sheet.template["fields"]]
    return FormTemplate.from_dict(sheet.template | {"fields": fields})


@pytest.fixture(scope="module")
def sheets(test_set):
    """Photographed forms."""
    writers = Writers(test_set.images, test_set.labels)
    return [render_form(index, writers, seed=5) for index in (1, 2, 3)]


@pytest.fixture(scope="module")
def sheet(sheets):
    return sheets[0]


@pytest.fixture(scope="module")
def template(sheet):
    return template_of(sheet)


@pytest.fixture(scope="module")
def form(recognizer, sheet, template):
    return read_form(recognizer, sheet.file, template)


def texts_of(form) -> dict[str, str]:
    return {each.name: "" if each.number is None else each.number.text for each in form.fields}


def test_the_fields_of_photographed_forms_are_read(recognizer, sheets, template):
    forms = read_form(recognizer, [sheet.file for sheet in sheets], template)
    right = [
        text == sheet.truth[name]
        for form, sheet in zip(forms, sheets, strict=True)
        for name, text in texts_of(form).items()
    ]
    assert len(right) == 36
    assert sum(right) >= 34


def test_the_picture_of_a_field_shows_its_box(form):
    for each in form.fields:
        assert each.image.dtype == np.uint8
        # As large as on the picture, with a margin.
        assert each.box.height < each.image.shape[0] < 3 * each.box.height


def test_a_form_as_json(form):
    shown = form.to_dict(reject_below=1.1)
    assert {"file", "width", "height", "fields"} == set(shown)
    first = shown["fields"][0]
    assert list(first) == ["name", "text", "confidence", "rejected", "box"]
    blank = form.fields[0].number is None
    assert first["text"] == ("" if blank else None)
    assert first["rejected"] is not blank
    assert form.to_dict()["fields"][0]["text"] == texts_of(form)[first["name"]]


def test_digits_of_a_template_are_kept_to(recognizer, sheet):
    fields = [each | {"digits": 1} for each in sheet.template["fields"][:2]]
    template = FormTemplate.from_dict(sheet.template | {"fields": fields})
    form = read_form(recognizer, sheet.file, template)
    assert all(each.number is None or len(each.number.text) == 1 for each in form.fields)


def test_several_pictures_give_an_iterator_and_bad_ones_say_why(recognizer, sheet, template):
    blank = np.full((300, 200), 255, np.uint8)
    forms = list(read_form(recognizer, [blank, b"nothing", sheet.file], template))
    assert [form.error is None for form in forms] == [False, False, True]
    assert forms[0].error.startswith("no page found: expected a mark in each of its four corners")
    assert forms[0].to_dict() == {"file": "<array>", "error": forms[0].error}
    assert forms[0].fields == ()


def test_a_form_on_its_side_is_refused(recognizer, sheet, template):
    with Image.open(io.BytesIO(sheet.file)) as picture:
        turned = picture.transpose(Image.Transpose.ROTATE_90)
    assert "turn the picture upright" in read_form(recognizer, turned, template).error
