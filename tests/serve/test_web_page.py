"""Tests of the web page in a browser."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from mnist_svm import Recognizer
from tests.support.browser import DIGITS, Page, browsing
from tests.support.drawing import compose_ink, in_a_row, on_paper
from tests.support.serving import ROOT, Server, eventually, serving

pytestmark = pytest.mark.browser

KEY = "open sesame"
NOT_A_PICTURE = ("notes.txt", b"seven, two, one\n")
PNGS = [(f"{digit}.png", (ROOT / f"images_test/{digit}.png").read_bytes()) for digit in range(10)]

# Holds back responses until they are released, and counts concurrent requests.
HOLD = """
const real = window.fetch;
window.waiting = window.most = 0;
window.released = new Promise((resolve) => (window.release = resolve));
window.fetch = async (...request) => {
  window.most = Math.max(window.most, ++window.waiting);
  await window.released;
  return real(...request).finally(() => window.waiting--);
};
"""

# Makes the first arguments[0] requests fail, with the status arguments[1] or without a response.
FAIL = """
const real = window.fetch;
let left = arguments[0];
const fail = () =>
  arguments[1]
    ? Promise.resolve(new Response("{}", { status: arguments[1], headers: { "Retry-After": "0" } }))
    : Promise.reject(new TypeError("Failed to fetch"));
window.fetch = (...request) => (left-- > 0 ? fail() : real(...request));
"""

# Records the texts of an element.
RECORD = """
const element = document.getElementById(arguments[0]);
window.shown = [];
new MutationObserver(() => window.shown.push(element.textContent))
  .observe(element, { childList: true });
"""

# Returns the lowest contrast of all visible texts, and the element.
CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const light = (colour) => {
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) =>
    part <= 10.31475 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour === "rgba(0, 0, 0, 0)" ? background(element.parentElement) : colour;
};
const shown = [...document.querySelectorAll("body *")].filter((element) =>
  element.checkVisibility({ visibilityProperty: true }) &&
  !element.closest(".visually-hidden, .empty") &&
  [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
return shown.map((element) => {
  const lights = [light(getComputedStyle(element).color), light(background(element))];
  return [(Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05), element.outerHTML];
}).sort((one, two) => one[0] - two[0])[0];
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server with an API key that accepts at most 1 MiB."""
    with serving("--max-body", "1", env={"MNIST_SVM_API_KEY": KEY}) as server:
        yield server


@pytest.fixture(scope="module")
def opened() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture
def page(server: Server, opened: Page) -> Iterator[Page]:
    """The freshly loaded page; messages in the browser's console fail the test."""
    opened.open(server.url)
    yield opened
    assert opened.console_messages() == []


@pytest.fixture(scope="module")
def number(test_set) -> bytes:
    """The first five test digits, 72104, side by side."""
    return in_format("PNG", row_of(test_set.images[:5]))


def row_of(images: np.ndarray) -> Image.Image:
    placed = in_a_row(images, 80, top=40, left=50, gap=30)
    return Image.fromarray(on_paper(compose_ink((170, placed[-1].right + 50), placed)))


def in_format(name: str, picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


def pad_has_ink(page: Page) -> bool:
    return page.run(
        "const pad = document.getElementById('pad');"
        "const pixels = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height).data;"
        "return pixels.some((value) => value > 0)"
    )


def boxes(page: Page, within: str) -> list[tuple[float, float, float, float]]:
    """Return left, top, width and height as fractions of the picture."""
    return page.run(
        "const all = arguments[0].getBoundingClientRect();"
        "return [...arguments[0].querySelectorAll('.box')].map((box) => {"
        "  const { left, top, width, height } = box.getBoundingClientRect();"
        "  return [(left - all.left) / all.width, (top - all.top) / all.height,"
        "          width / all.width, height / all.height]; })",
        page.find(within),
    )


# Drawing


@pytest.mark.parametrize("digit", DIGITS)
def test_a_drawn_digit_is_recognised(page, digit):
    page.draw(DIGITS[digit])
    page.wait_for_text("#digit", str(digit))


def test_a_result_appears_while_the_stroke_is_drawn(page):
    page.run(
        "window.shown = [];"
        "document.getElementById('pad').addEventListener('pointerup', () =>"
        "  (window.before = document.getElementById('digit').textContent), true)"
    )
    slowly = [point for point in DIGITS[7][0] for _ in range(20)]
    page.draw([slowly])
    assert page.wait_for("window.before") in "0123456789"


def requests_to_read(server: Server) -> list[int]:
    """Return the status of each request for a reading so far."""
    return [entry["status"] for entry in server.log() if entry["path"] in {"/predict", "/read"}]


def test_nothing_is_logged_while_a_stroke_is_too_short_to_be_a_digit(page, server):
    n_before = len(requests_to_read(server))
    page.draw([[point for point in DIGITS[7][0] for _ in range(5)]])
    page.wait_for_text("#digit", "7")
    page.wait_until_idle()
    assert set(requests_to_read(server)[n_before:]) == {200}
    assert page.driver.get_log("browser") == []


def test_a_dot_is_drawn_but_not_read(page, server):
    n_before = len(requests_to_read(server))
    page.draw([[(0.5, 0.5), (0.5, 0.5)]])
    eventually(lambda: pad_has_ink(page))
    assert page.text("#message") == "It appears here while you draw."
    page.wait_until_idle()
    assert len(requests_to_read(server)) == n_before
    page.draw(DIGITS[7])
    page.wait_for_text("#digit", "7")
    page.click("#clear")


def test_confidence_and_probabilities_are_shown(page):
    page.drop(PNGS[5])
    page.wait_for_text("#digit", "5")
    assert page.text("#confidence") == "Fairly sure, 98.9 %"
    assert page.texts("#bars tbody th") == list("0123456789")
    shares = [float(text.removesuffix(" %")) for text in page.texts("#bars td span")]
    assert shares[5] == 98.9
    assert sum(shares) == pytest.approx(100, abs=0.5)


def test_the_classified_image_is_shown(page):
    page.drop(PNGS[5])
    page.wait_for_text("#digit", "5")
    seen = page.run(
        "const context = document.getElementById('classified').getContext('2d');"
        "return [...context.getImageData(0, 0, 28, 28).data]"
    )
    greys = np.array(seen).reshape(28, 28, 4)[:, :, 0]
    assert np.array_equal(greys, np.asarray(Image.open(io.BytesIO(PNGS[5][1]))))


def test_two_drawn_digits_become_a_number_with_boxes_on_the_pad(page):
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.wait_for_text("#number", "71")
    seven, one = boxes(page, "#pad-boxes")
    assert seven[0] == pytest.approx(0.09, abs=0.04)
    assert one[0] == pytest.approx(0.63, abs=0.04)
    assert seven[3] == pytest.approx(0.5, abs=0.06)


def test_undo_removes_the_last_stroke(page):
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.wait_for_text("#number", "71")
    page.click("#undo")
    page.wait_for_text("#digit", "7")
    assert not page.find("#number").is_displayed()


def test_clear_leaves_an_empty_pad_and_no_result(page):
    page.draw(DIGITS[3])
    page.wait_for_text("#digit", "3")
    page.click("#clear")
    page.wait_for_text("#digit", "?")
    assert not pad_has_ink(page)
    assert page.find("#clear").get_attribute("aria-disabled") == "true"


def test_undo_restores_a_cleared_drawing(page):
    page.draw(DIGITS[3])
    page.click("#clear")
    page.click("#undo")
    page.wait_for_text("#digit", "3")


@pytest.mark.parametrize("key", [Keys.ESCAPE, Keys.DELETE])
def test_a_key_clears_the_pad(page, key):
    page.draw(DIGITS[1])
    page.wait_for_text("#digit", "1")
    page.press(key)
    page.wait_for_text("#digit", "?")
    assert not pad_has_ink(page)


def test_control_z_removes_the_last_stroke(page):
    page.draw(DIGITS[1])
    page.wait_for_text("#digit", "1")
    page.press(Keys.CONTROL, "z")
    page.wait_for_text("#digit", "?")
    assert not pad_has_ink(page)


def test_requests_are_sequential_and_the_latest_drawing_is_shown(page):
    page.run(HOLD)
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.run("window.release()")
    page.wait_for_text("#number", "71")
    page.wait_until_idle()
    assert page.run("return window.most") == 1


def test_a_result_of_removed_strokes_is_not_shown(page):
    page.draw(DIGITS[7], left=0, size=0.4)
    page.draw(DIGITS[1], left=0.4, size=0.4)
    page.wait_for_text("#number", "71")
    page.wait_until_idle()
    page.run(HOLD)
    page.run(RECORD, "number")
    page.draw(DIGITS[1], left=0.7, size=0.4)
    page.wait_for("window.waiting")
    page.click("#undo")
    page.click("#undo")
    page.run("window.release()")
    page.wait_for_text("#digit", "7")
    assert page.run("return window.shown") == []


def test_a_result_that_arrives_after_clearing_is_not_shown(page):
    page.draw(DIGITS[7])
    page.wait_for_text("#digit", "7")
    page.wait_until_idle()
    page.run(HOLD)
    page.run(RECORD, "number")
    page.click("#mode")
    page.wait_for("window.waiting")
    page.click("#clear")
    page.run("window.release()")
    page.wait_for("window.waiting === 0")
    page.drop(PNGS[3])
    page.wait_for_text("#digit", "3")
    assert page.run("return window.shown") == []


def test_a_drawing_of_several_digits_is_refused_as_one_digit(page):
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.wait_for_text("#number", "71")
    page.click("#mode")
    eventually(lambda: page.text("#message").startswith("Several digits. Choose"))
    assert not page.find("#number").is_displayed()
    page.click("#mode")
    page.wait_for_text("#number", "71")


# Pictures


def test_dropped_files_are_listed_in_order(page):
    page.drop(PNGS[3], PNGS[8])
    eventually(lambda: page.texts(".result") == ["3", "8"])
    assert page.texts(".name") == ["3.png", "8.png"]
    assert page.texts(".message") == ["95.6 % sure", "99.9 % sure"]
    page.wait_for_text("#digit", "3")


def test_chosen_files_are_read_two_at_a_time(page):
    page.run(HOLD)
    page.choose(*(ROOT / f"images_test/{digit}.png" for digit in range(5)))
    page.wait_for("window.waiting === 2")
    assert page.text("#count") == "0 of 5 read"
    page.run("window.release()")
    eventually(lambda: page.texts(".result") == list("01234"))
    assert page.run("return window.most") == 2
    assert not page.find("#progress").is_displayed()


def test_a_card_selects_its_picture(page):
    page.drop(PNGS[3], PNGS[8])
    eventually(lambda: page.texts(".result") == ["3", "8"])
    page.find_all(".card")[1].send_keys(Keys.ENTER)
    page.wait_for_text("#digit", "8")
    assert page.text("#source") == "8.png"
    assert page.find_all(".card")[1].get_attribute("aria-current") == "true"


def test_a_pasted_picture_is_read(page):
    page.paste(("image.png", PNGS[6][1]))
    page.wait_for_text("#digit", "6")


def test_a_number_is_read_with_boxes_where_the_digits_are(page, number, test_set):
    page.drop(("number.png", number))
    page.wait_for_text("#number", "72104")
    placed = in_a_row(test_set.images[:5], 80, top=40, left=50, gap=30)
    width = placed[-1].right + 50
    expected = [
        (part.left / width, part.top / 170, (part.right - part.left) / width, 80 / 170)
        for part in placed
    ]
    assert np.allclose(boxes(page, "#frame"), expected, atol=0.03)
    assert page.texts("#frame .box") == list("72104")
    assert page.text("#summary") == "5 digits, all sure"


def test_the_confidence_of_a_number_is_that_of_the_whole(page, number):
    page.drop(("number.png", number))
    page.wait_for_text("#number", "72104")
    (whole,) = Recognizer.load().read_page(number).numbers
    wanted = "over 99.9" if whole.confidence > 0.9994 else f"{100 * whole.confidence:.1f}"
    assert page.texts(".message")[0] == f"{wanted}\u00a0% sure".replace("\u00a0", " ")


def test_a_digit_of_a_number_is_explained_when_its_box_is_clicked(page, number):
    page.drop(("number.png", number))
    page.wait_for_text("#number", "72104")
    assert page.text("#bars .best th") == "7"
    page.find_all("#frame .box")[3].click()
    assert page.text("#bars .best th") == "0"
    chosen = page.find_all("#number [aria-checked=true]")
    assert [button.text for button in chosen] == ["0"]


def test_arrow_keys_go_through_the_digits_of_a_number(page, number):
    page.drop(("number.png", number))
    page.wait_for_text("#number", "72104")
    page.find("#number [tabindex='0']").send_keys(Keys.ARROW_RIGHT)
    page.press(Keys.ARROW_RIGHT)
    assert page.text("#bars .best th") == "1"
    assert page.driver.switch_to.active_element.accessible_name.startswith("1, ")


def test_unsure_digits_have_boxes_of_another_colour_and_line(page, test_set):
    confidence = Recognizer.load().classify(test_set.images[:1000]).confidence
    images = test_set.images[[0, int(confidence.argmin())]]
    page.drop(("number.png", in_format("PNG", row_of(images))))
    eventually(lambda: page.text("#summary") == "2 digits, 1 unsure (dashed)")
    styles = page.run(
        "return [...document.querySelectorAll('#frame .box')].map((box) => getComputedStyle(box))"
        ".map((style) => [style.outlineColor, style.outlineStyle])"
    )
    assert styles[0][0] != styles[1][0]
    assert [style for _, style in styles] == ["solid", "dashed"]


def test_boxes_are_on_the_upright_picture(page, test_set):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = row_of(test_set.images[:5]).transpose(Image.Transpose.ROTATE_90)
    page.drop(("phone.jpg", in_format("JPEG", turned, exif=exif)))
    page.wait_for_text("#number", "72104")
    page.wait_for("document.getElementById('picture').naturalWidth")
    shown, upright = page.run(
        "const picture = document.getElementById('picture');"
        "const box = picture.getBoundingClientRect();"
        "return [box.width / box.height, picture.naturalWidth / picture.naturalHeight]"
    )
    assert upright > 1
    assert shown == pytest.approx(upright, rel=0.02)


def test_a_picture_of_several_digits_is_refused_as_one_digit(page, number):
    page.drop(("number.png", number))
    page.wait_for_text("#number", "72104")
    assert page.text("#mode") == "Read as one digit"
    page.click("#mode")
    eventually(lambda: page.text("#message").startswith("Several digits. Choose"))
    assert page.text("#mode") == "Read as several digits"
    page.click("#mode")
    page.wait_for_text("#number", "72104")


def test_a_picture_that_the_browser_cannot_display_is_read(page, number):
    with Image.open(io.BytesIO(number)) as picture:
        page.drop(("scan.tif", in_format("TIFF", picture)))
    page.wait_for_text("#number", "72104")
    page.wait_for_text("#note", "Read, but this browser cannot display the file.")
    assert len(boxes(page, "#frame")) == 5
    assert page.text(".file-type") == "TIF"


def test_a_note_says_which_page_was_read(page):
    with Image.open(io.BytesIO(PNGS[3][1])) as picture:
        pages = in_format("TIFF", picture, save_all=True, append_images=[picture, picture])
    page.drop(("scan.tif", pages))
    page.wait_for_text("#digit", "3")
    assert "This is the first of 3 pages." in page.text("#note")


def test_an_invalid_file_has_an_error_and_the_others_are_read(page):
    damaged = ("damaged.png", PNGS[4][1][:60])
    page.drop(PNGS[3], NOT_A_PICTURE, damaged, PNGS[8])
    eventually(lambda: page.texts(".result") == ["3", "", "", "8"])
    _, not_a_picture, cut, _ = page.texts(".message")
    assert not_a_picture.startswith("Not a picture in a supported format")
    assert cut.startswith("Damaged picture (PNG")
    assert page.text("#count") == "2 not read"


def test_a_selected_invalid_file_has_a_message_and_no_result(page):
    page.drop(NOT_A_PICTURE)
    eventually(lambda: page.text("#message").startswith("Not a picture"))
    assert page.text("#digit") == page.text("#save") == ""


def test_a_file_name_is_never_markup(page):
    name = "<img src=x onerror=alert(1)>.png"
    page.drop((name, PNGS[2][1]), (f"a{name}", b"no picture"))
    eventually(lambda: page.texts(".result") == ["2", ""])
    assert page.texts(".name") == [name, f"a{name}"]
    assert page.text("#source") == name


def test_all_pictures_can_be_removed(page):
    page.drop(PNGS[3], PNGS[8])
    page.wait_for_text("#digit", "3")
    page.click("#remove")
    page.wait_for_text("#digit", "?")
    assert not page.find("#files").is_displayed()


# Saved results


def test_a_result_can_be_saved(page, tmp_path):
    page.drop(("three.png", PNGS[3][1]))
    page.wait_for_text("#digit", "3")
    saved = json.loads(page.download("#save", tmp_path))
    assert saved["model"]["name"] == "gradient"
    (answer,) = saved["answers"]
    assert (answer["file"], answer["label"]) == ("three.png", 3)
    assert answer["confidence"] == pytest.approx(0.956, abs=1e-3)
    assert sum(answer["probabilities"]) == pytest.approx(1)


def test_all_results_can_be_saved(page, number, tmp_path):
    page.drop(PNGS[3], ("number.png", number), NOT_A_PICTURE)
    eventually(lambda: page.texts(".result") == ["3", "72104", ""])
    page.wait_for_text("#count", "1 not read")
    one, many, wrong = json.loads(page.download("#save-all", tmp_path))["answers"]
    assert one["label"] == 3
    assert many["rows"][0]["text"] == "72104"
    assert many["rows"][0]["digits"][1]["box"]["height"] == pytest.approx(80, abs=6)
    assert wrong["file"] == "notes.txt"
    assert wrong["error"].startswith("Not a picture")


# Errors


def test_an_unreachable_server_can_be_retried(page):
    page.run(FAIL, 1, 0)
    page.drop(PNGS[3])
    page.wait_for_text("#message", "The server cannot be reached. Is it still running?")
    page.click("#retry")
    page.wait_for_text("#digit", "3")


def test_a_busy_server_is_retried(page):
    page.run(FAIL, 1, 503)
    page.drop(PNGS[3])
    page.wait_for_text("#digit", "3")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (503, "The server is busy. Try again in a moment."),
        (408, "This picture took the server too long. Try a smaller one."),
        (500, "The server failed (500)."),
    ],
)
def test_server_errors_have_plain_messages(page, status, message):
    page.run(FAIL, 100, status)
    page.drop(PNGS[3])
    page.wait_for_text("#message", message)
    assert page.text("#retry") == "Try again"


def test_an_api_key_is_requested_and_stored(page, guarded):
    page.open(guarded.url)
    page.draw(DIGITS[7])
    page.wait_for_text("#message", "This server requires an API key.")
    page.find("#key-text").send_keys("guess", Keys.ENTER)
    page.wait_for_text("#message", "The server rejected this API key.")
    page.find("#key-text").send_keys(KEY, Keys.ENTER)
    page.wait_for_text("#digit", "7")
    page.open(guarded.url)
    page.drop(PNGS[3])
    page.wait_for_text("#digit", "3")


def test_typing_in_a_field_does_not_clear_the_pad(page, guarded):
    page.open(guarded.url)
    page.run("sessionStorage.clear()")
    page.draw(DIGITS[7])
    page.wait_for_text("#message", "This server requires an API key.")
    page.find("#key-text").send_keys("x", Keys.CONTROL + "z", Keys.DELETE, Keys.ESCAPE)
    assert pad_has_ink(page)


def test_a_too_large_file_has_an_error(page, guarded):
    page.open(guarded.url)
    page.run("sessionStorage.setItem('mnist-svm-key', arguments[0])", KEY)
    page.drop(("large.png", PNGS[3][1] + bytes(1 << 20)), PNGS[8])
    eventually(lambda: page.texts(".result") == ["", "8"])
    eventually(lambda: page.texts(".message")[0].startswith("Too large for this server"))


# Screens and accessibility


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_it_fits_the_screen(page, server, number, width):
    page.open(server.url, width=width)
    name = f"a-name-of-a-file-that-is-{'very-' * 20}long.png"
    page.drop(("number.png", number), (name, PNGS[3][1]), NOT_A_PICTURE)
    eventually(lambda: page.texts(".result") == ["72104", "3", ""])
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    page.find_all(".card")[1].click()
    page.wait_for_text("#digit", "3")
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")


def test_two_columns_on_a_wide_screen_and_one_on_a_phone(page, server):
    def places() -> list[dict[str, int]]:
        return [page.find(section).rect for section in ("#draw", "#answer")]

    page.open(server.url, width=1440)
    draw, answer = places()
    assert answer["x"] > draw["x"] + draw["width"]
    page.open(server.url, width=360)
    draw, answer = places()
    assert answer["y"] > draw["y"] + draw["height"]


def test_a_finger_draws_on_a_phone(page, server):
    page.open(server.url, width=360, height=740)
    page.draw(DIGITS[7], pointer="touch")
    page.wait_for_text("#digit", "7")
    seen = page.find("#digit").rect
    assert seen["y"] + seen["height"] < 740


def test_only_the_pad_disables_touch_scrolling(page):
    actions = page.run(
        "return [...document.querySelectorAll('*')]"
        ".filter((element) => getComputedStyle(element).touchAction === 'none')"
        ".map((element) => element.id)"
    )
    assert actions == ["pad"]


def test_the_result_is_announced(page):
    status = page.find("#status")
    assert status.get_attribute("role") == "status"
    assert status.get_attribute("aria-live") == "polite"
    page.drop(PNGS[3])
    page.wait_for("document.getElementById('status').textContent")
    assert status.get_property("textContent") == "Read as 3, 95.6 percent sure"


def test_announcements_wait_until_drawing_pauses(page):
    page.run(RECORD, "status")
    page.draw(DIGITS[7])
    page.wait_for("window.shown.length")
    (said,) = page.run("return window.shown")
    assert said.startswith("Read as 7, ")


def test_every_element_has_an_accessible_name(page, number):
    page.drop(("number.png", number), NOT_A_PICTURE)
    page.wait_for_text("#number", "72104")
    for element in page.find_all("button, input, canvas, section, [role]"):
        if element.is_displayed() and element.get_attribute("role") != "status":
            assert element.accessible_name, element.get_attribute("outerHTML")
    assert page.run("return [...document.images].every((image) => image.hasAttribute('alt'))")
    assert page.find("#pad").accessible_name == "Drawing pad, empty"
    assert [*filter(None, page.texts("h1, h2"))] == ["mnist-svm", "Draw", "Answer", "Pictures"]


def test_the_keyboard_reaches_every_control_in_order(page, number):
    page.drop(("number.png", number))
    page.wait_for_text("#number", "72104")
    reached = []
    for _ in range(9):
        page.press(Keys.TAB)
        element = page.driver.switch_to.active_element
        reached.append(element.get_attribute("id") or element.accessible_name)
        assert page.run(
            "const shown = arguments[0].id === 'choose' ? arguments[0].nextElementSibling"
            " : arguments[0]; return getComputedStyle(shown).outlineStyle !== 'none'",
            element,
        )
    assert reached[:3] == ["undo", "clear", "choose"]
    assert reached[3].startswith("7, ")
    assert reached[4:6] == ["mode", "save"]
    assert reached[6].startswith("number.png")
    assert reached[7:] == ["remove", "API documentation"]


def test_the_colour_scheme_follows_the_preference(page, server):
    background = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(page.run(background)) > 200
    page.open(server.url, prefers_color_scheme="dark")
    assert max(page.run(background)) < 50
    page.draw(DIGITS[7])
    page.wait_for_text("#digit", "7")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(page, server, number, scheme):
    page.open(server.url, prefers_color_scheme=scheme)
    page.drop(("number.png", number), NOT_A_PICTURE, PNGS[3])
    eventually(lambda: page.texts(".result") == ["72104", "", "3"])
    least, element = page.run(CONTRAST)
    assert least >= 4.5, element


@pytest.mark.parametrize(("wish", "duration"), [("no-preference", "0.18s"), ("reduce", "0s")])
def test_reduced_motion_disables_transitions(page, server, wish, duration):
    page.open(server.url, prefers_reduced_motion=wish)
    assert (
        page.run(
            "const bar = document.querySelector('#bars td div');"
            "return getComputedStyle(bar, '::before').transitionDuration"
        )
        == duration
    )


def test_all_resources_come_from_the_server(page, server):
    page.draw(DIGITS[7])
    page.wait_for_text("#digit", "7")
    sources = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(sources) > 5
    assert [source for source in sources if not source.startswith(server.url)] == []


def test_the_shell_command_names_this_server(page, server):
    assert page.text("#curl") == f"curl -F file=@digit.png {server.url}/predict"
    assert page.find("footer a").get_attribute("href") == f"{server.url}/docs"


def test_without_javascript_the_page_mentions_the_api(server):
    html = server.request("GET", "/").body.decode()
    assert "/predict" in html.split("<noscript>")[1].split("</noscript>")[0]


def test_static_files_are_served_unchanged(server):
    for path in sorted(Path(ROOT / "mnist_svm/serve/static").iterdir()):
        assert server.request("GET", f"/static/{path.name}").body == path.read_bytes()
