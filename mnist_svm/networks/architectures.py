"""Architectures of networks: functions from an image to the last hidden layer.

Nothing here imports Keras until a network is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mnist_svm.networks.backend import has_accelerator, import_keras, seeded

if TYPE_CHECKING:
    from mnist_svm.networks.layers import LayerStack

# Names as in Keras; "auto" is the activation of the architecture.
ACTIVATIONS = ("auto", "relu", "elu", "silu", "tanh", "abs")

# Channels, side of the kernels and strides of the convolutions of the small networks.
SMALL = ((32, 5, 2), (64, 3, 2), (64, 3, 1))

# Residual blocks in each stage of the deep networks.
BLOCKS = {
    "resnet50": (3, 4, 6, 3),
    "resnet164": (18, 18, 18),  # 9 * 18 + 2 = 164 layers
    "wideresnet28-10": (4, 4, 4),
}

# Smallest side of the images that all layers of the small networks can take.
MIN_SIDE = 16


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes
    ----------
    summary : one line about it
    build : adds the layers to an image of shape (n, height, width, 1); returns the last hidden
        layer, of shape (n, units)
    side : least height and width; smaller images get a border
    any_polarity : whether images and their negatives are read alike
    """

    summary: str
    build: Callable[[Any, LayerStack], Any]
    side: int = MIN_SIDE
    any_polarity: bool = False


def build_network(
    architecture: str,
    image_shape: tuple[int, int],
    n_classes: int,
    *,
    width: float = 1.0,
    activation: str = "auto",
    dropout: float = 0.3,
    seed: int | None = None,
) -> Any:
    """Build a network.

    Parameters
    ----------
    architecture : str
        A key of `ARCHITECTURES`.
    image_shape : (int, int)
        Height and width of the images.
    n_classes : int
    width : float, default=1.0
        Factor of the numbers of channels and units of all hidden layers.
    activation : str, default="auto"
        One of `ACTIVATIONS`.
    dropout : float, default=0.3
        Share of the values that are set to zero in training, where the architecture does so.
    seed : int or None, default=None
        Seed of the weights and of the dropout; without it, weights are zero.

    Returns
    -------
    keras.Model
        From images of shape (n, height, width, 1) to the last hidden layer, of shape (n, units),
        and the logits, float32 of shape (n, n_classes).

    Raises
    ------
    MissingExtraError
        If Keras or JAX is not installed.
    """
    keras = import_keras()
    from mnist_svm.networks.layers import LayerStack

    chosen = ARCHITECTURES[architecture]
    policy = keras.config.dtype_policy()
    with seeded(seed or 0):
        try:
            keras.config.set_dtype_policy("mixed_bfloat16" if has_accelerator() else "float32")
            inputs = x = keras.Input((*image_shape, 1))
            margins = [max(chosen.side - side, 0) for side in image_shape]
            if any(margins):
                x = keras.layers.ZeroPadding2D([(m // 2, m - m // 2) for m in margins])(x)
            stack = LayerStack(width, activation, dropout, random=seed is not None)
            hidden = chosen.build(x, stack)
            return keras.Model(inputs, [hidden, stack.classify(hidden, n_classes)])
        finally:
            keras.config.set_dtype_policy(policy)


def _cnn(x: Any, stack: LayerStack) -> Any:
    """Halve height and width by strides: half the time of a network with pooling, as accurate."""
    for channels, side, strides in SMALL:
        x = stack.normalize_and_activate(stack.convolve(x, channels, side, strides=strides))
    x = stack.connect(stack.drop(stack.flatten(x)), 128, bias=False)
    return stack.drop(stack.normalize_and_activate(x))


def _abs(x: Any, stack: LayerStack) -> Any:
    """Like `_cnn`, with the absolute value as activation.

    In the first layer, it is so whatever the activation, and comes before anything that is added:
    the absolute value of a convolution of an image and of its negative, which are -1 to 1, is the
    same.
    """
    for number, (channels, side, strides) in enumerate(SMALL):
        x = stack.convolve(x, channels, side, strides=strides)
        x = stack.absolute(x) if number == 0 else x
        x = stack.normalize(x)
        x = stack.activate(x, "abs") if number > 0 else x
    x = stack.connect(stack.drop(stack.flatten(x)), 128, bias=False)
    return stack.drop(stack.activate(stack.normalize(x), "abs"))


def _dropout(x: Any, stack: LayerStack) -> Any:
    for channels in (128, 64):
        x = stack.convolve(x, channels, 3, padding="valid", bias=True)
        x = stack.drop(stack.pool(stack.normalize_and_activate(x)))
    x = stack.flatten(x)
    for units in (64, 32, 16):
        x = stack.drop(stack.activate(stack.connect(x, units)))
    return x


def _mobilenet(x: Any, stack: LayerStack) -> Any:
    """Depthwise separable convolutions, section 3 of Howard et al. (2017)."""
    x = stack.normalize_and_activate(stack.convolve(x, 32, 3, strides=2))
    strides = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
    channels = (64, 128, 128, 256, 256, *(6 * [512]), 1024, 1024)
    for n, step in zip(channels, strides, strict=True):
        x = stack.normalize_and_activate(stack.convolve_each(x, 3, strides=step))
        x = stack.normalize_and_activate(stack.convolve(x, n, 1))
    return stack.drop(stack.average(x))


def _vgg16(x: Any, stack: LayerStack) -> Any:
    """Configuration D of Simonyan and Zisserman (2015), table 1, up to the last pooling."""
    for n_layers, channels in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        for _ in range(n_layers):
            x = stack.activate(stack.convolve(x, channels, 3, bias=True))
        x = stack.pool(x)
    return stack.drop(stack.flatten(x))


def _resnet50(x: Any, stack: LayerStack) -> Any:
    """Bottleneck blocks, table 1 of He et al., "Deep residual learning" (2016)."""
    x = stack.normalize_and_activate(stack.convolve(x, 64, 7, strides=2, bias=True))
    x = stack.reduce_maximum(x, 3, strides=2)
    for stage, n_blocks in enumerate(BLOCKS["resnet50"]):
        for block in range(n_blocks):
            channels, strides = 64 * 2**stage, 2 if stage and not block else 1
            shortcut = x
            if not block:
                shortcut = stack.convolve(x, 4 * channels, 1, strides=strides, bias=True)
                shortcut = stack.normalize(shortcut)
            y = stack.convolve(x, channels, 1, strides=strides, bias=True)
            y = stack.convolve(stack.normalize_and_activate(y), channels, 3, bias=True)
            y = stack.convolve(stack.normalize_and_activate(y), 4 * channels, 1, bias=True)
            x = stack.activate(stack.add(stack.normalize(y), shortcut))
    return stack.drop(stack.average(x))


def _resnet164(x: Any, stack: LayerStack) -> Any:
    """Pre-activation bottleneck blocks: He et al., "Identity mappings" (2016), section 5."""
    x = stack.convolve(x, 16, 3)
    for stage, n_blocks in enumerate(BLOCKS["resnet164"]):
        for block in range(n_blocks):
            channels, strides = 16 * 2**stage, 2 if stage and not block else 1
            y = stack.normalize_and_activate(x)
            shortcut = x if block else stack.convolve(y, 4 * channels, 1, strides=strides)
            y = stack.convolve(y, channels, 1, strides=strides)
            y = stack.convolve(stack.normalize_and_activate(y), channels, 3)
            y = stack.convolve(stack.normalize_and_activate(y), 4 * channels, 1)
            x = stack.add(y, shortcut)
    return stack.drop(stack.average(stack.normalize_and_activate(x)))


def _wideresnet(x: Any, stack: LayerStack) -> Any:
    """WRN-28-10 with dropout in the blocks, table 1 of Zagoruyko and Komodakis (2016)."""
    x = stack.convolve(x, 16, 3)
    for stage, n_blocks in enumerate(BLOCKS["wideresnet28-10"]):
        for block in range(n_blocks):
            channels, strides = 160 * 2**stage, 2 if stage and not block else 1
            y = stack.normalize_and_activate(x)
            shortcut = x if block else stack.convolve(y, channels, 1, strides=strides)
            y = stack.convolve(y, channels, 3, strides=strides)
            y = stack.convolve(stack.drop(stack.normalize_and_activate(y)), channels, 3)
            x = stack.add(y, shortcut)
    return stack.average(stack.normalize_and_activate(x))


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "cnn": Architecture("three convolutions with batch normalisation, one dense layer", _cnn),
        "abs": Architecture(
            "the same with the absolute value as activation: reads negatives alike",
            _abs,
            any_polarity=True,
        ),
        "dropout": Architecture("convolutions of 128 and 64, dense 64-32-16, dropout", _dropout),
        "mobilenet": Architecture("MobileNet: depthwise separable convolutions", _mobilenet, 32),
        "vgg16": Architecture("VGG16: thirteen convolutions", _vgg16, 32),
        "resnet50": Architecture("ResNet-50: bottleneck blocks", _resnet50, 32),
        "resnet164": Architecture("ResNet-164: pre-activation bottleneck blocks", _resnet164, 32),
        "wideresnet28-10": Architecture("Wide ResNet 28-10", _wideresnet, 32),
    }
)
