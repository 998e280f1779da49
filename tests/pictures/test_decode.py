"""A picture is decoded to the same grey levels, whatever kind of source it comes from."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import ExifTags, Image

from mnist_svm.exceptions import PictureError, TooLargeError
from mnist_svm.pictures.decode import decode, source_name
from mnist_svm.pictures.files import is_single, load_pictures
from tests.support.drawing import on_paper, scaled_ink
from tests.support.hostile import encode_image
from tests.support.paths import DIGITS, ROOT


@pytest.fixture
def page(test_set):
    """A coloured picture of a digit: uint8 of shape (height, width, 3)."""
    grey = on_paper(np.pad(scaled_ink(test_set.images[0], 60), 20))
    return np.stack([grey, grey, 255 - grey // 2], axis=2)


def modes(page) -> dict[str, Image.Image]:
    grey = page[..., 0]
    rgb = Image.fromarray(page)
    alpha = Image.fromarray(255 - grey)
    return {
        "L": Image.fromarray(grey),
        "RGB": rgb,
        "LA": Image.merge("LA", (Image.fromarray(grey // 2), alpha)),
        "RGBA": Image.merge("RGBA", (*rgb.split(), alpha)),
        "1": Image.fromarray(grey > 128),
        "I;16": Image.fromarray(grey.astype(np.uint16) * 250),
        "I": Image.fromarray(grey.astype(np.int32) * 250),
        "F": Image.fromarray((grey / 255).astype(np.float32)),
    }


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA", "1", "I;16", "I", "F"])
def test_all_sources_of_a_picture_give_the_same_greys(page, mode, tmp_path):
    image = modes(page)[mode]
    data = encode_image(image, "TIFF" if mode in ("I", "F") else "PNG")
    path = tmp_path / "picture"
    path.write_bytes(data)
    expected = decode(path).grey
    assert np.ptp(expected) > 100
    with path.open("rb") as file, path.open("rb", buffering=0) as raw:
        sources = {
            "str": str(path),
            "bytes": data,
            "bytearray": bytearray(data),
            "memoryview": memoryview(data),
            "BytesIO": io.BytesIO(data),
            "file": file,
            "unbuffered file": raw,
            "image": image,
            "opened image": Image.open(path),
            "array": np.asarray(image),
            "reversed view": np.asarray(image)[::-1].copy()[::-1],
            "column-major": np.asfortranarray(np.asarray(image)),
        }
        for name, source in sources.items():
            np.testing.assert_array_equal(decode(source).grey, expected, err_msg=name)


@pytest.mark.parametrize(
    "convert",
    [
        lambda grey: grey[..., None],
        lambda grey: np.dstack([grey, np.full_like(grey, 255)]),
        lambda grey: np.dstack([grey] * 3),
        lambda grey: np.dstack([*[grey] * 3, np.full_like(grey, 255)]),
        lambda grey: np.dstack([*[grey / 255] * 3, np.ones(grey.shape)]),
        lambda grey: grey.astype(np.int64),
        lambda grey: grey.astype(float),
        lambda grey: grey.astype(">u2") * 257,
        lambda grey: (grey / 255).astype(np.float16),
        lambda grey: grey / 255,
        lambda grey: grey / 127.5 - 1,
    ],
)
def test_arrays_of_all_types_and_channels_are_scaled_to_8_bits(page, convert):
    grey = page[..., 0].copy()
    # The whole range, for the array whose lowest level is black and whose highest is white.
    grey[0, :2] = 0, 255
    np.testing.assert_allclose(decode(convert(grey)).grey, grey, atol=1)


def test_a_boolean_array_is_black_and_white(page):
    mask = page[..., 0] > 128
    np.testing.assert_array_equal(decode(mask).grey, np.where(mask, 255, 0))


def test_a_decoded_array_does_not_change_with_the_array(page):
    grey = page[..., 0].copy()
    decoded = decode(grey).grey
    grey[:] = 0
    assert decoded.max() > 200


def test_an_image_is_turned_by_its_orientation(page):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encode_image(Image.fromarray(page[:80]), "JPEG", exif=exif)
    turned = decode(Image.open(io.BytesIO(data))).grey
    assert turned.shape == (page.shape[1], 80)
    np.testing.assert_array_equal(turned, decode(data).grey)


def test_the_current_page_of_an_image_is_decoded(page):
    pages = [Image.new("L", (30, 30)), Image.fromarray(page), Image.new("L", (30, 30))]
    image = Image.open(
        io.BytesIO(encode_image(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    )
    image.seek(1)
    picture = decode(image)
    assert (picture.size, picture.note, image.tell()) == (page.shape[:2], None, 1)


def test_a_decoded_picture_is_returned_as_it_is(page):
    picture = decode(page)
    assert decode(picture) is picture
    assert picture.size == page.shape[:2]


PNG = DIGITS[7].read_bytes()


def closed(file):
    file.close()
    return file


def image_of_a_closed_file():
    with Image.open(DIGITS[7]) as image:
        return image


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: "7", "No such file"),
        (lambda: "digits\0.png", "null byte"),
        (lambda: "seven " * 1000, "name too long"),
        (lambda: ROOT / "images_test", "Is a directory"),
        (lambda: ROOT / "README.md", "not a picture in a supported format"),
        (lambda: b"seven", "not a picture in a supported format"),
        (lambda: b"", "empty file"),
        (lambda: PNG[:200], "damaged picture"),
        (lambda: None, "found NoneType"),
        (lambda: 7, "found int"),
        (lambda: [[0, 255], [255, 0]], "found list"),
        (lambda: closed(io.BytesIO(PNG)), "closed file"),
        (lambda: io.StringIO("seven"), "opened as text.* mode 'rb'"),
        (lambda: io.TextIOWrapper(io.BytesIO(PNG), "utf-8"), "opened as text.* mode 'rb'"),
        (lambda: closed(Image.open(DIGITS[7])), "closed"),
        (image_of_a_closed_file, "its file is closed"),
        (lambda: Image.open(io.BytesIO(PNG[:200])), "damaged picture.*truncated"),
        (lambda: Image.new("L", (2, 40)), "2 x 40 pixels, too narrow"),
        (lambda: np.empty((0, 28), np.uint8), "28 x 0 pixels, too narrow"),
        (lambda: np.zeros(784, np.uint8), r"shape \(784,\), expected \(height, width\)"),
        (lambda: np.zeros((28, 28, 0)), r"shape \(28, 28, 0\), expected .* 1 to 4 channels"),
        (lambda: np.zeros((28, 28, 5)), r"shape \(28, 28, 5\), expected .* 1 to 4 channels"),
        (lambda: np.zeros((1, 28, 28)), r"shape \(1, 28, 28\), expected"),
        (lambda: np.full((28, 28), np.nan), "not finite"),
        (lambda: np.full((28, 28), -np.inf), "not finite"),
        (lambda: np.array([[0, 1e308], [0, -1e308], [0, 0]] * 2).repeat(2, 1), "not finite"),
        (lambda: np.full((28, 28), None), "array of object, expected integers"),
        (lambda: np.full((28, 28), "7"), "array of <U1, expected integers"),
        (lambda: np.zeros((28, 28), complex), "array of complex128, expected integers"),
    ],
)
def test_what_is_no_picture_is_refused_on_one_line(make, message):
    with pytest.raises(PictureError, match=message) as caught:
        decode(make())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [lambda: Image.new("L", (30, 40)), lambda: np.zeros((40, 30, 3)), lambda: DIGITS[7]],
)
def test_the_limit_of_pixels_holds_for_all_sources(make):
    with pytest.raises(TooLargeError, match="over the limit of 700 in all"):
        decode(make(), max_pixels=700)


def test_sources_have_names(tmp_path):
    named = {
        "a/b.png": "a/b.png",
        str(DIGITS[7]): DIGITS[7],
        "<bytes>": PNG,
        "<array>": np.zeros((3, 3)),
        "<image>": Image.new("L", (3, 3)),
        "<BytesIO>": io.BytesIO(),
    }
    assert [source_name(source) for source in named.values()] == list(named)
    with DIGITS[7].open("rb") as file, Image.open(DIGITS[7]) as image:
        assert source_name(file) == source_name(image) == str(DIGITS[7])


# --- several pictures --------------------------------------------------------------------


def test_pictures_are_decoded_one_at_a_time():
    taken = []

    def sources():
        for source in (PNG, None, np.zeros((3, 4)), DIGITS[7]):
            taken.append(source)
            yield source

    loaded = load_pictures(sources())
    for n, name in enumerate(("<bytes>", "<NoneType>", "<array>", str(DIGITS[7])), start=1):
        file, picture = next(loaded)
        assert file == name
        assert isinstance(picture, PictureError) == (name == "<NoneType>")
        assert len(taken) == n
    assert list(loaded) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x.png", True),
        ("-", True),
        (ROOT / "images_test", False),
        (PNG, True),
        (io.BytesIO(PNG), True),
        (Image.new("L", (3, 3)), True),
        (np.zeros((9, 9)), True),
        (np.zeros((9, 9, 3)), True),
        (np.zeros((9, 9, 5)), True),
        (np.zeros((9, 8, 8)), False),
        (np.zeros((2, 9, 9, 3)), False),
        (None, True),
        ([], False),
        (iter([PNG]), False),
    ],
)
def test_one_picture_is_told_from_several(source, expected):
    assert is_single(source) == expected


def test_a_folder_without_pictures_is_an_error(tmp_path):
    ((name, error),) = load_pictures([tmp_path])
    assert (name, str(error)) == (str(tmp_path), "no pictures in this folder")


# --- start-up ----------------------------------------------------------------------------


def test_a_picture_in_mnist_form_needs_no_scipy():
    code = (
        "import sys\n"
        "from mnist_svm.pictures.decode import decode\n"
        "from mnist_svm.pictures.normalize import normalize\n"
        f"assert normalize(decode({str(DIGITS[7])!r}).grey).shape == (28, 28)\n"
        "print(*sorted(name for name in sys.modules if name.partition('.')[0] in\n"
        "    ('scipy', 'sklearn', 'joblib')))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""
