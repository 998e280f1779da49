"""Digits that the tests of reading compose lines and pages of."""

from __future__ import annotations

import pytest

from tests.support.drawing import ONE_PIECE_DIGITS


@pytest.fixture
def digits(test_set):
    return [test_set.images[k] for k in ONE_PIECE_DIGITS]


@pytest.fixture
def number(test_set):
    return "".join(str(test_set.labels[k]) for k in ONE_PIECE_DIGITS)
