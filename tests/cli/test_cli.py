"""The commands in this process: what they print, and how they end."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mnist_svm import Model, __version__, load_model, save_model
from mnist_svm.cli import cli
from mnist_svm.datasets.formats.idx import write_idx
from mnist_svm.svm.fitted import fitted_svcs
from tests.support.command_line import using_model
from tests.support.paths import DATA, DIGITS


def error_lines(result):
    """Lines of stderr other than the name of the model."""
    lines = result.stderr.splitlines()
    return [line for line in lines if not line.startswith(("Reading with", "Evaluating"))]


# --- help and usage ----------------------------------------------------------------------


@pytest.mark.parametrize("command", [None, *sorted(cli.commands)])
def test_every_command_has_help_with_examples(run, command):
    result = run(*filter(None, [command, "-h"]))
    assert result.exit_code == 0
    assert "Examples:\n    mnist-svm" in result.stdout or "Examples:\n  " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_the_version_is_printed(run):
    assert run("--version").stdout == f"mnist-svm, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["predict"],
        ["predict", DIGITS[0], "--top", "0"],
        ["predict", DIGITS[0], "--reject-below", "1.01"],
        ["predict", DIGITS[0], "--reject-below", "-0.5"],
        ["predict", DIGITS[0], "--reject-below", "nan"],
        ["predict", DIGITS[0], "--reject-below", "sure"],
        ["train", "--C", "0"],
        ["train", "--C", "nan"],
        ["train", "--gamma", "-1"],
        ["train", "--gamma", "small"],
        ["train", "--degree", "0"],
        ["train", "--recipe", "none"],
        ["train", "--limit", "0"],
        ["train", "--limit", "9", "--data-dir", DATA, "-o", "/dev/null"],
        ["train", "--coef0", "inf"],
        ["eval", "--jobs", "-2"],
        ["train", "--jobs", "0"],
        ["info", "a", "b"],
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:3])),
)
def test_wrong_usage_ends_with_2(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


# --- predict -----------------------------------------------------------------------------


def test_predict_prints_a_line_an_image_in_order(run, small_model_file):
    images = [DIGITS[7], DIGITS[2], DIGITS[7]]
    result = run("predict", *images, "--model", small_model_file)
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == [str(image) for image in images]
    assert [line[1] for line in lines] == ["7", "2", "7"]
    assert all(re.fullmatch(r"[01]\.\d{3}", line[2]) for line in lines)
    assert result.stderr == f"Reading with {small_model_file}\n"


def test_predict_prints_json(run, small_model_file):
    result = run("predict", *DIGITS, "--model", small_model_file, "--json", "--top", 3)
    answers = json.loads(result.stdout)
    assert [answer["file"] for answer in answers] == [str(path) for path in DIGITS]
    assert [answer["label"] for answer in answers] == list(range(10))
    for answer in answers:
        assert len(answer["top"]) == 3
        assert answer["top"][0] == {"label": answer["label"], "confidence": answer["confidence"]}


def test_predict_prints_the_best_digits(run, small_model_file):
    result = run("predict", DIGITS[5], "--model", small_model_file, "--top", 10)
    _, digit, _, *others = result.stdout.rstrip("\n").split("\t")
    assert digit == "5"
    assert {int(other.split(":")[0]) for other in others} == set(range(10)) - {5}


def test_more_best_digits_than_there_are_means_all(run, small_model_file):
    result = run("predict", DIGITS[5], "--model", small_model_file, "--top", 99, "--json")
    assert len(json.loads(result.stdout)[0]["top"]) == 10


def confidences(run, model):
    answers = json.loads(run("predict", *DIGITS, "-m", model, "--json").stdout)
    assert not any(answer["rejected"] for answer in answers)
    return [answer["confidence"] for answer in answers]


def test_low_confidence_prints_a_question_mark(run, small_model_file):
    sure = confidences(run, small_model_file)
    limit = float(np.median(sure))
    result = run("predict", *DIGITS, "-m", small_model_file, "--reject-below", limit)
    assert result.exit_code == 0
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    expected = ["?" if of < limit else str(digit) for digit, of in enumerate(sure)]
    assert 0 < expected.count("?") < 10
    assert [line[1] for line in lines] == expected
    assert [line[2] for line in lines] == [f"{of:.3f}" for of in sure]
    assert {len(line) for line in lines} == {3}


def test_top_prints_the_guesses_of_rejected_digits(run, small_model_file):
    options = ["-m", small_model_file, "--reject-below", 1, "--top", 2]
    _, digit, _, *guesses = run("predict", DIGITS[5], *options).stdout.split("\t")
    assert digit == "?"
    assert len(guesses) == 2
    assert guesses[0].startswith("5:")


def test_rejected_digits_are_null_in_json(run, small_model_file):
    sure = confidences(run, small_model_file)
    limit = float(np.median(sure))
    options = ["-m", small_model_file, "--reject-below", limit, "--json"]
    result = run("predict", *DIGITS, *options)
    assert result.exit_code == 0
    for digit, (of, answer) in enumerate(zip(sure, json.loads(result.stdout), strict=True)):
        assert answer["rejected"] == (of < limit)
        assert answer["label"] == (None if of < limit else digit)
        assert answer["confidence"] == of
        assert answer["top"] == [{"label": digit, "confidence": of}]


@pytest.mark.parametrize("limit", [0, 0.0])
def test_nothing_is_below_a_confidence_of_0(run, small_model_file, limit):
    options = ["-m", small_model_file, "--reject-below", limit]
    plain = run("predict", *DIGITS, "-m", small_model_file).stdout
    assert run("predict", *DIGITS, *options).stdout == plain


def test_a_folder_means_the_pictures_in_it(run, small_model_file, tmp_path):
    for name in ("b.png", "a.PNG"):
        Image.open(DIGITS[4]).save(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").write_text("not a picture")
    result = run("predict", tmp_path, "--model", small_model_file)
    assert result.exit_code == 0
    files = [line.split("\t")[0] for line in result.stdout.splitlines()]
    assert files == [str(tmp_path / "a.PNG"), str(tmp_path / "b.png")]


def test_of_several_pages_the_first_is_read_and_said(run, small_model_file, tmp_path):
    pages, one = tmp_path / "pages.tif", DIGITS[2]
    others = [Image.open(DIGITS[digit]) for digit in (5, 6)]
    Image.open(DIGITS[4]).save(pages, save_all=True, append_images=others)
    result = run("predict", pages, one, "--model", small_model_file, "--json")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[1:] == [f"{pages}: the first of 3 pages is read"]
    first, second = json.loads(result.stdout)
    assert (first["label"], first["note"]) == (4, "the first of 3 pages")
    assert "note" not in second


def test_a_name_that_is_no_unicode_is_printed_all_the_same(run, small_model_file, tmp_path):
    picture = tmp_path / os.fsdecode(b"caf\xe9.png")
    picture.write_bytes(DIGITS[0].read_bytes())
    missing = tmp_path / os.fsdecode(b"\xff.png")
    result = run("predict", picture, missing, "-m", small_model_file)
    assert result.exit_code == 1
    assert result.stdout.split("\t")[1] == "0"
    assert "No such file or directory" in result.stderr


@pytest.fixture
def bad_picture(tmp_path):
    def make(what):
        path = tmp_path / f"{what}.png"
        if what == "empty":
            path.write_bytes(b"")
        elif what == "text":
            path.write_text("this is text\n")
        elif what == "truncated":
            path.write_bytes(DIGITS[0].read_bytes()[:150])
        elif what == "blank":
            Image.new("L", (28, 28), 255).save(path)
        elif what == "empty-folder":
            path.mkdir()
        return path

    return make


BAD_PICTURES = {
    "missing": "No such file or directory",
    "empty": "empty file, expected a picture",
    "text": "not a picture in a supported format",
    "truncated": "damaged picture",
    "blank": "blank picture",
    "empty-folder": "no pictures in this folder",
}


@pytest.mark.parametrize("what", BAD_PICTURES)
def test_a_bad_picture_is_reported_and_the_others_are_read(
    run, small_model_file, bad_picture, what
):
    bad = bad_picture(what)
    result = run("predict", DIGITS[1], bad, DIGITS[8], "--model", small_model_file)
    assert result.exit_code == 1
    assert [line.split("\t")[1] for line in result.stdout.splitlines()] == ["1", "8"]
    (line,) = error_lines(result)
    assert line.startswith(f"mnist-svm: error: {bad}: ")
    assert BAD_PICTURES[what] in line


def test_a_bad_picture_is_an_object_with_its_error_in_json(run, small_model_file, bad_picture):
    bad = bad_picture("text")
    result = run("predict", bad, DIGITS[3], "--model", small_model_file, "--json")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert set(first) == {"file", "error"}
    assert first["file"] == str(bad)
    assert second["label"] == 3


@pytest.mark.parametrize("command", ["predict", "eval", "info"])
def test_a_missing_model_says_how_to_make_one(run, tmp_path, command):
    model = tmp_path / "none.joblib"
    result = run(*using_model(command, model))
    assert result.exit_code == 1
    assert error_lines(result) == [
        f"mnist-svm: error: {model}: no such model file; make one with: mnist-svm train -o {model}"
    ]


@pytest.mark.parametrize("command", ["predict", "eval", "info"])
def test_a_folder_is_no_model(run, tmp_path, command):
    result = run(*using_model(command, tmp_path))
    assert result.exit_code == 1
    assert error_lines(result) == [f"mnist-svm: error: {tmp_path}: Is a directory"]


def test_debug_shows_the_traceback_too(run, tmp_path):
    result = run("info", tmp_path / "none.joblib", "--debug")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert error_lines(result)[-1].startswith("mnist-svm: error: ")


# --- eval --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evaluation(small_model_file, tmp_path_factory):
    from click.testing import CliRunner

    folder = tmp_path_factory.mktemp("eval")
    arguments = ["eval", "-m", small_model_file, "--data-dir", DATA, "--json"]
    arguments += ["--plot", folder / "plot.png", "--errors", folder / "errors.png"]
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    return result, folder


def test_eval_counts_every_test_image(evaluation):
    result, _ = evaluation
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    assert content["n"] == 10_000
    matrix = np.array(content["confusion_matrix"])
    assert matrix.shape == (10, 10)
    assert matrix.sum() == 10_000
    assert content["accuracy"] == pytest.approx(matrix.trace() / 10_000)
    assert content["error_rate"] == pytest.approx(1 - content["accuracy"])
    assert len(content["per_class"]) == 10
    assert content["images_per_second"] > 0


def test_eval_is_about_as_accurate_as_the_pipeline(evaluation, small_model, test_set):
    content = json.loads(evaluation[0].stdout)
    assert content["accuracy"] == small_model.pipeline.score(test_set.X, test_set.labels)


def test_eval_reports_the_reliability_of_confidences(
    evaluation, small_model_file, small_model, test_set
):
    content = json.loads(evaluation[0].stdout)
    assert 0 < content["expected_calibration_error"] < 0.01
    probabilities = small_model.pipeline.predict_proba(test_set.X)
    right = probabilities.argmax(axis=1) == test_set.labels
    order = probabilities.max(axis=1).argsort(kind="stable")
    shares = [point["share"] for point in content["rejection"]]
    assert shares == [0, 0.005, 0.01, 0.02, 0.05]
    for point in content["rejection"]:
        left = order[round(10_000 * point["share"]) :]
        assert point["n"] == len(left)
        assert point["errors"] == np.count_nonzero(~right[left])
        assert point["accuracy"] == right[left].mean()
        assert np.count_nonzero(probabilities.max(axis=1) < point["reject_below"]) == 10_000 - len(
            left
        )


def test_eval_draws_its_pictures(evaluation):
    _, folder = evaluation
    for name in ("plot.png", "errors.png"):
        assert Image.open(folder / name).format == "PNG"
    assert sorted(path.name for path in folder.iterdir()) == ["errors.png", "plot.png"]


def test_eval_prints_a_table_for_80_columns(run, small_model_file):
    result = run("eval", "-m", small_model_file, "--data-dir", DATA)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert re.match(r"Accuracy    9[78]\.\d\d%   \(10,000 images\)", lines[0])
    assert "95% interval" in lines[1]
    assert "images/s" in lines[-1]


def test_eval_without_matplotlib_hints_at_the_extra_at_once(
    run, small_model_file, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    plot = tmp_path / "plot.png"
    result = run("eval", "-m", small_model_file, "--data-dir", DATA, "--plot", plot)
    assert result.exit_code == 1
    assert "pip install 'mnist-svm[plot]'" in error_lines(result)[-1]
    assert result.stdout == ""
    assert not plot.exists()


def test_eval_says_how_to_get_missing_data(run, small_model_file, tmp_path):
    result = run("eval", "-m", small_model_file, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert f"mnist-svm fetch mnist --data-dir {tmp_path}" in error_lines(result)[-1]


def test_eval_names_a_folder_in_the_place_of_a_data_file(run, small_model_file, tmp_path):
    folder = tmp_path / "t10k-images-idx3-ubyte.gz"
    folder.mkdir()
    (tmp_path / "t10k-labels-idx1-ubyte.gz").symlink_to(DATA / "t10k-labels-idx1-ubyte.gz")
    result = run("eval", "-m", small_model_file, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert error_lines(result) == [f"mnist-svm: error: {folder}: Is a directory"]


def test_eval_names_a_truncated_data_file(run, small_model_file, tmp_path):
    source = (DATA / "t10k-images-idx3-ubyte.gz").read_bytes()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(source[:100_000])
    (tmp_path / "t10k-labels-idx1-ubyte.gz").symlink_to(DATA / "t10k-labels-idx1-ubyte.gz")
    result = run("eval", "-m", small_model_file, "--data-dir", tmp_path)
    assert result.exit_code == 1
    (line,) = error_lines(result)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    assert line.startswith(f"mnist-svm: error: {path}: truncated gzip file")


# --- train and info ----------------------------------------------------------------------


def test_train_reports_and_writes_the_model(run, tmp_path):
    model = tmp_path / "model.joblib"
    result = run("train", "--limit", 1000, "--data-dir", DATA, "-o", model)
    assert result.exit_code == 0
    assert "Trained poly4 on 1,000 images of mnist" in result.stdout
    assert re.search(r"Support vectors  \d+\n", result.stdout)
    assert re.search(r"Time +\d+\.\d s", result.stdout)
    assert str(model) in result.stdout
    assert load_model(model).info.training.n_images == 1000
    assert [path.name for path in tmp_path.iterdir()] == ["model.joblib"]


def test_train_uses_and_records_its_options(run, tmp_path):
    model = tmp_path / "model.joblib"
    options = [
        "--jobs",
        2,
        "--C",
        2,
        "--degree",
        3,
        "--gamma",
        "scale",
        "--coef0",
        0.5,
        "--random-state",
        7,
    ]
    result = run("train", "--limit", 500, "--data-dir", DATA, "-o", model, *options, "--json")
    assert result.exit_code == 0
    content = json.loads(result.stdout)
    chosen = {"kernel": "poly", "C": 2.0, "gamma": "scale", "degree": 3, "coef0": 0.5}
    assert content["parameters"] == chosen
    assert content["training"]["random_state"] == 7
    (svc,) = fitted_svcs(load_model(model).pipeline)
    assert (svc.C, svc.degree, svc.gamma, svc.coef0) == (2.0, 3, "scale", 0.5)


def test_train_takes_a_folder_of_idx_files(run, train_set, test_set, tmp_path):
    # Only threes and eights, under names of their own.
    for split, dataset in (("train", train_set), ("t10k", test_set)):
        chosen = np.flatnonzero(np.isin(dataset.labels, (3, 8)))[:600]
        write_idx(tmp_path / f"{split}-images-idx3-ubyte", dataset.images[chosen])
        write_idx(tmp_path / f"{split}-labels-idx1-ubyte", dataset.labels[chosen].astype("u1"))
    model = tmp_path / "model.joblib"
    assert run("train", "--data", tmp_path, "-o", model).exit_code == 0
    result = run("eval", "--data", tmp_path, "-m", model, "--json")
    content = json.loads(result.stdout)
    assert content["classes"] == [3, 8]
    assert content["accuracy"] > 0.95


def test_info_prints_how_the_model_was_made(run, small_model_file, small_model):
    content = json.loads(run("info", small_model_file, "--json").stdout)
    assert content["recipe"] == "poly4"
    assert content["bytes"] == small_model_file.stat().st_size
    text = run("info", small_model_file).stdout
    assert f"{small_model.info.n_support_vectors}" in text
    assert "training: images" in text


@pytest.mark.parametrize("command", [["info"], ["predict", DIGITS[3], "--top", 3, "-m"]])
def test_text_of_a_model_file_does_not_control_the_terminal(run, small_model, tmp_path, command):
    hostile = "\x1b[2J\x1b]0;title\x07\r"
    info = replace(
        small_model.info,
        summary=hostile,
        recipe=f"{hostile}\nnext line",
        class_names=tuple(f"{hostile}{label}" for label in range(10)),
        versions={hostile: hostile},
    )
    save_model(tmp_path / "hostile.joblib", Model(small_model.step, info))
    result = run(*command, tmp_path / "hostile.joblib")
    assert result.exit_code == 0
    assert "?[2J?]0;title??" in result.stdout
    for line in result.stdout.splitlines():
        assert all(column.isprintable() for column in line.split("\t")), repr(line)


@pytest.mark.parametrize("command", ["train", "eval", "predict"])
def test_a_folder_as_output_is_refused_before_the_work(run, small_model_file, tmp_path, command):
    arguments = {
        "train": ["train", "--data-dir", DATA, "-o", tmp_path],
        "eval": ["eval", "-m", small_model_file, "--data-dir", DATA, "--errors", tmp_path],
        "predict": ["predict", DIGITS[0], "-m", small_model_file, "--show", tmp_path],
    }[command]
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert error_lines(result) == [f"mnist-svm: error: {tmp_path}: Is a directory"]


def test_a_missing_output_folder_is_refused_before_the_work(run, tmp_path):
    output = tmp_path / "none" / "model.joblib"
    result = run("train", "--data-dir", DATA, "-o", output)
    assert result.exit_code == 1
    assert error_lines(result) == [f"mnist-svm: error: {output}: No such file or directory"]
