"""Draw lines of numbers with marks, rules and printed patterns, to train and calibrate reading.

Digits are images of the training sets of MNIST and styles; each line is written by one hand. The
truth tells which digit each pixel of ink belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_svm._types import Float32Array, GreyImage, Images, Labels
from mnist_svm.pictures.background import stroke_width

# Height of a digit in the drawing of a line, before it is brought to the size of the picture.
HEIGHT = 64
# Coverage above which a pixel is ink of a digit.
INK = 0.4
# Owner of the pixels of marks, and of those that two glyphs share; and the distance, as a fraction
# of the digits' height, up to which pixels around ink have its owner.
MARK, SHARED, REACH = 99, 98, 0.12

# What may be printed beside a number.
SIGNS = [
    *["$", "€", "£", "#", "kr", "Fr", "m", "kg", "A", "No", "x", "E", "H"],
    *["N", "S", ":", "%", "*", "CHF", "R$", "T", "F", "r", "n", "u"],
]

# What follows numbers, as in "500,-" or "500.=", and the share of numbers that it follows.
ENDINGS = [
    *[("dash",), ("dash",), ("equals",), ("equals",), ("point",), ("comma",), ("sign",)],
    *[("point", "dash"), ("comma", "dash"), ("point", "equals"), ("dash", "sign")],
    ("dash", "dash"),
]
MARKED = 0.55

# Shares of hands that write zeros smaller than other digits, and that join them.
SMALL_ZEROS, JOINED_ZEROS = 0.1, 0.05

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class NumberLine:
    """A picture of one number.

    Attributes
    ----------
    grey : uint8 ndarray of shape (height, width)
    text : its digits, without marks
    owner : int32 ndarray of that shape, the digit of each pixel from 1, `MARK` where a mark is
        nearer, `SHARED` where two of them are, and 0 far from all
    """

    grey: GreyImage
    text: str
    owner: npt.NDArray[np.int32]


class Hands:
    """Digits grouped by hand: MNIST's by the width of their strokes, others by style.

    Parameters
    ----------
    mnist_images, mnist_labels : digits of MNIST
    style_images, style_labels : digits of styles
    ranges : first image and number of images of each style
    """

    # MNIST digits of similar stroke width that a line is written with.
    SIMILAR = 300

    def __init__(
        self,
        mnist: tuple[Images, Labels],
        styles: tuple[Images, Labels],
        ranges: Sequence[tuple[int, int]],
    ) -> None:
        widths = np.array([stroke_width(image / np.float32(255)) for image in mnist[0]])
        order = np.argsort(widths, kind="stable")
        # Those of one hand lean alike: two ones in the form of a Λ are one with a long upstroke.
        images = [_upright(x) if y == 1 else x for x, y in zip(*mnist, strict=True)]
        self._mnist = np.stack(images)[order], mnist[1][order]
        self._styles = styles
        parts = [np.arange(first, first + n) for first, n in ranges]
        n_digits = [len(np.unique(styles[1][part])) for part in parts]
        # Styles with all digits, and those of a single one.
        self._complete = [part for part, n in zip(parts, n_digits) if n == 10]
        self._single = [part for part, n in zip(parts, n_digits) if n == 1]

    def pick(self, rng: Rng) -> tuple[Images, Labels]:
        """Digits of one hand."""
        kind = rng.random()
        if kind < 0.45:
            images, labels = self._mnist
            start = int(rng.integers(max(len(labels) - self.SIMILAR, 1)))
            part = np.arange(start, start + self.SIMILAR)
        elif kind < 0.7:
            images, labels = self._styles
            part = self._complete[rng.integers(len(self._complete))]
        else:
            images, labels = self._styles
            by_digit = {
                int(labels[part[0]]): part
                for part in map(self._single.__getitem__, rng.permutation(len(self._single)))
            }
            part = np.concatenate(list(by_digit.values()))
        return images[part], labels[part]


# --- glyphs ------------------------------------------------------------------------------


@dataclass(eq=False)
class _Glyph:
    """Ink, 0 to 1, and the height of its lower end above the base line; a label if a digit.

    `has_tail` is whether its stroke goes on to the next glyph.
    """

    ink: Float32Array
    rise: float = 0.0
    label: str = ""
    has_tail: bool = False


def _crop(ink: Float32Array) -> Float32Array:
    visible = ink > 0.15
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _digit(images: Images, labels: Labels, shear: float, label: int | None, rng: Rng) -> _Glyph:
    candidates = np.arange(len(labels)) if label is None else np.flatnonzero(labels == label)
    k = int(rng.choice(candidates if len(candidates) else np.arange(len(labels))))
    cropped = _crop(images[k].astype(np.float32) / 255)
    # All writers draw small zeros, and long ones and sevens.
    low, high = {0: (0.65, 1.1), 1: (0.8, 1.5), 7: (0.9, 1.25)}.get(int(labels[k]), (0.8, 1.15))
    height = HEIGHT * rng.uniform(low, high)
    scale = height / max(cropped.shape[0], 0.75 * cropped.shape[1])
    width = scale * cropped.shape[1] * rng.uniform(0.85, 1.15)
    size = max(round(width), 3), max(round(scale * cropped.shape[0]), 3)
    large = np.asarray(Image.fromarray(cropped).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)
    sheared = _shear(((large - 0.5) * 2.5 + 0.5).clip(0, 1), shear + rng.normal(0, 0.04))
    return _Glyph(_crop(sheared), HEIGHT * rng.normal(0, 0.04), str(labels[k]))


def _upright(image: GreyImage) -> GreyImage:
    """Shear a drawing so that its second-order moments are those of an upright one."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    ink = image / image.sum()
    row, column = float((ink * rows).sum()), float((ink * columns).sum())
    slant = (ink * (rows - row) * (columns - column)).sum() / (ink * (rows - row) ** 2).sum()
    matrix = (1, slant, -slant * row, 0, 1, 0)
    upright = Image.fromarray(image).transform(
        image.shape[::-1], Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    return np.asarray(upright)


def _write_zeros(digits: Sequence[_Glyph], pen: float, rng: Rng) -> list[_Glyph]:
    """Write zeros smaller, or neighbouring ones without lifting the pen, as some hands do."""
    is_zero = [digit.label == "0" for digit in digits]
    size = rng.uniform(0.5, 0.85) if rng.random() < SMALL_ZEROS else 1.0
    tails = rng.random() < JOINED_ZEROS
    written = []
    for k, digit in enumerate(digits):
        if not is_zero[k]:
            written.append(digit)
            continue
        ink = _reduce(digit.ink, size, pen) if size < 1 else digit.ink
        has_tail = bool(tails and k + 1 < len(digits) and is_zero[k + 1])
        written.append(
            _Glyph(_with_tail(ink, pen, rng) if has_tail else ink, digit.rise, "0", has_tail)
        )
    return written


def _reduce(ink: Float32Array, size: float, pen: float) -> Float32Array:
    """Reduce a drawing, but not its pen."""
    height, width = ink.shape
    small = Image.fromarray(ink).resize(
        (max(round(size * width), 3), max(round(size * height), 3)), Image.Resampling.BICUBIC
    )
    extra = round((1 - size) * pen)
    padded = np.pad(np.asarray(small).clip(0, 1), extra)
    return _crop(np.asarray(ndimage.grey_dilation(padded, (extra + 1, extra + 1)), np.float32))


def _with_tail(ink: Float32Array, pen: float, rng: Rng) -> Float32Array:
    """Lead the stroke on to the right from the upper part of a drawing."""
    row = int(rng.uniform(0, 0.4) * len(ink))
    columns = np.flatnonzero(ink[row] > INK)
    start = int(columns[-1]) if len(columns) else ink.shape[1] // 2
    length = ink.shape[1] - start + rng.uniform(0.05, 0.35) * HEIGHT
    sag = rng.uniform(-0.1, 0.15) * HEIGHT
    tail = _pen_mark([(0, 0), (length / 2, -sag), (length, rng.normal(0, 0.05) * HEIGHT)], pen)
    left, top = max(start - round(pen / 2), 0), max(row - round(pen / 2), 0)
    shape = (max(len(ink), top + len(tail)), max(ink.shape[1], left + tail.shape[1]))
    joined = np.zeros(shape, np.float32)
    joined[: len(ink), : ink.shape[1]] = ink
    place = joined[top : top + len(tail), left : left + tail.shape[1]]
    np.maximum(place, tail, out=place)
    return joined


def _shear(ink: Float32Array, shear: float) -> Float32Array:
    """Lean ink to the right by `shear` columns per row."""
    height, width = ink.shape
    extra = int(abs(shear) * height) + 1
    matrix = (1, shear, -shear * height if shear > 0 else 0, 0, 1, 0)
    image = Image.fromarray(ink).transform(
        (width + extra, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    return np.asarray(image).clip(0, 1)


def _pen_mark(points: Sequence[tuple[float, float]], pen: float) -> Float32Array:
    """Draw a stroke through points (x, y), in pixels; y upwards."""
    fine, margin = 3, 2 * pen + 4
    xy = np.array(points)
    left, top = xy[:, 0].min() - margin, xy[:, 1].max() + margin
    size = (np.ptp(xy[:, 0]) + 2 * margin, np.ptp(xy[:, 1]) + 2 * margin)
    image = Image.new("L", [max(int(fine * side), 1) for side in size])
    draw = ImageDraw.Draw(image)
    place = [(fine * (x - left), fine * (top - y)) for x, y in points]
    draw.line(place, fill=255, width=max(round(fine * pen), 1), joint="curve")
    for x, y in place:
        r = fine * pen / 2
        draw.ellipse([x - r, y - r, x + r, y + r], fill=255)
    small = image.reduce(fine)
    return _crop(np.asarray(small, dtype=np.float32) / 255)


def _mark(kind: str, pen: float, rng: Rng) -> _Glyph:
    """Draw a mark that is no digit."""
    h, pen = HEIGHT, pen * rng.uniform(0.8, 1.3)
    if kind == "point":
        reach = rng.uniform(0, 0.1) * h
        ink = _pen_mark([(0, 0), (reach, rng.uniform(-1, 1) * reach)], pen * rng.uniform(1, 2))
        return _Glyph(ink, rng.uniform(-0.05, 0.12) * h)
    if kind == "comma":
        ink = _pen_mark([(0.08 * h, 0), (0, -rng.uniform(0.1, 0.3) * h)], pen)
        return _Glyph(ink, -rng.uniform(0.1, 0.25) * h)
    if kind == "dash":
        return _Glyph(_pen_mark(_dash(rng), pen), rng.uniform(0.1, 0.7) * h)
    if kind == "equals":
        return _Glyph(_equals(pen, rng), rng.uniform(0.05, 0.7) * h)
    text = rng.choice(SIGNS)
    font = ImageFont.load_default(h * rng.uniform(0.8, 1.3))
    box = font.getbbox(text)
    image = Image.new("L", (int(box[2]) + 8, int(box[3]) + 8))
    ImageDraw.Draw(image).text(
        (4, 4), text, font=font, fill=255, stroke_width=int(rng.uniform(0, pen / 3))
    )
    return _Glyph(_crop(np.asarray(image, dtype=np.float32) / 255))


def _dash(rng: Rng) -> list[tuple[float, float]]:
    """A stroke to the right, level or rising, sometimes with a hook at its beginning."""
    length = rng.uniform(0.2, 1.0) * HEIGHT
    tilt = rng.choice([rng.uniform(-0.12, 0.12), rng.uniform(0, 0.5)])
    points = [
        (0.0, 0.0),
        (length / 2, tilt * length / 2 + rng.normal(0, 0.03) * HEIGHT),
        (length, tilt * length),
    ]
    if rng.random() < 0.15:
        hook = rng.uniform(0.05, 0.12) * HEIGHT
        points.insert(0, (rng.uniform(-0.5, 1) * hook, -hook))
    return points


def _equals(pen: float, rng: Rng) -> Float32Array:
    """Two strokes, one above the other, or the same without lifting the pen."""
    gap = rng.uniform(0.12, 0.35) * HEIGHT
    lower = _dash(rng)
    shift = rng.normal(0, 0.06) * HEIGHT
    length = rng.uniform(0.7, 1.2)
    upper = [(length * x + shift, length * y + gap) for x, y in lower]
    if rng.random() < 0.4:
        return _pen_mark([*upper, *lower], pen)
    parts = [_pen_mark(points, pen) for points in (upper, lower)]
    width = max(part.shape[1] for part in parts)
    height = max(round(gap + len(parts[1])), len(parts[0]))
    both = np.zeros((height, width), np.float32)
    for part, top in zip(parts, (0, height - len(parts[1])), strict=True):
        left = int(rng.integers(width - part.shape[1] + 1))
        place = both[top : top + len(part), left : left + part.shape[1]]
        np.maximum(place, part, out=place)
    return both


# --- a line ------------------------------------------------------------------------------


def _with_marks(digits: list[_Glyph], pen: float, rng: Rng) -> list[_Glyph]:
    """Insert points between thousands, and marks at both ends."""
    glyphs: list[_Glyph] = []
    thousands = rng.random() < 0.4
    for k, digit in enumerate(digits):
        left = len(digits) - k
        if k and ((thousands and left % 3 == 0) or rng.random() < 0.03):
            glyphs.append(_mark(rng.choice(["point", "comma", "point", "dash"]), pen, rng))
        glyphs.append(digit)
    if rng.random() < MARKED:
        ending = ENDINGS[rng.integers(len(ENDINGS))]
        glyphs += [_mark(kind, pen, rng) for kind in ending]
    if rng.random() < 0.12:
        glyphs.insert(0, _mark(rng.choice(["sign", "dash", "equals", "point"]), pen, rng))
    return glyphs


def _arrange(
    glyphs: list[_Glyph], gaps: npt.NDArray[np.float64]
) -> tuple[Float32Array, npt.NDArray[np.int32], int]:
    """Place glyphs side by side, by the distance of their ink; return ink, owners and base line."""
    above = int(max(len(g.ink) + g.rise for g in glyphs)) + 2
    below = int(max(-min(g.rise for g in glyphs), 0)) + 2
    width = (
        sum(g.ink.shape[1] for g in glyphs)
        + int(np.abs(gaps).sum() + 10 * len(glyphs))
        + 2 * HEIGHT
    )
    ink = np.zeros((above + below, width), np.float32)
    owner = np.zeros(ink.shape, np.int32)
    edge = np.full(len(ink), -1e9)
    number, last_left = 0, 0
    for glyph, gap in zip(glyphs, gaps, strict=True):
        top = round(above - glyph.rise - len(glyph.ink))
        rows = slice(max(top, 0), max(top, 0) + len(glyph.ink))
        solid = glyph.ink > INK
        starts = np.where(solid.any(axis=1), solid.argmax(axis=1), 10**6)
        near = ndimage.maximum_filter1d(edge, 9 if gap > 0 else 3)[rows]
        left = max(float(np.max(near - starts)) + gap, last_left + 0.15 * HEIGHT)
        left = 4 if left < 0 or not last_left else round(left)
        last_left = left
        part = slice(left, left + glyph.ink.shape[1])
        np.maximum(ink[rows, part], glyph.ink, out=ink[rows, part])
        number += bool(glyph.label)
        taken = owner[rows, part] > 0
        owner[rows, part][solid] = number if glyph.label else MARK
        owner[rows, part][solid & taken] = SHARED
        ends = np.where(
            solid.any(axis=1), left + glyph.ink.shape[1] - solid[:, ::-1].argmax(axis=1), -1e9
        )
        edge[rows] = np.maximum(edge[rows], ends)
    right = int(edge.max()) + 4
    return ink[:, :right], owner[:, :right], above


def draw_line(hands: Hands, rng: Rng, *, texture: float = 0.4) -> NumberLine:
    """Draw a number of 1 to 8 digits; `texture` is the share with a printed pattern."""
    images, labels = hands.pick(rng)
    shear = rng.choice([0.0, rng.normal(0.1, 0.15), rng.uniform(0.2, 0.6)])
    n = int(rng.integers(1, 9))
    chosen: list[int | None] = [None] * n
    if rng.random() < 0.35:
        # Round amounts end in zeros.
        n_zeros = min(int(rng.integers(1, 5)), n)
        chosen = [None] * (n - n_zeros) + [0] * n_zeros
    digits = [_digit(images, labels, shear, label, rng) for label in chosen]
    pen = float(np.median([stroke_width(np.pad(digit.ink, 2)) for digit in digits]))
    digits = _write_zeros(digits, pen, rng)
    glyphs = _with_marks(digits, pen, rng)
    mean = rng.choice([rng.uniform(-0.02, 0.15), rng.uniform(0.05, 0.5)])
    gaps = HEIGHT * rng.normal(mean, 0.06 + 0.3 * abs(mean), len(glyphs))
    touching = rng.random(len(glyphs)) < rng.choice([0.0, 0.3, 0.6])
    touching[1:] |= np.array([glyph.has_tail for glyph in glyphs[:-1]], dtype=bool)
    overlap = rng.choice([0.05, 0.1])
    gaps = np.where(
        touching, HEIGHT * rng.uniform(-overlap, 0.0, len(glyphs)), np.maximum(gaps, -0.05 * HEIGHT)
    )
    ink, owner, base = _arrange(glyphs, gaps)
    grey, owner = _print(ink, owner, base, rng, texture)
    return NumberLine(grey, "".join(g.label for g in glyphs), owner)


def _print(
    ink: Float32Array, owner: npt.NDArray[np.int32], base: int, rng: Rng, texture: float
) -> tuple[GreyImage, npt.NDArray[np.int32]]:
    """Put a line on paper, and make a picture of it."""
    pads = [
        int(HEIGHT * rng.choice([rng.uniform(0.02, 0.15), rng.uniform(0.1, 0.8)])) for _ in range(4)
    ]
    pad = ((pads[0], pads[1]), (pads[2], pads[3]))
    ink, owner = np.pad(ink, pad), np.pad(owner, pad)
    base += pads[0]
    turn = rng.normal(0, 1.5)
    ink = np.asarray(Image.fromarray(ink).rotate(turn, Image.Resampling.BICUBIC)).clip(0, 1)
    owner = np.asarray(Image.fromarray(owner, mode="I").rotate(turn, Image.Resampling.NEAREST))
    scale = rng.uniform(20, 64) / HEIGHT
    size = [max(round(side * scale), 8) for side in ink.shape[::-1]]
    ink = np.asarray(
        Image.fromarray(ink).resize(
            size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
        )
    )
    owner = np.asarray(Image.fromarray(owner, mode="I").resize(size, Image.Resampling.NEAREST))
    h = HEIGHT * scale
    owner = _grow(owner, REACH * h)
    ink = ndimage.gaussian_filter(ink, rng.uniform(0.2, 0.025 * h + 0.2)).clip(0, 1)
    paper = rng.uniform(140, 255)
    contrast = paper * rng.uniform(0.35, 0.95)
    pressure = (
        1
        - rng.uniform(0, 0.35)
        * ndimage.gaussian_filter(rng.random(ink.shape), 0.3 * h).astype(np.float32)
        * 2
    )
    printed = np.zeros_like(ink)
    if rng.random() < texture:
        printed = _pattern(ink.shape, h, rng) * rng.uniform(0.1, 0.45)
    if rng.random() < 0.2:
        printed = np.maximum(printed, _rule(ink.shape, base * scale, h, rng) * rng.uniform(0.3, 1))
    depth = np.maximum(ink * pressure, printed * (1 - 0.5 * ink))
    light = 1 + rng.uniform(0, 0.15) * np.linspace(-1, 1, ink.shape[1]) * rng.choice([-1, 1])
    grey = (paper - contrast * depth) * light + rng.normal(0, rng.uniform(0.5, 6), ink.shape)
    image = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.5:
        file = BytesIO()
        image.save(file, "JPEG", quality=int(rng.integers(35, 95)))
        image = Image.open(file)
    return np.asarray(image), owner


def _grow(owner: npt.NDArray[np.int32], reach: float) -> npt.NDArray[np.int32]:
    distance, nearest = ndimage.distance_transform_edt(owner == 0, return_indices=True)
    return np.where(distance <= reach, owner[tuple(nearest)], 0)


def _rule(shape: tuple[int, int], base: float, h: float, rng: Rng) -> Float32Array:
    """A printed line below the digits or through their lower ends; sometimes a whole frame."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    width = rng.uniform(0.02, 0.07) * h
    row = base + rng.uniform(-0.05, 0.3) * h + rng.normal(0, 0.01) * columns
    rule = (width / 2 + 0.5 - np.abs(rows - row)).clip(0, 1)
    if rng.random() < 0.3:
        rule = np.maximum(
            rule, (width / 2 + 0.5 - np.abs(rows - row + rng.uniform(1.3, 1.8) * h)).clip(0, 1)
        )
    return rule


def _pattern(shape: tuple[int, int], h: float, rng: Rng) -> Float32Array:
    """Print a fine regular pattern: lines, waves, a net, or dots."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    total = np.zeros(shape, np.float32)
    for _ in range(rng.integers(1, 3)):
        angle, period = rng.uniform(0, np.pi), rng.uniform(0.08, 0.3) * h
        along, across = (
            rows * np.cos(angle) + columns * np.sin(angle),
            columns * np.cos(angle) - rows * np.sin(angle),
        )
        wave = (
            rng.uniform(0, 0.4) * h * np.sin(across / (rng.uniform(0.3, 2) * h) + rng.uniform(0, 6))
        )
        phase = (along + wave) / period
        line = np.maximum(np.cos(2 * np.pi * phase), 0) ** rng.uniform(1, 6)
        if rng.random() < 0.2:
            line = line * np.maximum(np.cos(2 * np.pi * across / period), 0)
        total = np.maximum(total, line)
    return total
