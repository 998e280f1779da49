"""Tests of ``mnist-svm teach``."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from mnist_svm import Recognizer
from mnist_svm.datasets.formats.folder import write_folder
from tests.support.paths import DATA


@pytest.fixture
def corrections(tmp_path, test_set):
    """Sevens that are to be read as ones."""
    folder = tmp_path / "corrections"
    images = test_set.images[test_set.labels == 7][:3]
    write_folder(folder, images, np.ones(3, np.int64))
    return folder


@pytest.mark.slow
def test_a_taught_model_is_written_and_what_changed_is_said(
    run, tmp_path, corrections, small_model_file
):
    out = tmp_path / "taught.joblib"
    args = ["teach", corrections, "-m", small_model_file, "-o", out, "--data-dir", DATA]
    result = run(*args, "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["corrections"]["before"] == summary["corrections"]["n"] == 3
    assert summary["test"]["data"] == "mnist"
    assert summary["test"]["n"] == 10_000
    assert summary["support_vectors_only"] is None
    assert [each["name"] for each in summary["training"]["sets"]] == ["mnist", str(corrections)]
    pictures = sorted(corrections.glob("1/*.png"))
    assert [x.label for x in Recognizer.load(out).read(pictures)] == [1, 1, 1]


@pytest.mark.slow
def test_without_training_images_the_support_vectors_teach(
    run, tmp_path, corrections, small_model_file
):
    (tmp_path / "nothing").mkdir()
    out = tmp_path / "taught.joblib"
    args = ["teach", corrections, "-m", small_model_file, "-o", out]
    result = run(*args, "--data-dir", tmp_path / "nothing")
    assert result.exit_code == 0, result.stderr
    assert "With its support vectors in place of its training images: " in result.stderr
    assert "No test images to compare on: " in result.stderr
    assert result.stdout.startswith("Corrections  3 of 3 misread before, ")
    assert out.exists()


def test_a_model_of_these_pictures_alone_is_taught_by_its_support_vectors(run, tmp_path, test_set):
    folder, model, out = (tmp_path / name for name in ("mine", "mine.joblib", "taught.joblib"))
    write_folder(folder, test_set.images[:200], test_set.labels[:200])
    assert run("train", "--data", folder, "-o", model).exit_code == 0
    result = run("teach", folder, "-m", model, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert f"the model was trained on {folder} alone" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (None, b"", "no data set in this folder"),
        ("12/a.png", None, "expected one sub-folder per label, of 0, 1, 2"),
        ("3/a.png", b"not a picture", "3/a.png: "),
    ],
)
def test_a_folder_that_teaches_nothing_is_one_line(
    run, tmp_path, test_set, small_model_file, name, content, message
):
    folder = tmp_path / "corrections"
    folder.mkdir()
    if name:
        (folder / name).parent.mkdir()
        if content is None:
            Image.fromarray(test_set.images[0]).save(folder / name)
        else:
            (folder / name).write_bytes(content)
    out = tmp_path / "taught.joblib"
    result = run("teach", folder, "-m", small_model_file, "-o", out)
    assert result.exit_code == 1
    assert result.stderr.startswith("mnist-svm: error: ")
    assert result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not out.exists()
