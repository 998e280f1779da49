"""``mnist-svm train``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnist_svm.cli.cluster import dask_option, require_dask_for, use_cluster
from mnist_svm.cli.options import (
    data_dir_option,
    data_option,
    jobs_option,
    json_option,
    limit_option,
    random_state_option,
    require_finite,
)
from mnist_svm.models.locate import DEFAULT_NAME
from mnist_svm.models.parameters import Value
from mnist_svm.models.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

    from mnist_svm.datasets.types import Dataset
    from mnist_svm.models.file import Model


def _positive(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and value <= 0:
        msg = f"{value} is not greater than 0."
        raise click.BadParameter(msg)
    return require_finite(ctx, param, value)


def _number_or_word(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> float | str | None:
    if value in (None, "scale", "auto"):
        return value
    number: Any = value
    return _positive(ctx, param, click.FLOAT.convert(number, param, ctx))


def _changes(
    ctx: click.Context, param: click.Parameter, given: tuple[str, ...]
) -> dict[str, Value]:
    """Each NAME=VALUE as a name and a number, or whether."""
    changes = {}
    for text in given:
        name, _, value = text.partition("=")
        if not (name and value):
            msg = f"{text!r} is not NAME=VALUE."
            raise click.BadParameter(msg)
        changes[name] = _value(value)
    return changes


def _value(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    msg = f"{text!r} is neither a number nor true or false."
    raise click.BadParameter(msg)


@click.command("train")
@click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    default="poly4",
    show_default=True,
    help="The pipeline to train.",
)
@data_option
@data_dir_option
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    default=DEFAULT_NAME,
    show_default=True,
    help="The model file to write.",
)
@click.option("--C", "c", type=float, callback=_positive, help="Price of a margin violation.")
@click.option("--degree", type=click.IntRange(1, 20), help="Degree of the polynomial kernel.")
@click.option(
    "--gamma",
    callback=_number_or_word,
    metavar="NUMBER|scale|auto",
    help="Kernel coefficient; scale and auto as in scikit-learn.",
)
@click.option(
    "--coef0", type=float, callback=require_finite, help="Constant inside the polynomial kernel."
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    callback=_changes,
    metavar="NAME=VALUE",
    help="Another parameter of the pipeline, such as gradients__directions=12 (repeatable).",
)
@click.option(
    "--virtual-copies",
    "copies",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train on N changed copies of every image as well (recipes gradient and poly4).",
)
@limit_option
@random_state_option
@jobs_option
@dask_option
@json_option
@click.pass_context
def train_command(
    ctx: click.Context,
    recipe_name: str,
    data: str,
    data_dir: str,
    output: str,
    c: float | None,
    degree: int | None,
    gamma: float | str | None,
    coef0: float | None,
    changes: dict[str, Value],
    copies: int | None,
    limit: int | None,
    random_state: int,
    jobs: int,
    dask: str | None,
    as_json: bool,
) -> None:
    """Train a model and write it to a file.

    C, degree, gamma and coef0 default to the recipe's own, which were chosen by
    cross-validation on the training set. `mnist-svm recipes` tells what the recipes are, and
    `mnist-svm tune` looks for better parameters.

    --set changes how images are prepared or copied, everywhere in the pipeline where the
    parameter occurs. A name that the recipe has not is answered by those that it has.

    --virtual-copies is for the recipes of a single machine: copies of every image, shifted, turned
    and bent a little, train it as well, up to two million points in less than 8 GB of memory. The
    recipes virtual and best are something else: they copy the support vectors alone, by themselves.
    All that is done is kept in the folder OUTPUT.work until the model is written; interrupted or
    killed, the same command goes on from there.

    With --dask, the machines are fitted by the workers of a cluster, which is worth its while from
    some hundred thousand points on. They do not change the model.

    \b
    Examples:
      mnist-svm train
      mnist-svm train --recipe best -o best.joblib
      mnist-svm train --limit 5000 -o small.joblib
      mnist-svm train --data fashion-mnist --C 10 -o fashion.joblib
      mnist-svm train --recipe gradient --set gradients__directions=12 --set normalize__side=40
      mnist-svm train --recipe gradient --virtual-copies 16 -o large.joblib
      mnist-svm train --recipe best --dask tcp://10.0.0.5:8786
    """
    import time

    from mnist_svm._io import require_writable
    from mnist_svm.cli.dataset import read_dataset
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.models.file import save_model

    start = time.perf_counter()
    require_writable(output)
    require_dask_for(dask)
    recipe = RECIPES[recipe_name]
    try:
        parameters = recipe.defaults.changed(C=c, degree=degree, gamma=gamma, coef0=coef0)
        recipe.pipeline(parameters, changes=changes)
        _require_copies(recipe, copies)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    echo_stderr(f"Reading {data}")
    dataset = read_dataset(data, "train", data_dir)
    size = _size_within_limit(dataset, limit)
    options = {
        "parameters": parameters,
        "changes": changes,
        "limit": size,
        "random_state": random_state,
        "n_jobs": jobs,
    }
    echo_stderr(f"Training {recipe.name} ({recipe.summary}) on {size:,} images")
    if copies is None:
        model = _trained(recipe, dataset, options, dask)
        save_model(output, model)
    else:
        options["copies"] = copies
        model = _trained_with_copies(ctx, recipe, dataset, output, options, dask)
    summary = {
        "model": output,
        "bytes": Path(output).stat().st_size,
        "seconds": time.perf_counter() - start,
        **model.metadata,
    }
    click.echo(json.dumps(summary, indent=2) if as_json else _text(summary))


def _require_copies(recipe: Recipe, copies: int | None) -> None:
    """Fail early where a recipe cannot have virtual copies of every image."""
    if copies is not None:
        from mnist_svm.training.augmented import distortion_of

        distortion_of(recipe)


def _trained(recipe: Recipe, dataset: Dataset, options: dict[str, Any], dask: str | None) -> Model:
    from mnist_svm.training.train import train_model

    return _fitted(lambda: train_model(recipe, dataset, **options), dask)


def _fitted(fit: Callable[[], Model], dask: str | None) -> Model:
    from mnist_svm.cli.progress import run_with_progress

    def work() -> Model:
        with use_cluster(dask):
            return fit()

    return run_with_progress("Fitting", work)


def _trained_with_copies(
    ctx: click.Context,
    recipe: Recipe,
    dataset: Dataset,
    output: str,
    options: dict[str, Any],
    dask: str | None,
) -> Model:
    """Train on copies of every image too, and write the model; what is done is kept till then."""
    from mnist_svm.cli.exit_codes import INTERRUPTED, echo_stderr
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.models.file import save_model
    from mnist_svm.training.augmented import AugmentedTraining

    folder = f"{output}.work"
    try:
        with AugmentedTraining(recipe, dataset, folder, **options) as training:
            echo_stderr(
                f"With {options['copies']} copies of each: {training.points:,} points, in {folder}"
            )
            if training.resumed:
                echo_stderr(f"Going on: {training.made:,} points have their features")
            with progress_counter("Making features", "points") as report_progress:
                training.make_features(report_progress)
            model = _fitted(training.fit, dask)
            save_model(output, model)
            training.remove()
    except KeyboardInterrupt:
        echo_stderr(
            f"mnist-svm: interrupted; {folder} is kept; to go on, give the same command again"
        )
        ctx.exit(INTERRUPTED)
    return model


def _size_within_limit(dataset: Dataset, limit: int | None) -> int:
    """How many images to train on; wrong usage if they could not hold every class."""
    size = min(limit or len(dataset.labels), len(dataset.labels))
    classes = len(set(dataset.labels.tolist()))
    if size < classes:
        msg = f"{size} images cannot hold the {classes} classes of {dataset.name}"
        raise click.BadParameter(msg, param_hint="--limit")
    return size


def _text(summary: dict[str, Any]) -> str:
    training, support = summary["training"], summary["support_vectors"]
    images, copies = training["images"], _copies(training)
    time = f"{summary['seconds']:.1f} s, of which fitting {training['fit_seconds']:.1f} s"
    resumed = " since it was resumed" * training.get("resumed", False)
    return "\n".join(
        [
            f"Trained {summary['recipe']} on {images:,} images of {training['dataset']}{copies}",
            f"Support vectors  {support:,}{_of_machines(summary['machines'])}",
            f"Calibration      {_calibration(summary['calibration'])}",
            f"Time             {time}{resumed}",
            f"Model            {summary['model']} ({summary['bytes'] / 1e6:.1f} MB)",
        ]
    )


def _copies(training: dict[str, Any]) -> str:
    if "points" not in training:
        return ""
    return f" and {training['virtual_copies']} copies of each: {training['points']:,} points"


def _calibration(of: dict[str, Any]) -> str:
    if not of["held_out_images"]:
        return "none: too few images of a class"
    error = f"error {of['held_out_calibration_error']:.2%}"
    return f"{error} on {of['held_out_images']:,} images held out"


def _of_machines(n: int) -> str:
    return f" in {n} machines" if n > 1 else ""
