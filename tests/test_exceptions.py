"""Helpers for the text of error messages."""

from __future__ import annotations

import pytest

from mnist_svm.exceptions import error_text, sanitize


def test_unprintable_characters_are_replaced():
    assert sanitize("a\nb\x1b[31m\u202e é") == "a?b?[31m? é"


def test_long_text_is_cut():
    assert sanitize("x" * 300, 100) == "x" * 100
    assert sanitize("x" * 300) == "x" * 300


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("bad value", "bad value"),
        ("first\nsecond", "first"),
        ("", "ValueError"),
        ("\0", "ValueError"),
    ],
)
def test_an_error_is_described_on_one_line(message, text):
    assert error_text(ValueError(message)) == text
