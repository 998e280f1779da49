"""Tests of teaching: corrections, training images, and what a taught model reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_svm import FormatError, Recognizer, load_dataset, load_model, train_model
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.exceptions import DataMissingError
from mnist_svm.training.teach import MAX_LEFT_OUT, load_corrections, load_training_images, teach
from mnist_svm.training.train import select_rows
from tests.support.hand import HAND, write
from tests.support.paths import DATA

N_TAUGHT = 5


@pytest.fixture(scope="module")
def written(train_set) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Five images of each digit of the hand, five others, and their labels."""
    digits = write(train_set.images, train_set.labels, 2 * N_TAUGHT, seed=0)
    first = np.concatenate([images[:N_TAUGHT] for images in digits.values()])
    others = np.concatenate([images[N_TAUGHT:] for images in digits.values()])
    return first, others, np.repeat(list(digits), N_TAUGHT)


@pytest.fixture(scope="module")
def corrections(written, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "corrections"
    write_folder(folder, written[0], written[2])
    return folder


def read(model, images: np.ndarray) -> np.ndarray:
    return Recognizer(model).classify(images).labels


@pytest.mark.slow
def test_five_examples_teach_a_hand_and_mnist_stays(written, corrections, test_set):
    model = load_model()
    _, others, labels = written
    loaded = load_corrections(corrections, model.info)
    taught = teach(model, loaded, load_training_images(model.info, str(corrections), DATA)).model
    assert (read(model, others) == labels).sum() <= 10
    assert (read(taught, others) == labels).sum() >= 18
    errors = [(read(m, test_set.images) != test_set.labels).sum() for m in (model, taught)]
    assert errors[1] <= errors[0] + 3


@pytest.fixture(scope="module")
def first_teaching(small_model, corrections):
    return teach(small_model, load_corrections(corrections, small_model.info))


@pytest.mark.slow
def test_support_vectors_stand_for_the_training_images(
    first_teaching, small_model, written, test_set
):
    _, others, labels = written
    n_right = [(read(m, others) == labels).sum() for m in (small_model, first_teaching.model)]
    assert n_right[1] >= n_right[0] + 5
    images, truth = test_set.images[:2000], test_set.labels[:2000]
    errors = [(read(m, images) != truth).mean() for m in (small_model, first_teaching.model)]
    assert errors[1] < errors[0] + 0.02


@pytest.mark.slow
def test_what_changed_is_counted_on_corrections_that_were_left_out(
    first_teaching, small_model, written
):
    first, others, labels = written
    counted = first_teaching.corrections
    assert first_teaching.n_corrections == len(labels)
    assert counted.n == MAX_LEFT_OUT
    rows = np.linspace(0, len(labels) - 1, MAX_LEFT_OUT).round().astype(int)
    assert counted.before == (read(small_model, first[rows]) != labels[rows]).sum()
    # Not those of the taught model, which has learned all of them.
    assert (read(first_teaching.model, first) != labels).sum() == 0
    unseen = (read(first_teaching.model, others) != labels).sum()
    assert abs(counted.after / counted.n - unseen / len(labels)) <= 0.3


@pytest.mark.slow
def test_the_model_records_what_it_was_taught_once(first_teaching, corrections):
    again = load_corrections(corrections, first_teaching.model.info)
    model = teach(first_teaching.model, again).model
    for taught in (first_teaching.model, model):
        mnist, recorded = taught.info.training.sets
        assert (mnist.name, recorded.name) == ("mnist", str(corrections))
        assert recorded.n_images == len(HAND) * N_TAUGHT
        assert recorded.sha256 == again.sha256
        assert taught.info.cross_validation is None


def test_the_training_images_are_those_of_the_model(small_model, train_set):
    loaded = load_training_images(small_model.info, "corrections", DATA)
    rows = select_rows(train_set, 6000, small_model.info.training.random_state)
    assert np.array_equal(loaded.images, train_set.images[rows])
    assert np.array_equal(loaded.labels, train_set.labels[rows])


def test_images_that_were_turned_for_the_training_are_turned_again(tmp_path, train_set):
    path = tmp_path / "train.csv"
    write_csv(path, train_set.images[:400].transpose(0, 2, 1), train_set.labels[:400])
    model = train_model("poly4", load_dataset(path, orientation="transposed"))
    loaded = load_training_images(model.info, "corrections", DATA)
    assert np.array_equal(loaded.images, train_set.images[:400])


def test_other_training_images_of_the_same_name_are_refused(small_model, tmp_path, train_set):
    write_folder(tmp_path / "0", train_set.images[:20], train_set.labels[:20])
    with pytest.raises(DataMissingError):
        load_training_images(small_model.info, "corrections", tmp_path)


def test_a_picture_counts_once(small_model, tmp_path, train_set):
    for name in ("a.png", "b.png"):
        path = tmp_path / str(train_set.labels[0]) / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(train_set.images[0]).save(path)
    assert len(load_corrections(tmp_path, small_model.info).labels) == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("3", "5"), "the same picture is in 3 and in 5; remove one"),
        (("12",), "expected one sub-folder per label, of 0, 1, 2, .+, 9; found 12"),
        (("cat", "dog"), "expected one sub-folder per label, of 0, 1, 2, .+, 9; found cat, dog"),
    ],
)
def test_corrections_that_teach_nothing_are_refused(
    small_model, tmp_path, train_set, names, message
):
    for name in names:
        (tmp_path / name).mkdir()
        Image.fromarray(train_set.images[0]).save(tmp_path / name / "a.png")
    with pytest.raises(FormatError, match=message):
        load_corrections(tmp_path, small_model.info)


def test_a_model_with_a_network_is_not_taught(tmp_path, small_model):
    info = replace(small_model.info, recipe="cnn", n_weights=1000)
    with pytest.raises(FormatError, match="recipe cnn, has a network, which a few images cannot"):
        load_corrections(tmp_path, info)


def test_a_model_of_several_svms_is_not_trained_again(small_model):
    with pytest.raises(FormatError, match="several SVMs"):
        load_training_images(replace(small_model.info, n_svms=3), "corrections", DATA)
