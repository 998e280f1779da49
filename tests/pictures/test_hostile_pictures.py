"""Damaged and ill-meant picture files: each is read or refused with one line, in little memory."""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from mnist_svm.exceptions import PictureError, TooLargeError
from mnist_svm.pictures import decode as picture
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.normalize import normalize
from tests.support.hostile import PNG, chunk, damaged, mutants, saved, seeds
from tests.support.paths import DIGITS, ROOT

SHIPPED = ROOT / "mnist_svm" / "models" / "gradient.joblib"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return seeds(np.asarray(Image.open(DIGITS[3]).convert("L")))


def test_every_seed_is_read(files):
    for name, data in files.items():
        assert normalize(decode(io.BytesIO(data)).grey).max() == 255, name


@pytest.mark.parametrize("seed", range(5))
def test_a_mutated_picture_is_read_or_refused_and_nothing_else(files, seed, monkeypatch, capfd):
    # Inflated sizes that are legal would only take time.
    monkeypatch.setattr(picture, "MAX_PIXELS", 1 << 17)
    read = 0
    for index, data in enumerate(mutants(list(files.values()), 1000, seed)):
        try:
            grey = decode(io.BytesIO(data)).grey
            image = normalize(grey)
        except PictureError as error:
            message = str(error)
            assert message.isprintable(), (seed, index)
            assert len(message) < 250, (seed, index)
        else:
            assert grey.dtype == np.uint8, (seed, index)
            assert image.shape == (28, 28), (seed, index)
            read += 1
    # The mutations are mild enough to get past the headers, and harsh enough to do damage.
    assert 200 < read < 600
    # libtiff, Pillow's logging and its warnings are silent.
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_does_not_keep_a_picture_from_being_read(kind):
    draw = random.Random(0)
    exif = Image.Exif()
    exif.update({0x0112: 3, 0x010F: "maker", 0x011A: 72.0, 0x011B: 72.0, 0x0128: 2})
    exif[0x8769] = {0x9003: "2024:01:01 00:00:00"}
    good = exif.tobytes()
    bright = Image.new("L", (8, 8), 200)
    blocks = [damaged(good, [good], draw) for _ in range(400)]
    blocks.append(
        good.replace(struct.pack(">HHII", 0x011A, 5, 1, 74), b"\x01\x1a\0\2\0\0\0\0\0\0\0\0")
    )
    for block in blocks:
        assert decode(io.BytesIO(saved(bright, kind, exif=block))).grey.mean() == pytest.approx(
            200, abs=2
        )


# --- files made by hand, through the command line ------------------------------------------


def png(width: int, height: int, *others: bytes, pixels: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = [chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return PNG + b"".join([chunk(b"IHDR", header), *others, *end])


def tiff(*, drop: tuple[int, ...] = (), data: bytes = b"\x55" * 64, **tags: object) -> bytes:
    """A little-endian TIFF whose tags say what they are told to."""
    said = {256: 28, 257: 28, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 28, 279: len(data)}
    said |= {int(tag[1:]): value for tag, value in tags.items()}
    entries = [
        struct.pack("<HHII", tag, 4, 1, said[tag]) for tag in sorted(said) if tag not in drop
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 64, 0, 0, 54) + header + bytes(64)


def gif(width: int, height: int, left: int = 0, top: int = 0) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    frame = b"," + struct.pack("<HHHHB", left, top, 28, 28, 0) + b"\2\2\x44\1\0;"
    return screen + frame


def webp(width: int, height: int) -> bytes:
    extended = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little")
    extended += (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + extended
    return b"RIFF" + struct.pack("<I", len(body)) + body


def inflated(kind: str, marker: bytes, offset: int, size: bytes) -> bytes:
    """A good picture whose header promises another size."""
    good = saved(Image.open(DIGITS[3]).convert("L"), kind)
    at = good.index(marker) + offset
    return good[:at] + size + good[at + len(size) :]


def jpeg_with(*segments: bytes) -> bytes:
    """A good picture with segments before its own."""
    return GOOD_JPEG[:2] + b"".join(segments) + GOOD_JPEG[2:]


def progressive(scans: int) -> bytes:
    """A JPEG with so many scans, all but a few of them the last one again."""
    good = saved(Image.open(DIGITS[3]).convert("L"), "JPEG", progressive=True)
    last = good.rindex(b"\xff\xda")
    more = scans - good.count(b"\xff\xda")
    return good[:-2] + more * good[last:-2] + good[-2:]


def run_lengths(size: int) -> bytes:
    """A BMP of 8 bits that says that it is compressed."""
    header = struct.pack("<IiiHHIIiiII", 40, 28, 28, 1, 8, 1, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 54) + header + bytes(size - 54)


GOOD_JPEG = saved(Image.open(DIGITS[3]).convert("L"), "JPEG")
BOMB = zlib.compress(bytes(16 << 20), 9)
NAN = np.full((28, 28), np.nan, dtype=np.float32)
WHITE = Image.new("L", (28, 28), 255)

HOSTILE = {
    "billions.png": (png(100_000, 100_000), "over the limit"),
    "nothing-in-it.png": (png(8000, 8000), "damaged"),
    "line.png": (png(60_000, 1, pixels=bytes(60_001)), "60,000 x 1 pixels, too narrow"),
    "column.png": (png(1, 60_000, pixels=bytes(120_000)), "1 x 60,000 pixels, too narrow"),
    "dot.png": (png(1, 1, pixels=b"\0\0"), "1 x 1 pixels, too narrow"),
    "profile-bomb.png": (png(28, 28, chunk(b"iCCP", b"icc\0\0" + BOMB)), "damaged"),
    "text-bomb.png": (png(28, 28, chunk(b"zTXt", b"text\0\0" + BOMB)), "damaged"),
    "international-bomb.png": (png(28, 28, chunk(b"iTXt", b"t\0\1\0\0\0" + BOMB)), "damaged"),
    "much-text.png": (png(28, 28, *[chunk(b"tEXt", b"t\0" + bytes(1 << 20))] * 70), "damaged"),
    "pixel-bomb.png": (
        PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 7, 0, 0, 0, 0)) + BOMB,
        "damaged",
    ),
    "chunk-of-2-gib.png": (png(28, 28)[:33] + b"\x7f\xff\xff\xfftEXt", "damaged"),
    "billions.tif": (tiff(t256=2**31 - 1, t257=2**31 - 1), "over the limit"),
    "more-rows.tif": (tiff(t257=8000, t278=8000), "damaged"),
    "strips.tif": (tiff(t273=2**32 - 1, t279=2**32 - 1), "damaged"),
    "rows-in-strip.tif": (tiff(t259=5, t278=2**32 - 1), "damaged"),
    "lzw.tif": (tiff(t259=5, data=b"\xff" * 64), "damaged"),
    "fax.tif": (tiff(t258=1, t259=4, data=bytes(64)), "damaged"),
    "deflate-bomb.tif": (tiff(t259=8, data=BOMB), "blank"),
    "samples.tif": (tiff(t277=65_535), "damaged"),
    "nan.tif": (saved(Image.fromarray(NAN), "TIFF"), "not finite"),
    "canvas.gif": (gif(65_535, 65_535), "over the limit"),
    "comments.gif": (gif(28, 28)[:19] + b"!\xfe" + b"\1c" * (9 << 20), "over the limit of 16 MiB"),
    "outside.gif": (gif(28, 28, 65_000, 65_000), "over the limit"),
    "canvas.webp": (webp(1 << 24, 1 << 24), "over the limit"),
    "canvas-of-4-gb.webp": (webp(40_000, 100_000), "over the limit"),
    "upside-down.bmp": (bmp(28, -(2**31)), "over the limit"),
    "absurd.bmp": (bmp(2**31 - 1, 2**31 - 1), "over the limit"),
    "negative.bmp": (bmp(-28, 28), "over the limit"),
    "inflated.jpg": (
        inflated("JPEG", b"\xff\xc0", 5, struct.pack(">HH", 65_500, 65_500)),
        "over the limit",
    ),
    "truncated.jpg": (saved(WHITE, "JPEG")[:-20], "damaged"),
    "segments.jpg": (jpeg_with(b"\xff\xe9\0\2" * 2001), "over the limit of 2,000 segments"),
    "hidden-segments.jpg": (
        # The first marker is none that has a length to Pillow.
        jpeg_with(b"\xff\xf0\x20\0", b"\xff\xe9\0\2" * 2001),
        "over the limit of 2,000 segments",
    ),
    "scans.jpg": (progressive(65), "over the limit of 64 scans"),
    "filling.jpg": (jpeg_with(b"\xff" * 70_000), "over the limit of 65,536 bytes"),
    "junk.jpg": (b"\xff\xd8\xff" + bytes(70_000), "over the limit of 65,536 bytes"),
    "chunks.png": (png(28, 28, chunk(b"abCd", b"") * 1001), "over the limit of 1,000 chunks"),
    "pixels.png": (png(28, 28, chunk(b"IDAT", b"") * 100_001), "over the limit of 100,000 chunks"),
    "runs.bmp": (run_lengths((16 << 20) + 1), "over the limit of 16 MiB for a BMP (RLE) file"),
    "plain.pgm": (b"P2 28 28 255\n" + b"0 " * (8 << 20), "over the limit of 16 MiB"),
    "comments.pgm": (b"P2 28 28 255\n" + b"#\n" * 1001, "over the limit of 1,000 comments"),
    "comment.pgm": (b"P5 #" + b"c" * (1 << 20) + b"\n28 28 255\n" + bytes(784), "damaged"),
    "blanks.pgm": (b"P5 28 28" + b" " * (1 << 20) + b"255\n" + bytes(784), "damaged"),
    "billions.ppm": (b"P6 99999999 99999999 255\n", "over the limit"),
    "digits.pgm": (b"P5 " + b"9" * 100_000 + b" 1 255\n", "damaged"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC is not read here: save it as"),
    "scan.pdf": (b"%PDF-1.7\n", "PDF is not read here: save it as"),
    "drawing.svg": (b'<?xml version="1.0"?>\n<svg width="28"/>', "SVG is not read here: save it"),
    "white.png": (saved(WHITE, "PNG"), "blank picture"),
}


# Runs a command and says how many KiB it took at most. A process of its own, because what the
# system says of one is never below what its parent had.
TELLING_MEMORY = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def test_hostile_files_are_reported_each_on_one_line_in_little_memory(start, tmp_path):
    for name, (data, _) in HOSTILE.items():
        (tmp_path / name).write_bytes(data)
    paths = [*(tmp_path / name for name in HOSTILE), DIGITS[7]]
    before = [sys.executable, "-c", TELLING_MEMORY]
    process = start("predict", *paths, "-m", SHIPPED, before=before)
    out, err = process.communicate()
    first, *lines, peak = err.splitlines()
    assert first.startswith("Reading with ")
    assert len(lines) == len(HOSTILE)
    for line, (name, (_, message)) in zip(lines, HOSTILE.items(), strict=True):
        assert line.startswith(f"mnist-svm: error: {tmp_path / name}: ")
        assert message in line, line
    assert out.startswith(f"{DIGITS[7]}\t7\t")
    assert process.returncode == 1
    assert int(peak) < 500 << 10


def test_what_cameras_write_is_within_the_limits():
    camera = jpeg_with(
        b"\xff\xe1\xff\xff" + bytes(65_533),
        *[b"\xff\xe2\xff\xff" + bytes(65_533)] * 255,
        b"\xff" * 100,
    )
    # A film may follow the picture, and looks as it likes.
    film = b"\xff\xda\0\2" * 1000 + b"\xff\xe9\0\2" * 10_000
    for data in (camera, GOOD_JPEG + film, progressive(20)):
        assert decode(io.BytesIO(data)).grey.shape == (28, 28)


def test_comments_in_the_header_of_a_ppm_are_skipped():
    data = b"P5 # made by hand\n28\n# wide\n28 255\n" + bytes(784)
    assert decode(io.BytesIO(data)).grey.shape == (28, 28)


def test_a_picture_over_a_limit_of_one_s_own_is_refused_before_it_is_decoded():
    content = DIGITS[7].read_bytes()
    assert decode(io.BytesIO(content), max_pixels=784).grey.shape == (28, 28)
    with pytest.raises(TooLargeError, match="28 x 28 pixels, over the limit of 783"):
        decode(io.BytesIO(content), max_pixels=783)
