"""Shapes of the digits that are made of straight strokes: 1, 4 and 7.

Each function returns the strokes of one digit from the base line y = 1 up to y = 0. Lengths are
fractions of its height, angles degrees. Parameters say how it is written; see `allographs.py` for
their ranges.
"""

from __future__ import annotations

import numpy as np

from tools.styles.allographs_lines import Point, Stroke, curve, join, line, ray, slant, smooth, turn

# Least angle of a long upstroke to the horizontal: below it a 1 could be a 7. The bar of a 7 that
# is not crossed droops by much less.
STEEPEST_BAR = 22


def bar(centre: Point, width: float, tilt: float) -> Stroke:
    """A bar that rises to the right by `tilt`."""
    return line(ray(centre, 180 - tilt, width / 2), ray(centre, -tilt, width / 2))


def one(
    *,
    length: float = 0,
    angle: float = 45,
    lean: float = 0,
    merge: float = 0,
    sag: float = 0,
    bend: float = 0,
    foot: float = 0,
    foot_tilt: float = 0,
    foot_shift: float = 0,
    foot_bow: float = 0,
    level: float = 0,
    cap: float = 0,
    hook: float = 0,
    corner: float = 0,
) -> list[Stroke]:
    """A stem, with an upstroke at `angle` to it, which starts `level`, and a foot and a cap.

    The stem may end in a `hook` to the right; the ends of the foot may turn up by `foot_bow` of it.

    `lean` runs from -1, the stem as far back as usual, to 1, as far forward as the upstroke stays
    apart from the bar of a 7. `merge` is how far below the top the upstroke meets the stem.
    """
    if length:
        room = 90 - STEEPEST_BAR * min(length / 0.3, 1) - angle
        lean_degrees = lean * 8 if lean < 0 else lean * float(np.clip(room, 0, 28))
    else:
        lean_degrees = lean * 8 if lean < 0 else lean * 40
    stem = curve((0, 0), (bend, 0.5), (0, 1))
    if hook:
        stem = smooth(stem, line((hook, 1 - 0.2 * hook)), corner=0.08)
    strokes = [stem]
    if length:
        meet = (bend * 4 * merge * (1 - merge), merge)
        # In the frame of the stem, which is slanted at the end.
        reach = min(length, (1.02 - merge) / float(np.cos(np.radians(angle))))
        end = ray(meet, 90 + angle, reach)
        middle = ray(((meet[0] + end[0]) / 2, (meet[1] + end[1]) / 2), angle, sag * reach)
        upstroke = curve(end, middle, meet)
        if level:
            upstroke = smooth(turn(line((-level, 0)), -lean_degrees) + end, upstroke, corner=0.06)
        strokes = [upstroke, stem] if merge else [smooth(upstroke, stem, corner=corner)]
    strokes = [turn(stroke, lean_degrees) for stroke in strokes]
    if foot:
        base = strokes[-1][-1]
        centre = (base[0] + foot_shift * foot, base[1])
        strokes.append(_foot(centre, foot, foot_tilt, foot_bow))
    if cap:
        strokes.append(bar((0, 0), cap, foot_tilt))
    return strokes


def _foot(centre: Point, width: float, tilt: float, bow: float) -> Stroke:
    """A bar, whose ends turn up by the fraction `bow` of its width."""
    foot = bar(centre, width, tilt)
    if not bow:
        return foot
    left, right = (ray((float(x), float(y)), -90, bow * width) for x, y in foot)
    return curve(left, centre, right)


def one_looped(
    *,
    reach: float,
    angle: float,
    loop: float,
    crossing: float,
    lean: float,
    hook: float = 0,
    level: float = 0,
) -> list[Stroke]:
    """A 1 whose upstroke turns into the stem in a narrow loop, as in a written l."""
    longest = (1 - crossing) / float(np.cos(np.radians(angle)))
    start = ray((0, crossing), 90 + angle, min(reach, longest))
    stroke = curve(
        start,
        (0, crossing),
        (loop, 0.45 * crossing),
        (0.55 * loop, 0.0),
        (0, 0.4 * crossing),
        (0, crossing),
        (0, 0.8),
        (hook, 1),
    )
    if level:
        stroke = smooth(line((start[0] - level, start[1])), stroke, corner=0.05)
    return slant([stroke], lean)


def bare_one(*, lean: float, bend: float = 0, hook: float = 0, head: float = 0) -> list[Stroke]:
    """A bar, straight or curved; with a hook at the foot to the right, or at the head."""
    stem = curve((0, 0), (bend, 0.5), (0, 1))
    pieces = [stem]
    if head:
        pieces.insert(0, line((-head, 0.6 * head)))
    if hook:
        pieces.append(line((hook, 1 - 0.5 * hook)))
    return slant([smooth(*pieces, corner=0.08)], lean)


def seven(
    *,
    width: float,
    tilt: float,
    lean: float,
    bend: float = 0,
    wave: float = 0,
    dip: float = 0,
    corner: float = 0,
    serif: float = 0,
    serif_lean: float = 0,
    cross: float = 0,
    cross_at: float = 0.5,
    cross_tilt: float = 0,
    cross_shift: float = 0,
) -> list[Stroke]:
    """A bar that rises to the right by `tilt`, a stem, a drop at the bar's left, a cross stroke."""
    top = _top_of_seven(width, tilt, wave, dip)
    foot = (-float(np.tan(np.radians(lean))), 1.0)
    stem = curve((0, 0), (foot[0] / 2 + bend, 0.5), foot)
    pieces = [top, stem]
    if serif:
        pieces.insert(0, _serif(top, serif, serif_lean))
    strokes = [smooth(*pieces, corner=corner)]
    if cross:
        at = float(np.interp(cross_at, stem[:, 1], stem[:, 0])) + cross_shift * cross
        strokes.append(bar((at, cross_at), cross, cross_tilt))
    return strokes


def seven_of_two(
    *,
    over: float,
    width: float,
    tilt: float,
    lean: float,
    above: float = 0,
    sway: float = 0,
    wave: float = 0,
    dip: float = 0,
    hook: float = 0,
    serif: float = 0,
    serif_lean: float = 0,
    cross: float = 0,
    cross_at: float = 0.5,
    cross_tilt: float = 0,
    cross_shift: float = 0,
) -> list[Stroke]:
    """A bar, and a stem of its own that starts `over` to the right of its end and `above` it.

    The stem sways to one side and to the other, and may end in a `hook` to the left.
    """
    bar_of_seven = _top_of_seven(width, tilt, wave, dip)
    if serif:
        bar_of_seven = join(_serif(bar_of_seven, serif, serif_lean), bar_of_seven)
    slope = float(np.tan(np.radians(lean)))
    points = [
        (over, -above),
        (over - 0.33 * slope - sway, 0.33),
        (over - 0.67 * slope + sway, 0.67),
        (over - slope, 1.0),
    ]
    if hook:
        points[3] = (over - slope, 0.96)
        points.append((over - slope - hook, 1 - 0.3 * hook))
    stem = curve(*points)
    strokes = [smooth(bar_of_seven, corner=0.04), stem]
    if cross:
        at = float(np.interp(cross_at, stem[:, 1], stem[:, 0])) + cross_shift * cross
        strokes.append(bar((at, cross_at), cross, cross_tilt))
    return strokes


def _top_of_seven(width: float, tilt: float, wave: float, dip: float) -> Stroke:
    """The bar of a 7, which ends at the origin: it may be a wave, or dip in the middle."""
    left, quarter, three = (ray((0, 0), 180 - tilt, part * width) for part in (1, 0.75, 0.25))
    return curve(
        left, (quarter[0], quarter[1] + dip - wave), (three[0], three[1] + dip + wave), (0, 0)
    )


def _serif(top: Stroke, length: float, lean: float) -> Stroke:
    """The end of a drop at the left of a bar."""
    return line(ray((float(top[0][0]), float(top[0][1])), 90 + lean, length))


def four(
    *,
    arm_top: float,
    arm_foot: float,
    bar_at: float,
    bar_tilt: float,
    stem_at: float,
    stem_top: float,
    beyond: float,
    foot: float,
    lean: float,
    corner: float = 0,
    stem_lean: float = 0,
) -> list[Stroke]:
    """An open 4: an arm down to the left, a bar to the right, and a stem through it.

    The arm runs from x = `arm_top` at the top to x = -`arm_foot` at the bar's height `bar_at`; the
    bar from there to `beyond` the stem, which stands at `stem_at` and ends `foot` below the bar.
    """
    left = (-arm_foot, bar_at)
    right = ray(left, -bar_tilt, arm_foot + stem_at + beyond)
    arm = smooth(line((arm_top, 0), left, right), corner=corner)
    across = bar_at - float(np.tan(np.radians(bar_tilt))) * (stem_at + arm_foot)
    bottom = min(across + foot, 1.15)
    drift = float(np.tan(np.radians(stem_lean)))
    stem = line((stem_at + drift * (bar_at - stem_top), stem_top), (stem_at - drift * foot, bottom))
    return slant([arm, stem], lean)


def closed_four(
    *,
    arm_foot: float,
    bar_at: float,
    bar_tilt: float,
    gap: float,
    beyond: float,
    foot: float,
    lean: float,
    above: float = 0,
    corner: float = 0,
) -> list[Stroke]:
    """A 4 with a triangle: a diagonal from the stem's top, which rises `above` it, and a bar."""
    left = (-arm_foot, bar_at)
    right = ray(left, -bar_tilt, arm_foot + beyond)
    arm = smooth(line((-gap, above), left, right), corner=corner)
    return slant([arm, line((0, 0), (0, min(bar_at + foot, 1.1)))], lean)


def lightning_four(
    *,
    top: float,
    arm_foot: float,
    bar_at: float,
    bar: float,
    tilt: float,
    foot: float,
    lean: float,
    corner: float,
    parallel: float = 0,
) -> list[Stroke]:
    """A 4 in one stroke: down to the left, back to the right, and down.

    The last part is upright, or as oblique as the first if `parallel` is 1.
    """
    left = (-arm_foot, bar_at)
    right = ray(left, -tilt, bar)
    drift = parallel * foot * (top + arm_foot) / bar_at
    end = (right[0] - 0.05 - drift, right[1] + foot)
    return slant([smooth(line((top, 0), left, right, end), corner=corner)], lean)


def looped_four(
    *,
    arm_top: float,
    arm_foot: float,
    bar_at: float,
    stem_at: float,
    stem_top: float,
    beyond: float,
    foot: float,
    lean: float,
) -> list[Stroke]:
    """An open 4 in one stroke: from the end of the bar, a bow leads back to the stem's top."""
    right = stem_at + beyond
    stroke = join(
        line((arm_top, 0), (-arm_foot, bar_at), (right - 0.06, bar_at)),
        curve(
            (right - 0.06, bar_at),
            (right, bar_at - 0.06),
            (stem_at + 0.55 * beyond, 0.5 * (bar_at + stem_top)),
            (stem_at, stem_top),
        ),
        line((stem_at, stem_top), (stem_at - 0.03, min(bar_at + foot, 1.1))),
    )
    return slant([smooth(stroke, corner=0.03)], lean)
