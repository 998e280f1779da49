"""Valid picture files of every format and mode, and mutations of them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"
# Numbers that overflow, truncate or contradict sizes.
EXTREME_NUMBERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    2**32 - 1,
)


def encode_image(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Types and bodies of a PNG's chunks."""
    found, position = [], len(PNG)
    while position + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, position)
        body = position + 8
        found.append((png[position + 4 : body], png[body : body + length]))
        position += 12 + length
    return found


def seed_files(digit: np.ndarray) -> dict[str, bytes]:
    """A small picture of a digit in every format and mode, by name."""
    grey = Image.fromarray(255 - digit)
    red = Image.merge("RGB", [Image.new("L", grey.size, 255), grey, grey])
    rgba = red.copy()
    rgba.putalpha(Image.fromarray(digit))
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "maker", 0x011A: 72.0})
    tags = dict(exif)
    exif[0x8769] = {0x9003: "2024:01:01 00:00:00"}
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 16)
    image = {mode: grey.convert(mode) for mode in ("1", "L", "LA")}
    image |= {mode: red.convert(mode) for mode in ("RGB", "P", "CMYK", "YCbCr", "LAB")[:-1]}
    image |= {"RGBA": rgba, "I;16": wide, "I": wide.convert("I"), "F": grey.convert("F")}
    files = {}
    for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "I;16"):
        files[f"png {mode}"] = encode_image(image[mode], "PNG", exif=exif)
    files["png animated"] = encode_image(red, "PNG", save_all=True, append_images=[rgba, grey])
    for mode in ("L", "RGB", "CMYK"):
        files[f"jpeg {mode}"] = encode_image(image[mode], "JPEG", exif=exif)
    files["jpeg progressive"] = encode_image(
        red, "JPEG", progressive=True, comment="c", dpi=(72, 72)
    )
    files["mpo"] = encode_image(red, "MPO", save_all=True, append_images=[grey.convert("RGB")])
    for mode in ("1", "L", "RGB", "RGBA", "P"):
        files[f"bmp {mode}"] = encode_image(image[mode], "BMP")
    files["gif"] = encode_image(image["P"], "GIF", transparency=0)
    files["gif animated"] = encode_image(grey, "GIF", save_all=True, append_images=[rgba, red])
    for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "YCbCr", "I;16", "I", "F"):
        files[f"tiff {mode}"] = encode_image(image[mode], "TIFF", tiffinfo=tags)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"tiff {compression}"] = encode_image(red, "TIFF", compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        files[f"tiff {compression}"] = encode_image(image["1"], "TIFF", compression=compression)
    files["tiff pages"] = encode_image(grey, "TIFF", save_all=True, append_images=[red, rgba])
    files["tiff big"] = encode_image(red, "TIFF", big_tiff=True)
    for mode in ("RGB", "RGBA"):
        files[f"webp {mode}"] = encode_image(image[mode], "WEBP", exif=exif)
    files["webp lossless"] = encode_image(rgba, "WEBP", lossless=True)
    files["webp animated"] = encode_image(red, "WEBP", save_all=True, append_images=[rgba, grey])
    for mode in ("1", "L", "RGB", "I", "F"):
        files[f"ppm {mode}"] = encode_image(image[mode], "PPM")
    greys = " ".join(map(str, np.asarray(grey).ravel().tolist()))
    files["ppm plain"] = f"P2\n# plain\n{grey.width} {grey.height}\n255\n{greys}\n".encode()
    files["ppm 10 bits"] = b"P5 28 28 1023\n" + (np.asarray(grey).astype(">u2") * 4).tobytes()
    return files


def mutants(files: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` files with one to three mutations each, reproducible by seed."""
    draw = random.Random(seed)
    for _ in range(count):
        yield mutate(draw.choice(files), files, draw)


def mutate(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    """A file with one to three mutations, which may insert parts of other files."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        data = draw.choice(MUTATIONS)(data, files, draw)
    return data


def _flip(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(draw.choice((1, 1, 2, 8))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _flip_near_the_start(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    return _flip(data[:64], files, draw) + data[64:]


def _overwrite_number(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    """Overwrite a number of 1, 2 or 4 bytes, mostly where formats keep sizes and lengths."""
    form = draw.choice(("B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    number = struct.pack(form, draw.choice(EXTREME_NUMBERS) & (256**size - 1))
    at = draw.randrange(max(1, min(len(data), draw.choice((48, 256, len(data) + 1)))))
    return data[:at] + number + data[at + size :]


def _cut(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def _drop(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + draw.choice((1, 2, 4, 12, 50)) :]


def _repeat(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    part = data[at : at + draw.choice((1, 2, 4, 12, 50))]
    return data[:at] + part * draw.choice((2, 3, 20)) + data[at:]


def _splice(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    """Join the start of this file and the end of another, of the same format if possible."""
    other = draw.choice([file for file in files if file[:2] == data[:2]] or files)
    at = draw.randrange(min(len(data), len(other)) + 1)
    return data[:at] + other[draw.choice((at, draw.randrange(len(other) + 1))) :]


def _rewrite_chunk(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    """Change, rename, double or move a chunk of a PNG, with valid checksums."""
    parts = chunks(data) if data.startswith(PNG) else []
    if not parts:
        return _flip(data, files, draw)
    at = draw.randrange(len(parts))
    kind, body = parts.pop(at)
    change_kind = draw.randrange(4)
    if change_kind == 0:
        kind = draw.choice((b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL"))
    elif change_kind == 1:
        at = draw.randrange(len(parts) + 1)
    elif change_kind == 2:
        parts.insert(at, (kind, body))
    change = draw.choice((_flip, _overwrite_number, _cut, _repeat, lambda data, *_: data))
    parts.insert(at, (kind, change(body, files, draw)))
    return PNG + b"".join(chunk(kind, body) for kind, body in parts)


def _rewrite_tag(data: bytes, files: list[bytes], draw: random.Random) -> bytes:
    """Change number, type, count or value of a tag in a TIFF or an EXIF block."""
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        start = data.find(mark)
        if start < 0 or start + 10 > len(data):
            continue
        (directory,) = struct.unpack_from(order + "I", data, start + 4)
        if start + directory + 2 > len(data):
            continue
        (count,) = struct.unpack_from(order + "H", data, start + directory)
        entry = start + directory + 2 + 12 * draw.randrange(max(1, min(count, 40)))
        at, form = draw.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")))
        common_values = (
            0,
            1,
            2,
            3,
            4,
            5,
            8,
            12,
            13,
            16,
            32,
            256,
            257,
            262,
            273,
            277,
            279,
            322,
            339,
            34665,
        )
        number = draw.choice(common_values if draw.random() < 0.6 else EXTREME_NUMBERS)
        number &= 256 ** struct.calcsize(form) - 1
        packed = struct.pack(order + form, number)
        return data[: entry + at] + packed + data[entry + at + len(packed) :]
    return _overwrite_number(data, files, draw)


MUTATIONS = (
    *(
        _flip,
        _flip_near_the_start,
        _overwrite_number,
        _overwrite_number,
        _cut,
        _drop,
        _repeat,
        _splice,
    ),
    *(_rewrite_chunk, _rewrite_chunk, _rewrite_tag, _rewrite_tag),
)
