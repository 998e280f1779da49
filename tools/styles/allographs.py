"""The ways to write a digit that `styles` has strokes for: a shape and ranges of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tools.styles.allographs_lines import Stroke
from tools.styles.allographs_round import (
    eight,
    eight_of_rings,
    five,
    flat_three,
    nine,
    nine_like_g,
    nine_of_two,
    six,
    three,
    two,
    two_like_z,
    zero,
)
from tools.styles.allographs_straight import (
    bare_one,
    closed_four,
    four,
    lightning_four,
    looped_four,
    one,
    one_looped,
    seven,
)

# A parameter that is fixed, or drawn evenly between two limits.
Range = float | tuple[float, float]


class Form(NamedTuple):
    """A digit, its shape, and the ranges of the shape's parameters.

    The first range is the leading one: some intervals of it are kept for held-out drawings.
    `aspect` is the range of a factor of the width, `pen` the widest pen as a part of the height.
    """

    digit: int
    shape: Callable[..., list[Stroke]]
    ranges: Mapping[str, Range]
    aspect: tuple[float, float]
    pen: float


def _form(
    digit: int,
    shape: Callable[..., list[Stroke]],
    aspect: tuple[float, float] = (0.82, 1.2),
    pen: float = 0.15,
    **ranges: Range,
) -> Form:
    return Form(digit, shape, ranges, aspect, pen)


# Parameters that several forms share.
Shared = dict[str, Any]
_STEM: Shared = {"lean": (-1, 1), "bend": (-0.06, 0.06), "aspect": (1, 1)}
_UPSTROKE: Shared = {**_STEM, "sag": (-0.05, 0.17)}
_FOOT: Shared = {"foot_tilt": (-8, 12), "foot_shift": (-0.2, 0.2)}
_FOUR: Shared = {"lean": (-8, 28), "bar_tilt": (-14, 16), "stem_lean": (-6, 12)}
_SEVEN: Shared = {
    "lean": (2, 34),
    "bend": (-0.1, 0.06),
    "wave": (-0.05, 0.05),
    "corner": (0.01, 0.06),
}
_SERIF: Shared = {"serif": (0.07, 0.28), "serif_lean": (-8, 35)}
_CROSS: Shared = {
    "cross": (0.25, 0.65), "cross_at": (0.38, 0.62), "cross_tilt": (-12, 18),
    "cross_shift": (-0.2, 0.35),
}  # fmt: skip
_ZERO: Shared = {"lean": (-10, 36), "gap": (-40, 14), "shrink": (-0.05, 0.08)}
_EIGHT: Shared = {"waist": (0.38, 0.56), "lean": (-12, 26)}
_NINE: Shared = {"rx": (0.15, 0.32), "ry": (0.15, 0.27), "lean": (-6, 24)}
_THREE: Shared = {
    "foot": (0.2, 0.36), "waist": (-0.16, 0.08), "waist_at": (0.36, 0.54), "end_x": (-0.45, -0.2),
    "end_at": (0.78, 0.98), "lean": (-6, 20),
}  # fmt: skip
_FIVE: Shared = {
    "neck_lean": (-6, 22), "bow": (0.2, 0.42), "end_x": (-0.45, -0.15), "end_at": (0.78, 1.02),
    "lean": (-6, 22),
}  # fmt: skip

# fmt: off
FORMS: Mapping[str, Form] = {
    "0-ring": _form(0, zero, rx=(0.2, 0.6), start=(-130, -40), **_ZERO),
    "0-slashed": _form(0, zero, slash=(0.5, 0.95), rx=(0.3, 0.5), start=(-130, -40),
        slash_tilt=(35, 75), slash_shift=(-0.15, 0.15), pen=0.13, **_ZERO),
    "0-slashed-beyond": _form(0, zero, slash=(1.0, 1.8), rx=(0.3, 0.65), start=(-130, -40),
        slash_tilt=(35, 95), slash_shift=(-0.15, 0.15), pen=0.13, **_ZERO),
    "0-dotted": _form(0, zero, slash=(0.02, 0.15), rx=(0.25, 0.5), start=(-130, -40),
        slash_tilt=(0, 90), slash_shift=(-0.15, 0.15), pen=0.11, **_ZERO),
    "0-looped": _form(0, zero, curl=(0.06, 0.15), curl_turn=(150, 400), rx=(0.25, 0.5),
        start=(-100, -60), lean=(-8, 25), gap=(-15, 10), pen=0.1),
    "0-open": _form(0, zero, gap=(15, 80), start=(-100, -45), rx=(0.25, 0.5), lean=(-8, 24),
        shrink=(-0.15, 0.15)),
    "0-twice": _form(0, zero, gap=(-330, -60), start=(-130, -40), rx=(0.25, 0.5), lean=(-8, 24),
        shrink=(-0.1, 0.12), pen=0.1),
    "0-led": _form(0, zero, lead=(0.06, 0.24), lead_from=(170, 300), rx=(0.25, 0.5),
        start=(-110, -50), lean=(-8, 24), gap=(-30, 15), shrink=(0, 0.08), pen=0.12),
    "1-tick": _form(1, one, length=(0.08, 0.35), angle=(25, 70), **_UPSTROKE),
    "1-upstroke": _form(1, one, length=(0.3, 1), angle=(15, 68), **_UPSTROKE),
    "1-upstroke-flat": _form(1, one, angle=(54, 70), length=(0.15, 1), lean=(-1, 0.5),
        merge=(0, 0.12), sag=(-0.02, 0.12), bend=(-0.05, 0.05), aspect=(1, 1)),
    "1-upstroke-below-top": _form(1, one, length=(0.3, 1), angle=(20, 60), merge=(0.08, 0.45),
        **_UPSTROKE),
    "1-upstroke-level": _form(1, one, level=(0.04, 0.22), length=(0.4, 1), angle=(20, 58),
        merge=(0, 0.5), **_UPSTROKE),
    "1-upstroke-level-foot": _form(1, one, level=(0.04, 0.18), length=(0.4, 0.9), angle=(20, 52),
        merge=(0, 0.45), foot=(0.15, 0.55), **_UPSTROKE, **_FOOT),
    "1-tick-foot": _form(1, one, length=(0.08, 0.4), angle=(25, 75), foot=(0.12, 0.65), **_UPSTROKE,
        **_FOOT),
    "1-upstroke-foot": _form(1, one, length=(0.35, 0.85), angle=(18, 56), foot=(0.18, 0.6),
        sag=(-0.22, 0.17), **_STEM, **_FOOT),
    "1-round-foot": _form(1, one, corner=(0.05, 0.2), length=(0.25, 0.7), angle=(25, 54),
        sag=(-0.1, 0.1), foot=(0.25, 0.65), lean=(-1, 0.5), bend=(-0.06, 0.06), aspect=(1, 1),
        **_FOOT),
    "1-foot": _form(1, one, foot=(0.15, 0.6), **_STEM, **_FOOT),
    "1-cap-foot": _form(1, one, foot=(0.18, 0.5), cap=(0.15, 0.4), lean=(-1, 0.25),
        bend=(-0.06, 0.06), aspect=(1, 1), **_FOOT),
    "1-bar": _form(1, bare_one, lean=(-25, 55), bend=(-0.06, 0.06), aspect=(1, 1)),
    "1-bent": _form(1, bare_one, bend=(-0.13, 0.13), lean=(-5, 25), hook=(0, 0.18), head=(0, 0.18),
        aspect=(1, 1)),
    "1-looped": _form(1, one_looped, crossing=(0.3, 0.6), reach=(0.3, 0.7), angle=(25, 60),
        loop=(0.03, 0.15), lean=(0, 28), hook=(0, 0.1), level=(0, 0.28),
        aspect=(1, 1)),
    "2-plain": _form(2, two, top=(0.18, 0.36), top_at=(0.1, 0.32), foot=(0.2, 0.42),
        width=(0.35, 0.95), tilt=(-22, 22), neck=(-0.05, 0.1), lean=(-6, 22)),
    "2-curled": _form(2, two, curl=(0.05, 0.17), curl_turn=(90, 350), top=(0.22, 0.36),
        top_at=(0.18, 0.32), foot=(0.2, 0.42), width=(0.4, 0.9), tilt=(-15, 18), neck=(-0.05, 0.08),
        lean=(-6, 20), pen=0.11),
    "2-looped": _form(2, two, loop=(0.04, 0.13), top=(0.2, 0.34), top_at=(0.1, 0.32),
        foot=(0.22, 0.4), width=(0.5, 1.0), tilt=(-14, 18), swell=(0, 0.04), neck=(0, 0.1),
        lean=(-6, 22), pen=0.12),
    "2-curled-looped": _form(2, two, loop=(0.04, 0.13), curl=(0.05, 0.16), curl_turn=(90, 350),
        top=(0.22, 0.34), top_at=(0.18, 0.32), foot=(0.22, 0.4), width=(0.5, 0.95), tilt=(-12, 16),
        neck=(0, 0.08), lean=(-6, 18), pen=0.1),
    "2-swan": _form(2, two, swell=(0.03, 0.09), top=(0.18, 0.32), top_at=(0.1, 0.3),
        foot=(0.22, 0.42), width=(0.5, 1.0), tilt=(-10, 18), neck=(0.02, 0.14), lean=(-6, 22)),
    "2-rising": _form(2, two, tilt=(14, 48), top=(0.2, 0.4), top_at=(0.08, 0.3), foot=(0.15, 0.4),
        width=(0.5, 1.0), neck=(-0.03, 0.08), lean=(-4, 22), aspect=(0.8, 1.4), pen=0.1),
    "2-like-z": _form(2, two_like_z, top=(0.2, 0.36), top_tilt=(-14, 22), foot=(0.15, 0.42),
        width=(0.45, 0.95), tilt=(-14, 18), corner=(0.01, 0.1), lean=(-4, 20)),
    "3-round": _form(3, three, top=(0.18, 0.34), start=(0.06, 0.22), **_THREE),
    "3-looped": _form(3, three, loop=(0.02, 0.06), top=(0.2, 0.34), start=(0.06, 0.22), pen=0.09,
        **_THREE),
    "3-flat-top": _form(3, flat_three, top=(0.16, 0.32), tilt=(-14, 14), **_THREE),
    "3-serif": _form(3, flat_three, serif=(0.06, 0.2), top=(0.18, 0.32), tilt=(-12, 12), **_THREE),
    "3-angular": _form(3, flat_three, top=(0.16, 0.3), tilt=(-30, 12), angular=1, **_THREE),
    "4-open": _form(4, four, foot=(0.2, 0.5), arm_top=(-0.1, 0.2), arm_foot=(0.15, 0.4),
        bar_at=(0.5, 0.72), stem_at=(0.15, 0.35), stem_top=(0, 0.35), beyond=(0.04, 0.3), **_FOUR),
    "4-short-foot": _form(4, four, foot=(0.12, 0.25), arm_top=(-0.05, 0.3), arm_foot=(0.15, 0.4),
        bar_at=(0.62, 0.86), stem_at=(0.15, 0.35), stem_top=(0.2, 0.6), beyond=(0.04, 0.35),
        **_FOUR),
    "4-low-stem": _form(4, four, stem_top=(0.25, 0.6), arm_top=(0.05, 0.45), arm_foot=(0.15, 0.4),
        bar_at=(0.45, 0.7), stem_at=(0.15, 0.35), beyond=(0, 0.3), foot=(0.25, 0.55), **_FOUR),
    "4-u": _form(4, four, corner=(0.05, 0.16), foot=(0.25, 0.55), arm_top=(-0.42, -0.25),
        arm_foot=(0.25, 0.42), bar_at=(0.42, 0.65), stem_at=(0.1, 0.25), stem_top=(0, 0.25),
        beyond=(0, 0.2), **_FOUR),
    "4-lightning": _form(4, lightning_four, top=(0, 0.3), arm_foot=(0.25, 0.4), bar_at=(0.5, 0.7),
        bar=(0.4, 0.75), tilt=(-8, 12), foot=(0.3, 0.55), lean=(-5, 16), corner=(0.02, 0.06)),
    "4-closed": _form(4, closed_four, arm_foot=(0.3, 0.65), bar_at=(0.5, 0.75), bar_tilt=(-8, 10),
        gap=(-0.05, 0.08), beyond=(0.05, 0.35), foot=(0.15, 0.5), above=(-0.06, 0.1),
        lean=(-5, 22), corner=(0, 0.05)),
    "4-looped": _form(4, looped_four, beyond=(0.1, 0.3), arm_top=(-0.1, 0.1), arm_foot=(0.15, 0.35),
        bar_at=(0.48, 0.68), stem_at=(0.12, 0.3), stem_top=(0, 0.2), foot=(0.25, 0.5),
        lean=(-5, 22), pen=0.11),
    "5-one-stroke": _form(5, five, bar=(0.25, 0.6), bar_tilt=(-14, 20), neck=(0.3, 0.48),
        corner=(0.01, 0.04), **_FIVE),
    "5-like-s": _form(5, five, corner=(0.06, 0.16), bar=(0.25, 0.5), bar_tilt=(-16, 16),
        neck=(0.32, 0.46), **_FIVE),
    "5-bar-apart": _form(5, five, gap_x=(-0.06, 0.16), gap_y=(-0.12, 0.1), bar=(0.2, 0.6),
        bar_tilt=(-16, 24), neck=(0.3, 0.48), apart=1, **_FIVE),
    "5-long-flag": _form(5, five, bar=(0.55, 0.95), bar_tilt=(-8, 26), neck=(0.24, 0.42),
        gap_x=(-0.08, 0.06), gap_y=(-0.06, 0.05), apart=1, **_FIVE),
    "6-bowed": _form(6, six, ry=(0.17, 0.32), rx=(0.17, 0.36), top=(-0.05, 0.4),
        bow=(0.02, 0.14), gap=(-40, 70), shrink=(0, 0.2), lean=(-6, 18)),
    "6-straight": _form(6, six, ry=(0.15, 0.3), rx=(0.15, 0.32), top=(-0.25, 0.35),
        bow=(-0.01, 0.03), gap=(-40, 30), shrink=(0, 0.2), lean=(-6, 18)),
    "6-small-ring": _form(6, six, ry=(0.09, 0.17), rx=(0.09, 0.17), top=(-0.1, 0.3), bow=(0, 0.1),
        gap=(-40, 20), shrink=(0, 0.2), lean=(-6, 18), pen=0.09),
    "6-hooked": _form(6, six, hook=(0.06, 0.3), ry=(0.17, 0.3), rx=(0.17, 0.34), top=(0, 0.3),
        bow=(0.05, 0.16), gap=(-40, 40), shrink=(0, 0.2), lean=(-6, 15)),
    "6-curled": _form(6, six, drop=(0.5, 1.1), hook=(0.1, 0.34), ry=(0.17, 0.29), rx=(0.17, 0.34),
        top=(-0.02, 0.2), bow=(0.06, 0.16), gap=(-40, 30), lean=(-6, 15), pen=0.14),
    "6-crossing": _form(6, six, out=(0.04, 0.22), ry=(0.12, 0.26), rx=(0.12, 0.26),
        top=(-0.1, 0.25), bow=(0, 0.08), gap=(-20, 35), lean=(-6, 18), pen=0.11),
    "7-plain": _form(7, seven, width=(0.35, 0.7), tilt=(-16, 8), **_SEVEN),
    "7-crossed": _form(7, seven, width=(0.35, 0.75), tilt=(-20, 18), **_SEVEN, **_CROSS),
    "7-serif": _form(7, seven, width=(0.35, 0.7), tilt=(-16, 14), **_SEVEN, **_SERIF),
    "7-serif-crossed": _form(7, seven, width=(0.35, 0.75), tilt=(-18, 18), **_SEVEN, **_SERIF,
        **_CROSS),
    "7-long-leg": _form(7, seven, serif=(0.15, 0.42), width=(0.2, 0.5), tilt=(-14, 14),
        serif_lean=(-3, 22), corner=(0.01, 0.12), lean=(-2, 22), bend=(-0.03, 0.08)),
    "7-bowed": _form(7, seven, bend=(0.02, 0.16), width=(0.35, 0.65), tilt=(-16, 8),
        corner=(0.05, 0.18), lean=(12, 36)),
    "7-wavy": _form(7, seven, width=(0.4, 0.75), tilt=(-12, 12), lean=(2, 34), bend=(-0.1, 0.06),
        wave=(0.05, 0.13), serif=(0.04, 0.2), serif_lean=(-8, 30), corner=(0.01, 0.06)),
    "7-wavy-crossed": _form(7, seven, width=(0.4, 0.8), tilt=(-12, 14), lean=(2, 34),
        bend=(-0.1, 0.06), wave=(0.05, 0.13), serif=(0.04, 0.2), serif_lean=(-8, 30),
        corner=(0.01, 0.06), **_CROSS),
    "7-bowed-crossed": _form(7, seven, bend=(0.02, 0.14), width=(0.35, 0.7), tilt=(-16, 10),
        corner=(0.05, 0.2), lean=(8, 36), **_CROSS),
    "7-dipped-crossed": _form(7, seven, dip=(0.04, 0.18), width=(0.35, 0.7), tilt=(-16, 10),
        lean=(6, 34), bend=(-0.06, 0.06), corner=(0.01, 0.06), **_CROSS),
    "7-round-crossed": _form(7, seven, serif=(0.06, 0.25), serif_lean=(-8, 30), width=(0.35, 0.65),
        tilt=(-12, 14), lean=(8, 34), bend=(-0.02, 0.12), corner=(0.08, 0.2), cross=(0.3, 0.7),
        cross_at=(0.42, 0.64), cross_tilt=(-10, 18), cross_shift=(-0.1, 0.4)),
    "8-one-stroke": _form(8, eight, start=(-80, -10), rx_top=(0.12, 0.32), rx_foot=(0.16, 0.36),
        **_EIGHT),
    "8-open": _form(8, eight, reach=(0.05, 0.35), start=(-120, -50), rx_top=(0.09, 0.3),
        rx_foot=(0.1, 0.34), **_EIGHT),
    "8-of-rings": _form(8, eight_of_rings, overlap=(-0.01, 0.05), rx_top=(0.14, 0.32),
        rx_foot=(0.16, 0.38), start_top=(-140, 140), start_foot=(-140, 140), gap_top=(-40, 20),
        gap_foot=(-40, 20), **_EIGHT),
    "9-straight": _form(9, nine, **_NINE, leave=(-40, 5), gap=(-25, 40), belly=(-0.03, 0.03),
        tail=(0.2, 1.1)),
    "9-small-ring": _form(9, nine, rx=(0.08, 0.16), ry=(0.08, 0.17), leave=(-40, 0), gap=(-20, 55),
        belly=(-0.03, 0.02), tail=(-0.5, 1.1), lean=(-6, 20), pen=0.11),
    "9-narrow-ring": _form(9, nine, rx=(0.08, 0.15), ry=(0.13, 0.22), leave=(-40, 0), gap=(-20, 55),
        belly=(-0.03, 0.02), tail=(-0.5, 1.1), lean=(-6, 24), pen=0.11),
    "9-of-two-small": _form(9, nine_of_two, gap=(0, 55), rx=(0.09, 0.16), ry=(0.09, 0.19),
        start=(-60, -5), above=(-0.02, 0.15), shift=(-0.02, 0.03), tail=(-0.5, 1.1), lean=(-4, 24),
        pen=0.1),
    "9-like-s": _form(9, nine, leave=(30, 65), gap=(-60, -10), rx=(0.14, 0.32), ry=(0.13, 0.24),
        lean=(-6, 16), belly=(0, 0.14), tail=(0, 0.8), sweep=(0.25, 0.6), rise=(-0.04, 0.1),
        pen=0.14),
    "9-curved": _form(9, nine, **_NINE, leave=(-20, 20), gap=(-20, 35), belly=(-0.02, 0.08),
        tail=(-0.2, 0.6), sweep=(0.1, 0.5), rise=(0, 0.22)),
    "9-swept": _form(9, nine, rx=(0.14, 0.26), ry=(0.13, 0.22), lean=(-6, 16), leave=(0, 45),
        gap=(-20, 30), belly=(0.03, 0.16), tail=(0, 0.8), sweep=(0.3, 0.65), rise=(-0.04, 0.1),
        pen=0.13),
    "9-open": _form(9, nine, gap=(40, 80), rx=(0.16, 0.3), ry=(0.15, 0.25), lean=(-4, 20),
        leave=(-12, 5), belly=(-0.03, 0.03), tail=(0.3, 1.1)),
    "9-of-two": _form(9, nine_of_two, gap=(0, 65), rx=(0.15, 0.3), ry=(0.14, 0.25),
        start=(-60, -5), above=(-0.02, 0.22), shift=(-0.03, 0.05), tail=(0.2, 1.1), lean=(-4, 22)),
    "9-like-g": _form(9, nine_like_g, rx=(0.15, 0.27), ry=(0.14, 0.21), leave=(-40, 5),
        gap=(-20, 35), belly=(-0.02, 0.06), width=(0.25, 0.45), height=(0.06, 0.2),
        back=(-0.1, 0.2), lean=(-6, 20), pen=0.11),
}
