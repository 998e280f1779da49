"""A 1 with an upstroke is read as 1: of any length and angle, drawn on the page."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, radians, sin

import pytest

from tests.support.browser import Page, browsing
from tests.support.serving import serving

pytestmark = pytest.mark.browser

# Length of the upstroke, of the stem's height, and its angle above the base line, in degrees.
LENGTHS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
ANGLES = (25, 40, 55, 70)


@pytest.fixture(scope="module")
def opened() -> Iterator[Page]:
    with serving() as server, browsing() as page:
        page.open(server.url)
        yield page


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("length", LENGTHS)
def test_a_one_with_an_upstroke_is_a_one(opened, length, angle):
    top = (0.6, 0.02)
    foot = (0.6, 0.98)
    reach = length * (foot[1] - top[1])
    start = (top[0] - reach * cos(radians(angle)), top[1] + reach * sin(radians(angle)))
    steps = [
        (start[0] + (top[0] - start[0]) * i / 6, start[1] + (top[1] - start[1]) * i / 6)
        for i in range(6)
    ]
    stem = [(top[0], top[1] + (foot[1] - top[1]) * i / 6) for i in range(7)]
    opened.draw([[*steps, *stem]], left=0.5)
    opened.wait_until_idle()
    read = opened.text("#digit") or opened.text("#number")
    opened.click("#clear")
    assert read == "1"
