"""``mnist-svm examples`` writes pictures, forms and a notebook, of which the tutorials speak."""

from __future__ import annotations

import json

import pytest

from mnist_svm import Recognizer, load_model
from mnist_svm.examples import FILES

DIGITS = sorted((FILES / "digits").glob("*.png"))
ZEROS = sorted((FILES / "hand").rglob("*.png"))


def test_all_examples_are_written(run, tmp_path):
    folder = tmp_path / "examples"
    assert run("examples", folder).stdout == f"Wrote {folder}\n"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    files = {str(path.relative_to(FILES)) for path in FILES.rglob("*") if path.is_file()}
    assert written == files | {"mnist-svm.ipynb"}


def test_a_folder_with_files_is_left_as_it_is(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    result = run("examples", tmp_path)
    assert result.exit_code == 1
    assert "exists and is not an empty folder" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("path", DIGITS, ids=lambda path: path.name)
def test_the_digits_are_read_as_their_names_say(path):
    assert str(Recognizer.load().read(path).label) == path.stem


def test_the_zeros_are_misread_and_unsure():
    readings = list(Recognizer.load().read(ZEROS))
    assert len(readings) == 12
    assert all(reading.label != 0 and reading.confidence < 0.9 for reading in readings)


def test_the_zeros_can_be_taught(run, tmp_path):
    model = tmp_path / "mine.joblib"
    # Without training images, as where there is no network.
    options = ["--data-dir", tmp_path, "--json", "-o", model]
    taught = run("teach", FILES / "hand" / "learn", *options)
    assert taught.exit_code == 0
    assert json.loads(taught.stdout)["corrections"]["after"] == 0
    readings = Recognizer(load_model(model)).read(sorted((FILES / "hand" / "try").glob("*.png")))
    assert [reading.label for reading in readings] == [0, 0, 0, 0]
