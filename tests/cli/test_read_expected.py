"""``mnist-svm read`` with --digits, --pattern, --line and --number."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.support.drawing import ONE_PIECE_DIGITS, compose_ink, in_a_row, on_paper


@pytest.fixture
def number(test_set):
    return "".join(str(test_set.labels[k]) for k in ONE_PIECE_DIGITS[:6])


@pytest.fixture
def picture(test_set, tmp_path):
    """Two numbers of three digits beside each other."""
    digits = [test_set.images[k] for k in ONE_PIECE_DIGITS[:6]]
    left = in_a_row(digits[:3], 60, top=80, left=30, gap=20)
    right = in_a_row(digits[3:], 60, top=80, left=left[-1].right + 120, gap=20)
    path = tmp_path / "line.png"
    Image.fromarray(on_paper(compose_ink((240, 640), left + right))).save(path)
    return path


@pytest.mark.parametrize("options", [("--digits", 3), ("--digits", "2-3"), ("--pattern", "dd.d")])
def test_numbers_as_expected_are_read(run, picture, number, options):
    result = run("read", picture, *options)
    assert result.exit_code == 0
    assert result.stdout == f"{number[:3]} {number[3:]}\n"


@pytest.mark.parametrize("options", [("--line",), ("--number",), ("--line", "--digits", 6)])
def test_a_single_line_is_one_number(run, picture, number, options):
    assert run("read", picture, *options).stdout == f"{number}\n"


def test_a_digit_of_the_pattern_is_that_digit(run, picture, number):
    result = run("read", picture, "--number", "--pattern", f"0d.dd{number[4]}d,-")
    assert result.stdout == f"0{number[1:]}\n"


def test_json_has_the_number(run, picture, number):
    (page,) = json.loads(run("read", picture, "--number", "--json").stdout)
    assert [each["text"] for row in page["rows"] for each in row["numbers"]] == [number]


def test_a_picture_without_such_a_number_is_reported(run, picture):
    result = run("read", picture, "--digits", "40")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = [line for line in result.stderr.splitlines() if "error" in line]
    assert line == f"mnist-svm: error: {picture}: no number of 40 digits found on this picture"


NONSENSE = [
    (("--digits", "x"), "'--digits': expected a number, or the least and the most"),
    (("--digits", "0"), "'--digits': expected a number, or the least and the most"),
    (("--digits", "8-4"), "--digits: expected 1 or more, or the least and the most of them"),
    (("--pattern", "abc"), "--pattern: expected a d for each digit, as in ddd.dd, found 'abc'"),
    (("--pattern", ""), "--pattern: expected a d for each digit, as in ddd.dd, found ''"),
    (("--digits", "3", "--pattern", "d.ddd"), "--pattern: 'd.ddd' has 4 digits, but 3"),
    (("--template", "form.json", "--line"), "--template has digits and pattern of each field"),
    (("--template", "form.json", "--digits", "3"), "--template has digits and pattern of each"),
]


@pytest.mark.parametrize(("options", "message"), NONSENSE)
def test_nonsense_is_a_usage_error_before_reading(run, options, message):
    result = run("read", "no-such-file.png", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last


def test_blank_paper_stays_an_error(run, tmp_path):
    Image.fromarray(np.full((60, 90), 240, np.uint8)).save(tmp_path / "blank.png")
    result = run("read", tmp_path / "blank.png", "--number", "--digits", "3")
    assert result.exit_code == 1
    assert "blank picture" in result.stderr
