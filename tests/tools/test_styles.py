"""Pieces of `tools.styles`, with the font that Pillow has."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import subprocess
import tarfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mnist_svm.datasets.load import load_dataset
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.boxes import bounding_box
from mnist_svm.pictures.mnist_form import is_mnist_form
from mnist_svm.pictures.normalize import normalize
from tools.styles import collect, drawing, glyphs
from tools.styles.build import TEST, TRAIN, Style, draw_style, write_styles
from tools.styles.collect import font_styles, is_held_out, stroke_styles
from tools.styles.fonts import Family, load_font, read_families, read_font_file
from tools.styles.glyphs import compare_fonts, group_hands
from tools.styles.strokes import ALLOGRAPHS

DIGITS = "0123456789"
HOLES = dict(zip(DIGITS, (1, 0, 0, 0, 1, 0, 1, 0, 2, 1), strict=True))


@pytest.fixture(scope="module")
def font() -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(100)


@pytest.fixture(params=DIGITS)
def picture(request, font) -> np.ndarray:
    return drawing.draw_outline(font, request.param)


def count_holes(picture: np.ndarray) -> int:
    """Count the areas of background that ink encloses, by filling one after the other."""
    image = Image.fromarray(np.where(np.pad(picture, 1) >= 128, np.uint8(255), np.uint8(0))).copy()
    holes = -1
    while (background := np.argwhere(np.asarray(image) == 0)).size:
        ImageDraw.floodfill(image, (int(background[0][1]), int(background[0][0])), 255)
        holes += 1
    return holes


# Drawing.


@pytest.mark.parametrize("digit", DIGITS)
def test_an_outline_has_the_height_and_the_margin(font, digit):
    picture = drawing.draw_outline(font, digit)
    box = bounding_box(picture >= 128)
    assert abs(box.height - drawing.HEIGHT) <= 2
    assert box.top >= drawing.MARGIN - 2
    assert box.left >= drawing.MARGIN - 2


def test_a_character_without_ink_is_refused(font):
    with pytest.raises(ValueError, match="no ink for ' '"):
        drawing.draw_outline(font, " ")


@pytest.mark.parametrize("digit", DIGITS)
def test_neither_warp_nor_pen_opens_or_closes_a_loop(font, digit):
    rng = np.random.default_rng(0)
    for _ in range(3):
        drawn = drawing.change_pen(drawing.warp(drawing.draw_outline(font, digit), rng), rng)
        assert count_holes(drawn) == HOLES[digit]


def test_a_warped_digit_keeps_its_margin(picture):
    warped = drawing.warp(picture, np.random.default_rng(0))
    box = bounding_box(warped >= 128)
    assert (box.top, box.left) == (drawing.MARGIN, drawing.MARGIN)
    assert warped.shape == (box.height + 2 * drawing.MARGIN, box.width + 2 * drawing.MARGIN)


def test_pens_are_thin_and_thick(picture):
    rng = np.random.default_rng(0)
    widths = [drawing.pen_width(drawing.change_pen(picture, rng)) for _ in range(20)]
    assert min(widths) < 0.8 * drawing.pen_width(picture) < 1.1 * min(max(widths), 9.9)


def test_coarse_pictures_are_small_and_of_several_kinds(picture):
    rng = np.random.default_rng(0)
    pictures = [drawing.coarsen(picture, rng) for _ in range(20)]
    sides = [bounding_box(each >= each.max() // 2).longer_side for each in pictures]
    assert 14 <= min(sides) < 30 < max(sides) <= 62
    assert any(set(np.unique(each)) == {0, 255} for each in pictures)
    assert any(each.max() < 200 and each.min() > 0 for each in pictures)


def test_an_image_from_a_small_picture_shows_the_digit(picture):
    rng = np.random.default_rng(0)
    clean = drawing.to_image(picture).astype(float).ravel()
    images = [drawing.to_image_from_small(picture, rng).astype(float).ravel() for _ in range(5)]
    assert all(np.corrcoef(clean, image)[0, 1] > 0.5 for image in images)
    assert len({image.tobytes() for image in images}) > 1


def test_an_image_without_the_digit_is_replaced_by_that_of_the_picture(picture, monkeypatch):
    expected = drawing.to_image(picture)
    answers = iter([np.eye(28, dtype=np.uint8) * 255, PictureError("blank picture")])

    def normalize(grey):
        if isinstance(answer := next(answers), PictureError):
            raise answer
        return answer

    monkeypatch.setattr(drawing, "normalize", normalize)
    for _ in range(2):
        image = drawing.to_image_from_small(picture, np.random.default_rng(0))
        np.testing.assert_array_equal(image, expected)
    assert next(answers, None) is None


def test_an_image_is_as_the_normaliser_draws_it(picture):
    image = drawing.to_image(picture)
    assert is_mnist_form(image)
    # The centre of mass may be rounded to a neighbouring pixel.
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    normalized = normalize(picture).astype(int)
    assert min(np.abs(np.roll(normalized, at, (0, 1)) - image).mean() for at in shifts) < 3


# Families and hands.


def test_the_table_has_openly_licensed_families_once_each():
    families = read_families()
    names = [family.name for family in families]
    assert len(set(names)) == len(names) > 150
    assert {family.licence for family in families} == {"OFL-1.1", "Apache-2.0"}
    assert {family.kind for family in families} == {"font", "print"}
    assert len({family.sha256 for family in families}) == len(families)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", family.version) for family in families)
    assert all(re.fullmatch(r"([A-Z]{2})?", family.country) for family in families)
    assert sum(family.name.startswith("playwrite-") for family in families) > 40


def test_fonts_that_draw_alike_are_one_hand(font):
    alike = compare_fonts([font, ImageFont.load_default(80)])
    assert alike.shape == (10, 2, 2)
    assert alike.all()
    assert group_hands(alike).tolist() == [0, 0]
    alike[:3, 0, 1] = alike[:3, 1, 0] = False
    assert group_hands(alike).tolist() == [0, 1]


def test_different_digits_are_not_alike(font, monkeypatch):
    # The second "font" draws each digit as the next one.
    draw = drawing.draw_outline
    shifted = ImageFont.load_default(80)

    def draw_shifted(font, text):
        return draw(font, str((int(text) + 1) % 10) if font is shifted else text)

    monkeypatch.setattr(glyphs, "draw_outline", draw_shifted)
    assert not compare_fonts([font, shifted])[:, 0, 1].any()


def package(folder: Path, name: str, content: dict[str, bytes]) -> Family:
    """Write the package of a family; the checksum is that of the first file."""
    sha256 = hashlib.sha256(next(iter(content.values()))).hexdigest()
    family = Family(name, "1.2.3", "font", "OFL-1.1", "", sha256)
    with tarfile.open(folder / family.archive, "w:gz") as archive:
        for file, data in content.items():
            member = tarfile.TarInfo(f"package/files/{name}-{file}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return family


def families_of(font: ImageFont.FreeTypeFont, folder: Path, **changes: dict[str, str]):
    """Write packages of the font under several names, with changes of their rows."""
    content = {"latin-400-normal.woff": font.path.getvalue()}
    return [replace(package(folder, name, content), **each) for name, each in changes.items()]


def test_the_upright_font_nearest_to_regular_is_read(tmp_path):
    others = ("latin-ext-400-normal", "latin-400-italic", "latin-700-normal", "latin-100-normal")
    content = {f"{name}.woff": name.encode() for name in ("latin-300-normal", *others)}
    family = package(tmp_path, "hand", content)
    assert read_font_file(tmp_path / family.archive, "hand") == b"latin-300-normal"
    with pytest.raises(ValueError, match=r"hand-1\.2\.3\.tgz: no upright Latin font"):
        read_font_file(tmp_path / family.archive, "another")


def test_a_font_is_loaded_from_the_folder_without_npm(font, tmp_path, monkeypatch):
    (family,) = families_of(font, tmp_path, hand={})
    monkeypatch.setattr(subprocess, "run", None)
    assert load_font(family, tmp_path).getname() == font.getname()


def test_a_font_of_another_checksum_is_refused(font, tmp_path):
    (family,) = families_of(font, tmp_path, hand={"sha256": "0" * 64})
    with pytest.raises(ValueError, match=r"hand-1\.2\.3\.tgz: expected a font of SHA-256 0000"):
        load_font(family, tmp_path)


def test_a_missing_package_comes_from_npm_in_its_version(font, tmp_path, monkeypatch):
    (family,) = families_of(font, tmp_path, hand={})
    archive = tmp_path / family.archive
    content = archive.read_bytes()
    commands = []

    def run(command, *, cwd, check):
        commands.append(command)
        assert check
        (cwd / family.archive).write_bytes(content)

    monkeypatch.setattr(subprocess, "run", run)
    assert load_font(family, tmp_path / "new").getname() == font.getname()
    assert commands == [["npm", "pack", "--silent", "@fontsource/hand@1.2.3"]]


# Parts.


def test_families_of_one_hand_or_country_are_in_one_part(font, tmp_path, monkeypatch):
    families = families_of(
        font, tmp_path, a={"country": "XX"}, b={}, c={"country": "XX"}, d={"country": "YY"}, e={}
    )
    # The first two are one hand, and the first and the third of one country.
    alike = np.tile(np.eye(5, dtype=bool), (10, 1, 1))
    alike[:9, 0, 1] = alike[:9, 1, 0] = True
    monkeypatch.setattr(collect, "compare_fonts", lambda fonts: alike)
    monkeypatch.setattr(collect, "is_held_out", lambda group: group in "ae")
    styles = font_styles(families, tmp_path)
    assert [style.part for style in styles] == [TEST, TEST, TEST, TRAIN, TEST]
    drawn = [[label for label, _ in style.pictures(None)] for style in styles]
    assert [each.count(0) for each in drawn] == [8, 8, 12, 12, 12]
    assert [each.count(9) for each in drawn] == [12] * 5


def test_one_group_in_about_five_is_held_out():
    assert 0.15 < np.mean([is_held_out(family.name) for family in read_families()]) < 0.25


def test_every_allograph_is_in_both_parts():
    names = [(style.part, style.name) for style in stroke_styles()]
    assert names == [(part, name) for part in (TRAIN, TEST) for name in ALLOGRAPHS]


# Files.


def pictures_of(digits: str, rng: np.random.Generator):
    for digit in digits:
        yield int(digit), drawing.draw_outline(ImageFont.load_default(100), digit)


def some_styles() -> list[Style]:
    rows = ((TRAIN, "one", "012"), (TEST, "two", "34"), (TRAIN, "three", "5"))
    return [
        Style(part, name, "font", f"from {name}", "OFL-1.1", "", partial(pictures_of, digits))
        for part, name, digits in rows
    ]


def test_a_style_is_drawn_the_same_every_time():
    first, second, other = (draw_style(some_styles()[k])[0] for k in (0, 0, 2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (3, 28, 28)
    assert all(is_mnist_form(image) for image in [*first, *other])


@pytest.mark.parametrize("kind", ["font", "strokes"])
def test_the_drawings_of_a_style_differ(kind):
    style = replace(some_styles()[0], kind=kind, pictures=partial(pictures_of, "77777"))
    images, labels = draw_style(style)
    assert labels.tolist() == [7] * 5
    assert len({image.tobytes() for image in images}) == 5


def test_files_have_each_style_in_one_range(tmp_path):
    styles = some_styles()
    write_styles(styles, tmp_path)
    rows = list(csv.DictReader((tmp_path / "styles.csv").open(newline="")))
    assert [tuple(row.values())[:6] for row in rows] == [
        ("train", "0", "3", "one", "font", "from one"),
        ("train", "3", "1", "three", "font", "from three"),
        ("t10k", "0", "2", "two", "font", "from two"),
    ]
    train, test = (load_dataset(tmp_path, split=split) for split in ("train", "test"))
    assert train.labels.tolist() == [0, 1, 2, 5]
    assert test.labels.tolist() == [3, 4]
    np.testing.assert_array_equal(train.images[3:], draw_style(styles[2])[0])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_styles(styles, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
