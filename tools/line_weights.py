"""Fit the weights of the scores of `recognition/scoring.py`, and print them.

    python -m tools.line_weights --numbers FOLDER

Lines are drawn of the digits held out by `tools.no_digit_model`, and pages with touching digits of
MNIST's last 10,000 training images. Pictures of FOLDER, of one number each, are named
NUMBER_anything. Each is read, and the weights are those with which the right number is the most
probable among the best that are found, if the probability of a number is proportional to the
exponential of its score (M. Collins, "Discriminative reranking for natural language parsing",
Computational Linguistics 31, 2005). Then all is read again with these weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from mnist_svm import load_dataset
from mnist_svm._types import BoolArray, Float64Array, GreyImage
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.layout import find_layout
from mnist_svm.pictures.texture import SMOOTHINGS
from mnist_svm.recognition import lattice
from mnist_svm.recognition.formats import ANY_NUMBER, NumberFormat
from mnist_svm.recognition.lattice import Lattice, best_paths
from mnist_svm.recognition.line import Line, make_lattice
from mnist_svm.recognition.pages import N_WAYS, PageReader
from mnist_svm.recognition.scoring import Weights
from tests.support.guises.lines import Writers, render_page
from tools.labelled_numbers import drawn_lines, load_reader, pictures

NAMES = [field.name for field in fields(Weights)]
UNITS = [Weights(*row) for row in np.eye(len(NAMES)).tolist()]

# Kinds of pages, which are drawn of MNIST's last 10,000 training images.
KINDS = ("natural spacing", "points and dashes", "touching pairs")
SEED = 77
# Times that all lines are read with the weights found before.
N_PASSES = 2
# Probability below which it hardly matters how improbable the right number is; what the weights
# would be without any lines, and penalty of the squared difference from it.
HOPELESS = 0.03
START, RIDGE = Weights(1, 1, 1, 1, -1, -1, -1, 1, 0), 1e-3


@dataclass(eq=False)
class Reading:
    """One line of one picture: the ways to cut it, and the features of the numbers found."""

    text: str
    ways: list[Line]
    weight: float

    def __post_init__(self) -> None:
        # Scores are linear in the weights.
        self.units = [[make_lattice(line, unit) for unit in UNITS] for line in self.ways]
        self.features: dict[tuple[int, tuple[tuple[int, int], ...]], Float64Array] = {}
        self.is_right: list[bool] = []

    def find(self, weights: Weights, classes: list[int]) -> None:
        """Add the best numbers, and the best way to read the right one."""
        right = tuple(classes.index(int(digit)) for digit in self.text)
        only = NumberFormat(len(right), len(right), dict(enumerate(right)))
        for way, line in enumerate(self.ways):
            found = make_lattice(line, weights)
            for path in best_paths(found) + best_paths(found, only):
                key = way, path.edges
                if key not in self.features:
                    scores = [score(unit, path) for unit in self.units[way]]
                    self.features[key] = np.array(scores)
                    self.is_right.append(path.classes == right)

    def loss(self, values: Float64Array) -> tuple[float, Float64Array]:
        """Loss of weights, and its gradient."""
        return loss(values, np.stack(list(self.features.values())), np.array(self.is_right))


def loss(
    values: Float64Array, features: Float64Array, is_right: BoolArray
) -> tuple[float, Float64Array]:
    """Loss of the weights of features, of shape (n_paths, k), and its gradient."""
    scores = features @ values
    proba = np.exp(scores - logsumexp(scores))
    right = float(proba[is_right].sum())
    towards = (proba * is_right) @ features - right * (proba @ features)
    return -np.log(right + HOPELESS), -towards / (right + HOPELESS)


def score(of: Lattice, path: lattice.Path) -> float:
    """Score of a path through another lattice of the same line."""
    used = np.zeros(of.n_pieces, dtype=bool)
    for k, _ in path.edges:
        used[of.edges[k].start : of.edges[k].stop] = True
    of_digits = sum(of.edges[k].scores[label] for k, label in path.edges)
    # A cut counts where one side is a digit and the other is passed over.
    of_cuts = np.array(of.beside)[1:][used[1:] != used[:-1]].sum()
    return float(of_digits + np.array(of.skips)[~used].sum() + of_cuts)


def main() -> None:
    """Read, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", type=Path, action="append", default=[])
    parser.add_argument("--lines", type=int, default=300, help="lines drawn, and pages")
    arguments = parser.parse_args()
    reader = load_reader()
    sources = [list(drawn_lines(arguments.lines, seed=5)), list(_pages(arguments.lines))]
    sources += [list(pictures(folder)) for folder in arguments.numbers]
    readings = [reading for source in sources for reading in _readings(reader, source)]
    weights = START
    for _ in range(N_PASSES):
        for reading in readings:
            reading.find(weights, reader.classes.tolist())
        weights = fit(readings)
        print(", ".join(f"{name} {value:.2f}" for name, value in zip(NAMES, astuple(weights))))


def fit(readings: Sequence[Reading]) -> Weights:
    """The weights of the least loss."""
    before = np.array(astuple(START))
    shares = np.array([reading.weight for reading in readings])
    shares /= shares.sum()

    def mean_loss(values: Float64Array) -> tuple[float, Float64Array]:
        losses, gradients = zip(*(reading.loss(values) for reading in readings), strict=True)
        change = values - before
        total = shares @ np.array(losses) + RIDGE * change @ change
        return total, shares @ np.stack(gradients) + 2 * RIDGE * change

    result = minimize(mean_loss, before, jac=True, method="L-BFGS-B")
    print(f"loss {mean_loss(before)[0]:.4f} -> {result.fun:.4f}")
    return Weights(*result.x.tolist())


def _readings(reader: PageReader, labelled: list[tuple[str, GreyImage]]) -> Iterator[Reading]:
    """The lines of pictures, with each kind of ink that they are read with."""
    for text, grey in labelled:
        for smoothing in (None, *SMOOTHINGS):
            try:
                layout = find_layout(grey, is_line=True, smoothing=smoothing)
            except PictureError:
                continue
            lines = [Line.of_row(layout, row, ANY_NUMBER) for row in layout.rows]
            for ways in reader.cut(lines, N_WAYS):
                ways = [line for line in ways if line.pieces.runs]
                if ways:
                    yield Reading(text, ways, 1 / len(labelled))


def _pages(n: int) -> Iterator[tuple[str, GreyImage]]:
    mnist = load_dataset("mnist", split="train")
    writers = Writers(mnist.images[50_000:], mnist.labels[50_000:])
    for index in range(n):
        page = render_page(KINDS[index % len(KINDS)], writers, index, seed=SEED)
        yield page.rows[0].text, decode(page.file).grey


if __name__ == "__main__":
    main()
