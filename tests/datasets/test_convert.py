"""`convert` and `predict --data`: from every form to every other, and answers for Kaggle."""

from __future__ import annotations

import csv
import json
import signal
import time

import numpy as np
import pytest
from PIL import Image

from mnist_svm import Recognizer, load_dataset
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.load import load_images
from tests.support.paths import DATA, ROOT

# What `convert` is told, and where it writes.
TARGETS = {
    "a folder of idx files": ["idx"],
    "csv files": ["tables", "--to", "csv"],
    "an archive": ["mnist.npz"],
    "pictures": ["pictures", "--to", "images"],
}


@pytest.fixture
def kaggle(tmp_path, train_set, test_set):
    """A folder as Kaggle's digit-recognizer has it, of MNIST's first images."""
    folder = tmp_path / "kaggle"
    folder.mkdir()
    write_csv(folder / "train.csv", train_set.images[:2000], train_set.labels[:2000])
    write_csv(folder / "test.csv", test_set.images[:500], None)
    return folder


@pytest.fixture(scope="module")
def parted(tmp_path_factory, train_set, test_set):
    """A folder with two labelled parts."""
    folder = tmp_path_factory.mktemp("parted")
    write_csv(folder / "train.csv", train_set.images[:300], train_set.labels[:300])
    write_csv(folder / "test.csv", test_set.images[:100], test_set.labels[:100])
    return folder


@pytest.fixture
def sample_of_words(tmp_path, train_set):
    """Ones and sevens in folders called so."""
    for digit, word in ((1, "one"), (7, "seven")):
        folder = tmp_path / "words" / word
        folder.mkdir(parents=True)
        for index in np.flatnonzero(train_set.labels == digit)[:100]:
            Image.fromarray(train_set.images[index]).save(folder / f"{index}.png")
    return tmp_path / "words"


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_set_is_the_same_in_another_form(run, parted, tmp_path, target):
    name, *options = target
    result = run("convert", parted, tmp_path / name, *options)
    assert result.exit_code == 0, result.output
    for split in ("train", "test"):
        before, after = (load_dataset(source, split=split) for source in (parted, tmp_path / name))
        assert dict(before.sha256) == dict(after.sha256)
    assert "300 images (train)" in result.stdout
    assert "100 images (test)" in result.stdout


def test_one_part_goes_into_one_csv_file(run, parted, tmp_path):
    assert run("convert", parted, tmp_path / "out.csv.gz", "--split", "test").exit_code == 0
    np.testing.assert_array_equal(
        load_dataset(tmp_path / "out.csv.gz").labels, load_dataset(parted, split="test").labels
    )


def test_two_parts_do_not_fit_into_one_csv_file(run, parted, tmp_path):
    result = run("convert", parted, tmp_path / "out.csv")
    assert result.exit_code == 2
    assert "has the parts train and test, but a CSV file holds one" in result.output
    assert not list(tmp_path.iterdir())


def test_a_set_that_is_not_parted_is_called_train_as_idx_files(run, parted, tmp_path):
    assert run("convert", parted / "train.csv", tmp_path / "idx").exit_code == 0
    assert len(load_dataset(tmp_path / "idx", split="train").labels) == 300


def test_images_without_labels_stay_without(run, kaggle, tmp_path):
    result = run("convert", kaggle, tmp_path / "kaggle.npz", "--json")
    assert [part["labelled"] for part in json.loads(result.stdout)] == [True, False]
    np.testing.assert_array_equal(
        load_images(tmp_path / "kaggle.npz"), load_images(kaggle, split="test")
    )


def test_that_a_negative_is_taken_is_said(run, tmp_path, train_set):
    write_csv(tmp_path / "paper.csv", 255 - train_set.images[:300], train_set.labels[:300])
    said = f"{tmp_path / 'paper.csv'}: has dark ink on a bright background; the images are inverted"
    assert said in run("convert", tmp_path / "paper.csv", tmp_path / "idx").stderr
    assert said in run("train", "--data", tmp_path / "paper.csv", "-o", tmp_path / "m").stderr
    np.testing.assert_array_equal(load_dataset(tmp_path / "idx").images, train_set.images[:300])


def test_pictures_without_labels_have_no_folder_to_go_to(run, kaggle, tmp_path):
    result = run("convert", kaggle, tmp_path / "pictures", "--to", "images")
    assert result.exit_code == 1
    assert "no labels in its test part" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kaggle"]


def test_a_folder_that_is_not_empty_is_left_as_it_is(run, parted, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    result = run("convert", parted, tmp_path, "--to", "images")
    assert result.exit_code == 1
    assert "exists and is not an empty folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_labels_beyond_a_byte_do_not_fit_idx(run, tmp_path, train_set):
    write_csv(tmp_path / "large.csv", train_set.images[:3], np.array([1, 2, 300]))
    result = run("convert", tmp_path / "large.csv", tmp_path / "idx")
    assert result.exit_code == 1
    assert "the label 300 is over 255, the largest in IDX files" in result.stderr


def test_a_bad_row_leaves_nothing_half_written(run, parted, tmp_path):
    text = (parted / "train.csv").read_text().splitlines()
    (tmp_path / "bad.csv").write_text("\n".join([*text, "1,2,3"]))
    result = run("convert", tmp_path / "bad.csv", tmp_path / "out.npz")
    assert result.exit_code == 1
    assert f"{tmp_path / 'bad.csv'}: line 302: expected 785 values, found 3" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


def test_ctrl_c_while_pictures_are_written_leaves_none(start, tmp_path):
    process = start("convert", "mnist", tmp_path / "pictures", "--to", "images")
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; no incomplete file is left" in err
    assert not list(tmp_path.iterdir())


# Kaggle's round trip.


def submission(path) -> np.ndarray:
    """The labels of a submission, which Kaggle checks like this."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["ImageId", "Label"]
    assert [int(row["ImageId"]) for row in rows] == list(range(1, len(rows) + 1))
    return np.array([int(row["Label"]) for row in rows])


@pytest.mark.slow
def test_a_kaggle_round_trip_gives_what_idx_gives(
    run, tmp_path, train_set, test_set, small_model, monkeypatch
):
    folder = tmp_path / "kaggle"
    folder.mkdir()
    write_csv(folder / "train.csv", train_set.images, train_set.labels)
    write_csv(folder / "test.csv", test_set.images, None)
    monkeypatch.chdir(tmp_path)
    assert run("train", "--data", "kaggle", "--limit", 6000).exit_code == 0
    result = run("predict", "--data", "kaggle/test.csv", "--submission", "submission.csv")
    assert result.exit_code == 0, result.output
    assert "Wrote 10,000 answers to submission.csv" in result.stderr
    np.testing.assert_array_equal(
        submission(tmp_path / "submission.csv"),
        Recognizer(small_model).classify(test_set.images).labels,
    )


def test_the_test_part_is_read_unless_told_otherwise(run, kaggle, tmp_path):
    for options, n in (((), 500), (("--split", "train"), 2000)):
        out = tmp_path / f"{n}.csv"
        assert run("predict", "--data", kaggle, "--submission", out, *options).exit_code == 0
        assert len(submission(out)) == n


def test_without_a_submission_each_image_has_a_line(run, kaggle, test_set):
    result = run("predict", "--data", kaggle, "--top", "2")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [f"{kaggle}:{i}" for i in range(1, 501)]
    right = sum(int(line[1]) == label for line, label in zip(lines, test_set.labels, strict=False))
    assert right >= 495
    assert all(len(line) == 4 for line in lines)


def test_images_of_a_data_set_can_be_shown(run, parted, tmp_path):
    result = run("predict", "--data", parted, "--show", tmp_path / "page.png", "--json")
    assert len(json.loads(result.stdout)) == 100
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_classes_that_are_words_are_told_by_these(run, tmp_path, sample_of_words):
    model = tmp_path / "words.joblib"
    assert run("train", "--data", sample_of_words, "-o", model).exit_code == 0
    picture = ROOT / "images_test" / "7.png"
    assert run("predict", picture, "--model", model).stdout.split("\t")[1] == "seven"
    (told,) = json.loads(run("predict", picture, "--model", model, "--json").stdout)
    assert (told["digit"], told["name"]) == (1, "seven")
    assert "one seven" in run("info", model).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'IMAGE...'"),
        (["7.png", "--data", "mnist"], "give pictures or --data, not both"),
        (["7.png", "--submission", "s.csv"], "--submission needs --data"),
        (
            ["--data", "mnist", "--submission", "s.csv", "--reject-below", "0.9"],
            "no place for a rejected digit",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_wrong_usage(run, arguments, message):
    result = run("predict", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_submission_that_cannot_be_written_is_told_before_anything_is_read(run, tmp_path):
    result = run("predict", "--data", "none", "--submission", tmp_path / "none" / "s.csv")
    assert result.exit_code == 1
    assert "none/s.csv: No such file or directory" in result.stderr


def test_any_form_can_be_evaluated(run, parted, small_model_file):
    told = [
        json.loads(run("eval", "--data", source, "--model", small_model_file, "--json").stdout)
        for source in (parted, parted / "test.csv")
    ]
    assert told[0]["errors"] == told[1]["errors"]
    assert told[0]["n"] == 100


def test_a_model_measured_on_what_it_was_trained_on_says_so(run, parted, tmp_path):
    model = tmp_path / "m.joblib"
    assert run("train", "--data", parted / "train.csv", "-o", model).exit_code == 0
    said = "The model was trained on these very images"
    assert said in run("eval", "--data", parted / "train.csv", "--model", model).stderr
    assert said not in run("eval", "--data", parted / "test.csv", "--model", model).stderr


@pytest.mark.slow
def test_mnist_is_converted_whole(run, tmp_path):
    assert run("convert", "mnist", tmp_path / "m.npz", "--data-dir", DATA).exit_code == 0
    for split in ("train", "test"):
        images = np.load(tmp_path / "m.npz")[f"x_{split}"]
        np.testing.assert_array_equal(images, load_images("mnist", split=split, data_dir=DATA))
