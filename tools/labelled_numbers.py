"""Pictures of one number each, with the number, and the reader to be fitted to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mnist_svm._types import GreyImage
from mnist_svm.models.file import load_model
from mnist_svm.pictures.decode import decode
from mnist_svm.recognition.no_digit import DigitJudge
from mnist_svm.recognition.pages import PageReader
from tools.no_digit_model import load_hands
from tools.number_lines import draw_line


def load_reader() -> PageReader:
    """The reader with the shipped models."""
    model = load_model()
    return PageReader(model.classes, model.predict_proba, DigitJudge())


def drawn_lines(n: int, seed: int) -> Iterator[tuple[str, GreyImage]]:
    """Lines drawn of digits held out."""
    hands, rng = load_hands("test"), np.random.default_rng(seed)
    for _ in range(n):
        line = draw_line(hands, rng)
        yield line.text, line.grey


def pictures(folder: Path) -> Iterator[tuple[str, GreyImage]]:
    """Pictures of a folder, named NUMBER_anything."""
    for path in sorted(folder.glob("[0-9]*_*")):
        yield path.name.split("_")[0], decode(path).grey
