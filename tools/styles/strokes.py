"""Draw digits with a pen, in the ways of writing that handwriting fonts lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from mnist_svm._types import GreyImage
from tools.styles.allographs import FORMS
from tools.styles.allographs_form import Form
from tools.styles.allographs_lines import STEP, Stroke, by_hand, resample, wander
from tools.styles.drawing import HEIGHT, MARGIN

# The range of a leading parameter is divided into so many intervals, some for held-out drawings.
N_INTERVALS = 10
HELD_OUT_INTERVALS = (2, 7)

# Thinnest pen, and thinnest line that a flat nib draws, as fractions of the height.
THINNEST, THINNEST_LINE = 0.04, 0.035

# Lengths over which tremor, and pressure, keep their direction, as fractions of the height.
TREMOR_LENGTH, PRESSURE_LENGTH = 0.05, 0.4


@dataclass(frozen=True)
class Allograph:
    """One way to write a digit.

    Attributes
    ----------
    digit : 0 to 9
    name : such as "7-crossed"
    """

    digit: int
    name: str
    form: Form

    def parameters(self, rng: np.random.Generator, *, held_out: bool = False) -> dict[str, float]:
        """Draw the parameters of the shape; held-out ones are never drawn otherwise."""
        values: dict[str, float] = {}
        leading = True
        for key, limits in self.form.ranges.items():
            if isinstance(limits, tuple):
                at = _leading_fraction(rng, held_out) if leading else rng.uniform()
                leading = False
                values[key] = limits[0] + at * (limits[1] - limits[0])
            else:
                values[key] = limits
        return values

    def strokes(self, rng: np.random.Generator, *, held_out: bool = False) -> list[Stroke]:
        """Write the digit once: float arrays of shape (k, 2) in a unit box, x right and y down.

        With `held_out`, of parameters that are kept for measuring.
        """
        care = rng.uniform(0.2, 1)
        aspect = rng.uniform(*self.form.aspect)
        shape = self.form.shape(**self.parameters(rng, held_out=held_out))
        written = [by_hand(stroke, care, rng) * np.array([aspect, 1]) for stroke in shape]
        return _fit(written)

    def draw(self, rng: np.random.Generator, *, held_out: bool = False) -> GreyImage:
        """Write the digit once, as a picture; see `draw_strokes`."""
        return draw_strokes(self.strokes(rng, held_out=held_out), rng, widest=self.form.pen)


ALLOGRAPHS: Mapping[str, Allograph] = {
    name: Allograph(form.digit, name, form) for name, form in FORMS.items()
}


def draw_strokes(
    strokes: Sequence[Stroke], rng: np.random.Generator, *, widest: float = 0.16
) -> GreyImage:
    """Draw strokes with a random pen, from a thin pencil to a marker.

    Parameters
    ----------
    strokes : float arrays of shape (k, 2) in a unit box, x right and y down.
    widest : the widest pen, as a fraction of the height.

    Returns
    -------
    uint8 ndarray of shape (height, width), 0 background to 255 ink, `HEIGHT` pixels high or wide,
    with `MARGIN` around
    """
    pen = _Pen(
        width=HEIGHT * THINNEST * (widest / THINNEST) ** rng.uniform(),
        pressure=rng.uniform(0, 0.25),
        flatness=rng.uniform(0.35, 0.8) if rng.uniform() < 0.2 else 1.0,
        nib_angle=rng.uniform(0, np.pi),
        tremor=rng.uniform(0.003, 0.009) if rng.uniform() < 0.3 else 0.0,
    )
    points = np.concatenate(strokes)
    corner, extent = points.min(axis=0), np.ptp(points, axis=0)
    width, height = (round(HEIGHT * length) + 2 * MARGIN for length in extent)
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        for x, y, radius in pen.dots(stroke, rng):
            x, y = (x - corner[0]) * HEIGHT + MARGIN, (y - corner[1]) * HEIGHT + MARGIN
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image)


@dataclass(frozen=True)
class _Pen:
    """A pen in a hand.

    Attributes
    ----------
    width : in pixels
    pressure : how much the width varies along a stroke, as a fraction
    flatness : width along the nib's short side, as a fraction of the long side's
    nib_angle : direction of the nib's short side, in radians
    tremor : of the hand, as a fraction of the height
    """

    width: float
    pressure: float
    flatness: float
    nib_angle: float
    tremor: float

    def dots(self, stroke: Stroke, rng: np.random.Generator) -> Stroke:
        """Points along a stroke, of shape (k, 3): x, y, and radius in pixels."""
        dense = resample(stroke, STEP / 2)
        dense = dense + self.tremor * wander(len(dense), TREMOR_LENGTH / STEP * 2, rng)
        variation = wander(len(dense), PRESSURE_LENGTH / STEP * 2, rng)
        width = self.width * np.clip(1 + self.pressure * variation[:, 0], 0.5, 1.4)
        direction = np.gradient(dense, axis=0)
        across = np.arctan2(direction[:, 1], direction[:, 0]) - self.nib_angle
        width = width * np.hypot(np.sin(across), self.flatness * np.cos(across))
        # A drawn dot is one pixel wider than twice its radius.
        return np.column_stack([dense, (np.maximum(width, THINNEST_LINE * HEIGHT) - 1) / 2])


def _leading_fraction(rng: np.random.Generator, held_out: bool) -> float:
    """A fraction from 0 to 1, in the intervals that are held out or in the others."""
    others = [k for k in range(N_INTERVALS) if k not in HELD_OUT_INTERVALS]
    interval = rng.choice(HELD_OUT_INTERVALS if held_out else others)
    return float((interval + rng.uniform()) / N_INTERVALS)


def _fit(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Scale strokes to a longer side of 1, and put them at the middle of the unit box."""
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = 1 / extent.max()
    return [(stroke - low) * scale + (1 - extent * scale) / 2 for stroke in strokes]
