"""Model files: what is saved comes back, and what is hostile never runs."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mnist_svm import RECIPES, load_model, save_model, train_model
from mnist_svm.exceptions import FormatError, ModelFileError
from mnist_svm.models.file import FORMAT, FORMAT_VERSION, Model
from mnist_svm.models.info import CalibrationRecord, ModelInfo, TrainingRecord, TrainingSet
from mnist_svm.models.locate import SHIPPED
from mnist_svm.models.parameters import Parameters
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.fitted import fitted_svcs
from mnist_svm.training.train import TrainingConfig, fit_config
from tests.support.command_line import using_model
from tests.support.model_files import ARRAYS, joblib_bytes, named_classes
from tests.support.mutation import MUTATIONS, fuzzed, mutated
from tests.support.paths import DATA, DIGITS
from tests.support.recipes import quick_changes


def test_a_saved_model_comes_back_bit_equal(small_model, small_model_file, test_set):
    back = load_model(small_model_file)
    assert back.info == small_model.info
    one, other = small_model.pipeline, back.pipeline
    (svc,), (svc_back,) = fitted_svcs(one), fitted_svcs(other)
    assert svc.dual_coef_.tobytes() == svc_back.dual_coef_.tobytes()
    X = test_set.X[:300]
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_the_array_functions_and_the_pipeline_agree(small_model_file, test_set):
    back = load_model(small_model_file)
    probabilities = back.predict_proba(test_set.images[:300])
    np.testing.assert_allclose(
        probabilities, back.pipeline.predict_proba(test_set.X[:300]), atol=1e-12
    )
    np.testing.assert_array_equal(back.classes, back.pipeline.classes_)


def types_in(value):
    """Types of all values in nested dicts, lists and tuples."""
    if isinstance(value, dict):
        return {dict}.union(*(types_in(x) for pair in value.items() for x in pair))
    if isinstance(value, list | tuple):
        return {type(value)}.union(*map(types_in, value))
    return {type(value)}


@pytest.mark.parametrize("name", RECIPES)
def test_a_model_file_holds_plain_types_and_arrays(train_set, test_set, tmp_path, name):
    model = train_model(RECIPES[name], train_set, limit=200, changes=quick_changes(name))
    save_model(tmp_path / "m.joblib", model)
    content = joblib.load(tmp_path / "m.joblib")
    assert types_in(content) <= {
        dict, list, tuple, str, int, float, bool, type(None), np.ndarray
    }  # fmt: skip
    back = load_model(tmp_path / "m.joblib")
    images, X = test_set.images[:50], test_set.X[:50]
    np.testing.assert_array_equal(back.predict_proba(images), model.predict_proba(images))
    expected = model.pipeline.predict_proba(X)
    np.testing.assert_allclose(back.predict_proba(images), expected, atol=1e-12)
    np.testing.assert_array_equal(back.pipeline.predict_proba(X), expected)


def test_a_loaded_pipeline_can_be_cloned_and_fitted_again(train_set, small_model_file):
    pipeline = load_model(small_model_file).pipeline
    again = clone(pipeline).fit(train_set.X[:300], train_set.labels[:300])
    assert again.score(train_set.X[:300], train_set.labels[:300]) > 0.9


@pytest.mark.parametrize("changes", [{"gamma": "scale"}, {"C": 2, "gamma": 5, "coef0": 1}])
def test_a_model_with_other_parameters_comes_back(small_model, train_set, tmp_path, changes):
    pipeline = clone(small_model.pipeline)
    pipeline[-1].estimator.set_params(**changes)
    pipeline.fit(train_set.X[:500], train_set.labels[:500])
    save_model(tmp_path / "other.joblib", Model.from_pipeline(pipeline, small_model.info))
    back = load_model(tmp_path / "other.joblib").pipeline
    (svc,), (svc_back,) = fitted_svcs(pipeline), fitted_svcs(back)
    assert svc_back.gamma_ == svc.gamma_


def test_a_numpy_number_in_the_info_is_refused(small_model, tmp_path):
    info = replace(small_model.info, n_svms=np.int64(1))
    save_model(tmp_path / "m.joblib", Model(small_model.step, info))
    with pytest.raises(ModelFileError, match=r"names numpy\._core\.multiarray\.scalar"):
        load_model(tmp_path / "m.joblib")


def test_a_model_file_names_arrays_and_nothing_else(small_model_file):
    assert named_classes(small_model_file) == ARRAYS


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
        np.zeros((0, 5), np.float32),
        np.array(5.0),
    ],
    ids=lambda array: f"{array.dtype.str} {array.shape}",
)
def test_arrays_come_back_as_joblib_reads_them(tmp_path, monkeypatch, array):
    contents = []
    monkeypatch.setattr(
        "mnist_svm.models.file._check_content", lambda content, _: contents.append(content)
    )
    (tmp_path / "m.joblib").write_bytes(joblib_bytes([array, 7]))
    load_model(tmp_path / "m.joblib")
    ((back, seven),) = contents
    expected, _ = joblib.load(tmp_path / "m.joblib")
    assert seven == 7
    assert (back.dtype, back.shape) == (expected.dtype, expected.shape)
    assert back.dtype.isnative
    assert back.flags.f_contiguous == expected.flags.f_contiguous
    np.testing.assert_array_equal(back, array)


def test_a_pipeline_of_other_steps_cannot_be_saved(small_model, train_set):
    pipeline = make_pipeline(StandardScaler(), CoupledSVC())
    pipeline.fit(train_set.X[:200], train_set.labels[:200])
    with pytest.raises(FormatError, match="cannot contain StandardScaler"):
        Model.from_pipeline(pipeline, small_model.info)


def test_an_unfitted_pipeline_cannot_be_saved(small_model):
    with pytest.raises(FormatError, match="not fitted; call fit first"):
        Model.from_pipeline(clone(small_model.pipeline), small_model.info)


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
    training=TrainingRecord((TrainingSet("mnist", 5, 5, 1.0, {}),), 5, 0, 0.1, 0.001),
    calibration=CalibrationRecord(1.0, 0, None),
    versions={"numpy": "2"},
    date="2026-01-01",
).to_dict()


def a_step(kind, parameters=(), attributes=()):
    step = {"type": kind, "name": "", "parameters": dict(parameters)}
    return {**step, "attributes": dict(attributes), "steps": []}


DESKEW = a_step("deskew", {"image_shape": (28, 28)}, {"data_max": 255.0, "inverted": False})


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
        "numpy._core.multiarray.scalar",
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
        (joblib_bytes({**HEADER, "info": INFO, "pipeline": a_step("os.system")}), "'os.system'"),
        (
            joblib_bytes({**HEADER, "info": INFO, "pipeline": DESKEW}),
            "it has deskew in place of a classifier",
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
        {"training": {**INFO["training"], "sets": ["mnist"]}},
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


def test_rows_number_the_data_sets_if_there_are_several():
    info = ModelInfo.from_dict(INFO)
    rows = {name: value for group, name, value in info.rows() if group == "training"}
    assert rows["set: name"] == "mnist"
    (mnist,) = info.training.sets
    mine = TrainingSet("mine/", 3, 4, 2.5, {"images": "f00"})
    several = replace(info, training=replace(info.training, sets=(mnist, mine)))
    rows = {name: value for group, name, value in several.rows() if group == "training"}
    assert (rows["set 1: name"], rows["set 2: name"]) == ("mnist", "mine/")
    assert (rows["set 2: images"], rows["set 2: weight"]) == ("3", "2.5")
    assert rows["set 2: sha256: images"] == "f00"
    assert several.training.data == "mnist + mine/:2.5"
    assert ModelInfo.from_dict(json.loads(json.dumps(several.to_dict()))) == several


def test_a_model_knows_which_data_it_was_trained_on():
    sets = tuple(
        TrainingSet(name, 1, 1, 1.0, {"images": f"{name} 1", "labels": f"{name} 2"})
        for name in ("a", "b")
    )
    training = TrainingRecord(sets, 2, 0, 0.1, 0.001)
    assert training.includes({"other-images": "b 1", "other-labels": "b 2"})
    assert not training.includes({"images": "a 1", "labels": "b 2"})
    assert not training.includes({})


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


# Each damages an attribute or a parameter that the SVM's functions rely on.
BREAK = {
    "more support vectors a class than there are": lambda svc: {
        "n_support": svc["n_support"] + np.int32(1000)
    },
    "negative counts": lambda svc: {
        "n_support": svc["n_support"] + np.int32([-(10**6), 10**6, *[0] * 8])
    },
    "too few coefficients": lambda svc: {"dual_coef": svc["dual_coef"][:-1]},
    "too few intercepts": lambda svc: {"intercept": svc["intercept"][:-1]},
    "narrow support vectors": lambda svc: {"support_vectors": svc["support_vectors"][:, :100]},
    "support vectors of another type": lambda svc: {
        "support_vectors": svc["support_vectors"].astype(np.int8)
    },
    "a list in place of an array": lambda svc: {"intercept": svc["intercept"].tolist()},
    "a coefficient that is not finite": lambda svc: {"dual_coef": svc["dual_coef"] * np.nan},
    "an unknown attribute": lambda svc: {"predict": 1},
    "a kernel coefficient that is no number": lambda svc: {"gamma": "scale"},
    "no shape": lambda svc: {"shape_fit": (None, 784)},
    "equal classes": lambda svc: {"classes": np.zeros(10, np.int64)},
}
BREAK_PARAMETER = {
    "another kernel": {"kernel": "precomputed"},
    "a degree without end": {"degree": 10**12},
    "a fractional degree": {"degree": 2.5},
    "no coef0": {"coef0": None},
    "an infinite coef0": {"coef0": float("inf")},
    "an unknown parameter": {"probability": True},
    "a seed of another type": {"random_state": "0"},
}
BREAK_SIZE = {
    "a frame without pixels": {"image_shape": (0, 28)},
    "a frame of another size": {"image_shape": (20, 20)},
    "a frame of another type": {"image_shape": [28, 28]},
}

# Each damages an attribute that the calibrated classifier relies on.
MISCALIBRATE = {
    "a temperature of 0": {"temperature": 0.0},
    "a negative temperature": {"temperature": -1.0},
    "a temperature without end": {"temperature": float("inf")},
    "a temperature that is no number": {"temperature": float("nan")},
    "a temperature in words": {"temperature": "hot"},
    "a temperature each class": {"temperature": np.ones(10)},
    "more confidence in what is unlike all known": {"novelty_slope": -1.0},
    "a slope that is no number": {"novelty_slope": float("nan")},
    "a typical novelty out of range": {"typical_novelty": 3.0},
    "an unknown attribute": {"predict": 1},
}


def load_damaged(small_model_file, tmp_path, damage):
    """Load a model file after a change of its dict of steps."""
    content = joblib.load(small_model_file)
    damage(content["pipeline"])
    (tmp_path / "broken.joblib").write_bytes(joblib_bytes(content))
    return load_model(tmp_path / "broken.joblib")


def test_an_undamaged_file_of_the_helper_is_loaded(small_model_file, tmp_path):
    assert load_damaged(small_model_file, tmp_path, lambda pipeline: None).classes.tolist() == [
        *range(10)
    ]


@pytest.mark.parametrize("what", BREAK)
def test_inconsistent_arrays_are_refused(small_model_file, tmp_path, what):
    def damage(pipeline):
        attributes = pipeline["steps"][-1]["steps"][0]["attributes"]
        attributes.update(BREAK[what](attributes))

    with pytest.raises(ModelFileError, match="the attributes of its svc are inconsistent"):
        load_damaged(small_model_file, tmp_path, damage)


@pytest.mark.parametrize("what", BREAK_PARAMETER)
def test_invalid_parameters_of_the_svm_are_refused(small_model_file, tmp_path, what):
    def damage(pipeline):
        pipeline["steps"][-1]["steps"][0]["parameters"].update(BREAK_PARAMETER[what])

    with pytest.raises(ModelFileError, match="the parameters of its svc are inconsistent"):
        load_damaged(small_model_file, tmp_path, damage)


@pytest.mark.parametrize("what", BREAK_SIZE)
def test_an_image_shape_that_does_not_fit_is_refused(small_model_file, tmp_path, what):
    def damage(pipeline):
        pipeline["steps"][0]["parameters"].update(BREAK_SIZE[what])

    with pytest.raises(ModelFileError, match="the parameters of its deskew are inconsistent"):
        load_damaged(small_model_file, tmp_path, damage)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("side", 10**6), ("extent", 0.0), ("directions", 3), ("grid", 0), ("power", 2.0)],
)
def test_a_parameter_out_of_range_is_refused(tmp_path, parameter, value):
    content = joblib.load(SHIPPED)

    def damage(step):
        if parameter in step["parameters"]:
            step["parameters"][parameter] = value
        for inner in step["steps"]:
            damage(inner)

    damage(content["pipeline"])
    (tmp_path / "broken.joblib").write_bytes(joblib_bytes(content))
    with pytest.raises(ModelFileError, match=f"damaged model file: {parameter} must be"):
        load_model(tmp_path / "broken.joblib")


@pytest.mark.parametrize("what", MISCALIBRATE)
def test_an_invalid_calibration_is_refused(small_model_file, tmp_path, what):
    def damage(pipeline):
        pipeline["steps"][-1]["attributes"].update(MISCALIBRATE[what])

    with pytest.raises(ModelFileError, match="the attributes of its calibrated are inconsistent"):
        load_damaged(small_model_file, tmp_path, damage)


@pytest.mark.parametrize("lost", ["type", "name", "parameters", "attributes", "steps"])
def test_an_incomplete_step_is_refused(small_model_file, tmp_path, lost):
    with pytest.raises(ModelFileError, match="incomplete"):
        load_damaged(small_model_file, tmp_path, lambda pipeline: pipeline["steps"][0].pop(lost))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda pipeline: pipeline["steps"].clear(), "parts of its pipeline"),
        (lambda pipeline: pipeline["steps"][-1]["steps"].clear(), "parts of its calibrated"),
        (
            lambda pipeline: pipeline["steps"][-1]["steps"].append(pipeline["steps"][-1]),
            "it has no end",
        ),
        (lambda pipeline: pipeline["steps"].append(pipeline["steps"][0]), "place of a transformer"),
        (lambda pipeline: pipeline["steps"].reverse(), "place of a transformer"),
    ],
)
def test_steps_in_the_wrong_place_are_refused(small_model_file, tmp_path, damage, message):
    with pytest.raises(ModelFileError, match=message):
        load_damaged(small_model_file, tmp_path, damage)


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


# Pickles that ask for much memory: a place in the memo, a string, a list.
GREEDY = {
    "a memo": b"\x80\x04}r\xff\xff\xff\x7f.",
    "bytes": b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"abc.",
    "a text": b"\x80\x04\x8d" + (1 << 40).to_bytes(8, "little") + b"abc.",
    "a byte array": b"\x80\x05\x96" + (1 << 31).to_bytes(8, "little") + b"abc.",
    "a frame": b"\x80\x04\x95" + (1 << 50).to_bytes(8, "little") + b"}.",
    "a long integer": b"\x80\x04\x8b\xff\xff\xff\x7f" + b"1.",
}


@pytest.mark.parametrize("what", GREEDY)
def test_a_greedy_file_is_refused_in_bounded_memory(tmp_path, what):
    path = tmp_path / "greedy.joblib"
    path.write_bytes(gzip.compress(GREEDY[what]))
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError):
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def tiny_stream(small_model_file) -> bytes:
    """The pickle of a real model up to its first large array, where most opcodes are."""
    stream = gzip.decompress(small_model_file.read_bytes())
    return stream[:6000]


@pytest.mark.fuzz
@fuzzed
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


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS)
def test_a_mutated_model_file_is_refused(small_model_file, tmp_path, mutations):
    content = small_model_file.read_bytes()
    damaged = mutated(content, mutations)
    # Neither the header of gzip, 10 bytes, nor zeros at the end are covered by its checksum.
    assume(damaged[10:].rstrip(b"\0") != content[10:].rstrip(b"\0"))
    (tmp_path / "mutated.joblib").write_bytes(damaged)
    with pytest.raises(ModelFileError):
        load_model(tmp_path / "mutated.joblib")
