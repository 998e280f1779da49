"""Options that several commands share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import click

from mnist_svm.cli.cluster import dask_option
from mnist_svm.datasets.orientation import ORIENTATIONS
from mnist_svm.models.locate import DEFAULT_NAME, SHIPPED
from mnist_svm.models.recipes import ENSEMBLE, RECIPES

Decorator = Callable[[Any], Any]


class DataSource(NamedTuple):
    """A data set for a command: its name or path, and the weight of its images."""

    name: str
    weight: float = 1.0


def _parse_sources(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[DataSource, ...]:
    """Parse each NAME[:WEIGHT]; the weight is a number after the last colon."""
    sources = tuple(map(_parse_source, values))
    names = [source.name for source in sources]
    if twice := {name for name in names if names.count(name) > 1}:
        msg = f"{min(twice)!r} is given twice; to give its images weight 2: {min(twice)}:2"
        raise click.BadParameter(msg)
    return sources


def _parse_source(text: str) -> DataSource:
    name, _, number = text.rpartition(":")
    # A path may have a colon, and even end in a number.
    if not name or os.path.exists(text):  # noqa: PTH110 - Path raises for a name that is too long
        return DataSource(text)
    try:
        weight = float(number)
    except ValueError:
        return DataSource(text)
    if not (weight > 0 and math.isfinite(weight)):
        msg = f"{text!r}: expected a positive, finite weight, found {number}."
        raise click.BadParameter(msg)
    return DataSource(name, weight)


def _require_nonzero(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value == 0:
        msg = "the number of threads cannot be 0; -1 means one per core."
        raise click.BadParameter(msg)
    return value


def require_finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Click callback that rejects inf and nan, which click's ranges accept."""
    if value is not None and not math.isfinite(value):
        msg = f"{value} is not a finite number."
        raise click.BadParameter(msg)
    return value


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False),
    envvar="MNIST_SVM_DATA",
    show_default="./data if it has the data set, else the user's cache folder",
    show_envvar=True,
    help="Folder of the data sets.",
)

data_option = click.option(
    "--data",
    "sources",
    multiple=True,
    default=["mnist"],
    show_default="mnist",
    callback=_parse_sources,
    metavar="NAME|PATH[:WEIGHT]",
    help="A data set of the catalog, a folder, or a CSV, NumPy, Parquet or IDX file (repeatable); "
    "see `mnist-svm convert --help`. WEIGHT multiplies C for its images.",
)

split_option = click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    help="Which part to use, if the data set is split.",
)

orientation_option = click.option(
    "--orientation",
    type=click.Choice(list(ORIENTATIONS)),
    metavar="HOW",
    show_default="transposed for files of EMNIST, else upright",
    help=f"How the images lie, to turn them upright: {', '.join(ORIENTATIONS)}.",
)

model_option = click.option(
    "-m",
    "--model",
    type=click.Path(),
    show_default="mnist-svm.joblib in this folder, else the model shipped with the package",
    help="The model file to use.",
)

output_option = click.option(
    "-o",
    "--output",
    type=click.Path(),
    default=DEFAULT_NAME,
    show_default=True,
    help="The model file to write.",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

reject_option = click.option(
    "--reject-below",
    type=click.FloatRange(0, 1),
    callback=require_finite,
    default=0.0,
    metavar="P",
    help="Print ? where the confidence is below P (0 to 1).",
)

limit_option = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use N training images, with the same class proportions.",
)

random_state_option = click.option(
    "--random-state", type=click.IntRange(min=0), default=0, show_default=True, help="Seed."
)

jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=-1),
    callback=_require_nonzero,
    default=-1,
    show_default=True,
    help="Number of threads; -1 means one per core. The result is the same.",
)


def recipe_options(verb: str) -> Decorator:
    """Options for a recipe, "to train" or "to tune", and for the data."""
    # The members of an ensemble are tuned one by one.
    names = [name for name in RECIPES if verb == "train" or name != ENSEMBLE]
    recipe_option = click.option(
        "--recipe",
        "recipe_name",
        type=click.Choice(names),
        default="poly4",
        show_default=True,
        help=f"The pipeline to {verb}.",
    )
    return _combine(recipe_option, data_option, orientation_option, data_dir_option)


def _combine(*options: Decorator) -> Decorator:
    return lambda command: reduce(lambda inner, option: option(inner), reversed(options), command)


run_options = _combine(random_state_option, jobs_option, dask_option, json_option)


def describe_model(path: Path) -> str:
    """Return the path for a status message, or a phrase for the shipped model."""
    return "the model shipped with the package" if path == SHIPPED else str(path)
