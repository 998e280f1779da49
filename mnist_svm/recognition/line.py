"""A line of writing, and the readings of its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise

import numpy as np

from mnist_svm._types import Float64Array, Labels
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.layout import Layout
from mnist_svm.pictures.lines import HEIGHT, LineImage, Piece
from mnist_svm.pictures.rows import Row as LayoutRow
from mnist_svm.recognition.candidates import LinePieces, Run
from mnist_svm.recognition.formats import NumberFormat
from mnist_svm.recognition.judging import Judged, Known
from mnist_svm.recognition.lattice import Edge, Lattice, Path, best_paths
from mnist_svm.recognition.results import Cell, Digit, Number
from mnist_svm.recognition.scoring import (
    MAX_MARGIN,
    WEIGHTS,
    Evidence,
    Weights,
    cut_scores,
    digit_scores,
    log_odds,
    path_margin,
    skip_scores,
)

# A component is not cut if it is a digit at least this probably, of a class at least this probably,
# and not wider than this multiple of the usual height.
SURE_DIGIT, SURE_CLASS, MAX_SURE_WIDTH = 0.9, 0.9, 1.0
# Components from which a line is hardly a number by chance.
MIN_LONG = 4
# Confidence from which a line is not read in other ways.
SURE_NUMBER = 0.95


@dataclass(eq=False)
class Line:
    """A line with its pieces, and what was judged of it.

    ``wholes`` are its components, before they are cut into ``pieces``; ``singles`` are the numbers
    of those that are one digit at most.
    ``origin`` is the row and column of the picture at which that of the layout begins.
    """

    layout: Layout
    image: LineImage
    pieces: LinePieces
    wholes: LinePieces
    expected: NumberFormat
    origin: tuple[int, int]
    cell: Cell | None = None
    singles: frozenset[int] = frozenset()
    judged: dict[Run, Judged] = field(default_factory=dict)
    known: Known = field(default_factory=dict)

    @classmethod
    def of_row(
        cls,
        layout: Layout,
        row: LayoutRow,
        expected: NumberFormat,
        origin: tuple[int, int] = (0, 0),
    ) -> Line:
        """A row of a page, whose components are its pieces."""
        image = layout.line(row)
        components = [image.component_piece(k) for k, box in enumerate(image.boxes) if box.height]
        pieces = image.in_order([piece for piece in components if piece is not None])
        cell = Cell(*row.cell) if row.cell else None
        wholes = LinePieces(image, pieces)
        return cls(layout, image, wholes, wholes, expected, origin, cell, row.singles)

    @property
    def is_short(self) -> bool:
        """Whether it has few components, outside of tables."""
        return len(self.image.boxes) < MIN_LONG and self.cell is None

    def runs(self) -> list[Run]:
        """Runs of pieces that may be a digit and are not judged yet."""
        pieces = self.pieces.pieces
        runs = [pieces[start:stop] for start, stop in self.pieces.runs]
        return [run for run in runs if run not in self.judged]

    def cut(self, n_ways: int = 1) -> list[Line]:
        """The line with those components cut that are not a digit for sure, in several ways.

        See `mnist_svm.pictures.seams.Cuts.choose`.
        """
        ways: list[list[Piece]] = [[] for _ in range(n_ways)]
        for piece in self.wholes.pieces:
            judged = self.judged.get((piece,))
            is_sure = (
                judged is not None
                and judged.kinds[1] >= SURE_DIGIT
                and judged.classes.max() >= SURE_CLASS
                and piece.box.width <= MAX_SURE_WIDTH * HEIGHT
            )
            is_sure = is_sure or piece.component in self.singles
            cuts = [[piece]] * n_ways if is_sure else self.image.cut(piece, n_ways)
            for pieces, parts in zip(ways, cuts, strict=True):
                pieces += parts if len(parts) > 1 else [piece]
        return [
            replace(self, pieces=LinePieces(self.image, self.image.in_order(pieces)))
            for pieces in ways
        ]

    def picture_box(self, box: Box) -> Box:
        """A box of the line's image in pixels of the picture."""
        return self.layout.picture_box(self.image.page_box(box)).shift(*self.origin)


@dataclass(frozen=True, eq=False)
class CutReading:
    """A path through the pieces of a line that was cut in one way.

    Attributes
    ----------
    line : Line
    judged : candidates of the line, in the order of its runs
    may_be_digits : ink of each piece that may belong to digits, of shape (n_pieces,), in strokes
        as long as a digit is high
    path : Path
    """

    line: Line
    judged: list[Judged]
    may_be_digits: Float64Array
    path: Path

    def weakest(self) -> tuple[float, float, float]:
        """Least log odds of a digit, and of its class; ink passed over that may be digits."""
        edges = self.path.edges
        is_digit = np.array([self.judged[k].kinds[1] for k, _ in edges])
        classes = np.array([self.judged[k].classes[label] for k, label in edges])
        passed = float(self.may_be_digits.sum())
        for k, _ in edges:
            passed -= float(self.may_be_digits[slice(*self.line.pieces.runs[k])].sum())
        return float(log_odds(is_digit * classes).min()), float(log_odds(classes).min()), passed

    def number(self, labels: Labels, confidence: float) -> Number:
        """The number of the path."""
        digits = []
        for k, label in self.path.edges:
            candidate, classes = self.judged[k].candidate, self.judged[k].classes
            box = self.line.picture_box(candidate.box)
            of_class = float(classes[label])
            digits.append(Digit(int(labels[label]), of_class, box, candidate.image, classes))
        box = reduce(Box.union, (digit.box for digit in digits))
        return Number(tuple(digits), confidence, box, self.line.cell)


@dataclass(frozen=True, eq=False)
class LineReading:
    """The best numbers on a line, each another, and which of them is chosen.

    Attributes
    ----------
    found : at least one digit each, the highest score first
    evidence : what the confidence of the chosen one depends on
    chosen : its index
    """

    found: list[CutReading]
    evidence: Evidence
    chosen: int = 0

    @property
    def is_sure(self) -> bool:
        """Whether the line need not be read in other ways."""
        return self.evidence.confidence >= SURE_NUMBER

    def number(self, labels: Labels, factor: float = 1.0) -> Number:
        """The chosen number; its confidence is multiplied by a factor."""
        return self.found[self.chosen].number(labels, factor * self.evidence.confidence)


def read_line(cuts: Sequence[Line], labels: Labels) -> LineReading | None:
    """Read a line that is cut in several ways, all of whose runs are judged.

    None if it has no digit.
    """
    found = [reading for line in cuts for reading in _read_cut(line, labels)]
    found.sort(key=lambda reading: reading.path.score, reverse=True)
    best: dict[tuple[int, ...], CutReading] = {}
    for reading in found:
        best.setdefault(reading.path.classes, reading)
    if not best or not next(iter(best)):
        return None
    margin = path_margin([reading.path for reading in best.values()])
    numbers = [reading for classes, reading in best.items() if classes]
    return LineReading(numbers, Evidence(margin, 1, 1.0, *numbers[0].weakest()))


def _read_cut(line: Line, labels: Labels) -> list[CutReading]:
    """The best paths through the pieces of a line."""
    runs = line.pieces.runs
    if not runs:
        return []
    pieces = line.pieces.pieces
    judged = [line.judged[pieces[start:stop]] for start, stop in runs]
    areas, is_other = _passed_over(line)
    paths = best_paths(make_lattice(line), _by_index(line.expected, labels))
    return [CutReading(line, judged, areas * (1 - is_other), path) for path in paths]


def make_lattice(line: Line, weights: Weights = WEIGHTS) -> Lattice:
    """What a line, all of whose runs are judged, may be read as."""
    pieces, runs = line.pieces.pieces, line.pieces.runs
    judged = [line.judged[pieces[start:stop]] for start, stop in runs]
    is_digit = np.array([each.kinds[1] for each in judged])
    classes = np.stack([each.classes for each in judged])
    components = [piece.component for piece in pieces]
    n_parts = np.bincount(components)[components].tolist()
    is_cut = np.array([_is_cut(components, n_parts, *run) for run in runs])
    scores = digit_scores(is_digit, classes, is_cut, weights)
    edges = [Edge(*run, score) for run, score in zip(runs, scores, strict=True)]
    skips = skip_scores(*_passed_over(line), weights).tolist()
    joined = [False, *(left == right for left, right in pairwise(components))]
    return Lattice(edges, skips, cut_scores(joined, weights))


def _passed_over(line: Line) -> tuple[Float64Array, Float64Array]:
    """Ink of each piece, in strokes as long as a digit is high; probability that it is other."""
    pieces = line.pieces.pieces
    stroke = HEIGHT * HEIGHT * line.image.pen
    areas = np.array([float(piece.ink.sum()) for piece in pieces]) / stroke
    singles = [line.judged.get((piece,)) for piece in pieces]
    is_other = np.array([1.0 if each is None else each.kinds[2] for each in singles])
    return areas, is_other


def _by_index(expected: NumberFormat, labels: Labels) -> NumberFormat:
    """The limits with class indices in place of labels."""
    if not expected.fixed:
        return expected
    known = labels.tolist()
    fixed = {
        place: known.index(label) if label in known else -1
        for place, label in expected.fixed.items()
    }
    return NumberFormat(expected.least, expected.most, fixed)


def _is_cut(components: list[int], n_parts: list[int], start: int, stop: int) -> bool:
    """Whether a run of pieces has a part of a component, and another part is not in it."""
    run = components[start:stop]
    return any(run.count(k) < n for k, n in zip(run, n_parts[start:stop], strict=True))


def elect(readings: Sequence[LineReading]) -> LineReading:
    """Choose among readings of the same line: the number with the highest sum of votes.

    A reading has its confidence to give away; to each number, as much as its score allows.
    """
    if len(readings) == 1:
        return readings[0]
    votes: dict[tuple[int, ...], float] = {}
    supporters: dict[tuple[int, ...], list[tuple[float, LineReading]]] = {}
    for reading in readings:
        for k, each in enumerate(reading.found):
            share = float(np.exp(each.path.score - reading.found[0].path.score))
            vote = reading.evidence.confidence * share
            classes = each.path.classes
            votes[classes] = votes.get(classes, 0) + vote
            supporters.setdefault(classes, []).append((vote, replace(reading, chosen=k)))
    best, *others = sorted(votes, key=lambda text: -votes[text])
    margin = float(np.log(votes[best] / votes[others[0]])) if others else MAX_MARGIN
    weakest = np.array([each.found[each.chosen].weakest() for _, each in supporters[best]])
    evidence = Evidence(
        min(margin, MAX_MARGIN),
        len(readings),
        sum(each.chosen == 0 for _, each in supporters[best]) / len(readings),
        float(weakest[:, 0].max()),
        float(weakest[:, 1].max()),
        float(weakest[:, 2].min()),
    )
    _, chosen = max(supporters[best], key=lambda pair: pair[0])
    return replace(chosen, evidence=evidence)
