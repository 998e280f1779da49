"""The search space of each recipe: which parameters are tuned, and in what ranges."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType

from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.models.recipes import Recipe
from mnist_svm.training.train import TrainingConfig

# Parameters that have an option of their own in ``mnist-svm train``; others take ``--set``.
KERNEL_PARAMETERS = tuple(field.name for field in fields(Parameters))

# Precision of float parameters: more digits make commands longer, not models better.
SIGNIFICANT_DIGITS = 3


@dataclass(frozen=True)
class FloatRange:
    """Floats from ``low`` to ``high``; ``log`` samples them on a logarithmic scale."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True)
class IntRange:
    """Integers from ``low`` to ``high`` in steps of ``step``."""

    low: int
    high: int
    step: int = 1


@dataclass(frozen=True)
class BoolChoice:
    """False or True."""


@dataclass(frozen=True)
class NameChoice:
    """One of several names."""

    names: tuple[str, ...]


Range = FloatRange | IntRange | BoolChoice | NameChoice
SearchSpace = Mapping[str, Range]

# A logarithmic range reaches about as far below the recipe's default as above it. C of a polynomial
# kernel reaches further, because it has to offset the size of the kernel's values.
_POLYNOMIAL: SearchSpace = {
    "degree": IntRange(2, 9),
    "coef0": FloatRange(0.1, 10),
}
_SIZE: SearchSpace = {
    "normalize__extent": FloatRange(0.15, 0.25, log=False),
    "normalize__side": IntRange(24, 44, 4),
}
_GRADIENTS: SearchSpace = {
    "gradients__directions": IntRange(4, 16, 4),
    "gradients__grid": IntRange(4, 8),
    "gradients__power": FloatRange(0.2, 1.0),
    "gradients__smoothing": FloatRange(0.3, 0.8),
}
_DISTORTION: SearchSpace = {
    "distort__displacement": FloatRange(0.0, 1.5, log=False),
    "distort__rotation": FloatRange(0.0, 0.25, log=False),
    "distort__stretch": FloatRange(0.0, 0.2, log=False),
    "distort__shift": FloatRange(0.0, 1.5, log=False),
}

SPACES: Mapping[str, SearchSpace] = MappingProxyType(
    {
        "poly4": {
            "C": FloatRange(1e-6, 100),
            "gamma": FloatRange(2e-6, 2e-4),
            **_POLYNOMIAL,
        },
        "virtual": {
            "C": FloatRange(1e-8, 1e-2),
            "gamma": FloatRange(5e-7, 4e-5),
            **_POLYNOMIAL,
            "normalize__extent": FloatRange(0.12, 0.22, log=False),
            "prepare__sigma": FloatRange(0.0, 1.2, log=False),
            "sized__copies": IntRange(4, 24, 4),
            "slanted__copies": IntRange(4, 24, 4),
            **_DISTORTION,
        },
        "gradient": {
            "C": FloatRange(0.3, 30),
            "gamma": FloatRange(1e-6, 8e-5),
            **_SIZE,
            "normalize__upright": BoolChoice(),
            **_GRADIENTS,
        },
        "best": {
            "C": FloatRange(0.3, 30),
            "gamma": FloatRange(1e-6, 8e-5),
            **_SIZE,
            **_GRADIENTS,
            "copies": IntRange(2, 16, 2),
            **_DISTORTION,
        },
        "cnn": {
            "width": FloatRange(0.5, 1.5),
            "activation": NameChoice(("auto", "elu", "silu")),
            "dropout": FloatRange(0.0, 0.6, log=False),
            "learning_rate": FloatRange(5e-4, 1e-2),
            "batch_size": IntRange(32, 256, 32),
            **_DISTORTION,
        },
        "cnn-svm": {
            "C": FloatRange(0.1, 30),
            "gamma": FloatRange(1e-7, 2e-5),
        },
    }
)
"""Search space of each recipe, by parameter names that ``mnist-svm train`` accepts."""


def round_significant(value: float) -> float:
    """Round to `SIGNIFICANT_DIGITS` significant digits."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def default_values(recipe: Recipe) -> dict[str, Value]:
    """Return the recipe's default values of the parameters in its search space, by name."""
    from mnist_svm.models.pipelines import matching_names, settable_parameters

    defaults = settable_parameters(recipe.pipeline(calibrate=False))
    if recipe.defaults is not None:
        defaults |= asdict(recipe.defaults)
    return {name: defaults[matching_names(name, defaults)[0]] for name in SPACES[recipe.name]}


def training_config(
    recipe: Recipe, values: Mapping[str, Value], random_state: int = 0
) -> TrainingConfig:
    """Return the configuration that trains a recipe with values for the names of `SPACES`."""
    changes = _non_default(recipe, values)
    kernel = {name: changes.pop(name) for name in KERNEL_PARAMETERS if name in changes}
    return TrainingConfig(recipe, recipe.changed(**kernel), changes, random_state)


def format_train_command(
    recipe: Recipe,
    sources: Sequence[str],
    values: Mapping[str, Value],
    options: Sequence[str] = (),
) -> str:
    """Format the ``mnist-svm train`` command for values by the names of `SPACES`.

    `sources` are those of a `mnist_svm.datasets.types.Dataset`. Default values are left out. The
    command is quoted for a POSIX shell.
    """
    command = ["mnist-svm", "train", "--recipe", recipe.name]
    if tuple(sources) != ("mnist",):
        command += [text for source in sources for text in ("--data", source)]
    for name, value in _non_default(recipe, values).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        command += [f"--{name}", text] if name in KERNEL_PARAMETERS else ["--set", f"{name}={text}"]
    return shlex.join([*command, *options])


def _non_default(recipe: Recipe, values: Mapping[str, Value]) -> dict[str, Value]:
    defaults = default_values(recipe)
    return {name: value for name, value in values.items() if value != defaults[name]}
