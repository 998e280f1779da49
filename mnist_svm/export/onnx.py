"""Export a model as one ONNX file, from images to labels and probabilities.

The graph uses standard operators only. It follows the NumPy code formula by formula, in the same
order and precision, because features are rounded to integers, and a tiny difference could round to
another integer.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mnist_svm._optional import require_extra
from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.models.file import Model

if TYPE_CHECKING:
    from onnx import ValueInfoProto

    from mnist_svm.export.onnx_graph.builder import Graph

# Supported by onnxruntime since version 1.14 (2023).
OPSET = 18
IR_VERSION = 8


class TensorSpec(NamedTuple):
    """Name, NumPy type and shape of an input or output of a graph; "n" is any number."""

    name: str
    dtype: str
    shape: tuple[str | int, ...]


# Images in MNIST form: 0-255, ink bright on a dark background.
INPUT = TensorSpec("images", "uint8", ("n", *IMAGE_SHAPE))


def require_onnx() -> None:
    """Raise MissingExtraError if onnx is not installed. Call before starting work."""
    require_extra("onnx", "exporting needs onnx", "onnx")


def output_specs(model: Model) -> tuple[TensorSpec, TensorSpec]:
    """Describe the outputs of a model's graph: labels, and probabilities by sorted label."""
    k = len(model.classes)
    return TensorSpec("label", "int64", ("n",)), TensorSpec("probabilities", "float32", ("n", k))


def export_onnx(model: Model) -> bytes:
    """Export a model to the ONNX format.

    The input is `INPUT`, the outputs are those of `output_specs`. The metadata of the file contain
    the version of this package, the recipe, the classes and their names, and the model's
    `ModelInfo` as JSON.

    Returns
    -------
    bytes
        Content of an ONNX file, validated by ONNX's checker.

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    FormatError
        If a step of the model's pipeline cannot be exported.
    """
    require_onnx()
    from onnx import checker, helper

    from mnist_svm.export.onnx_graph.builder import Graph

    graph, outputs = Graph(), output_specs(model)
    _add_nodes(graph, model, outputs)
    inputs, results = [_value_info(INPUT)], [*map(_value_info, outputs)]
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "mnist_svm", inputs, results, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mnist-svm",
        producer_version=version("mnist-svm"),
    )
    helper.set_model_props(proto, _metadata(model))
    checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString()
    return content


def _add_nodes(graph: Graph, model: Model, outputs: tuple[TensorSpec, TensorSpec]) -> None:
    from mnist_svm.export.onnx_graph.builder import Value
    from mnist_svm.export.onnx_graph.pipeline import convert

    prediction = convert(Value(graph, INPUT.name, INPUT.dtype), model.pipeline)
    best = graph.node("ArgMax", prediction.probabilities, dtype=np.int64, axis=1, keepdims=0)
    labels = graph.constant(model.classes).take(best, axis=0)
    for value, spec in zip((labels, prediction.probabilities), outputs, strict=True):
        value.astype(spec.dtype).as_output(spec.name)


def _value_info(spec: TensorSpec) -> ValueInfoProto:
    from onnx import helper

    element_type = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return helper.make_tensor_value_info(spec.name, element_type, spec.shape)


def _metadata(model: Model) -> dict[str, str]:
    """Return the metadata of the file: strings as they are, everything else as JSON."""
    metadata: dict[str, Any] = {
        "version": version("mnist-svm"),
        "recipe": model.info.recipe,
        "classes": model.classes.tolist(),
        "class_names": model.info.class_names,
        "metadata": model.info.to_dict(),
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in metadata.items()
        if value is not None
    }
