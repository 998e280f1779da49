"""What a picture file is, and whether decoding it would come to an end, from its bytes alone.

Pillow walks the blocks of some formats one by one in Python, and joins what it finds in ways that
take time by the square. A few megabytes of tiny blocks keep it busy for minutes, so they are
counted here, before. The limits are far above what cameras and programs write.
"""

from __future__ import annotations

import re
import struct

from PIL import JpegImagePlugin

from mnist_svm.exceptions import PictureError, TooLargeError

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".mpo", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)

# How a file of a format that is read here begins.
_BEGINNINGS = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "WEBP": (b"RIFF",),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf"),
}
FORMATS = tuple(_BEGINNINGS)

# The brands of ISO base media files that hold a still picture.
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
)

# What the most pixels that are read take without compression, and some more.
MAX_BYTES = 200 << 20
# Tiny blocks of these, without end, would take thirty to ninety times their size in memory.
_MAX_BYTES_OF = {"JPEG": 32 << 20, "GIF": 16 << 20}
# Pillow decodes these in Python.
_MAX_BYTES_IN_PYTHON = 16 << 20

# Profiles and previews take some hundred segments of 64 KiB. Each scan of a progressive JPEG goes
# over all pixels again, in as little as 14 bytes; cameras and programs write about ten.
_MAX_SEGMENTS, _MAX_SCANS, _MAX_JUNK = 2_000, 64, 64 << 10
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Anything else that begins with 255 is filling, or belongs to the pixels.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

# Programs write pixels in chunks of 8 KiB or more.
_MAX_PIXEL_CHUNKS, _MAX_OTHER_CHUNKS = 100_000, 1_000
_PIXEL_CHUNKS = frozenset({b"IDAT", b"fdAT", b"fcTL"})

_MAX_PPM_HEADER, _MAX_PPM_COMMENTS = 64 << 10, 1_000
_PPM_NUMBER = rb"(?:\s|#[^\r\n]*+[\r\n])*+[^\s#]++\s"
_PPM_HEADER = re.compile(rb"P(?:[14](?:%b){2}|.(?:%b){3})" % (_PPM_NUMBER, _PPM_NUMBER))


def detect_format(data: bytes) -> str:
    """The format of a file that can be decoded in a bounded time.

    Parameters
    ----------
    data : bytes
        All of the file, or of a larger one more than `MAX_BYTES`.

    Returns
    -------
    str
        One of `FORMATS`.

    Raises
    ------
    PictureError
        If the file is of no such format, is too large, or has more parts than any real picture.
    """
    if not data:
        msg = "empty file, expected a picture"
        raise PictureError(msg)
    for kind, beginnings in _BEGINNINGS.items():
        if data.startswith(beginnings) and (kind != "WEBP" or data[8:12] == b"WEBP"):
            _require_at_most(_MAX_BYTES_OF.get(kind, MAX_BYTES), len(data), kind)
            if kind in _REQUIRE:
                _REQUIRE[kind](data)
            return kind
    other = _known_elsewhere(data)
    if other:
        msg = f"{other} is not read here: save it as JPEG or PNG"
    else:
        msg = f"not a picture in a format that is read here ({', '.join(FORMATS)})"
    raise PictureError(msg)


def _known_elsewhere(data: bytes) -> str | None:
    """The name of a format that people take for a picture's, but which is not read here."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return "AVIF" if data[8:10] == b"av" else "HEIC"
    head = data[:1024].lstrip(b"\xef\xbb\xbf\t\n\r ")
    if b"%PDF-" in head:
        return "PDF"
    return "SVG" if head.startswith(b"<") and b"<svg" in head else None


def _require_at_most(limit: int, size: int, kind: str) -> None:
    if size > limit:
        msg = f"over the limit of {limit >> 20} MiB for a {kind} file"
        raise TooLargeError(msg)


def _require_few(count: int, limit: int, what: str) -> None:
    if count > limit:
        msg = f"over the limit of {limit:,} {what}"
        raise TooLargeError(msg)


def _require_short_jpeg(data: bytes) -> None:
    """Walk over the segments of the first image as Pillow and then libjpeg do."""
    at, segments, scans, junk = 2, 0, 0, 0
    while found := _JPEG_MARKER.search(data, at):
        marker = data[found.end() - 1]
        if marker == _END_OF_IMAGE:
            return
        segments += 1
        _require_few(segments, _MAX_SEGMENTS, "segments in a JPEG file")
        junk += 0 if scans else found.start() - at
        _require_few(junk, _MAX_JUNK, "bytes between the segments of a JPEG file")
        scans += marker == _START_OF_SCAN
        _require_few(scans, _MAX_SCANS, "scans in a JPEG file")
        at = found.end()
        known = JpegImagePlugin.MARKER.get(0xFF00 | marker)
        # A segment that Pillow does not handle is none to it: it goes on behind the marker.
        if known is not None and known[2] is not None:
            at += max(int.from_bytes(data[at : at + 2]), 2)
    _require_few(0 if scans else len(data) - at, _MAX_JUNK, "bytes outside a JPEG file's segments")


def _require_short_png(data: bytes) -> None:
    at, of_pixels, others = 8, 0, 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IEND":
            return
        if kind in _PIXEL_CHUNKS:
            of_pixels += 1
        else:
            others += 1
        _require_few(of_pixels, _MAX_PIXEL_CHUNKS, "chunks of pixels in a PNG file")
        _require_few(others, _MAX_OTHER_CHUNKS, "chunks beside the pixels of a PNG file")
        at += 12 + length


def _require_short_bmp(data: bytes) -> None:
    # The compression: 1 and 2 are run lengths.
    if data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
        _require_at_most(_MAX_BYTES_IN_PYTHON, len(data), "BMP (RLE)")


def _require_short_ppm(data: bytes) -> None:
    if not _PPM_HEADER.match(data[:_MAX_PPM_HEADER]):
        msg = "damaged picture (PPM without a header that makes sense)"
        raise PictureError(msg)
    if data[1:2] in b"123":
        _require_at_most(_MAX_BYTES_IN_PYTHON, len(data), "plain PPM")
        _require_few(data.count(b"#"), _MAX_PPM_COMMENTS, "comments in a PPM file")


_REQUIRE = {
    "PNG": _require_short_png,
    "JPEG": _require_short_jpeg,
    "BMP": _require_short_bmp,
    "PPM": _require_short_ppm,
}
