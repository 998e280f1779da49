"""Ruled tables filled in by hand and photographed: a cell for each number, none for a blank."""

from __future__ import annotations

import pytest

from mnist_svm import Recognizer
from mnist_svm.forms.reading import read_form
from mnist_svm.forms.template import FormTemplate
from mnist_svm.models.locate import SHIPPED
from tests.support.guises.lines import Writers
from tests.support.guises.pages import render_form, render_score_table, render_sudoku

TABLES = {"sudoku": render_sudoku, "score table": render_score_table}

N_PAGES = 2

# Seed of pages that nothing was tuned on.
UNSEEN = 101


@pytest.fixture(scope="module")
def reader():
    return Recognizer.load(SHIPPED)


@pytest.fixture(scope="module")
def writers(test_set):
    return Writers(test_set.images, test_set.labels)


def read_cells(page) -> dict[tuple[int, int], str]:
    """What was read in each cell that is not blank, by row and column."""
    numbers = [number for row in page.rows for number in row.numbers if number.cell]
    cells: dict[tuple[int, int], list[str]] = {}
    for number in numbers:
        cells.setdefault((number.cell.row, number.cell.column), []).append(number.text)
    return {place: " ".join(texts) for place, texts in cells.items()}


def right_in_table(reader, sheet) -> list[bool]:
    read = read_cells(reader.read_page(sheet.file))
    return [
        read.get((i, j), "") == text
        for i, row in enumerate(sheet.truth)
        for j, text in enumerate(row)
        if text is not None
    ]


@pytest.mark.parametrize("kind", TABLES)
def test_cells_are_read_in_their_places(reader, writers, kind):
    right = []
    for index in range(N_PAGES):
        right += right_in_table(reader, TABLES[kind](index, writers))
    assert sum(right) >= 0.97 * len(right)


def right_in_form(reader, sheet) -> list[bool]:
    form = read_form(reader, sheet.file, FormTemplate.from_dict(sheet.template))
    read = {field.name: field.number.text if field.number else "" for field in form.fields}
    return [read.get(name) == text for name, text in sheet.truth.items()]


@pytest.mark.slow
def test_cells_of_unseen_tables_and_forms_are_read(reader, writers):
    right = []
    for index in range(2):
        for render in TABLES.values():
            right += right_in_table(reader, render(index, writers, seed=UNSEEN))
        right += right_in_form(reader, render_form(index, writers, seed=UNSEEN))
    assert sum(right) >= 0.97 * len(right)
