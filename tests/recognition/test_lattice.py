"""The best readings of a line, compared with all of them on small lattices."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnist_svm.recognition.formats import ANY_NUMBER, NumberFormat
from mnist_svm.recognition.lattice import BEAM, Edge, Lattice, best_paths

N_CLASSES = 3


@st.composite
def lattices(draw):
    n_pieces = draw(st.integers(1, 5))
    spans = [span for span in combinations(range(n_pieces + 1), 2) if span[1] - span[0] <= 3]
    chosen = draw(st.lists(st.sampled_from(spans), unique=True, max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    # All classes are within MAX_LOSS of the best.
    edges = [Edge(*span, rng.uniform(-3, 3, N_CLASSES)) for span in chosen]
    is_cut = [False, *draw(st.lists(st.booleans(), min_size=n_pieces, max_size=n_pieces))][
        :n_pieces
    ]
    beside = np.where(is_cut, rng.normal(0, 2, n_pieces), 0).tolist()
    return Lattice(edges, (-rng.exponential(2, n_pieces)).tolist(), beside)


@st.composite
def formats(draw):
    least = draw(st.integers(1, 4))
    most = draw(st.none() | st.integers(least, 5))
    fixed = draw(st.dictionaries(st.integers(0, 3), st.integers(0, N_CLASSES - 1), max_size=2))
    return NumberFormat(least, most, fixed)


def all_readings(lattice: Lattice, start: int = 0, *, after_digit: bool = False) -> Iterator:
    """Text and score of every way to read or pass over the pieces from `start` on."""
    if start == lattice.n_pieces:
        yield (), 0.0
        return
    skip = lattice.skips[start] + (lattice.beside[start] if after_digit else 0)
    for text, score in all_readings(lattice, start + 1):
        yield text, score + skip
    cut = 0 if after_digit else lattice.beside[start]
    for edge in lattice.edges:
        if edge.start == start:
            for text, score in all_readings(lattice, edge.stop, after_digit=True):
                for label, own in enumerate(edge.scores.tolist()):
                    yield (label, *text), score + own + cut


def best_by_text(readings: Iterator, expected: NumberFormat) -> dict[tuple[int, ...], float]:
    best: dict[tuple[int, ...], float] = {}
    for text, score in readings:
        is_short = len(text) < expected.least and not expected.is_open
        is_long = expected.most is not None and len(text) > expected.most
        is_other = any(k < len(text) and text[k] != x for k, x in expected.fixed.items())
        if not (is_short or is_long or is_other):
            best[text] = max(best.get(text, -np.inf), score)
    return best


def assert_best(lattice, expected: NumberFormat) -> None:
    wanted = best_by_text(all_readings(lattice), expected)
    scores = sorted(wanted.values(), reverse=True)[:BEAM]
    found = best_paths(lattice, expected)
    np.testing.assert_allclose([path.score for path in found], scores)
    assert len({path.classes for path in found}) == len(found)
    for path in found:
        assert path.score == pytest.approx(wanted[path.classes])


@given(lattices())
@settings(max_examples=150, deadline=None)
def test_the_readings_are_the_best_of_all(lattice):
    assert_best(lattice, ANY_NUMBER)


@given(lattices(), formats())
@settings(max_examples=150, deadline=None)
def test_the_readings_are_the_best_of_those_that_are_allowed(lattice, expected):
    assert_best(lattice, expected)


@given(lattices())
@settings(max_examples=50, deadline=None)
def test_the_score_is_that_of_the_digits_of_the_pieces_between_them_and_of_the_cuts(lattice):
    for path in best_paths(lattice):
        used = np.zeros(lattice.n_pieces)
        score = 0.0
        for index, label in path.edges:
            used[lattice.edges[index].start : lattice.edges[index].stop] += 1
            score += lattice.edges[index].scores[label]
        assert used.max(initial=0) <= 1
        score += np.array(lattice.skips)[used == 0].sum()
        score += np.array(lattice.beside)[1:][np.diff(used) != 0].sum()
        assert path.score == pytest.approx(score)


def plain(edges: list[Edge], skips: list[float]) -> Lattice:
    """A lattice without cuts."""
    return Lattice(edges, skips, [0.0] * len(skips))


def test_a_line_without_candidates_has_no_digits():
    (path,) = best_paths(plain([], [-1.0, -2.0]))
    assert (path.edges, path.score) == ((), -3.0)


def test_a_format_that_no_reading_meets_gives_none():
    edge = Edge(0, 1, np.array([1.0, 0.0]))
    assert best_paths(plain([edge], [-1.0]), NumberFormat(2, 2)) == []


def test_a_known_digit_is_read_however_improbable():
    lattice = plain([Edge(0, 1, -(np.arange(10.0) ** 2))], [-1.0])
    expected = NumberFormat(1, 1, {0: 9})
    assert [path.classes for path in best_paths(lattice, expected)] == [(9,)]


def test_a_digit_that_was_cut_is_worth_more_beside_another_than_beside_ink_passed_over():
    edges = [Edge(0, 1, np.array([1.0, 0.0])), Edge(1, 2, np.array([0.0, -0.5]))]
    found = best_paths(Lattice(edges, [0.0, 0.0], [0.0, -2.0]))
    scores = {path.classes: path.score for path in found}
    assert scores[(0, 0)] == 1.0
    assert scores[(0,)] == -1.0
    assert scores[()] == 0.0
