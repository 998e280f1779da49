"""Several data sets, with weights, for train and eval."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from mnist_svm import evaluate, load_model, write_idx
from mnist_svm.cli import cli
from mnist_svm.datasets.formats.folder import write_folder


def write_set(folder, train, test):
    """Write some MNIST digits as a data set of IDX files."""
    folder.mkdir()
    for prefix, (dataset, rows) in {"train": train, "t10k": test}.items():
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", dataset.images[rows])
        labels = dataset.labels[rows].astype(np.uint8)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)


@pytest.fixture(scope="module")
def folder(train_set, test_set, tmp_path_factory):
    """The data sets "one", "two" and "mine", the last without splits; and a model of them."""
    folder = tmp_path_factory.mktemp("several")
    write_set(folder / "one", (train_set, slice(300)), (test_set, slice(200)))
    write_set(folder / "two", (train_set, slice(300, 400)), (test_set, slice(200, 300)))
    write_folder(folder / "mine", train_set.images[500:550], train_set.labels[500:550])
    return folder


@pytest.fixture(scope="module")
def model(folder, module_run):
    sources = [folder / "one", f"{folder / 'two'}:2", f"{folder / 'mine'}/:2.5"]
    options = [text for source in sources for text in ("--data", source)]
    path = folder / "m.joblib"
    result = module_run("train", *options, "-o", path)
    assert result.exit_code == 0, result.stderr
    named = f"{folder}/one + {folder}/two:2 + {folder}/mine/:2.5"
    assert f"Reading {named}\n" in result.stderr
    assert result.stdout.startswith(f"Trained poly4 on 450 images of {named}\n")
    return path


@pytest.fixture(scope="module")
def module_run():
    return lambda *args: CliRunner().invoke(cli, [str(arg) for arg in args])


def test_train_records_each_data_set_and_its_weight(folder, model):
    training = load_model(model).info.training
    assert [(each.name, each.n_images, each.size, each.weight) for each in training.sets] == [
        (f"{folder}/one", 300, 300, 1),
        (f"{folder}/two", 100, 100, 2),
        (f"{folder}/mine/", 50, 50, 2.5),
    ]
    assert [len(each.sha256) for each in training.sets] == [2, 2, 2]


def test_info_prints_each_data_set(run, model):
    lines = run("info", model).stdout.splitlines()
    values = dict(line.split("  ", 1) for line in lines)
    assert values["training: set 2: name"].endswith("/two")
    assert values["training: set 2: weight"].strip() == "2"
    assert values["training: set 3: images"].strip() == "50"


def test_eval_has_a_line_for_each_data_set_and_all_together(run, folder, model):
    result = run("eval", "-m", model, "--data", folder / "one", "--data", folder / "two")
    assert result.exit_code == 0
    one, two, empty, together, accuracy, *_ = result.stdout.splitlines()
    for line, name, n in ((one, "one", 200), (two, "two", 100)):
        assert line.startswith(f"{folder}/{name}  ")
        assert f" of {n} misread)   calibration error " in line
    assert (empty, together) == ("", "All together")
    assert accuracy.endswith("(300 images)")
    assert "The model was trained on" not in result.stderr


def test_eval_as_json_has_each_data_set(run, folder, model, test_set):
    options = ["-m", model, "--data", folder / "one", "--data", folder / "two", "--json"]
    content = json.loads(run("eval", *options).stdout)
    assert content["data"] == f"{folder}/one + {folder}/two"
    proba = load_model(model).predict_proba(test_set.images[:300])
    for each, rows in zip(content["datasets"], (slice(200), slice(200, 300)), strict=True):
        labels, confidence = proba[rows].argmax(axis=1), proba[rows].max(axis=1)
        expected = evaluate(test_set.labels[rows], labels, confidence)
        assert each["errors"] == expected.errors
        assert each["n"] == expected.n
        assert each["accuracy"] == pytest.approx(expected.accuracy)
        assert each["expected_calibration_error"] == pytest.approx(
            expected.confidence_report.calibration_error
        )
    assert content["errors"] == sum(each["errors"] for each in content["datasets"])


def test_eval_of_a_set_without_splits_shows_its_calibration(run, folder, model):
    result = run("eval", "-m", model, "--data", folder / "mine", "--json")
    content = json.loads(result.stdout)
    assert content["n"] == 50
    assert (
        content["expected_calibration_error"]
        == content["datasets"][0]["expected_calibration_error"]
    )
    assert "The model was trained on these images" in result.stderr


def test_eval_names_the_sets_that_the_model_was_trained_on(run, folder, model):
    result = run("eval", "-m", model, "--data", folder / "one", "--data", folder / "mine")
    assert f"The model was trained on the images of {folder}/mine, so" in result.stderr


def test_a_weight_without_effect_is_wrong_usage(run, folder, model):
    result = run("eval", "-m", model, "--data", f"{folder / 'two'}:2")
    assert result.exit_code == 2
    assert "weights are for training, here for --learning-curve" in result.stderr


def test_a_path_that_ends_like_a_weight_is_a_path(run, folder, train_set, test_set):
    write_set(folder / "1990:2", (train_set, slice(60)), (test_set, slice(60)))
    path = folder / "path.joblib"
    result = run("train", "--data", folder / "1990:2", "-o", path)
    assert result.exit_code == 0, result.stderr
    (each,) = load_model(path).info.training.sets
    assert (each.name, each.weight) == (f"{folder}/1990:2", 1)
    assert run("train", "--data", f"{folder / '1990:2'}:3", "-o", path).exit_code == 0
    assert load_model(path).info.training.sets[0].weight == 3


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf"])
def test_a_weight_that_is_not_positive_is_wrong_usage(run, weight):
    result = run("train", "--data", f"mnist:{weight}", "-o", "/dev/null")
    assert result.exit_code == 2
    assert f"expected a positive, finite weight, found {weight}." in result.stderr


def test_a_set_given_twice_is_wrong_usage(run):
    result = run("train", "--data", "mnist", "--data", "mnist:3", "-o", "/dev/null")
    assert result.exit_code == 2
    assert "'mnist' is given twice; to give its images weight 2: mnist:2" in result.stderr


def test_other_classes_are_refused_in_a_line(run, folder, train_set):
    write_folder(folder / "letters", train_set.images[:20], np.arange(20) % 2)
    (folder / "letters" / "0").rename(folder / "letters" / "a")
    (folder / "letters" / "1").rename(folder / "letters" / "b")
    options = ["--data", folder / "one", "--data", folder / "letters"]
    result = run("train", *options, "-o", folder / "x.joblib")
    assert result.exit_code == 1
    *_, error = result.stderr.splitlines()
    assert error.startswith("mnist-svm: error: the classes of ")
    assert error.endswith("label 0 is '0' in the first and 'a' in the second")
