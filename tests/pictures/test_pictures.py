"""Pictures of every kind, rendered from real digits, are decoded and normalized to MNIST form."""

from __future__ import annotations

import io

import numpy as np
import PIL
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.mnist_form import is_mnist_form
from mnist_svm.pictures.normalize import normalize
from tests.support import drawing
from tests.support.drawing import PlacedInk, compose_ink, scaled_ink
from tests.support.hostile import encode_image
from tests.support.hostile_files import png_file
from tests.support.paths import DIGITS


def encoded(image: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    return io.BytesIO(encode_image(image, kind, **options))


@pytest.fixture
def digit(test_set):
    """The first test image: a seven."""
    return test_set.images[0]


# --- decoding ----------------------------------------------------------------------------


def image_of_mode(digit, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(digit.astype(np.uint16) * 257)
    if mode == "I":
        return Image.fromarray(digit.astype(np.int32) * 257)
    return Image.fromarray(digit).convert(mode)


# Older ones take an uncompressed TIFF file of YCbCr for truncated.
needs_pillow_13 = pytest.mark.skipif(
    int(PIL.__version__.partition(".")[0]) < 13, reason="needs Pillow 13"
)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[("PNG", mode) for mode in ("L", "LA", "RGB", "RGBA", "P", "I;16")],
        *[("TIFF", mode) for mode in ("L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16", "I")],
        *[("BMP", mode) for mode in ("L", "RGB", "P")],
        *[("GIF", mode) for mode in ("L", "P")],
        *[("PPM", mode) for mode in ("L", "RGB")],
        ("TIFF", "PA"),
        pytest.param("TIFF", "YCbCr", marks=needs_pillow_13),
    ],
)
def test_lossless_formats_and_modes_give_the_same_greys(digit, kind, mode):
    np.testing.assert_allclose(
        decode(encoded(image_of_mode(digit, mode), kind)).grey, digit, atol=1
    )


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_close(digit, kind):
    decoded = decode(encoded(Image.fromarray(digit), kind, quality=95)).grey
    assert np.abs(decoded.astype(int) - digit).mean() < 4


def test_one_bit_pictures_are_black_and_white(digit):
    decoded = decode(encoded(Image.fromarray(digit).convert("1", dither=Image.Dither.NONE))).grey
    np.testing.assert_array_equal(decoded, np.where(digit > 127, 255, 0))


def test_transparent_parts_are_white():
    image = Image.new("RGBA", (4, 3), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    assert decode(encoded(image)).grey[0].tolist() == [255, 0, 255, 255]


def test_a_transparent_palette_colour_is_white():
    image = Image.new("P", (4, 3), 0)
    image.putpalette([0, 0, 0, 40, 40, 40])
    image.putpixel((1, 0), 1)
    assert decode(encoded(image, transparency=0)).grey[0].tolist() == [255, 40, 255, 255]


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA")])
def test_white_ink_on_transparency_is_composed_over_black(digit, kind, mode):
    image = Image.new(mode[:-1], (28, 28), "white")
    image.putalpha(Image.fromarray(digit))
    grey = decode(encoded(image, kind, lossless=True)).grey
    np.testing.assert_allclose(grey, digit, atol=1)


def test_black_ink_on_transparency_is_composed_over_white(digit):
    image = Image.new("L", (28, 28), 0)
    image.putalpha(Image.fromarray(digit))
    np.testing.assert_allclose(decode(encoded(image)).grey, 255 - digit, atol=1)


def test_a_transparent_blank_picture_is_white():
    assert (decode(encoded(Image.new("RGBA", (9, 9), (255, 255, 255, 0)))).grey == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_the_exif_orientation_is_followed(orientation, kind):
    upright = np.full((48, 32), 100, dtype=np.uint8)
    upright[:16] = 200
    upright[:16, :16] = 0
    # Where EXIF says that the stored row 0 and column 0 are (EXIF 2.32, tag 0x0112).
    stored = {
        1: upright,
        2: upright[:, ::-1],  # top, right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: upright.T,  # left, top
        6: upright[:, ::-1].T,  # right, top
        7: upright[::-1, ::-1].T,  # right, bottom
        8: upright[::-1].T,  # left, bottom
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    grey = decode(encoded(image, kind, exif=exif, quality=100, lossless=True)).grey
    np.testing.assert_allclose(grey, upright, atol=3)
    assert grey.flags.c_contiguous


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "MPO"])
def test_the_first_of_several_pages_is_decoded_and_noted(digit, kind):
    image = Image.fromarray(digit)
    others = [Image.fromarray(255 - digit), Image.fromarray(digit.T)]
    options = {"WEBP": {"lossless": True}, "MPO": {"quality": 100}}.get(kind, {})
    picture = decode(encoded(image, kind, save_all=True, append_images=others, **options))
    np.testing.assert_allclose(picture.grey, digit, atol=6)
    # The other pictures in a phone's MPO belong to the photo.
    notes = {"TIFF": "the first of 3 pages", "MPO": None}
    assert picture.note == notes.get(kind, "the first of 3 frames")


def test_a_single_page_has_no_note(digit):
    for kind in ("PNG", "TIFF", "GIF", "WEBP", "BMP"):
        assert decode(encoded(Image.fromarray(digit), kind)).note is None


def test_a_picture_with_a_damaged_second_page_is_decoded(digit):
    image = Image.fromarray(digit)
    data = encoded(image, "TIFF", save_all=True, append_images=[image]).getvalue()
    last = data.rindex(b"\x00\x01\x04\x00")  # the second page's first tag, its width
    picture = decode(io.BytesIO(data[:last] + b"\x7f" + data[last + 1 :]))
    np.testing.assert_array_equal(picture.grey, digit)
    assert picture.note == "the first of several pages"


# --- greys of more than 8 bits -----------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize(("dtype", "kind"), [("<u2", "PNG"), ("<u2", "TIFF"), (">u2", "TIFF")])
def test_a_scan_of_fewer_bits_than_its_container_keeps_its_contrast(digit, bits, dtype, kind):
    white = 2**bits - 1
    values = np.rint(digit / 255 * white).astype(dtype)
    mode = "I;16" if dtype == "<u2" else "I;16B"
    image = Image.frombytes(mode, (28, 28), values.tobytes())
    expected = digit * (255 / digit.max()) if digit.max() < 255 else digit
    np.testing.assert_allclose(decode(encoded(image, kind)).grey, expected, atol=1)


def test_floats_up_to_one_are_scaled(digit):
    image = Image.fromarray((digit / 255).astype(np.float32))
    np.testing.assert_array_equal(decode(encoded(image, "TIFF")).grey, digit)


def test_floats_a_little_above_one_are_white(digit):
    image = Image.fromarray((digit * (1.05 / 255)).astype(np.float32))
    expected = np.minimum(digit * 1.05, 255)
    np.testing.assert_allclose(decode(encoded(image, "TIFF")).grey, expected, atol=0.51)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_negative_levels_are_scaled_from_the_lowest_to_the_highest(digit, dtype):
    image = Image.fromarray((digit.astype(dtype) - 100) * 7)
    stretched = digit * (255 / digit.max())
    np.testing.assert_allclose(decode(encoded(image, "TIFF")).grey, stretched, atol=0.51)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_levels_that_are_not_finite_are_rejected(digit, value):
    greys = digit.astype(np.float32)
    greys[5, 5] = value
    with pytest.raises(PictureError, match="not finite"):
        decode(encoded(Image.fromarray(greys), "TIFF"))


# --- other colour spaces -----------------------------------------------------------------


def test_the_lightness_of_lab_is_used(digit):
    flat = Image.new("L", (28, 28), 128)
    image = Image.merge("LAB", [Image.fromarray(digit), flat, flat])
    np.testing.assert_array_equal(decode(encoded(image, "TIFF")).grey, digit)


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpegs_are_read_with_adobes_marker_and_without(digit, adobe):
    black = Image.fromarray(digit)
    none = Image.new("L", (28, 28), 0)
    # Without the marker, 0 is no ink; with it, 255 is: Pillow writes that.
    plates = [none, none, none, black]
    if not adobe:
        plates = [ImageOps.invert(plate) for plate in plates]
    data = encoded(Image.merge("CMYK", plates), "JPEG", quality=95).getvalue()
    if not adobe:
        at = data.index(b"\xff\xee\x00\x0eAdobe")
        data = data[:at] + data[at + 16 :]
    decoded = decode(io.BytesIO(data)).grey
    assert np.abs(decoded.astype(int) - (255 - digit)).mean() < 4


# --- coloured ink ------------------------------------------------------------------------


def on_paper(image, ink, paper) -> Image.Image:
    """A digit written on a page."""
    big = Image.fromarray(image).resize((140, 140), Image.Resampling.BICUBIC)
    page = Image.new("L", (300, 220), 0)
    page.paste(big, (130, 40))
    return ImageOps.colorize(page, black=paper, white=ink)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("black", "white"),
        ((20, 40, 120), (250, 245, 220)),  # blue on yellowish paper
        ((200, 30, 30), "white"),
        ((150, 150, 150), (245, 245, 240)),  # pencil
        ("white", (30, 70, 50)),  # chalk on a green board
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_ink_with_contrast_in_luminance_gives_luminance(digit, ink, paper, kind):
    file = encoded(on_paper(digit, ink, paper), kind)
    luminance = np.asarray(Image.open(file).convert("L"))
    file.seek(0)
    np.testing.assert_array_equal(decode(file).grey, luminance)


@pytest.mark.parametrize("ink", [(0, 0, 0), (110, 110, 115)], ids=["pen", "pencil"])
def test_rulings_and_margins_do_not_change_the_greys(digit, ink):
    page = on_paper(digit, ink, "white").resize((600, 440))
    draw = ImageDraw.Draw(page)
    for y in range(20, 440, 40):
        draw.line([(0, y), (600, y)], fill=(150, 190, 255), width=2)
    draw.line([(60, 0), (60, 440)], fill=(255, 90, 90), width=4)
    draw.rectangle([80, 380, 200, 420], fill=(255, 255, 0) if ink == (0, 0, 0) else "white")
    np.testing.assert_array_equal(decode(encoded(page)).grey, np.asarray(page.convert("L")))


def test_the_noise_of_a_camera_does_not_change_the_greys(digit):
    noise = np.random.default_rng(0).normal(0, 12, (440, 600, 3))
    page = np.asarray(on_paper(digit, "black", (225, 215, 200)).resize((600, 440)))
    light = np.linspace(0.6, 1, 600)[:, None]
    page = Image.fromarray(np.clip(page * light + noise, 0, 255).astype(np.uint8))
    np.testing.assert_array_equal(decode(encoded(page)).grey, np.asarray(page.convert("L")))


COLOURS = {
    "red on a green as bright": ((255, 0, 0), (0, 130, 0)),
    "muted red on green": ((190, 90, 80), (80, 134, 80)),
    "blue on red": ((60, 60, 255), (165, 40, 40)),
    "magenta on grey": ((210, 60, 210), (121, 121, 121)),
    "yellow on white": ((255, 255, 0), (255, 255, 255)),
    "light blue on white": ((170, 220, 255), (255, 255, 255)),
    "light cyan on white": ((190, 255, 255), (255, 255, 255)),
}


@pytest.mark.slow
@pytest.mark.parametrize("colours", COLOURS)
def test_coloured_ink_is_classified(small_model, test_set, colours):
    images, labels = test_set.images[:30], test_set.labels[:30]
    files = [encoded(on_paper(image, *COLOURS[colours]), "JPEG") for image in images]
    normalized = np.stack([normalize(decode(file).grey) for file in files])
    assert (small_model.pipeline.predict(normalized.reshape(-1, 784)) == labels).mean() > 0.93


@pytest.mark.parametrize("colours", ["yellow on white", "light cyan on white"])
def test_brighter_colours_stay_brighter(digit, colours):
    grey = decode(encoded(on_paper(digit, *COLOURS[colours]))).grey
    assert grey[0, 0] == 255
    assert grey.min() < 80 if colours.startswith("yellow") else grey.min() < 200


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"this is text\n", "not a picture in a supported format"),
        (b"%PDF-1.7", "PDF is not supported: save it as JPEG or PNG"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF is not supported"),
        (b"\0\0\0\x1cftypisom\0\0\0\0", "not a picture in a supported format"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not a picture in a supported format"),
        (DIGITS[0].read_bytes()[:100], "damaged picture"),
        (DIGITS[0].read_bytes()[:20], "damaged picture|not a picture"),
        (png_file(100_000, 100_000), "over the limit of 64,000,000 pixels"),
        (png_file(10_000, 9_000), "10,000 x 9,000 pixels, over the limit"),
    ],
)
def test_a_file_that_is_no_picture_is_rejected(content, message):
    with pytest.raises(PictureError, match=message) as caught:
        decode(io.BytesIO(content))
    assert "\n" not in str(caught.value)


# --- MNIST form --------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [lambda grey: grey / 255, lambda grey: grey[..., None]])
def test_only_decoded_pictures_are_normalized(digit, convert):
    with pytest.raises(PictureError, match="expected uint8 of shape"):
        normalize(convert(digit))


@pytest.mark.parametrize("split", ["train_set", "test_set"])
def test_every_mnist_image_is_returned_unchanged(request, split):
    images = request.getfixturevalue(split).images
    assert all(is_mnist_form(image) for image in images)
    first = images[0]
    assert np.array_equal(normalize(first), first)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: 255 - image,
        lambda image: np.roll(image, 5, axis=1),
        lambda image: np.pad(image, 2),
        lambda image: image // 4,
    ],
    ids=["inverted", "off-centre", "30 pixels", "faint"],
)
def test_an_image_with_another_frame_is_not_in_mnist_form(digit, change):
    assert not is_mnist_form(change(digit))


@pytest.mark.parametrize("value", [0, 17, 255])
@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (300, 5)])
def test_a_blank_picture_has_no_digit(value, shape):
    with pytest.raises(PictureError, match="blank picture"):
        normalize(np.full(shape, value, dtype=np.uint8))


@pytest.mark.slow
def test_a_normalised_picture_is_in_mnist_form(test_set):
    for image in test_set.images[:200]:
        enlarged = Image.fromarray(255 - image).resize((200, 200), Image.Resampling.BICUBIC)
        assert is_mnist_form(normalize(np.asarray(enlarged)))


def enlarged_on_paper(image):
    big = Image.fromarray(image).resize((140, 140), Image.Resampling.BICUBIC)
    page = Image.new("L", (400, 300), 0)
    page.paste(big, (230, 40))
    # Blue ink on yellowish paper.
    return ImageOps.colorize(page, black=(250, 245, 220), white=(20, 40, 120))


GUISES = {
    "inverted": lambda image: Image.fromarray(255 - image),
    "off-centre": lambda image: Image.fromarray(np.roll(image, (2, -2), (0, 1))),
    "enlarged, dark on light": lambda image: Image.fromarray(255 - image).resize((112, 112)),
    "coloured, small on a large page": enlarged_on_paper,
    "shrunk": lambda image: Image.fromarray(255 - image).resize((20, 20)),
    "faint": lambda image: Image.fromarray((200 - image // 4).astype(np.uint8)),
}


@pytest.mark.slow
@pytest.mark.parametrize("guise", GUISES)
def test_digits_in_other_guises_are_classified_nearly_as_well(small_model, test_set, guise):
    images, labels = test_set.images[:300], test_set.labels[:300]
    plain = (small_model.pipeline.predict(test_set.X[:300]) == labels).mean()
    normalized = np.stack(
        [normalize(decode(encoded(GUISES[guise](image))).grey) for image in images]
    )
    read = small_model.pipeline.predict(normalized.reshape(300, 784))
    assert plain > 0.96
    assert (read == labels).mean() > plain - 0.03


SHEET = 480


def on_a_sheet(image, height: int, down: float, across: float):
    """A digit of a height in pixels at a relative position on white paper."""
    ink = scaled_ink(image, height)
    free = np.array((SHEET, SHEET + 120)) - ink.shape
    top, left = (free * (down, across)).astype(int)
    return drawing.on_paper(compose_ink((SHEET, SHEET + 120), [PlacedInk(ink, top, left)]))


@given(
    index=st.integers(0, 9999),
    height=st.integers(20, 400),
    down=st.floats(0.02, 0.98),
    across=st.floats(0.02, 0.98),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_digit_of_any_size_and_position_is_normalized(test_set, index, height, down, across):
    assert is_mnist_form(normalize(on_a_sheet(test_set.images[index], height, down, across)))


@pytest.mark.slow
def test_digits_of_any_size_and_position_keep_their_prediction(small_model, test_set):
    rng = np.random.default_rng(0)
    images = test_set.images[1000:1080]
    normalized = [
        normalize(on_a_sheet(image, int(rng.integers(20, 401)), *rng.uniform(0.02, 0.98, 2)))
        for image in images
    ]
    plain = small_model.pipeline.predict(images.reshape(-1, 784))
    read = small_model.pipeline.predict(np.stack(normalized).reshape(-1, 784))
    assert (read == plain).mean() >= 0.97
