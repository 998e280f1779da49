"""Options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path

import click

from mnist_svm.models.locate import SHIPPED


def _not_zero(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value == 0:
        msg = "0 threads cannot work; give -1 for one a core."
        raise click.BadParameter(msg)
    return value


def finite(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """Callback of an option whose number must be finite; click's ranges let nan pass."""
    if value is not None and not math.isfinite(value):
        msg = f"{value} is not a finite number."
        raise click.BadParameter(msg)
    return value


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False),
    envvar="MNIST_SVM_DATA",
    default="data",
    show_default=True,
    show_envvar=True,
    help="Where data sets live.",
)

data_option = click.option(
    "--data",
    default="mnist",
    show_default=True,
    metavar="NAME|PATH",
    help="A data set of the catalog, a folder, or a CSV, NumPy, Parquet or IDX file; "
    "`mnist-svm convert --help` tells more.",
)

split_option = click.option(
    "--split",
    type=click.Choice(["train", "test"]),
    help="Which part of it, if it is parted.",
)

model_option = click.option(
    "-m",
    "--model",
    type=click.Path(),
    show_default="mnist-svm.joblib in this folder, else the one that comes with the package",
    help="The model file to use.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the result as JSON, for machines."
)

reject_option = click.option(
    "--reject-below",
    type=click.FloatRange(0, 1),
    callback=finite,
    default=0.0,
    metavar="P",
    help="Answer ? for digits of less confidence, 0 to 1.",
)

limit_option = click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Use N training images, each digit in its proportion.",
)

random_state_option = click.option(
    "--random-state", type=click.IntRange(min=0), default=0, show_default=True, help="Seed."
)

jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=-1),
    callback=_not_zero,
    default=-1,
    show_default=True,
    help="Threads; -1 is one a core. They do not change the result.",
)


def told(model: Path) -> str:
    """How to speak of a model file.

    Parameters
    ----------
    model : Path

    Returns
    -------
    str
    """
    return "the model that comes with the package" if model == SHIPPED else str(model)
