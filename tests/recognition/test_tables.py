"""Ruled tables filled in by hand and photographed: a cell for each number, none for a blank."""

from __future__ import annotations

import pytest

from mnist_svm import Recognizer
from mnist_svm.models.locate import SHIPPED
from tests.support.guises.lines import Writers
from tests.support.guises.pages import render_score_table, render_sudoku

TABLES = {"sudoku": render_sudoku, "score table": render_score_table}

N_PAGES = 3


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


@pytest.mark.parametrize("kind", TABLES)
def test_cells_are_read_in_their_places(reader, writers, kind):
    right = []
    for index in range(N_PAGES):
        sheet = TABLES[kind](index, writers)
        read = read_cells(reader.read_page(sheet.file))
        right += [
            read.get((i, j), "") == text
            for i, row in enumerate(sheet.truth)
            for j, text in enumerate(row)
            if text is not None
        ]
    assert sum(right) >= 0.97 * len(right)
