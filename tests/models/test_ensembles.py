"""The recipe ensemble, of SVMs."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_svm import Dataset, Recognizer, export_onnx, load_model, save_model, train_model
from mnist_svm.models.recipes import RECIPES
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.ensembles import LogarithmicPool
from mnist_svm.training.train import TrainingConfig

ENSEMBLE = RECIPES["ensemble"]
LIMIT = 600


@pytest.fixture(scope="module", params=["average", "vote", "stack"])
def trained(request, train_set):
    changes = {"members": "poly4,gradient", "combine": request.param}
    return train_model(ENSEMBLE, train_set, limit=LIMIT, changes=changes)


@pytest.fixture(scope="module")
def loaded(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("ensemble") / "model.joblib"
    save_model(path, trained)
    return load_model(path)


def test_it_reads_digits(trained, test_set):
    assert trained.pipeline.score(test_set.X[:1000], test_set.labels[:1000]) > 0.95


def test_it_comes_back_from_its_file_bit_equal(trained, loaded, test_set):
    assert loaded.info == trained.info
    X = test_set.X[:100]
    expected = trained.pipeline.predict_proba(X)
    np.testing.assert_array_equal(loaded.pipeline.predict_proba(X), expected)
    np.testing.assert_array_equal(loaded.pipeline.predict(X), trained.pipeline.predict(X))


def test_the_recognizer_computes_the_pipeline_s_probabilities(loaded, test_set):
    readings = Recognizer(loaded).classify(test_set.images[:100])
    expected = loaded.pipeline.predict_proba(test_set.X[:100])
    np.testing.assert_allclose(readings.probabilities, expected, atol=1e-12)


def test_it_is_exported(loaded, test_set):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(export_onnx(loaded))
    labels, probabilities = session.run(None, {"images": test_set.images[:100]})
    expected = loaded.predict_proba(test_set.images[:100])
    np.testing.assert_array_equal(labels, loaded.classes[expected.argmax(axis=1)])
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_its_probabilities_are_calibrated_on_held_out_images(trained):
    assert trained.info.calibration.n_held_out == LIMIT
    assert trained.info.calibration.calibration_error < 0.05


def test_what_was_combined_is_recorded(loaded):
    assert loaded.info.changes["members"] == "poly4,gradient"
    assert loaded.info.n_svms == 2
    assert TrainingConfig.from_info(loaded.info).changes == loaded.info.changes


def test_weights_reach_the_members_and_the_pool(train_set, monkeypatch):
    given = []
    for kind in (CoupledSVC, LogarithmicPool):

        def record(self, X, y, sample_weight=None, fit=kind.fit, kind=kind):
            given.append((kind, sample_weight))
            return fit(self, X, y, sample_weight)

        monkeypatch.setattr(kind, "fit", record)
    weighted = Dataset.concatenate([train_set], [3.0])
    changes = {"members": "poly4,gradient", "combine": "stack"}
    train_model(ENSEMBLE, weighted, limit=100, changes=changes)
    # Each member is fitted to all images and to three parts of them.
    assert [kind for kind, _ in given].count(CoupledSVC) == 8
    assert given[-1][0] is LogarithmicPool
    for _, weights in given:
        assert weights is not None
        assert (weights == 3).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"members": "gradient"}, "at least two members, got gradient"),
        ({"members": "gradient,gradient"}, "'gradient' is given twice"),
        ({"members": "gradient,svm"}, "expected names of poly4, virtual, gradient, best"),
        ({"members": "gradient,ensemble"}, "found 'ensemble'"),
        ({"members": "gradient,poly4", "combine": "sum"}, "combine must be one of average, vote"),
    ],
)
def test_invalid_members_are_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        ENSEMBLE.pipeline(changes=changes)


def test_the_command_line_combines_recipes(run, tmp_path):
    output = tmp_path / "m.joblib"
    options = ["--members", "poly4,gradient", "--combine", "vote", "--limit", 100]
    result = run("train", "--recipe", "ensemble", *options, "-o", output)
    assert result.exit_code == 0, result.stderr
    assert load_model(output).info.changes == {"members": "poly4,gradient", "combine": "vote"}


def test_members_of_another_recipe_are_wrong_usage(run, tmp_path):
    result = run("train", "--members", "poly4,gradient", "-o", tmp_path / "m.joblib")
    assert result.exit_code == 2
    assert "members" in result.stderr
