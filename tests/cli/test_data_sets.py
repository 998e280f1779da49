"""What commands say of other people's data sets, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mnist_svm import load_dataset, save_model, train_model
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.formats.folder import write_folder
from tests.support.any_shape import WORDS

N = 200


@pytest.fixture
def digits(test_set):
    return test_set.images[:N], test_set.labels[:N]


def as_csv(tmp_path, images, labels):
    write_csv(tmp_path / "digits.csv", images, labels)
    return tmp_path / "digits.csv"


def as_folder(tmp_path, images, labels):
    write_folder(tmp_path / "digits", images, labels)
    return tmp_path / "digits"


def as_npz(tmp_path, images, labels):
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    return tmp_path / "digits.npz"


TURNED = {
    "transposed": (as_csv, lambda images: images.transpose(0, 2, 1)),
    "mirrored": (as_folder, lambda images: images[:, :, ::-1]),
    "turned-left": (as_npz, lambda images: np.rot90(images, axes=(1, 2))),
    "flipped": (as_csv, lambda images: images[:, ::-1]),
}


@pytest.mark.parametrize("name", TURNED)
def test_a_set_that_is_turned_is_told_and_can_be_turned(run, tmp_path, digits, name):
    write, turn = TURNED[name]
    path = write(tmp_path, np.ascontiguousarray(turn(digits[0])), digits[1])
    told = run("eval", "--data", path)
    assert f"to turn them upright: --orientation {name}" in told.stderr
    turned = run("eval", "--data", path, "--orientation", name)
    assert "--orientation" not in turned.stderr
    assert float(turned.stdout.split()[1].rstrip("%")) > 98


def test_an_upright_set_is_not_told(run, tmp_path, digits):
    assert "orientation" not in run("eval", "--data", as_csv(tmp_path, *digits)).stderr


def test_predict_and_convert_turn_images(run, tmp_path, digits):
    path = as_csv(tmp_path, digits[0].transpose(0, 2, 1), digits[1])
    options = ("--orientation", "transposed")
    assert run("convert", path, tmp_path / "out.npz", *options).exit_code == 0
    np.testing.assert_array_equal(load_dataset(tmp_path / "out.npz").images, digits[0])
    lines = run("predict", "--data", path, *options).stdout.splitlines()
    right = sum(int(x.split("\t")[1]) == label for x, label in zip(lines, digits[1], strict=True))
    assert right > 0.98 * N


@pytest.mark.parametrize(
    "names", [WORDS, [f"digit_{digit}" for digit in range(10)], ["null", *WORDS[1:]]]
)
def test_names_that_mean_digits_are_those_of_the_model(run, tmp_path, digits, names):
    write_folder(tmp_path / "set", *digits, dict(enumerate(names)))
    result = run("eval", "--data", tmp_path / "set")
    assert float(result.stdout.split()[1].rstrip("%")) > 98


def test_a_class_that_test_lacks_changes_nothing(run, tmp_path, digits):
    images, labels = digits
    rest = ~np.isin(labels, [5, 8])
    words = {digit: f"sign {chr(97 + digit)}" for digit in range(10)}
    write_folder(tmp_path / "train", images, labels, words)
    write_folder(tmp_path / "test", images[rest], labels[rest], words)
    model = tmp_path / "m.joblib"
    assert run("train", "--data", tmp_path, "-o", model).exit_code == 0
    result = run("eval", "-m", model, "--data", tmp_path)
    assert float(result.stdout.split()[1].rstrip("%")) > 98


REFUSED = {
    "words": {digit: f"sign {digit}a" for digit in range(10)},
    "a folder more": {9: "unsorted"},
    "numbers": {9: "12"},
}


@pytest.mark.parametrize("names", REFUSED.values(), ids=REFUSED)
def test_classes_that_the_model_does_not_know_are_refused(run, tmp_path, digits, names):
    write_folder(tmp_path / "set", *digits, names)
    result = run("eval", "--data", tmp_path / "set")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("mnist-svm: error: ")
    assert "the model does not know the class" in result.stderr
    assert "the model 0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in result.stderr


def test_labels_without_names_are_told_where_the_model_has_some(run, tmp_path, digits):
    write_folder(tmp_path / "words", *digits, {digit: f"{digit}st" for digit in range(10)})
    save_model(tmp_path / "m.joblib", train_model("poly4", load_dataset(tmp_path / "words")))
    result = run("eval", "-m", tmp_path / "m.joblib", "--data", as_csv(tmp_path, *digits))
    assert "labels without names, which are taken as the model's: 0 = 0st, 1 = 1st" in result.stderr
    assert result.exit_code == 0


def test_predict_tells_what_was_mended(run, tmp_path, digits):
    images = digits[0].copy()
    images[:50] = 255 - images[:50]
    result = run("predict", "--data", as_csv(tmp_path, images, digits[1]))
    assert "has dark ink on a bright background in 50 of 200 images" in result.stderr


def test_a_single_picture_among_many_is_read_like_its_file(run, tmp_path, digits):
    """One picture of 28 x 28 on paper among larger ones was read as another digit."""
    images, labels = digits
    folder = tmp_path / "set"
    for i, (image, label) in enumerate(zip(images[:40], labels, strict=False)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        side = 28 if i == 3 else 45
        paper = Image.fromarray(235 - (image * 0.7).astype(np.uint8)).resize((side, side))
        paper.save(folder / str(label) / f"{i:02}.png")
    by_set = run("predict", "--data", folder).stdout.splitlines()[3].split("\t")[1:]
    by_file = run("predict", *folder.glob("*/03.png")).stdout.split("\t")[1:]
    assert by_set[0] == by_file[0] == str(labels[3])
