"""Draw digits with a pen, in the ways of writing that handwriting fonts lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from mnist_svm._types import GreyImage
from tools.styles.allographs import FORMS, Form
from tools.styles.allographs_lines import STEP, Stroke, by_hand, resample, wander
from tools.styles.drawing import HEIGHT, MARGIN

# The range of a leading parameter is divided into so many intervals, some for held-out drawings.
N_INTERVALS = 10
HELD_OUT_INTERVALS = (2, 7)

# Thinnest pen, as a fraction of the height.
THINNEST = 0.035


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
    pen = HEIGHT * THINNEST * (widest / THINNEST) ** rng.uniform()
    pressure = rng.uniform(0, 0.25)
    flatness, nib_angle = (
        (rng.uniform(0.35, 0.8), rng.uniform(0, np.pi)) if rng.uniform() < 0.2 else (1, 0)
    )
    tremor = rng.uniform(0.003, 0.009) if rng.uniform() < 0.3 else 0.0
    fading = rng.uniform(0.1, 0.4) if rng.uniform() < 0.3 else 0.0
    extent = np.ptp(np.concatenate(strokes), axis=0)
    size = [round(HEIGHT * length) + 2 * MARGIN for length in extent]
    image = Image.new("L", (size[0], size[1]))
    draw = ImageDraw.Draw(image)
    corner = np.concatenate(strokes).min(axis=0)
    for stroke in strokes:
        dense = resample(stroke, STEP / 2)
        n_points = len(dense)
        if tremor:
            dense = dense + tremor * wander(n_points, 0.05 / STEP * 2, rng)
        variation = wander(n_points, 0.4 / STEP * 2, rng)
        widths = pen * np.clip(1 + pressure * variation[:, 0], 0.5, 1.4)
        inks = 255 * (1 - np.clip(fading * (0.5 + 0.5 * variation[:, 1]), 0, 0.55))
        direction = np.gradient(dense, axis=0) if n_points > 1 else np.zeros_like(dense)
        across = np.arctan2(direction[:, 1], direction[:, 0]) - nib_angle
        widths = widths * np.sqrt(np.sin(across) ** 2 + (flatness * np.cos(across)) ** 2)
        at = (dense - corner) * HEIGHT + MARGIN
        for (x, y), radius, ink in zip(at, np.maximum(widths, 2) / 2, inks, strict=True):
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, fill=round(ink))
    return np.asarray(image)


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
