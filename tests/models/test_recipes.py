"""The recipes, the shipped model, and how commands find theirs."""

from __future__ import annotations

import json
import shutil

import joblib
import numpy as np
import pytest

from mnist_svm import RECIPES, Recognizer, load_dataset, load_model, save_model, train_model
from mnist_svm.datasets.types import Dataset
from mnist_svm.exceptions import ModelFileError
from mnist_svm.models.locate import SHIPPED, find_model
from mnist_svm.svm.fitted import fitted_svcs
from tests.support.model_files import joblib_bytes
from tests.support.paths import DATA, DIGITS, ROOT

# Averages of several SVMs on virtual copies take long, and need fewer images.
SLOW_RECIPES = [pytest.param(name, marks=pytest.mark.slow) for name in ("virtual", "best")]


@pytest.fixture(scope="module", params=["poly4", "gradient", *SLOW_RECIPES])
def trained(request, train_set):
    limit = 500 if request.param in ("virtual", "best") else 1500
    return train_model(RECIPES[request.param], train_set, limit=limit)


@pytest.fixture(scope="module")
def trained_file(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / f"{trained.info.recipe}.joblib"
    save_model(path, trained)
    return path


def test_every_recipe_reads_digits(trained, test_set):
    accuracy = trained.pipeline.score(test_set.X[:2000], test_set.labels[:2000])
    assert accuracy > (0.945 if trained.info.recipe in ("poly4", "virtual") else 0.975)


def test_every_recipe_comes_back_from_its_file_bit_equal(trained, trained_file, test_set):
    back = load_model(trained_file)
    assert back.info == trained.info
    X = test_set.X[:100]
    np.testing.assert_array_equal(back.pipeline.predict_proba(X), trained.pipeline.predict_proba(X))


def test_the_recognizer_reads_what_the_pipeline_predicts(trained, test_set):
    readings = Recognizer(trained, n_jobs=2).classify(test_set.images[:700])
    np.testing.assert_array_equal(readings.labels, trained.pipeline.predict(test_set.X[:700]))


def test_support_vectors_are_bytes(trained):
    """Eight bits per feature are exact, because the SVM was trained on them."""
    for svc in fitted_svcs(trained.pipeline):
        assert svc.support_vectors_.dtype == np.uint8


def test_recipes_are_listed(run):
    result = run("recipes")
    assert result.exit_code == 0
    for recipe in RECIPES.values():
        assert recipe.summary in result.stdout
        if recipe.test_result:
            assert f"({recipe.test_result.errors})" in result.stdout


def test_recipes_are_listed_as_json(run):
    listed = json.loads(run("recipes", "--json").stdout)
    assert [recipe["name"] for recipe in listed] == list(RECIPES)
    for recipe in listed:
        if result := recipe["cross_validation"]:
            is_network = recipe["name"].startswith("cnn")
            assert result["n"] == result["folds"] * (20_000 if is_network else 12_000)
        if result := recipe["test_result"]:
            assert result["n"] == 10_000


def test_a_parameter_of_another_kernel_is_wrong_usage(run, tmp_path):
    result = run("train", "--recipe", "gradient", "--degree", 3, "-o", tmp_path / "m.joblib")
    assert result.exit_code == 2
    assert "degree has no meaning for the Gaussian kernel of this recipe" in result.stderr


# --- the shipped model -------------------------------------------------------------------------


@pytest.mark.slow
def test_the_shipped_model_is_what_the_sources_make(test_set):
    shipped, everyday = load_model(SHIPPED), RECIPES["gradient"].everyday
    assert shipped.info.training.data == " + ".join(everyday.data)
    sets = [load_dataset(name, data_dir=DATA) for name in everyday.data]
    again = train_model(RECIPES["gradient"], Dataset.concatenate(sets))
    (one,), (other,) = fitted_svcs(shipped.pipeline), fitted_svcs(again.pipeline)
    # Other kinds of processor sum in another order, and a few alphas are on the border of zero.
    shared = len(np.intersect1d(one.support_, other.support_))
    assert shared >= 0.998 * max(len(one.support_), len(other.support_))
    read, reread = (model.pipeline.predict(test_set.X) for model in (shipped, again))
    assert np.count_nonzero(read != reread) <= 1
    errors = int(np.count_nonzero(read != test_set.labels))
    assert errors == everyday.test_result.errors
    assert shipped.info.recipe == "gradient"
    assert shipped.info.parameters == again.info.parameters


@pytest.mark.parametrize(("name", "most"), [("mnist", 0.01), ("styles", 0.005)])
def test_the_shipped_model_is_calibrated(name, most):
    tested = load_dataset(name, split="test", data_dir=DATA)
    probabilities = load_model(SHIPPED).pipeline.predict_proba(tested.X)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == tested.labels
    # The expected calibration error, by its definition.
    bins = np.ceil(confidence * 15)
    gaps = [abs((confidence - right)[bins == m].sum()) for m in range(1, 16)]
    assert sum(gaps) / len(right) < most
    confident = confidence.argsort(kind="stable")[len(right) // 100 :]
    assert np.count_nonzero(~right[confident]) <= 0.002 * len(right)


def test_the_shipped_model_is_small():
    assert SHIPPED.stat().st_size <= 2_500_000


def test_a_model_is_found_by_name_then_in_the_folder_then_in_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model() == SHIPPED
    assert find_model("other.joblib").name == "other.joblib"
    (tmp_path / "mnist-svm.joblib").touch()
    assert find_model().resolve() == tmp_path / "mnist-svm.joblib"
    assert find_model("other.joblib").name == "other.joblib"


def test_the_shipped_model_is_the_default(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = run("predict", *DIGITS)
    assert result.exit_code == 0
    assert [line.split("\t")[1] for line in result.stdout.splitlines()] == list("0123456789")
    assert result.stderr == "Reading with the model shipped with the package\n"


def test_the_model_in_the_folder_goes_before_the_shipped_one(
    run, monkeypatch, tmp_path, small_model_file
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(small_model_file, "mnist-svm.joblib")
    assert run("predict", DIGITS[3]).stderr == "Reading with mnist-svm.joblib\n"
    result = run("eval", "--data-dir", DATA)
    assert result.stderr.startswith("Evaluating mnist-svm.joblib on the 10,000 test images")
    assert json.loads(run("info", "--json").stdout)["recipe"] == "poly4"


def test_info_describes_the_shipped_model(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    content = json.loads(run("info", "--json").stdout)
    assert content["recipe"] == "gradient"
    assert content["bytes"] == SHIPPED.stat().st_size
    assert [each["name"] for each in content["training"]["sets"]] == ["mnist", "styles"]


def test_python_users_get_the_shipped_model_too(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    reading = Recognizer.load().read(ROOT / "images_test" / "7.png")
    assert reading.label == 7


# --- damaged models of many parts ----------------------------------------------------------------


def average(content):
    (calibrated,) = content["pipeline"]["steps"]
    return calibrated["steps"][0]


def first_view(content):
    return average(content)["steps"][0]


def first_steps(content):
    """Steps of the pipeline in the first view: a union of features, SVM."""
    (pipeline,) = first_view(content)["steps"]
    return pipeline["steps"]


def union(content):
    """Parts of the union in the first view: a pipeline of size and gradients, and the shape."""
    return first_steps(content)[0]["steps"]


def strokes(content):
    return union(content)[0]["steps"]


# Each damages something that predictions rely on, somewhere in the recipe ``best``.
DAMAGE = {
    "a parameter that averages do not have": lambda content: average(content)["parameters"].update(
        weights=[1.0]
    ),
    "no classifiers": lambda content: average(content)["steps"].clear(),
    "classes in another order": lambda content: average(content)["attributes"].update(
        classes=np.arange(10)[::-1].copy()
    ),
    "other classes in a view": lambda content: first_steps(content)[-1]["attributes"].update(
        classes=np.arange(1, 11)
    ),
    "a grid without end": lambda content: strokes(content)[1]["parameters"].update(grid=10**6),
    "a picture without end": lambda content: strokes(content)[0]["parameters"].update(side=10**6),
    "another image": lambda content: strokes(content)[0]["parameters"].update(image_shape=(7, 7)),
    "fewer gradients than the SVM needs": lambda content: strokes(content)[1]["parameters"].update(
        directions=4
    ),
    "a transformer in place of the SVM": lambda content: first_steps(content).pop(),
    "an SVM in place of a transformer": lambda content: first_steps(content).reverse(),
    "a union of nothing": lambda content: union(content).clear(),
    "a pipeline of nothing in a union": lambda content: strokes(content).clear(),
    "an SVM in a union": lambda content: union(content).append(first_steps(content)[1]),
    "a part of the union missing": lambda content: union(content).pop(),
    "a shape of no weight": lambda content: union(content)[1]["parameters"].update(weight=0.0),
    "a union in place of a classifier": lambda content: first_view(content)["steps"].__setitem__(
        0, first_steps(content)[0]
    ),
    "two pipelines in a view": lambda content: first_view(content)["steps"].append(
        first_view(content)["steps"][0]
    ),
    "itself within itself": lambda content: first_view(content).update(steps=[first_view(content)]),
}


@pytest.mark.slow
@pytest.mark.parametrize("trained", ["best"], indirect=True)
@pytest.mark.parametrize("what", DAMAGE)
def test_parts_that_are_inconsistent_are_refused(trained_file, tmp_path, what):
    content = joblib.load(trained_file)
    (tmp_path / "whole.joblib").write_bytes(joblib_bytes(content))
    assert load_model(tmp_path / "whole.joblib").info.recipe == "best"
    DAMAGE[what](content)
    (tmp_path / "broken.joblib").write_bytes(joblib_bytes(content))
    with pytest.raises(ModelFileError, match="damaged model file"):
        load_model(tmp_path / "broken.joblib")
