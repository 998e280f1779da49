"""``mnist-svm read`` with --template, --csv and --review."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mnist_svm.cli import cli
from tests.support.guises.lines import Writers
from tests.support.guises.pages import render_form, render_sudoku
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "images" / "page.jpg"


@pytest.fixture(scope="module")
def sheet(test_set):
    return render_form(0, Writers(test_set.images, test_set.labels), seed=5)


@pytest.fixture
def files(sheet, tmp_path, monkeypatch):
    """A template with two fields, a form, and a picture without a form; in this folder."""
    fields = [each for each in sheet.template["fields"] if each["name"] in ("day", "meter")]
    (tmp_path / "form.json").write_text(json.dumps(sheet.template | {"fields": fields}))
    (tmp_path / "form.jpg").write_bytes(sheet.file)
    Image.fromarray(np.full((300, 200), 255, np.uint8)).save(tmp_path / "blank.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


def test_forms_become_a_csv_file(run, files, sheet):
    result = run("read", "form.jpg", "--template", "form.json", "--csv", "out.csv")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == "Wrote out.csv"
    header, row = read_csv((files / "out.csv").read_text())
    assert header == ["file", "day", "meter", "day confidence", "meter confidence"]
    assert row[:3] == ["form.jpg", sheet.truth["day"], sheet.truth["meter"]]
    assert {path.name for path in files.iterdir()} == {
        *("form.json", "form.jpg", "blank.png", "out.csv")
    }


def test_a_page_without_the_form_is_reported_and_the_others_are_read(run, files):
    result = run("read", "blank.png", "form.jpg", "--template", "form.json", "--csv", "-")
    assert result.exit_code == 1
    assert "mnist-svm: error: blank.png: no page found: expected a mark" in result.stderr
    assert [row[0] for row in read_csv(result.stdout)] == ["file", "form.jpg"]


def test_unsure_numbers_are_question_marks(run, files):
    arguments = ["--template", "form.json", "--csv", "-", "--reject-below", "1"]
    _, row = read_csv(run("read", "form.jpg", *arguments).stdout)
    assert row[1:3] == ["?", "?"]


def test_fields_are_printed_a_line_each(run, files, sheet):
    result = run("read", "form.jpg", "--template", "form.json")
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["day", sheet.truth["day"]],
        ["meter", sheet.truth["meter"]],
    ]


def test_fields_as_json(run, files, sheet):
    (form,) = json.loads(run("read", "form.jpg", "--template", "form.json", "--json").stdout)
    assert [each["text"] for each in form["fields"]] == [sheet.truth["day"], sheet.truth["meter"]]


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """The numbers of `PAGE`, as printed, without blanks."""
    printed = CliRunner().invoke(cli, ["read", str(PAGE)]).stdout
    return [line.split(" ") for line in printed.splitlines()]


def test_a_page_becomes_rows(run, rows):
    written = read_csv(run("read", PAGE, "--csv", "-").stdout)
    assert len(rows) == 4
    assert written == [[*row, *[""] * (3 - len(row))] for row in rows]


def test_several_pages_begin_with_the_file(run, rows):
    written = read_csv(run("read", PAGE, PAGE, "--csv", "-").stdout)
    assert [row[0] for row in written] == [str(PAGE)] * 8
    assert [[text for text in row[1:] if text] for row in written] == 2 * rows


def test_a_photographed_grid_becomes_its_cells(run, files, test_set):
    sheet = render_sudoku(0, Writers(test_set.images, test_set.labels))
    (files / "sudoku.jpg").write_bytes(sheet.file)
    written = read_csv(run("read", "sudoku.jpg", "--csv", "-").stdout)
    assert [len(row) for row in written] == [9] * 9
    right = [
        text == truth
        for texts, truths in zip(written, sheet.truth, strict=True)
        for text, truth in zip(texts, truths, strict=True)
    ]
    assert sum(right) >= 0.97 * 81


def test_the_page_for_review_is_written_beside_what_is_printed(run, files, rows):
    result = run("read", PAGE, "--review", "review.html")
    assert [line.split(" ") for line in result.stdout.splitlines()] == rows
    assert result.stderr.splitlines()[-1] == "Wrote review.html"
    html = (files / "review.html").read_text()
    assert html.startswith("<!doctype html>")
    assert '"name":"review.csv"' in html
    assert html.count("data:image/jpeg;base64,") == sum(map(len, rows))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "-", "--json"], "both write to standard output"),
        (["--template", "form.json", "--annotate", "a.png"], "--annotate draws"),
        (["--review", "-"], "--review writes to a file"),
    ],
)
def test_what_excludes_each_other_is_wrong_usage(run, files, arguments, message):
    result = run("read", "form.jpg", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", ["--csv", "--review"])
def test_a_missing_folder_is_reported_before_the_work(run, files, option):
    result = run("read", "form.jpg", option, "none/out")
    assert result.exit_code == 1
    assert result.stderr == "mnist-svm: error: none/out: No such file or directory\n"


def test_an_invalid_template_is_reported_before_the_work(run, files):
    (files / "form.json").write_text('{"fields": [{"name": "day"}]}')
    result = run("read", "form.jpg", "--template", "form.json", "--csv", "out.csv")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "form.json: field 1 (day): box: expected [left, top, width, height]" in result.stderr
    assert not (files / "out.csv").exists()
