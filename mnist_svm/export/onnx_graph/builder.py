"""Build an ONNX graph from NumPy-like expressions: each operation on a value adds a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

# ONNX operators of the NumPy functions in formulas that arrays and values share.
UFUNCS = {
    np.add: "Add",
    np.subtract: "Sub",
    np.multiply: "Mul",
    np.divide: "Div",
    np.matmul: "MatMul",
    np.minimum: "Min",
    np.maximum: "Max",
    np.sqrt: "Sqrt",
    np.sin: "Sin",
}


class Graph:
    """Nodes, and constants without duplicates, in the order in which they were added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._constant_names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(
        self, operator: str, *operands: Any, dtype: npt.DTypeLike | None = None, **attributes: Any
    ) -> Value:
        """Add a node of a standard ONNX operator, with its attributes, and return its output.

        At least one operand is a `Value`. Numbers take the type of the first value, arrays keep
        theirs. The output has the type `dtype`, by default that of the first value.
        """
        input_dtype = next(operand.dtype for operand in operands if isinstance(operand, Value))
        inputs = [self._input_name(operand, input_dtype) for operand in operands]
        # Runtimes may give clashing names to the optimised forms of unnamed nodes.
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return Value(self, name, dtype or input_dtype)

    def constant(self, array: npt.NDArray[Any]) -> Value:
        """Add an array as a constant."""
        return Value(self, self._input_name(array, array.dtype), array.dtype)

    def _input_name(self, operand: Any, number_dtype: np.dtype[Any]) -> str:
        if isinstance(operand, Value):
            return operand.name
        dtype = None if isinstance(operand, np.ndarray) else number_dtype
        array = np.array(operand, dtype, order="C")
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constant_names:
            self._constant_names[key] = f"constant_{len(self._constant_names)}"
            self.constants.append(numpy_helper.from_array(array, self._constant_names[key]))
        return self._constant_names[key]


def _operator(operator: str, dtype: npt.DTypeLike | None = None) -> Callable[[Value, Any], Value]:
    return lambda self, other: self.graph.node(operator, self, other, dtype=dtype)


def _reflected(operator: str) -> Callable[[Value, Any], Value]:
    return lambda self, other: self.graph.node(operator, other, self)


class Value:
    """A tensor in a graph. Operators, `UFUNCS` and ``np.where`` on it add nodes."""

    def __init__(self, graph: Graph, name: str, dtype: npt.DTypeLike) -> None:
        self.graph = graph
        self.name = name
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    __add__ = __radd__ = _operator("Add")
    __sub__, __rsub__ = _operator("Sub"), _reflected("Sub")
    __mul__ = __rmul__ = _operator("Mul")
    __truediv__, __rtruediv__ = _operator("Div"), _reflected("Div")
    __matmul__, __rmatmul__ = _operator("MatMul"), _reflected("MatMul")
    __gt__ = _operator("Greater", bool)
    __ge__ = _operator("GreaterOrEqual", bool)

    def __neg__(self) -> Value:
        return self.graph.node("Neg", self)

    def __abs__(self) -> Value:
        return self.graph.node("Abs", self)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
        if method != "__call__" or options or ufunc not in UFUNCS:
            return NotImplemented
        return self.graph.node(UFUNCS[ufunc], *operands)

    def __array_function__(
        self, function: Any, types: Any, operands: Any, options: dict[str, Any]
    ) -> Any:
        return where(*operands) if function is np.where and not options else NotImplemented

    def __getitem__(self, slices: tuple[slice, ...]) -> Value:
        """Slice the first axes, as NumPy does."""
        no_end = np.iinfo(np.int64).max
        limits = [
            (part.start or 0, no_end if part.stop is None else part.stop, axis)
            for axis, part in enumerate(slices)
            if part != slice(None)
        ]
        return self.graph.node("Slice", self, *np.array(limits, np.int64).T)

    def astype(self, dtype: npt.DTypeLike) -> Value:
        """Cast to another type, to integers by truncation."""
        to = np.dtype(dtype)
        if to == self.dtype:
            return self
        return self.graph.node("Cast", self, dtype=to, to=helper.np_dtype_to_tensor_dtype(to))

    def as_output(self, name: str) -> Value:
        """Return the same tensor under the name of an output of the graph."""
        self.graph.nodes.append(helper.make_node("Identity", [self.name], [name], name=name))
        return Value(self.graph, name, self.dtype)

    def reshape(self, *shape: int) -> Value:
        """Reshape; 0 keeps the length of an axis, which also works for a batch of no images."""
        return self.graph.node("Reshape", self, np.array(shape, np.int64))

    def expand_dims(self, axis: int) -> Value:
        """Insert an axis of length 1."""
        return self.graph.node("Unsqueeze", self, np.array([axis]))

    def take(self, indices: Any, axis: int) -> Value:
        """Take elements along an axis."""
        return self.graph.node("Gather", self, indices, axis=axis)

    def split(self, n_parts: int, axis: int) -> list[Value]:
        """Split into equal parts along an axis."""
        name = f"split_{len(self.graph.nodes)}"
        parts = [f"{name}_{i}" for i in range(n_parts)]
        self.graph.nodes.append(
            helper.make_node("Split", [self.name], parts, name, axis=axis, num_outputs=n_parts)
        )
        return [Value(self.graph, part, self.dtype) for part in parts]

    def pad(self, *widths: int) -> Value:
        """Pad each axis with `widths[axis]` zeros on both sides."""
        return self.graph.node("Pad", self, np.array([*widths, *widths], np.int64))

    def clip(self, low: float, high: float) -> Value:
        """Limit the values to a range."""
        return self.graph.node("Clip", self, low, high)


def where(condition: Value, x: Any, y: Any) -> Value:
    """Choose from x where the condition holds, else from y; at least one of them is a value."""
    dtype = next(operand.dtype for operand in (x, y) if isinstance(operand, Value))
    x, y = (value if isinstance(value, Value) else np.array(value, dtype) for value in (x, y))
    return condition.graph.node("Where", condition, x, y, dtype=dtype)


def concatenate(values: Sequence[Value], axis: int) -> Value:
    """Join values along an existing axis."""
    return values[0].graph.node("Concat", *values, axis=axis)
