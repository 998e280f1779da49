"""What a caller knows of a number."""

from __future__ import annotations

import pytest

from mnist_svm.recognition.formats import ANY_NUMBER, NumberFormat, parse_digits, parse_format

FORMATS = [
    (None, None, ANY_NUMBER),
    (1, None, NumberFormat(1, 1)),
    (6, None, NumberFormat(6, 6)),
    ((2, 5), None, NumberFormat(2, 5)),
    (None, "ddd.ddd,-", NumberFormat(6, 6)),
    (None, "19dd", NumberFormat(4, 4, {0: 1, 1: 9})),
    (None, "dd/dd/20dd", NumberFormat(8, 8, {4: 2, 5: 0})),
    (None, "CHF dd", NumberFormat(2, 2)),
    (None, "0", NumberFormat(1, 1, {0: 0})),
    (4, "d.ddd", NumberFormat(4, 4)),
    ((3, 6), "dddd", NumberFormat(4, 4)),
]


@pytest.mark.parametrize(("digits", "pattern", "expected"), FORMATS)
def test_digits_and_pattern_are_limits_of_the_number(digits, pattern, expected):
    assert parse_format(digits, pattern) == expected


@pytest.mark.parametrize("digits", [0, -1, (0, 3), (4, 2)])
def test_a_number_of_digits_that_cannot_be_is_refused(digits):
    with pytest.raises(ValueError, match=r"^digits: expected 1 or more") as caught:
        parse_format(digits)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["", "-", "abc", "D.DD"])
def test_a_pattern_without_a_digit_is_refused(pattern):
    with pytest.raises(ValueError, match=r"^pattern: expected a d for each digit"):
        parse_format(pattern=pattern)


@pytest.mark.parametrize("digits", [3, 5, (1, 3), (5, 6)])
def test_a_pattern_of_another_number_of_digits_is_refused(digits):
    with pytest.raises(ValueError, match=r"^pattern: 'd\.ddd' has 4 digits, but"):
        parse_format(digits, "d.ddd")


def test_only_no_limit_at_all_is_open():
    assert ANY_NUMBER.is_open
    for expected in (NumberFormat(2), NumberFormat(1, 3), NumberFormat(1, None, {0: 1})):
        assert not expected.is_open


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (ANY_NUMBER, "digits"),
        (NumberFormat(1, 1), "number of 1 digit"),
        (NumberFormat(6, 6), "number of 6 digits"),
        (NumberFormat(4, 8), "number of 4 to 8 digits"),
        (NumberFormat(2), "number of 2 digits or more"),
        (NumberFormat(4, 4, {0: 2}), "number of 4 digits as in the pattern"),
    ],
)
def test_limits_are_told_in_words(expected, text):
    assert expected.describe() == text


@pytest.mark.parametrize(("text", "digits"), [("6", 6), ("4-8", (4, 8)), ("999", 999)])
def test_digits_are_a_number_or_two(text, digits):
    assert parse_digits(text) == digits


@pytest.mark.parametrize("text", ["", "0", "-3", "3-", "3-4-5", "six", "1.5", "1000", "٣", " 3"])
def test_other_digits_are_refused(text):
    with pytest.raises(
        ValueError, match=r"^expected a number, or the least and the most"
    ) as caught:
        parse_digits(text)
    assert "\n" not in str(caught.value)
