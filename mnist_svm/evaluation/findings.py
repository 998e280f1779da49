"""Faults of a data set, from the facts of its parts: each one sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from mnist_svm._types import BoolArray
from mnist_svm.evaluation.doubts import order_names
from mnist_svm.evaluation.inspection import MAX_DIM, PartFacts
from mnist_svm.evaluation.label_faults import find_label_faults
from mnist_svm.pictures.mnist_form import CENTRE, DIGIT_SIDE

Severity = Literal["fault", "warning", "remark"]


@dataclass(frozen=True)
class Finding:
    """Something about a data set that a person should know before using it.

    Attributes
    ----------
    key : stable name of the kind
    severity : "fault" if labels or images are wrong as they are, "warning" if they may harm,
        "remark" if it only needs to be known
    part : "train", "test" or "all"; "" for what is between the parts
    message : one sentence, with counts and what to do
    """

    key: str
    severity: Severity
    part: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return asdict(self)

    def to_line(self) -> str:
        """Return the finding as one line."""
        where = f"{self.part}: " if self.part not in {"", "all"} else ""
        return f"{self.severity:<8} {where}{self.message} [{self.key}]"


# Fraction of the images from which a fault of single images is one of the set; and the same, of
# objects that are no digits, for backgrounds that are not dark: a coat may fill the image.
MIN_SHARE, MIN_SHARE_OF_OBJECTS = 0.01, 0.15
# Fraction of copies from which they are more than a remark: within a part, and between parts.
MIN_COPIES, MIN_ACROSS = 0.01, 0.005
# Longest and shortest digits, in pixels: those of EMNIST are 24 long.
LARGEST_SIDE, SMALLEST_SIDE = 26, DIGIT_SIDE - 7
# Distance of the typical centre of mass from MNIST's, in pixels; and what it must be at least where
# all digits are placed alike: half of them within so many pixels.
MAX_OFFSET, MAX_SHIFT, ALIKE = 3.0, 0.75, 0.8
# Ratio of the largest to the smallest class.
MAX_IMBALANCE = 10
# Images of a class that are too few to train or to test on.
FEW_OF_CLASS = 10
# Numbers that a set of classes has, so that numbers between them are expected.
MIN_CLASSES = 5
# Images of a set that may have numbers of rows for labels.
MIN_OF_INDEX = 20
# Difference of the fractions in MNIST form between train and test.
MAX_FORM_DIFFERENCE = 0.5


def find_faults(parts: Sequence[PartFacts]) -> list[Finding]:
    """Find the faults of a data set: the gravest first, then in the order of the parts.

    Parameters
    ----------
    parts : sequence of PartFacts
        All parts, or those that were chosen.

    Returns
    -------
    list of Finding
        Empty for a data set like MNIST.
    """
    found = [finding for part in parts for rule in _RULES for finding in rule(part)]
    found += [
        Finding(key, severity, part.name, message)
        for part in parts
        for key, severity, message in find_label_faults(part)
    ]
    found += _missing_classes(parts)
    found += _copies_labelled_otherwise(parts)
    by_name = {part.name: part for part in parts}
    if {"train", "test"} <= by_name.keys():
        for compare in _COMPARISONS:
            found += compare(by_name["train"], by_name["test"])
    order: tuple[Severity, ...] = ("fault", "warning", "remark")
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _share(count: int, n: int) -> str:
    return f"{count:,} of {n:,} images ({count / n:.1%})"


def _polarity(part: PartFacts) -> Iterator[Finding]:
    count, n = part.n_faulty["dark_ink"], part.n
    if count < _least_share(part) * n:
        return
    if n - count < MIN_SHARE * n:
        message = f"{_share(count, n)} have dark ink on a bright background; subtract from 255"
        yield Finding("inverted", "fault", part.name, message)
        return
    message = (
        f"{_share(count, n)} have dark ink on a bright background, the others bright ink on a "
        "dark one; subtract those from 255"
    )
    yield Finding("mixed-polarity", "fault", part.name, message)


def _least_share(part: PartFacts) -> float:
    return MIN_SHARE if part.shows_digits else MIN_SHARE_OF_OBJECTS


def _damaged_images(part: PartFacts) -> Iterator[Finding]:
    kinds = {
        "grey_ground": ("grey-ground", "have a grey background; subtract it, so that it is 0"),
        "framed": ("frame", "have a frame around the digit; crop them, or set it to 0"),
        "noise": ("noise", "are noise without any strokes; remove them"),
    }
    for fault, (key, remedy) in kinds.items():
        count = part.n_faulty[fault]
        if count >= (MIN_SHARE if fault == "noise" else _least_share(part)) * part.n:
            yield Finding(key, "fault", part.name, f"{_share(count, part.n)} {remedy}")


def _blank_images(part: PartFacts) -> Iterator[Finding]:
    blank = part.measures.blank
    if not blank.any():
        return
    of_class = _classes_mostly(part, blank)
    if of_class:
        n = sum(part.counts[name] for name in of_class)
        message = f"the {n:,} images of {_list_classes(of_class)} are blank; remove them"
        yield Finding("blank-class", "fault", part.name, message)
    count = int(blank.sum()) - sum(part.counts[name] for name in of_class)
    if count > 0:
        n_white = int((blank & (part.measures.lowest > MAX_DIM)).sum())
        white = f", {n_white:,} of them all white" if n_white else ""
        message = f"{_share(count, part.n)} are blank{white}; remove them"
        yield Finding("blank", "warning", part.name, message)


def _classes_mostly(part: PartFacts, flags: BoolArray) -> list[str]:
    """Names of the classes of which nine in ten images are flagged."""
    if part.labels is None:
        return []
    counts = np.bincount(part.labels[flags], minlength=len(part.names)).tolist()
    return [name for name, n in zip(part.names, counts) if n and n >= 0.9 * part.counts[name]]


def _values(part: PartFacts) -> Iterator[Finding]:
    levels = np.flatnonzero(part.measures.levels)
    highest = int(levels[-1])
    if highest <= MAX_DIM and not part.measures.blank.all():
        message = f"the brightest pixel is {highest}, expected 255; scale the values to 0-255"
        yield Finding("dim", "fault", part.name, message)
    if len(levels) == 2:
        message = f"all pixels are {levels[0]} or {levels[1]}, without grey levels between"
        yield Finding("binary", "remark", part.name, message)


def _label_in_pixels(part: PartFacts) -> Iterator[Finding]:
    """Find a column of labels that was read as the first or last pixel."""
    measures = part.measures
    edges = {"last": measures.last_pixel, "first": measures.first_pixel}
    for position, counts in edges.items():
        values = np.flatnonzero(counts)
        # Ink at the corner has large values, and is rare.
        is_label = len(values) >= 3 and values[-1] <= 30 and counts[0] < 0.7 * part.n
        if is_label and measures.last_but_one[0] >= 0.99 * part.n:
            message = (
                f"the {position} pixel has {len(values)} values from {values[0]} to {values[-1]}, "
                "as labels have; the columns are shifted by one: check which one is the label"
            )
            yield Finding("label-in-pixels", "fault", part.name, message)


def _place_and_size(part: PartFacts) -> Iterator[Finding]:
    measures = part.measures
    if not part.shows_digits or not measures.sound.any():
        return
    side = float(np.median(measures.longer_side[measures.sound]))
    if side < SMALLEST_SIDE or side > LARGEST_SIDE:
        size = "small" if side < SMALLEST_SIDE else "large"
        message = (
            f"digits are {side:.0f} pixels long, MNIST's {DIGIT_SIDE}: too {size}; scale them, or "
            "pass them as picture files, which are normalized"
        )
        yield Finding(f"too-{size}", "warning", part.name, message)
    offsets = measures.centre[measures.sound] - CENTRE
    distance = float(np.median(np.hypot(*offsets.T)))
    typical = np.median(offsets, axis=0)
    spread = np.subtract(*np.quantile(offsets, [0.75, 0.25], axis=0)).max()
    if distance > MAX_OFFSET:
        message = (
            f"the centre of mass is {distance:.1f} pixels off MNIST's in half of the images; move "
            f"it to pixel ({CENTRE}, {CENTRE})"
        )
        yield Finding("off-centre", "warning", part.name, message)
    elif spread <= ALIKE and np.abs(typical).max() >= MAX_SHIFT:
        # Without the sign of a negative zero.
        down, right = np.round(typical, 1) + 0.0
        message = (
            f"all images are shifted, by {down:.1f} rows down and {right:.1f} columns to the right "
            "from MNIST's place; pixel columns may have been read from the wrong one on"
        )
        yield Finding("shifted-images", "warning", part.name, message)


def _several_digits(part: PartFacts) -> Iterator[Finding]:
    if not part.shows_digits:
        return
    count = int((part.measures.split & part.measures.sound).sum())
    if count >= max(MIN_SHARE * part.n, 3):
        message = (
            f"{_share(count, part.n)} seem to show two digits; cut them in two, or remove them"
        )
        yield Finding("several-digits", "warning", part.name, message)


def _class_sizes(part: PartFacts) -> Iterator[Finding]:
    if part.labels is None:
        yield Finding("no-labels", "remark", part.name, "there are no labels")
        return
    counts = {name: n for name, n in part.counts.items() if n}
    if len(counts) == 1:
        message = f"every label is {next(iter(counts))}; check which column or file is the label"
        yield Finding("one-label", "fault", part.name, message)
        return
    if len(counts) > part.n / 2 and part.n >= MIN_OF_INDEX:
        message = (
            f"{part.n:,} images have {len(counts):,} classes: labels may be numbers of rows; check "
            "which column is the label"
        )
        yield Finding("label-is-index", "fault", part.name, message)
        return
    largest, smallest = (choose(counts, key=lambda x: counts[x]) for choose in (max, min))
    if counts[largest] >= MAX_IMBALANCE * counts[smallest]:
        message = (
            f"class {largest} has {counts[largest]:,} images, class {smallest} only "
            f"{counts[smallest]:,}; collect more of the latter"
        )
        yield Finding("imbalance", "warning", part.name, message)
    few = [name for name, n in counts.items() if n < FEW_OF_CLASS]
    if few:
        message = (
            f"{_list_classes(few)} {'has' if len(few) == 1 else 'have'} fewer than {FEW_OF_CLASS} "
            "images, too few to train or to judge"
        )
        yield Finding("few-images", "warning", part.name, message)


def _missing_classes(parts: Sequence[PartFacts]) -> Iterator[Finding]:
    """Find classes that are named, or numbers between those of others, but have no image."""
    named = {name for part in parts for name in part.names}
    present = {name for part in parts for name, n in part.counts.items() if n}
    if len(present) >= MIN_CLASSES and all(name.isdecimal() for name in present):
        numbers = sorted(map(int, present))
        first, last = numbers[0], numbers[-1]
        if last <= 9:
            first, last = 0, 9
        # A set of a few numbers is meant to be one.
        if len(numbers) > (last - first + 1) / 2:
            named |= {str(number) for number in range(first, last + 1)}
    if missing := order_names(named - present):
        message = f"{_list_classes(missing)} {'has' if len(missing) == 1 else 'have'} no images"
        yield Finding("missing-class", "warning", "", message)


def _list_classes(names: Sequence[str]) -> str:
    listed = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"class {listed}" if len(names) == 1 else f"classes {listed}"


def _order(part: PartFacts) -> Iterator[Finding]:
    labels = part.labels
    # Names of files have an order anyway.
    if part.pictures or labels is None or len(labels) < 2 or labels[0] == labels[-1]:
        return
    steps = np.flatnonzero(np.diff(labels))
    if len(steps) == len(np.unique(labels)) - 1:
        message = "images are sorted by class; shuffle them before taking the first of them"
        yield Finding("sorted", "remark", part.name, message)


def _copies(part: PartFacts) -> Iterator[Finding]:
    if count := part.n_copies:
        severity: Severity = "warning" if count >= MIN_COPIES * part.n else "remark"
        message = f"{_share(count, part.n)} are copies of other images; remove them"
        yield Finding("duplicates", severity, part.name, message)


def _copies_labelled_otherwise(parts: Sequence[PartFacts]) -> Iterator[Finding]:
    labelled = [part for part in parts if part.labels is not None]
    if not labelled:
        return
    names = sorted({name for part in labelled for name in part.names})
    positions = {name: position for position, name in enumerate(names)}
    digests, codes = [], []
    for part in labelled:
        ranks = np.array([positions[name] for name in part.names])
        inked = ~part.measures.blank
        digests.append(part.measures.digest[inked])
        codes.append(ranks[part.labels][inked])
    digest, code = np.concatenate(digests), np.concatenate(codes)
    order = np.lexsort((code, digest))
    digest, code = digest[order], code[order]
    differs = (digest[1:] == digest[:-1]) & (code[1:] != code[:-1])
    if count := len(np.unique(digest[1:][differs])):
        message = f"{count:,} images are there twice or more with different labels; decide on one"
        yield Finding("contradictions", "warning", "", message)


def _copies_across(train: PartFacts, test: PartFacts) -> Iterator[Finding]:
    known = np.isin(test.measures.digest, train.measures.digest) & ~test.measures.blank
    if count := int(known.sum()):
        severity: Severity = "warning" if count >= MIN_ACROSS * test.n else "remark"
        message = f"{_share(count, test.n)} of test are in train as well; remove them from train"
        yield Finding("duplicates-across", severity, "", message)


def _classes_differ(train: PartFacts, test: PartFacts) -> Iterator[Finding]:
    if train.labels is None or test.labels is None:
        return
    in_train, in_test = ({n for n, count in x.counts.items() if count} for x in (train, test))
    if only := in_test - in_train:
        message = f"{_list_classes(order_names(only))} of test cannot be learnt: no images in train"
        yield Finding("class-not-in-train", "fault", "", message)
    if only := in_train - in_test:
        message = f"{_list_classes(order_names(only))} of train cannot be judged: no images in test"
        yield Finding("class-not-in-test", "warning", "", message)


def _forms_differ(train: PartFacts, test: PartFacts) -> Iterator[Finding]:
    dark = [x.inverted != (2 * x.n_faulty["dark_ink"] > x.n) for x in (train, test)]
    if dark[0] != dark[1]:
        which = "train" if dark[0] else "test"
        message = f"only {which} is stored with dark ink on a bright background"
        mended = all(2 * x.n_faulty["dark_ink"] <= x.n for x in (train, test))
        advice = "; it is inverted when it is read" if mended else "; subtract it from 255"
        yield Finding("polarity-differs", "warning", "", message + advice)
    elif abs(train.in_mnist_form - test.in_mnist_form) > MAX_FORM_DIFFERENCE:
        message = (
            f"{train.in_mnist_form:.0%} of train are in MNIST form, and {test.in_mnist_form:.0%} "
            "of test; prepare both in the same way"
        )
        yield Finding("form-differs", "warning", "", message)


_RULES = (
    _polarity,
    _damaged_images,
    _blank_images,
    _values,
    _label_in_pixels,
    _place_and_size,
    _several_digits,
    _class_sizes,
    _order,
    _copies,
)
_COMPARISONS = (_copies_across, _classes_differ, _forms_differ)
