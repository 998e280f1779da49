"""Training on every image and changed copies of it: the same model, whether stopped or not."""

from __future__ import annotations

import json
import logging
import resource
import shutil
import signal
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from mnist_svm import RECIPES, Calibrated, CoupledSVC, Model, Recognizer, load_model, train_model
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.svm.calibration import best_temperature
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.svm.log import log_to
from mnist_svm.training import augmented as module
from mnist_svm.training.augmented import AugmentedTraining
from tests.support.paths import DATA

IMAGES, COPIES = 1200, 3
COMMAND = ["train", "--recipe", "gradient", "--limit", IMAGES, "--virtual-copies", COPIES]
COMMAND += ["--data-dir", DATA]


class Trained(NamedTuple):
    """What came of a training; labels are those of the images."""

    model: Model
    features: np.ndarray
    labels: np.ndarray


class StoppedError(Exception):
    """What a test stops a training with."""


def a_training(train_set, folder, **changed):
    options = {"copies": COPIES, "limit": IMAGES, **changed}
    return AugmentedTraining(RECIPES["gradient"], train_set, folder, **options)


def features_of(training):
    training.make_features()
    return np.load(training._folder.path / "features.npy")


@pytest.fixture(scope="module")
def never_stopped(train_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "work"
    with a_training(train_set, folder) as training:
        features = features_of(training)
        model = training.fit()
        training.remove()
    assert not folder.exists()
    labels = train_set.labels[stratified_subset(train_set.labels, IMAGES, 0)]
    return Trained(model, features, labels)


def assert_equal(one, other):
    """Models equal to the bit."""
    first, second = (model.pipeline[-1] for model in (one, other))
    for name in ("temperature_", "n_held_out_", "calibration_error_"):
        assert getattr(first, name) == getattr(second, name), name
    for name in ("support_", "support_vectors_", "dual_coef_", "intercept_"):
        ours, theirs = (getattr(of.estimator_, name) for of in (first, second))
        assert ours.tobytes() == theirs.tobytes(), name


def stopping_at(text):
    """A handler of the machine's logger that raises when a message begins so."""
    handler = logging.Handler(logging.INFO)

    def emit(record):
        if record.getMessage().startswith(text):
            raise StoppedError

    handler.emit = emit
    return log_to(handler)


# --- which points -------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_points_are_the_images_themselves(train_set, never_stopped):
    subset = stratified_subset(train_set.labels, IMAGES, 0)
    pipeline = RECIPES["gradient"].pipeline()[:-1]
    expected = pipeline.fit_transform(train_set.X[subset])
    assert never_stopped.features.dtype == np.uint8
    assert len(never_stopped.features) == IMAGES * (1 + COPIES)
    np.testing.assert_array_equal(never_stopped.features[:IMAGES], expected)


def test_each_copy_is_like_its_own_image_and_like_no_other_copy(never_stopped):
    images, *copies = never_stopped.features.reshape(1 + COPIES, IMAGES, -1).astype(float)

    def far(one, other):
        return ((one - other) ** 2).sum(axis=1)

    for number, copy in enumerate(copies):
        assert np.mean(far(copy, images) < far(copy, np.roll(images, 1, axis=0))) > 0.99
        for other in copies[:number]:
            assert far(copy, other).min() > 0


def test_neither_threads_nor_the_number_of_copies_change_a_copy(train_set, never_stopped, tmp_path):
    with a_training(train_set, tmp_path / "work", copies=1, n_jobs=1) as training:
        features = features_of(training)
    np.testing.assert_array_equal(features, never_stopped.features[: 2 * IMAGES])


def test_another_seed_gives_other_copies(train_set, tmp_path):
    features = []
    for seed in (0, 1):
        # All images, so that these are the same.
        few = replace(train_set, images=train_set.images[:50], labels=train_set.labels[:50])
        folder = tmp_path / str(seed)
        with a_training(few, folder, copies=1, random_state=seed) as training:
            features.append(features_of(training))
    one, other = features
    np.testing.assert_array_equal(one[:50], other[:50])
    assert (one[50:] != other[50:]).any(axis=1).all()


# --- the model ----------------------------------------------------------------------------------


def test_the_machine_is_that_of_the_same_points_in_memory(never_stopped):
    X, y = never_stopped.features, np.tile(never_stopped.labels, 1 + COPIES)
    alone = CoupledSVC(C=3.0, gamma=8e-6, random_state=0).fit(X, y)
    (machine,) = fitted_svcs(never_stopped.model.pipeline)
    assert machine.get_params() == alone.get_params()
    for name in ("support_", "support_vectors_", "dual_coef_", "intercept_"):
        assert getattr(machine, name).tobytes() == getattr(alone, name).tobytes(), name


@pytest.mark.slow
def test_the_temperature_is_that_of_images_whose_copies_are_not_known(never_stopped):
    X, y = never_stopped.features, never_stopped.labels
    of_image = np.tile(np.arange(IMAGES), 1 + COPIES)
    confidences = np.empty((IMAGES, 10))
    for known, unknown in StratifiedKFold(3).split(y, y):
        rows = np.flatnonzero(np.isin(of_image, known))
        machine = CoupledSVC(C=3.0, gamma=8e-6, random_state=0)
        machine.fit(X[rows], y[of_image[rows]])
        confidences[unknown] = machine.predict_proba(X[unknown])
    calibrated = never_stopped.model.pipeline[-1]
    assert isinstance(calibrated, Calibrated)
    assert calibrated.n_held_out_ == IMAGES
    assert calibrated.temperature_ == pytest.approx(best_temperature(confidences, y), rel=0.01)


def test_no_copy_of_an_image_that_is_held_out_is_fitted_to(train_set, tmp_path, monkeypatch):
    weights, read = [], []
    fit, predict_proba = CoupledSVC.fit, CoupledSVC.predict_proba

    def spy_fit(self, X, y, sample_weight=None):
        weights.append(sample_weight)
        return fit(self, X, y, sample_weight)

    def spy_read(self, X):
        read.append(np.array(X))
        return predict_proba(self, X)

    monkeypatch.setattr(CoupledSVC, "fit", spy_fit)
    monkeypatch.setattr(CoupledSVC, "predict_proba", spy_read)
    with a_training(train_set, tmp_path / "work", limit=300, copies=2) as training:
        features = features_of(training)
        training.fit()
    *of_folds, of_all = weights
    assert of_all is None
    assert len(of_folds) == len(read) == 3
    for of_fold, rows in zip(of_folds, read, strict=True):
        by_copy = of_fold.reshape(3, 300)
        held_out = np.flatnonzero(by_copy[0] == 0)
        assert (by_copy == by_copy[0]).all()
        np.testing.assert_array_equal(rows, features[held_out])


@pytest.mark.slow
def test_copies_make_fewer_errors(train_set, test_set, never_stopped):
    without = train_model(RECIPES["gradient"], train_set, limit=IMAGES)
    errors = [
        np.count_nonzero(Recognizer(model).classify(test_set.images).labels != test_set.labels)
        for model in (never_stopped.model, without)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_the_model_says_that_there_were_copies(never_stopped):
    metadata = never_stopped.model.info
    training = metadata["training"]
    assert (training["images"], training["of"]) == (IMAGES, 60_000)
    assert (training["virtual_copies"], training["points"]) == (COPIES, IMAGES * (1 + COPIES))
    assert training["resumed"] is False
    assert set(training["sha256"]) == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}


# --- stopped, and gone on -----------------------------------------------------------------------


@pytest.mark.slow
def test_features_go_on_after_the_last_shards_that_are_safe(train_set, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 200)
    monkeypatch.setattr(module, "TOGETHER", 4)
    made = []
    features = AugmentedTraining._features

    def stopping(self, shard):
        made.append(shard.number)
        if shard.number == 10 and made.count(10) == 1:
            raise StoppedError
        return features(self, shard)

    with a_training(train_set, tmp_path / "whole") as training:
        expected = features_of(training)
    monkeypatch.setattr(AugmentedTraining, "_features", stopping)
    with a_training(train_set, tmp_path / "work") as training, pytest.raises(StoppedError):
        training.make_features()
    made.clear()
    made.append(10)
    progress = []
    with a_training(train_set, tmp_path / "work") as training:
        assert training.resumed
        # Two fours of 200.
        assert training.made == 1600
        training.make_features(lambda done, total: progress.append((done, total)))
        found = np.load(tmp_path / "work" / "features.npy")
    assert sorted(made[1:]) == list(range(8, 24))
    assert progress[-1] == (IMAGES * (1 + COPIES), IMAGES * (1 + COPIES))
    np.testing.assert_array_equal(found, expected)


def resumed(train_set, folder, caplog):
    """The model of a training whose features are there; what is said meanwhile is in `caplog`."""
    caplog.clear()
    with (
        caplog.at_level(logging.INFO, logger="mnist_svm.svm"),
        a_training(train_set, folder) as training,
    ):
        return training.fit()


@pytest.mark.slow
def test_a_fold_that_was_read_is_not_fitted_again(train_set, never_stopped, tmp_path, caplog):
    with a_training(train_set, tmp_path / "work") as training:
        training.make_features()
        with stopping_at("calibrating 2/3: round 1"), pytest.raises(StoppedError):
            training.fit()
    model = resumed(train_set, tmp_path / "work", caplog)
    assert caplog.messages[0] == "calibrating 2/3"
    assert model.info.training.augmentation.resumed
    assert_equal(model, never_stopped.model)


@pytest.mark.slow
def test_a_fit_goes_on_after_its_last_round(train_set, never_stopped, tmp_path, caplog):
    (machine,) = fitted_svcs(never_stopped.model.pipeline)
    assert len(machine.fit_log_) > 2
    with a_training(train_set, tmp_path / "work") as training:
        training.make_features()
        with stopping_at("round 2"), pytest.raises(StoppedError):
            training.fit()
    model = resumed(train_set, tmp_path / "work", caplog)
    said, gone_on, next_round, *_ = caplog.messages
    assert said == "fitting to all 4,800 points"
    # That of round 2 is kept when it has been told of.
    assert gone_on == "resuming after round 1"
    assert next_round.startswith("round 2:")
    assert_equal(model, never_stopped.model)


def wait_for(process, folder, pattern):
    """Until there is such a file, and the process still at work."""
    while process.poll() is None and not any(folder.glob(pattern)):
        time.sleep(0.005)
    assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_a_killed_command_goes_on(never_stopped, start, run, tmp_path):
    model, folder = tmp_path / "m.joblib", tmp_path / "m.joblib.work"
    process = start(*COMMAND, "-o", model)
    # The first round of a fit is done.
    wait_for(process, folder, "*.npz")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not model.exists()
    result = run(*COMMAND, "-o", model)
    assert result.exit_code == 0, result.stderr
    assert "Going on: 4,800 points have their features" in result.stderr
    first, *_, times, _ = result.stdout.splitlines()
    assert first == "Trained gradient on 1,200 images of mnist and 3 copies of each: 4,800 points"
    assert times.endswith(" since it was resumed")
    assert_equal(load_model(model), never_stopped.model)
    assert not folder.exists()


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_says_how_to_go_on(start, tmp_path):
    model, folder = tmp_path / "m.joblib", tmp_path / "m.joblib.work"
    process = start(*COMMAND, "-o", model)
    wait_for(process, folder, "*.npz")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    said = f"mnist-svm: interrupted; {folder} is kept; to go on, give the same command again"
    assert err.splitlines()[-1] == said
    assert not model.exists()
    assert any(folder.glob("*.npz"))


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"copies": 4}, "virtual_copies"),
        ({"limit": 1000}, "images"),
        ({"random_state": 1}, "random_state"),
        ({"changes": {"gradients__grid": 5}}, "pipeline"),
        ({"parameters": RECIPES["gradient"].defaults.changed(C=2.0)}, "parameters"),
    ],
)
def test_the_folder_of_another_training_is_refused(train_set, tmp_path, changed, named):
    with a_training(train_set, tmp_path / "work", limit=900):
        pass
    before = (tmp_path / "work" / "work.json").read_bytes()
    refused = f"holds another training, of which differ: {named}; to go on with that one, repeat"
    with (
        pytest.raises(FileExistsError, match=refused),
        a_training(train_set, tmp_path / "work", **{"limit": 900, **changed}),
    ):
        pass
    assert (tmp_path / "work" / "work.json").read_bytes() == before


def test_other_images_are_another_training(train_set, tmp_path):
    with a_training(train_set, tmp_path / "work"):
        pass
    others = replace(train_set, sha256={"train-images-idx3-ubyte": "0" * 64})
    with (
        pytest.raises(FileExistsError, match="of which differ: data;"),
        a_training(others, tmp_path / "work"),
    ):
        pass


def test_a_folder_of_something_else_is_left_alone(run, tmp_path):
    folder = tmp_path / "m.joblib.work"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    result = run(*COMMAND, "-o", tmp_path / "m.joblib")
    assert result.exit_code == 1
    *_, error = result.stderr.splitlines()
    said = "holds no training that could go on; move it away"
    assert error == f"mnist-svm: error: {folder}: {said}"
    assert [file.name for file in folder.iterdir()] == ["thesis.tex"]


def test_a_damaged_record_is_refused(train_set, tmp_path):
    (tmp_path / "work.json").write_text(json.dumps({"work": {}}))
    with pytest.raises(FileExistsError, match="is damaged"), a_training(train_set, tmp_path):
        pass


def test_a_folder_in_use_is_refused(train_set, tmp_path):
    with (
        a_training(train_set, tmp_path / "work"),
        pytest.raises(FileExistsError, match="another process is at work there"),
        a_training(train_set, tmp_path / "work"),
    ):
        pass


@pytest.mark.slow
def test_too_little_room_on_the_disk_is_said_before_anything_is_written(run, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=250_000_000))
    options = ["-o", tmp_path / "m.joblib", "--recipe", "gradient", "--data-dir", DATA]
    result = run("train", *options, "--virtual-copies", 16)
    assert result.exit_code == 1
    *_, error = result.stderr.splitlines()
    # 1,020,000 points of 288 bytes, and as many of 10 classes.
    said = "needs 0.4 GB, of which 0.2 GB are free"
    assert error == f"mnist-svm: error: {tmp_path}/m.joblib.work: {said}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_it_with_a_line(finish, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    code, out, err = finish(*COMMAND, "-o", tmp_path / "m.joblib", limit=limit)
    assert (code, out) == (1, "")
    error = f"mnist-svm: error: {tmp_path}/m.joblib.work/features.npy: File too large"
    assert err.splitlines()[-1] == error


@pytest.mark.parametrize("recipe", ["virtual", "best"])
def test_recipes_with_copies_of_their_own_are_wrong_usage(run, recipe):
    result = run("train", "--recipe", recipe, "--virtual-copies", 4, "-o", "/dev/null")
    assert result.exit_code == 2
    assert f"the machines of {recipe} have copies of their own, of support vectors" in result.stderr


def test_poly4_has_copies_too(train_set, tmp_path):
    folder = tmp_path / "work"
    with AugmentedTraining(RECIPES["poly4"], train_set, folder, copies=1, limit=300) as training:
        assert features_of(training).dtype == np.uint8
        model = training.fit()
    assert model.info.recipe == "poly4"
    assert Recognizer(model).classify(train_set.images[:100]).labels.shape == (100,)


def test_no_copies_at_all_are_refused(train_set, tmp_path):
    with pytest.raises(ValueError, match="copies must be at least 1"):
        a_training(train_set, tmp_path / "work", copies=0)
