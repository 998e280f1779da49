"""A model as one ONNX file, from images to labels and probabilities.

The graph does what the pipeline does, in operators that every runtime of ONNX has. It follows the
numpy code formula by formula, in the same order and precision: features are rounded to whole
numbers, and what is not quite the same may round to another one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_svm._optional import require_extra
from mnist_svm.constants import IMAGE_SIDE
from mnist_svm.models.file import Model

if TYPE_CHECKING:
    from onnx import ValueInfoProto

    from mnist_svm.export.onnx_graph.builder import Graph

# onnxruntime has read these since version 1.14, of 2023.
OPSET = 18
IR_VERSION = 8


@dataclass(frozen=True)
class TensorSpec:
    """What goes into a graph, or comes out.

    Attributes
    ----------
    name : str
    dtype : name of a numpy type.
    shape : sides; "n" is any number.
    """

    name: str
    dtype: str
    shape: tuple[str | int, ...]


INPUT = TensorSpec("images", "uint8", ("n", IMAGE_SIDE, IMAGE_SIDE))


def require_onnx() -> None:
    """Fail now, rather than after the work, if ONNX files cannot be made.

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    """
    require_extra("onnx", "exporting needs onnx", "onnx")


def output_specs(model: Model) -> tuple[TensorSpec, TensorSpec]:
    """What comes out of a model's graph.

    Parameters
    ----------
    model : Model

    Returns
    -------
    tuple of TensorSpec
        The label of each image, and probabilities, a column for each of the k sorted labels.
    """
    k = len(model.pipeline.classes_)
    return TensorSpec("label", "int64", ("n",)), TensorSpec("probabilities", "float32", ("n", k))


def to_onnx(model: Model) -> bytes:
    """A model as the content of an ONNX file.

    The input is `INPUT`, 0-255, ink bright on a dark ground; `output_specs` tells the outputs. Among
    the metadata are version, recipe, classes and their names, and as JSON all that the model file
    tells of its training.

    Parameters
    ----------
    model : Model

    Returns
    -------
    bytes
        That ONNX's own checker has found valid.

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    FormatError
        If a part of the model cannot be written so.
    """
    require_onnx()
    from onnx import checker, helper

    from mnist_svm.export.onnx_graph.builder import Graph

    graph, outputs = Graph(), output_specs(model)
    _write(graph, model, outputs)
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes, "mnist_svm", [_info(INPUT)], [*map(_info, outputs)], graph.constants
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mnist-svm",
        producer_version=version("mnist-svm"),
    )
    helper.set_model_props(proto, _properties(model))
    checker.check_model(proto, full_check=True)
    content: bytes = proto.SerializeToString()
    return content


def _write(graph: Graph, model: Model, outputs: tuple[TensorSpec, TensorSpec]) -> None:
    """Write the nodes from images to outputs."""
    from mnist_svm.export.onnx_graph.builder import Value
    from mnist_svm.export.onnx_graph.pipeline import probabilities

    found = probabilities(Value(graph, INPUT.name, INPUT.dtype), model.pipeline)
    best = graph.node("ArgMax", found, dtype=np.int64, axis=1, keepdims=0)
    labels = graph.constant(model.pipeline.classes_).take(best, axis=0)
    for value, tensor in zip((labels, found), outputs, strict=True):
        value.astype(tensor.dtype).as_output(tensor.name)


def _info(tensor: TensorSpec) -> ValueInfoProto:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(tensor.name, kind, tensor.shape)


def _properties(model: Model) -> dict[str, str]:
    """What the file tells of itself: text, and JSON for all else."""
    told: dict[str, Any] = {
        "version": version("mnist-svm"),
        "recipe": model.metadata.get("recipe"),
        "classes": model.pipeline.classes_.tolist(),
        "class_names": model.metadata.get("class_names"),
        "metadata": dict(model.metadata),
    }
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in told.items()
        if value is not None
    }
