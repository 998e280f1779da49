"""The best readings of a line: paths through the pieces of its ink.

Each piece is a part of a digit or is passed over. A path from the first piece to the last is a
number, whose score is the sum of the scores of its digits and of the pieces passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest

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
    best_classes = [_best_classes(edge.scores, expected) for edge in edges]
    beams: list[dict[int, list[Path]]] = [{0: [Path(0.0)]}]
    for node in range(1, n_pieces + 1):
        found: dict[int, dict[tuple[int, ...], Path]] = {}
        for key, path in _extensions(
            node, beams, edges, by_stop, best_classes, skip_scores, expected
        ):
            at_key = found.setdefault(0 if expected.is_open else key, {})
            text = path.classes
            if text not in at_key or at_key[text].score < path.score:
                at_key[text] = path
        beams.append(
            {key: nlargest(BEAM, paths.values(), key=_score) for key, paths in found.items()}
        )
    ended = [
        path
        for paths in beams[-1].values()
        for path in paths
        if expected.is_open or len(path.edges) >= expected.least
    ]
    return sorted(ended, key=_score, reverse=True)[:BEAM]


def _extensions(
    node: int,
    beams: list[dict[int, list[Path]]],
    edges: Sequence[Edge],
    by_stop: list[list[int]],
    best_classes: list[list[int]],
    skip_scores: Sequence[float],
    expected: NumberFormat,
) -> Iterator[tuple[int, Path]]:
    """Paths to a node, with their numbers of digits."""
    for n_digits, paths in beams[node - 1].items():
        for path in paths:
            yield n_digits, Path(path.score + skip_scores[node - 1], path.edges)
    for index in by_stop[node]:
        edge = edges[index]
        for paths in beams[edge.start].values():
            for path in paths:
                n_digits = len(path.edges)
                for label in best_classes[index]:
                    if _is_allowed(n_digits, label, expected):
                        score = path.score + float(edge.scores[label])
                        yield n_digits + 1, Path(score, (*path.edges, (index, label)))


def _is_allowed(position: int, label: int, expected: NumberFormat) -> bool:
    if expected.most is not None and position >= expected.most:
        return False
    return expected.fixed.get(position, label) == label


def _best_classes(scores: Float64Array, expected: NumberFormat) -> list[int]:
    """Indices of the highest scores; of all where digits are known."""
    order: list[int] = (-scores).argsort(kind="stable").tolist()
    if expected.fixed:
        return order
    least = scores[order[0]] - MAX_LOSS
    return [label for label in order[:MAX_CLASSES] if scores[label] >= least]


def _score(path: Path) -> float:
    return path.score
