"""Picture files written by hand to exhaust memory or time, and the error each must give."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

from tests.support.hostile import PNG, chunk, encode_image
from tests.support.paths import DIGITS


def png_file(width: int, height: int, *others: bytes, pixels: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = [chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return PNG + b"".join([chunk(b"IHDR", header), *others, *end])


def tiff(*, drop: tuple[int, ...] = (), data: bytes = b"\x55" * 64, **tags: object) -> bytes:
    """A little-endian TIFF with arbitrary values of its tags."""
    values = {256: 28, 257: 28, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 28, 279: len(data)}
    values |= {int(tag[1:]): value for tag, value in tags.items()}
    entries = [
        struct.pack("<HHII", tag, 4, 1, values[tag]) for tag in sorted(values) if tag not in drop
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
    """A valid picture with another size in its header."""
    good = encode_image(Image.open(DIGITS[3]).convert("L"), kind)
    start = good.index(marker) + offset
    return good[:start] + size + good[start + len(size) :]


def jpeg_with_segments(*segments: bytes) -> bytes:
    """A valid picture with additional segments in front."""
    return GOOD_JPEG[:2] + b"".join(segments) + GOOD_JPEG[2:]


def progressive_jpeg(scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until there are `scans`."""
    good = encode_image(Image.open(DIGITS[3]).convert("L"), "JPEG", progressive=True)
    last = good.rindex(b"\xff\xda")
    more = scans - good.count(b"\xff\xda")
    return good[:-2] + more * good[last:-2] + good[-2:]


def run_lengths(size: int) -> bytes:
    """An 8-bit BMP whose header claims run-length compression."""
    header = struct.pack("<IiiHHIIiiII", 40, 28, 28, 1, 8, 1, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", size, 0, 0, 54) + header + bytes(size - 54)


GOOD_JPEG = encode_image(Image.open(DIGITS[3]).convert("L"), "JPEG")
BOMB = zlib.compress(bytes(16 << 20), 9)
NAN = np.full((28, 28), np.nan, dtype=np.float32)
WHITE = Image.new("L", (28, 28), 255)

HOSTILE_FILES = {
    "billions.png": (png_file(100_000, 100_000), "over the limit"),
    "no-pixels.png": (png_file(8000, 8000), "damaged"),
    "line.png": (png_file(60_000, 1, pixels=bytes(60_001)), "60,000 x 1 pixels, too narrow"),
    "column.png": (png_file(1, 60_000, pixels=bytes(120_000)), "1 x 60,000 pixels, too narrow"),
    "dot.png": (png_file(1, 1, pixels=b"\0\0"), "1 x 1 pixels, too narrow"),
    "profile-bomb.png": (png_file(28, 28, chunk(b"iCCP", b"icc\0\0" + BOMB)), "damaged"),
    "text-bomb.png": (png_file(28, 28, chunk(b"zTXt", b"text\0\0" + BOMB)), "damaged"),
    "international-bomb.png": (png_file(28, 28, chunk(b"iTXt", b"t\0\1\0\0\0" + BOMB)), "damaged"),
    "much-text.png": (png_file(28, 28, *[chunk(b"tEXt", b"t\0" + bytes(1 << 20))] * 70), "damaged"),
    "pixel-bomb.png": (
        PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 7, 0, 0, 0, 0)) + BOMB,
        "damaged",
    ),
    "chunk-of-2-gib.png": (png_file(28, 28)[:33] + b"\x7f\xff\xff\xfftEXt", "damaged"),
    "billions.tif": (tiff(t256=2**31 - 1, t257=2**31 - 1), "over the limit"),
    "more-rows.tif": (tiff(t257=8000, t278=8000), "damaged"),
    "strips.tif": (tiff(t273=2**32 - 1, t279=2**32 - 1), "damaged"),
    "rows-in-strip.tif": (tiff(t259=5, t278=2**32 - 1), "damaged"),
    "lzw.tif": (tiff(t259=5, data=b"\xff" * 64), "damaged"),
    "fax.tif": (tiff(t258=1, t259=4, data=bytes(64)), "damaged"),
    "deflate-bomb.tif": (tiff(t259=8, data=BOMB), "blank"),
    "samples.tif": (tiff(t277=65_535), "damaged"),
    "nan.tif": (encode_image(Image.fromarray(NAN), "TIFF"), "not finite"),
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
    "truncated.jpg": (encode_image(WHITE, "JPEG")[:-20], "damaged"),
    "segments.jpg": (
        jpeg_with_segments(b"\xff\xe9\0\2" * 2001),
        "over the limit of 2,000 segments",
    ),
    "hidden-segments.jpg": (
        # Pillow knows no length for the first marker.
        jpeg_with_segments(b"\xff\xf0\x20\0", b"\xff\xe9\0\2" * 2001),
        "over the limit of 2,000 segments",
    ),
    "scans.jpg": (progressive_jpeg(65), "over the limit of 64 scans"),
    "filling.jpg": (jpeg_with_segments(b"\xff" * 70_000), "over the limit of 65,536 bytes"),
    "junk.jpg": (b"\xff\xd8\xff" + bytes(70_000), "over the limit of 65,536 bytes"),
    "chunks.png": (png_file(28, 28, chunk(b"abCd", b"") * 1001), "over the limit of 1,000 chunks"),
    "pixels.png": (
        png_file(28, 28, chunk(b"IDAT", b"") * 100_001),
        "over the limit of 100,000 chunks",
    ),
    "runs.bmp": (run_lengths((16 << 20) + 1), "over the limit of 16 MiB for a BMP (RLE) file"),
    "plain.pgm": (b"P2 28 28 255\n" + b"0 " * (8 << 20), "over the limit of 16 MiB"),
    "comments.pgm": (b"P2 28 28 255\n" + b"#\n" * 1001, "over the limit of 1,000 comments"),
    "comment.pgm": (b"P5 #" + b"c" * (1 << 20) + b"\n28 28 255\n" + bytes(784), "damaged"),
    "blanks.pgm": (b"P5 28 28" + b" " * (1 << 20) + b"255\n" + bytes(784), "damaged"),
    "billions.ppm": (b"P6 99999999 99999999 255\n", "over the limit"),
    "digits.pgm": (b"P5 " + b"9" * 100_000 + b" 1 255\n", "damaged"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC is not supported: save it as"),
    "scan.pdf": (b"%PDF-1.7\n", "PDF is not supported: save it as"),
    "drawing.svg": (b'<?xml version="1.0"?>\n<svg width="28"/>', "SVG is not supported: save it"),
    "white.png": (encode_image(WHITE, "PNG"), "blank picture"),
}
