"""Detect the format of a picture file, and reject files that would take too long to decode.

Pillow reads the blocks of some formats one by one in Python and concatenates them in quadratic
time, so a few megabytes of tiny blocks would keep it busy for minutes. The blocks are counted here
first. The limits are far above what cameras and programs write.
"""

from __future__ import annotations

import re
import struct

from mnist_svm.exceptions import PictureError, TooLargeError

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".mpo", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)

# First bytes of the files of each supported format.
_SIGNATURES = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "WEBP": (b"RIFF",),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf"),
}
FORMATS = tuple(_SIGNATURES)

# Brands of ISO base media files that hold a still picture.
_HEIC_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"}
)

# Size of the largest picture without compression, and a margin.
MAX_BYTES = 200 << 20
# Decoding endless tiny blocks of these takes 30 to 90 times their size in memory.
_MAX_BYTES_OF = {"JPEG": 32 << 20, "GIF": 16 << 20}
# For formats that Pillow decodes in Python.
_MAX_BYTES_IN_PYTHON = 16 << 20

# Profiles and previews take a few hundred segments of 64 KiB. A progressive JPEG has about ten
# scans; decoding goes over all pixels for each, and a scan takes as little as 14 bytes.
_MAX_SEGMENTS, _MAX_SCANS, _MAX_JUNK_BYTES = 2_000, 64, 64 << 10
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
# Markers of segments with a length, which Pillow skips.
SEGMENT_MARKERS = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE} - {0xC8})
# Other bytes after 255 are padding or pixels.
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

# Programs write chunks of pixels of 8 KiB or more.
_MAX_PIXEL_CHUNKS, _MAX_OTHER_CHUNKS = 100_000, 1_000
_PIXEL_CHUNKS = frozenset({b"IDAT", b"fdAT", b"fcTL"})

_MAX_PPM_HEADER_BYTES, _MAX_PPM_COMMENTS = 64 << 10, 1_000
_PPM_NUMBER = rb"(?:\s|#[^\r\n]*+[\r\n])*+[^\s#]++\s"
_PPM_HEADER = re.compile(rb"P(?:[14](?:%b){2}|.(?:%b){3})" % (_PPM_NUMBER, _PPM_NUMBER))


def detect_format(data: bytes) -> str:
    """Detect the format, one of `FORMATS`, of a picture that can be decoded in a bounded time.

    `data` is the whole file, or more than `MAX_BYTES` of a larger one. Raises PictureError if the
    format is not supported, or the file is larger or has more parts than any real one.
    """
    if not data:
        msg = "empty file, expected a picture"
        raise PictureError(msg)
    for kind, signatures in _SIGNATURES.items():
        if data.startswith(signatures) and (kind != "WEBP" or data[8:12] == b"WEBP"):
            _require_size(data, _MAX_BYTES_OF.get(kind, MAX_BYTES), kind)
            if kind in _CHECKS:
                _CHECKS[kind](data)
            return kind
    if other := _unsupported_format(data):
        msg = f"{other} is not supported: save it as JPEG or PNG"
    else:
        msg = f"not a picture in a supported format ({', '.join(FORMATS)})"
    raise PictureError(msg)


def _unsupported_format(data: bytes) -> str | None:
    """Name of a common format that is not supported; None if it is unknown."""
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        return "AVIF" if data[8:10] == b"av" else "HEIC"
    head = data[:1024].lstrip(b"\xef\xbb\xbf\t\n\r ")
    if b"%PDF-" in head:
        return "PDF"
    return "SVG" if head.startswith(b"<") and b"<svg" in head else None


def _require_size(data: bytes, limit: int, kind: str) -> None:
    if len(data) > limit:
        msg = f"over the limit of {limit >> 20} MiB for a {kind} file"
        raise TooLargeError(msg)


def _require_count(count: int, limit: int, unit: str) -> None:
    if count > limit:
        msg = f"over the limit of {limit:,} {unit}"
        raise TooLargeError(msg)


def _check_jpeg(data: bytes) -> None:
    """Walk through the segments of the first image as Pillow and then libjpeg do."""
    position, segments, scans, junk = 2, 0, 0, 0
    while match := _JPEG_MARKER.search(data, position):
        marker = data[match.end() - 1]
        if marker == _END_OF_IMAGE:
            return
        segments += 1
        _require_count(segments, _MAX_SEGMENTS, "segments in a JPEG file")
        junk += 0 if scans else match.start() - position
        _require_count(junk, _MAX_JUNK_BYTES, "bytes between the segments of a JPEG file")
        scans += marker == _START_OF_SCAN
        _require_count(scans, _MAX_SCANS, "scans in a JPEG file")
        position = match.end()
        if marker in SEGMENT_MARKERS:
            position += max(int.from_bytes(data[position : position + 2]), 2)
    junk = 0 if scans else len(data) - position
    _require_count(junk, _MAX_JUNK_BYTES, "bytes outside a JPEG file's segments")


def _check_png(data: bytes) -> None:
    position, n_pixel_chunks, n_others = 8, 0, 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IEND":
            return
        if kind in _PIXEL_CHUNKS:
            n_pixel_chunks += 1
        else:
            n_others += 1
        _require_count(n_pixel_chunks, _MAX_PIXEL_CHUNKS, "chunks of pixels in a PNG file")
        _require_count(n_others, _MAX_OTHER_CHUNKS, "chunks without pixels in a PNG file")
        position += 12 + length


def _check_bmp(data: bytes) -> None:
    # The compression field: 1 and 2 are run lengths.
    if data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
        _require_size(data, _MAX_BYTES_IN_PYTHON, "BMP (RLE)")


def _check_ppm(data: bytes) -> None:
    if not _PPM_HEADER.match(data[:_MAX_PPM_HEADER_BYTES]):
        msg = "damaged picture (PPM with an invalid header)"
        raise PictureError(msg)
    if data[1:2] in b"123":
        _require_size(data, _MAX_BYTES_IN_PYTHON, "plain PPM")
        _require_count(data.count(b"#"), _MAX_PPM_COMMENTS, "comments in a PPM file")


_CHECKS = {"PNG": _check_png, "JPEG": _check_jpeg, "BMP": _check_bmp, "PPM": _check_ppm}
