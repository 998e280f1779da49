"""Collect the styles, and divide them into a training and a held-out part.

Held out are whole hands and countries: one in five of the groups of fonts, chosen by a checksum. A
group is all families that share a hand or a country, also by way of others. Allographs are in both
parts, with parameters of the shape that the other part never has.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import connected_components

from mnist_svm._types import GreyImage, IntegerArray
from tools.styles.build import TEST, TRAIN, Style
from tools.styles.drawing import draw_outline
from tools.styles.fonts import SCOPE, Family, load_font, read_families
from tools.styles.glyphs import N_DIGITS, compare_fonts, group_hands
from tools.styles.strokes import ALLOGRAPHS, Allograph

# Images of a digit of a handwriting font and of a text face, if no other draws it alike.
N_FONT, N_PRINT = 12, 6
# Images of an allograph in each part.
N_ALLOGRAPH = {TRAIN: 180, TEST: 45}
# Held out are groups whose checksum, divided by the first, leaves the second.
DIVISOR, REMAINDER = 5, 4


def collect_styles(folder: Path) -> list[Style]:
    """List all styles; fonts that are not yet in the folder come from the registry."""
    return [*font_styles(read_families(), folder), *stroke_styles()]


def font_styles(families: Sequence[Family], folder: Path) -> list[Style]:
    """List the styles of fonts. What k families of a hand draw alike, each draws less often."""
    fonts = [load_font(family, folder) for family in families]
    alike = compare_fonts(fonts)
    kinds = np.array([family.kind for family in families])
    hands = group_hands(alike & (kinds[:, None] == kinds))
    groups = _groups(families, hands)
    styles = []
    for k, family in enumerate(families):
        n_alike = alike[:, k, hands == hands[k]].sum(axis=1)
        n_images = (N_PRINT if family.kind == "print" else N_FONT) / np.sqrt(n_alike)
        styles.append(
            Style(
                TEST if is_held_out(families[groups.tolist().index(groups[k])].name) else TRAIN,
                family.name,
                family.kind,
                f"{SCOPE}/{family.name}@{family.version}",
                family.licence,
                family.country,
                partial(_draw_font, family, folder, np.rint(n_images).astype(int)),
            )
        )
    return styles


def stroke_styles() -> list[Style]:
    """List the styles of strokes."""
    return [
        Style(
            part, name, "strokes", "tools/styles/strokes.py", "MIT", "", partial(_draw, form, part)
        )
        for part in (TRAIN, TEST)
        for name, form in ALLOGRAPHS.items()
    ]


def is_held_out(group: str) -> bool:
    """Whether a group of fonts, by the name of its first, is in the held-out part."""
    return zlib.crc32(group.encode()) % DIVISOR == REMAINDER


def _groups(families: Sequence[Family], hands: IntegerArray) -> IntegerArray:
    """Number the groups: families that share a hand or a country, also by way of others."""
    countries = np.array([family.country for family in families])
    same = (countries[:, None] == countries) & (countries != "")
    return np.asarray(connected_components(same | (hands[:, None] == hands))[1])


def _draw_font(
    family: Family, folder: Path, n_images: Sequence[int], rng: np.random.Generator
) -> Iterator[tuple[int, GreyImage]]:
    del rng
    font = load_font(family, folder)
    for digit in range(N_DIGITS):
        picture = draw_outline(font, str(digit))
        for _ in range(n_images[digit]):
            yield digit, picture


def _draw(
    allograph: Allograph, part: str, rng: np.random.Generator
) -> Iterator[tuple[int, GreyImage]]:
    for _ in range(N_ALLOGRAPH[part]):
        yield allograph.digit, allograph.draw(rng, held_out=part == TEST)
