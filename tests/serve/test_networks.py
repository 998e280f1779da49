"""A network gives the same digit for the same image, by the command line and by the server."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_svm import load_model, save_model, train_model
from mnist_svm.datasets.formats.csv import write_csv
from tests.networks.small import require_keras
from tests.support.serving import multipart_form, serving

require_keras()

pytestmark = pytest.mark.slow

COUNT = 60


@pytest.fixture(scope="module")
def model_file(train_set, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    changes = {"width": 0.3, "epochs": 4, "batch_size": 32, "learning_rate": 0.01, "dropout": 0.1}
    model = train_model("cnn", train_set, limit=2000, changes=changes)
    save_model(folder / "cnn.joblib", model)
    return folder / "cnn.joblib"


@pytest.fixture(scope="module")
def images(test_set):
    return test_set.images[:COUNT]


@pytest.fixture(scope="module")
def server(model_file):
    with serving("--model", str(model_file)) as server:
        yield server


@pytest.fixture(scope="module")
def expected(model_file, images):
    """Digits by the library."""
    model = load_model(model_file)
    return model.classes[model.predict_proba(images).argmax(axis=1)].tolist()


def test_the_network_reads_most_digits(expected, test_set):
    # Else equal digits would say little.
    assert np.mean(expected == test_set.labels[:COUNT]) > 0.7
    assert len(set(expected)) > 7


def test_kaggle_s_table_gets_the_digits_of_the_library(run, model_file, images, expected, tmp_path):
    table, answers = tmp_path / "test.csv", tmp_path / "submission.csv"
    write_csv(table, images, None)
    result = run("predict", "--data", table, "--submission", answers, "--model", model_file)
    assert result.exit_code == 0, result.stderr
    with answers.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["ImageId"]) for row in rows] == list(range(1, COUNT + 1))
    assert [int(row["Label"]) for row in rows] == expected


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def array(image: np.ndarray) -> tuple[str, str]:
    return "application/json", json.dumps({"data": image.tolist()})


FORMS = {
    "28 x 28 x 1": lambda image: array(image[:, :, None]),
    "a row of 784": lambda image: array(image.ravel()),
    "a file": lambda image: multipart_form(("digit.png", png(image))),
    "the bytes of a picture": lambda image: ("image/png", png(image)),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_request_gets_the_digits_of_the_library(server, images, expected, name):
    digits = []
    for image in images:
        kind, body = FORMS[name](image)
        response = server.request("POST", "/predict", body, {"Content-Type": kind})
        assert response.status == 200, response.body
        (prediction,) = response.json["predictions"]
        digits.append(prediction["label"])
    assert digits == expected


def test_many_images_in_a_request_get_the_digits_of_the_library(server, images, expected):
    _, body = array(images)
    kind = {"Content-Type": "application/json"}
    response = server.request("POST", "/predict", body, kind)
    assert [each["label"] for each in response.json["predictions"]] == expected


def test_probabilities_are_those_of_the_library(server, model_file, images):
    _, body = array(images)
    response = server.request("POST", "/predict", body, {"Content-Type": "application/json"})
    probabilities = [each["probabilities"] for each in response.json["predictions"]]
    expected = load_model(model_file).predict_proba(images)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
