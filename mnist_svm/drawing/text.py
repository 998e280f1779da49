"""Fit text into a width: wrap paragraphs, shorten names."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import ImageFont

from mnist_svm.exceptions import sanitize

ELLIPSIS = "…"


def wrap_text(text: str, font_size: int, width: int) -> Iterator[str]:
    """Wrap a paragraph into lines of at most `width` pixels; only a longer word exceeds it."""
    font = ImageFont.load_default(font_size)
    line = ""
    for word in text.split():
        longer = f"{line} {word}".lstrip()
        if line and font.getlength(longer) > width:
            yield line
            longer = word
        line = longer
    yield line


def shorten_text(text: str, font_size: int, width: int) -> str:
    """Shorten a line to at most `width` pixels by an ellipsis in its middle.

    Characters that cannot be printed become question marks.
    """
    font = ImageFont.load_default(font_size)
    text = sanitize(text)
    line, kept = text, len(text)
    while kept and font.getlength(line) > width:
        kept -= 1
        # Twice as much of the end, which distinguishes file names best.
        line = text[: kept // 3] + ELLIPSIS + text[len(text) - kept + kept // 3 :]
    return line
