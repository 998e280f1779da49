"""Valid values of the parameters of a network."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from mnist_svm.networks.architectures import ACTIVATIONS, ARCHITECTURES
from mnist_svm.svm.validation import check_choice, check_number

# Twice as wide are four times the weights.
MAX_WIDTH = 2.0
MAX_DROPOUT = 0.95


def check_network_parameters(net: Any) -> None:
    """Raise ValueError, with the valid values, if a parameter of a `ConvNet` is invalid."""
    check_choice(net, "architecture", tuple(ARCHITECTURES))
    check_choice(net, "activation", ACTIVATIONS)
    check_number(net, "width", above=0, at_most=MAX_WIDTH)
    check_number(net, "dropout", at_least=0, at_most=MAX_DROPOUT)
    check_number(net, "learning_rate", above=0, at_most=1)
    check_number(net, "validation_fraction", at_least=0, at_most=0.5)
    for name in ("epochs", "batch_size", "patience"):
        value = getattr(net, name)
        if not isinstance(value, Integral) or value < 1:
            msg = f"{name} must be an integer >= 1, got {value!r}"
            raise ValueError(msg)
