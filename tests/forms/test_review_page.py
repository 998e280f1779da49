"""The page for review in a browser: correct numbers, save, read the file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from mnist_svm import FormReading
from mnist_svm.forms.review import render_review
from mnist_svm.forms.table import Table
from tests.forms.test_table import HOSTILE, form, number, template
from tests.support.browser import Page, browsing
from tests.support.serving import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture
def show(browser, tmp_path) -> Callable[..., Page]:
    """Open the page of a table in the browser."""

    def open_page(table: Table, *, media: dict[str, str] | None = None, **options) -> Page:
        width = options.pop("width", 1200)
        path = tmp_path / "review.html"
        path.write_text(render_review(table, name="numbers.csv", **options), encoding="utf-8")
        browser.open(path.as_uri(), width=width, **(media or {}))
        return browser

    return open_page


@pytest.fixture
def forms() -> list[FormReading]:
    return [
        form("a.png", day=number("07", 0.98), sum=number("17430", 0.62), tax=None),
        form("b.png", day=number("31", 0.4), sum=number("120", 0.999), tax=number("5", 0.7)),
    ]


@pytest.fixture
def table(forms) -> Table:
    table = Table(template("day", "sum", "tax"), keeps_pictures=True)
    for each in forms:
        table.add(each, with_file=True)
    return table


def save(page: Page, folder: Path) -> list[list[str]]:
    """Save the CSV file, and read it."""
    behavior = {"behavior": "allow", "downloadPath": str(folder)}
    page.driver.execute_cdp_cmd("Page.setDownloadBehavior", behavior)
    page.click("#save")
    path = folder / "numbers.csv"
    text = eventually(lambda: path.exists() and path.read_text(encoding="utf-8"))
    return list(csv.reader(text.splitlines()))


def values(page: Page) -> list[str]:
    return page.run("return [...document.querySelectorAll('main input')].map(x => x.value)")


def test_numbers_below_the_threshold_are_shown_beside_their_pictures(show, table):
    page = show(table)
    assert page.text("h1") == "3 of 6 numbers to check"
    assert page.texts("h2") == ["a.png", "b.png"]
    assert page.texts(".name") == ["sum", "day", "tax"]
    assert values(page) == ["17430", "31", "5"]
    widths = page.run("return [...document.querySelectorAll('main img')].map(x => x.naturalWidth)")
    assert widths == [90, 90, 90]
    assert page.console_messages() == []


def test_a_number_is_corrected_and_saved_and_others_stay(show, table, tmp_path):
    page = show(table, reject_below=0.5)
    # The first number is selected: what is typed takes its place, and Enter goes on.
    page.press("2")
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.value") == "31"
    assert page.text("#progress") == "1 of 3 checked, 1 corrected, not saved yet"
    assert page.texts(".state")[0] == "Corrected; it was read as 17430"
    assert page.texts(".state")[1] == "Read with confidence 0.400; saved as ? unless you confirm it"
    assert save(page, tmp_path) == [
        ["file", "day", "sum", "tax", "day confidence", "sum confidence", "tax confidence"],
        ["a.png", "07", "2", "", "0.980", "1", ""],
        ["b.png", "?", "120", "5", "0.400", "0.999", "0.700"],
    ]
    assert page.text("#progress") == "1 of 3 checked, 1 corrected"


def test_enter_confirms_each_number_and_ends_at_the_button(show, table, tmp_path):
    page = show(table, reject_below=0.5)
    for _ in range(3):
        page.press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "save"
    assert page.texts(".state") == ["Confirmed"] * 3
    assert [row[4:] for row in save(page, tmp_path)[1:]] == [
        ["0.980", "1", ""],
        ["1", "0.999", "1"],
    ]


def test_shift_and_enter_go_back_and_escape_restores(show, table):
    page = show(table)
    page.press("9")
    page.press(Keys.ENTER)
    page.press(Keys.SHIFT, Keys.ENTER)
    assert page.run("return document.activeElement.value") == "9"
    page.press(Keys.ESCAPE)
    assert values(page) == ["17430", "31", "5"]
    assert page.text("#progress").startswith("0 of 3 checked, 0 corrected")


@pytest.mark.parametrize("text", ["=1+1", "12a", "1 2", "??"])
def test_what_is_no_number_is_not_saved(show, table, tmp_path, text):
    page = show(table)
    page.find("main input").send_keys(text)
    page.press(Keys.ENTER)
    page.click("#save")
    assert page.text(".invalid .state") == "Digits only, or ? alone"
    assert page.run("return document.activeElement.value") == text
    assert page.find("main input").get_attribute("aria-invalid") == "true"
    assert not (tmp_path / "numbers.csv").exists()


@pytest.mark.parametrize("text", ["", "?"])
def test_a_number_may_be_blank_or_unreadable(show, table, tmp_path, text):
    page = show(table)
    page.press(Keys.BACKSPACE)
    page.find("main input").send_keys(text)
    row = save(page, tmp_path)[1]
    assert [row[2], row[5]] == [text, ""]


def test_the_switch_shows_all_numbers_and_keeps_corrections(show, table):
    page = show(table)
    page.press("8")
    page.click("#all")
    assert values(page) == ["07", "8", "", "31", "120", "5"]
    page.click("#all")
    assert values(page) == ["8", "31", "5"]


def test_without_doubt_there_is_nothing_to_check(show, table):
    page = show(table, threshold=0.1)
    assert page.text("h1") == "Nothing to check"
    assert page.text("#none") == "Every number was read with a confidence of 0.1 or more."


def test_names_are_text_and_are_saved_so(show, tmp_path):
    table = Table(template(HOSTILE.replace("\u2028", "")), keeps_pictures=True)
    table.add(form(HOSTILE, **{HOSTILE: number("1", 0.2)}), with_file=True)
    page = show(table)
    assert page.text(".name") == HOSTILE.replace("\u2028", "?")
    assert page.run("return document.querySelectorAll('[onerror]').length") == 0
    assert [row[:2] for row in save(page, tmp_path)] == [
        ["file", HOSTILE.replace("\u2028", "")],
        [HOSTILE.replace("\u2028", "?"), "1"],
    ]
    assert page.console_messages() == []


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_the_screen(show, width, scheme):
    table = Table(template("n" * 200), keeps_pictures=True)
    table.add(form("f" * 300, x=number("123456789012", 0.2)), with_file=True)
    page = show(table, width=width, media={"prefers_color_scheme": scheme})
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_inputs_have_names_and_descriptions(show, table):
    page = show(table)
    assert page.find("main input").accessible_name == "sum"
    described = page.run(
        "return [...document.querySelectorAll('main input')].every(input =>"
        " document.getElementById(input.getAttribute('aria-describedby')).textContent)"
    )
    assert described
