"""Digits as people write them who write many, quickly: amounts, accounts, prices.

Rings do not close or close beyond their start, hooks stand for bows, and bars are short. Where two
digits could come to look the same, the ranges keep them apart: a 1 has a loop that is much longer
than wide, a 9 a round one; the bar of a 4 never meets the one of a 7; a 2 always has a base to the
right, and the lower end of a 4 no bow.
"""

from __future__ import annotations

from collections.abc import Mapping

from tools.styles.allographs_form import Form
from tools.styles.allographs_form import make_form as _form
from tools.styles.allographs_open import (
    eight_like_b,
    five_like_root,
    nine_like_p,
    nine_like_rho,
    two_like_q,
)
from tools.styles.allographs_round import eight, eight_of_rings, five, six, three, zero
from tools.styles.allographs_straight import lightning_four, one, one_looped, seven

# fmt: off
QUICK_FORMS: Mapping[str, Form] = {
    "0-wide-open": _form(0, zero, rx=(0.5, 0.95), gap=(-40, 70), start=(-235, -40), lean=(-8, 30),
        shrink=(-0.18, 0.18), pen=0.12),
    "0-wide-curled": _form(0, zero, curl=(0.08, 0.2), curl_turn=(100, 300), rx=(0.45, 0.8),
        start=(-110, -50), lean=(-8, 28), gap=(-15, 15), pen=0.1),
    "1-narrow-loop": _form(1, one_looped, crossing=(0.45, 0.72), reach=(0.08, 0.45),
        angle=(15, 50), loop=(0.07, 0.17), lean=(0, 34), hook=(0, 0.15), aspect=(1, 1), pen=0.085),
    "1-curved-foot": _form(1, one, foot_bow=(0.06, 0.22), length=(0.1, 0.6), angle=(22, 60),
        foot=(0.3, 0.75), foot_tilt=(-10, 16), foot_shift=(-0.15, 0.25), sag=(-0.1, 0.15),
        lean=(-1, 0.5), bend=(-0.06, 0.06), aspect=(1, 1), pen=0.13),
    "2-like-q": _form(2, two_like_q, ry=(0.3, 0.43), rx=(0.26, 0.42), start=(20, 150),
        leave=(60, 105), foot=(0.06, 0.26), width=(0.35, 0.85), tilt=(-12, 22), lean=(-4, 20),
        pen=0.11),
    "2-ringed": _form(2, two_like_q, ry=(0.17, 0.28), rx=(0.13, 0.28), start=(20, 170),
        leave=(5, 65), foot=(0.1, 0.32), width=(0.38, 0.75), tilt=(-10, 22), lean=(-2, 24),
        pen=0.11),
    "3-large-loop": _form(3, three, loop=(0.05, 0.09), top=(0.2, 0.36), start=(0.06, 0.18),
        foot=(0.24, 0.4), waist=(-0.16, 0.04), waist_at=(0.4, 0.52), end_x=(-0.5, -0.25),
        end_at=(0.84, 1), lean=(-6, 20), pen=0.08),
    "4-steep-lightning": _form(4, lightning_four, bar=(0.28, 0.5), top=(0, 0.3),
        arm_foot=(0.1, 0.32), bar_at=(0.48, 0.72), tilt=(-8, 26), foot=(0.28, 0.52),
        parallel=(0, 1), lean=(-4, 16), corner=(0.01, 0.1), aspect=(0.85, 1.2), pen=0.1),
    "4-like-h": _form(4, lightning_four, foot=(0.28, 0.5), bar=(0.32, 0.52), top=(0, 0.26),
        arm_foot=(0.05, 0.25), bar_at=(0.64, 0.88), tilt=(10, 42), parallel=(0, 1),
        lean=(-4, 16), corner=(0.01, 0.1), aspect=(0.85, 1.2), pen=0.09),
    "5-like-root": _form(5, five_like_root, bar=(0.25, 0.85), bar_tilt=(-4, 28), neck=(0.55, 0.88),
        bow=(0, 0.1), hook=(0.12, 0.36), rise=(0, 0.32), corner=(0.01, 0.08), lean=(0, 28),
        pen=0.12),
    "5-wide": _form(5, five, bar=(0.55, 1), bar_tilt=(-12, 16), gap_x=(-0.1, 0.12),
        gap_y=(-0.18, 0.02), neck=(0.2, 0.36), apart=1, neck_lean=(-6, 18), bow=(0.38, 0.65),
        end_x=(-0.5, -0.2), end_at=(0.8, 1.02), lean=(-4, 20), aspect=(0.95, 1.35), pen=0.11),
    "6-arched": _form(6, six, hook=(0.12, 0.36), drop=(0.25, 0.9), top=(0.05, 0.38),
        rx=(0.2, 0.38), ry=(0.17, 0.3), gap=(15, 90), shrink=(0, 0.32), bow=(0.06, 0.18),
        lean=(-6, 16), pen=0.12),
    "6-flat": _form(6, six, top=(0.4, 0.9), ry=(0.16, 0.25), rx=(0.28, 0.48), bow=(0, 0.14),
        gap=(-40, 55), shrink=(0, 0.25), lean=(-4, 16), pen=0.1),
    "7-like-t": _form(7, seven, width=(0.04, 0.2), tilt=(-20, 18), lean=(4, 36), bend=(-0.06, 0.08),
        corner=(0.01, 0.06), cross=(0.3, 0.75), cross_at=(0.36, 0.62), cross_tilt=(-12, 24),
        cross_shift=(-0.15, 0.35), pen=0.13),
    "7-tick-crossed": _form(7, seven, serif=(0.05, 0.2), serif_lean=(-10, 45), width=(0.03, 0.14),
        tilt=(-15, 18), lean=(4, 36), bend=(-0.06, 0.08), corner=(0.01, 0.08), cross=(0.3, 0.75),
        cross_at=(0.4, 0.62), cross_tilt=(-12, 24), cross_shift=(-0.15, 0.35), pen=0.12),
    "8-like-b": _form(8, eight_like_b, waist=(0.34, 0.54), top=(0.2, 0.42), foot=(0.26, 0.52),
        waist_x=(-0.02, 0.14), bulge=(-0.04, 0.14), gap=(-0.08, 0.06), lean=(-6, 18), pen=0.11),
    "8-flat": _form(8, eight, rx_foot=(0.38, 0.75), rx_top=(0.26, 0.55), waist=(0.36, 0.54),
        start=(-110, -10), lean=(-10, 28), pen=0.11),
    "8-uneven": _form(8, eight_of_rings, waist=(0.28, 0.66), overlap=(-0.02, 0.05),
        rx_top=(0.12, 0.4), rx_foot=(0.14, 0.45), start_top=(-140, 140), start_foot=(-140, 140),
        gap_top=(-60, 15), gap_foot=(-60, 15), lean=(-12, 26), pen=0.12),
    "8-open-above": _form(8, eight_of_rings, gap_top=(10, 50), start_top=(-190, -30),
        waist=(0.38, 0.54), overlap=(0, 0.05), rx_top=(0.16, 0.34), rx_foot=(0.18, 0.4),
        start_foot=(-140, 140), gap_foot=(-40, 10), lean=(-10, 24), pen=0.11),
    "8-open-below": _form(8, eight_of_rings, gap_foot=(10, 42), start_foot=(222, 266),
        waist=(0.4, 0.56), overlap=(0, 0.05), rx_top=(0.14, 0.32), rx_foot=(0.18, 0.4),
        start_top=(-140, 140), gap_top=(-40, 10), lean=(-10, 24), pen=0.11),
    "9-like-rho": _form(9, nine_like_rho, leave=(60, 190), rx=(0.14, 0.27), ry=(0.15, 0.26),
        gap=(-25, 40), drift=(-0.14, 0.08), bend=(-0.05, 0.05), lean=(-4, 26), pen=0.12),
    "9-like-p": _form(9, nine_like_p, above=(-0.05, 0.34), rx=(0.14, 0.29), ry=(0.15, 0.27),
        start=(170, 260), gap=(-30, 55), lead=(-0.1, 0.2), drift=(-0.08, 0.08),
        lean=(-6, 26), pen=0.12),
}
