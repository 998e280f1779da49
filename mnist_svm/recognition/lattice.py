"""The best readings of a line: paths through the pieces of its ink.

Each piece is a part of a digit or is passed over. A path from the first piece to the last is a
number, whose score is the sum of the scores of its digits, of the pieces passed over, and of the
cuts at the ends of its digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from mnist_svm._types import Float64Array
from mnist_svm.recognition.formats import ANY_NUMBER, NumberFormat

# Readings kept at each piece, for each number of digits.
BEAM = 6
# Classes tried for each candidate, the best first, unless they score less than the best by more.
MAX_CLASSES, MAX_LOSS = 4, 7.0


@dataclass(frozen=True, eq=False)
class Edge:
    """A candidate for a digit: pieces ``start`` to ``stop``, and the score of each class."""

    start: int
    stop: int
    scores: Float64Array


@dataclass(frozen=True, eq=False)
class Lattice:
    """What a line may be read as.

    Attributes
    ----------
    edges : candidates
    skips : score of passing over each piece
    beside : score of a cut before each piece, if there is a digit on one side of it only; 0 where
        there is none, as before the first
    """

    edges: Sequence[Edge]
    skips: Sequence[float]
    beside: Sequence[float]

    @property
    def n_pieces(self) -> int:
        """Number of pieces."""
        return len(self.skips)


@dataclass(frozen=True, eq=False)
class Path:
    """A reading of a line, or of its first pieces.

    Attributes
    ----------
    score : sum of the scores of its digits, of what it passes over, and of the cuts.
    edges : its digits, as (edge, class index) from left to right.
    """

    score: float
    edges: tuple[tuple[int, int], ...] = ()

    @property
    def classes(self) -> tuple[int, ...]:
        """Class index of each digit."""
        return tuple(label for _, label in self.edges)


def best_paths(lattice: Lattice, expected: NumberFormat = ANY_NUMBER) -> list[Path]:
    """Find the readings with the highest scores, each with another text, the best first.

    List Viterbi search (N. Seshadri, C.-E. Sundberg, "List Viterbi decoding algorithms with
    applications", IEEE Transactions on Communications 42, 1994), with a beam of `BEAM`.

    Parameters
    ----------
    lattice : Lattice
    expected : limits of the number, with class indices for labels; if no reading meets them, the
        list is empty
    """
    edges = lattice.edges
    by_stop: list[list[int]] = [[] for _ in range(lattice.n_pieces + 1)]
    for index, edge in enumerate(edges):
        by_stop[edge.stop].append(index)
    choices = _best_classes(edges, expected)
    beams: list[dict[_Key, list[Path]]] = [{(0, False): [Path(0.0)]}]
    for node in range(1, lattice.n_pieces + 1):
        found: dict[_Key, list[_Extension]] = {}
        for (n_digits, after_digit), paths in beams[node - 1].items():
            cut = lattice.beside[node - 1] if after_digit else 0.0
            score = lattice.skips[node - 1] + cut
            extensions: list[_Extension] = [(path.score + score, path, ()) for path in paths]
            found.setdefault((n_digits, False), []).extend(extensions)
        # Without a cut behind it, it does not matter whether a path ends in a digit.
        is_cut = node < lattice.n_pieces and lattice.beside[node] != 0
        for index in by_stop[node]:
            start = edges[index].start
            for (_, after_digit), paths in beams[start].items():
                cut = 0.0 if after_digit else lattice.beside[start]
                for path in paths:
                    key = _n_digits(len(path.edges) + 1, expected), is_cut
                    extensions = _extensions(path, cut, index, choices[index], expected)
                    found.setdefault(key, []).extend(extensions)
        beams.append({key: _best_texts(extensions) for key, extensions in found.items()})
    ended: list[_Extension] = [
        (path.score, path, ())
        for paths in beams[-1].values()
        for path in paths
        if expected.is_open or len(path.edges) >= expected.least
    ]
    return _best_texts(ended)


# What paths compete by: the number of digits, if it is limited, and whether they end in a digit
# that was cut from what follows.
_Key = tuple[int, bool]

# The score of a path, the path that it extends, and the digit that is added, or none.
_Extension = tuple[float, Path, tuple[()] | tuple[int, int]]


def _n_digits(n: int, expected: NumberFormat) -> int:
    """The number of digits, if it is limited."""
    return 0 if expected.is_open else n


def _extensions(
    path: Path, cut: float, index: int, choices: list[tuple[int, float]], expected: NumberFormat
) -> list[_Extension]:
    """Extend a path by a candidate, of which `choices` are the classes and their scores.

    `cut` is the score of the cut between them.
    """
    position = len(path.edges)
    if position == expected.most:
        return []
    only = expected.fixed.get(position)
    return [
        (path.score + cut + score, path, (index, label))
        for label, score in choices
        if only is None or only == label
    ]


def _best_texts(extensions: list[_Extension]) -> list[Path]:
    """The paths with the highest scores, each with another text; few of them are made at all."""
    best: dict[tuple[int, ...], Path] = {}
    for score, path, digit in sorted(extensions, key=itemgetter(0), reverse=True):
        edges = (*path.edges, digit) if digit else path.edges
        extended = Path(score, edges)
        best.setdefault(extended.classes, extended)
        if len(best) == BEAM:
            break
    return list(best.values())


def _best_classes(edges: Sequence[Edge], expected: NumberFormat) -> list[list[tuple[int, float]]]:
    """Of each edge, the classes with the highest scores, or all where digits are known."""
    if not edges:
        return []
    scores = np.stack([edge.scores for edge in edges])
    order = (-scores).argsort(axis=1, kind="stable")
    best = np.take_along_axis(scores, order, axis=1)
    pairs = [
        list(zip(*each, strict=True)) for each in zip(order.tolist(), best.tolist(), strict=True)
    ]
    if expected.fixed:
        return pairs
    return [
        [pair for pair in of_edge[:MAX_CLASSES] if pair[1] >= of_edge[0][1] - MAX_LOSS]
        for of_edge in pairs
    ]
