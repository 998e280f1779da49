"""Build a graph by writing formulas: values that know numpy's operators, and add nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

END = np.iinfo(np.int64).max


class Graph:
    """Nodes and constants, in the order in which they were added.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    constants : list of onnx.TensorProto, each array once
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def node(
        self, operator: str, *operands: Any, dtype: npt.DTypeLike | None = None, **attributes: Any
    ) -> Value:
        """Add a node of one output.

        Parameters
        ----------
        operator : str
            One of ONNX's own.
        *operands : Value, ndarray or number
            At least one is a value. Numbers take its type, arrays keep theirs.
        dtype : dtype-like, optional
            Of the output; without, it is that of the first value.
        **attributes : of the node

        Returns
        -------
        Value
        """
        return self.multi_output_node(operator, *operands, outputs=1, dtype=dtype, **attributes)[0]

    def multi_output_node(
        self,
        operator: str,
        *operands: Any,
        outputs: int,
        dtype: npt.DTypeLike | None = None,
        **attributes: Any,
    ) -> list[Value]:
        """Add a node of several outputs; see `node`.

        Parameters
        ----------
        operator, *operands, dtype, **attributes : see `node`
        outputs : int

        Returns
        -------
        list of Value
        """
        like = next(given.dtype for given in operands if isinstance(given, Value))
        inputs = [self._name_of(given, like) for given in operands]
        # Without a name of its own, a node's optimised form may clash with another's.
        own = f"{operator.lower()}_{len(self.nodes)}"
        names = [f"{own}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, name=own, **attributes))
        return [Value(self, name, dtype or like) for name in names]

    def constant(self, array: npt.NDArray[Any]) -> Value:
        """A value that is the same for all images."""
        return Value(self, self._name_of(array, array.dtype), array.dtype)

    def _name_of(self, operand: Any, like: np.dtype[Any]) -> str:
        if isinstance(operand, Value):
            return operand.name
        array = np.array(operand, None if isinstance(operand, np.ndarray) else like, order="C")
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._known:
            self._known[key] = f"constant_{len(self._known)}"
            self.constants.append(numpy_helper.from_array(array, self._known[key]))
        return self._known[key]


class Value:
    """A tensor in a graph, of a known type.

    Attributes
    ----------
    graph : Graph
    name : str
    dtype : numpy.dtype
    """

    # So that an array on the left of an operator leaves it to the value.
    __array_ufunc__ = None

    def __init__(self, graph: Graph, name: str, dtype: npt.DTypeLike) -> None:
        self.graph = graph
        self.name = name
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    def __add__(self, other: Any) -> Value:
        return self.graph.node("Add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Value:
        return self.graph.node("Sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.graph.node("Sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self.graph.node("Mul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Value:
        return self.graph.node("Div", self, other)

    def __rtruediv__(self, other: Any) -> Value:
        return self.graph.node("Div", other, self)

    def __matmul__(self, other: Any) -> Value:
        return self.graph.node("MatMul", self, other)

    def __neg__(self) -> Value:
        return self.graph.node("Neg", self)

    def __abs__(self) -> Value:
        return self.graph.node("Abs", self)

    def __gt__(self, other: Any) -> Value:
        return self.graph.node("Greater", self, other, dtype=bool)

    def __ge__(self, other: Any) -> Value:
        return self.graph.node("GreaterOrEqual", self, other, dtype=bool)

    def __getitem__(self, slices: tuple[slice, ...]) -> Value:
        """Slices along the first axes, as numpy's."""
        cut = [(axis, of) for axis, of in enumerate(slices) if of != slice(None)]
        starts = [of.start or 0 for _, of in cut]
        ends = [END if of.stop is None else of.stop for _, of in cut]
        axes = [axis for axis, _ in cut]
        return self.graph.node(
            "Slice", self, *(np.array(x, np.int64) for x in (starts, ends, axes))
        )

    def astype(self, dtype: npt.DTypeLike) -> Value:
        """The same numbers in another type; fractions are cut off where it has none."""
        to = np.dtype(dtype)
        if to == self.dtype:
            return self
        return self.graph.node("Cast", self, dtype=to, to=helper.np_dtype_to_tensor_dtype(to))

    def as_output(self, name: str) -> Value:
        """The same, under a name of one's choice, as the graph's outputs have."""
        self.graph.nodes.append(helper.make_node("Identity", [self.name], [name], name=name))
        return Value(self.graph, name, self.dtype)

    def reshape(self, *shape: int) -> Value:
        """The same numbers in another shape; a side of 0 is as it was, for there may be none."""
        return self.graph.node("Reshape", self, np.array(shape, np.int64))

    def take(self, indices: Any, axis: int) -> Value:
        """What lies at some indices along an axis."""
        return self.graph.node("Gather", self, indices, axis=axis)

    def pad(self, before: Sequence[int], after: Sequence[int]) -> Value:
        """With so many zeros before and after, along each axis."""
        return self.graph.node("Pad", self, np.array([*before, *after], np.int64))


def where(condition: Value, one: Any, other: Any) -> Value:
    """One where a condition holds, the other elsewhere; at least one of them is a `Value`."""
    dtype = next(given.dtype for given in (one, other) if isinstance(given, Value))
    one, other = (
        given if isinstance(given, Value) else np.array(given, dtype) for given in (one, other)
    )
    return condition.graph.node("Where", condition, one, other, dtype=dtype)


def minimum(one: Value, other: Any) -> Value:
    """The smaller of each two numbers."""
    return one.graph.node("Min", one, other)


def maximum(one: Value, other: Any) -> Value:
    """The larger of each two numbers."""
    return one.graph.node("Max", one, other)


def clip(value: Value, low: float, high: float) -> Value:
    """Numbers brought into a range."""
    return value.graph.node("Clip", value, low, high)


def concatenate(values: Sequence[Any], axis: int) -> Value:
    """Values one after the other along an axis; at least one of them is no array."""
    graph = next(given.graph for given in values if isinstance(given, Value))
    return graph.node("Concat", *values, axis=axis)
