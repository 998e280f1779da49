"""Faults of labels that show in what a model reads: shifted, exchanged, at random, or turned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from mnist_svm._types import BoolArray, IntArray
from mnist_svm.datasets.orientation import UPRIGHT
from mnist_svm.evaluation.doubts import LabelReadings
from mnist_svm.evaluation.inspection import PartFacts

LabelFault = tuple[str, Literal["fault", "warning", "remark"], str]

# Images that a class needs to be judged.
MIN_OF_CLASS = 5
# Fraction of a class that is read as one class, so that it is that class.
MIN_PURITY = 0.6
# Fraction of a class that is surely read as one other class, so that it is partly that class.
MIN_OTHER = 0.3
# Fraction of a class that is read right, below which its images are not those of the class.
MIN_RIGHT = 0.5
# Fraction of all classes that a rule must hold for, and number of classes that one needs.
MIN_OF_CLASSES, MIN_CLASSES = 0.8, 5
# Fraction in MNIST form from which images are prepared like MNIST's, and accuracy from which they
# need not be.
MIN_IN_FORM, MIN_RIGHT_WITHOUT = 0.5, 0.9
# Images of a run that is judged on its own, and number of runs at most; accuracy of one with wrong
# labels, and of the others.
RUN, MAX_RUNS, MAX_RIGHT_IN_RUN, MIN_RIGHT_ELSEWHERE = 50, 50, 0.4, 0.85
# Confidence of a reading that speaks against a label, and fraction of such images from which labels
# are wrong: of MNIST's test images, 0.2 % are read so.
SURE, MAX_DOUBTED = 0.95, 0.015


def find_label_faults(part: PartFacts) -> Iterator[LabelFault]:
    """Yield key, severity and message of each fault of the labels of a part.

    Without readings there are none; and where the model does not see digits, a single remark.
    """
    readings, found = part.readings, part.orientation
    if readings is None or found is None:
        return
    if found.name != UPRIGHT:
        message = (
            f"the images are {found.description}: the model reads {found.as_stored:.0%} right as "
            f"stored, {found.accuracy:.0%} upright; read them with --orientation {found.name}"
        )
        yield "orientation", "fault", message
    if not part.is_plausible and readings.accuracy < MIN_RIGHT:
        median = float(np.median(readings.confidence))
        message = (
            f"the model reads {readings.accuracy:.0%} right, with a median confidence of "
            f"{median:.2f}: the images are not like its classes; train a model on this set"
        )
        yield "not-read", "remark", message
        return
    off = _find_run_of_wrong_labels(readings)
    if off is not None:
        yield _describe_run(readings, off)
        readings = readings.select(~off)
    yield from _find_systematic_faults(readings, is_in_form=part.in_mnist_form >= MIN_IN_FORM)


def _find_run_of_wrong_labels(readings: LabelReadings) -> BoolArray | None:
    """Find consecutive images with labels at random among others that are read right, or None.

    A line that is missing in a file of labels moves all labels behind it.
    """
    n_runs = min(len(readings.rows) // RUN, MAX_RUNS)
    if n_runs < 2:
        return None
    runs = np.array_split(np.arange(len(readings.rows)), n_runs)
    right = np.array([readings.correct[run].mean() for run in runs])
    wrong = right < MAX_RIGHT_IN_RUN
    # Of a set that is sorted, a run has few classes: then a class is wrong, not a run.
    varied = [len(np.unique(readings.labels[run])) >= MIN_CLASSES for run in runs]
    if not wrong.any() or wrong.all() or not np.all(varied):
        return None
    if np.median(right[~wrong]) < MIN_RIGHT_ELSEWHERE:
        return None
    off = np.zeros(len(readings.rows), np.bool_)
    # A run at either end may have labels of both kinds.
    for index in np.flatnonzero(right < MIN_RIGHT_ELSEWHERE):
        off[runs[index]] = True
    return off


def _describe_run(readings: LabelReadings, off: BoolArray) -> LabelFault:
    rows = readings.rows[off]
    right, other = readings.correct[off].mean(), readings.correct[~off].mean()
    message = (
        f"of images {rows[0]:,} to {rows[-1]:,}, about, {right:.0%} of the labels are read, of the "
        f"others {other:.0%}: a label or an image may be missing or twice there"
    )
    return "misaligned-labels", "fault", message


def _find_systematic_faults(readings: LabelReadings, *, is_in_form: bool) -> Iterator[LabelFault]:
    matrix = readings.matrix()
    counts = matrix.sum(axis=1)
    judged = np.flatnonzero(counts >= MIN_OF_CLASS)
    if len(judged) < 2:
        return
    shares = matrix[judged] / counts[judged, None]
    read_as = {
        row: int(share.argmax())
        for row, share in zip(judged.tolist(), shares, strict=True)
        if share.max() >= MIN_PURITY
    }
    moved = {row: column for row, column in read_as.items() if row != column}
    explained: set[int] = set()
    for fault, rows in _explain_moves(readings.names, moved, len(judged)):
        explained |= rows
        yield fault
    left = [row for row in judged.tolist() if row not in explained]
    unread = [row for row in left if row not in read_as]
    if len(judged) >= MIN_CLASSES and len(unread) >= MIN_OF_CLASSES * len(judged):
        message = (
            f"labels and images do not belong together: {readings.accuracy:.0%} of the labels are "
            "read, and each class shows all kinds of digits; check the order of images and of "
            "labels"
        )
        yield "labels-at-random", "fault", message
    elif not is_in_form and not explained and readings.accuracy < MIN_RIGHT_WITHOUT:
        message = (
            f"the model reads {readings.accuracy:.0%} right, because the images have not MNIST's "
            "form, bright digits of 20 x 20 pixels, centred on black; pass them as picture files, "
            "which are normalized"
        )
        yield "poorly-read", "warning", message
    else:
        yield from _find_doubtful_labels(readings, matrix, left)


def _find_doubtful_labels(
    readings: LabelReadings, matrix: IntArray, rows: Sequence[int]
) -> Iterator[LabelFault]:
    """Yield the doubtful ones of some classes, and single labels of the others."""
    sure = readings.matrix(readings.confidence >= SURE)
    doubtful = dict(_find_doubtful_classes(readings.names, matrix, sure, rows))
    yield from doubtful.values()
    sane = np.isin(readings.labels, [row for row in rows if row not in doubtful])
    yield from _find_wrong_labels(readings, sane)


def _explain_moves(
    names: tuple[str, ...], moved: dict[int, int], n_judged: int
) -> Iterator[tuple[LabelFault, set[int]]]:
    """Yield faults that explain classes which are read as others, with the classes explained."""
    left = dict(moved)
    if [(names[row], names[column]) for row, column in left.items()] == [("10", "0")]:
        yield ("label-10", "warning", "label 10 stands for 0; make it 0"), set(left)
        return
    if left and len(left) >= MIN_OF_CLASSES * n_judged:
        yield _describe_permutation(names, left), set(left)
        return
    for row, column in sorted(moved.items()):
        if row < column and left.get(column) == row:
            message = f"the labels {names[row]} and {names[column]} are exchanged"
            yield ("exchanged-classes", "fault", message), {row, column}
            del left[row], left[column]


def _find_doubtful_classes(
    names: tuple[str, ...], matrix: IntArray, sure: IntArray, rows: Sequence[int]
) -> Iterator[tuple[int, LabelFault]]:
    """Yield each class that is read as another one for sure, or as no class in particular."""
    for row in rows:
        counts = matrix[row]
        n, right = int(counts.sum()), int(counts[row])
        others = np.where(np.arange(len(counts)) == row, 0, sure[row])
        column = int(others.argmax())
        start = f"of the {n:,} images of class {names[row]}, {right:,} are read so"
        if others[column] >= MIN_OTHER * n:
            message = f"{start}, {others[column]:,} as {names[column]}; look at them with --sheet"
            yield row, ("class-read-as-another", "fault", message)
        elif right < MIN_RIGHT * n:
            message = f"{start}, the others as no class in particular; look at them with --sheet"
            yield row, ("unreadable-class", "warning", message)


def _describe_permutation(names: tuple[str, ...], moved: dict[int, int]) -> LabelFault:
    """Describe labels of which nearly every one stands for another digit."""
    listed = ", ".join(f"{names[row]} is {names[column]}" for row, column in sorted(moved.items()))
    permuted: LabelFault = (
        "permuted-classes",
        "fault",
        f"labels stand for other classes: {listed}; recode them",
    )
    if not all(name.lstrip("-").isdecimal() for name in names):
        return permuted
    steps = [(int(names[row]) - int(names[column])) % 10 for row, column in moved.items()]
    step = max(set(steps), key=steps.count)
    if steps.count(step) >= MIN_OF_CLASSES * len(steps):
        off, remedy = ("large", "subtract it") if step <= 5 else ("small", "add it")
        message = f"labels are {min(step, 10 - step)} too {off} (9 is followed by 0); {remedy}"
        return "shifted-labels", "fault", message
    return permuted


def _find_wrong_labels(readings: LabelReadings, sane: BoolArray) -> Iterator[LabelFault]:
    doubted = sane & ~readings.correct & (readings.confidence >= SURE)
    n, count = int(sane.sum()), int(doubted.sum())
    if n and count >= max(MAX_DOUBTED * n, 3):
        message = (
            f"{count:,} of {n:,} labels ({count / n:.1%}) are contradicted with a confidence of "
            f"{SURE:.0%} or more; look at them with --doubts {min(count, 100)}"
        )
        yield "wrong-labels", "warning", message
