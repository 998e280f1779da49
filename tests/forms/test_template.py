"""Templates of forms: what is accepted, and what is said of the rest."""

from __future__ import annotations

import json

import pytest

from mnist_svm import FormatError, FormTemplate
from mnist_svm.forms.template import FormField

BOX = [0.1, 0.2, 0.3, 0.05]


def load(tmp_path, content) -> FormTemplate:
    path = tmp_path / "form.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return FormTemplate.load(path)


def with_field(**keys) -> dict[str, object]:
    return {"fields": [{"name": "day", "box": BOX} | keys]}


def test_name_and_box_are_enough(tmp_path):
    template = load(tmp_path, with_field())
    assert template == FormTemplate((FormField("day", 0.1, 0.2, 0.3, 0.05),), "marks", None)


def test_all_keys(tmp_path):
    fields = [
        {"name": "day", "box": BOX, "digits": 2},
        {"name": "amount", "box": [0, 0, 1, 1], "digits": [2, 6], "pattern": "ddd.dd,-"},
    ]
    template = load(tmp_path, {"page": "frame", "size": [210, 297], "fields": fields})
    assert template.page == "frame"
    assert template.size == (210, 297)
    assert template.fields[0].digits == 2
    assert template.fields[1] == FormField("amount", 0, 0, 1, 1, (2, 6), "ddd.dd,-")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected a form template in JSON, found an error in line 1, column 2: "),
        ("\0\udcff".encode("utf-8", "surrogatepass").decode("latin-1"), "in JSON, found"),
        ("[" * 100_000, "expected a form template in JSON, found something else"),
        ("1" * 5000, "expected a form template in JSON, found something else"),
        ("[]", r"expected an object with page, size, fields, found \[\]"),
        ('{"fields": [], "fields": []}', 'each key of an object once, found "fields" twice'),
        ({}, "fields: expected a list of 1 to 1,000 fields, found nothing"),
        ({"fields": []}, r"fields: expected a list of 1 to 1,000 fields, found \[\]"),
        ({"felds": []}, 'expected keys among page, size, fields, found "felds"'),
        (with_field() | {"page": "corners"}, 'page: expected "marks" or "frame", found "corners"'),
        (with_field() | {"page": ["marks"]}, "page: expected"),
        (with_field() | {"size": [0, 1]}, r"size: expected \[width, height\].*, found \[0, 1\]"),
        (with_field() | {"size": [1e-5, 1]}, "size: expected"),
        (with_field() | {"size": 1.4}, "size: expected .* found 1.4"),
        ({"fields": ["day"]}, 'field 1: expected an object with name, box, .* found "day"'),
        (with_field(size=3), 'field 1: expected keys among name, box, digits, pattern, found "si'),
        (with_field(name=" "), 'field 1: name: expected a text on one line, found " "'),
        (with_field(name="a\nb"), "field 1: name: expected a text on one line"),
        (with_field(name=7), "field 1: name: expected a text on one line, found 7"),
        (with_field(box=None), r"field 1 \(day\): box: expected .*from 0 to 1, found nothing"),
        (with_field(box=[0.1, 0.2, 0.3]), r"box: .*, found \[0.1, 0.2, 0.3\]"),
        (with_field(box=[0.8, 0.2, 0.3, 0.1]), "box: expected"),
        (with_field(box=[-0.1, 0.2, 0.3, 0.1]), "box: expected"),
        (with_field(box=[0.1, 0.2, 0, 0.1]), "box: expected"),
        (with_field(box=[0.1, 0.2, True, 0.1]), "box: expected"),
        (with_field(box=[10, 20, 300, 40]), r"box: .* in fractions of the page"),
        ('{"fields": [{"name": "x", "box": [NaN, 0, 1, 1]}]}', "box: expected"),
        ('{"fields": [{"name": "x", "box": [0, 0, 1e999, 1]}]}', "box: expected"),
        (with_field(digits=0), r"digits: expected a number of digits from 1 to 50.*, found 0"),
        (with_field(digits=[3, 2]), "digits: expected"),
        (with_field(digits="2"), 'digits: .* found "2"'),
        (with_field(pattern="-,-"), "pattern: expected a text with a d for each digit"),
        (with_field(pattern=12), "pattern: expected a text"),
        (with_field(digits=2, pattern="ddd"), r"as many digits as digits says \(2\), found \"ddd"),
        (with_field(digits=[1, 2], pattern="ddd"), r"says \(1 to 2\)"),
    ],
)
def test_errors_name_file_key_expected_and_found(tmp_path, content, message):
    with pytest.raises(FormatError, match=message) as caught:
        load(tmp_path, content)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'form.json'}: ")
    assert text.isprintable()
    assert len(text) < 350 + len(str(tmp_path))


@pytest.mark.parametrize("names", [("a", "a"), ("file", "a"), ("a", "a confidence")])
def test_no_two_columns_have_one_name(tmp_path, names):
    fields = [{"name": name, "box": BOX} for name in names]
    with pytest.raises(FormatError, match="expected a name that no other column has"):
        load(tmp_path, {"fields": fields})


def test_a_huge_file_is_not_read_to_its_end(tmp_path):
    with pytest.raises(FormatError, match="at most 1,000,000 bytes, found more"):
        load(tmp_path, " " * 2_000_000)


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        FormTemplate.load(tmp_path / "none.json")
