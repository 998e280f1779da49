"""Draw all styles, and write the data set's files."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mnist_svm._types import GreyImage, Images, Labels
from mnist_svm.datasets.formats.idx import write_idx
from tools.styles.drawing import change_pen, to_image, to_image_from_small, warp

# Parts of the data set, by the names of MNIST's files.
TRAIN, TEST = "train", "t10k"

# Part of the seed of every style; the rest is the style's name, so that styles are independent.
SEED = 22
# Share of the digits that are redrawn as small pictures have them.
SMALL_SHARE = 0.3

COLUMNS = ("part", "first", "n_images", "style", "kind", "source", "licence", "country")


@dataclass(frozen=True)
class Style:
    """One way to write digits: a font family, or an allograph.

    Attributes
    ----------
    part : "train" or "t10k"
    name, kind, source, licence, country : as in ``styles.csv``
    pictures : called with random numbers, yields labels and pictures (see `drawing`)
    """

    part: str
    name: str
    kind: str
    source: str
    licence: str
    country: str
    pictures: Callable[[np.random.Generator], Iterator[tuple[int, GreyImage]]]


def draw_style(style: Style) -> tuple[Images, Labels]:
    """Draw the images of a style; the same ones each time."""
    rng = np.random.default_rng([SEED, zlib.crc32(f"{style.part}/{style.name}".encode())])
    images, labels = [], []
    for label, picture in style.pictures(rng):
        warped = warp(picture, rng)
        if style.kind != "strokes":
            warped = change_pen(warped, rng)
        is_small = rng.uniform() < SMALL_SHARE
        images.append(to_image_from_small(warped, rng) if is_small else to_image(warped))
        labels.append(label)
    return np.array(images), np.array(labels, dtype=np.int64)


def write_styles(styles: Sequence[Style], folder: Path) -> None:
    """Draw styles and write images, labels and ``styles.csv``, each style a contiguous range."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[tuple[Images, Labels]]] = {TRAIN: [], TEST: []}
    rows = []
    with ProcessPoolExecutor() as processes:
        all_drawn = list(processes.map(draw_style, styles))
    for style, (images, labels) in zip(styles, all_drawn, strict=True):
        drawn = parts[style.part]
        first = sum(len(each) for _, each in drawn)
        drawn.append((images, labels))
        n_images = len(labels)
        source = (style.name, style.kind, style.source, style.licence, style.country)
        rows.append((style.part, first, n_images, *source))
    for part, drawn in parts.items():
        images, labels = (np.concatenate(each) for each in zip(*drawn, strict=True))
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels.astype(np.uint8))
    rows.sort(key=lambda row: (row[0] != TRAIN, row[1]))
    with (folder / "styles.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
