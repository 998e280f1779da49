"""The main job as a whole: all 60,000 images, the default recipe, the full test set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from mnist_svm.cli import cli
from tests.support.paths import DATA, DIGITS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def full_model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("full") / "mnist-svm.joblib"
    result = CliRunner().invoke(cli, ["train", "--data-dir", str(DATA), "-o", str(path)])
    assert result.exit_code == 0
    assert "Trained poly4 on 60,000 images of mnist" in result.stdout
    return path


def test_the_default_recipe_reads_98_8_percent_of_the_test_set(run, full_model_file):
    content = json.loads(run("eval", "-m", full_model_file, "--data-dir", DATA, "--json").stdout)
    assert np.array(content["confusion_matrix"]).sum() == 10_000
    assert content["accuracy"] >= 0.988


def test_the_ten_pictures_are_read_right(run, full_model_file):
    answers = json.loads(run("predict", *DIGITS, "-m", full_model_file, "--json").stdout)
    assert [answer["label"] for answer in answers] == list(range(10))


def test_a_model_of_all_images_records_its_cross_validation(run, full_model_file):
    content = json.loads(run("info", full_model_file, "--json").stdout)
    assert content["training"]["n_images"] == 60_000
    assert content["cross_validation"]["n"] == 60_000
