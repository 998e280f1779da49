"""An interrupted training goes on from its checkpoint, with the result of an uninterrupted one."""

from __future__ import annotations

import shutil
import signal
import zipfile

import numpy as np
import pytest

from mnist_svm import RECIPES, load_model, train_model
from mnist_svm.networks.fitted import fitted_networks
from mnist_svm.networks.training import Training
from mnist_svm.training.resumable import describe_job
from mnist_svm.training.train import TrainingConfig, select_rows
from mnist_svm.training.work_folder import WorkFolder
from tests.networks.small import are_equal, make_net, require_keras
from tests.support.paths import DATA
from tests.support.serving import eventually

require_keras()

EPOCHS = 4


def make(**parameters):
    return make_net(**{"epochs": EPOCHS, **parameters})


def epochs_of(net, X, y, *more):
    """Numbers of the epochs that a fit does."""
    return [epoch.epoch for epoch in net.fit_epochs(X, y, *more)]


@pytest.fixture(scope="module")
def uninterrupted(few):
    return make().fit(*few)


@pytest.fixture(scope="module")
def interrupted(few, tmp_path_factory):
    """The folder of a training that was interrupted after two of four epochs."""
    folder = tmp_path_factory.mktemp("interrupted")
    epochs = make(checkpoint=str(folder)).fit_epochs(*few)
    assert [next(epochs).epoch, next(epochs).epoch] == [1, 2]
    epochs.close()
    return folder


@pytest.fixture
def folder(interrupted, tmp_path):
    """A copy of that folder, to go on with or to damage."""
    shutil.copytree(interrupted, tmp_path, dirs_exist_ok=True)
    return tmp_path


def only_file(folder):
    (path,) = folder.iterdir()
    return path


# --- resumed ------------------------------------------------------------------------------------


def test_a_resumed_fit_goes_on_with_the_next_epoch(few, folder):
    assert epochs_of(make(checkpoint=str(folder)), *few) == [3, 4]


def test_a_resumed_fit_gives_the_weights_of_an_uninterrupted_one(few, folder, uninterrupted):
    resumed = make(checkpoint=str(folder)).fit(*few)
    assert are_equal(resumed, uninterrupted)
    assert resumed.temperature_ == uninterrupted.temperature_
    assert resumed.calibration_error_ == uninterrupted.calibration_error_


def test_a_resumed_fit_has_the_log_of_an_uninterrupted_one(few, folder, uninterrupted):
    resumed = make(checkpoint=str(folder)).fit(*few)
    logs = [
        [{**epoch, "seconds": None} for epoch in net.fit_log_] for net in (resumed, uninterrupted)
    ]
    assert logs[0] == logs[1]
    assert len(logs[0]) == EPOCHS


def test_a_fit_with_distorted_copies_is_resumed(few, tmp_path):
    def shift(X, rng):
        return np.roll(X, rng.randint(-28, 28), axis=1)

    expected = make(distort=shift).fit(*few)
    net = make(distort=shift, checkpoint=str(tmp_path))
    next(net.fit_epochs(*few))
    assert epochs_of(net, *few) == [2, 3, 4]
    assert are_equal(net, expected)


def test_a_resumed_fit_that_ends_early_keeps_the_best_epoch(few, tmp_path, monkeypatch):
    losses = [1.0, 0.5, 0.7, 0.6, 0.4]
    monkeypatch.setattr(Training, "_evaluate", lambda self: (1.0, losses[len(self.log)], 0.1, 0.0))
    expected = make(epochs=5, patience=2).fit(*few)
    net = make(epochs=5, patience=2, checkpoint=str(tmp_path))
    seen = [net.weights_ for _ in zip(range(3), net.fit_epochs(*few), strict=False)]
    assert epochs_of(net, *few) == [4]
    assert are_equal(net, expected)
    assert all(np.array_equal(a, b) for a, b in zip(net.weights_, seen[1], strict=True))


def test_a_finished_fit_is_not_done_again(few, folder, uninterrupted):
    make(checkpoint=str(folder)).fit(*few)
    again = make(checkpoint=str(folder))
    assert epochs_of(again, *few) == []
    assert are_equal(again, uninterrupted)
    X, _ = few
    np.testing.assert_array_equal(again.predict_proba(X), uninterrupted.predict_proba(X))


def test_a_resumed_fit_says_so(few, folder, capsys):
    make(checkpoint=str(folder), verbose=True).fit(*few)
    first, second, _ = capsys.readouterr().err.splitlines()
    assert first == "resuming after epoch 2"
    assert second.startswith("epoch 3 of 4: ")


def test_a_checkpoint_does_not_change_the_result(few, tmp_path, uninterrupted):
    assert are_equal(make(checkpoint=str(tmp_path)).fit(*few), uninterrupted)


# --- not resumed --------------------------------------------------------------------------------


@pytest.fixture
def resumes(folder, monkeypatch):
    """Whether a fit resumes in the folder."""
    monkeypatch.setattr(Training, "epochs", lambda training: iter(()))

    def is_resumed(net, X, y, weights=None):
        net.set_params(checkpoint=str(folder)).fit(X, y, weights)
        return hasattr(net, "fit_log_")

    return is_resumed


def test_the_checkpoint_of_the_same_fit_is_used(few, resumes):
    assert resumes(make(), *few)


def test_what_does_not_affect_the_result_may_change(few, resumes):
    assert resumes(make(verbose=True), *few)


@pytest.mark.parametrize(
    "changed",
    [
        {"random_state": 1},
        {"activation": "elu"},
        {"dropout": 0.2},
        {"epochs": 5},
        {"learning_rate": 0.01},
        {"patience": 3},
        {"validation_fraction": 0.2},
        {"batch_size": 40},
        {"distort": lambda X, rng: X},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_checkpoint_of_other_parameters_is_not_used(few, resumes, changed):
    assert not resumes(make(**changed), *few)


def test_the_checkpoint_of_other_images_is_not_used(few, resumes):
    X, y = few
    other = X.copy()
    other[0, 0] += 1
    assert not resumes(make(), other, y)


def test_the_checkpoint_of_other_labels_is_not_used(few, resumes):
    X, y = few
    assert not resumes(make(), X, (y + 1) % 10)


def test_the_checkpoint_of_other_weights_is_not_used(few, resumes):
    X, y = few
    assert not resumes(make(), X, y, 1 + y)


def without_an_array(path):
    with np.load(path) as file:
        arrays = dict(file)
    del arrays["state_3"]
    np.savez(path, **arrays)


def with_an_array_of_another_shape(path):
    with np.load(path) as file:
        arrays = dict(file)
    arrays["state_0"] = arrays["state_0"][..., :1]
    np.savez(path, **arrays)


def with_another_bit(path):
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda info: info.file_size)
    content = bytearray(path.read_bytes())
    content[largest.header_offset + largest.file_size // 2] ^= 1
    path.write_bytes(bytes(content))


def with_another_method_of_compression(path):
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    path.write_bytes(content[: start + 10] + b"\x63" + content[start + 11 :])


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no archive"),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a bit": with_another_bit,
    "a method of compression": with_another_method_of_compression,
    "an array missing": without_an_array,
    "an array of another shape": with_an_array_of_another_shape,
    "a single array": lambda path: np.save(path.open("wb"), np.zeros(3)),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_checkpoint_is_ignored(few, folder, uninterrupted, what):
    DAMAGE[what](only_file(folder))
    net = make(checkpoint=str(folder))
    assert epochs_of(net, *few) == [1, 2, 3, 4]
    assert are_equal(net, uninterrupted)


def test_a_folder_that_does_not_exist_is_an_error(few, tmp_path):
    with pytest.raises(FileNotFoundError):
        make(checkpoint=str(tmp_path / "none")).fit(*few)


# --- the command line ---------------------------------------------------------------------------

LIMIT, CHANGES = 2000, {"width": 0.4, "epochs": 6, "batch_size": 50, "validation_fraction": 0.2}
COMMAND = ["train", "--recipe", "cnn", "--limit", LIMIT, "--data-dir", DATA, "--epochs", 6]
COMMAND += ["--batch-size", 50, "--set", "width=0.4", "--set", "validation_fraction=0.2"]


def wait_for_an_epoch(process, folder):
    """Wait until the process has stored an epoch; it must still be training then."""
    eventually(lambda: process.poll() is not None or any(folder.glob("*.npz")))
    assert process.poll() is None, process.communicate()


# JAX's threads are none of the process that is started.
forks = pytest.mark.filterwarnings("ignore:os.fork")


@forks
@pytest.mark.slow
def test_a_killed_command_goes_on(train_set, start, run, tmp_path):
    model, folder = tmp_path / "m.joblib", tmp_path / "m.joblib.work"
    process = start(*COMMAND, "-o", model)
    wait_for_an_epoch(process, folder)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not model.exists()
    log = stored_log(folder)
    result = run(*COMMAND, "-o", model)
    assert result.exit_code == 0, result.stderr
    assert f"Resuming in {folder}\n" in result.stderr
    assert not folder.exists()
    assert_same_training(load_model(model), train_set, log)


def stored_log(folder):
    """The seconds of the epochs that a checkpoint holds."""
    (path,) = folder.glob("*.npz")
    with np.load(path) as file:
        return file["log_seconds"].tolist()


def assert_same_training(model, train_set, log):
    """Whether a model's first epochs are in a log, and all are those of an uninterrupted training.

    Tests of one process compare weights; here, the last bits may differ, because XLA may divide its
    work otherwise in the process that was killed.
    """
    expected = train_model("cnn", train_set, limit=LIMIT, changes=CHANGES)
    (net,), (other,) = fitted_networks(model.pipeline), fitted_networks(expected.pipeline)
    assert [epoch["seconds"] for epoch in net.fit_log_][: len(log)] == log
    losses, others = ([epoch["loss"] for epoch in each.fit_log_] for each in (net, other))
    np.testing.assert_allclose(losses, others, rtol=0.01)
    assert without_measured(model.info.to_dict()) == without_measured(expected.info.to_dict())


def without_measured(info):
    training = {**info["training"], "fit_seconds": None}
    n_held_out = info["calibration"]["n_held_out"]
    return {**info, "date": None, "training": training, "calibration": n_held_out}


@forks
@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_says_how_to_go_on(start, tmp_path):
    model, folder = tmp_path / "m.joblib", tmp_path / "m.joblib.work"
    process = start(*COMMAND, "-o", model)
    wait_for_an_epoch(process, folder)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-2:] == [
        f"{folder} is kept; repeat the command to resume the training",
        "mnist-svm: interrupted; no incomplete file is left",
    ]
    assert not model.exists()
    assert any(folder.glob("*.npz"))


def test_the_folder_of_another_command_is_refused(train_set, run, tmp_path):
    config = TrainingConfig(RECIPES["cnn"], None, CHANGES)
    job = describe_job(config, train_set, select_rows(train_set, LIMIT, 0))
    folder = tmp_path / "m.joblib.work"
    with WorkFolder(folder, job, 0):
        pass
    result = run(*COMMAND, "--set", "dropout=0.2", "-o", tmp_path / "m.joblib")
    assert result.exit_code == 1
    *_, error = result.stderr.splitlines()
    refused = f"mnist-svm: error: {folder}: holds another training, with different changes; "
    assert error.startswith(refused)
    assert [path.name for path in folder.iterdir()] == ["work.json"]
    assert not (tmp_path / "m.joblib").exists()
