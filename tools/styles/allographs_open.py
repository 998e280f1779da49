"""Shapes that are drawn in one turn, with curls, open rings, flat tails and shared sides.

As in `allographs_round.py`, which has the usual shapes of these digits.
"""

from __future__ import annotations

from tools.styles.allographs_lines import Stroke, arc, curve, join, line, ray, slant, smooth


def five_like_s(
    *,
    right: float,
    dip: float,
    left: float,
    waist: float,
    bow: float,
    end_x: float,
    end_at: float,
    lean: float,
) -> list[Stroke]:
    """One stroke without corners, from `right` over the top to the `left`, and a bow."""
    stroke = curve(
        (right, dip),
        (0.4 * right, 0.02),
        (-0.6 * left, 0.08),
        (-left, 0.55 * waist),
        (-0.3 * left, waist),
        (0.8 * bow, 0.45 * waist + 0.42),
        (0.75 * bow, 0.9),
        (0.1 * bow, 1),
        (end_x, end_at),
    )
    return slant([smooth(stroke, corner=0.05)], lean)


def six_curled(
    *,
    curl: float,
    curl_turn: float,
    rx: float,
    ry: float,
    top: float,
    bow: float,
    gap: float,
    shrink: float = 0,
    lean: float = 0,
) -> list[Stroke]:
    """A stem that starts in a curl to the right of its top, and a ring from its foot.

    The pen makes `curl_turn` degrees of a circle of radius `curl` before it comes down; the ring
    ends a `gap` before the stem, or as far inside if that is negative.
    """
    at = 1 - ry
    start = arc((top, curl), (curl, curl), curl_turn - 90, -110)
    stem = curve(
        (float(start[-1][0]), float(start[-1][1])), (0.5 * (top - rx) - bow, 0.5 * at), (-rx, at)
    )
    ring = arc((0, at), (rx, ry), 180, gap - 180, shrink=shrink)
    return slant([smooth(start, stem, ring, corner=0.04)], lean)


def nine_clockwise(
    *,
    start: float,
    inside: float,
    rx: float,
    ry: float,
    belly: float,
    tail: float,
    sweep: float = 0,
    rise: float = 0,
    lean: float = 0,
) -> list[Stroke]:
    """A ring drawn clockwise over its left and top, which goes on into the tail.

    It starts at the angle `start`, smaller by the fraction `inside`, and need not close. The tail
    comes down as in `nine`.
    """
    ring = arc((0, ry), (rx, ry), 360, start, shrink=inside)[::-1]
    points = [(rx, ry), (rx + belly, 0.5 * (ry + 1)), (tail * rx, 1.0)]
    if sweep:
        points[2] = (tail * rx, 0.97)
        points.append((tail * rx - sweep, 1 - rise))
    return slant([smooth(join(ring, curve(*points)), corner=0.04)], lean)


def nine_with_base(
    *,
    width: float,
    rx: float,
    ry: float,
    ring_lean: float,
    leave: float,
    gap: float,
    right: float,
    turn_at: float,
    rise: float,
    corner: float,
    lean: float,
) -> list[Stroke]:
    """A ring, a stroke down to x = `right`, and from there a long flat tail to the left.

    The ring, which leans by `ring_lean`, is left at the angle `leave`, after it has closed.
    """
    (ring,) = slant([arc((0, ry), (rx, ry), leave - gap, leave - 360)], ring_lean)
    ring = ring - ring.mean(axis=0) + (0, ry)
    from_ring = (float(ring[-1][0]), float(ring[-1][1]))
    down = curve(
        from_ring,
        (0.6 * right + 0.4 * from_ring[0], 0.5 * (from_ring[1] + turn_at)),
        (right, turn_at),
    )
    base = curve((right - 0.08 * width, 0.98), (right - 0.5 * width, 1), (right - width, 1 - rise))
    return slant([smooth(ring, down, base, corner=corner)], lean)


def nine_like_rho(
    *,
    leave: float,
    rx: float,
    ry: float,
    gap: float,
    drift: float,
    bend: float,
    lean: float,
) -> list[Stroke]:
    """A ring over its right side and top, which goes on into a stem at its left or below it.

    The ring is left at the angle `leave`, from 60 near its bottom to 190 at its left, and starts a
    `gap` before it. The stem ends `drift` to the right of where it starts.
    """
    ring = arc((0, ry), (rx, ry), leave - gap, leave - 360)
    top = (float(ring[-1][0]), float(ring[-1][1]))
    foot = (top[0] + drift, 1.0)
    stem = curve(top, (0.5 * (top[0] + foot[0]) + bend, 0.5 * (top[1] + 1)), foot)
    return slant([smooth(ring, stem, corner=0.03)], lean)


def nine_like_p(
    *,
    above: float,
    rx: float,
    ry: float,
    start: float,
    gap: float,
    drift: float,
    lean: float,
    lead: float = 0,
) -> list[Stroke]:
    """A stem at the left, which starts `above` the ring's middle, and a bow to it on its right.

    The bow starts at the angle `start`, 180 at the stem, and ends a `gap` before the stem. The pen
    may come to the stem from the left by a `lead`; a negative one is none.
    """
    bow = arc((0, ry), (rx, ry), start, 540 - gap)
    top = (-rx, ry - above)
    stem = line(top, (-rx + drift, 1))
    if lead > 0:
        stem = smooth(line((top[0] - lead, top[1] + 0.4 * lead)), stem, corner=0.05)
    return slant([stem, bow], lean)


def two_like_q(
    *,
    rx: float,
    ry: float,
    start: float,
    leave: float,
    foot: float,
    width: float,
    tilt: float,
    lean: float,
) -> list[Stroke]:
    """A closed ring from the angle `start` over its left and top, and a base from its left foot.

    The ring is left at the angle `leave`, 0 at its right and 90 at its bottom.
    """
    ring = arc((0, ry), (rx, ry), start, 360 + leave)
    left = (-foot, 1.0)
    base = line(left, ray(left, -tilt, width))
    return slant([smooth(ring, base, corner=0.06)], lean)


def five_like_root(
    *,
    bar: float,
    bar_tilt: float,
    neck: float,
    bow: float,
    hook: float,
    rise: float,
    corner: float,
    lean: float,
) -> list[Stroke]:
    """A long bar to the left, a long neck down, and instead of a bow a `hook` to the left."""
    body = join(
        line(ray((0, 0), -bar_tilt, bar), (0, 0), (0, neck)),
        curve((0, neck), (bow, 0.5 * (neck + 0.97)), (0.3 * bow, 0.98), (-hook, 1 - rise)),
    )
    return slant([smooth(body, corner=corner)], lean)


def eight_like_b(
    *,
    waist: float,
    top: float,
    foot: float,
    waist_x: float,
    bulge: float,
    gap: float,
    lean: float,
) -> list[Stroke]:
    """A stem, which may bulge to the left, and two bows at its right, which meet at `waist_x`."""
    stem = curve((0, 0), (-bulge, 0.5), (0, 1))
    below = 0.5 * (1 + waist)
    bows = curve(
        (gap, 0.01),
        (0.6 * top, 0.02),
        (top, 0.5 * waist),
        (waist_x, waist),
        (foot, below),
        (0.6 * foot, 0.98),
        (gap, 0.99),
    )
    return slant([stem, smooth(bows, corner=0.03)], lean)
