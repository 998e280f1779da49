"""What a search for better parameters tries: which parameters of a recipe, and in what ranges."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Literal

from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.models.recipes import Recipe

# Parameters that the recipe has, and not its pipeline alone.
KERNEL = tuple(field.name for field in fields(Parameters))

# Real numbers are tried in so many digits: more would make commands long, and no difference.
DIGITS = 3


@dataclass(frozen=True)
class Real:
    """Numbers from ``low`` to ``high``; with ``log``, their logarithms are spread evenly."""

    low: float
    high: float
    log: bool = True


@dataclass(frozen=True)
class Whole:
    """Whole numbers from ``low`` to ``high``, ``step`` apart."""

    low: int
    high: int
    step: int = 1


@dataclass(frozen=True)
class Switch:
    """Whether or not."""


Range = Real | Whole | Switch
Space = Mapping[str, Range]

# Ranges reach about as far below the recipe's own value as above it, on a scale of logarithms where
# only ratios matter, and further for a C that has to make up for the size of a polynomial's values.
_POLYNOMIAL: Space = {
    "degree": Whole(2, 9),
    "coef0": Real(0.1, 10),
}
_SIZE: Space = {
    "normalize__extent": Real(0.15, 0.25, log=False),
    "normalize__side": Whole(24, 44, 4),
}
_GRADIENTS: Space = {
    "gradients__directions": Whole(4, 16, 4),
    "gradients__grid": Whole(4, 8),
    "gradients__power": Real(0.2, 1.0),
    "gradients__smoothing": Real(0.3, 0.8),
}
_DISTORTION: Space = {
    "distort__displacement": Real(0.0, 1.5, log=False),
    "distort__rotation": Real(0.0, 0.25, log=False),
    "distort__stretch": Real(0.0, 0.2, log=False),
    "distort__shift": Real(0.0, 1.5, log=False),
}

SPACES: Mapping[str, Space] = MappingProxyType(
    {
        "poly4": {
            "C": Real(1e-6, 100),
            "gamma": Real(2e-6, 2e-4),
            **_POLYNOMIAL,
        },
        "virtual": {
            "C": Real(1e-8, 1e-2),
            "gamma": Real(5e-7, 4e-5),
            **_POLYNOMIAL,
            "normalize__extent": Real(0.12, 0.22, log=False),
            "prepare__sigma": Real(0.0, 1.2, log=False),
            "sized__copies": Whole(4, 24, 4),
            "slanted__copies": Whole(4, 24, 4),
            **_DISTORTION,
        },
        "gradient": {
            "C": Real(0.3, 30),
            "gamma": Real(1e-6, 8e-5),
            **_SIZE,
            "normalize__upright": Switch(),
            **_GRADIENTS,
        },
        "best": {
            "C": Real(0.3, 30),
            "gamma": Real(1e-6, 8e-5),
            **_SIZE,
            **_GRADIENTS,
            "copies": Whole(2, 16, 2),
            **_DISTORTION,
        },
    }
)
"""The parameters that are searched, by recipe: their names as ``mnist-svm train`` takes them."""


State = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Ended:
    """What came of a trial.

    Attributes
    ----------
    number : of the trial in its search, from 0 on.
    state : ``"complete"`` if it was trained on all images that there are, ``"pruned"`` if others
        did better on fewer, ``"failed"`` if it could not be trained.
    parameters : what was tried, by the names of `SPACES`.
    stages : images trained on and accuracy on those held out, for each size of training set.
    n : images held out, or of all folds; 0 if it failed.
    errors : of these, images misread after the last stage.
    seconds : that it took.
    reason : why it failed, else None.
    """

    number: int
    state: State
    parameters: dict[str, Value]
    stages: tuple[tuple[int, float], ...]
    n: int
    errors: int
    seconds: float
    reason: str | None = None


def rounded(value: float) -> float:
    """A real number in `DIGITS` digits."""
    return float(f"{value:.{DIGITS}g}")


def own_values(recipe: Recipe) -> dict[str, Value]:
    """The recipe's own values of what is searched.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    dict, by the names of `SPACES`
    """
    from mnist_svm.models.pipelines import places, settable

    known = asdict(recipe.defaults) | settable(recipe.pipeline(calibrate=False))
    return {name: known[places(name, known)[0]] for name in SPACES[recipe.name]}


def divided(recipe: Recipe, values: Mapping[str, Value]) -> tuple[Parameters, dict[str, Value]]:
    """The kernel's parameters, and what else is changed in the pipeline.

    Parameters
    ----------
    recipe : Recipe
    values : by the names of `SPACES`

    Returns
    -------
    parameters : Parameters
    changes : dict
        Of what differs from the recipe, for `mnist_svm.models.recipes.Recipe.pipeline`.
    """
    own = own_values(recipe)
    changed = {name: value for name, value in values.items() if value != own[name]}
    kernel = {name: value for name, value in changed.items() if name in KERNEL}
    others = {name: value for name, value in changed.items() if name not in KERNEL}
    return recipe.defaults.changed(**kernel), others


def train_command(
    recipe: Recipe, data: str, values: Mapping[str, Value], options: Sequence[str] = ()
) -> str:
    """The command that trains a recipe with some values.

    Parameters
    ----------
    recipe : Recipe
    data : str
        Name of the data set.
    values : by the names of `SPACES`
    options : sequence of str
        Further ones of ``mnist-svm train``.

    Returns
    -------
    str, quoted for a shell
        What is the default is left out, except for the recipe's name.
    """
    command = ["mnist-svm", "train", "--recipe", recipe.name]
    command += ["--data", data] if data != "mnist" else []
    own = own_values(recipe)
    for name, value in values.items():
        if value != own[name]:
            told = str(value).lower() if isinstance(value, bool) else str(value)
            command += [f"--{name}", told] if name in KERNEL else ["--set", f"{name}={told}"]
    return shlex.join([*command, *options])
