"""A network, layer by layer. Tensors have shape (n, channels, height, width), or (n, units)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mnist_svm.export.onnx_graph.builder import Value
from mnist_svm.export.onnx_graph.svc import Prediction
from mnist_svm.networks.architectures import ARCHITECTURES
from mnist_svm.networks.backend import import_keras
from mnist_svm.networks.conv_net import ConvNet


def predict_network(images: Value, net: ConvNet) -> Prediction:
    """Compute what `ConvNet.predict_proba` does."""
    _, logits = compute_network(images, net)
    scaled = logits.astype(np.float64) / net.temperature_
    probabilities = images.graph.node("Softmax", scaled, axis=1)
    # Not used: without novelty, the temperature is the same for all samples.
    return Prediction(probabilities, lambda: probabilities[:, :1] * 0)


def compute_network(images: Value, net: ConvNet) -> tuple[Value, Value]:
    """Compute the last hidden layer and the logits of images of shape (n, height, width)."""
    x = images.astype(np.float32) / (net.data_max_ or 1.0)
    if ARCHITECTURES[net.architecture].any_polarity:
        x = x * 2 - 1
    elif net.inverted_:
        x = 1 - x
    model = net.keras_model
    tensors = {id(model.inputs[0]): x.expand_dims(1)}
    for layer in model.layers[1:]:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        values = [tensors[id(tensor)] for tensor in inputs]
        tensors[id(layer.output)] = _convert_layer(layer, values)
    hidden, logits = (tensors[id(tensor)] for tensor in model.outputs)
    return hidden, logits


def _convert_layer(layer: Any, inputs: list[Value]) -> Value:
    layers = import_keras().layers
    converters: dict[type, Callable[..., Value]] = {
        layers.Activation: _activate,
        layers.Add: lambda layer, x, y: x + y,
        layers.BatchNormalization: _normalize,
        layers.Conv2D: _convolve,
        layers.Dense: _connect,
        layers.DepthwiseConv2D: _convolve_each,
        layers.Dropout: lambda layer, x: x,
        layers.Flatten: _flatten,
        layers.GlobalAveragePooling2D: _average,
        layers.MaxPooling2D: _pool,
        layers.ZeroPadding2D: _pad,
    }
    convert = next(converters[kind] for kind in type(layer).__mro__ if kind in converters)
    return convert(layer, *inputs)


def _array(variable: Any) -> Any:
    return np.asarray(variable.value, np.float32)


def _activate(layer: Any, x: Value) -> Value:
    keras, graph = import_keras(), x.graph
    if layer.activation is keras.activations.silu:
        return x * graph.node("Sigmoid", x)
    operators = {
        keras.activations.relu: "Relu",
        keras.activations.elu: "Elu",
        keras.activations.tanh: "Tanh",
        keras.ops.abs: "Abs",
    }
    return graph.node(operators[layer.activation], x)


def _normalize(layer: Any, x: Value) -> Value:
    variables = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    return x.graph.node("BatchNormalization", x, *map(_array, variables), epsilon=layer.epsilon)


def _window(layer: Any) -> dict[str, Any]:
    """Return strides and padding; padding that is not even is larger at the end, as in Keras."""
    padding = "SAME_UPPER" if layer.padding == "same" else "VALID"
    return {"strides": list(layer.strides), "auto_pad": padding}


def _convolve(layer: Any, x: Value) -> Value:
    biases = [_array(layer.bias)] if layer.use_bias else []
    kernel = _array(layer.kernel).transpose(3, 2, 0, 1)
    return x.graph.node("Conv", x, kernel, *biases, **_window(layer))


def _convolve_each(layer: Any, x: Value) -> Value:
    kernel = _array(layer.kernel).transpose(2, 3, 0, 1)
    return x.graph.node("Conv", x, kernel, group=len(kernel), **_window(layer))


def _connect(layer: Any, x: Value) -> Value:
    x = x @ _array(layer.kernel)
    return x + _array(layer.bias)[None] if layer.use_bias else x


def _pool(layer: Any, x: Value) -> Value:
    return x.graph.node("MaxPool", x, kernel_shape=list(layer.pool_size), **_window(layer))


def _average(layer: Any, x: Value) -> Value:
    return x.graph.node("ReduceMean", x, np.array([2, 3]), keepdims=0)


def _flatten(layer: Any, x: Value) -> Value:
    # Keras's order, with the channels last.
    return x.graph.node("Transpose", x, perm=[0, 2, 3, 1]).reshape(0, -1)


def _pad(layer: Any, x: Value) -> Value:
    (top, bottom), (left, right) = layer.padding
    return x.graph.node("Pad", x, np.array([0, 0, top, left, 0, 0, bottom, right]))
