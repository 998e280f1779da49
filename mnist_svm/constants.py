"""Constants and array types that every room shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Rows and columns of an image in MNIST form, and its number of pixels.
IMAGE_SIDE = 28
IMAGE_SHAPE = (IMAGE_SIDE, IMAGE_SIDE)
N_PIXELS = IMAGE_SIDE * IMAGE_SIDE

# A pixel that is all ink, in MNIST form.
WHITE = 255

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

# A decoded picture, of shape (height, width): 0 black to 255 white; and a part of one.
GreyImage = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
