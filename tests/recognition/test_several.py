"""A picture of several digits is refused where one is expected; one of a single digit is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mnist_svm.recognition.recognizer import Recognizer
from tests.support.drawing import compose_ink, in_a_row, on_paper
from tests.support.guises.cells import Cell, draw_in_cell

SHAPE = (160, 300)


@pytest.fixture(scope="module")
def shipped():
    return Recognizer.load()


@pytest.fixture
def firsts(test_set):
    """The first digit of each class."""
    return [test_set.images[int(np.argmax(test_set.labels == digit))] for digit in range(10)]


def picture(*digits: np.ndarray, gap: int = 12) -> np.ndarray:
    return on_paper(compose_ink(SHAPE, in_a_row(digits, 60, top=50, left=70, gap=gap)), grain=2)


@pytest.mark.parametrize("number", ["11", "00", "42", "17", "365"])
@pytest.mark.parametrize("gap", [8, 30])
def test_several_digits_are_refused_and_read_is_named(shipped, firsts, number, gap):
    page = picture(*(firsts[int(digit)] for digit in number), gap=gap)
    assert "`mnist-svm read`" in shipped.read(page).error
    assert shipped.read_page(page).text == number


@pytest.mark.parametrize("top", [0, 1, 2])
@pytest.mark.parametrize("side", [28, 56, 112])
def test_an_open_4_of_two_strokes_is_not_several_digits(shipped, side, top):
    ink = np.zeros((112, 112), dtype=np.float32)
    # Either looks like a 1, and one reaches the border: only the heights at which they end differ.
    ink[8:66, 36:42] = ink[22 + 7 * top :, 66:72] = 1
    size = (side, side)
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX))
    assert shipped.read(on_paper(small)).error is None


@pytest.mark.parametrize("paper", [235, 20])
def test_several_digits_are_looked_for_once(shipped, firsts, paper, monkeypatch):
    asked = []
    monkeypatch.setattr(type(shipped), "shows_several", lambda self, grey: asked.append(grey))
    # Cropped to the digits: there are images of both polarities.
    ink = compose_ink((60, 160), in_a_row([firsts[4], firsts[2]], 60, top=0, left=0, gap=8))
    page = on_paper(ink[:, : np.flatnonzero(ink.any(axis=0))[-1] + 1], paper=paper, pen=255 - paper)
    shipped.read(page)
    assert len(asked) == 1


@pytest.mark.parametrize("gap", [8, 20])
def test_a_digit_in_a_box_is_not_several(shipped, firsts, gap, monkeypatch):
    asked = []
    monkeypatch.setattr(type(shipped), "shows_several", lambda self, grey: asked.append(grey))
    for image in firsts:
        strokes, lines = draw_in_cell(image, Cell(gap=gap, margin=20))
        assert shipped.read(255 - np.maximum(strokes, lines)).error is None
    assert not asked


@pytest.mark.parametrize("digit", range(10))
def test_a_single_digit_is_read(shipped, firsts, digit):
    assert shipped.read(picture(firsts[digit])).label == digit


def test_the_command_line_reports_several_digits_and_reads_the_others(
    run, firsts, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(picture(firsts[4], firsts[2])).save("42.png")
    Image.fromarray(picture(firsts[7])).save("7.png")
    result = run("predict", "42.png", "7.png")
    assert result.exit_code == 1
    assert result.stdout.startswith("7.png\t7\t")
    assert "42.png: several digits: `mnist-svm read`" in result.stderr
