"""Text files in any of the usual encodings and ends of lines, read in blocks of whole lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from mnist_svm.constants import N_PIXELS
from mnist_svm.datasets.formats.idx import BYTES_PER_BLOCK
from mnist_svm.exceptions import FormatError

# Longest line to read, in bytes. A binary file may be one line.
MAX_LINE = 1 << 16


def read_line_blocks(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    r"""Yield the number of the first line, from 1, and the bytes of some lines in UTF-8.

    Each line ends with ``\n``, whatever the end in the file. Blank lines at the end of the file are
    left out, and others are one blank line. Raises FormatError, with `name`, if it is no text, or a
    line is too long.
    """
    rest, first, n_blank = b"", 1, 0
    for block in _end_lines_alike(_decode(stream, name)):
        head, newline, rest = (rest + block).rpartition(b"\n")
        if len(rest) > MAX_LINE:
            raise _line_too_long(name, first + n_blank + head.count(b"\n") + len(newline))
        if not newline:
            continue
        # Hold blank lines back until a later line shows that they do not end the file.
        end = head.find(b"\n", len(head.rstrip(b" \t\n")))
        lines = head if end < 0 else head[:end]
        if lines.strip():
            yield first, (b"\n" if n_blank else b"") + lines + b"\n"
            first += n_blank + lines.count(b"\n") + 1
            n_blank = head.count(b"\n", end) if end >= 0 else 0
        else:
            n_blank += head.count(b"\n") + 1
    if rest.strip():
        yield first, (b"\n" if n_blank else b"") + rest + b"\n"


def split_pieces(block: bytes, size: int) -> Iterator[bytes]:
    """Split a block of lines into pieces of about `size` bytes, of whole lines."""
    start = 0
    while start < len(block):
        end = block.rfind(b"\n", start, start + size) + 1 or block.find(b"\n", start) + 1
        yield block[start:end]
        start = end


def require_short_lines(lines: list[bytes], first: int, name: str) -> None:
    """Raise FormatError if a line is longer than the numbers of an image can be."""
    for number, line in enumerate(lines, start=first):
        if len(line) > MAX_LINE:
            raise _line_too_long(name, number)


def _line_too_long(name: str, number: int) -> FormatError:
    return FormatError(
        f"{name}: line {number}: longer than {N_PIXELS + 1} numbers can be; "
        "not a CSV file of images"
    )


def _decode(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield blocks of UTF-8, from a file in UTF-8, with or without a mark, or UTF-16 with one."""
    block = stream.read(BYTES_PER_BLOCK)
    if block.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        msg = f"{name}: text in UTF-32; save it in UTF-8"
        raise FormatError(msg)
    if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield from _decode_utf16(block, stream, name)
        return
    block = block.removeprefix(codecs.BOM_UTF8)
    while block:
        _require_text(block, name)
        yield block
        block = stream.read(BYTES_PER_BLOCK)


def _decode_utf16(block: bytes, stream: BinaryIO, name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        while block:
            text = decoder.decode(block).encode()
            _require_text(text, name)
            if text:
                yield text
            block = stream.read(BYTES_PER_BLOCK)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        msg = f"{name}: damaged text in UTF-16 ({error})"
        raise FormatError(msg) from error


def _require_text(block: bytes, name: str) -> None:
    # Most binary files have a zero byte; text has none.
    if b"\0" in block:
        msg = f"{name}: not a CSV file, and not another known format"
        raise FormatError(msg)


def _end_lines_alike(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Replace the ends of lines of Windows and of old Macs."""
    held = b""
    for block in blocks:
        text = held + block
        # The newline of a pair may be in the next block.
        held = b"\r" if text.endswith(b"\r") else b""
        if b"\r" in text:
            text = text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield text
    if held:
        yield b"\n"
