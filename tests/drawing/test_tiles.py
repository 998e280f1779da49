"""The page of predict --show: each picture, the classified image and the prediction."""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageFont, ImageOps

from mnist_svm import Recognizer
from mnist_svm.drawing import tiles
from mnist_svm.drawing.canvas import FRAME
from mnist_svm.drawing.text import shorten_text, wrap_text
from mnist_svm.drawing.tiles import HEIGHT, SIDE, WIDTH, Tile, draw_tiles
from tests.support.paths import DIGITS


@pytest.fixture
def readings(small_model):
    """Readings of pictures, with thumbnails."""
    recognizer = Recognizer(small_model)
    return lambda *pictures: list(recognizer.read(pictures, thumbnail=SIDE))


@pytest.fixture
def tiles_of(run, small_model_file, tmp_path, monkeypatch):
    """The arguments of draw_tiles in a run of predict, and its exit code."""

    def run_predict(*arguments):
        drawn = {}

        def draw(tiles, **texts):
            drawn.update(texts, tiles=tiles)
            return draw_tiles(tiles, **texts)

        monkeypatch.setattr(tiles, "draw_tiles", draw)
        page = tmp_path / "page.png"
        result = run("predict", *arguments, "-m", small_model_file, "--show", page)
        assert result.stderr.splitlines()[-1] == f"Drew {page}"
        assert Image.open(page).format == "PNG"
        return drawn, result.exit_code

    return run_predict


def frame_corners(page: Image.Image) -> list[tuple[int, int]]:
    """Upper left corners inside the frames on a page, row by row."""
    is_frame = (np.asarray(page) == FRAME).all(axis=2)
    corner = is_frame[:-1, :-1] & is_frame[1:, :-1] & is_frame[:-1, 1:]
    return [(int(y) + 1, int(x) + 1) for y, x in np.argwhere(corner)]


def enlarge(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(pixels, 4, axis=0), 4, axis=1)


# --- the page ----------------------------------------------------------------------------


def test_the_page_shows_each_picture_and_its_image(run, small_model_file, tmp_path):
    page = tmp_path / "page.png"
    result = run("predict", *DIGITS, "-m", small_model_file, "--show", page)
    assert result.exit_code == 0
    drawn = Image.open(page).convert("RGB")
    pixels, corners = np.asarray(drawn)[..., 0], frame_corners(drawn)
    assert len(corners) == 20
    for digit, picture_corner, image_corner in zip(
        DIGITS, corners[::2], corners[1::2], strict=True
    ):
        picture = np.asarray(Image.open(digit).convert("L"))
        for (y, x), expected in ((picture_corner, picture), (image_corner, 255 - picture)):
            np.testing.assert_array_equal(pixels[y : y + 112, x : x + 112], enlarge(expected))


def test_tiles_show_name_digit_and_confidence(tiles_of):
    drawn, code = tiles_of(*DIGITS[:3])
    assert code == 0
    assert [tile.name for tile in drawn["tiles"]] == ["0.png", "1.png", "2.png"]
    assert [tile.prediction for tile in drawn["tiles"]] == ["0", "1", "2"]
    assert all(0.9 < float(tile.details) <= 1 for tile in drawn["tiles"])
    assert drawn["title"] == "3 pictures"


def test_a_rejected_picture_has_a_question_mark_and_the_threshold(tiles_of):
    drawn, code = tiles_of(DIGITS[3], "--reject-below", "1")
    assert code == 0
    (tile,) = drawn["tiles"]
    assert tile.prediction == "?"
    assert tile.details.endswith(" < 1")


def test_an_unreadable_picture_is_shown_with_the_error(tiles_of, tmp_path):
    blank, text = tmp_path / "blank.png", tmp_path / "text.png"
    Image.new("RGB", (60, 40), (250, 240, 200)).save(blank)
    text.write_text("hello\n")
    drawn, code = tiles_of(blank, text, tmp_path / "missing.png")
    assert code == 1
    empty, unknown, missing = drawn["tiles"]
    assert empty.picture.shape == (40, 60, 3)
    assert (empty.picture == (250, 240, 200)).all()
    assert empty.error.startswith("blank picture")
    assert unknown.picture is None
    assert unknown.error.startswith("not a picture")
    assert missing.error == "No such file or directory"
    assert all(tile.image is None and tile.prediction == "" for tile in drawn["tiles"])


def test_only_the_first_of_very_many_pictures_are_shown(tiles_of, monkeypatch):
    monkeypatch.setattr("mnist_svm.cli.predict.MAX_TILES", 2)
    drawn, _ = tiles_of(*DIGITS)
    assert drawn["title"] == "The first 2 of 10 pictures"
    assert [tile.prediction for tile in drawn["tiles"]] == ["0", "1"]


def test_a_page_of_five_hundred_is_about_as_wide_as_high():
    page = draw_tiles([Tile("", None, None, "", "")] * 500, title="", note="")
    assert 0.8 < page.width / page.height < 1.25
    assert page.width * page.height < 30e6


@pytest.mark.skipif(os.name == "nt", reason="names there are Unicode")
def test_names_in_any_encoding_are_drawn(tiles_of, tmp_path):
    names = [b"caf\xe9 \n\x1b[31m.png", "数字の写真.png".encode(), b"x" * 200 + b".png"]
    paths = [os.fsencode(tmp_path) + b"/" + name for name in names]
    for path in paths:
        Image.open(DIGITS[7]).save(os.fsdecode(path))
    drawn, code = tiles_of(tmp_path)
    assert code == 0
    assert [tile.prediction for tile in drawn["tiles"]] == ["7", "7", "7"]


def test_a_tile_stays_within_its_size(digit_picture):
    text = "a very long reason " * 40 + "x" * 300
    crowded = [
        Tile("n" * 300, None, None, "", "not read", text),
        Tile("n" * 300, digit_picture, None, "", "not read", text),
        Tile("n" * 300, digit_picture, np.full((28, 28), 255, np.uint8), "?", "0.984 < 0.99"),
    ]
    for tile in crowded:
        page = draw_tiles([tile], title="", note="")
        ink = np.argwhere(np.asarray(page.convert("L")) < 255)
        (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0)
        assert right - left <= WIDTH + 2
        assert bottom - top <= HEIGHT + 2


@pytest.fixture
def digit_picture():
    return np.asarray(Image.open(DIGITS[3]).convert("RGB").resize((SIDE, 3)))


# --- thumbnails --------------------------------------------------------------------------


def test_thumbnails_are_kept_on_request(small_model, readings):
    reading = Recognizer(small_model).read(DIGITS[3])
    assert reading.thumbnail is None
    (reading,) = readings(DIGITS[3])
    expected = np.asarray(Image.open(DIGITS[3]).convert("RGB"))
    np.testing.assert_array_equal(reading.thumbnail, expected)


@pytest.mark.parametrize("size", [(3000, 3), (3, 3000), (1200, 800), (28, 28), (113, 40)])
def test_a_thumbnail_keeps_the_proportions_and_is_limited_in_size(readings, tmp_path, size):
    picture = tmp_path / "odd.png"
    Image.new("RGB", size, (200, 30, 40)).save(picture)
    (reading,) = readings(picture)
    height, width, _ = reading.thumbnail.shape
    scale = min(SIDE / max(size), 1)
    assert width == pytest.approx(max(scale * size[0], 1), abs=0.5)
    assert height == pytest.approx(max(scale * size[1], 1), abs=0.5)
    assert (reading.thumbnail == (200, 30, 40)).all()


@pytest.mark.parametrize(
    ("orientation", "undone"),
    [(6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270), (7, 6), (2, 0)],
)
def test_a_thumbnail_is_upright_and_keeps_the_colours(readings, tmp_path, orientation, undone):
    upright = ImageOps.colorize(Image.open(DIGITS[4]).convert("L"), "green", "red")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = tmp_path / "turned.png"
    upright.transpose(undone).save(picture, exif=exif)
    (reading,) = readings(picture)
    np.testing.assert_array_equal(reading.thumbnail, np.asarray(upright))


def test_the_thumbnail_of_white_ink_on_transparency_is_on_black(readings, tmp_path):
    ink = Image.open(DIGITS[5]).convert("L")
    drawn = Image.new("LA", ink.size, (255, 0))
    drawn.putalpha(ink)
    picture = tmp_path / "white.png"
    drawn.save(picture)
    (reading,) = readings(picture)
    np.testing.assert_allclose(reading.thumbnail[..., 1], np.asarray(ink), atol=1)


def test_the_thumbnail_of_16_bit_levels_keeps_their_contrast(readings, tmp_path):
    ink = np.asarray(Image.open(DIGITS[5]).convert("L"))
    picture = tmp_path / "deep.png"
    Image.fromarray(ink.astype(np.uint16) * 16 + 15).save(picture)
    (reading,) = readings(picture)
    np.testing.assert_allclose(reading.thumbnail[..., 2], ink, atol=1)


# --- fitting text ------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 112, 230])
def test_a_long_name_loses_its_middle_and_fits(width):
    name = "IMG_20240131_113259_HDR_my_notebook_page_seven.jpg"
    line = shorten_text(name, 14, width)
    font = ImageFont.load_default(14)
    assert font.getlength(line) <= width
    start, end = line.split("…")
    assert name.startswith(start)
    assert name.endswith(end)
    # One more character would not fit.
    assert font.getlength(start + "…" + name[len(name) - len(end) - 2 :]) > width


def test_a_short_name_stays_and_unprintable_characters_become_question_marks():
    assert shorten_text("7.png", 14, 230) == "7.png"
    assert shorten_text("a\nb\udce9\x1b.png", 14, 230) == "a?b??.png"
    assert shorten_text("", 14, 230) == ""


def test_a_paragraph_keeps_its_words_and_its_lines_fit():
    text = "not a picture in a supported format (PNG, JPEG, BMP, GIF, TIFF, WEBP, PPM)"
    lines = list(wrap_text(text, 14, 120))
    assert " ".join(lines) == text
    font = ImageFont.load_default(14)
    assert all(font.getlength(line) <= 120 for line in lines)
    assert all(
        font.getlength(f"{line} {after.split()[0]}") > 120 for line, after in pairwise(lines)
    )
