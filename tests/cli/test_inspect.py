"""``mnist-svm inspect``: facts, faults, doubts and a sheet of data sets in files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.datasets.formats.idx import write_idx
from tests.support.paths import DATA

N_TRAIN, N_TEST = 400, 300


@pytest.fixture
def csv_set(tmp_path, train_set, test_set):
    """Return a function that writes train.csv and test.csv with a change of images and labels."""

    def write(change=lambda images, labels: (images, labels), parts=("train", "test")):
        folder = tmp_path / "set"
        folder.mkdir()
        for name, dataset, n in (("train", train_set, N_TRAIN), ("test", test_set, N_TEST)):
            images, labels = dataset.images[:n].copy(), dataset.labels[:n].copy()
            if name in parts:
                images, labels = change(images, labels)
            write_csv(folder / f"{name}.csv", images, labels)
        return folder

    return write


@pytest.fixture
def inspect(run):
    """Run the command with --json, and return what it printed."""

    def inspect_data(*args):
        result = run("inspect", *args, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return inspect_data


def keys(content):
    return {finding["key"] for finding in content["findings"]}


def test_a_set_without_faults_fits_one_screen(run, csv_set):
    result = run("inspect", csv_set())
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) < 36
    assert max(map(len, lines)) <= 100
    assert ["images", "400", "300"] in [line.split() for line in lines]
    assert lines[-1] == "No faults found."


def test_the_counts_are_those_of_the_classes(inspect, csv_set, train_set):
    train, test = inspect(csv_set())["parts"]
    counts = np.bincount(train_set.labels[:N_TRAIN])
    assert train["classes"] == {str(label): n for label, n in enumerate(counts.tolist())}
    assert (train["part"], test["part"]) == ("train", "test")
    assert (train["images"], test["images"]) == (N_TRAIN, N_TEST)
    assert (train["lowest"], train["highest"], train["grey_levels"]) == (0, 255, 256)
    assert test["in_mnist_form"] == 1
    assert test["accuracy"] > 0.98


def test_a_part_is_chosen_by_split(inspect, csv_set):
    (part,) = inspect(csv_set(), "--split", "test")["parts"]
    assert (part["part"], part["images"]) == ("test", N_TEST)


FAULTS = {
    "shifted labels": (lambda x, y: (x, (y + 1) % 10), ("train", "test"), {"shifted-labels"}),
    "transposed": (lambda x, y: (x.transpose(0, 2, 1), y), ("train", "test"), {"orientation"}),
    "inverted test": (lambda x, y: (255 - x, y), ("test",), {"polarity-differs"}),
    "a class of blanks": (
        lambda x, y: (x * (y != 5)[:, None, None].astype(np.uint8), y),
        ("train", "test"),
        {"blank-class"},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_of_files_are_named(inspect, csv_set, name):
    change, parts, expected = FAULTS[name]
    assert keys(inspect(csv_set(change, parts))) == expected


def test_a_fault_is_one_sentence_with_its_key(run, csv_set):
    result = run("inspect", csv_set(lambda x, y: (x, (y + 1) % 10)))
    assert result.exit_code == 0
    assert "No faults found." not in result.stdout
    text = " ".join(result.stdout.split())
    assert "fault train: labels are 1 too large" in text
    assert "[shifted-labels]" in text


def test_an_orientation_that_is_stated_is_no_fault(inspect, csv_set):
    folder = csv_set(lambda x, y: (x.transpose(0, 2, 1), y))
    assert keys(inspect(folder, "--orientation", "transposed")) == set()


def test_what_the_reader_mends_is_said_first(run, csv_set):
    def mix(images, labels):
        images[::3] = 255 - images[::3]
        return images, labels

    result = run("inspect", csv_set(mix))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].startswith("Read as: train has dark ink")


def test_pictures_are_described_with_their_sizes(inspect, tmp_path, test_set):
    folder = tmp_path / "pictures"
    write_folder(folder, test_set.images[:200], test_set.labels[:200])
    for path in sorted(folder.glob("*/*.png"), key=lambda path: path.name)[::2]:
        image = Image.fromarray(255 - np.asarray(Image.open(path)))
        image.resize((56, 60), Image.Resampling.BICUBIC).save(path)
    content = inspect(folder)
    assert content["form"] == "folder of 200 .png files"
    (part,) = content["parts"]
    sizes = {(x["height"], x["width"]): x["pictures"] for x in part["picture_sizes"]}
    assert sizes == {(60, 56): 100, (28, 28): 100}
    assert part["part"] == "all"
    assert part["accuracy"] > 0.97


def test_doubts_name_the_wrong_labels(inspect, csv_set):
    def spoil(images, labels):
        labels[[10, 20, 30]] = (labels[[10, 20, 30]] + 5) % 10
        return images, labels

    doubts = inspect(csv_set(spoil, ["test"]), "--doubts", 3)["doubts"]
    of_test = [doubt for doubt in doubts if doubt["part"] == "test"]
    assert {doubt["index"] for doubt in of_test} == {10, 20, 30}
    assert all(int(x["label"]) == (int(x["read"]) + 5) % 10 for x in of_test)


def test_doubts_are_listed_as_text(run, csv_set):
    result = run("inspect", csv_set(lambda x, y: (x, np.where(np.arange(len(y)) == 7, 9 - y, y))))
    (line,) = [x for x in result.stdout.splitlines() if x.split()[:2] == ["test", "7"]]
    assert "label 0, read as 9, confidence 0." in line


def test_a_doubtful_picture_has_its_name(inspect, tmp_path, test_set):
    labels = test_set.labels[:100].copy()
    assert labels[0] == 7
    labels[0] = 4
    write_folder(tmp_path / "set", test_set.images[:100], labels)
    (doubt,) = inspect(tmp_path / "set")["doubts"]
    assert doubt["file"] == str(tmp_path / "set" / "4" / "00.png")
    assert (doubt["label"], doubt["read"]) == ("4", "7")


@pytest.mark.slow
def test_the_training_set_is_read_out_of_fold(run):
    result = run("inspect", "mnist", "--split", "train", "--doubts", 20, "--data-dir", DATA)
    assert "The model was trained on train: each half of it is read by a model" in result.stderr
    assert "(out of fold)" in result.stdout
    # A 7 that is labelled 4, and a 3 that is labelled 5.
    for index in (59915, 43454):
        assert str(index) in result.stdout


def test_without_doubts_the_training_set_is_read_once(run):
    result = run("inspect", "mnist", "--split", "train", "--data-dir", DATA)
    assert "(trained on)" in result.stdout
    assert result.stderr == ""
    assert result.stdout.endswith("No faults found.\n")


def test_the_sheet_has_a_row_for_each_class(run, csv_set, tmp_path):
    sheet = tmp_path / "sheet.png"
    result = run("inspect", csv_set(), "--split", "test", "--sheet", sheet)
    assert result.exit_code == 0
    assert f"Drew {sheet}" in result.stderr
    with Image.open(sheet) as page:
        # Ten images of 84 pixels in a row, 10 pixels apart.
        assert page.width == 10 * 94 + 10
        assert page.height >= 10 * 116


def test_a_sheet_that_cannot_be_written_is_refused_first(run, csv_set, tmp_path):
    result = run("inspect", csv_set(), "--sheet", tmp_path / "no" / "sheet.png")
    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr
    assert result.stdout == ""


def test_a_set_without_labels_is_described(inspect, tmp_path, test_set):
    write_csv(tmp_path / "test.csv", test_set.images[:50], None)
    content = inspect(tmp_path / "test.csv")
    (part,) = content["parts"]
    assert (part["images"], part["classes"], part["accuracy"]) == (50, {}, None)
    assert keys(content) == {"no-labels"}


def test_idx_files_of_letters_are_not_compared_with_digits(run, inspect, tmp_path, test_set):
    labels = (test_set.labels[:200] + 11).astype(np.uint8)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", test_set.images[:200])
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", labels)
    (part,) = inspect(tmp_path)["parts"]
    assert part["not_read"] == "the classes are not those of the model"
    reason = "Labels are not compared with what the model reads: the classes are not those of the"
    assert reason in run("inspect", tmp_path).stdout


def test_another_model_is_asked(inspect, csv_set, small_model_file):
    content = inspect(csv_set(), "--model", small_model_file)
    assert content["model"] == str(small_model_file)
    assert content["parts"][1]["accuracy"] > 0.9


@pytest.mark.parametrize("name", ["nothing-here", "damaged.csv"])
def test_what_cannot_be_read_is_one_error_line(run, tmp_path, name):
    (tmp_path / "damaged.csv").write_text("label,pixel0\n7,x\n")
    result = run("inspect", tmp_path / name)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("mnist-svm: error: ")
    assert result.stderr.count("\n") == 1


def test_names_of_classes_cannot_control_the_terminal(run, tmp_path, test_set):
    images, labels = test_set.images[:40], test_set.labels[:40] % 2
    folder = tmp_path / "set"
    for label, name in ((0, "cat\x1b[2J"), (1, "dog")):
        (folder / name).mkdir(parents=True)
        for index in np.flatnonzero(labels == label):
            Image.fromarray(images[index]).save(folder / name / f"{index}.png")
    result = run("inspect", folder)
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "cat?[2J" in result.stdout
