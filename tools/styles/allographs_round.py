"""Shapes of the digits that are made of bows and rings.

Each function returns the strokes of one digit from the base line y = 1 up to y = 0. Lengths are
fractions of its height, angles degrees: 0 right, 90 down, growing clockwise. Parameters say how it
is written; see `allographs.py` for their ranges.
"""

from __future__ import annotations

import numpy as np

from tools.styles.allographs_lines import Stroke, arc, curve, join, line, ray, slant, smooth


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


def nine_of_two(
    *,
    rx: float,
    ry: float,
    start: float,
    gap: float,
    above: float,
    shift: float,
    tail: float,
    lean: float,
) -> list[Stroke]:
    """A bow to the left up to a `gap` before the stem, and a stem of its own.

    The stem starts `above` the ring's middle, `shift` to the right of the ring.
    """
    ring = arc((0, ry), (rx, ry), start, gap - 360)
    return slant([ring, line((rx + shift, ry - above), (tail * rx, 1))], lean)


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


def zero(
    *,
    rx: float,
    start: float,
    gap: float,
    curl: float = 0,
    curl_turn: float = 0,
    shrink: float = 0,
    slash: float = 0,
    slash_tilt: float = 0,
    slash_shift: float = 0,
    lead: float = 0,
    lead_from: float = 0,
    lean: float = 0,
) -> list[Stroke]:
    """A ring to the left from angle `start`, up to a `gap`; a loop of radius `curl` at its end.

    The `slash` is a fraction of the ring's diameter in its direction. A `lead` of this length may
    come to the ring from the direction `lead_from`.
    """
    ring = arc((0, 0.5), (rx, 0.5), start, start - 360 + gap, shrink=shrink)
    if curl:
        end = (float(ring[-1][0]), float(ring[-1][1]))
        ring = join(ring, arc((end[0], end[1] + curl), (curl, curl), -90, -90 - curl_turn))
    if lead:
        ring = join(line(ray((float(ring[0][0]), float(ring[0][1])), lead_from, lead)), ring)
    strokes = [ring]
    if slash:
        across = line(ray((0, 0), 180 - slash_tilt, slash), ray((0, 0), -slash_tilt, slash))
        strokes.append(across * np.array([rx, 0.5]) + np.array([slash_shift * rx, 0.5]))
    return slant(strokes, lean)


def six(
    *,
    rx: float,
    ry: float,
    top: float,
    bow: float,
    gap: float,
    hook: float = 0,
    drop: float = 0.5,
    out: float = 0,
    shrink: float = 0,
    lean: float = 0,
) -> list[Stroke]:
    """A stem from x = `top` bowed to the left, and a ring from its foot up to a `gap`.

    The stem may start with a `hook`, lower than the top by the fraction `drop` of it; the ring's
    end may run `out` through the stem.
    """
    at = 1 - ry
    points = [(top, 0.0), (0.5 * (top - rx) - bow, 0.5 * at), (-rx, at)]
    if hook:
        points.insert(0, (top + hook, drop * hook))
    ring = arc((0, at), (rx, ry), 180, gap - 180, shrink=shrink)
    pieces = [curve(*points), ring]
    if out:
        pieces.append(line((float(ring[-1][0]) - out, float(ring[-1][1]) - 0.2 * out)))
    return slant([smooth(*pieces, corner=0.04)], lean)


def eight(
    *,
    rx_top: float,
    rx_foot: float,
    waist: float,
    start: float,
    reach: float = 0,
    lean: float,
) -> list[Stroke]:
    """One stroke: an S from angle `start` of the upper ring, and back up to it.

    With a `reach` the pen does not follow the ring back, but runs straight to that x at the top.
    """
    ry, below = 0.5 * waist, 0.5 * (1 + waist)
    upper = arc((0, ry), (rx_top, ry), start, -180)
    end = float(upper[0][0]), float(upper[0][1])
    back = [(reach, 0.02)] if reach else [(rx_top, 0.9 * ry), end]
    stroke = curve(
        (-rx_top, ry),
        (0, waist),
        (0.93 * rx_foot, below - 0.08),
        (0.85 * rx_foot, below + 0.12),
        (0, 1),
        (-0.85 * rx_foot, below + 0.12),
        (-0.93 * rx_foot, below - 0.08),
        (0, waist),
        *back,
    )
    return slant([smooth(upper, stroke, corner=0.05)], lean)


def eight_of_rings(
    *,
    rx_top: float,
    rx_foot: float,
    waist: float,
    start_top: float,
    start_foot: float,
    gap_top: float,
    gap_foot: float,
    overlap: float,
    lean: float,
) -> list[Stroke]:
    """Two rings, each from an angle on and up to a gap."""
    ry, low = 0.5 * waist, 0.5 * (1 - waist)
    return slant(
        [
            arc((0, ry), (rx_top, ry), start_top, start_top - 360 + gap_top),
            arc((0, 1 - low), (rx_foot, low + overlap), start_foot, start_foot + 360 - gap_foot),
        ],
        lean,
    )


def three(
    *,
    top: float,
    foot: float,
    waist: float,
    waist_at: float,
    start: float,
    end_x: float,
    end_at: float,
    loop: float = 0,
    lean: float = 0,
) -> list[Stroke]:
    """Two bows of the widths `top` and `foot`, which meet at x = `waist`, perhaps in a loop."""
    upper = curve(
        (-top, start),
        (-0.2 * top, 0),
        (top, 0.5 * waist_at),
        (0.5 * (top + waist), 0.9 * waist_at),
        (waist, waist_at),
    )
    below = 0.5 * (1 + waist_at)
    lower = curve(
        (waist, waist_at),
        (0.6 * foot + 0.4 * waist, waist_at + 0.06),
        (foot, below),
        (0.1 * foot, 1),
        (end_x, end_at),
    )
    if loop:
        centre = (waist, waist_at - loop)
        upper[-1] = centre[0], waist_at
        upper = join(upper, arc(centre, (1.4 * loop, loop), 90, 380))
    return slant([smooth(upper, lower, corner=0.03)], lean)


def flat_three(
    *,
    top: float,
    foot: float,
    waist: float,
    waist_at: float,
    tilt: float,
    end_x: float,
    end_at: float,
    serif: float = 0,
    angular: float = 0,
    lean: float = 0,
) -> list[Stroke]:
    """A bar, a straight stroke back to the middle, and a bow; `angular` makes that a corner."""
    left = ray((top, 0), 180 - tilt, 2 * top)
    bar = line(left, (top, 0), (waist, waist_at))
    if serif:
        bar = join(line((left[0] - 0.3 * serif, left[1] + serif)), bar)
    below = 0.5 * (1 + waist_at) - 0.1 * angular
    bow = curve(
        (waist, waist_at),
        (0.6 * foot + 0.4 * waist, waist_at + 0.05),
        (foot, below),
        (0.1 * foot, 1),
        (end_x, end_at),
    )
    sharp = line((waist, waist_at), (foot, waist_at + 0.12), (end_x, 1))
    return slant([smooth(bar, sharp if angular else bow, corner=0.04)], lean)


def two(
    *,
    top: float,
    top_at: float,
    foot: float,
    width: float,
    tilt: float,
    neck: float = 0,
    curl: float = 0,
    curl_turn: float = 0,
    loop: float = 0,
    swell: float = 0,
    lean: float = 0,
) -> list[Stroke]:
    """A bow, a neck down to the left, and a base of a `width` that rises by `tilt`.

    The bow may start in a `curl`; the neck may end in a `loop`; the base may `swell` like a wave.
    """
    bow = curve((-top, top_at), (-0.1 * top, 0), (top, 0.28), (0.35 * (top - foot) + neck, 0.62))
    pieces = [bow]
    if curl:
        centre = (-top + curl, top_at + 0.02)
        pieces.insert(0, arc(centre, (curl, curl), 180 - curl_turn, 180))
    left = (-foot, 1.0)
    if loop:
        centre = (-foot + loop, 1 - loop)
        pieces.append(arc(centre, (1.5 * loop, loop), 30, 310))
        left = (-foot + 2 * loop, 1 - 0.6 * loop)
    right = ray((-foot, 1), -tilt, width)
    middle = 0.5 * (left[0] + right[0]), 0.5 * (left[1] + right[1])
    base = curve(
        left,
        (middle[0] - 0.2 * width, middle[1] - swell),
        (middle[0] + 0.2 * width, middle[1] + swell),
        right,
    )
    return slant([smooth(*pieces, base, corner=0.03)], lean)


def two_like_z(
    *,
    top: float,
    top_tilt: float,
    foot: float,
    width: float,
    tilt: float,
    corner: float,
    lean: float,
) -> list[Stroke]:
    """Straight strokes: a bar, a neck down to the left, and a base."""
    stroke = line(
        ray((top, 0), 180 - top_tilt, 2 * top), (top, 0), (-foot, 1), ray((-foot, 1), -tilt, width)
    )
    return slant([smooth(stroke, corner=corner)], lean)


def five(
    *,
    neck: float,
    neck_lean: float,
    bow: float,
    bar: float,
    bar_tilt: float,
    end_x: float,
    end_at: float,
    gap_x: float = 0,
    gap_y: float = 0,
    apart: float = 0,
    corner: float = 0.02,
    lean: float = 0,
) -> list[Stroke]:
    """A bar to the left, a neck down, and a bow; the bar may stand `apart`, off by the gaps."""
    top = (-0.22 + float(np.tan(np.radians(neck_lean))) * neck, 0.0)
    body = join(
        line(top, (-0.22, neck)),
        curve(
            (-0.22, neck),
            (-0.02, neck - 0.05),
            (bow, 0.5 * (neck + 1)),
            (0.1 * bow, 1),
            (end_x, end_at),
        ),
    )
    right = ray(top, -bar_tilt, bar)
    if apart:
        flag = line(top, right) + np.array([gap_x, gap_y])
        return slant([smooth(body, corner=corner), flag], lean)
    return slant([smooth(line(right), body, corner=corner)], lean)
