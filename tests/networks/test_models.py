"""Networks as models: trained, saved, loaded, exported, and refused if damaged."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import joblib
import numpy as np
import onnxruntime
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from mnist_svm import Recognizer, load_model, save_model, train_model
from mnist_svm.exceptions import MissingExtraError, ModelFileError
from mnist_svm.export.onnx import export_onnx
from mnist_svm.models.file import Model
from mnist_svm.models.recipes import RECIPES
from mnist_svm.networks import architectures
from mnist_svm.networks.architectures import ACTIVATIONS, ARCHITECTURES
from mnist_svm.networks.fitted import fitted_networks
from mnist_svm.serve.observability import Metrics
from mnist_svm.serve.predict import PredictionService
from mnist_svm.serve.settings import Settings
from tests.networks.small import require_keras
from tests.support.command_line import using_model
from tests.support.model_files import ARRAYS, joblib_bytes, named_classes
from tests.support.paths import DATA, DIGITS, ROOT

require_keras()

SMALL = {"epochs": 1, "batch_size": 50, "dropout": 0.1}

# Width, learning rate and number of images of each architecture: deep ones take long for a batch,
# and without normalisation they stop to learn if they learn too fast.
SIZES = {
    "cnn": (0.2, 0.02, 1000),
    "abs": (0.2, 0.02, 1000),
    "dropout": (0.3, 0.002, 500),
    "mobilenet": (0.1, 0.02, 300),
    "vgg16": (0.1, 0.002, 300),
    "resnet50": (0.06, 0.02, 120),
    "resnet164": (0.25, 0.02, 120),
    "wideresnet28-10": (0.025, 0.02, 120),
}


def train(train_set, architecture):
    width, rate, n_images = SIZES[architecture]
    changes = {**SMALL, "architecture": architecture, "width": width, "learning_rate": rate}
    return train_model("cnn", train_set, limit=n_images, changes=changes)


def onnx_probabilities(model, images):
    session = onnxruntime.InferenceSession(export_onnx(model))
    _, probabilities = session.run(None, {"images": images})
    return probabilities


# --- every architecture -------------------------------------------------------------------------


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request, train_set):
    with pytest.MonkeyPatch.context() as patch:
        # The time to compile grows with the depth; the whole depth is that of test_architectures.
        # The second block of a stage is another one than the first.
        for name, blocks in architectures.BLOCKS.items():
            patch.setitem(architectures.BLOCKS, name, (2, *[1] * (len(blocks) - 1)))
        yield train(train_set, request.param)


@pytest.fixture(scope="module")
def images(test_set):
    return test_set.images[:200]


@pytest.mark.slow
def test_a_saved_network_comes_back_with_its_probabilities(model, images, tmp_path):
    save_model(tmp_path / "m.joblib", model)
    back = load_model(tmp_path / "m.joblib")
    assert back.info == model.info
    np.testing.assert_array_equal(back.predict_proba(images), model.predict_proba(images))


@pytest.mark.slow
def test_the_array_functions_and_the_estimator_agree(model, images):
    expected = model.pipeline.predict_proba(images.reshape(len(images), -1))
    np.testing.assert_allclose(model.predict_proba(images), expected, atol=1e-6)
    assert np.ptp(expected, axis=0).max() > 0


@pytest.mark.slow
def test_a_recognizer_reads_with_it(model, images):
    result = Recognizer(model).classify(images)
    expected = model.predict_proba(images)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(result.labels, expected.argmax(axis=1))


@pytest.mark.slow
def test_the_service_reads_with_it(model, images):
    # Requests to a server with a network are those of tests/serve/test_networks.py.
    body = json.dumps({"data": images[:20].tolist()}).encode()

    async def read():
        recognizer = Recognizer(model, n_jobs=1).prepare()
        async with PredictionService(recognizer, Settings(), Metrics()) as service:
            return await service.read_arrays(body)

    probabilities = [reading.probabilities for reading in asyncio.run(read())]
    np.testing.assert_allclose(probabilities, model.predict_proba(images[:20]), atol=1e-5)


@pytest.mark.slow
def test_the_exported_network_gives_its_probabilities(model, images):
    expected = model.predict_proba(images)
    np.testing.assert_allclose(onnx_probabilities(model, images), expected, atol=1e-4)


@pytest.mark.slow
def test_the_info_tells_the_size_of_the_network(model):
    (net,) = fitted_networks(model.pipeline)
    assert model.info.n_weights == net.keras_model.count_params()
    assert model.info.n_svms == model.info.n_support_vectors == 0
    assert {"keras", "jax"} <= set(model.info.versions)


# --- polarity -----------------------------------------------------------------------------------


def step_names(pipeline):
    return [name for name, _ in pipeline.steps]


def test_digits_get_one_size_before_a_network():
    assert step_names(RECIPES["cnn"].pipeline()) == ["normalize", "network"]


def test_abs_takes_the_images_as_they_are():
    pipeline = RECIPES["cnn"].pipeline(changes={"architecture": "abs"})
    assert step_names(pipeline) == ["network"]


def test_abs_takes_them_in_an_ensemble():
    changes = {"members": "poly4,cnn", "architecture": "abs"}
    members = dict(RECIPES["ensemble"].pipeline(changes=changes, calibrate=False)[-1].estimators)
    assert step_names(members["cnn"]) == ["network"]
    assert step_names(members["poly4"]) == ["prepare", "contrast", "svm"]


def test_abs_has_no_size_to_set():
    with pytest.raises(ValueError, match="side"):
        RECIPES["cnn"].pipeline(changes={"normalize__side": 40, "architecture": "abs"})


@pytest.mark.slow
@pytest.mark.parametrize("model", ["abs"], indirect=True)
def test_abs_reads_negatives(model, images):
    expected = model.predict_proba(images)
    np.testing.assert_allclose(model.predict_proba(255 - images), expected, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.1


@pytest.mark.slow
def test_other_networks_refuse_negatives(cnn, images):
    with pytest.raises(ValueError, match="expected bright ink on a dark background"):
        cnn.pipeline.predict(255 - images.reshape(len(images), -1))


# --- one of them --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cnn(train_set):
    return train(train_set, "cnn")


@pytest.fixture(scope="module")
def cnn_file(cnn, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "cnn.joblib"
    save_model(path, cnn)
    return path


def changed(model, attributes=(), **parameters):
    """The network of a model by itself: its weights, with other attributes or parameters."""
    (net,) = fitted_networks(model.pipeline)
    other = clone(net).set_params(**parameters)
    vars(other).update({name: x for name, x in vars(net).items() if name.endswith("_")})
    vars(other).update(attributes)
    return Model.from_pipeline(Pipeline([("network", other)]), model.info)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_exported(cnn, images, activation):
    model = changed(cnn, activation=activation)
    expected = model.predict_proba(images)
    np.testing.assert_allclose(onnx_probabilities(model, images), expected, atol=1e-4)
    is_same = activation in ("auto", "relu")
    assert np.allclose(expected, changed(cnn).predict_proba(images), atol=1e-3) == is_same


@pytest.mark.slow
def test_a_network_of_dark_ink_is_exported(cnn, images):
    model = changed(cnn, {"inverted_": True})
    expected = changed(cnn).predict_proba(images)
    np.testing.assert_allclose(onnx_probabilities(model, 255 - images), expected, atol=1e-4)


@pytest.mark.slow
def test_the_same_seed_gives_an_equal_model(train_set, cnn):
    (net,), (again,) = (fitted_networks(model.pipeline) for model in (cnn, train(train_set, "cnn")))
    for one, other in zip(net.weights_, again.weights_, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.slow
def test_the_file_names_arrays_and_no_object_of_keras(cnn_file):
    assert named_classes(cnn_file) == ARRAYS


@pytest.mark.slow
def test_info_shows_the_number_of_weights(cnn, cnn_file, run):
    result = run("info", cnn_file)
    assert result.exit_code == 0, result.stderr
    assert f"{cnn.info.n_weights:,}" in result.stdout or str(cnn.info.n_weights) in result.stdout


# --- damaged files ------------------------------------------------------------------------------


def setting(part, **values):
    return lambda network: network[part].update(values)


def changing(number, change):
    """Replace one of the arrays of weights."""

    def damage(network):
        weights = network["attributes"]["weights"]
        weights[number] = change(weights[number])

    return damage


def with_nan(array):
    array = array.copy()
    array.flat[0] = np.nan
    return array


DAMAGE = {
    "an array missing": lambda network: network["attributes"]["weights"].pop(),
    "an array too many": lambda network: network["attributes"]["weights"].append(
        np.zeros(3, np.float32)
    ),
    "no arrays": lambda network: network["attributes"]["weights"].clear(),
    "an array of another shape": changing(0, lambda array: array[..., :-1].copy()),
    "a transposed array": changing(-2, lambda array: array.T.copy()),
    "an array of doubles": changing(0, lambda array: array.astype(np.float64)),
    "a number in place of an array": changing(1, lambda array: 1.0),
    "NaN among the weights": changing(-2, with_nan),
    "an infinite weight": changing(-1, lambda array: array + np.float32(np.inf)),
    "an unknown architecture": setting("parameters", architecture="lenet"),
    "another architecture": setting("parameters", architecture="dropout"),
    "an unknown activation": setting("parameters", activation="gelu"),
    "a width without end": setting("parameters", width=1e9),
    "no width": setting("parameters", width=0.0),
    "another width": setting("parameters", width=0.3),
    "a dropout of all": setting("parameters", dropout=1.0),
    "no epochs": setting("parameters", epochs=0),
    "another image": setting("parameters", image_shape=(7, 7)),
    "an image of one row": setting("parameters", image_shape=(1, 784)),
    "a negative image": setting("parameters", image_shape=(-28, -28)),
    "an image of three sides": setting("parameters", image_shape=(28, 28, 1)),
    "a distortion that is none": setting("parameters", distort={"displacement": 1.0}),
    "a negative temperature": setting("attributes", temperature=-1.0),
    "a temperature of 0": setting("attributes", temperature=0.0),
    "no temperature": setting("attributes", temperature=float("nan")),
    "a negative maximum": setting("attributes", data_max=-255.0),
    "an infinite maximum": setting("attributes", data_max=float("inf")),
    "a class missing": setting("attributes", classes=np.arange(9)),
    "classes in another order": setting("attributes", classes=np.arange(10)[::-1].copy()),
    "a log of something else": setting("attributes", fit_log=[{"epoch": 1}]),
    "an attribute missing": lambda network: network["attributes"].pop("inverted"),
    "a parameter missing": lambda network: network["parameters"].pop("width"),
    "a parameter too many": setting("parameters", checkpoint="folder"),
}


def write_damaged(cnn_file, path, damage):
    content = joblib.load(cnn_file)
    _, network = content["pipeline"]["steps"]
    assert network["type"] == "conv_net"
    damage(network)
    path.write_bytes(joblib_bytes(content))


@pytest.mark.slow
def test_the_file_is_read_if_nothing_is_damaged(cnn, cnn_file, tmp_path):
    write_damaged(cnn_file, tmp_path / "m.joblib", lambda network: None)
    assert load_model(tmp_path / "m.joblib").info == cnn.info


@pytest.mark.slow
@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_network_is_refused(cnn_file, tmp_path, what):
    path = tmp_path / "m.joblib"
    write_damaged(cnn_file, path, DAMAGE[what])
    with pytest.raises(ModelFileError, match="damaged model file") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


# --- without the extra --------------------------------------------------------------------------

PACKAGES = ["keras", "jax"]
ERROR = "networks need Keras and JAX: pip install 'mnist-svm[cnn]'"


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_a_model_file_without_the_extra_says_what_to_install(cnn_file, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        load_model(cnn_file)
    assert str(caught.value) == f"{cnn_file}: {ERROR}"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["predict", "eval", "info"])
def test_commands_without_the_extra_end_with_a_line(cnn_file, monkeypatch, run, command):
    monkeypatch.setitem(sys.modules, "keras", None)
    result = run(*using_model(command, cnn_file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"mnist-svm: error: {cnn_file}: {ERROR}\n"


@pytest.mark.parametrize("package", PACKAGES)
def test_training_without_the_extra_ends_before_data_are_read(run, monkeypatch, tmp_path, package):
    monkeypatch.setitem(sys.modules, package, None)
    output = tmp_path / "m.joblib"
    result = run("train", "--recipe", "cnn", "--data-dir", DATA, "-o", output)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"mnist-svm: error: {ERROR}\n"
    assert not list(tmp_path.iterdir())


def test_another_backend_of_keras_is_an_error_of_one_line(run, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    result = run("train", "--recipe", "cnn", "--data-dir", DATA, "-o", tmp_path / "m.joblib")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "mnist-svm: error: networks need Keras's backend 'jax', found 'tensorflow': "
        "set KERAS_BACKEND=jax\n"
    )


# Prints which of the packages a program has imported.
REPORT = "import sys; print('IMPORTED', *sorted({'jax', 'keras'} & set(sys.modules)))"


@pytest.mark.parametrize(
    "program",
    [
        "import mnist_svm",
        (
            "from mnist_svm import load_model; import numpy as np\n"
            "load_model().predict_proba(np.zeros((1, 28, 28), np.uint8))"
        ),
        "from mnist_svm import RECIPES; RECIPES['poly4'].pipeline()",
        (
            "from mnist_svm.cli import cli\n"
            f"cli(['predict', {str(DIGITS[7])!r}], standalone_mode=False)"
        ),
    ],
    ids=["import", "predict", "pipeline", "command"],
)
def test_svms_do_not_import_keras_or_jax(program):
    # Commands end with an exit.
    script = f"try:\n    exec({program!r})\nexcept SystemExit:\n    pass\n{REPORT}"
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "IMPORTED"


def test_networks_do_import_them():
    # Else the test above could not fail.
    script = f"from mnist_svm.networks.backend import import_keras; import_keras(); {REPORT}"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.stdout.splitlines()[-1] == "IMPORTED jax keras"
