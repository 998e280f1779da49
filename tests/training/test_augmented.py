"""Training on images and virtual copies: bit-equal, whether interrupted and resumed or not."""

from __future__ import annotations

import json
import logging
import shutil
import signal
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold

from mnist_svm import RECIPES, Calibrated, CoupledSVC, Model, Recognizer, load_model, train_model
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.models.info import AugmentationRecord
from mnist_svm.svm.calibration import fit_temperature
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.svm.held_out import Fold, make_chimeras
from mnist_svm.svm.log import log_to
from mnist_svm.training import augmented as module
from mnist_svm.training.augmented import AugmentedSamples, train_augmented
from mnist_svm.training.train import TrainingConfig
from mnist_svm.training.work_folder import WorkFolder
from tests.support.paths import DATA
from tests.support.serving import eventually

IMAGES, COPIES = 1200, 3
COMMAND = ["train", "--recipe", "gradient", "--limit", IMAGES, "--virtual-copies", COPIES]
COMMAND += ["--data-dir", DATA]


class Trained(NamedTuple):
    """The result of a training, and the labels of its images."""

    model: Model
    features: np.ndarray
    labels: np.ndarray


class StoppedError(Exception):
    """Raised by a test to interrupt a training."""


def train(train_set, folder, recipe="gradient", parameters=None, changes=None, **options):
    recipe, seed = RECIPES[recipe], options.pop("random_state", 0)
    config = TrainingConfig(recipe, parameters or recipe.defaults, changes or {}, seed)
    return train_augmented(
        config, train_set, folder, **{"copies": COPIES, "limit": IMAGES, **options}
    )


def write_features(train_set, folder, **options):
    """The features of a training that is interrupted before its first fit."""

    def stop(n_done, n_total):
        if n_done == n_total:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(train_set, folder, progress=stop, **options)
    return np.load(folder / "features.npy")


@pytest.fixture(scope="module")
def uninterrupted(train_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "work"
    model = train(train_set, folder)
    labels = train_set.labels[stratified_subset(train_set.labels, IMAGES, 0)]
    return Trained(model, np.load(folder / "features.npy"), labels)


def assert_equal(one, other):
    """Models equal to the bit."""
    first, second = (model.pipeline[-1] for model in (one, other))
    for name in ("temperature_", "novelty_slope_", "n_held_out_", "calibration_error_"):
        assert getattr(first, name) == getattr(second, name), name
    for name in ("support_", "support_vectors_", "dual_coef_", "intercept_"):
        ours, theirs = (getattr(of.estimator_, name) for of in (first, second))
        assert ours.tobytes() == theirs.tobytes(), name


def stopping_at(text):
    """Interrupt the training when a log message starts with a text."""

    def stop(message):
        if message.startswith(text):
            raise StoppedError

    return log_to(stop)


# --- samples ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_first_points_are_the_images_themselves(train_set, uninterrupted):
    subset = stratified_subset(train_set.labels, IMAGES, 0)
    pipeline = RECIPES["gradient"].pipeline()[:-1]
    expected = pipeline.fit_transform(train_set.X[subset])
    assert uninterrupted.features.dtype == np.uint8
    assert len(uninterrupted.features) == IMAGES * (1 + COPIES)
    np.testing.assert_array_equal(uninterrupted.features[:IMAGES], expected)


def test_each_copy_is_like_its_own_image_and_like_no_other_copy(uninterrupted):
    images, *copies = uninterrupted.features.reshape(1 + COPIES, IMAGES, -1).astype(float)

    def far(one, other):
        return ((one - other) ** 2).sum(axis=1)

    for number, copy in enumerate(copies):
        assert np.mean(far(copy, images) < far(copy, np.roll(images, 1, axis=0))) > 0.99
        for other in copies[:number]:
            assert far(copy, other).min() > 0


def test_neither_threads_nor_the_number_of_copies_change_a_copy(train_set, uninterrupted, tmp_path):
    features = write_features(train_set, tmp_path / "work", copies=1, n_jobs=1)
    np.testing.assert_array_equal(features, uninterrupted.features[: 2 * IMAGES])


def test_another_seed_gives_other_copies(train_set, tmp_path):
    features = []
    for seed in (0, 1):
        # All images, so that these are the same.
        few = replace(train_set, images=train_set.images[:50], labels=train_set.labels[:50])
        folder = tmp_path / str(seed)
        features.append(write_features(few, folder, copies=1, random_state=seed))
    one, other = features
    np.testing.assert_array_equal(one[:50], other[:50])
    assert (one[50:] != other[50:]).any(axis=1).all()


# --- the model ----------------------------------------------------------------------------------


def test_the_svm_equals_one_fitted_in_memory(uninterrupted):
    X, y = uninterrupted.features, np.tile(uninterrupted.labels, 1 + COPIES)
    alone = CoupledSVC(C=3.0, gamma=5e-6, random_state=0).fit(X, y)
    (svc,) = fitted_svcs(uninterrupted.model.pipeline)
    assert svc.get_params() == alone.get_params()
    for name in ("support_", "support_vectors_", "dual_coef_", "intercept_"):
        assert getattr(svc, name).tobytes() == getattr(alone, name).tobytes(), name


@pytest.mark.slow
def test_the_temperature_is_that_of_images_whose_copies_are_not_known(uninterrupted):
    X, y = uninterrupted.features, uninterrupted.labels
    of_image = np.tile(np.arange(IMAGES), 1 + COPIES)
    folds, predictions = [], []
    for known, unknown in StratifiedKFold(3).split(y, y):
        rows = np.flatnonzero(np.isin(of_image, known))
        svc = CoupledSVC(C=3.0, gamma=5e-6, random_state=0)
        svc.fit(X[rows], y[of_image[rows]])
        predicted = np.concatenate([X[unknown], make_chimeras(X[unknown], y[unknown])])
        predictions.append(np.column_stack(svc.predict_with_novelty(predicted)))
        folds.append(Fold("", known, unknown))
    calibrated, expected = uninterrupted.model.pipeline[-1], fit_temperature(y, folds, predictions)
    assert isinstance(calibrated, Calibrated)
    assert calibrated.n_held_out_ == IMAGES
    assert calibrated.temperature_ == pytest.approx(expected.temperature, rel=0.01)
    assert calibrated.novelty_slope_ == pytest.approx(expected.novelty_slope, rel=0.01)


def test_no_copy_of_an_image_that_is_held_out_is_fitted_to(train_set, tmp_path, monkeypatch):
    weights, read = [], []
    fit, predict = CoupledSVC.fit, CoupledSVC.predict_with_novelty

    def spy_fit(self, X, y, sample_weight=None):
        weights.append(sample_weight)
        return fit(self, X, y, sample_weight)

    def spy_read(self, X):
        read.append(np.array(X))
        return predict(self, X)

    monkeypatch.setattr(CoupledSVC, "fit", spy_fit)
    monkeypatch.setattr(CoupledSVC, "predict_with_novelty", spy_read)
    train(train_set, tmp_path / "work", limit=300, copies=2)
    features = np.load(tmp_path / "work" / "features.npy")
    *of_folds, of_all = weights
    assert of_all is None
    # Each fold's classifier reads the held-out images, then chimeras of these.
    assert len(of_folds) == len(read[::2]) == 3
    for of_fold, rows in zip(of_folds, read[::2], strict=True):
        by_copy = of_fold.reshape(3, 300)
        held_out = np.flatnonzero(by_copy[0] == 0)
        assert (by_copy == by_copy[0]).all()
        np.testing.assert_array_equal(rows, features[held_out])


@pytest.mark.slow
def test_copies_make_fewer_errors(train_set, test_set, uninterrupted):
    without = train_model(RECIPES["gradient"], train_set, limit=IMAGES)
    errors = [
        np.count_nonzero(Recognizer(model).classify(test_set.images).labels != test_set.labels)
        for model in (uninterrupted.model, without)
    ]
    assert errors[0] < 0.9 * errors[1]


def test_the_model_records_its_copies(uninterrupted):
    training = uninterrupted.model.info.training
    (mnist,) = training.sets
    assert (mnist.name, mnist.n_images, mnist.size) == ("mnist", IMAGES, 60_000)
    assert training.augmentation == AugmentationRecord(COPIES, IMAGES * (1 + COPIES), resumed=False)
    assert set(mnist.sha256) == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}


# --- interrupted and resumed --------------------------------------------------------------------


def test_features_resume_after_the_last_synced_shards(train_set, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAMPLES_PER_SHARD", 200)
    monkeypatch.setattr(module, "SHARDS_PER_SYNC", 4)
    expected = write_features(train_set, tmp_path / "whole")
    computed = []
    features = AugmentedSamples.features

    def stop_at_10(self, shard):
        if shard == 10:
            raise StoppedError
        return features(self, shard)

    def spy(self, shard):
        computed.append(shard)
        return features(self, shard)

    monkeypatch.setattr(AugmentedSamples, "features", stop_at_10)
    with pytest.raises(StoppedError):
        train(train_set, tmp_path / "work")
    monkeypatch.setattr(AugmentedSamples, "features", spy)
    progress = []

    def stop_at_the_end(n_done, n_total):
        progress.append((n_done, n_total))
        if n_done == n_total:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(train_set, tmp_path / "work", progress=stop_at_the_end)
    # Two batches of four shards were synced.
    assert sorted(computed) == list(range(8, 24))
    assert progress[0] == (1800, IMAGES * (1 + COPIES))
    assert progress[-1] == (IMAGES * (1 + COPIES), IMAGES * (1 + COPIES))
    np.testing.assert_array_equal(np.load(tmp_path / "work" / "features.npy"), expected)


def resume(train_set, folder, caplog):
    """Train in the folder of an interrupted training, with the log messages in `caplog`."""
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="mnist_svm.svm"):
        return train(train_set, folder)


@pytest.mark.slow
def test_a_finished_fold_is_not_fitted_again(train_set, uninterrupted, tmp_path, caplog):
    with stopping_at("calibrating 2/3: round 1"), pytest.raises(StoppedError):
        train(train_set, tmp_path / "work")
    model = resume(train_set, tmp_path / "work", caplog)
    assert caplog.messages[0] == "calibrating 2/3"
    assert model.info.training.augmentation.resumed
    assert_equal(model, uninterrupted.model)


@pytest.mark.slow
def test_a_fit_resumes_after_its_last_round(train_set, uninterrupted, tmp_path, caplog):
    (svc,) = fitted_svcs(uninterrupted.model.pipeline)
    assert len(svc.fit_log_) > 2
    with stopping_at("round 2"), pytest.raises(StoppedError):
        train(train_set, tmp_path / "work")
    model = resume(train_set, tmp_path / "work", caplog)
    fitting, resuming, next_round, *_ = caplog.messages
    assert fitting == "fitting to all 4,800 samples"
    # A round is logged before it is stored.
    assert resuming == "resuming after round 1"
    assert next_round.startswith("round 2:")
    assert_equal(model, uninterrupted.model)


def test_the_features_of_a_resumed_fit_are_not_computed_again(train_set, tmp_path, monkeypatch):
    with stopping_at("calibrating 1/3: round 1"), pytest.raises(StoppedError):
        train(train_set, tmp_path / "work", limit=300)
    monkeypatch.setattr(AugmentedSamples, "features", None)
    assert train(train_set, tmp_path / "work", limit=300).info.training.augmentation.resumed


def wait_for(process, folder, pattern):
    """Wait until the process has written a file; it must still be running then."""
    eventually(lambda: process.poll() is not None or any(folder.glob(pattern)))
    assert process.poll() is None, process.communicate()


@pytest.mark.slow
def test_a_killed_command_goes_on(uninterrupted, start, run, tmp_path):
    model, folder = tmp_path / "m.joblib", tmp_path / "m.joblib.work"
    process = start(*COMMAND, "-o", model)
    # The first round of a fit is done.
    wait_for(process, folder, "*.npz")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not model.exists()
    result = run(*COMMAND, "-o", model)
    assert result.exit_code == 0, result.stderr
    assert "4,800 samples. Resuming in" in result.stderr
    first, *_, times, _ = result.stdout.splitlines()
    assert first == "Trained gradient on 1,200 images of mnist and 3 copies of each: 4,800 samples"
    assert times.endswith(" since it was resumed")
    assert_equal(load_model(model), uninterrupted.model)
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
    assert err.splitlines()[-2:] == [
        f"{folder} is kept; repeat the command to resume the training",
        "mnist-svm: interrupted; no incomplete file is left",
    ]
    assert not model.exists()
    assert any(folder.glob("*.npz"))


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"copies": 4}, "virtual_copies"),
        ({"limit": 1000}, "n_images"),
        ({"random_state": 1}, "random_state"),
        ({"changes": {"gradients__grid": 5}}, "changes"),
        ({"parameters": RECIPES["gradient"].defaults.changed(C=2.0)}, "parameters"),
    ],
)
def test_the_folder_of_another_training_is_refused(train_set, tmp_path, changed, named):
    write_features(train_set, tmp_path / "work", limit=900)
    before = (tmp_path / "work" / "work.json").read_bytes()
    refused = f"holds another training, with different {named}; repeat the command of that"
    with pytest.raises(FileExistsError, match=refused):
        train(train_set, tmp_path / "work", **{"limit": 900, **changed})
    assert (tmp_path / "work" / "work.json").read_bytes() == before


def test_other_images_are_another_training(train_set, tmp_path):
    write_features(train_set, tmp_path / "work")
    others = replace(train_set, sha256={"train-images-idx3-ubyte": "0" * 64})
    with pytest.raises(FileExistsError, match="with different sha256;"):
        train(others, tmp_path / "work")


def test_a_folder_of_something_else_is_left_alone(run, tmp_path):
    folder = tmp_path / "m.joblib.work"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    result = run(*COMMAND, "-o", tmp_path / "m.joblib")
    assert result.exit_code == 1
    *_, error = result.stderr.splitlines()
    assert error == f"mnist-svm: error: {folder}: holds no training to resume; move it away"
    assert [file.name for file in folder.iterdir()] == ["thesis.tex"]


def test_a_damaged_record_is_refused(train_set, tmp_path):
    (tmp_path / "work.json").write_text(json.dumps({"job": {}}))
    with pytest.raises(FileExistsError, match="is damaged"):
        train(train_set, tmp_path)


def test_a_folder_in_use_is_refused(train_set, tmp_path):
    with (
        WorkFolder(tmp_path / "work", {}, 0),
        pytest.raises(FileExistsError, match="is in use by another process"),
    ):
        train(train_set, tmp_path / "work")


def test_too_little_disk_space_is_reported_before_anything_is_written(run, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=250_000_000))
    options = ["-o", tmp_path / "m.joblib", "--recipe", "gradient", "--data-dir", DATA]
    result = run("train", *options, "--virtual-copies", 16)
    assert result.exit_code == 1
    *_, error = result.stderr.splitlines()
    # 1,020,000 samples of 434 bytes, and checkpoints of as many in 10 classes.
    reason = "needs 0.5 GB of disk space, but only 0.2 GB are free"
    assert error == f"mnist-svm: error: {tmp_path}/m.joblib.work: {reason}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_disk_that_fills_up_ends_it_with_a_line(finish, tmp_path):
    def limit():
        import resource  # which Windows lacks

        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    code, out, err = finish(*COMMAND, "-o", tmp_path / "m.joblib", limit=limit)
    assert (code, out) == (1, "")
    error = f"mnist-svm: error: {tmp_path}/m.joblib.work/features.npy: File too large"
    assert err.splitlines()[-1] == error


@pytest.mark.parametrize("recipe", ["virtual", "best"])
def test_recipes_with_copies_of_their_own_are_wrong_usage(run, recipe):
    result = run("train", "--recipe", recipe, "--virtual-copies", 4, "-o", "/dev/null")
    assert result.exit_code == 2
    assert f"recipes gradient and poly4, not for {recipe}" in result.stderr


def test_poly4_has_copies_too(train_set, tmp_path):
    model = train(train_set, tmp_path / "work", recipe="poly4", copies=1, limit=300)
    assert np.load(tmp_path / "work" / "features.npy").dtype == np.uint8
    assert model.info.recipe == "poly4"
    assert Recognizer(model).classify(train_set.images[:100]).labels.shape == (100,)


def test_no_copies_at_all_are_refused(train_set, tmp_path):
    with pytest.raises(ValueError, match="copies must be at least 1"):
        train(train_set, tmp_path / "work", copies=0)
