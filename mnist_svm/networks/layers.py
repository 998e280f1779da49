"""Layers that the architectures are made of. Importing this module imports Keras."""

from __future__ import annotations

from typing import Any

from mnist_svm.networks.backend import import_keras

keras: Any = import_keras()

# Of the running mean and variance in batch normalisation: Keras's 0.99 is for longer trainings.
MOMENTUM = 0.9


class MaxPooling(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """Maximum of 2 x 2 pixels; a last odd row or column is left out.

    The maximum of slices has a gradient that takes a thirtieth of the time that XLA needs on a CPU
    for the gradient of Keras's own reduction.
    """

    def call(self, inputs: Any) -> Any:
        """Return the maxima, of shape (n, height // 2, width // 2, channels)."""
        _, height, width, _ = inputs.shape
        rows, columns = height // 2 * 2, width // 2 * 2
        upper, lower = (
            keras.ops.maximum(
                inputs[:, i:rows:2, 0:columns:2],
                inputs[:, i:rows:2, 1:columns:2],
            )
            for i in (0, 1)
        )
        return keras.ops.maximum(upper, lower)


class LayerStack:
    """Adds layers to a tensor, with the widths and activations of a network.

    Weights are drawn as in He et al., "Delving deep into rectifiers" (2015).

    Parameters
    ----------
    width : factor of the numbers of channels and units
    activation : one of `ACTIVATIONS`; "auto" for the activation of the architecture
    dropout : share of the values that a dropout layer sets to zero, 0 to less than 1
    random : whether to draw the weights, which takes some seconds; else they are zero
    """

    def __init__(self, width: float, activation: str, dropout: float, *, random: bool) -> None:
        self.width = width
        self.activation = activation
        self.dropout = dropout
        self.initializer = "he_normal" if random else "zeros"
        self.last_initializer = "glorot_uniform" if random else "zeros"

    def channels(self, n: int) -> int:
        """Return a number of channels of the architecture at this width, at least 1."""
        return max(1, round(n * self.width))

    def convolve(
        self,
        x: Any,
        n: int,
        side: int,
        *,
        strides: int = 1,
        padding: str = "same",
        bias: bool = False,
    ) -> Any:
        """Convolve with `n` channels, times the width, of side x side pixels."""
        return keras.layers.Conv2D(
            self.channels(n),
            side,
            strides=strides,
            padding=padding,
            use_bias=bias,
            kernel_initializer=self.initializer,
        )(x)

    def convolve_each(self, x: Any, side: int, *, strides: int = 1) -> Any:
        """Convolve each channel by itself, with one kernel of side x side pixels."""
        return keras.layers.DepthwiseConv2D(
            side,
            strides=strides,
            padding="same",
            use_bias=False,
            depthwise_initializer=self.initializer,
        )(x)

    def connect(self, x: Any, n: int, *, bias: bool = True) -> Any:
        """Connect all values with `n` units, times the width."""
        units = self.channels(n)
        return keras.layers.Dense(units, use_bias=bias, kernel_initializer=self.initializer)(x)

    def classify(self, x: Any, n_classes: int) -> Any:
        """Compute the logits."""
        # float32 also where other layers compute with fewer bits.
        return keras.layers.Dense(
            n_classes, dtype="float32", kernel_initializer=self.last_initializer
        )(x)

    def normalize(self, x: Any) -> Any:
        """Normalize each channel over the batch."""
        return keras.layers.BatchNormalization(momentum=MOMENTUM)(x)

    def activate(self, x: Any, own: str = "relu") -> Any:
        """Apply the activation; `own` is that of the architecture."""
        name = own if self.activation == "auto" else self.activation
        return keras.layers.Activation(keras.ops.abs if name == "abs" else name)(x)

    def absolute(self, x: Any) -> Any:
        """Take absolute values, whatever the activation."""
        return keras.layers.Activation(keras.ops.abs)(x)

    def normalize_and_activate(self, x: Any) -> Any:
        """Normalize, then activate."""
        return self.activate(self.normalize(x))

    def drop(self, x: Any, share: float = 1.0) -> Any:
        """Drop a share of the values in training: `share` times the dropout of the network."""
        return keras.layers.Dropout(share * self.dropout)(x) if self.dropout else x

    def pool(self, x: Any) -> Any:
        """Halve height and width by the maximum."""
        return MaxPooling(2)(x) if min(x.shape[1:3]) > 1 else x

    def reduce_maximum(self, x: Any, side: int, *, strides: int) -> Any:
        """Take the maximum of overlapping squares of pixels."""
        return keras.layers.MaxPooling2D(side, strides=strides, padding="same")(x)

    def average(self, x: Any) -> Any:
        """Average each channel over the pixels."""
        return keras.layers.GlobalAveragePooling2D()(x)

    def flatten(self, x: Any) -> Any:
        """Join all values of an image."""
        return keras.layers.Flatten()(x)

    def add(self, x: Any, y: Any) -> Any:
        """Add two tensors."""
        return keras.layers.Add()([x, y])
