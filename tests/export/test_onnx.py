"""What an exported model answers is what the model answers, and needs nothing of this package."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from mnist_svm import RECIPES, Model, Recognizer, save_model, train_model
from mnist_svm.exceptions import FormatError, MissingExtraError
from mnist_svm.export.onnx import to_onnx
from mnist_svm.export.onnx_graph.builder import Graph, Value
from mnist_svm.export.onnx_graph.deskew import deskew
from mnist_svm.export.onnx_graph.gradients import gradient_features
from mnist_svm.export.onnx_graph.pixels import blur, normalize_contrast
from mnist_svm.export.onnx_graph.size import normalize_size
from mnist_svm.features.blur import Blur
from mnist_svm.features.contrast import NormalizeContrast
from mnist_svm.features.deskew import MIN_VERTICAL_SPREAD, UPRIGHT, Deskew, _resample
from mnist_svm.features.gradients import GradientFeatures
from mnist_svm.features.moments import image_moments
from mnist_svm.features.size import NormalizeSize
from mnist_svm.models.parameters import Parameters
from mnist_svm.svm.coupled import CoupledSVC
from tests.support.paths import DIGITS, ROOT

BLANK = np.zeros((1, 28, 28), np.uint8)


def apart(model: Model, images: np.ndarray) -> tuple[int, np.ndarray]:
    """How many labels differ, and by how much the probabilities of each image do."""
    expected = Recognizer(model).classify(images)
    labels, probabilities = answers(to_onnx(model), images)
    assert (labels.dtype, probabilities.dtype) == (np.int64, np.float32)
    differences = np.abs(probabilities - expected.confidences).max(axis=1)
    return np.count_nonzero(labels != expected.labels), differences


def answers(content: bytes, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    session = onnxruntime.InferenceSession(content)
    parts = [
        session.run(None, {"images": images[start : start + 1000]})
        for start in range(0, len(images), 1000)
    ]
    labels, probabilities = (np.concatenate(part) for part in zip(*parts, strict=True))
    return labels, probabilities


@pytest.fixture(scope="module")
def gradient(train_set):
    return train_model(RECIPES["gradient"], train_set, limit=6000)


@pytest.fixture(scope="module")
def gradient_file(gradient, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "gradient.joblib"
    save_model(path, gradient)
    return path


@pytest.fixture(params=["poly4", "gradient"])
def model(request, small_model, gradient):
    return {"poly4": small_model, "gradient": gradient}[request.param]


# A whole model.


def test_all_test_images_are_read_as_the_model_reads_them(model, test_set):
    different, differences = apart(model, test_set.images)
    assert different <= 1
    # A feature in some hundred thousand is rounded the other way, as BLAS sums in another order.
    assert np.count_nonzero(differences > 1e-4) <= 1
    assert differences.max() < 1e-2
    assert np.median(differences) < 1e-6


SETTINGS = {
    "virtual": ("virtual", {"copies": 1}),
    "best": ("best", {"copies": 1}),
    "no blur, larger frames": ("virtual", {"copies": 1, "sigma": 0.0, "normalize__side": 31}),
    "other gradients": ("gradient", {"directions": 12, "grid": 5, "power": 1.0, "upright": False}),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_whatever_can_be_set_is_exported(name, train_set, test_set):
    recipe, changes = SETTINGS[name]
    model = train_model(RECIPES[recipe], train_set, limit=300, changes=changes)
    different, differences = apart(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-4


@pytest.mark.parametrize("degree", [1, 2, 3, 7])
def test_every_degree_is_exported(degree, train_set, test_set):
    parameters = Parameters("poly", C=1.0, gamma=2e-5, degree=degree, coef0=0.5)
    model = train_model(RECIPES["poly4"], train_set, limit=300, parameters=parameters)
    different, differences = apart(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-4


@pytest.fixture(scope="module")
def pair(train_set):
    """A model of two labels, which have names."""
    rows = np.flatnonzero(np.isin(train_set.labels, [4, 9]))[:500]
    dataset = replace(
        train_set,
        images=train_set.images[rows],
        labels=train_set.labels[rows] * 10,
        class_names={40: "vier", 90: "neun"},
    )
    return train_model(RECIPES["gradient"], dataset)


def test_two_classes_of_other_labels_are_exported(pair, test_set):
    different, differences = apart(pair, test_set.images[:1000])
    assert different == 0
    assert differences.max() < 1e-4
    labels, probabilities = answers(to_onnx(pair), test_set.images[:1000])
    assert set(labels.tolist()) == {40, 90}
    assert probabilities.shape == (1000, 2)


def fitted(dataset, *steps):
    """A model that is not one of the recipes'."""
    pipeline = Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])
    return Model(pipeline.fit(dataset.X[:500], dataset.labels[:500]), {"recipe": "none"})


def test_a_linear_machine_is_exported_without_calibration(train_set, test_set):
    machine = CoupledSVC(kernel="linear", C=1e-6)
    model = fitted(train_set, NormalizeContrast(), machine)
    different, differences = apart(model, test_set.images[:1000])
    assert different == 0
    assert differences.max() < 1e-6
    # Its weights say it all, and there are 45 x 784.
    assert len(to_onnx(model)) < 45 * 784 * 8 + 50_000


def test_an_average_knows_labels_that_are_no_numbers_of_classes(train_set, test_set):
    machines = [(name, CoupledSVC(gamma=1e-6, C=c)) for name, c in (("one", 1.0), ("two", 5.0))]
    voting = VotingClassifier(machines, voting="soft")
    model = fitted(replace(train_set, labels=train_set.labels * 3), NormalizeContrast(), voting)
    different, differences = apart(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-6


def test_another_runtime_reads_the_same(gradient, test_set):
    images = test_set.images[:20]
    runtime = ReferenceEvaluator(onnx.load_from_string(to_onnx(gradient)))
    labels, probabilities = runtime.run(None, {"images": images})
    expected = Recognizer(gradient).classify(images)
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_allclose(probabilities, expected.confidences, atol=1e-4)


def test_steps_may_come_in_any_order(train_set, test_set):
    steps = NormalizeContrast(), NormalizeSize(side=24), Deskew(), GradientFeatures(grid=4)
    model = fitted(train_set, *steps, Blur(), NormalizeContrast(), CoupledSVC(gamma=1e-6))
    different, differences = apart(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-3


# Any number of images.


def test_an_image_is_read_the_same_alone_and_among_others(model, test_set):
    content, images = to_onnx(model), test_set.images[:50]
    _, together = answers(content, images)
    session = onnxruntime.InferenceSession(content)
    for image, expected in zip(images, together, strict=True):
        (label,), (probabilities,) = session.run(None, {"images": image[None]})
        assert label == expected.argmax()
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_all_images_may_be_read_at_once(gradient, test_set):
    content, images = to_onnx(gradient), test_set.images
    session = onnxruntime.InferenceSession(content)
    labels, probabilities = session.run(None, {"images": images})
    assert probabilities.shape == (10_000, 10)
    np.testing.assert_array_equal(labels, answers(content, images)[0])


def test_no_image_has_no_label(model):
    session = onnxruntime.InferenceSession(to_onnx(model))
    labels, probabilities = session.run(None, {"images": BLANK[:0]})
    assert labels.shape == (0,)
    assert probabilities.shape == (0, 10)


def test_blank_images_are_read_as_the_model_reads_them(model, test_set):
    images = np.concatenate([BLANK, test_set.images[:1], np.full_like(BLANK, 255), BLANK])
    different, differences = apart(model, images)
    assert different == 0
    assert differences.max() < 1e-4


# Steps.


def run_step(write, part, images: np.ndarray) -> np.ndarray:
    """What the graph of one step gives."""
    graph = Graph()
    out = write(Value(graph, "images", images.dtype), part)
    kind = helper.np_dtype_to_tensor_dtype
    taken = helper.make_tensor_value_info("images", kind(images.dtype), ("n", *images.shape[1:]))
    given = helper.make_tensor_value_info(out.name, kind(out.dtype), None)
    whole = helper.make_graph(graph.nodes, "step", [taken], [given], graph.constants)
    proto = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (result,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(
        None, {"images": images}
    )
    return result.reshape(len(images), -1)


@pytest.fixture(scope="module")
def hard(test_set):
    """Digits, blank and full images, bars, points, and specks, which lean in every way."""
    rng = np.random.default_rng(0)
    specks = rng.integers(0, 256, (300, 28, 28)) * (rng.random((300, 28, 28)) < 0.01)
    bars = np.zeros((28, 28, 28), np.uint8)
    bars[np.arange(28), np.arange(28)] = 255
    points = np.eye(784).reshape(784, 28, 28)[::37] * 200
    parts = [test_set.images[:500], BLANK, BLANK + 255, bars, bars.transpose(0, 2, 1), points]
    return np.concatenate([*parts, specks]).astype(np.uint8)


STEPS = {
    "deskew": (deskew, Deskew()),
    "blur": (blur, Blur()),
    "no blur": (blur, Blur(sigma=0.0)),
    "wide blur": (blur, Blur(sigma=10.0)),
    "size": (normalize_size, NormalizeSize()),
    "size, slanted": (normalize_size, NormalizeSize(side=32, extent=0.2, upright=False)),
    "one pixel": (normalize_size, NormalizeSize(side=1)),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_gives_the_same_pixels(name, hard):
    write, part = STEPS[name]
    expected = part.fit_transform(hard.reshape(len(hard), -1))
    np.testing.assert_allclose(run_step(write, part, hard), expected, rtol=1e-5, atol=1e-3)


def test_some_of_the_hard_images_lean_after_one_pass(hard):
    moments = image_moments(hard)
    spread = np.where(moments.s_ii >= MIN_VERTICAL_SPREAD, moments.s_ii, np.inf)
    once = _resample(hard, moments.mu_i, moments.mu_j, moments.s_ij / spread)
    leaning = np.abs(image_moments(once).s_ij / spread) > UPRIGHT
    assert 10 < np.count_nonzero(leaning) < len(hard)


EIGHT_BITS = {
    "contrast": (normalize_contrast, NormalizeContrast()),
    "gradients": (gradient_features, GradientFeatures()),
    "four directions": (gradient_features, GradientFeatures(directions=4, grid=3, smoothing=1.0)),
    "many directions": (gradient_features, GradientFeatures(directions=64, grid=2, power=0.1)),
}


@pytest.mark.parametrize("name", EIGHT_BITS)
def test_features_are_rounded_to_the_same_whole_numbers(name, hard):
    write, part = EIGHT_BITS[name]
    expected = part.fit_transform(hard.reshape(len(hard), -1))
    found = run_step(write, part, hard)
    assert found.dtype == np.uint8
    differences = np.abs(found.astype(int) - expected)
    assert differences.max() <= 1
    assert np.count_nonzero(differences) <= 1e-5 * differences.size + 1


# The file.


def test_the_file_holds_standard_operators_and_each_weight_once(model):
    content = to_onnx(model)
    proto = onnx.load_from_string(content)
    assert [opset.domain for opset in proto.opset_import] == [""]
    assert {node.domain for node in proto.graph.node} == {""}
    machine = model.pipeline[-1].estimator_
    weights = machine.support_vectors_.nbytes + machine.dual_coef_.nbytes
    assert weights < len(content) < weights + 300_000


def test_the_file_tells_what_it_takes_and_gives(model):
    session = onnxruntime.InferenceSession(to_onnx(model))
    told = [(of.name, of.type, of.shape) for of in (*session.get_inputs(), *session.get_outputs())]
    assert told == [
        ("images", "tensor(uint8)", ["n", 28, 28]),
        ("label", "tensor(int64)", ["n"]),
        ("probabilities", "tensor(float)", ["n", 10]),
    ]


def properties(model: Model) -> dict[str, str]:
    session = onnxruntime.InferenceSession(to_onnx(model))
    return session.get_modelmeta().custom_metadata_map


def test_the_file_tells_how_the_model_was_made(gradient):
    from mnist_svm import __version__

    told = properties(gradient)
    assert told["version"] == __version__
    assert told["recipe"] == "gradient"
    assert json.loads(told["classes"]) == list(range(10))
    assert json.loads(told["metadata"]) == gradient.metadata
    assert "class_names" not in told


def test_the_file_tells_the_names_of_classes(pair):
    told = properties(pair)
    assert json.loads(told["classes"]) == [40, 90]
    assert json.loads(told["class_names"]) == ["vier", "neun"]


# What cannot be exported.


def test_a_foreign_step_is_named(train_set):
    model = fitted(train_set, MinMaxScaler(), CoupledSVC())
    with pytest.raises(FormatError, match="a model with a MinMaxScaler cannot be exported"):
        to_onnx(model)


def test_features_that_are_not_of_8_bits_are_refused(train_set):
    model = fitted(train_set, Deskew(), CoupledSVC(gamma=1e-6))
    with pytest.raises(FormatError, match="only a machine on features of 8 bits"):
        to_onnx(model)


def test_without_onnx_it_says_what_to_install(gradient, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-svm\[onnx\]'"):
        to_onnx(gradient)


# The command.


def test_export_writes_a_file_and_tells_of_it(run, gradient_file, tmp_path):
    target = tmp_path / "model.onnx"
    result = run("export", "--onnx", target, "-m", gradient_file)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"Wrote   {target} ({target.stat().st_size / 1e6:.1f} MB)",
        "Input   images: uint8, n x 28 x 28",
        "Output  label: int64, n",
        "Output  probabilities: float32, n x 10",
    ]
    assert str(gradient_file) in result.stderr
    onnx.checker.check_model(target, full_check=True)


def test_export_tells_machines_the_same(run, gradient_file, tmp_path):
    target = tmp_path / "model.onnx"
    told = json.loads(run("export", "--onnx", target, "-m", gradient_file, "--json").stdout)
    assert told["file"] == str(target)
    assert told["bytes"] == target.stat().st_size
    assert told["inputs"] == [{"name": "images", "type": "uint8", "shape": ["n", 28, 28]}]
    assert [output["name"] for output in told["outputs"]] == ["label", "probabilities"]


def test_export_without_onnx_does_no_work(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run("export", "--onnx", tmp_path / "model.onnx", "-m", tmp_path / "none.joblib")
    assert result.exit_code == 1
    assert result.stderr == (
        "mnist-svm: error: exporting needs onnx: pip install 'mnist-svm[onnx]'\n"
    )


def test_export_asks_where_to(run):
    result = run("export")
    assert result.exit_code == 2
    assert "Missing option '--onnx'" in result.stderr


def test_a_missing_folder_is_told(run, gradient_file, tmp_path):
    target = tmp_path / "none" / "model.onnx"
    result = run("export", "--onnx", target, "-m", gradient_file)
    assert result.exit_code == 1
    assert result.stderr == f"mnist-svm: error: {target}: No such file or directory\n"


def test_a_read_only_folder_is_told(finish, no_privilege, gradient_file, read_only_folder):
    target = read_only_folder / "model.onnx"
    code, out, err = finish("export", "--onnx", target, "-m", gradient_file, before=no_privilege)
    assert (code, out) == (1, "")
    assert err == f"mnist-svm: error: {target}: Permission denied\n"


def test_the_model_itself_is_not_written_over(run, gradient_file):
    before = gradient_file.read_bytes()
    result = run("export", "--onnx", gradient_file, "-m", gradient_file)
    assert result.exit_code == 2
    assert "is the model itself" in result.stderr
    assert gradient_file.read_bytes() == before


def test_a_damaged_model_is_refused_and_nothing_written(run, gradient_file, tmp_path):
    damaged, target = tmp_path / "damaged.joblib", tmp_path / "model.onnx"
    damaged.write_bytes(gradient_file.read_bytes()[:-1000])
    result = run("export", "--onnx", target, "-m", damaged)
    assert result.exit_code == 1
    assert re.fullmatch(rf"mnist-svm: error: {damaged}: .*\n", result.stderr)
    assert not target.exists()


# Without this package.


def test_the_example_runs_without_this_package(run, tmp_path):
    readme = (ROOT / "README.md").read_text()
    example = re.search(r"```python\n(import numpy[^`]*onnxruntime[^`]*)```", readme)[1]
    assert run("export", "--onnx", tmp_path / "model.onnx").exit_code == 0
    (tmp_path / "images_test").symlink_to(DIGITS[0].parent)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['mnist_svm'] = None\n{example}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    digit, probability = done.stdout.split()
    assert digit == "7"
    assert float(probability) > 0.99
