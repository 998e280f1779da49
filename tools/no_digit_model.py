"""Train and evaluate the model that tells digits from other ink, and calibrate whole numbers.

    python -m tools.no_digit_model

Lines of numbers are drawn of digits of the training sets of MNIST and styles, with points, dashes,
signs, rules and printed patterns, and cut into pieces as `mnist-svm read` does it. Runs of pieces
are digits, or not. The model is trained on digits of MNIST's first 50,000 images and of styles,
evaluated on lines of MNIST's last 10,000 images and of the styles held out, and written to
mnist_svm/models/no_digit.joblib.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed, parallel_config
from sklearn.pipeline import Pipeline

from mnist_svm import RECIPES, load_dataset
from mnist_svm._types import Labels
from mnist_svm.datasets.types import Dataset
from mnist_svm.exceptions import PictureError
from mnist_svm.models.file import Model, save_model
from mnist_svm.models.locate import NO_DIGIT
from mnist_svm.pictures.layout import Layout, find_layout
from mnist_svm.pictures.lines import LineImage, Piece
from mnist_svm.recognition.candidates import LinePieces
from mnist_svm.recognition.no_digit import digit_features
from mnist_svm.recognition.pages import N_WAYS
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.training.train import TrainingConfig, describe_fit
from tools.number_lines import MARK, SHARED, Hands, NumberLine, draw_line

# First image and number of images of each style.
STYLES = Path("data/styles/styles.csv")

# Lines that are drawn, and the share of runs that are no digits that is kept of them.
N_LINES, N_HELD_OUT_LINES, LINES_PER_TASK, KEPT = 2_400, 500, 50, 0.5
# Runs that the model is trained on.
N_TRAIN = 40_000

# Penalty and kernel coefficient, chosen on lines held out.
C, GAMMA = 30.0, 3e-6

# Shares of a run's ink that belongs to a digit, and of the digit's ink that is in the run: both are
# above PURE for a digit, and one is below IMPURE for another; in between, a run is left out. The
# same for whole pieces of other ink, and for pieces of the digit that are missing.
PURE, IMPURE = 0.85, 0.7
FOREIGN, LOST = (0.02, 0.07), (0.03, 0.10)

# Shares common to a run and a digit that touches others: the least with which the best run counts
# as the digit, and the distances to it of other runs that do so too, and that are left out.
ACCEPTED, ABOUT, NEARLY = 0.65, 0.02, 0.08

# Share of a run's ink that belongs to digits, up to which it is other ink.
MAX_DIGIT_INK = 0.15

# Labels of runs that are no digit: parts of digits or several, and other ink.
PARTS, OTHER = -1, -2


@dataclass(frozen=True)
class Runs:
    """Features of runs of pieces, uint8 of shape (n, k), and their digits, `PARTS` or `OTHER`."""

    features: npt.NDArray[np.uint8]
    labels: Labels


def load_hands(part: str) -> Hands:
    """Digits for training ("train"), or held out ("test")."""
    mnist = load_dataset("mnist", split="train")
    styles = load_dataset("styles", split=part)
    of_mnist = slice(50_000) if part == "train" else slice(50_000, None)
    name = "train" if part == "train" else "t10k"
    with STYLES.open(encoding="utf-8") as file:
        ranges = [
            (int(row["first"]), int(row["n_images"]))
            for row in csv.DictReader(file)
            if row["part"] == name
        ]
    return Hands(
        (mnist.images[of_mnist], mnist.labels[of_mnist]), (styles.images, styles.labels), ranges
    )


def make_runs(hands: Hands, n_lines: int, seed: int) -> Runs:
    """Draw lines, and label the runs of their pieces."""
    rng = np.random.default_rng(seed)
    images, own, others, labels = [], [], [], []
    for _ in range(n_lines):
        for candidate, label in _labelled(draw_line(hands, rng), int(rng.integers(N_WAYS))):
            if label == PARTS and rng.random() > KEPT:
                continue
            images.append(candidate.image)
            own.append(candidate.own)
            others.append(candidate.others)
            labels.append(label)
    features = digit_features(np.stack(images), np.stack(own), np.stack(others))
    return Runs(features, np.array(labels))


def _labelled(drawn: NumberLine, way: int) -> Iterator[tuple]:
    """Candidates of a line that is cut in one way, with their digits."""
    try:
        layout = find_layout(drawn.grey)
    except PictureError:
        return
    lines = []
    total = np.zeros(len(drawn.text) + 2)
    for row in layout.rows:
        image = layout.line(row)
        wholes = [image.component_piece(k) for k, box in enumerate(image.boxes) if box.height]
        cuts = [image.cut(piece, way + 1)[way] for piece in wholes if piece is not None]
        pieces = image.in_order([part for parts in cuts for part in parts])
        if pieces:
            owned = np.stack([_owners(drawn, layout, image, piece) for piece in pieces])
            total += owned.sum(axis=0) / image.scale**2
            lines.append((image, pieces, owned))
    for image, pieces, owned in lines:
        line = LinePieces(image, pieces)
        candidates = line.candidates([tuple(pieces[start:stop]) for start, stop in line.runs])
        labels = _labels(owned, line.runs, total * image.scale**2)
        for candidate, label in zip(candidates, labels, strict=True):
            if label is not None:
                yield candidate, label if label < 0 else int(drawn.text[label])


def _labels(owned: np.ndarray, runs: list, total: np.ndarray) -> list[int | None]:
    """Position of the digit that each run is, `PARTS`, `OTHER`, or None in case of doubt.

    Of a digit that no run is for certain, because it touches another, the best run is the digit if
    it is not too bad.
    """
    labels = [_digit_of_run(owned, *run, total) for run in runs]
    certain = {label for label in labels if label is not None and label >= 0}
    overlaps = [_overlap(owned, *run, total) for run in runs]
    best: dict[int, float] = {}
    for digit, overlap in overlaps:
        best[digit] = max(best.get(digit, 0.0), overlap)
    for k, (digit, overlap) in enumerate(overlaps):
        if labels[k] == OTHER or digit in certain or best[digit] < ACCEPTED:
            continue
        if overlap >= best[digit] - ABOUT:
            labels[k] = digit
        elif overlap >= best[digit] - NEARLY:
            labels[k] = None
        else:
            labels[k] = PARTS
    return labels


def _overlap(owned: np.ndarray, start: int, stop: int, total: np.ndarray) -> tuple[int, float]:
    """The digit that most of a run's ink belongs to, and the least share of both that is common."""
    ink = owned[start:stop].sum(axis=0)
    digit = int(ink[1:-1].argmax())
    return digit, float(ink[1 + digit] / max(ink.sum(), total[1 + digit], 1e-6))


def _owners(drawn: NumberLine, layout: Layout, image: LineImage, piece: Piece) -> np.ndarray:
    """Ink of a piece that belongs to nobody, to each digit, and to marks; of what is not shared."""
    n = len(drawn.text)
    (top, left), box = image.origin, piece.box
    rows = (top + (np.arange(box.top, box.bottom) + 0.5) / image.scale) / layout.scale
    columns = (left + (np.arange(box.left, box.right) + 0.5) / image.scale) / layout.scale
    height, width = drawn.owner.shape
    rows = rows.astype(int).clip(0, height - 1)
    columns = columns.astype(int).clip(0, width - 1)
    owner = drawn.owner[rows][:, columns].ravel()
    ink = np.where(owner == SHARED, 0, piece.ink.ravel())
    owner = np.where(owner == MARK, n + 1, np.where(owner == SHARED, 0, owner))
    return np.bincount(owner, weights=ink, minlength=n + 2)


def _digit_of_run(owned: np.ndarray, start: int, stop: int, total: np.ndarray) -> int | None:
    """Position of the digit that a run is, `PARTS`, `OTHER`, or None in case of doubt."""
    ink = owned[start:stop].sum(axis=0)
    if ink[1:-1].sum() <= MAX_DIGIT_INK * ink.sum():
        return OTHER
    digit, least = _overlap(owned, start, stop, total)
    whole = max(float(total[1 + digit]), 1e-6)
    sizes, is_own = owned.sum(axis=1), owned.argmax(axis=1) == 1 + digit
    inside = np.zeros(len(owned), dtype=bool)
    inside[start:stop] = True
    foreign, lost = sizes[inside & ~is_own].sum() / whole, sizes[~inside & is_own].sum() / whole
    if least > PURE and foreign < FOREIGN[0] and lost < LOST[0]:
        return digit
    return PARTS if least < IMPURE or foreign > FOREIGN[1] or lost > LOST[1] else None


def make_all(hands: Hands, n_lines: int, seed: int) -> Runs:
    """Draw lines in several processes."""
    tasks = range(seed, seed + n_lines // LINES_PER_TASK)
    with parallel_config(backend="loky", inner_max_num_threads=1):
        parts = Parallel(n_jobs=-1)(delayed(make_runs)(hands, LINES_PER_TASK, k) for k in tasks)
    return Runs(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def _kinds(labels: Labels) -> Labels:
    """0 for parts of digits, 1 for digits, 2 for other ink."""
    return np.where(labels >= 0, 1, np.where(labels == PARTS, 0, 2))


def main() -> None:
    """Train, evaluate, write the model file."""
    runs = make_all(load_hands("train"), N_LINES, 1_000)
    chosen = np.random.default_rng(0).permutation(len(runs.labels))[:N_TRAIN]
    features, labels = runs.features[chosen], _kinds(runs.labels[chosen])
    start = time.perf_counter()
    svc = Calibrated(CoupledSVC(kernel="rbf", C=C, gamma=GAMMA, random_state=0))
    pipeline = Pipeline([("svm", svc)]).fit(features, labels)
    seconds = time.perf_counter() - start
    held_out = make_all(load_hands("test"), N_HELD_OUT_LINES, 9_000)
    truth = _kinds(held_out.labels)
    correct = pipeline.predict(held_out.features) == truth
    parts, digits, others = (f"{correct[truth == kind].mean():.2%}" for kind in range(3))
    print(f"right: {parts} of parts, {digits} of digits, {others} of other ink; {seconds:.0f} s")
    mnist, styles = load_dataset("mnist"), load_dataset("styles")
    train = Dataset("mnist + styles", features, labels, Dataset.concatenate([mnist, styles]).sha256)
    recipe = RECIPES["gradient"]
    config = TrainingConfig(recipe, replace(recipe.defaults, C=C, gamma=GAMMA))
    info = replace(
        describe_fit(pipeline, config, train, slice(None), seconds),
        recipe="no_digit",
        summary="tells digits from other ink in lines of numbers; right for "
        f"{digits} of digits, {parts} of their parts and {others} of other ink held out",
    )
    save_model(NO_DIGIT, Model.from_pipeline(pipeline, info))
    print(f"{NO_DIGIT}: {NO_DIGIT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
