"""Exported models predict what the models predict, without this package."""

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

from mnist_svm import RECIPES, Model, Recognizer, save_model, train_model
from mnist_svm.exceptions import FormatError, MissingExtraError
from mnist_svm.export.onnx import export_onnx
from mnist_svm.export.onnx_graph.builder import Graph, Value
from mnist_svm.export.onnx_graph.deskew import deskew
from mnist_svm.export.onnx_graph.gradients import gradient_features
from mnist_svm.export.onnx_graph.pipeline import CONVERTERS
from mnist_svm.export.onnx_graph.pixels import blur, normalize_contrast
from mnist_svm.export.onnx_graph.shape import shape_features
from mnist_svm.export.onnx_graph.size import normalize_size
from mnist_svm.features.deskew import MAX_REMAINING_SHEAR, MIN_VERTICAL_SPREAD, _resample
from mnist_svm.features.moments import image_moments
from mnist_svm.features.transformers import (
    Blur,
    Deskew,
    GradientFeatures,
    NormalizeContrast,
    NormalizeSize,
    ShapeFeatures,
)
from mnist_svm.models.estimators import TYPES
from mnist_svm.models.info import ModelInfo
from mnist_svm.models.parameters import Parameters
from mnist_svm.svm.coupled import CoupledSVC
from tests.support.paths import DIGITS, ROOT

BLANK = np.zeros((1, 28, 28), np.uint8)


def compare(model: Model, images: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the number of different labels and the probability difference of each image."""
    expected = Recognizer(model).classify(images)
    labels, probabilities = run_onnx(export_onnx(model), images)
    assert (labels.dtype, probabilities.dtype) == (np.int64, np.float32)
    differences = np.abs(probabilities - expected.probabilities).max(axis=1)
    return np.count_nonzero(labels != expected.labels), differences


def run_onnx(content: bytes, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


@pytest.mark.slow
def test_all_test_images_are_predicted_as_by_the_model(model, test_set):
    different, differences = compare(model, test_set.images)
    assert different <= 1
    # BLAS sums in another order, so about one feature in 100,000 rounds to another integer.
    assert np.count_nonzero(differences > 1e-4) <= 1
    assert differences.max() < 1e-2
    assert np.median(differences) < 1e-6


def test_what_is_no_digit_is_exported_too(model, test_set):
    # Its temperature differs from that of digits.
    assert model.pipeline[-1].novelty_slope_ > 0
    turned = np.ascontiguousarray(np.rot90(test_set.images[:200], axes=(1, 2)))
    different, differences = compare(model, turned)
    assert different == 0
    assert differences.max() < 1e-4


SETTINGS = {
    "virtual": ("virtual", {"copies": 1}),
    "best": ("best", {"copies": 1}),
    "no blur, larger frames": ("virtual", {"copies": 1, "sigma": 0.0, "normalize__side": 31}),
    "other gradients": ("gradient", {"directions": 12, "grid": 5, "power": 1.0, "upright": False}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_models_with_any_parameters_are_exported(name, train_set, test_set):
    recipe, changes = SETTINGS[name]
    model = train_model(RECIPES[recipe], train_set, limit=300, changes=changes)
    different, differences = compare(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("degree", [1, 2, 3, 7])
def test_kernels_of_every_degree_are_exported(degree, train_set, test_set):
    parameters = Parameters("poly", C=1.0, gamma=2e-5, degree=degree, coef0=0.5)
    model = train_model(RECIPES["poly4"], train_set, limit=300, parameters=parameters)
    different, differences = compare(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-4


@pytest.fixture(scope="module")
def pair(train_set):
    """A model of two named classes."""
    rows = np.flatnonzero(np.isin(train_set.labels, [4, 9]))[:500]
    dataset = replace(
        train_set,
        images=train_set.images[rows],
        labels=train_set.labels[rows] * 10,
        class_names={40: "vier", 90: "neun"},
    )
    return train_model(RECIPES["gradient"], dataset)


def test_two_classes_with_other_labels_are_exported(pair, test_set):
    different, differences = compare(pair, test_set.images[:1000])
    assert different == 0
    assert differences.max() < 1e-4
    labels, probabilities = run_onnx(export_onnx(pair), test_set.images[:1000])
    assert set(labels.tolist()) == {40, 90}
    assert probabilities.shape == (1000, 2)


@pytest.fixture
def fit_model(small_model):
    """Fit a pipeline that is not a recipe."""

    def fit(dataset, *steps):
        pipeline = Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])
        return Model.from_pipeline(
            pipeline.fit(dataset.X[:500], dataset.labels[:500]), small_model.info
        )

    return fit


def test_a_linear_svm_is_exported_without_calibration(fit_model, train_set, test_set):
    svc = CoupledSVC(kernel="linear", C=1e-6)
    model = fit_model(train_set, NormalizeContrast(), svc)
    different, differences = compare(model, test_set.images[:1000])
    assert different == 0
    assert differences.max() < 1e-6
    # The file holds the 45 x 784 weights, and no support vectors.
    assert len(export_onnx(model)) < 45 * 784 * 8 + 50_000


def test_a_voting_classifier_keeps_labels_that_are_not_class_indices(
    fit_model, train_set, test_set
):
    svcs = [(name, CoupledSVC(gamma=1e-6, C=C)) for name, C in (("first", 1.0), ("second", 5.0))]
    voting = VotingClassifier(svcs, voting="soft")
    model = fit_model(replace(train_set, labels=train_set.labels * 3), NormalizeContrast(), voting)
    different, differences = compare(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-6


def test_another_runtime_predicts_the_same(gradient, test_set):
    images = test_set.images[:20]
    runtime = ReferenceEvaluator(onnx.load_from_string(export_onnx(gradient)))
    labels, probabilities = runtime.run(None, {"images": images})
    expected = Recognizer(gradient).classify(images)
    np.testing.assert_array_equal(labels, expected.labels)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-4)


def test_steps_may_come_in_any_order(fit_model, train_set, test_set):
    steps = NormalizeContrast(), NormalizeSize(side=24), Deskew(), GradientFeatures(grid=4)
    model = fit_model(train_set, *steps, Blur(), NormalizeContrast(), CoupledSVC(gamma=1e-6))
    different, differences = compare(model, test_set.images[:500])
    assert different == 0
    assert differences.max() < 1e-3


# Any number of images.


def test_the_prediction_does_not_depend_on_the_batch(model, test_set):
    content, images = export_onnx(model), test_set.images[:50]
    _, in_batch = run_onnx(content, images)
    session = onnxruntime.InferenceSession(content)
    for image, expected in zip(images, in_batch, strict=True):
        (label,), (probabilities,) = session.run(None, {"images": image[None]})
        assert label == expected.argmax()
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_all_images_fit_in_one_batch(gradient, test_set):
    content, images = export_onnx(gradient), test_set.images
    session = onnxruntime.InferenceSession(content)
    labels, probabilities = session.run(None, {"images": images})
    assert probabilities.shape == (10_000, 10)
    np.testing.assert_array_equal(labels, run_onnx(content, images)[0])


def test_an_empty_batch_has_no_labels(model):
    session = onnxruntime.InferenceSession(export_onnx(model))
    labels, probabilities = session.run(None, {"images": BLANK[:0]})
    assert labels.shape == (0,)
    assert probabilities.shape == (0, 10)


def test_blank_images_are_predicted_as_by_the_model(model, test_set):
    images = np.concatenate([BLANK, test_set.images[:1], np.full_like(BLANK, 255), BLANK])
    different, differences = compare(model, images)
    assert different == 0
    assert differences.max() < 1e-4


# Steps.


def run_step(convert, transformer, images: np.ndarray) -> np.ndarray:
    """Run the graph of one transformer."""
    graph = Graph()
    out = convert(Value(graph, "images", images.dtype), transformer)
    element_type = helper.np_dtype_to_tensor_dtype
    shape = ("n", *images.shape[1:])
    inputs = [helper.make_tensor_value_info("images", element_type(images.dtype), shape)]
    outputs = [helper.make_tensor_value_info(out.name, element_type(out.dtype), None)]
    step = helper.make_graph(graph.nodes, "step", inputs, outputs, graph.constants)
    proto = helper.make_model(step, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (result,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(
        None, {"images": images}
    )
    return result.reshape(len(images), -1)


@pytest.fixture(scope="module")
def hard(test_set):
    """Digits, blank and full images, bars, points, and specks of any slant."""
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
def test_a_step_computes_the_same_pixels(name, hard):
    convert, transformer = STEPS[name]
    expected = transformer.fit_transform(hard.reshape(len(hard), -1))
    np.testing.assert_allclose(run_step(convert, transformer, hard), expected, rtol=1e-5, atol=1e-3)


def test_some_hard_images_still_lean_after_one_pass(hard):
    moments = image_moments(hard)
    spread = np.where(moments.s_ii >= MIN_VERTICAL_SPREAD, moments.s_ii, np.inf)
    once = _resample(hard, moments.mu_i, moments.mu_j, moments.s_ij / spread)
    leaning = np.abs(image_moments(once).s_ij / spread) > MAX_REMAINING_SHEAR
    assert 10 < np.count_nonzero(leaning) < len(hard)


EIGHT_BITS = {
    "contrast": (normalize_contrast, NormalizeContrast()),
    "gradients": (gradient_features, GradientFeatures()),
    "four directions": (gradient_features, GradientFeatures(directions=4, grid=3, smoothing=1.0)),
    "shape": (shape_features, ShapeFeatures()),
    "heavy shape": (shape_features, ShapeFeatures(weight=2000)),
    "many directions": (gradient_features, GradientFeatures(directions=64, grid=2, power=0.1)),
}


@pytest.mark.parametrize("name", EIGHT_BITS)
def test_features_are_rounded_to_the_same_integers(name, hard):
    convert, transformer = EIGHT_BITS[name]
    expected = transformer.fit_transform(hard.reshape(len(hard), -1))
    features = run_step(convert, transformer, hard)
    assert features.dtype == np.uint8
    differences = np.abs(features.astype(int) - expected)
    assert differences.max() <= 1
    assert np.count_nonzero(differences) <= 1e-5 * differences.size + 1


@pytest.mark.parametrize("function", [np.tan, np.add.reduce, np.cumsum])
def test_a_numpy_function_without_an_operator_is_rejected(function):
    graph = Graph()
    with pytest.raises(TypeError):
        function(Value(graph, "images", np.float32))
    assert not graph.nodes


# The file.


def test_the_file_holds_standard_operators_and_each_weight_once(model):
    content = export_onnx(model)
    proto = onnx.load_from_string(content)
    assert [opset.domain for opset in proto.opset_import] == [""]
    assert {node.domain for node in proto.graph.node} == {""}
    svc = model.pipeline[-1].estimator_
    weights = svc.support_vectors_.nbytes + svc.dual_coef_.nbytes
    assert weights < len(content) < weights + 300_000


def test_the_file_declares_its_inputs_and_outputs(model):
    session = onnxruntime.InferenceSession(export_onnx(model))
    tensors = (*session.get_inputs(), *session.get_outputs())
    assert [(tensor.name, tensor.type, tensor.shape) for tensor in tensors] == [
        ("images", "tensor(uint8)", ["n", 28, 28]),
        ("label", "tensor(int64)", ["n"]),
        ("probabilities", "tensor(float)", ["n", 10]),
    ]


def read_metadata(model: Model) -> dict[str, str]:
    session = onnxruntime.InferenceSession(export_onnx(model))
    return session.get_modelmeta().custom_metadata_map


def test_the_metadata_describe_the_model(gradient):
    from mnist_svm import __version__

    metadata = read_metadata(gradient)
    assert metadata["version"] == __version__
    assert metadata["recipe"] == "gradient"
    assert json.loads(metadata["classes"]) == list(range(10))
    assert ModelInfo.from_dict(json.loads(metadata["metadata"])) == gradient.info
    assert "class_names" not in metadata


def test_the_metadata_name_the_classes(pair):
    metadata = read_metadata(pair)
    assert json.loads(metadata["classes"]) == [40, 90]
    assert json.loads(metadata["class_names"]) == ["vier", "neun"]


# What cannot be exported.


def test_every_step_that_a_model_can_have_has_a_converter():
    assert set(CONVERTERS) == set(TYPES)


def test_features_that_are_not_uint8_are_rejected(fit_model, train_set):
    model = fit_model(train_set, Deskew(), CoupledSVC(gamma=1e-6))
    with pytest.raises(
        FormatError, match=r"expected an SVM on uint8 features, .* found features of type float32"
    ):
        export_onnx(model)


def test_without_onnx_the_error_names_the_extra(gradient, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-svm\[onnx\]'"):
        export_onnx(gradient)


# The command.


def test_export_writes_a_file_and_describes_it(run, gradient_file, tmp_path):
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


def test_export_describes_the_file_as_json(run, gradient_file, tmp_path):
    target = tmp_path / "model.onnx"
    summary = json.loads(run("export", "--onnx", target, "-m", gradient_file, "--json").stdout)
    assert summary["file"] == str(target)
    assert summary["bytes"] == target.stat().st_size
    assert summary["inputs"] == [{"name": "images", "type": "uint8", "shape": ["n", 28, 28]}]
    assert [output["name"] for output in summary["outputs"]] == ["label", "probabilities"]


def test_export_without_onnx_fails_before_reading_the_model(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    result = run("export", "--onnx", tmp_path / "model.onnx", "-m", tmp_path / "none.joblib")
    assert result.exit_code == 1
    assert result.stderr == (
        "mnist-svm: error: exporting needs onnx: pip install 'mnist-svm[onnx]'\n"
    )


def test_export_requires_an_output_file(run):
    result = run("export")
    assert result.exit_code == 2
    assert "Missing option '--onnx'" in result.stderr


def test_a_missing_folder_is_reported(run, gradient_file, tmp_path):
    target = tmp_path / "none" / "model.onnx"
    result = run("export", "--onnx", target, "-m", gradient_file)
    assert result.exit_code == 1
    assert result.stderr == f"mnist-svm: error: {target}: No such file or directory\n"


def test_a_read_only_folder_is_reported(finish, no_privilege, gradient_file, read_only_folder):
    target = read_only_folder / "model.onnx"
    code, out, err = finish("export", "--onnx", target, "-m", gradient_file, before=no_privilege)
    assert (code, out) == (1, "")
    assert err == f"mnist-svm: error: {target}: Permission denied\n"


def test_the_model_itself_is_not_overwritten(run, gradient_file):
    before = gradient_file.read_bytes()
    result = run("export", "--onnx", gradient_file, "-m", gradient_file)
    assert result.exit_code == 2
    assert "is the model itself" in result.stderr
    assert gradient_file.read_bytes() == before


def test_a_damaged_model_is_rejected_and_nothing_is_written(run, gradient_file, tmp_path):
    damaged, target = tmp_path / "damaged.joblib", tmp_path / "model.onnx"
    damaged.write_bytes(gradient_file.read_bytes()[:-1000])
    result = run("export", "--onnx", target, "-m", damaged)
    assert result.exit_code == 1
    assert re.fullmatch(rf"mnist-svm: error: {damaged}: .*\n", result.stderr)
    assert not target.exists()


# Without this package.


def test_the_example_runs_without_this_package(run, tmp_path):
    page = (ROOT / "docs" / "how-to" / "export.md").read_text()
    example = re.search(r"```python\n(import numpy[^`]*onnxruntime[^`]*)```", page)[1]
    assert run("export", "--onnx", tmp_path / "model.onnx").exit_code == 0
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "digits").symlink_to(DIGITS[0].parent)
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['mnist_svm'] = None\n{example}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    digit, probability = result.stdout.split()
    assert digit == "7"
    assert float(probability) > 0.99
