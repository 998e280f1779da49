"""Seams cut touching digits apart, and cross little ink."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_svm.pictures.seams import find_cuts
from tests.support.drawing import ONE_PIECE_DIGITS, scaled_ink, touching_pair

HEIGHT, PEN = 48, 5.0


@pytest.fixture
def digits(test_set):
    return [test_set.images[k] for k in ONE_PIECE_DIGITS]


def separation(left: np.ndarray, right: np.ndarray, seam: np.ndarray) -> float:
    """Least share of the ink of both digits that is on its own side of a seam."""
    is_right = np.arange(left.shape[1]) >= seam[:, None]
    return min(
        float(left[~is_right].sum() / left.sum()), float(right[is_right].sum() / right.sum())
    )


def test_touching_digits_are_cut_between_them(digits):
    shares = []
    for one, two in zip(digits[:12], digits[3:15], strict=True):
        both, start = touching_pair(one, two, HEIGHT)
        left, right = np.zeros_like(both), np.zeros_like(both)
        ink = scaled_ink(one, HEIGHT)
        left[:, : ink.shape[1]] = ink
        ink = scaled_ink(two, HEIGHT)
        right[:, start : start + ink.shape[1]] = ink
        seams = [
            seam
            for slant in (0, 0.2, 0.4)
            for seam in find_cuts(both, HEIGHT, PEN, slant).choose()[0]
        ]
        shares.append(max(separation(left, right, seam) for seam in seams))
    # Ink of both is on one side only; two 1s touch all along.
    assert np.median(shares) > 0.85
    assert np.sum(np.array(shares) > 0.8) >= 11


def test_a_seam_leans_with_the_writing():
    rows = np.arange(48)[:, None]
    columns = np.arange(100)[None, :] - 0.5 * (47 - rows)
    left, right = ((np.abs(columns - middle) < 10).astype(np.float32) for middle in (20, 41))
    bridge = ((np.abs(rows - 24) < 3) & (np.abs(columns - 30) < 3)).astype(np.float32)
    ink = np.maximum(np.maximum(left, right), bridge)
    (seams,) = find_cuts(ink, HEIGHT, PEN, 0.5).choose()
    assert max(separation(left, right, seam) for seam in seams) > 0.98


@given(
    rows=st.integers(1, 60),
    columns=st.integers(1, 120),
    seed=st.integers(0, 1000),
    slant=st.sampled_from([-0.3, 0.0, 0.4]),
)
@settings(max_examples=40, deadline=None)
def test_seams_are_ordered_and_do_not_cross(rows, columns, seed, slant):
    rng = np.random.default_rng(seed)
    ink = (rng.random((rows, columns)) < 0.3).astype(np.float32)
    for seams in find_cuts(ink, HEIGHT, PEN, slant).choose(4):
        assert all(seam.shape == (rows,) for seam in seams)
        for left, right in pairwise(seams):
            assert (left <= right).all()


def test_the_ways_to_cut_have_most_seams_together(digits):
    both, _ = touching_pair(digits[0], digits[1], HEIGHT)
    cuts = find_cuts(both, HEIGHT, PEN)
    ways = [{seam.tobytes() for seam in way} for way in cuts.choose(4)]
    every = {seam.tobytes() for seam in [*cuts.notches, *cuts.others]}
    assert len(set.union(*ways)) > len(ways[0])
    assert set.union(*ways) <= every
    # A way after the second begins with a seam that none before has, as long as there is one.
    for k in (2, 3):
        before = set.union(*ways[:k])
        assert ways[k] - before or before == every


def test_no_ink_has_no_seam():
    assert find_cuts(np.zeros((40, 30), np.float32), HEIGHT, PEN).choose(2) == [[], []]


def test_a_narrow_stroke_has_no_seam():
    ink = np.zeros((48, 20), np.float32)
    ink[:, 8:12] = 1
    assert find_cuts(ink, HEIGHT, PEN).choose(2) == [[], []]


def test_no_seam_crosses_a_solid_block():
    columns = np.arange(90)
    for seam in find_cuts(np.ones((48, 90), np.float32), HEIGHT, PEN).choose()[0]:
        is_right = columns >= seam[:, None]
        assert is_right.all() or not is_right.any()


def test_a_gap_is_cut():
    ink = np.zeros((48, 60), np.float32)
    ink[:, :20] = ink[:, 40:] = 1
    (seams,) = find_cuts(ink, HEIGHT, PEN).choose()
    assert any(seam.min() >= 20 and seam.max() <= 40 for seam in seams)
