"""Architectures have the sizes of the papers and of Keras's own, and take images of any size."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest

from mnist_svm.networks.architectures import ARCHITECTURES, build_network
from mnist_svm.networks.inference import Network
from tests.networks.small import require_keras

keras = require_keras()
jax = pytest.importorskip("jax")

DEEP = ("mobilenet", "resnet164", "resnet50", "vgg16", "wideresnet28-10")


@pytest.fixture(scope="module")
def whole():
    """A function that builds an architecture for MNIST, once."""
    return cache(lambda architecture: build_network(architecture, (28, 28), 10))


def n_trainable(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_weights)


def output_shapes(model, shape):
    """Shapes of the hidden layer and of the logits for images, without computing them."""
    variables = [
        [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    images = jax.ShapeDtypeStruct((*shape, 1), np.float32)
    outputs, _ = jax.eval_shape(model.stateless_call, *variables, images)
    return [output.shape for output in outputs]


# --- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("architecture", "n_weights"),
    [
        ("dropout", 180_698),
        # Zagoruyko and Komodakis's network for three colours, without those of two.
        ("wideresnet28-10", 36_479_194 - 2 * 9 * 16),
        ("resnet164", 1_702_970),
    ],
)
def test_the_number_of_weights_is_known(whole, architecture, n_weights):
    assert n_trainable(whole(architecture)) == n_weights


@pytest.mark.parametrize(
    ("architecture", "name"),
    [("vgg16", "VGG16"), ("resnet50", "ResNet50"), ("mobilenet", "MobileNet")],
)
def test_the_number_of_weights_is_that_of_keras_s_own(whole, monkeypatch, architecture, name):
    # Random weights take most of the time to build a network.
    monkeypatch.setattr(
        keras.initializers.VarianceScaling,
        "__call__",
        lambda self, shape, dtype=None: np.zeros(shape, dtype),
    )
    theirs = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(32, 32, 1)
    )
    ours = whole(architecture)
    n_hidden = ours.outputs[0].shape[1]
    assert theirs.output.shape[-1] == n_hidden
    assert n_trainable(ours) == n_trainable(theirs) + (n_hidden + 1) * 10


@pytest.mark.parametrize(
    ("architecture", "n_hidden"),
    [
        ("cnn", 128),
        ("abs", 128),
        ("dropout", 16),
        ("mobilenet", 1024),
        ("vgg16", 512),
        ("resnet50", 2048),
        ("resnet164", 256),
        ("wideresnet28-10", 640),
    ],
)
def test_each_image_has_hidden_units_and_logits(whole, architecture, n_hidden):
    assert output_shapes(whole(architecture), (3, 28, 28)) == [(3, n_hidden), (3, 10)]


def test_every_architecture_is_tested():
    assert set(ARCHITECTURES) == {"cnn", "abs", "dropout", *DEEP}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_half_the_width_has_half_the_hidden_units(whole, architecture):
    full, half = whole(architecture), build_network(architecture, (28, 28), 10, width=0.5)
    assert 2 * half.outputs[0].shape[1] == full.outputs[0].shape[1]
    assert n_trainable(full) > 2.5 * n_trainable(half)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_least_width_is_one_channel(architecture):
    model = build_network(architecture, (28, 28), 10, width=1e-9)
    kernels = [weights for weights in model.trainable_weights if weights.ndim == 4]
    assert {kernel.shape[-1] for kernel in kernels} == {1}
    assert output_shapes(model, (2, 28, 28))[1] == (2, 10)


# --- images of other sizes ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (20, 36), (33, 17), (64, 64)])
@pytest.mark.parametrize("architecture", ["cnn", "abs", "dropout", "mobilenet", "vgg16"])
def test_images_of_other_sizes_are_taken(architecture, shape):
    model = build_network(architecture, shape, 3, width=0.05)
    assert output_shapes(model, (2, *shape))[1] == (2, 3)


@pytest.mark.parametrize("architecture", ["resnet50", "resnet164", "wideresnet28-10"])
def test_images_of_other_sizes_are_taken_by_deep_networks(architecture):
    model = build_network(architecture, (20, 36), 3, width=0.02)
    assert output_shapes(model, (2, 20, 36))[1] == (2, 3)


def make_random(architecture, shape, **parameters):
    return build_network(architecture, shape, 10, width=0.1, seed=0, **parameters)


def compute_logits(model, images):
    _, logits = Network(model)(np.asarray(images, np.float32))
    return logits


def test_small_images_get_a_border():
    images = np.random.default_rng(0).random((4, 8, 11))
    framed = np.pad(images, [(0, 0), (4, 4), (2, 3)])
    small = compute_logits(make_random("cnn", (8, 11)), images)
    np.testing.assert_allclose(
        small, compute_logits(make_random("cnn", (16, 16)), framed), atol=1e-6
    )
    assert np.ptp(small, axis=0).min() > 0


# --- polarity -----------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["auto", "relu", "tanh"])
@pytest.mark.parametrize("shape", [(28, 28), (9, 12)])
def test_abs_gives_negatives_the_logits_of_the_images(activation, shape):
    images = np.random.default_rng(0).uniform(-1, 1, (5, *shape))
    model = make_random("abs", shape, activation=activation)
    logits = compute_logits(model, images)
    np.testing.assert_array_equal(logits, compute_logits(model, -images))
    assert np.ptp(logits, axis=0).min() > 0


def test_other_architectures_tell_negatives_from_images():
    images = np.random.default_rng(0).uniform(-1, 1, (5, 28, 28))
    model = make_random("cnn", (28, 28))
    differences = np.abs(compute_logits(model, images) - compute_logits(model, -images))
    assert differences.max(axis=1).min() > 1e-3


# --- random weights -----------------------------------------------------------------------------


def test_the_seed_determines_the_weights():
    one, again, other = (
        Network(build_network("cnn", (16, 16), 3, width=0.1, seed=seed)).weights
        for seed in (1, 1, 2)
    )
    kernels = [i for i, weights in enumerate(one) if weights.ndim > 1]
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(one[i], other[i]) for i in kernels)


def test_without_a_seed_the_weights_are_zero():
    kernels = [w for w in build_network("cnn", (16, 16), 3, width=0.1).weights if w.ndim > 1]
    assert not any(np.asarray(kernel.value).any() for kernel in kernels)


def test_the_generators_of_the_process_go_on_as_before():
    random.seed(3)
    np.random.seed(3)
    expected = random.random(), np.random.random()
    random.seed(3)
    np.random.seed(3)
    make_random("cnn", (16, 16))
    assert (random.random(), np.random.random()) == expected


def test_an_activation_replaces_that_of_every_hidden_layer():
    model = build_network("cnn", (28, 28), 10, width=0.1, activation="elu")
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Activation)]
    assert len(layers) == 4
    assert {layer.activation for layer in layers} == {keras.activations.elu}


def test_without_dropout_there_are_no_layers_of_it():
    with_some, without = (
        build_network("dropout", (28, 28), 10, width=0.1, dropout=share) for share in (0.2, 0.0)
    )
    kinds = [{type(layer) for layer in model.layers} for model in (with_some, without)]
    assert kinds[0] - kinds[1] == {keras.layers.Dropout}


# --- pooling ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (7, 11), (2, 3)])
def test_pooling_is_keras_s(size):
    from mnist_svm.networks.layers import MaxPooling

    x = np.random.default_rng(0).normal(size=(3, *size, 2)).astype(np.float32)
    ours, theirs = MaxPooling(2)(x), keras.layers.MaxPooling2D(2)(x)
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.parametrize("size", [(8, 8), (7, 11)])
def test_the_gradient_of_pooling_is_keras_s(size):
    from mnist_svm.networks.layers import MaxPooling

    rng = np.random.default_rng(0)
    # Each number once: no ties.
    x = rng.permutation(3 * size[0] * size[1] * 2).reshape(3, *size, 2).astype(np.float32)
    factors = rng.normal(size=(3, size[0] // 2, size[1] // 2, 2)).astype(np.float32)
    ours, theirs = (
        jax.grad(lambda values, layer=layer: (factors * layer(values)).sum())(x)
        for layer in (MaxPooling(2), keras.layers.MaxPooling2D(2))
    )
    np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
