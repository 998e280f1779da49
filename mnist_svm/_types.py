"""Array types of annotations."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]
IntegerArray = npt.NDArray[np.integer[Any]]
FloatArray = npt.NDArray[np.floating[Any]]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

# Images in MNIST form, of shape (n, 28, 28) or (28, 28), and their labels, of shape (n,).
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

# A decoded picture of shape (height, width), 0 black to 255 white, and a mask of its pixels.
GreyImage = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
