"""Tables of numbers as CSV, read back by Python's csv module; the page for review, its content."""

from __future__ import annotations

import base64
import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from mnist_svm import FormReading, FormTemplate, PageReading
from mnist_svm.forms.reading import FieldReading
from mnist_svm.forms.review import render_review
from mnist_svm.forms.table import Table, count_left_out
from mnist_svm.pictures.boxes import Box
from mnist_svm.recognition.results import Cell, Digit, Number, PageContent, Row

HOSTILE = '</script><img src=x onerror=alert(1)>"\u2028,&amp;'


def number(text: str, confidence: float = 0.95, left: int = 10, cell: Cell | None = None) -> Number:
    box = Box(20, 50, left, left + 20 * len(text))
    digits = [
        Digit(int(digit), 1.0, box, np.zeros((28, 28), np.uint8), np.ones(10) / 10)
        for digit in text
    ]
    return Number(tuple(digits), confidence, box, cell)


def form(file: str, **numbers: Number | None) -> FormReading:
    image = np.full((40, 90), 200, np.uint8)
    fields = [
        FieldReading(name, number, Box(0, 40, 0, 90), image) for name, number in numbers.items()
    ]
    return FormReading(file, size=(300, 200), fields=tuple(fields))


def template(*names: str) -> FormTemplate:
    fields = [{"name": name, "box": [0, 0, 0.5, 0.5]} for name in names]
    return FormTemplate.from_dict({"fields": fields})


def page(file: str, *rows: list[Number], tables: tuple[tuple[int, int], ...] = ()) -> PageReading:
    thumbnail = np.full((100, 300, 3), 220, np.uint8)
    content = PageContent(tuple(Row(tuple(row)) for row in rows), tables)
    return PageReading(file, None, None, thumbnail, (200, 600), content)


def parsed(table: Table, **options) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table.to_csv(**options))))


def test_a_form_is_a_row_of_its_file_numbers_and_confidences():
    table = Table(template("day", "sum"))
    table.add(form("a.png", day=number("07", 0.9812), sum=None), with_file=True)
    table.add(form("b.png", day=number("31", 0.4), sum=number("120", 0.999)), with_file=True)
    assert parsed(table, reject_below=0.5) == [
        ["file", "day", "sum", "day confidence", "sum confidence"],
        ["a.png", "07", "", "0.981", ""],
        ["b.png", "?", "120", "0.400", "0.999"],
    ]


def test_a_form_that_could_not_be_read_is_no_row():
    table = Table(template("day"))
    table.add(FormReading("a.png", error="no page found"), with_file=True)
    assert len(parsed(table)) == 1


def test_the_rows_of_a_page_are_padded_to_one_length():
    table = Table()
    table.add(page("a.png", [number("1"), number("23")], [number("456")]), with_file=True)
    assert parsed(table) == [["a.png", "1", "23"], ["a.png", "456", ""]]


def test_a_ruled_table_keeps_its_rows_columns_and_blanks():
    rows = [
        [number("1", cell=Cell(0, 0, 1)), number("2", cell=Cell(0, 0, 3))],
        [number("3", cell=Cell(0, 2, 0))],
    ]
    table = Table()
    table.add(page("a.png", *rows, tables=((4, 5),)), with_file=False)
    assert parsed(table) == [
        ["", "1", "", "2", ""],
        ["", "", "", "", ""],
        ["3", "", "", "", ""],
        ["", "", "", "", ""],
    ]


def test_numbers_beside_a_ruled_table_are_left_out_and_counted():
    rows = [[number("9")], [number("1", cell=Cell(0, 0, 0)), number("8")]]
    reading = page("a.png", *rows, tables=((1, 1),))
    table = Table()
    table.add(reading, with_file=False)
    assert parsed(table) == [["1"]]
    assert count_left_out(reading) == 2


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum"])
def test_names_are_no_formulas(name):
    table = Table(template(name))
    table.add(form(f"{name}.png", **{name: number("1")}), with_file=True)
    header, row = parsed(table)
    assert header == ["file", f"'{name}", f"'{name} confidence"]
    assert row[0] == f"'{name}.png"


@pytest.mark.parametrize(
    ("name", "written"),
    [("-", "-"), ("a,b", "a,b"), ('say "x"', 'say "x"'), ("a\nb\t", "a?b?"), ("\udcff", "?")],
)
def test_names_of_files_stay_in_their_cell(name, written):
    table = Table()
    table.add(page(name, [number("1")]), with_file=True)
    text = table.to_csv()
    text.encode()
    assert text.count("\n") == 1
    assert parsed(table) == [[written, "1"]]


# --- review ------------------------------------------------------------------------------


def data_of(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


def reviewed(table: Table, **options) -> str:
    return render_review(table, name="numbers.csv", **options)


@pytest.fixture
def table() -> Table:
    table = Table(template("day", "sum"), keeps_pictures=True)
    table.add(form("a.png", day=number("07", 0.98), sum=None), with_file=True)
    table.add(form(HOSTILE, day=number("31", 0.4), sum=number("120", 0.999)), with_file=True)
    return table


def test_the_page_has_the_rows_of_the_csv(table):
    data = data_of(reviewed(table, reject_below=0.5))
    shows = {"text": "saved", "confidence": "shown"}
    rows = [
        [c if isinstance(c, str) else data["entries"][c[0]][shows[c[1]]] for c in row]
        for row in data["rows"]
    ]
    assert rows == parsed(table, reject_below=0.5)


def test_the_page_has_a_picture_of_every_number(table):
    for entry in data_of(reviewed(table))["entries"]:
        kind, content = entry["picture"].split(",")
        assert kind == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(content))).size == (90, 40)


def test_the_picture_of_a_number_on_a_page_is_cut_out_of_it():
    table = Table(keeps_pictures=True)
    table.add(page("a.png", [number("12", left=590)]), with_file=False)
    (entry,) = data_of(reviewed(table))["entries"]
    picture = Image.open(io.BytesIO(base64.b64decode(entry["picture"].split(",")[1])))
    # Half the size of the page's boxes; the box is 30 high, and a third of this is around it.
    assert picture.size[1] == pytest.approx(25, abs=2)
    assert picture.size[0] < 20


def test_numbers_are_named_by_their_place():
    table = Table(keeps_pictures=True)
    table.add(page("a.png", [number("9")], [number("1"), number("2")]), with_file=False)
    ruled = page("b.png", [number("3", cell=Cell(0, 0, 1))], tables=((1, 2),))
    table.add(ruled, with_file=False)
    names = [entry["name"] for entry in data_of(reviewed(table))["entries"]]
    assert names == ["row 1", "row 2, number 1", "row 2, number 2", "row 1, column 2"]


def test_the_page_is_self_contained_and_names_are_no_markup(table):
    html = reviewed(table)
    assert "<img src=x" not in html
    assert html.count("</script>") == 2
    assert data_of(html)["entries"][2]["page"] == HOSTILE.replace("\u2028", "?")
    assert not re.search(r"https?:|url\(|@import|<link(?! rel=\"icon\" href=\"data:,\")", html)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_what_looks_like_a_part_of_the_template_stays():
    table = Table(keeps_pictures=True)
    table.add(page("{{ script }}", [number("1")]), with_file=True)
    assert data_of(reviewed(table))["rows"] == [["{{ script }}", [0, "text"]]]
