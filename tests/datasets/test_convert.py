"""`convert` from every format to every other, and `predict --data` with Kaggle submissions."""

from __future__ import annotations

import csv
import json
import signal

import numpy as np
import pytest
from PIL import Image

from mnist_svm import Recognizer, load_dataset
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.load import load_images
from tests.support.paths import DATA, ROOT
from tests.support.processes import needs_posix
from tests.support.serving import eventually

# Arguments of `convert` for each output format.
TARGETS = {
    "a folder of idx files": ["idx"],
    "csv files": ["tables", "--to", "csv"],
    "an archive": ["mnist.npz"],
    "pictures": ["pictures", "--to", "images"],
}


@pytest.fixture
def kaggle(tmp_path, train_set, test_set):
    """Return a folder in the format of Kaggle's digit-recognizer, with the first MNIST images."""
    folder = tmp_path / "kaggle"
    folder.mkdir()
    write_csv(folder / "train.csv", train_set.images[:2000], train_set.labels[:2000])
    write_csv(folder / "test.csv", test_set.images[:500], None)
    return folder


@pytest.fixture(scope="module")
def parted(tmp_path_factory, train_set, test_set):
    """Return a folder with two labelled splits."""
    folder = tmp_path_factory.mktemp("parted")
    write_csv(folder / "train.csv", train_set.images[:300], train_set.labels[:300])
    write_csv(folder / "test.csv", test_set.images[:100], test_set.labels[:100])
    return folder


@pytest.fixture
def word_classes(tmp_path, train_set):
    """Return a folder of ones and sevens, with words as class names that mean no digits."""
    for digit, word in ((1, "bar"), (7, "hook")):
        folder = tmp_path / "words" / word
        folder.mkdir(parents=True)
        for index in np.flatnonzero(train_set.labels == digit)[:100]:
            Image.fromarray(train_set.images[index]).save(folder / f"{index}.png")
    return tmp_path / "words"


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_conversion_preserves_the_checksums(run, parted, tmp_path, target):
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


def test_a_data_set_without_splits_becomes_the_train_split_of_idx_files(run, parted, tmp_path):
    assert run("convert", parted / "train.csv", tmp_path / "idx").exit_code == 0
    assert len(load_dataset(tmp_path / "idx", split="train").labels) == 300


def test_images_without_labels_are_converted(run, kaggle, tmp_path):
    result = run("convert", kaggle, tmp_path / "kaggle.npz", "--json")
    assert [part["labelled"] for part in json.loads(result.stdout)] == [True, False]
    np.testing.assert_array_equal(
        load_images(tmp_path / "kaggle.npz"), load_images(kaggle, split="test")
    )


def test_inversion_is_reported(run, tmp_path, train_set):
    write_csv(tmp_path / "paper.csv", 255 - train_set.images[:300], train_set.labels[:300])
    said = f"{tmp_path / 'paper.csv'}: has dark ink on a bright background; the images are inverted"
    assert said in run("convert", tmp_path / "paper.csv", tmp_path / "idx").stderr
    assert said in run("train", "--data", tmp_path / "paper.csv", "-o", tmp_path / "m").stderr
    np.testing.assert_array_equal(load_dataset(tmp_path / "idx").images, train_set.images[:300])


def test_pictures_need_labels(run, kaggle, tmp_path):
    result = run("convert", kaggle, tmp_path / "pictures", "--to", "images")
    assert result.exit_code == 1
    assert "no labels in its test part" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["kaggle"]


def test_a_folder_that_is_not_empty_is_not_changed(run, parted, tmp_path):
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


def test_an_invalid_row_leaves_no_partial_file(run, parted, tmp_path):
    text = (parted / "train.csv").read_text().splitlines()
    (tmp_path / "bad.csv").write_text("\n".join([*text, "1,2,3"]))
    result = run("convert", tmp_path / "bad.csv", tmp_path / "out.npz")
    assert result.exit_code == 1
    assert f"{tmp_path / 'bad.csv'}: line 302: expected 785 values, found 3" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


@needs_posix
def test_ctrl_c_removes_the_pictures_written_so_far(start, tmp_path):
    process = start("convert", "mnist", tmp_path / "pictures", "--to", "images")
    eventually(lambda: any(tmp_path.rglob("*.png")))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; no incomplete file is left" in err
    assert not list(tmp_path.iterdir())


# Kaggle submissions.


def submission(path) -> np.ndarray:
    """Check the format of a submission as Kaggle does; return its labels."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["ImageId", "Label"]
    assert [int(row["ImageId"]) for row in rows] == list(range(1, len(rows) + 1))
    return np.array([int(row["Label"]) for row in rows])


@pytest.mark.slow
def test_predictions_from_csv_files_equal_those_from_idx_files(
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


def test_the_default_split_is_test(run, kaggle, tmp_path):
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


def test_show_draws_the_images_of_a_data_set(run, parted, tmp_path):
    result = run("predict", "--data", parted, "--show", tmp_path / "page.png", "--json")
    assert len(json.loads(result.stdout)) == 100
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_class_names_are_printed(run, tmp_path, word_classes):
    model = tmp_path / "words.joblib"
    assert run("train", "--data", word_classes, "-o", model).exit_code == 0
    picture = ROOT / "images_test" / "7.png"
    assert run("predict", picture, "--model", model).stdout.split("\t")[1] == "hook"
    (reading,) = json.loads(run("predict", picture, "--model", model, "--json").stdout)
    assert (reading["label"], reading["name"]) == (1, "hook")
    assert "bar hook" in run("info", model).stdout


def test_a_submission_has_class_names(run, tmp_path, word_classes):
    model, out = tmp_path / "words.joblib", tmp_path / "answers.csv"
    assert run("train", "--data", word_classes, "-o", model).exit_code == 0
    run("predict", "--data", word_classes, "-m", model, "--submission", out)
    answers = [line.split(",")[1] for line in out.read_text().splitlines()[1:]]
    assert set(answers) == {"bar", "hook"}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_conversion_preserves_class_names(run, tmp_path, word_classes, target):
    name, *options = target
    assert run("convert", word_classes, tmp_path / name, *options).exit_code == 0
    written, source = load_dataset(tmp_path / name), load_dataset(word_classes)
    assert written.class_names == source.class_names == {0: "bar", 1: "hook"}
    assert [*written.sha256.values()] == [*source.sha256.values()]


def test_images_that_pictures_do_not_keep_are_told(run, tmp_path, train_set):
    images = train_set.images[:40].copy()
    images[:7] = np.roll(images[:7], 4, axis=2)
    np.savez(tmp_path / "set.npz", images=images, labels=train_set.labels[:40])
    result = run("convert", tmp_path / "set.npz", tmp_path / "out", "--to", "images")
    assert "has 7 of 40 images that are not in MNIST form; as pictures they are" in result.stderr


def test_names_with_slashes_and_leading_dots_are_folders(run, tmp_path, train_set):
    names = {0: "T-shirt/top", 1: "..", 2: "50%", 3: "_"}
    np.savez(
        tmp_path / "set.npz",
        images=train_set.images[:40],
        labels=np.arange(40) % 4,
        class_names=np.array(list(names.values())),
    )
    run("convert", tmp_path / "set.npz", tmp_path / "out", "--to", "images")
    assert set(load_dataset(tmp_path / "out").class_names.values()) == set(names.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'IMAGE...'"),
        (["7.png", "--data", "mnist"], "give pictures or --data, not both"),
        (["7.png", "--submission", "s.csv"], "--submission needs --data"),
        (
            ["--data", "mnist", "--submission", "s.csv", "--reject-below", "0.9"],
            "--submission cannot contain rejected digits",
        ),
    ],
)
def test_conflicting_options_are_usage_errors(run, arguments, message):
    result = run("predict", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_an_unwritable_submission_fails_before_reading(run, tmp_path):
    result = run("predict", "--data", "none", "--submission", tmp_path / "none" / "s.csv")
    assert result.exit_code == 1
    assert "none/s.csv: No such file or directory" in result.stderr


def test_any_format_can_be_evaluated(run, parted, small_model_file):
    results = [
        json.loads(run("eval", "--data", source, "--model", small_model_file, "--json").stdout)
        for source in (parted, parted / "test.csv")
    ]
    assert results[0]["errors"] == results[1]["errors"]
    assert results[0]["n"] == 100


def test_evaluation_on_the_training_images_is_reported(run, parted, tmp_path):
    model = tmp_path / "m.joblib"
    assert run("train", "--data", parted / "train.csv", "-o", model).exit_code == 0
    said = "The model was trained on these images"
    assert said in run("eval", "--data", parted / "train.csv", "--model", model).stderr
    assert said not in run("eval", "--data", parted / "test.csv", "--model", model).stderr


@pytest.mark.slow
def test_both_splits_of_mnist_are_converted(run, tmp_path):
    assert run("convert", "mnist", tmp_path / "m.npz", "--data-dir", DATA).exit_code == 0
    for split in ("train", "test"):
        images = np.load(tmp_path / "m.npz")[f"x_{split}"]
        np.testing.assert_array_equal(images, load_images("mnist", split=split, data_dir=DATA))
