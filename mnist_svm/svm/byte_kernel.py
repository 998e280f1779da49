"""Kernel values of samples that are bytes: inner products in whole numbers, by onnxruntime.

Processors with instructions for neural networks (VNNI, or the dot products of ARM) multiply four
pairs of bytes in the time of one pair of float32 numbers. NumPy's matrix products do not use them,
those of onnxruntime do: the optional extra ``fast``. The products are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mnist_svm._types import Array, FloatArray
from mnist_svm.svm.kernels import Kernel, power

Product = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.int8]], npt.NDArray[np.int32]]

# Subtracted from the bytes of one factor, because onnxruntime multiplies unsigned by signed bytes.
OFFSET = 128

# With more columns, products and the terms that are added could exceed int32.
MAX_COLUMNS = (1 << 31) // (4 * 255 * 255)


class ByteFactor(NamedTuple):
    """The left or the right factor of `ByteKernel.values`.

    Attributes
    ----------
    matrix : left, int8 of shape (n_columns, n); right, uint8 of shape (n, n_columns)
    terms : int32 ndarray of shape (n,) or (1,), added to the products
    """

    matrix: Array
    terms: npt.NDArray[np.int32]


class ByteKernel:
    """A kernel of samples that are uint8, with values in float32.

    `kernel` is any but "linear", whose weighted sums need no kernel values.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def left_factor(self, rows: Array) -> ByteFactor:
        """The left factor of uint8 rows, of shape (n, n_columns)."""
        matrix = np.ascontiguousarray((rows.T.astype(np.int16) - OFFSET).astype(np.int8))
        is_rbf = self._kernel.name == "rbf"
        return ByteFactor(matrix, _squared_norms(rows) if is_rbf else np.zeros(1, np.int32))

    def right_factor(self, rows: Array) -> ByteFactor:
        """The right factor of uint8 rows, of shape (n, n_columns)."""
        terms = OFFSET * rows.sum(axis=1, dtype=np.int32)
        if self._kernel.name == "rbf":
            terms = _squared_norms(rows) - 2 * terms
        return ByteFactor(np.ascontiguousarray(rows), terms)

    def values(self, left: ByteFactor, right: ByteFactor) -> FloatArray:
        """Kernel values of the n rows of one factor, and the m of the other, of shape (n, m)."""
        kernel, products = self._kernel, byte_product()(right.matrix, left.matrix)
        if kernel.name == "rbf":
            # Squared distances.
            products *= -2
        products += left.terms
        products += right.terms[:, None]
        gamma = np.float32(-kernel.gamma if kernel.name == "rbf" else kernel.gamma)
        values = np.multiply(products, gamma, dtype=np.float32)
        if kernel.name == "rbf":
            return np.exp(values, out=values).T
        values += np.float32(kernel.coef0)
        if kernel.name == "sigmoid":
            return np.tanh(values, out=values).T
        return np.ones_like(values.T) if kernel.degree == 0 else power(values, kernel.degree).T

    def weighted_sum(self, weights: FloatArray, left: ByteFactor, right: ByteFactor) -> FloatArray:
        """Weighted sums of kernel values, as `Kernel.weighted_sum` gives them."""
        # In this order the values are converted to the type of the weights row by row.
        return (self.values(left, right).T @ weights.T).T


def _squared_norms(points: Array) -> npt.NDArray[np.int32]:
    return np.asarray(np.einsum("ij,ij->i", points, points, dtype=np.int32))


def is_byte_product_fast() -> bool:
    """Whether onnxruntime is installed, and its products of bytes are exact on this processor."""
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        return False
    # Where there are no such instructions, pairs of products are added in 16 bits.
    rows = np.full((64, 256), 255, np.uint8)
    columns = np.tile(np.array([127, -128], np.int8), (256, 32))
    expected = rows.astype(np.int32) @ columns.astype(np.int32)
    return bool((_onnxruntime_product()(rows, columns) == expected).all())


@cache
def byte_product() -> Product:
    """The fastest exact product of a uint8 and an int8 matrix, whose elements are int32."""
    return _onnxruntime_product() if is_byte_product_fast() else _numpy_product


def _numpy_product(rows: Array, columns: Array) -> npt.NDArray[np.int32]:
    # Faster than products of integers, and exact: BLAS multiplies float64.
    return (rows.astype(np.float64) @ columns.astype(np.float64)).astype(np.int32)


@cache
def _onnxruntime_product() -> Product:
    import onnxruntime
    from onnx import TensorProto, helper

    node = helper.make_node("MatMulInteger", ["rows", "columns"], ["products"])
    graph = helper.make_graph(
        [node],
        "products",
        [
            helper.make_tensor_value_info("rows", TensorProto.UINT8, ["n", "k"]),
            helper.make_tensor_value_info("columns", TensorProto.INT8, ["k", "m"]),
        ],
        [helper.make_tensor_value_info("products", TensorProto.INT32, ["n", "m"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    # The callers are threads.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda rows, columns: session.run(None, {"rows": rows, "columns": columns})[0]
