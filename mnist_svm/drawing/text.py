"""Text that has to fit: paragraphs in lines, and names that are shorten_text."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import ImageFont

from mnist_svm.exceptions import sanitize

ELLIPSIS = "…"


def wrap_text(text: str, size: int, width: int) -> Iterator[str]:
    """The lines of a paragraph.

    Parameters
    ----------
    text : str
    size : int
        Of the font.
    width : int
        Pixels that a line may take; a longer word takes more.

    Yields
    ------
    str
    """
    font = ImageFont.load_default(size)
    line = ""
    for word in text.split():
        longer = f"{line} {word}".lstrip()
        if line and font.getlength(longer) > width:
            yield line
            longer = word
        line = longer
    yield line


def shorten_text(text: str, size: int, width: int) -> str:
    """One line, without the middle if that is too long.

    Parameters
    ----------
    text : str
        What cannot be printed becomes a question mark.
    size : int
        Of the font.
    width : int
        Pixels that the line may take.

    Returns
    -------
    str
    """
    font = ImageFont.load_default(size)
    text = sanitize(text)
    line, kept = text, len(text)
    while kept and font.getlength(line) > width:
        kept -= 1
        # The end of a file's name tells more than its beginning.
        line = text[: kept // 3] + ELLIPSIS + text[len(text) - kept + kept // 3 :]
    return line
