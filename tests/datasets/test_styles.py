"""The data set of styles in ``data/styles``: verified, described in full, and held out by style."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from mnist_svm.datasets.load import load_dataset
from mnist_svm.pictures.mnist_form import is_mnist_form
from tests.support.paths import ROOT
from tools.styles.build import COLUMNS, TEST, TRAIN
from tools.styles.collect import stroke_styles
from tools.styles.fonts import read_families

FOLDER = ROOT / "data" / "styles"
SPLITS = {TRAIN: "train", TEST: "test"}


@pytest.fixture(scope="module")
def table() -> list[dict[str, str]]:
    with (FOLDER / "styles.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module", params=SPLITS)
def part(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def dataset(part):
    return load_dataset("styles", split=SPLITS[part], data_dir=ROOT / "data")


def test_the_images_are_digits_in_mnist_form(dataset):
    assert np.bincount(dataset.labels).min() > len(dataset.labels) / 15
    assert set(dataset.labels) == set(range(10))
    # Of small pictures, some are centred or bright a little less exactly.
    assert np.mean([is_mnist_form(image) for image in dataset.images[::7]]) > 0.99


def test_no_image_is_there_twice(table):
    images = [
        load_dataset("styles", split=s, data_dir=ROOT / "data").images for s in SPLITS.values()
    ]
    every = np.concatenate(images).reshape(-1, 784)
    assert len({row.tobytes() for row in every}) > 0.999 * len(every)


def test_the_table_describes_every_image_once(table, dataset, part):
    assert tuple(table[0]) == COLUMNS
    rows = [row for row in table if row["part"] == part]
    ends = np.cumsum([int(row["n_images"]) for row in rows])
    assert [int(row["first"]) for row in rows] == [0, *ends[:-1]]
    assert ends[-1] == len(dataset.images)
    assert min(int(row["n_images"]) for row in rows) >= 10


def test_an_allograph_is_of_one_digit(table, dataset, part):
    for row in table:
        if row["part"] == part and row["kind"] == "strokes":
            first = int(row["first"])
            labels = dataset.labels[first : first + int(row["n_images"])]
            assert set(labels.tolist()) == {int(row["style"][0])}, row["style"]


def test_no_family_and_no_country_is_in_both_parts(table):
    for column in ("style", "country"):
        values = [
            {row[column] for row in table if row["part"] == part and row["kind"] != "strokes"}
            for part in SPLITS
        ]
        assert values[0] & values[1] <= {""}, column
        assert len(values[1]) > 2


def test_the_table_has_all_families_and_allographs(table):
    styles = {(row["style"], row["kind"], row["licence"], row["country"]) for row in table}
    families = {(each.name, each.kind, each.licence, each.country) for each in read_families()}
    strokes = {(each.name, "strokes", "MIT", "") for each in stroke_styles()}
    assert styles == families | strokes


def test_the_readme_lists_as_many_families_as_the_table():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    lists = text.split("School hands under OFL-1.1", 1)[1].split("**Checksums**")[0]
    paragraphs = [block.split(":\n", 1)[1] for block in lists.strip().split("\n\n")]
    assert sum(block.count(",") + 1 for block in paragraphs) == len(read_families())


def test_data_without_a_mirror_is_refused_with_what_to_do(run, tmp_path):
    result = run("fetch", "styles", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "styles has no mirror: copy train-images-idx3-ubyte.gz, " in result.stderr
    assert "from data/styles of this project's repository" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "styles").exists()


def test_data_in_the_clone_is_verified(run):
    result = run("fetch", "styles", "--data-dir", ROOT / "data")
    assert result.exit_code == 0
    assert result.stdout.count("already present, SHA-256 verified") == 4


def test_a_clone_can_be_the_mirror(tmp_path, run):
    result = run("fetch", "styles", "--data-dir", tmp_path, "--mirror", FOLDER.as_uri())
    assert result.exit_code == 0
    assert len(load_dataset("styles", split="test", data_dir=tmp_path).images) > 5_000
