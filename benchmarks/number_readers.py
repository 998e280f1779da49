"""Readers of handwritten numbers to compare: ours, RapidOCR and Tesseract.

A reader takes a picture file and returns the numbers on it from top to bottom, with a confidence
each. Peers are asked for digits alone; marks between the digits are dropped.
"""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from PIL import Image

from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.recognition.results import PageReading

OURS, OURS_NUMBER = "mnist-svm read", "mnist-svm read --number"
RAPID_LINE, RAPID = "rapidocr, told it is a line", "rapidocr"
TESSERACT = "tesseract, digits only"

# Readers of one line only, that no page is given to.
LINE_READERS = (OURS_NUMBER, RAPID_LINE)

# Page segmentation modes of Tesseract: one line, and one block of lines.
LINE_MODE, BLOCK_MODE = 7, 6


class Answer(NamedTuple):
    """A number that was read: its digits, and the confidence in all of them, 0 to 1."""

    text: str
    confidence: float


# Called with a picture file, and whether it shows one line only.
Reader = Callable[[bytes, bool], list[Answer]]


class _Piece(NamedTuple):
    """A part of a line, as peers find them."""

    top: float
    bottom: float
    left: float
    text: str
    confidence: float


def available() -> Iterator[str]:
    """Yield the names of the readers that are installed."""
    yield from (OURS, OURS_NUMBER)
    if find_spec("rapidocr") and find_spec("onnxruntime"):
        yield from (RAPID_LINE, RAPID)
    if find_spec("pytesseract") and shutil.which("tesseract"):
        yield TESSERACT


def make_reader(name: str) -> Reader:
    """Load what a reader needs, and return it.

    Parameters
    ----------
    name : str
        One of `available`.
    """
    if name in (OURS, OURS_NUMBER):
        return _make_ours({"number": True} if name == OURS_NUMBER else {})
    if name in (RAPID_LINE, RAPID):
        return _make_rapidocr(is_line=name == RAPID_LINE)
    return _read_with_tesseract


def _make_ours(options: dict[str, Any]) -> Reader:
    recognizer = Recognizer.load().prepare()

    def read(file: bytes, is_line: bool) -> list[Answer]:
        page: PageReading = recognizer.read_page(file, **options)
        numbers = (number for row in page.rows for number in row.numbers)
        return [Answer(number.text, number.confidence) for number in numbers]

    return read


def _make_rapidocr(*, is_line: bool) -> Reader:
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"Global.log_level": "critical"})

    def read_line(file: bytes, _: bool) -> list[Answer]:
        result = engine(file, use_det=False, use_cls=False, use_rec=True)
        return _digits_of(zip(result.txts or (), result.scores or ()))

    def read_page(file: bytes, _: bool) -> list[Answer]:
        result = engine(file, use_det=True, use_cls=True, use_rec=True)
        found = () if result.boxes is None else zip(result.boxes, result.txts, result.scores)
        pieces = [
            _Piece(min(box[:, 1]), max(box[:, 1]), min(box[:, 0]), text, float(score))
            for box, text, score in found
        ]
        return _digits_of(map(_join, _group_by_line(pieces)))

    return read_line if is_line else read_page


def _read_with_tesseract(file: bytes, is_line: bool) -> list[Answer]:
    import pytesseract

    mode = LINE_MODE if is_line else BLOCK_MODE
    words = pytesseract.image_to_data(
        Image.open(io.BytesIO(file)).convert("RGB"),
        config=f"--psm {mode} -c tessedit_char_whitelist=0123456789",
        output_type=pytesseract.Output.DICT,
    )
    columns = ("top", "height", "left", "text", "conf")
    pieces = [
        _Piece(top, top + height, left, text, float(confidence) / 100)
        for top, height, left, text, confidence in zip(*(words[name] for name in columns))
        if text.strip()
    ]
    return _digits_of(map(_join, _group_by_line(pieces)))


def _group_by_line(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Pieces side by side, whose middle is within the height of the line's first."""
    lines: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.top + piece.bottom):
        middle = (piece.top + piece.bottom) / 2
        if lines and lines[-1][0].top <= middle <= lines[-1][0].bottom:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return lines


def _join(line: list[_Piece]) -> tuple[str, float]:
    """The text of a line, and the least confidence of its pieces."""
    ordered = sorted(line, key=lambda piece: piece.left)
    return "".join(piece.text for piece in ordered), min(piece.confidence for piece in line)


def _digits_of(lines: Any) -> list[Answer]:
    """Drop everything but ASCII digits, and lines without any."""
    answers = [Answer(re.sub("[^0-9]", "", text), float(score)) for text, score in lines]
    return [answer for answer in answers if answer.text]
