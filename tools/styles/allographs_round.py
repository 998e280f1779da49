"""Shapes of the digits that are made of bows and rings.

Each function returns the strokes of one digit from the base line y = 1 up to y = 0. Lengths are
fractions of its height, angles degrees: 0 right, 90 down, growing clockwise. Parameters say how it
is written; see `allographs.py` for their ranges.
"""

from __future__ import annotations

from tools.styles.allographs_lines import Stroke, arc, curve, join, slant, smooth


def nine(
    *,
    rx: float,
    ry: float,
    leave: float,
    gap: float,
    belly: float,
    tail: float,
    sweep: float = 0,
    rise: float = 0,
    corner: float = 0.03,
    lean: float = 0,
) -> list[Stroke]:
    """A ring to the left and round to angle `leave`, up to a `gap`, and a tail from there.

    The tail bulges `belly` to the right of the ring, comes down at x = `tail` times the ring's
    radius, and sweeps on to the left, where it rises again.
    """
    ring = arc((0, ry), (rx, ry), leave - gap, leave - 360)
    from_ring = (float(ring[-1][0]), float(ring[-1][1]))
    middle = (rx + belly, 0.5 * (from_ring[1] + 1))
    foot = (tail * rx, 1.0)
    points = [from_ring, middle, foot]
    if sweep:
        points[2] = (tail * rx, 0.97)
        points.append((tail * rx - sweep, 1 - rise))
    return slant([smooth(join(ring, curve(*points)), corner=corner)], lean)


def nine_like_g(
    *,
    rx: float,
    ry: float,
    leave: float,
    gap: float,
    belly: float,
    width: float,
    height: float,
    back: float,
    lean: float,
) -> list[Stroke]:
    """A ring, and a tail that ends in a loop to the left, which comes `back` to its right."""
    ring = arc((0, ry), (rx, ry), leave - gap, leave - 360)
    from_ring = (float(ring[-1][0]), float(ring[-1][1]))
    right = rx + belly
    tail = curve(
        from_ring,
        (right, 0.55),
        (right - 0.05, 0.85),
        (right - 0.5 * width, 1),
        (right - width, 1 - 0.4 * height),
        (right - 0.5 * width, 1 - height),
        (right - 0.5 * width + back, 0.98 - height),
    )
    return slant([smooth(join(ring, tail), corner=0.03)], lean)
