"""The shipped model that tells digits from other ink."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from mnist_svm.models.locate import NO_DIGIT
from mnist_svm.pictures.layout import find_layout
from mnist_svm.pictures.lines import LineImage
from mnist_svm.recognition.candidates import Candidate, LinePieces
from mnist_svm.recognition.no_digit import N_COLUMNS, DigitJudge, digit_features
from tests.support.drawing import PlacedInk, compose_ink, in_a_row, on_paper, touching_pair

# Columns of the model's probabilities.
DIGIT, OTHER = 1, 2


@pytest.fixture(scope="module")
def judge():
    return DigitJudge()


@pytest.fixture(scope="module")
def lines(test_set) -> list[LineImage]:
    """Lines of five digits each, of the test set, that stand apart."""
    found = []
    for start in range(500, 700, 5):
        placed = in_a_row(test_set.images[start : start + 5], 50, top=50, left=40, gap=18)
        layout = find_layout(on_paper(compose_ink((150, 480), placed), grain=3))
        found += [layout.line(row) for row in layout.rows]
    return found


def wholes(line: LineImage) -> LinePieces:
    pieces = [line.component_piece(k) for k in range(len(line.boxes))]
    return LinePieces(line, line.in_order([piece for piece in pieces if piece is not None]))


def judged(judge: DigitJudge, candidates: list[Candidate]) -> np.ndarray:
    return judge(
        np.stack([candidate.image for candidate in candidates]),
        np.stack([candidate.own for candidate in candidates]),
        np.stack([candidate.others for candidate in candidates]),
    )


def test_digits_of_the_test_set_are_digits(judge, lines):
    # Some digits have two components, each of which is a part of it.
    complete = [line for line in lines if len(line.boxes) == 5]
    assert len(complete) > 25
    candidates = [
        candidate
        for pieces in map(wholes, complete)
        for candidate in pieces.candidates([(piece,) for piece in pieces.pieces])
    ]
    assert np.mean(judged(judge, candidates)[:, DIGIT] > 0.5) > 0.9


def test_two_digits_are_no_digit(judge, lines):
    candidates = []
    for pieces in map(wholes, lines):
        pairs = pairwise(pieces.pieces)
        high = [pair for pair in pairs if min(piece.box.height for piece in pair) > 30]
        candidates += pieces.candidates(high)
    assert len(candidates) > 100
    assert np.mean(judged(judge, candidates)[:, DIGIT] < 0.5) > 0.97


def test_touching_digits_are_no_digit(judge, test_set):
    images, candidates = test_set.images[1000:1080], []
    for one, two in zip(images[::2], images[1::2], strict=True):
        both, _ = touching_pair(one, two, 50)
        layout = find_layout(on_paper(np.pad(both, 40)))
        for row in layout.rows:
            pieces = wholes(layout.line(row))
            widest = max(pieces.pieces, key=lambda piece: piece.box.width)
            if widest.box.width > 0.6 * widest.box.height:
                candidates += pieces.candidates([(widest,)])
    assert len(candidates) > 25
    assert np.mean(judged(judge, candidates)[:, DIGIT] < 0.5) > 0.85


def test_halves_of_digits_are_no_digits(judge, lines):
    candidates = []
    for line in lines:
        cut = [
            line.cut(piece)[0] for piece in wholes(line).pieces if piece.box.width > 30
        ]  # 1s have none
        pieces = LinePieces(line, line.in_order([part for parts in cut for part in parts]))
        for parts in cut:
            total = sum(float(part.ink.sum()) for part in parts)
            halves = [(part,) for part in parts if part.ink.sum() < 0.5 * total]
            candidates += pieces.candidates(halves)
    assert len(candidates) > 100
    assert np.mean(judged(judge, candidates)[:, DIGIT] < 0.5) > 0.9


@pytest.mark.parametrize(("shape", "top"), [((7, 7), 94), ((6, 26), 72)], ids=["point", "dash"])
def test_marks_are_other_ink(judge, test_set, shape, top):
    found = []
    for start in range(700, 760, 3):
        digits = in_a_row(test_set.images[start : start + 3], 50, top=50, left=40, gap=18)
        mark = PlacedInk(np.ones(shape, np.float32), top, digits[-1].right + 14)
        layout = find_layout(on_paper(compose_ink((150, 400), [*digits, mark]), grain=3))
        (row,) = layout.rows
        pieces = wholes(layout.line(row))
        found += judged(judge, pieces.candidates([pieces.pieces[-1:]])).tolist()
    assert np.mean(np.argmax(found, axis=1) == OTHER) > 0.9


def test_probabilities_sum_to_1(judge):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 5, 28, 28)).astype(np.uint8)
    np.testing.assert_allclose(judge(*images).sum(axis=1), 1)


def test_features_are_those_that_the_model_takes(judge):
    blank = np.zeros((4, 28, 28), np.uint8)
    features = digit_features(blank, blank, blank)
    assert features.shape == (4, N_COLUMNS)
    assert features.dtype == np.uint8


def test_the_model_file_is_small():
    assert NO_DIGIT.stat().st_size < 1.5e6


def test_reading_a_page_imports_no_scikit_learn(tmp_path):
    code = (
        "import sys; import numpy as np; from mnist_svm import Recognizer;"
        "page = np.full((100, 90), 255, np.uint8); page[20:80, 40:48] = 0;"
        "Recognizer.load().read_page(page);"
        "print(*(x for x in ('sklearn', 'joblib', 'scipy.stats') if x in sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert result.stdout.split() == []
