"""The ways to write a digit that `styles` has strokes for: a shape and ranges of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tools.styles import allographs_round as rounds
from tools.styles import allographs_straight as straight
from tools.styles.allographs_lines import Stroke

# A parameter that is fixed, or drawn evenly between two limits.
Range = float | tuple[float, float]


class Form(NamedTuple):
    """A digit, its shape, and the ranges of the shape's parameters.

    The first range is the leading one: some intervals of it are kept for held-out drawings.
    `aspect` is the range of a factor of the width, `pen` the widest pen in fractions of the height.
    """

    digit: int
    shape: Callable[..., list[Stroke]]
    ranges: Mapping[str, Range]
    aspect: tuple[float, float] = (0.85, 1.15)
    pen: float = 0.16


_UPSTROKE = {"lean": (-1, 1), "sag": (-0.05, 0.17), "bend": (-0.06, 0.06)}
_FOOT = {"foot_tilt": (-8, 12), "foot_shift": (-0.2, 0.2)}
_FOUR = {"lean": (-8, 28), "bar_tilt": (-14, 16), "stem_lean": (-6, 12)}
_NINE = {"rx": (0.15, 0.32), "ry": (0.15, 0.27), "lean": (-6, 24)}
_CROSS = {
    "cross": (0.25, 0.65),
    "cross_at": (0.38, 0.62),
    "cross_tilt": (-12, 18),
    "cross_shift": (-0.2, 0.2),
}
_SEVEN = {"lean": (2, 34), "bend": (-0.1, 0.06), "wave": (-0.05, 0.05)}

FORMS: Mapping[str, Form] = {
    "1-tick": Form(
        1, straight.one, {"length": (0.08, 0.35), "angle": (25, 70), **_UPSTROKE}, (1, 1)
    ),
    "1-upstroke": Form(
        1, straight.one, {"length": (0.3, 1), "angle": (15, 68), **_UPSTROKE}, (1, 1)
    ),
    "1-upstroke-below-top": Form(
        1,
        straight.one,
        {"length": (0.3, 1), "angle": (20, 60), "merge": (0.08, 0.38), **_UPSTROKE},
        (1, 1),
    ),
    "1-tick-foot": Form(
        1,
        straight.one,
        {"length": (0.08, 0.4), "angle": (25, 75), "foot": (0.12, 0.65), **_UPSTROKE, **_FOOT},
        (1, 1),
    ),
    "1-upstroke-foot": Form(
        1,
        straight.one,
        {"length": (0.35, 0.85), "angle": (18, 60), "foot": (0.12, 0.6), **_UPSTROKE, **_FOOT},
        (1, 1),
    ),
    "1-foot": Form(1, straight.one, {"foot": (0.15, 0.6), "lean": (-1, 0.7), **_FOOT}, (1, 1)),
    "1-bar": Form(1, straight.bare_one, {"lean": (-25, 55), "bend": (-0.06, 0.06)}, (1, 1)),
    "1-bent": Form(
        1,
        straight.bare_one,
        {"bend": (-0.13, 0.13), "lean": (-5, 25), "hook": (0, 0.16), "head": (0, 0.14)},
        (1, 1),
    ),
    "1-looped": Form(
        1,
        straight.one_looped,
        {
            "crossing": (0.3, 0.6),
            "reach": (0.3, 0.7),
            "angle": (25, 60),
            "loop": (0.03, 0.12),
            "lean": (0, 28),
            "hook": (0, 0.1),
        },
        (1, 1),
    ),
    "4-open": Form(
        4,
        straight.four,
        {
            "foot": (0.2, 0.5),
            "arm_top": (-0.1, 0.2),
            "arm_foot": (0.15, 0.4),
            "bar_at": (0.5, 0.72),
            "stem_at": (0.15, 0.35),
            "stem_top": (0, 0.35),
            "beyond": (0.04, 0.3),
            **_FOUR,
        },
    ),
    "4-short-foot": Form(
        4,
        straight.four,
        {
            "foot": (0.12, 0.25),
            "arm_top": (-0.05, 0.3),
            "arm_foot": (0.15, 0.4),
            "bar_at": (0.62, 0.86),
            "stem_at": (0.15, 0.35),
            "stem_top": (0.2, 0.6),
            "beyond": (0.04, 0.35),
            **_FOUR,
        },
    ),
    "4-u": Form(
        4,
        straight.four,
        {
            "foot": (0.25, 0.55),
            "arm_top": (-0.42, -0.25),
            "arm_foot": (0.25, 0.42),
            "bar_at": (0.42, 0.65),
            "stem_at": (0.1, 0.25),
            "stem_top": (0, 0.25),
            "beyond": (0, 0.2),
            "corner": (0.05, 0.16),
            **_FOUR,
        },
    ),
    "4-lightning": Form(
        4,
        straight.lightning_four,
        {
            "top": (0, 0.3),
            "arm_foot": (0.25, 0.4),
            "bar_at": (0.5, 0.7),
            "bar": (0.4, 0.75),
            "tilt": (-8, 12),
            "foot": (0.3, 0.55),
            "lean": (-5, 16),
            "corner": (0.02, 0.06),
        },
    ),
    "4-closed": Form(
        4,
        straight.closed_four,
        {
            "arm_foot": (0.3, 0.65),
            "bar_at": (0.5, 0.75),
            "bar_tilt": (-8, 10),
            "gap": (-0.05, 0.08),
            "beyond": (0.05, 0.35),
            "foot": (0.15, 0.5),
            "above": (-0.06, 0.1),
            "lean": (-5, 22),
        },
    ),
    "4-looped": Form(
        4,
        straight.looped_four,
        {
            "beyond": (0.1, 0.3),
            "arm_top": (-0.1, 0.1),
            "arm_foot": (0.15, 0.35),
            "bar_at": (0.48, 0.68),
            "stem_at": (0.12, 0.3),
            "stem_top": (0, 0.2),
            "foot": (0.25, 0.5),
            "lean": (-5, 22),
        },
        pen=0.11,
    ),
    "7-plain": Form(
        7,
        straight.seven,
        {"width": (0.35, 0.7), "tilt": (-16, 10), "corner": (0.01, 0.06), **_SEVEN},
    ),
    "7-crossed": Form(
        7,
        straight.seven,
        {"width": (0.35, 0.75), "tilt": (-20, 18), "corner": (0.01, 0.06), **_SEVEN, **_CROSS},
    ),
    "7-serif": Form(
        7,
        straight.seven,
        {
            "serif": (0.07, 0.28),
            "width": (0.35, 0.7),
            "tilt": (-16, 14),
            "serif_lean": (-20, 35),
            "corner": (0.01, 0.05),
            **_SEVEN,
        },
    ),
    "7-serif-crossed": Form(
        7,
        straight.seven,
        {
            "serif": (0.07, 0.28),
            "width": (0.35, 0.75),
            "tilt": (-18, 18),
            "serif_lean": (-20, 35),
            "corner": (0.01, 0.05),
            **_SEVEN,
            **_CROSS,
        },
    ),
    "7-long-leg": Form(
        7,
        straight.seven,
        {
            "serif": (0.15, 0.42),
            "width": (0.25, 0.5),
            "tilt": (-14, 14),
            "serif_lean": (-12, 22),
            "corner": (0.01, 0.12),
            "lean": (-2, 22),
            "bend": (-0.03, 0.08),
        },
    ),
    "7-bowed": Form(
        7,
        straight.seven,
        {
            "bend": (0.02, 0.16),
            "width": (0.35, 0.65),
            "tilt": (-16, 8),
            "corner": (0.05, 0.18),
            "lean": (12, 36),
        },
    ),
    "9-straight": Form(
        9,
        rounds.nine,
        {**_NINE, "leave": (-40, 5), "gap": (-25, 40), "belly": (-0.03, 0.03), "tail": (0.2, 1.1)},
    ),
    "9-small-ring": Form(
        9,
        rounds.nine,
        {
            "rx": (0.08, 0.15),
            "ry": (0.08, 0.15),
            "leave": (-40, 0),
            "gap": (-20, 40),
            "belly": (-0.03, 0.02),
            "tail": (-0.5, 1.1),
            "lean": (-6, 20),
        },
        pen=0.09,
    ),
    "9-curved": Form(
        9,
        rounds.nine,
        {
            **_NINE,
            "leave": (-20, 20),
            "gap": (-20, 35),
            "belly": (-0.02, 0.08),
            "tail": (-0.2, 0.6),
            "sweep": (0.1, 0.4),
            "rise": (0, 0.12),
        },
    ),
    "9-swept": Form(
        9,
        rounds.nine,
        {
            "rx": (0.14, 0.26),
            "ry": (0.13, 0.22),
            "lean": (-6, 16),
            "leave": (0, 45),
            "gap": (-20, 30),
            "belly": (0.03, 0.16),
            "tail": (0, 0.8),
            "sweep": (0.3, 0.65),
            "rise": (-0.04, 0.1),
        },
        pen=0.13,
    ),
    "9-open": Form(
        9,
        rounds.nine,
        {
            "gap": (40, 80),
            "rx": (0.16, 0.3),
            "ry": (0.15, 0.25),
            "lean": (-4, 20),
            "leave": (-12, 5),
            "belly": (-0.03, 0.03),
            "tail": (0.3, 1.1),
        },
    ),
    "9-like-g": Form(
        9,
        rounds.nine_like_g,
        {
            "rx": (0.15, 0.27),
            "ry": (0.14, 0.21),
            "leave": (-40, 5),
            "gap": (-20, 35),
            "belly": (-0.02, 0.06),
            "width": (0.25, 0.45),
            "height": (0.06, 0.2),
            "back": (-0.1, 0.2),
            "lean": (-6, 20),
        },
        pen=0.11,
    ),
}
