"""The page of the server, in a real browser: what a person does, and then sees."""

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
from tests.support.drawing import cover_of, in_a_row, on_paper
from tests.support.serving import ROOT, Served, eventually, serving

KEY = "open sesame"
NOT_A_PICTURE = ("notes.txt", b"seven, two, one\n")
PNGS = [(f"{digit}.png", (ROOT / f"images_test/{digit}.png").read_bytes()) for digit in range(10)]

# Answers are held back until they are released; counts how many requests wait at a time.
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

# The first so many requests end in a way; what comes after them is answered.
FAIL = """
const real = window.fetch;
let left = arguments[0];
const fail = () =>
  arguments[1]
    ? Promise.resolve(new Response("{}", { status: arguments[1], headers: { "Retry-After": "0" } }))
    : Promise.reject(new TypeError("Failed to fetch"));
window.fetch = (...request) => (left-- > 0 ? fail() : real(...request));
"""

# All texts that an element shows from now on.
RECORD = """
const element = document.getElementById(arguments[0]);
window.shown = [];
new MutationObserver(() => window.shown.push(element.textContent))
  .observe(element, { childList: true });
"""

# The least contrast of all texts that are shown, and of which.
CONTRAST = """
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const light = (colour) => {
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) =>
    part <= 10.31475 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour === "rgba(0, 0, 0, 0)" ? ground(element.parentElement) : colour;
};
const shown = [...document.querySelectorAll("body *")].filter((element) =>
  element.checkVisibility({ visibilityProperty: true }) && !element.closest(".unseen, .blank") &&
  [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
return shown.map((element) => {
  const lights = [light(getComputedStyle(element).color), light(ground(element))];
  return [(Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05), element.outerHTML];
}).sort((one, two) => one[0] - two[0])[0];
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    """A server that wants a key and takes no more than 1 MiB."""
    with serving("--max-body", "1", env={"MNIST_SVM_API_KEY": KEY}) as served:
        yield served


@pytest.fixture(scope="module")
def opened() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture
def page(server: Served, opened: Page) -> Iterator[Page]:
    """The page, loaded anew; nothing may be complained of in the browser's console."""
    opened.open(server.url)
    yield opened
    assert opened.complaints() == []


@pytest.fixture(scope="module")
def number(test_set) -> bytes:
    """The first five test digits, 72104, side by side."""
    return in_format("PNG", row_of(test_set.images[:5]))


def row_of(images: np.ndarray) -> Image.Image:
    placed = in_a_row(images, 80, top=40, left=50, gap=30)
    return Image.fromarray(on_paper(cover_of((170, placed[-1].right + 50), placed)))


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
    """Left, top, width and height in parts of the picture's width and height."""
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
    page.shows("#digit", str(digit))


def test_it_answers_while_the_stroke_is_drawn(page):
    page.run(
        "window.shown = [];"
        "document.getElementById('pad').addEventListener('pointerup', () =>"
        "  (window.before = document.getElementById('digit').textContent), true)"
    )
    slowly = [point for point in DIGITS[7][0] for _ in range(20)]
    page.draw([slowly])
    assert page.waits_for("window.before") in "0123456789"


def test_confidence_and_probabilities_are_shown(page):
    page.drop(PNGS[5])
    page.shows("#digit", "5")
    assert page.text("#confidence") == "Sure, 99.8 %"
    assert page.texts("#bars tbody th") == list("0123456789")
    shares = [float(text.removesuffix(" %")) for text in page.texts("#bars td span")]
    assert shares[5] == 99.8
    assert sum(shares) == pytest.approx(100, abs=0.5)


def test_what_the_classifier_saw_is_shown(page):
    page.drop(PNGS[5])
    page.shows("#digit", "5")
    seen = page.run(
        "const context = document.getElementById('seen').getContext('2d');"
        "return [...context.getImageData(0, 0, 28, 28).data]"
    )
    greys = np.array(seen).reshape(28, 28, 4)[:, :, 0]
    assert np.array_equal(greys, np.asarray(Image.open(io.BytesIO(PNGS[5][1]))))


def test_two_drawn_digits_are_a_number_with_boxes_on_the_pad(page):
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.shows("#number", "71")
    seven, one = boxes(page, "#marks")
    assert seven[0] == pytest.approx(0.09, abs=0.04)
    assert one[0] == pytest.approx(0.63, abs=0.04)
    assert seven[3] == pytest.approx(0.5, abs=0.06)


def test_undo_takes_back_the_last_stroke(page):
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.shows("#number", "71")
    page.click("#undo")
    page.shows("#digit", "7")
    assert not page.find("#number").is_displayed()


def test_clear_leaves_an_empty_pad_and_no_answer(page):
    page.draw(DIGITS[3])
    page.shows("#digit", "3")
    page.click("#clear")
    page.shows("#digit", "?")
    assert not pad_has_ink(page)
    assert page.find("#clear").get_attribute("aria-disabled") == "true"


def test_undo_brings_back_what_was_cleared(page):
    page.draw(DIGITS[3])
    page.click("#clear")
    page.click("#undo")
    page.shows("#digit", "3")


@pytest.mark.parametrize("key", [Keys.ESCAPE, Keys.DELETE])
def test_a_key_clears_the_pad(page, key):
    page.draw(DIGITS[1])
    page.shows("#digit", "1")
    page.press(key)
    page.shows("#digit", "?")
    assert not pad_has_ink(page)


def test_control_z_takes_back_the_last_stroke(page):
    page.draw(DIGITS[1])
    page.shows("#digit", "1")
    page.press(Keys.CONTROL, "z")
    page.shows("#digit", "?")
    assert not pad_has_ink(page)


def test_one_request_at_a_time_and_the_newest_drawing_wins(page):
    page.run(HOLD)
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.run("window.release()")
    page.shows("#number", "71")
    page.is_at_rest()
    assert page.run("return window.most") == 1


def test_an_answer_about_ink_that_is_gone_is_not_shown(page):
    page.draw(DIGITS[7], left=0, size=0.4)
    page.draw(DIGITS[1], left=0.4, size=0.4)
    page.shows("#number", "71")
    page.is_at_rest()
    page.run(HOLD)
    page.run(RECORD, "number")
    page.draw(DIGITS[1], left=0.7, size=0.4)
    page.waits_for("window.waiting")
    page.click("#undo")
    page.click("#undo")
    page.run("window.release()")
    page.shows("#digit", "7")
    assert page.run("return window.shown") == []


def test_an_answer_that_comes_after_clearing_is_not_shown(page):
    page.draw(DIGITS[7])
    page.shows("#digit", "7")
    page.is_at_rest()
    page.run(HOLD)
    page.run(RECORD, "number")
    page.click("#other")
    page.waits_for("window.waiting")
    page.click("#clear")
    page.run("window.release()")
    page.waits_for("window.waiting === 0")
    page.drop(PNGS[3])
    page.shows("#digit", "3")
    assert page.run("return window.shown") == []


def test_a_drawing_can_be_read_as_several_and_as_one(page):
    page.draw(DIGITS[7], left=0.05, size=0.5)
    page.draw(DIGITS[1], left=0.6, size=0.5)
    page.shows("#number", "71")
    page.click("#other")
    eventually(lambda: page.text("#digit").isdigit())
    assert not page.find("#number").is_displayed()
    page.click("#other")
    page.shows("#number", "71")


# Pictures


def test_dropped_files_are_read_in_their_order(page):
    page.drop(PNGS[3], PNGS[8])
    eventually(lambda: page.texts(".result") == ["3", "8"])
    assert page.texts(".name") == ["3.png", "8.png"]
    assert page.texts(".told") == ["98.4 % sure", "over 99.9 % sure"]
    page.shows("#digit", "3")


def test_chosen_files_are_read_two_at_a_time(page):
    page.run(HOLD)
    page.choose(*(ROOT / f"images_test/{digit}.png" for digit in range(5)))
    page.waits_for("window.waiting === 2")
    assert page.text("#count") == "0 of 5 read"
    page.run("window.release()")
    eventually(lambda: page.texts(".result") == list("01234"))
    assert page.run("return window.most") == 2
    assert not page.find("#progress").is_displayed()


def test_a_card_shows_its_picture_s_answer(page):
    page.drop(PNGS[3], PNGS[8])
    eventually(lambda: page.texts(".result") == ["3", "8"])
    page.find_all(".card")[1].send_keys(Keys.ENTER)
    page.shows("#digit", "8")
    assert page.text("#source") == "8.png"
    assert page.find_all(".card")[1].get_attribute("aria-current") == "true"


def test_a_pasted_picture_is_read(page):
    page.paste(("image.png", PNGS[6][1]))
    page.shows("#digit", "6")


def test_a_number_is_read_with_boxes_where_the_digits_are(page, number, test_set):
    page.drop(("number.png", number))
    page.shows("#number", "72104")
    placed = in_a_row(test_set.images[:5], 80, top=40, left=50, gap=30)
    width = placed[-1].right + 50
    expected = [
        (part.left / width, part.top / 170, (part.right - part.left) / width, 80 / 170)
        for part in placed
    ]
    assert np.allclose(boxes(page, "#stage"), expected, atol=0.03)
    assert page.texts("#stage .box") == list("72104")
    assert page.text("#summary") == "5 digits, sure of each"


def test_a_digit_of_a_number_is_explained_when_its_box_is_clicked(page, number):
    page.drop(("number.png", number))
    page.shows("#number", "72104")
    assert page.text("#bars .best th") == "7"
    page.find_all("#stage .box")[3].click()
    assert page.text("#bars .best th") == "0"
    chosen = page.find_all("#number [aria-checked=true]")
    assert [button.text for button in chosen] == ["0"]


def test_arrow_keys_go_through_the_digits_of_a_number(page, number):
    page.drop(("number.png", number))
    page.shows("#number", "72104")
    page.find("#number [tabindex='0']").send_keys(Keys.ARROW_RIGHT)
    page.press(Keys.ARROW_RIGHT)
    assert page.text("#bars .best th") == "1"
    assert page.driver.switch_to.active_element.accessible_name.startswith("1, ")


def test_unsure_digits_have_boxes_of_another_colour_and_line(page, test_set):
    confidence = Recognizer.load().classify(test_set.images[:1000]).confidence
    images = test_set.images[[0, int(confidence.argmin())]]
    page.drop(("number.png", in_format("PNG", row_of(images))))
    eventually(lambda: page.text("#summary") == "2 digits, 1 of them unsure (dashed)")
    styles = page.run(
        "return [...document.querySelectorAll('#stage .box')].map((box) => getComputedStyle(box))"
        ".map((style) => [style.outlineColor, style.outlineStyle])"
    )
    assert styles[0][0] != styles[1][0]
    assert [style for _, style in styles] == ["solid", "dashed"]


def test_boxes_are_on_the_upright_picture(page, test_set):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = row_of(test_set.images[:5]).transpose(Image.Transpose.ROTATE_90)
    page.drop(("phone.jpg", in_format("JPEG", turned, exif=exif)))
    page.shows("#number", "72104")
    page.waits_for("document.getElementById('picture').naturalWidth")
    shown, upright = page.run(
        "const picture = document.getElementById('picture');"
        "const box = picture.getBoundingClientRect();"
        "return [box.width / box.height, picture.naturalWidth / picture.naturalHeight]"
    )
    assert upright > 1
    assert shown == pytest.approx(upright, rel=0.02)


def test_a_picture_can_be_read_as_one_digit_and_as_several(page, number):
    page.drop(("number.png", number))
    page.shows("#number", "72104")
    assert page.text("#other") == "Read as one digit"
    page.click("#other")
    eventually(lambda: page.text("#digit").isdigit())
    assert page.text("#other") == "Read as several"
    page.click("#other")
    page.shows("#number", "72104")


def test_a_picture_that_the_browser_cannot_show_is_read(page, number):
    with Image.open(io.BytesIO(number)) as picture:
        page.drop(("scan.tif", in_format("TIFF", picture)))
    page.shows("#number", "72104")
    page.shows("#note", "Read, but this browser cannot show such a file.")
    assert len(boxes(page, "#stage")) == 5
    assert page.text(".blind") == "TIF"


def test_which_page_was_read_is_told(page):
    with Image.open(io.BytesIO(PNGS[3][1])) as picture:
        pages = in_format("TIFF", picture, save_all=True, append_images=[picture, picture])
    page.drop(("scan.tif", pages))
    page.shows("#digit", "3")
    assert "This is the first of 3 pages." in page.text("#note")


def test_a_wrong_file_is_told_of_beside_its_name_and_the_others_are_read(page):
    damaged = ("damaged.png", PNGS[4][1][:60])
    page.drop(PNGS[3], NOT_A_PICTURE, damaged, PNGS[8])
    eventually(lambda: page.texts(".result") == ["3", "", "", "8"])
    _, not_a_picture, cut, _ = page.texts(".told")
    assert not_a_picture.startswith("Not a picture in a format that is read here")
    assert cut.startswith("Damaged picture (PNG")
    assert page.text("#count") == "2 not read"


def test_a_wrong_file_that_is_shown_has_its_message_and_no_answer(page):
    page.drop(NOT_A_PICTURE)
    eventually(lambda: page.text("#message").startswith("Not a picture"))
    assert page.text("#digit") == page.text("#save") == ""


def test_a_file_s_name_is_never_markup(page):
    name = "<img src=x onerror=alert(1)>.png"
    page.drop((name, PNGS[2][1]), (f"a{name}", b"no picture"))
    eventually(lambda: page.texts(".result") == ["2", ""])
    assert page.texts(".name") == [name, f"a{name}"]
    assert page.text("#source") == name


def test_all_pictures_can_be_removed(page):
    page.drop(PNGS[3], PNGS[8])
    page.shows("#digit", "3")
    page.click("#remove")
    page.shows("#digit", "?")
    assert not page.find("#files").is_displayed()


# Answers as a file


def test_the_answer_can_be_saved(page, tmp_path):
    page.drop(("three.png", PNGS[3][1]))
    page.shows("#digit", "3")
    saved = json.loads(page.saves("#save", tmp_path))
    assert saved["model"]["name"] == "gradient"
    (answer,) = saved["answers"]
    assert (answer["file"], answer["digit"]) == ("three.png", 3)
    assert answer["confidence"] == pytest.approx(0.984, abs=1e-3)
    assert sum(answer["probabilities"]) == pytest.approx(1)


def test_all_answers_can_be_saved(page, number, tmp_path):
    page.drop(PNGS[3], ("number.png", number), NOT_A_PICTURE)
    eventually(lambda: page.texts(".result") == ["3", "72104", ""])
    page.shows("#count", "1 not read")
    one, many, wrong = json.loads(page.saves("#save-all", tmp_path))["answers"]
    assert one["digit"] == 3
    assert many["rows"][0]["number"] == "72104"
    assert many["rows"][0]["digits"][1]["box"]["height"] == pytest.approx(80, abs=6)
    assert wrong["file"] == "notes.txt"
    assert wrong["error"].startswith("Not a picture")


# When something is amiss


def test_a_server_that_is_gone_is_told_of_and_can_be_tried_again(page):
    page.run(FAIL, 1, 0)
    page.drop(PNGS[3])
    page.shows("#message", "The server cannot be reached. Is it still running?")
    page.click("#again")
    page.shows("#digit", "3")


def test_a_busy_server_is_asked_again(page):
    page.run(FAIL, 1, 503)
    page.drop(PNGS[3])
    page.shows("#digit", "3")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (503, "The server is busy. Try again in a moment."),
        (408, "The server ran out of time over this picture. A smaller one may do."),
        (500, "The server failed (500)."),
    ],
)
def test_what_keeps_a_server_from_answering_is_told_in_plain_words(page, status, message):
    page.run(FAIL, 100, status)
    page.drop(PNGS[3])
    page.shows("#message", message)
    assert page.text("#again") == "Try again"


def test_a_key_is_asked_for_and_remembered(page, guarded):
    page.open(guarded.url)
    page.draw(DIGITS[7])
    page.shows("#message", "This server wants an API key.")
    page.find("#key-text").send_keys("guess", Keys.ENTER)
    page.shows("#message", "That API key was not accepted.")
    page.find("#key-text").send_keys(KEY, Keys.ENTER)
    page.shows("#digit", "7")
    page.open(guarded.url)
    page.drop(PNGS[3])
    page.shows("#digit", "3")


def test_keys_that_are_typed_do_not_clear_the_pad(page, guarded):
    page.open(guarded.url)
    page.run("sessionStorage.clear()")
    page.draw(DIGITS[7])
    page.shows("#message", "This server wants an API key.")
    page.find("#key-text").send_keys("x", Keys.CONTROL + "z", Keys.DELETE, Keys.ESCAPE)
    assert pad_has_ink(page)


def test_a_file_that_is_too_large_is_told_of(page, guarded):
    page.open(guarded.url)
    page.run("sessionStorage.setItem('mnist-svm-key', arguments[0])", KEY)
    page.drop(("large.png", PNGS[3][1] + bytes(1 << 20)), PNGS[8])
    eventually(lambda: page.texts(".result") == ["", "8"])
    eventually(lambda: page.texts(".told")[0].startswith("Too large for this server"))


# Every screen and every person


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_it_fits_the_screen(page, server, number, width):
    page.open(server.url, width=width)
    name = f"a-name-of-a-file-that-is-{'very-' * 20}long.png"
    page.drop(("number.png", number), (name, PNGS[3][1]), NOT_A_PICTURE)
    eventually(lambda: page.texts(".result") == ["72104", "3", ""])
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    page.find_all(".card")[1].click()
    page.shows("#digit", "3")
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
    page.shows("#digit", "7")
    seen = page.find("#digit").rect
    assert seen["y"] + seen["height"] < 740


def test_only_the_pad_keeps_touches_from_scrolling(page):
    actions = page.run(
        "return [...document.querySelectorAll('*')]"
        ".filter((element) => getComputedStyle(element).touchAction === 'none')"
        ".map((element) => element.id)"
    )
    assert actions == ["pad"]


def test_the_answer_is_announced(page):
    status = page.find("[role=status]")
    assert status.get_attribute("aria-live") == "polite"
    page.drop(PNGS[3])
    page.waits_for("document.getElementById('status').textContent")
    assert status.get_property("textContent") == "Read as 3, 98.4 percent sure"


def test_what_is_announced_waits_until_the_drawing_pauses(page):
    page.run(RECORD, "status")
    page.draw(DIGITS[7])
    page.waits_for("window.shown.length")
    (said,) = page.run("return window.shown")
    assert said.startswith("Read as 7, ")


def test_everything_has_a_name_for_those_who_do_not_see_it(page, number):
    page.drop(("number.png", number), NOT_A_PICTURE)
    page.shows("#number", "72104")
    for element in page.find_all("button, input, canvas, section, [role]"):
        if element.is_displayed() and element.get_attribute("role") != "status":
            assert element.accessible_name, element.get_attribute("outerHTML")
    assert page.run("return [...document.images].every((image) => image.hasAttribute('alt'))")
    assert page.find("#pad").accessible_name == "Drawing pad, empty"
    assert page.texts("h1, h2") == ["mnist-svm", "Draw", "Answer", "Pictures"]


def test_the_keyboard_reaches_everything_in_order(page, number):
    page.drop(("number.png", number))
    page.shows("#number", "72104")
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
    assert reached[4:6] == ["other", "save"]
    assert reached[6].startswith("number.png")
    assert reached[7:] == ["remove", "API documentation"]


def test_it_is_dark_where_people_want_it_dark(page, server):
    ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(page.run(ground)) > 200
    page.open(server.url, prefers_color_scheme="dark")
    assert max(page.run(ground)) < 50
    page.draw(DIGITS[7])
    page.shows("#digit", "7")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(page, server, number, scheme):
    page.open(server.url, prefers_color_scheme=scheme)
    page.drop(("number.png", number), NOT_A_PICTURE, PNGS[3])
    eventually(lambda: page.texts(".result") == ["72104", "", "3"])
    least, element = page.run(CONTRAST)
    assert least >= 4.5, element


@pytest.mark.parametrize(("wish", "duration"), [("no-preference", "0.18s"), ("reduce", "0s")])
def test_nothing_moves_where_people_want_it_still(page, server, wish, duration):
    page.open(server.url, prefers_reduced_motion=wish)
    assert (
        page.run(
            "const bar = document.querySelector('#bars td div');"
            "return getComputedStyle(bar, '::before').transitionDuration"
        )
        == duration
    )


def test_all_comes_from_the_server_itself(page, server):
    page.draw(DIGITS[7])
    page.shows("#digit", "7")
    sources = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(sources) > 5
    assert [source for source in sources if not source.startswith(server.url)] == []


def test_the_shell_command_names_this_server(page, server):
    assert page.text("#curl") == f"curl -F file=@digit.png {server.url}/predict"
    assert page.find("footer a").get_attribute("href") == f"{server.url}/docs"


def test_without_scripts_the_api_is_pointed_to(server):
    html = server.ask("GET", "/").body.decode()
    assert "/predict" in html.split("<noscript>")[1].split("</noscript>")[0]


def test_the_parts_of_the_page_come_with_the_package(server):
    for path in sorted(Path(ROOT / "mnist_svm/serve/static").iterdir()):
        assert server.ask("GET", f"/static/{path.name}").body == path.read_bytes()
