"""Digits drawn with a pen: of every length and angle, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from tools.styles.allographs import FORMS
from tools.styles.allographs_lines import by_hand, curve, line, resample, smooth
from tools.styles.allographs_open import (
    eight_like_b,
    five_like_root,
    nine_like_p,
    nine_like_rho,
    six_curled,
    two_like_q,
)
from tools.styles.allographs_straight import four, lightning_four, one, seven
from tools.styles.drawing import HEIGHT, MARGIN
from tools.styles.strokes import ALLOGRAPHS, HELD_OUT_INTERVALS, N_INTERVALS, draw_strokes

N_DRAWINGS = 12


def rng_of(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def degrees_below_horizontal(stroke: np.ndarray) -> float:
    """Angle of the straight line between a stroke's two ends, to the left and down."""
    first, last = stroke[0], stroke[-1]
    left, right = (first, last) if first[0] < last[0] else (last, first)
    return float(np.degrees(np.arctan2(left[1] - right[1], right[0] - left[0])))


def test_every_digit_has_several_allographs_and_each_is_named_by_its_digit():
    digits = [allograph.digit for allograph in ALLOGRAPHS.values()]
    assert min(digits.count(digit) for digit in range(10)) >= 3
    assert all(name == a.name and name[0] == str(a.digit) for name, a in ALLOGRAPHS.items())


@pytest.mark.parametrize("name", ALLOGRAPHS)
def test_strokes_stay_in_the_unit_box_and_fill_it(name):
    for seed in range(N_DRAWINGS):
        strokes = ALLOGRAPHS[name].strokes(rng_of(seed))
        assert all(stroke.ndim == 2 and stroke.shape[1] == 2 for stroke in strokes)
        points = np.concatenate(strokes)
        assert np.isfinite(points).all()
        assert points.min() >= -1e-9
        assert points.max() <= 1 + 1e-9
        assert np.ptp(points, axis=0).max() == pytest.approx(1)


@pytest.mark.parametrize("name", ALLOGRAPHS)
def test_a_drawing_has_ink_and_keeps_off_the_edge(name):
    for seed in range(N_DRAWINGS):
        picture = ALLOGRAPHS[name].draw(rng_of(seed), held_out=seed % 2 == 1)
        assert picture.dtype == np.uint8
        assert max(picture.shape) == HEIGHT + 2 * MARGIN
        assert 0.01 < (picture >= 128).mean() < 0.5
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        assert edge.max() == 0


@pytest.mark.parametrize("name", ALLOGRAPHS)
def test_a_seed_draws_the_same_again_and_another_seed_does_not(name):
    allograph = ALLOGRAPHS[name]
    first, again, other = (allograph.draw(rng_of(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", ALLOGRAPHS)
def test_held_out_drawings_have_parameters_that_the_others_never_have(name):
    allograph = ALLOGRAPHS[name]
    leading, (low, high) = next(
        (key, limits) for key, limits in FORMS[name].ranges.items() if isinstance(limits, tuple)
    )
    intervals = {}
    for held_out in (False, True):
        values = np.array(
            [allograph.parameters(rng_of(k), held_out=held_out)[leading] for k in range(200)]
        )
        intervals[held_out] = set(np.floor((values - low) / (high - low) * N_INTERVALS).astype(int))
    assert intervals[True] == set(HELD_OUT_INTERVALS)
    assert intervals[False] == set(range(N_INTERVALS)) - set(HELD_OUT_INTERVALS)


def test_upstrokes_of_ones_have_all_lengths_and_angles():
    lengths, angles = [], []
    for name in ("1-tick", "1-upstroke"):
        for seed in range(300):
            values = ALLOGRAPHS[name].parameters(rng_of(seed))
            lengths.append(values["length"])
            angles.append(values["angle"])
    assert np.histogram(lengths, 9, (0.1, 1.0))[0].min() > 0
    assert np.histogram(angles, 9, (25, 70))[0].min() > 0
    assert min(lengths) < 0.1
    assert max(lengths) > 0.98


@pytest.mark.parametrize("length", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("angle", [15, 40, 68])
def test_an_upstroke_is_never_as_flat_as_the_bar_of_a_seven(length, angle):
    """However far the stem leans."""
    for lean in (-1, 0, 1):
        (stroke,) = one(length=length, angle=angle, lean=lean)
        top = int(np.argmin(stroke[:, 1]))
        assert degrees_below_horizontal(stroke[: top + 1]) >= 20


@pytest.mark.parametrize("name", [name for name, a in ALLOGRAPHS.items() if a.digit == 7])
def test_the_bar_of_a_seven_droops_little_at_its_left_unless_more_tells_it_from_a_one(name):
    ranges = FORMS[name].ranges
    low, high = ranges["tilt"]
    assert low >= -20
    assert high <= (20 if {"cross", "serif"} & set(ranges) else 10)


def test_the_tilt_of_a_bar_lifts_its_right_end():
    bar = seven(width=0.5, tilt=10, lean=20)[0][:48]
    assert degrees_below_horizontal(np.array([bar[0], [0.0, 0.0]])) == pytest.approx(10)


def test_an_upstroke_has_its_length_and_its_angle_to_the_stem():
    upstroke, _ = one(length=0.5, angle=30, merge=0.2)
    end, meet = upstroke[0], upstroke[-1]
    assert meet == pytest.approx([0, 0.2])
    assert end - meet == pytest.approx([-0.25, 0.5 * np.sqrt(3) / 2])


def test_a_bar_that_ends_before_the_stem_of_a_four_leaves_a_gap():
    arm, stem = four(
        arm_top=0, arm_foot=0.3, bar_at=0.6, bar_tilt=0, stem_at=0.3, stem_top=0.1, beyond=-0.1,
        foot=0.4, lean=0,
    )  # fmt: skip
    gaps = np.linalg.norm(resample(arm, 0.01)[:, None] - resample(stem, 0.01)[None], axis=2)
    assert gaps.min() == pytest.approx(0.1, abs=0.02)


def test_the_curl_of_a_six_comes_down_to_the_right_of_its_top():
    shape = {"rx": 0.25, "ry": 0.25, "top": 0.1, "bow": 0.1, "gap": 0}
    (stroke,) = six_curled(curl=0.1, curl_turn=180, **shape)
    top = stroke[np.argmin(stroke[:, 1])]
    assert stroke[0] == pytest.approx([0.1, 0.2], abs=0.01)
    assert top == pytest.approx([0.1, 0], abs=0.03)


@pytest.mark.parametrize(
    ("strokes", "stem_at"),
    [
        (nine_like_p(above=0.1, rx=0.2, ry=0.2, start=200, gap=0, drift=0, lean=0), -0.2),
        (nine_like_rho(leave=180, rx=0.2, ry=0.2, gap=0, drift=0, bend=0, lean=0), -0.2),
        (nine_like_rho(leave=90, rx=0.2, ry=0.2, gap=0, drift=0, bend=0, lean=0), 0),
    ],
    ids=["p", "p-in-one", "rho"],
)
def test_the_stem_of_a_nine_stands_at_the_left_of_its_ring_or_below_it(strokes, stem_at):
    points = np.concatenate([resample(stroke, 0.01) for stroke in strokes])
    low = points[points[:, 1] > 0.5]
    assert low[:, 0] == pytest.approx(np.full(len(low), stem_at), abs=0.01)
    assert low[:, 1].max() == pytest.approx(1)
    assert points[:, 0].max() == pytest.approx(0.2, abs=0.02)


def test_the_base_of_a_two_like_a_q_runs_to_the_right_of_its_foot():
    (stroke,) = two_like_q(rx=0.3, ry=0.35, start=90, leave=90, foot=0.2, width=0.6, tilt=0, lean=0)
    assert stroke[-1] == pytest.approx([0.4, 1])
    low = stroke[stroke[:, 1] > 0.9]
    assert low[:, 0].min() == pytest.approx(-0.2, abs=0.05)


def test_the_bar_of_a_five_like_a_root_is_at_its_right_and_the_hook_at_its_left():
    (stroke,) = five_like_root(
        bar=0.5, bar_tilt=0, neck=0.7, bow=0.05, hook=0.2, rise=0.1, corner=0.02, lean=0
    )
    assert stroke[0] == pytest.approx([0.5, 0])
    assert stroke[-1] == pytest.approx([-0.2, 0.9])


def test_an_eight_like_a_b_has_its_waist_at_a_distance_from_the_stem():
    stem, bows = eight_like_b(waist=0.4, top=0.3, foot=0.4, waist_x=0.1, bulge=0, gap=0, lean=0)
    assert stem[:, 0] == pytest.approx(np.zeros(len(stem)))
    assert np.linalg.norm(bows - [0.1, 0.4], axis=1).min() < 0.03
    assert bows[:, 0].max() == pytest.approx(0.4, abs=0.03)


def test_the_ends_of_the_foot_of_a_one_may_turn_up():
    foot = one(foot=0.4, foot_bow=0.2)[-1]
    assert foot[0] == pytest.approx([-0.2, 0.92])
    assert foot[-1] == pytest.approx([0.2, 0.92])
    assert np.linalg.norm(foot - [0, 1], axis=1).min() < 0.01


def test_a_lead_comes_to_the_stem_of_a_nine_from_the_left():
    shape = {"above": 0.1, "rx": 0.2, "ry": 0.2, "start": 200, "gap": 0, "drift": 0, "lean": 0}
    assert nine_like_p(lead=0.1, **shape)[0][0] == pytest.approx([-0.3, 0.14])
    assert nine_like_p(lead=-0.1, **shape)[0][0] == pytest.approx([-0.2, 0.1])


def test_the_ends_of_a_lightning_four_may_be_parallel():
    shape = {"top": 0.2, "arm_foot": 0.2, "bar_at": 0.6, "bar": 0.4, "tilt": 0, "foot": 0.4}
    for parallel, drift in ((0, 0.05), (1, 0.05 + 0.4 * 0.4 / 0.6)):
        (stroke,) = lightning_four(lean=0, corner=0.01, parallel=parallel, **shape)
        assert stroke[-1] == pytest.approx([0.2 - drift, 1])


def test_the_narrow_loop_of_a_one_is_much_longer_than_wide():
    low, high = FORMS["1-narrow-loop"].ranges["loop"]
    crossing, _ = FORMS["1-narrow-loop"].ranges["crossing"]
    assert low < high < 0.4 * crossing
    assert min(FORMS["9-like-rho"].ranges["rx"]) > 0.5 * max(FORMS["9-like-rho"].ranges["ry"])


def test_a_careful_hand_draws_what_is_given():
    stroke = line((0, 0), (0.5, 0.5), (0, 1))
    assert by_hand(stroke, 0, rng_of(0)) == pytest.approx(resample(stroke, 0.01))


def test_a_curve_runs_through_its_points():
    points = [(0, 0), (0.4, 0.1), (0.5, 0.8), (-0.3, 1.0)]
    way = curve(*points)
    for point in points:
        assert np.linalg.norm(way - point, axis=1).min() < 0.01


def test_smoothing_keeps_the_ends_and_rounds_the_corner():
    corner = line((0, 0), (1, 0), (1, 1))
    rounded = smooth(corner, corner=0.2)
    assert rounded[0] == pytest.approx([0, 0], abs=1e-9)
    assert rounded[-1] == pytest.approx([1, 1], abs=1e-9)
    assert np.linalg.norm(rounded - [1, 0], axis=1).min() > 0.03


def test_pens_run_from_thin_to_wide():
    ink = [
        (draw_strokes([line((0.5, 0), (0.5, 1))], rng_of(seed)) >= 128).sum() / HEIGHT**2
        for seed in range(60)
    ]
    assert min(ink) < 0.06
    assert max(ink) > 0.12
