"""A line of writing, and the readings of its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from mnist_svm._types import Float64Array, Labels
from mnist_svm.pictures.boxes import Box
from mnist_svm.pictures.layout import Layout
from mnist_svm.pictures.lines import HEIGHT, LineImage, Piece
from mnist_svm.pictures.rows import Row as LayoutRow
from mnist_svm.recognition.candidates import LinePieces, Run
from mnist_svm.recognition.formats import NumberFormat
from mnist_svm.recognition.judging import Judged, Known
from mnist_svm.recognition.lattice import Edge, Path, best_paths
from mnist_svm.recognition.results import Cell, Digit, Number
from mnist_svm.recognition.scoring import (
    MAX_MARGIN,
    Evidence,
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

    def cut(self, *, upright: bool = False) -> Line:
        """The line with those components cut that are not a digit for sure.

        `upright` as in `mnist_svm.pictures.seams.Cuts.choose`.
        """
        pieces: list[Piece] = []
        for piece in self.wholes.pieces:
            judged = self.judged.get((piece,))
            is_sure = (
                judged is not None
                and judged.kinds[1] >= SURE_DIGIT
                and judged.classes.max() >= SURE_CLASS
                and piece.box.width <= MAX_SURE_WIDTH * HEIGHT
            )
            is_sure = is_sure or piece.component in self.singles
            parts = [piece] if is_sure else self.image.cut(piece, upright=upright)
            pieces += parts if len(parts) > 1 else [piece]
        return replace(self, pieces=LinePieces(self.image, self.image.in_order(pieces)))

    def picture_box(self, box: Box) -> Box:
        """A box of the line's image in pixels of the picture."""
        return self.layout.picture_box(self.image.page_box(box)).shift(*self.origin)


@dataclass(frozen=True, eq=False)
class LineReading:
    """The best paths through a line, and which of them is chosen.

    Attributes
    ----------
    line : Line
    judged : candidates of the line, in the order of its runs
    may_be_digits : ink of each piece that may belong to digits, of shape (n_pieces,), in strokes
        as long as a digit is high
    paths : paths with at least one digit come first
    evidence : what the confidence of the chosen path depends on
    chosen : its index
    """

    line: Line
    judged: list[Judged]
    may_be_digits: Float64Array
    paths: list[Path]
    evidence: Evidence
    chosen: int = 0

    @property
    def is_sure(self) -> bool:
        """Whether the line need not be read in other ways."""
        return self.evidence.confidence >= SURE_NUMBER

    def number(self, labels: Labels, factor: float = 1.0) -> Number:
        """The number of the chosen path; its confidence is multiplied by a factor."""
        digits = []
        for k, label in self.paths[self.chosen].edges:
            candidate, classes = self.judged[k].candidate, self.judged[k].classes
            box = self.line.picture_box(candidate.box)
            confidence = float(classes[label])
            digits.append(Digit(int(labels[label]), confidence, box, candidate.image, classes))
        box = reduce(Box.union, (digit.box for digit in digits))
        return Number(tuple(digits), factor * self.evidence.confidence, box, self.line.cell)


def read_line(line: Line, labels: Labels) -> LineReading | None:
    """Read one line, all of whose runs are judged; None if it has no digit."""
    pieces = line.pieces.pieces
    runs = line.pieces.runs
    if not runs:
        return None
    judged = [line.judged[pieces[start:stop]] for start, stop in runs]
    is_digit = np.array([each.kinds[1] for each in judged])
    classes = np.stack([each.classes for each in judged])
    components = [piece.component for piece in pieces]
    n_parts = np.bincount(components)[components].tolist()
    is_cut = np.array([_is_cut(components, n_parts, *run) for run in runs])
    scores = digit_scores(is_digit, classes, is_cut)
    edges = [Edge(*run, score) for run, score in zip(runs, scores, strict=True)]
    stroke = HEIGHT * HEIGHT * line.image.pen
    areas = np.array([float(piece.ink.sum()) for piece in pieces]) / stroke
    singles = [line.judged.get((piece,)) for piece in pieces]
    is_other = np.array([1.0 if each is None else each.kinds[2] for each in singles])
    skips = skip_scores(areas, is_other).tolist()
    paths = best_paths(len(pieces), edges, skips, _by_index(line.expected, labels))
    if not paths or not paths[0].edges:
        return None
    may_be_digits = areas * (1 - is_other)
    evidence = Evidence(
        path_margin(paths), 1, 1.0, *_weakest(line, judged, may_be_digits, paths[0])
    )
    return LineReading(line, judged, may_be_digits, paths, evidence)


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


def _weakest(
    line: Line, judged: list[Judged], may_be_digits: Float64Array, path: Path
) -> tuple[float, float, float]:
    """Least log odds of a digit, and of its class; ink passed over that may be digits."""
    is_digit = np.array([judged[k].kinds[1] for k, _ in path.edges])
    classes = np.array([judged[k].classes[label] for k, label in path.edges])
    passed = float(may_be_digits.sum())
    for k, _ in path.edges:
        passed -= float(may_be_digits[slice(*line.pieces.runs[k])].sum())
    return float(log_odds(is_digit * classes).min()), float(log_odds(classes).min()), passed


def elect(readings: Sequence[LineReading]) -> LineReading:
    """Choose among readings of the same line: the number with the highest sum of votes.

    A reading has its confidence to give away; to each path, as much as its score allows.
    """
    if len(readings) == 1:
        return readings[0]
    votes: dict[tuple[int, ...], float] = {}
    supporters: dict[tuple[int, ...], list[tuple[float, LineReading]]] = {}
    for reading in readings:
        for k, path in enumerate(reading.paths):
            if path.edges:
                share = float(np.exp(path.score - reading.paths[0].score))
                vote = reading.evidence.confidence * share
                votes[path.classes] = votes.get(path.classes, 0) + vote
                supporter = vote, replace(reading, chosen=k)
                supporters.setdefault(path.classes, []).append(supporter)
    best, *others = sorted(votes, key=lambda text: -votes[text])
    margin = float(np.log(votes[best] / votes[others[0]])) if others else MAX_MARGIN
    weakest = np.array(
        [
            _weakest(each.line, each.judged, each.may_be_digits, each.paths[each.chosen])
            for _, each in supporters[best]
        ]
    )
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
