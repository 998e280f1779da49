"""Model files: what is saved comes back, and what is hostile never runs."""

from __future__ import annotations

import gzip
import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from mnist_svm import RECIPES, load_model, save_model, train_model
from mnist_svm.exceptions import ModelFileError
from mnist_svm.models.file import FORMAT, FORMAT_VERSION
from mnist_svm.models.info import CalibrationRecord, ModelInfo, TrainingRecord
from mnist_svm.models.parameters import Parameters
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.training.train import TrainingConfig, fit_config
from tests.support.command_line import using_model
from tests.support.model_files import joblib_bytes
from tests.support.paths import DATA, DIGITS


def test_a_saved_model_comes_back_bit_equal(small_model, small_model_file, test_set):
    back = load_model(small_model_file)
    assert back.info == small_model.info
    one, other = small_model.pipeline, back.pipeline
    (svc,), (svc_back,) = fitted_svcs(one), fitted_svcs(other)
    assert svc.dual_coef_.tobytes() == svc_back.dual_coef_.tobytes()
    X = test_set.X[:300]
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_joblib_itself_reads_the_file(small_model_file, test_set):
    content = joblib.load(small_model_file)
    assert content["format"] == "mnist-svm model"
    assert content["pipeline"].predict(test_set.X[:1]) == [7]


@pytest.mark.parametrize("changes", [{"gamma": "scale"}, {"C": 2, "gamma": 5, "coef0": 1}])
def test_a_model_with_other_parameters_comes_back(small_model, train_set, tmp_path, changes):
    pipeline = small_model.pipeline.__sklearn_clone__()
    pipeline[-1].estimator.set_params(**changes)
    pipeline.fit(train_set.X[:500], train_set.labels[:500])
    save_model(tmp_path / "other.joblib", replace(small_model, pipeline=pipeline))
    back = load_model(tmp_path / "other.joblib").pipeline
    (svc,), (svc_back,) = fitted_svcs(pipeline), fitted_svcs(back)
    assert svc_back.gamma_ == svc.gamma_


def test_a_numpy_number_in_the_info_is_refused(small_model, tmp_path):
    info = replace(small_model.info, n_svms=np.int64(1))
    save_model(tmp_path / "m.joblib", replace(small_model, info=info))
    with pytest.raises(ModelFileError, match=r"info\.n_svms has the wrong type: int64"):
        load_model(tmp_path / "m.joblib")


@pytest.mark.slow
def test_names_in_model_files_are_the_allowed_ones(train_set, tmp_path):
    from mnist_svm.models.file import ALLOWED_NAMES

    seen = set()

    class Spy(joblib.numpy_pickle.NumpyUnpickler):
        def find_class(self, module, name):
            seen.add((module, name))
            return super().find_class(module, name)

    for name, recipe in RECIPES.items():
        save_model(tmp_path / name, train_model(recipe, train_set, limit=200))
        with gzip.open(tmp_path / name) as stream:
            Spy("", stream, ensure_native_byte_order=True).load()
    # A scalar may be there where a parameter was given as one.
    assert seen == ALLOWED_NAMES - {("numpy._core.multiarray", "scalar")}


# --- hostile files -------------------------------------------------------------------


class Calls:
    """Pickles as a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def system(marker: Path) -> Calls:
    return Calls(os.system, f"touch {marker}")


def record_of_objects(marker: Path):
    record = np.zeros(2, dtype=[("a", object)])
    record["a"] = [system(marker), 1]
    return record


def nested_joblib_file(marker: Path) -> Calls:
    inner = marker.with_name("inner.joblib")
    joblib.dump(system(marker), inner)
    return Calls(joblib.load, str(inner))


HEADER = {"format": FORMAT, "format_version": FORMAT_VERSION}

INFO = ModelInfo(
    recipe="poly4",
    summary="",
    parameters=Parameters("rbf", C=1.0, gamma="scale"),
    classes=(0, 1),
    class_names=None,
    n_svms=1,
    n_support_vectors=2,
    training=TrainingRecord("mnist", 5, 5, 0, {}, 0.1, 0.001),
    calibration=CalibrationRecord(1.0, 0, None),
    versions={"numpy": "2"},
    date="2026-01-01",
).to_dict()

# Each makes a file that creates the marker if anything in it is run, and names the refusal.
HOSTILE = {
    "os.system": (lambda marker: joblib_bytes(system(marker)), "posix.system"),
    "os.system in a model's place": (
        lambda marker: joblib_bytes({**HEADER, "info": INFO, "pipeline": system(marker)}),
        "posix.system",
    ),
    "eval": (
        lambda marker: joblib_bytes(Calls(eval, f"open({str(marker)!r}, 'w')")),
        "builtins.eval",
    ),
    "exec in the info": (
        lambda marker: joblib_bytes(
            {**HEADER, "info": {"a": Calls(exec, f"open({str(marker)!r}, 'w')")}}
        ),
        "builtins.exec",
    ),
    "an array of objects": (
        lambda marker: joblib_bytes(np.array([system(marker), 1], dtype=object)),
        "array of something other than numbers",
    ),
    "an array of objects in a list": (
        lambda marker: joblib_bytes([{"a": np.array([system(marker)], dtype=object)}]),
        "array of something other than numbers",
    ),
    "a record array of objects": (
        lambda marker: joblib_bytes(record_of_objects(marker)),
        "array of something other than numbers",
    ),
    "a nested joblib file": (
        lambda marker: joblib_bytes(nested_joblib_file(marker)),
        "joblib.numpy_pickle.load",
    ),
    "a nested pickle": (
        lambda marker: joblib_bytes(Calls(pickle.loads, pickle.dumps(system(marker)))),
        "_pickle.loads",
    ),
    "an object scalar": (
        lambda marker: joblib_bytes(
            Calls(np._core.multiarray.scalar, np.dtype("O"), pickle.dumps(system(marker)))
        ),
        "scalar other than a number",
    ),
    "a plain pickle": (
        lambda marker: gzip.compress(pickle.dumps(system(marker))),
        "posix.system",
    ),
    "an old pickle": (
        lambda marker: gzip.compress(pickle.dumps(system(marker), protocol=0)),
        "posix.system",
    ),
    "a dotted name": (
        lambda marker: gzip.compress(
            b"\x80\x04\x8c\x10sklearn.pipeline\x8c\x11Pipeline.__init__\x93."
        ),
        "Pipeline.__init__",
    ),
    "getattr": (lambda marker: joblib_bytes(Calls(getattr, 5, "real")), "builtins.getattr"),
    "an estimator of another kind": (
        lambda marker: joblib_bytes({**HEADER, "info": INFO, "pipeline": DummyClassifier()}),
        "sklearn.dummy.DummyClassifier",
    ),
}


@pytest.mark.parametrize("way", ["os.system", "eval", "a nested joblib file"])
def test_the_hostile_files_do_run_when_trusted(tmp_path, way):
    # Else the tests below would pass for a file that is merely broken.
    marker = tmp_path / "it-ran"
    (tmp_path / "hostile.joblib").write_bytes(HOSTILE[way][0](marker))
    joblib.load(tmp_path / "hostile.joblib")
    assert marker.exists()


@pytest.mark.parametrize("way", HOSTILE)
@pytest.mark.parametrize("command", ["predict", "eval", "info"])
def test_a_hostile_file_is_refused_and_nothing_runs(tmp_path, run, command, way):
    make, message = HOSTILE[way]
    marker, path = tmp_path / "it-ran", tmp_path / "hostile.joblib"
    path.write_bytes(make(marker))
    result = run(*using_model(command, path))
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"mnist-svm: error: {path}: ")
    assert message in line
    assert not marker.exists()


# --- damaged files and files of another kind --------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a model file"),
        (b"just text\n", "not a model file"),
        (DIGITS[0].read_bytes(), "not a model file"),
        ((DATA / "t10k-labels-idx1-ubyte.gz").read_bytes(), "damaged, or not a model file"),
        (gzip.compress(b"", mtime=0), "damaged, or not a model file"),
        (gzip.compress(b"just text\n", mtime=0), "damaged, or not a model file"),
        (joblib_bytes({"a": 1}), "not a model file"),
        (joblib_bytes(np.arange(5)), "not a model file"),
        (joblib_bytes({"format": np.array([FORMAT])}), "array of something other than numbers"),
        (joblib_bytes({"format": np.arange(3), "format_version": 1}), "not a model file"),
        (joblib_bytes({"format": FORMAT, "format_version": 99}), "newer version.*upgrade"),
        (joblib_bytes({"format": FORMAT, "format_version": 3}), "older version.*train it again"),
        (joblib_bytes({**HEADER, "info": 5}), "info has the wrong type: int"),
        (joblib_bytes({**HEADER, "info": {}}), "info.*is missing"),
        (joblib_bytes({**HEADER, "info": INFO | {"a": 1}}), "info.a is unknown"),
        (joblib_bytes({**HEADER, "info": INFO | {"classes": np.arange(2)}}), "info.classes has"),
        (joblib_bytes({**HEADER, "info": INFO, "pipeline": 1}), "no pipeline"),
        (
            joblib_bytes({**HEADER, "info": INFO, "pipeline": Pipeline([("deskew", 1)])}),
            "it has int in place of a classifier",
        ),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, message):
    path = tmp_path / "other.joblib"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=message) as caught:
        load_model(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_model_says_how_to_make_one(tmp_path):
    with pytest.raises(ModelFileError, match="make one with: mnist-svm train"):
        load_model(tmp_path / "none.joblib")


@pytest.mark.parametrize(
    "damage",
    [
        {"recipe": 5},
        {"classes": [0, "1"]},
        {"n_svms": True},
        {"training": {}},
        {"calibration": {"temperature": "warm", "n_held_out": 1, "calibration_error": 0.1}},
        {"versions": {"numpy": 2}},
        {"changes": {5: True}},
        {"cross_validation": []},
    ],
    ids=str,
)
def test_info_of_the_wrong_type_is_refused(damage):
    (field,) = damage
    with pytest.raises(ValueError, match=rf"^info\.{field}"):
        ModelInfo.from_dict(INFO | damage)


def test_info_comes_back_from_json():
    assert ModelInfo.from_dict(json.loads(json.dumps(INFO))).to_dict() == INFO


def test_a_model_file_of_the_old_layout_asks_for_a_new_training(tmp_path):
    # Format 3 had the class in this module.
    old = gzip.compress(b"\x80\x04\x8c\x14mnist_svm.classifier\x8c\x09KernelSVC\x93.")
    (tmp_path / "old.joblib").write_bytes(old)
    with pytest.raises(ModelFileError) as caught:
        load_model(tmp_path / "old.joblib")
    assert str(caught.value) == (
        f"{tmp_path}/old.joblib: written by an older version of mnist-svm; train it again"
    )


def test_an_endless_list_in_the_info_is_refused(tmp_path):
    endless = []
    endless.append(endless)
    path = tmp_path / "m.joblib"
    path.write_bytes(joblib_bytes({**HEADER, "info": INFO | {"classes": endless}, "pipeline": 1}))
    with pytest.raises(ModelFileError, match=r"info\.classes has the wrong type"):
        load_model(path)


def test_a_model_damaged_in_its_numbers_is_refused(small_model_file, tmp_path):
    # The structure stays intact; only the checksum reveals the damage.
    stream = bytearray(gzip.decompress(small_model_file.read_bytes()))
    whole = gzip.compress(bytes(stream), 0, mtime=0)
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    (tmp_path / "m.joblib").write_bytes(damaged)
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(tmp_path / "m.joblib")


def test_bytes_after_a_model_are_refused(small_model_file, tmp_path):
    stream = gzip.decompress(small_model_file.read_bytes())
    (tmp_path / "m.joblib").write_bytes(gzip.compress(stream + b"more", 1))
    with pytest.raises(ModelFileError, match="bytes follow the model"):
        load_model(tmp_path / "m.joblib")


def test_an_unfitted_pipeline_is_refused(small_model, tmp_path):
    save_model(
        tmp_path / "m.joblib",
        replace(small_model, pipeline=small_model.pipeline.__sklearn_clone__()),
    )
    with pytest.raises(ModelFileError, match="incomplete"):
        load_model(tmp_path / "m.joblib")


# Each damages an attribute that `predict` relies on.
BREAK = {
    "more support vectors a class than there are": lambda svm: {
        "n_support_": svm.n_support_ + np.int32(1000)
    },
    "negative counts": lambda svm: {
        "n_support_": svm.n_support_ + np.int32([-(10**6), 10**6, *[0] * 8])
    },
    "too few coefficients": lambda svm: {"dual_coef_": svm.dual_coef_[:-1]},
    "too few intercepts": lambda svm: {"intercept_": svm.intercept_[:-1]},
    "narrow support vectors": lambda svm: {"support_vectors_": svm.support_vectors_[:, :100]},
    "support vectors of another type": lambda svm: {
        "support_vectors_": svm.support_vectors_.astype(np.int8)
    },
    "a coefficient that is not finite": lambda svm: {"dual_coef_": svm.dual_coef_ * np.nan},
    "another number of features": lambda svm: {"n_features_in_": 100},
    "a method replaced": lambda svm: {"decision_function": np.dtype},
    "another kernel": lambda svm: {"kernel": "precomputed"},
    "a degree without end": lambda svm: {"degree": 10**12},
    "a kernel coefficient that is no number": lambda svm: {"gamma_": "scale"},
    "no shape": lambda svm: {"shape_fit_": (None, 784)},
}


@pytest.mark.parametrize("what", BREAK)
def test_inconsistent_arrays_are_refused(small_model_file, tmp_path, what):
    content = joblib.load(small_model_file)
    (svc,) = fitted_svcs(content["pipeline"])
    vars(svc).update(BREAK[what](svc))
    (tmp_path / "broken.joblib").write_bytes(joblib_bytes(content))
    with pytest.raises(ModelFileError, match="are inconsistent"):
        load_model(tmp_path / "broken.joblib")


# Each damages an attribute that the calibrated classifier relies on.
MISCALIBRATE = {
    "a temperature of 0": {"temperature_": 0.0},
    "a negative temperature": {"temperature_": -1.0},
    "a temperature without end": {"temperature_": float("inf")},
    "a temperature that is no number": {"temperature_": float("nan")},
    "a temperature of another type": {"temperature_": 1},
    "a temperature in words": {"temperature_": "hot"},
    "a temperature each class": {"temperature_": np.ones(10)},
    "other classes": {"classes_": np.arange(1, 11)},
    "another number of features": {"n_features_in_": 100},
    "a method replaced": {"predict": np.dtype},
}


@pytest.mark.parametrize("what", MISCALIBRATE)
def test_an_invalid_calibration_is_refused(small_model_file, tmp_path, what):
    content = joblib.load(small_model_file)
    vars(content["pipeline"][-1]).update(MISCALIBRATE[what])
    (tmp_path / "broken.joblib").write_bytes(joblib_bytes(content))
    with pytest.raises(ModelFileError, match="the attributes of its Calibrated are inconsistent"):
        load_model(tmp_path / "broken.joblib")


@pytest.mark.parametrize("lost", ["temperature_", "estimator_", "classes_"])
def test_an_incomplete_calibration_is_refused(small_model_file, tmp_path, lost):
    content = joblib.load(small_model_file)
    del vars(content["pipeline"][-1])[lost]
    (tmp_path / "broken.joblib").write_bytes(joblib_bytes(content))
    with pytest.raises(ModelFileError, match="incomplete"):
        load_model(tmp_path / "broken.joblib")


def test_something_else_in_the_place_of_the_calibrated_classifier_is_refused(
    small_model_file, tmp_path
):
    content = joblib.load(small_model_file)
    calibrated = content["pipeline"][-1]
    for impostor in (content["pipeline"][0], calibrated):
        calibrated.estimator_ = impostor
        (tmp_path / "broken.joblib").write_bytes(joblib_bytes(content))
        with pytest.raises(ModelFileError, match="damaged model file"):
            load_model(tmp_path / "broken.joblib")


def test_a_model_without_calibration_comes_back(train_set, tmp_path):
    config = TrainingConfig(RECIPES["poly4"], RECIPES["poly4"].defaults)
    model = fit_config(config, train_set, np.arange(500), calibrate=False)
    save_model(tmp_path / "m.joblib", model)
    back = load_model(tmp_path / "m.joblib")
    assert back.info == model.info
    assert back.info.calibration is None
    X = train_set.X[:50]
    np.testing.assert_array_equal(back.pipeline.predict_proba(X), model.pipeline.predict_proba(X))


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mnist_svm.models.file.MAX_BYTES", 100_000)
    (tmp_path / "bomb.joblib").write_bytes(joblib_bytes("x" * 200_000))
    with pytest.raises(ModelFileError, match="unpacks to more than the limit"):
        load_model(tmp_path / "bomb.joblib")


def test_an_array_that_promises_too_much_is_refused(tmp_path):
    content = joblib.numpy_pickle.NumpyArrayWrapper(
        np.ndarray, (1 << 40,), "C", np.dtype("f8"), allow_mmap=False
    )
    (tmp_path / "bomb.joblib").write_bytes(gzip.compress(pickle.dumps(content)))
    with pytest.raises(ModelFileError, match="over the limit"):
        load_model(tmp_path / "bomb.joblib")


def tiny_stream(small_model_file) -> bytes:
    """The pickle of a real model up to its first large array, where most opcodes are."""
    stream = gzip.decompress(small_model_file.read_bytes())
    return stream[:6000]


@pytest.mark.fuzz
@settings(
    deadline=None, max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.floats(0, 1), new=st.binary(min_size=1, max_size=8), keep=st.booleans())
def test_a_mutated_model_is_loaded_or_refused_and_nothing_else(
    small_model_file, tmp_path, at, new, keep
):
    stream = tiny_stream(small_model_file)
    place = round(at * len(stream))
    mutated = stream[:place] + new + stream[place + (len(new) if keep else 0) :]
    (tmp_path / "mutated.joblib").write_bytes(gzip.compress(mutated, 1))
    # Cut short as it is, no mutation makes it whole.
    with pytest.raises(ModelFileError):
        load_model(tmp_path / "mutated.joblib")
