"""Tests of corrections and teaching on the web page, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import DIGITS, Page, browsing
from tests.support.serving import eventually, serving

pytestmark = pytest.mark.browser

# A 1 as a circle with a bar below it, which nobody else writes.
OWN_ONE = [DIGITS[0][0], [(0.1, 1.15), (0.9, 1.15)]]


@pytest.fixture(scope="module")
def page():
    with browsing() as page:
        yield page


def kept(folder: Path) -> list[str]:
    return [path.parent.name for path in folder.glob("*/*.png")]


def test_a_drawn_digit_is_corrected_taught_and_read_right(page: Page, tmp_path, small_model_file):
    folder, model = tmp_path / "kept", tmp_path / "model.joblib"
    model.write_bytes(small_model_file.read_bytes())
    with serving("--corrections", str(folder), "--model", str(model)) as server:
        page.open(server.url)
        for n in range(1, 4):
            if n > 1:
                page.click("#clear")
            page.draw(OWN_ONE, left=0.25 + 0.02 * n, size=0.5 + 0.02 * n)
            page.wait_until_idle()
            eventually(lambda: page.text("#digit") not in {"", "?", "1"})
            page.wait_until_idle()
            page.click("#labels [value='1']")
            page.wait_for_text("#kept", "Kept as a 1.")
            assert kept(folder) == ["1"] * n
        page.wait_for_text("#learn", "Learn from 3 corrections")
        page.click("#learn")
        page.wait_for_text("#learn", "Learning…")
        eventually(lambda: page.text("#learned").startswith("Learned. Of 3 corrections, 3 were"))
        page.wait_for_text("#digit", "1")
        page.click("#clear")
        page.draw(OWN_ONE, left=0.3, size=0.55)
        page.wait_for_text("#digit", "1")
        page.wait_until_idle()
        assert page.text("#digit") == "1"
        assert page.console_messages() == []


def test_a_digit_of_a_number_is_corrected_alone(page: Page, tmp_path):
    with serving("--corrections", str(tmp_path / "kept")) as server:
        page.open(server.url)
        page.draw(DIGITS[7], left=0.05, size=0.5)
        page.draw(DIGITS[1], left=0.6, size=0.5)
        page.wait_for_text("#number", "71")
        page.wait_until_idle()
        assert not page.find("#labels [value='7']").is_displayed()
        page.click("#labels [value='4']")
        page.wait_for_text("#kept", "Kept as a 4.")
        (path,) = (tmp_path / "kept").glob("4/*.png")
        request = server.request(
            "POST", "/predict", path.read_bytes(), {"Content-Type": "image/png"}
        )
        assert request.json["predictions"][0]["label"] == 7


def test_without_the_option_there_is_nothing_to_correct(page: Page):
    with serving() as server:
        page.open(server.url)
        page.draw(DIGITS[7])
        page.wait_for_text("#digit", "7")
        assert not page.find("#correct").is_displayed()
        assert not page.find("#teach").is_displayed()


@pytest.mark.parametrize("width", [320, 1200])
def test_corrections_fit_the_screen(page: Page, tmp_path, width):
    with serving("--corrections", str(tmp_path / "kept")) as server:
        page.open(server.url, width=width)
        page.draw(DIGITS[7])
        page.wait_for_text("#digit", "7")
        page.click("#labels [value='4']")
        page.wait_for_text("#kept", "Kept as a 4.")
        overflow = page.run("return document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0
