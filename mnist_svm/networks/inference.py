"""Predictions of a network, compiled for a few sizes of batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mnist_svm._types import Array, Float32Array, Float64Array
from mnist_svm.svm.temperature import softmax

# Images that are computed together. Each size is compiled once, which takes about a second; blocks
# of other sizes are filled up with blank images.
BATCH_SIZES = (1, 16, 128)


class Network:
    """A network in its present state, as a function of images.

    Parameters
    ----------
    model : keras.Model
        From `mnist_svm.networks.architectures.build_network`.
    """

    def __init__(self, model: Any) -> None:
        import jax

        def forward(trainable: Any, others: Any, images: Any) -> Any:
            outputs, _ = model.stateless_call(trainable, others, images, training=False)
            return outputs

        self.model = model
        self._forward = jax.jit(forward)

    @property
    def n_hidden(self) -> int:
        """Number of units of the last hidden layer."""
        return int(self.model.outputs[0].shape[1])

    @property
    def weights(self) -> list[Float32Array]:
        """A copy of the weights, in Keras's order."""
        return [np.array(variable.value) for variable in self.model.weights]

    def set_weights(self, weights: Sequence[Float32Array]) -> None:
        """Set the weights; raise ValueError if they are not of the network's shapes."""
        expected = [tuple(variable.shape) for variable in self.model.weights]
        if [np.shape(array) for array in weights] != expected:
            msg = "the weights are not those of the architecture"
            raise ValueError(msg)
        self.model.set_weights(weights)

    def __call__(self, images: Float32Array) -> tuple[Float32Array, Float32Array]:
        """Compute the last hidden layer, of shape (n, units), and the logits, of shape (n, k).

        The images, of shape (n, height, width), are 0 to 1, or -1 to 1, as in training.
        """
        variables = (
            [variable.value for variable in self.model.trainable_variables],
            [variable.value for variable in self.model.non_trainable_variables],
        )
        parts = []
        for start in range(0, max(len(images), 1), BATCH_SIZES[-1]):
            block = images[start : start + BATCH_SIZES[-1], :, :, None]
            size = next(size for size in BATCH_SIZES if size >= len(block))
            filled = np.zeros((size, *block.shape[1:]), np.float32)
            filled[: len(block)] = block
            outputs = self._forward(*variables, filled)
            parts.append([np.asarray(output, np.float32)[: len(block)] for output in outputs])
        hidden, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
        return hidden, logits

    def prepare(self) -> None:
        """Compile for all sizes of batches."""
        _, height, width, _ = self.model.input_shape
        for size in BATCH_SIZES:
            self(np.zeros((size, height, width), np.float32))


def scale_images(images: Array, data_max: float, *, inverted: bool) -> Float32Array:
    """Scale images to bright ink of 1 on a background of 0."""
    scaled = np.asarray(images, np.float32) / np.float32(data_max or 1)
    return 1 - scaled if inverted else scaled


def center_images(images: Float32Array) -> Float32Array:
    """Scale 0 to 1 to -1 to 1: a negative is then minus the image."""
    return np.asarray(2 * images - 1, np.float32)


def to_input(images: Array, data_max: float, inverted: bool, any_polarity: bool) -> Float32Array:
    """Return what a network gets of images in the form of the training samples."""
    if any_polarity:
        return center_images(scale_images(images, data_max, inverted=False))
    return scale_images(images, data_max, inverted=inverted)


def calibrated_softmax(logits: Float32Array, temperature: float) -> Float64Array:
    """Compute calibrated probabilities, of shape (n, k)."""
    return softmax(logits.astype(np.float64) / temperature)
