"""Pictures of every kind, made from real digits, decoded and brought into MNIST form."""

from __future__ import annotations

import io

import numpy as np
import pytest
from conftest import DIGITS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from mnist_svm.errors import PictureError
from mnist_svm.imaging.normalize import as_mnist, is_mnist_form, normalize
from mnist_svm.imaging.picture import decode


def saved(image: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    buffer.seek(0)
    return buffer


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


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *[("PNG", mode) for mode in ("L", "LA", "RGB", "RGBA", "P", "I;16")],
        *[("TIFF", mode) for mode in ("L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16", "I")],
        *[("BMP", mode) for mode in ("L", "RGB", "P")],
        *[("GIF", mode) for mode in ("L", "P")],
    ],
)
def test_lossless_formats_and_modes_give_the_same_greys(digit, kind, mode):
    np.testing.assert_allclose(decode(saved(image_of_mode(digit, mode), kind)), digit, atol=1)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_close(digit, kind):
    decoded = decode(saved(Image.fromarray(digit), kind, quality=95))
    assert np.abs(decoded.astype(int) - digit).mean() < 4


def test_one_bit_pictures_are_black_and_white(digit):
    decoded = decode(saved(Image.fromarray(digit).convert("1", dither=Image.Dither.NONE)))
    np.testing.assert_array_equal(decoded, np.where(digit > 127, 255, 0))


def test_transparent_parts_are_white():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    assert decode(saved(image)).tolist() == [[255, 0]]


def test_a_transparent_palette_colour_is_white():
    image = Image.new("P", (2, 1), 0)
    image.putpalette([0, 0, 0, 40, 40, 40])
    image.putpixel((1, 0), 1)
    assert decode(saved(image, transparency=0)).tolist() == [[255, 40]]


def test_the_exif_orientation_is_followed(digit):
    turned = Image.fromarray(digit).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    np.testing.assert_array_equal(decode(saved(turned, exif=exif)), digit)


def test_the_first_frame_of_an_animation_counts(digit):
    frames = [Image.fromarray(255 - digit), Image.fromarray(digit)]
    file = saved(Image.fromarray(digit), "GIF", save_all=True, append_images=frames)
    np.testing.assert_array_equal(decode(file), digit)


def test_floats_up_to_one_are_scaled(digit):
    image = Image.fromarray((digit / 255).astype(np.float32))
    np.testing.assert_array_equal(decode(saved(image, "TIFF")), digit)


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few bytes that promises that many pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"this is text\n", "not a picture in a format"),
        (b"%PDF-1.7", "not a picture in a format"),
        (DIGITS[0].read_bytes()[:100], "damaged picture"),
        (DIGITS[0].read_bytes()[:20], "damaged picture|not a picture"),
        (png_of(100_000, 100_000), "100,000 x 100,000 pixels, over the limit|damaged"),
        (png_of(10_000, 9_000), "10,000 x 9,000 pixels, over the limit"),
    ],
)
def test_what_is_no_picture_is_refused(content, message):
    with pytest.raises(PictureError, match=message) as caught:
        decode(io.BytesIO(content))
    assert "\n" not in str(caught.value)


def samples() -> list[bytes]:
    grey = Image.open(DIGITS[3])
    return [
        saved(grey).getvalue(),
        saved(grey.convert("P"), "GIF").getvalue(),
        saved(grey, "JPEG").getvalue(),
        saved(grey, "TIFF", compression="tiff_lzw").getvalue(),
        saved(grey, "BMP").getvalue(),
        saved(grey, "WEBP").getvalue(),
    ]


@settings(
    deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.sampled_from(samples()),
    at=st.floats(0, 1),
    new=st.binary(min_size=1, max_size=6),
    cut=st.booleans(),
)
def test_a_mutated_picture_is_decoded_or_refused_and_nothing_else(content, at, new, cut):
    place = round(at * len(content))
    content = content[:place] + new + (b"" if cut else content[place + len(new) :])
    try:
        grey = decode(io.BytesIO(content))
    except PictureError:
        return
    assert grey.dtype == np.uint8
    assert grey.ndim == 2


# --- MNIST form --------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["train_set", "test_set"])
def test_every_mnist_image_is_used_as_it_is(request, split):
    images = request.getfixturevalue(split).images
    assert all(is_mnist_form(image) for image in images)
    first = images[0]
    assert as_mnist(first) is first


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
def test_what_is_framed_otherwise_is_not_in_mnist_form(digit, change):
    assert not is_mnist_form(change(digit))


@pytest.mark.parametrize("value", [0, 17, 255])
@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (300, 5)])
def test_a_blank_picture_has_no_digit(value, shape):
    with pytest.raises(PictureError, match="blank picture"):
        as_mnist(np.full(shape, value, dtype=np.uint8))


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


@pytest.mark.parametrize("guise", GUISES)
def test_digits_in_other_guises_are_read_nearly_as_well(small_model, test_set, guise):
    images, labels = test_set.images[:300], test_set.labels[:300]
    plain = (small_model.pipeline.predict(test_set.X[:300]) == labels).mean()
    seen = np.stack([as_mnist(decode(saved(GUISES[guise](image)))) for image in images])
    read = small_model.pipeline.predict(seen.reshape(300, 784))
    assert plain > 0.96
    assert (read == labels).mean() > plain - 0.03
