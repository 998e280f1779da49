"""Fit text into a width: wrap paragraphs, shorten names."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import ImageFont

ELLIPSIS = "…"


def wrap_text(text: str, font_size: int, width: int) -> Iterator[str]:
    """Wrap a paragraph.

    Parameters
    ----------
    text : str
    font_size : int
    width : int
        Maximum width of a line in pixels; only a longer word exceeds it.

    Yields
    ------
    str
        One line.
    """
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
    """Replace the middle of a line by an ellipsis if it is too wide.

    Parameters
    ----------
    text : str
        Characters that cannot be printed become question marks.
    font_size : int
    width : int
        Maximum width in pixels.

    Returns
    -------
    str
    """
    font = ImageFont.load_default(font_size)
    text = "".join(character if character.isprintable() else "?" for character in text)
    line, kept = text, len(text)
    while kept and font.getlength(line) > width:
        kept -= 1
        # Twice as much of the end, which distinguishes file names best.
        line = text[: kept // 3] + ELLIPSIS + text[len(text) - kept + kept // 3 :]
    return line
