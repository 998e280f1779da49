"""The best readings of a line: paths through the pieces of its ink.

Each piece is a part of a digit or is passed over. A path from the first piece to the last is a
number, whose score is the sum of the scores of its digits and of the pieces passed over.
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
class Path:
    """A reading of a line, or of its first pieces.

    Attributes
    ----------
    score : sum of the scores of its digits and of what it passes over.
    edges : its digits, as (edge, class index) from left to right.
    """

    score: float
    edges: tuple[tuple[int, int], ...] = ()

    @property
    def classes(self) -> tuple[int, ...]:
        """Class index of each digit."""
        return tuple(label for _, label in self.edges)


def best_paths(
    n_pieces: int,
    edges: Sequence[Edge],
    skip_scores: Sequence[float],
    expected: NumberFormat = ANY_NUMBER,
) -> list[Path]:
    """Find the readings with the highest scores, each with another text, the best first.

    List Viterbi search (N. Seshadri, C.-E. Sundberg, "List Viterbi decoding algorithms with
    applications", IEEE Transactions on Communications 42, 1994), with a beam of `BEAM`.

    Parameters
    ----------
    n_pieces : number of pieces
    edges : candidates
    skip_scores : score of passing over each piece, at most 0
    expected : limits of the number, with class indices for labels; if no reading meets them, the
        list is empty
    """
    by_stop: list[list[int]] = [[] for _ in range(n_pieces + 1)]
    for index, edge in enumerate(edges):
        by_stop[edge.stop].append(index)
    choices = _best_classes(edges, expected)
    beams: list[dict[int, list[Path]]] = [{0: [Path(0.0)]}]
    for node in range(1, n_pieces + 1):
        found: dict[int, list[_Extension]] = {}
        for paths in beams[node - 1].values():
            for path in paths:
                score = path.score + skip_scores[node - 1]
                found.setdefault(_key(len(path.edges), expected), []).append((score, path, ()))
        for index in by_stop[node]:
            for paths in beams[edges[index].start].values():
                for path in paths:
                    key = _key(len(path.edges) + 1, expected)
                    extensions = _extensions(path, index, choices[index], expected)
                    found.setdefault(key, []).extend(extensions)
        beams.append({key: _best_texts(extensions) for key, extensions in found.items()})
    ended = [
        path
        for paths in beams[-1].values()
        for path in paths
        if expected.is_open or len(path.edges) >= expected.least
    ]
    return sorted(ended, key=_score, reverse=True)[:BEAM]


# The score of a path, the path that it extends, and the digit that is added, or none.
_Extension = tuple[float, Path, tuple[()] | tuple[int, int]]


def _key(n_digits: int, expected: NumberFormat) -> int:
    """What paths compete by: the number of digits, if it is limited."""
    return 0 if expected.is_open else n_digits


def _extensions(
    path: Path, index: int, choices: list[tuple[int, float]], expected: NumberFormat
) -> list[_Extension]:
    """Extend a path by a candidate, of which `choices` are the classes and their scores."""
    position = len(path.edges)
    if position == expected.most:
        return []
    only = expected.fixed.get(position)
    return [
        (path.score + score, path, (index, label))
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


def _score(path: Path) -> float:
    return path.score
