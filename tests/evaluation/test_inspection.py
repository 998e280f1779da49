"""Faults that are planted in data sets of MNIST's digits are named, and others are not."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mnist_svm import Recognizer, load_dataset
from mnist_svm.datasets.types import LabelledImages, no_progress
from mnist_svm.evaluation import image_measures
from mnist_svm.evaluation.findings import find_faults
from mnist_svm.evaluation.image_measures import measure_images
from mnist_svm.evaluation.inspection import inspect_part
from mnist_svm.pictures.normalize import normalize
from tests.support.paths import DATA

N_TRAIN, N_TEST = 1000, 600
RNG = np.random.default_rng


@contextmanager
def show(label):
    yield no_progress


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer.load()


@pytest.fixture(scope="module")
def digits(train_set, test_set):
    """Images and labels of some digits for train and test."""
    return {
        "train": (train_set.images[:N_TRAIN], train_set.labels[:N_TRAIN]),
        "test": (test_set.images[:N_TEST], test_set.labels[:N_TEST]),
    }


def inspect(recognizer, parts, class_names=None, inverted=()):
    """Return the findings of parts, as {key: findings}."""
    facts = [
        inspect_part(
            name,
            LabelledImages(images, labels, class_names or {}, inverted=name in inverted),
            recognizer,
            show,
        )
        for name, (images, labels) in parts.items()
    ]
    found = {}
    for finding in find_faults(facts):
        found.setdefault(finding.key, []).append(finding)
    return found


def of_images(change, parts=("train", "test")):
    """Plant a fault that is made of images (n, 28, 28) in some parts."""

    def plant(digits):
        return {
            name: (change(images) if name in parts else images, labels)
            for name, (images, labels) in digits.items()
        }

    return plant


def of_labels(change):
    def plant(digits):
        return {name: (images, change(labels)) for name, (images, labels) in digits.items()}

    return plant


def of_some(chosen, change):
    """Plant a fault in the images that `chosen` selects by their labels."""

    def plant(digits):
        parts = {}
        for name, (images, labels) in digits.items():
            rows = np.flatnonzero(chosen(labels))
            images = images.copy()
            images[rows] = change(images[rows])
            parts[name] = images, labels
        return parts

    return plant


def without(label, parts=("train", "test")):
    def plant(digits):
        return {
            name: (images[labels != label], labels[labels != label])
            if name in parts
            else (images, labels)
            for name, (images, labels) in digits.items()
        }

    return plant


def every(step):
    return lambda labels: np.arange(len(labels)) % step == 0


def swap(first, second):
    return lambda labels: np.select([labels == first, labels == second], [second, first], labels)


def two_as_five(labels):
    """Label half of the 2s as 5."""
    return np.where((labels == 2) & (np.arange(len(labels)) % 2 == 0), 5, labels)


def wrong_labels(labels):
    rng = RNG(0)
    labels = labels.copy()
    chosen = rng.random(len(labels)) < 0.05
    labels[chosen] = (labels[chosen] + rng.integers(1, 10, chosen.sum())) % 10
    return labels


def copies(count, relabel=lambda labels: labels):
    """Add copies of images of train to train."""

    def plant(digits):
        images, labels = digits["train"]
        more = images[:count], relabel(labels[:count])
        joined = tuple(map(np.concatenate, zip((images, labels), more, strict=True)))
        return {**digits, "train": joined}

    return plant


def copies_across(digits):
    images, labels = digits["train"]
    joined = [np.concatenate([x[20:], y[:20]]) for x, y in zip(digits["test"], (images, labels))]
    return {**digits, "test": tuple(joined)}


def rare(digits):
    """Leave 1 image in 100 of a class."""
    parts = {}
    for name, (images, labels) in digits.items():
        of_class = np.flatnonzero(labels == 4)
        kept = np.delete(np.arange(len(labels)), of_class[: -(len(labels) // 1000)])
        parts[name] = images[kept], labels[kept]
    return parts


def resized(side):
    """Scale the digits by side / 20."""

    def change(images):
        size = round(28 * side / 20)
        out = np.zeros_like(images)
        for image, target in zip(images, out, strict=True):
            large = np.asarray(Image.fromarray(image).resize((size, size), Image.BILINEAR))
            if size >= 28:
                cut = (size - 28) // 2
                target[:] = large[cut : cut + 28, cut : cut + 28]
            else:
                edge = (28 - size) // 2
                target[edge : edge + size, edge : edge + size] = large
        return out

    return change


def framed(images):
    out = images.copy()
    for edge in (np.s_[:, :3], np.s_[:, -3:], np.s_[:, :, :3], np.s_[:, :, -3:]):
        out[edge] = 230
    return out


def on_grey(images):
    return (90 + images.astype(int) * 165 // 255).astype(np.uint8)


def noise(images):
    return RNG(len(images)).integers(0, 256, images.shape, dtype=np.uint8)


def scattered(images):
    """Move each digit to another place."""
    moves = RNG(2).integers(-8, 9, (len(images), 2))
    padded = np.pad(images, ((0, 0), (8, 8), (8, 8)))
    return np.stack(
        [
            image[8 + i : 36 + i, 8 + j : 36 + j]
            for image, (i, j) in zip(padded, moves.tolist(), strict=True)
        ]
    )


def pairs(images):
    """Two digits in each image, side by side."""
    narrow = np.stack(
        [np.asarray(Image.fromarray(image[:, 4:24]).resize((12, 28))) for image in images]
    )
    both = np.zeros_like(images)
    both[:, :, 1:13], both[:, :, 15:27] = narrow, np.roll(narrow, 1, axis=0)
    return both


def letters(count):
    """Letters of a font in MNIST form, of several sizes and slants."""
    out = []
    for index in range(count, 2 * count):
        page = Image.new("L", (120, 120))
        letter = "ABEFGHKMNPQRTVWXY"[index % 17]
        font = ImageFont.load_default(50 + index % 7)
        ImageDraw.Draw(page).text((60, 60), letter, fill=255, font=font, anchor="mm")
        slant = (1, (index % 23 - 11) / 50, 0, 0, 1, 0)
        out.append(normalize(np.asarray(page.transform(page.size, Image.AFFINE, slant))))
    return np.stack(out)


# Bright at the lower edge, dark above.
LIGHT = np.repeat(np.linspace(-100, 95, 28).clip(0), 28).reshape(28, 28).astype(np.uint8)


def one_column_on(images):
    """Read from the second pixel on, as where the last column was read first."""
    return np.roll(images.reshape(len(images), -1), 1, axis=1).reshape(images.shape)


def label_last(digits):
    """Take the first of 785 columns for the label, where the last one is."""
    parts = {}
    for name, (images, labels) in digits.items():
        flat = images.reshape(len(images), -1)
        table = np.column_stack([flat, labels.astype(np.uint8)])
        parts[name] = table[:, 1:].reshape(-1, 28, 28), table[:, 0].astype(np.int64)
    return parts


def sort_by_label(digits):
    parts = {}
    for name, (images, labels) in digits.items():
        order = np.argsort(labels, kind="stable")
        parts[name] = images[order], labels[order]
    return parts


def permuted_labels(labels):
    return np.array([3, 0, 4, 9, 8, 1, 7, 2, 5, 6])[labels]


FAULTS = {
    "mixed polarity": (of_some(every(3), lambda x: 255 - x), "mixed-polarity"),
    "all inverted": (of_images(lambda x: 255 - x), "inverted"),
    "inverted test part": (of_images(lambda x: 255 - x, ["test"]), "polarity-differs"),
    "transposed": (of_images(lambda x: x.transpose(0, 2, 1)), "orientation"),
    "mirrored": (of_images(lambda x: x[:, :, ::-1]), "orientation"),
    "turned by 90 degrees": (of_images(lambda x: np.rot90(x, axes=(1, 2))), "orientation"),
    "upside down": (of_images(lambda x: x[:, ::-1, ::-1]), "orientation"),
    "labels shifted by one": (of_labels(lambda y: (y + 1) % 10), "shifted-labels"),
    "labels from 1": (of_labels(lambda y: y + 1), "shifted-labels"),
    "10 for 0": (of_labels(lambda y: np.where(y == 0, 10, y)), "label-10"),
    "labels in another order": (of_labels(RNG(3).permutation), "labels-at-random"),
    "classes permuted": (of_labels(permuted_labels), "permuted-classes"),
    "two classes exchanged": (of_labels(swap(3, 7)), "exchanged-classes"),
    "a class labelled as another": (of_labels(two_as_five), "class-read-as-another"),
    "one label": (of_labels(np.zeros_like), "one-label"),
    "5 % wrong labels": (of_labels(wrong_labels), "wrong-labels"),
    "a class of blanks": (of_some(lambda y: y == 6, np.zeros_like), "blank-class"),
    "some blanks": (of_some(every(50), np.zeros_like), "blank"),
    "white images": (of_some(every(50), lambda x: np.full_like(x, 255)), "blank"),
    "copies within train": (copies(100), "duplicates"),
    "copies in test": (copies_across, "duplicates-across"),
    "copies with other labels": (copies(30, lambda y: (y + 3) % 10), "contradictions"),
    "no 4 in train": (without(4, ["train"]), "class-not-in-train"),
    "no 4 in test": (without(4, ["test"]), "class-not-in-test"),
    "no 4 at all": (without(4), "missing-class"),
    "100 to 1": (rare, "imbalance"),
    "grey ground": (of_images(on_grey), "grey-ground"),
    "thick frame": (of_images(framed), "frame"),
    "black and white": (of_images(lambda x: np.where(x > 127, 255, 0).astype(np.uint8)), "binary"),
    "noise": (of_some(every(20), noise), "noise"),
    "dim": (of_images(lambda x: (x.astype(int) * 30 // 255).astype(np.uint8)), "dim"),
    "off centre": (of_images(scattered), "off-centre"),
    "too small": (of_images(resized(11)), "too-small"),
    "too large": (of_images(resized(29)), "too-large"),
    "two digits": (of_some(every(10), pairs), "several-digits"),
    "letters as 7": (of_some(lambda y: y == 7, lambda x: letters(len(x))), "unreadable-class"),
    "labels from -1": (of_labels(lambda y: y - 1), "shifted-labels"),
    "labels misaligned": (of_labels(lambda y: np.roll(y, 1)), "labels-at-random"),
    "a label is missing": (
        of_labels(lambda y: np.append(np.delete(y, 290), 0)),
        "misaligned-labels",
    ),
    "numbers of rows": (of_labels(lambda y: np.arange(len(y))), "label-is-index"),
    "uneven light": (of_images(lambda x: np.maximum(x, LIGHT)), "poorly-read"),
    "one column on": (of_images(one_column_on), "shifted-images"),
    "label read as a pixel": (label_last, "label-in-pixels"),
    "sorted": (sort_by_label, "sorted"),
    "test in another form": (of_images(resized(12), ["test"]), "form-differs"),
    "a few images": (lambda d: {k: (x[:30], y[:30]) for k, (x, y) in d.items()}, "few-images"),
    "no labels": (lambda d: {k: (x, None) for k, (x, y) in d.items()}, "no-labels"),
}


# Keys that say how train and test differ; other faults are looked for in train alone.
BETWEEN_PARTS = {
    "polarity-differs",
    "duplicates-across",
    "class-not-in-train",
    "class-not-in-test",
    "form-differs",
}

# What follows of a planted fault, and is said as well.
ALSO = {
    "inverted test part": {"inverted"},
    "copies with other labels": {"duplicates", "wrong-labels"},
    "100 to 1": {"few-images"},
    "label read as a pixel": {"one-label", "shifted-images"},
    "numbers of rows": {"sorted"},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named_and_no_other(recognizer, digits, name):
    plant, key = FAULTS[name]
    parts = plant(digits)
    if key not in BETWEEN_PARTS:
        del parts["test"]
    found = inspect(recognizer, parts)
    assert found.keys() == {key} | ALSO.get(name, set())
    for findings in found.values():
        assert all(finding.message and "\n" not in finding.message for finding in findings)


def test_at_least_30_faults_are_planted():
    assert len({key for _, key in FAULTS.values()}) >= 30


def test_digits_without_faults_have_none(recognizer, digits):
    assert inspect(recognizer, digits) == {}


@pytest.mark.parametrize("name", ["mnist", "styles"])
def test_the_sets_of_the_repository_have_no_faults(recognizer, name):
    parts = {}
    for split in ("train", "test"):
        dataset = load_dataset(name, split=split, data_dir=DATA)
        step = 4 if split == "train" else 1
        parts[split] = dataset.images[::step], dataset.labels[::step]
    found = inspect(recognizer, parts)
    assert {finding.severity for findings in found.values() for finding in findings} <= {"remark"}
    assert found.keys() <= {"duplicates"}


def clothes(labels):
    """Bright shapes that fill the image, of one kind for each label, as in Fashion-MNIST."""
    rng = RNG(5)
    images = np.zeros((len(labels), 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = 1 + label % 4 * 2, 1 + label // 3 * 2
        body = image[top : 28 - rng.integers(0, 3), left : 28 - left]
        body[:] = rng.integers(90, 256) * rng.uniform(0.75, 1, body.shape)
        if label % 2:
            image[14:, 13:15] = 0
    return images


def coats(labels):
    """Clothes, of which one in ten fills the image."""
    images = clothes(labels)
    images[::10] = RNG(7).integers(150, 200, images[::10].shape) // 25 * 25
    images[::10, 5:, 10:18] = 250
    return images


OTHERS = {
    "coats": (coats, {0: "Shirt", 1: "Trouser", 2: "Dress", 3: "Bag"}, set()),
    "clothes with names": (clothes, {0: "Shirt", 1: "Trouser", 2: "Dress", 3: "Bag"}, set()),
    "clothes by number": (clothes, {}, {"not-read"}),
    "letters with names": (
        lambda y: letters(len(y)),
        {0: "A/a", 1: "B/b", 2: "C/c", 3: "D/d"},
        set(),
    ),
    "letters by number": (lambda y: letters(len(y)), {}, {"not-read"}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_digit_is_not_blamed_for_it(recognizer, name):
    draw, class_names, remarks = OTHERS[name]
    n_classes = len(class_names) or 10
    labels = RNG(6).integers(0, n_classes, 400)
    found = inspect(recognizer, {"all": (draw(labels), labels)}, class_names)
    assert found.keys() - {"duplicates", "contradictions"} == remarks
    assert all(found[key][0].severity == "remark" for key in remarks)


def test_a_class_that_is_named_but_has_no_images_is_missing(recognizer, digits):
    images, labels = digits["train"]
    names = {label: f"kind {label}" for label in range(11)}
    found = inspect(recognizer, {"all": (images, labels)}, names)
    assert found["missing-class"][0].message == "class kind 10 has no images"


def test_a_set_of_a_few_digits_misses_none(recognizer, digits):
    images, labels = digits["train"]
    rows = np.isin(labels, [1, 3, 7])
    assert inspect(recognizer, {"all": (images[rows], labels[rows])}) == {}


def test_a_part_that_was_inverted_when_read_differs_in_polarity(recognizer, digits):
    assert inspect(recognizer, digits, inverted=["test"]).keys() == {"polarity-differs"}


def test_findings_are_ordered_by_severity(recognizer, digits):
    images, labels = digits["train"]
    order = np.argsort(labels, kind="stable")
    images, labels = images[order].copy(), labels[order]
    images[::50], images[1::50] = 0, 255 - images[1::50]
    (*first, last) = (
        x for found in inspect(recognizer, {"all": (images, labels)}).values() for x in found
    )
    assert [x.severity for x in first] == ["fault", "warning"]
    assert (last.key, last.severity) == ("sorted", "remark")


def test_measures_do_not_depend_on_blocks(monkeypatch, digits):
    images = digits["train"][0][:50]
    whole = measure_images(images)
    monkeypatch.setattr(image_measures, "IMAGES_PER_BLOCK", 7)
    for name, values in vars(measure_images(images)).items():
        np.testing.assert_array_equal(values, getattr(whole, name))
