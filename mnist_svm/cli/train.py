"""``mnist-svm train``."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.cluster import require_dask_for, use_cluster
from mnist_svm.cli.options import (
    DataSource,
    limit_option,
    output_option,
    recipe_options,
    require_finite,
    run_options,
)
from mnist_svm.models.parameters import Value
from mnist_svm.models.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from mnist_svm.datasets.types import Dataset
    from mnist_svm.models.file import Model
    from mnist_svm.models.info import ModelInfo
    from mnist_svm.training.train import TrainingConfig


POSITIVE = click.FloatRange(min=0, min_open=True)
POSITIVE.name = "number"


def _parse_gamma(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> float | str | None:
    if value in (None, "scale", "auto"):
        return value
    return require_finite(ctx, param, POSITIVE(value, param, ctx))


def _parse_changes(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Value]:
    """Parse each NAME=VALUE; the value is an integer, a float, true, false, or a name."""
    changes = {}
    for text in values:
        name, _, value = text.partition("=")
        if not (name and value):
            msg = f"{text!r} is not NAME=VALUE."
            raise click.BadParameter(msg)
        changes[name] = _parse_value(value)
    return changes


def _parse_value(text: str) -> Value:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number_type in (int, float):
        with suppress(ValueError):
            return number_type(text)
    return text


@click.command("train")
@recipe_options("train")
@output_option
@click.option(
    "--C", "c", type=POSITIVE, callback=require_finite, help="Penalty of a margin violation."
)
@click.option("--degree", type=click.IntRange(1, 20), help="Degree of the polynomial kernel.")
@click.option(
    "--gamma",
    callback=_parse_gamma,
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
    callback=_parse_changes,
    metavar="NAME=VALUE",
    help="Another parameter of the pipeline, such as gradients__directions=12 (repeatable).",
)
@click.option(
    "--virtual-copies",
    "copies",
    type=click.IntRange(min=1),
    metavar="N",
    help="Train on N distorted copies of every image too (recipes gradient and poly4).",
)
@click.option(
    "--members",
    metavar="RECIPE,...",
    help="Recipes of an ensemble, such as gradient,cnn.",
)
@click.option(
    "--combine",
    type=click.Choice(["average", "vote", "stack"]),
    help="How an ensemble combines its members: by the mean of their probabilities, by majority, "
    "or by weights learned from predictions for images that they were not trained on.",
)
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Epochs of a network.")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images in each step of a network.",
)
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Write the training curves of a network for TensorBoard (pip install tensorboard).",
)
@limit_option
@run_options
def train_command(
    recipe_name: str,
    sources: tuple[DataSource, ...],
    orientation: str | None,
    data_dir: str | None,
    output: str,
    c: float | None,
    degree: int | None,
    gamma: float | str | None,
    coef0: float | None,
    changes: dict[str, Value],
    copies: int | None,
    members: str | None,
    combine: str | None,
    epochs: int | None,
    batch_size: int | None,
    tensorboard: str | None,
    limit: int | None,
    random_state: int,
    jobs: int,
    dask: str | None,
    as_json: bool,
) -> None:
    """Train a model and write it to a file.

    C, degree, gamma and coef0 default to those of the recipe, which were chosen by
    cross-validation on the training set. `mnist-svm recipes` lists the recipes, and
    `mnist-svm tune` searches for better parameters.

    With several --data, the model is trained on all these data sets, which must have the same
    classes. An image of a set with weight W counts as much as W images, also in the calibration.

    --set changes a parameter of the image preparation or of the virtual copies, in every step of
    the pipeline that has it. An unknown name lists the valid ones.

    --virtual-copies trains on copies of every image too, shifted, rotated and bent a little: up to
    two million samples in less than 8 GB of memory. The recipes virtual and best always copy their
    support vectors instead. Intermediate results are kept in the folder OUTPUT.work until the
    model is written; if the training is interrupted or killed, the same command resumes it.

    The recipe cnn trains a network by Keras and JAX (needs the extra [cnn]) and takes --epochs,
    --batch-size and, for example, --set architecture=resnet164. After each epoch, its state is kept
    in the folder OUTPUT.work, from which the same command resumes an interrupted training.

    The recipe ensemble trains --members, and combines them: --combine average, vote or stack. A
    stack trains each member four times, and learns their weights.

    --dask fits the SVMs on a Dask cluster, which pays off from several hundred thousand samples.
    The model is the same.

    \b
    Examples:
      mnist-svm train
      mnist-svm train --recipe best -o best.joblib
      mnist-svm train --limit 5000 -o small.joblib
      mnist-svm train --data fashion-mnist --C 10 -o fashion.joblib
      mnist-svm train --recipe gradient --data mnist --data my-digits/:5
      mnist-svm train --recipe gradient --set gradients__directions=12 --set normalize__side=40
      mnist-svm train --recipe gradient --virtual-copies 16 -o large.joblib
      mnist-svm train --recipe cnn -o cnn.joblib
      mnist-svm train --recipe ensemble --members best,cnn --combine stack -o both.joblib
      mnist-svm train --recipe best --dask tcp://10.0.0.5:8786
    """
    import shutil
    import time

    from mnist_svm._io import require_writable
    from mnist_svm.cli.dataset import join_names, read_datasets
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.models.file import save_model

    start = time.perf_counter()
    require_writable(output)
    require_dask_for(dask)
    stated = {
        "members": members,
        "combine": combine,
        "epochs": epochs,
        "batch_size": batch_size,
    }
    changes |= {name: value for name, value in stated.items() if value is not None}
    kernel = {"C": c, "degree": degree, "gamma": gamma, "coef0": coef0}
    config = _make_config(RECIPES[recipe_name], kernel, changes, random_state, copies)
    _require_packages(config, tensorboard)
    echo_stderr(f"Reading {join_names(sources)}")
    dataset = read_datasets(sources, "train", data_dir, orientation)
    n_images, folder = _subset_size(dataset, limit), Path(f"{output}.work")
    model = _fit(config, dataset, n_images, copies, jobs, dask, folder, tensorboard)
    save_model(output, model)
    if _keeps_work(config, copies):
        shutil.rmtree(folder)
    seconds, n_bytes = time.perf_counter() - start, Path(output).stat().st_size
    if as_json:
        summary = {"model": output, "bytes": n_bytes, "seconds": seconds, **model.info.to_dict()}
        click.echo(json.dumps(summary, indent=2))
    else:
        click.echo(_format_summary(model.info, seconds))
        click.echo(f"Model            {output} ({n_bytes / 1e6:.1f} MB)")


def _make_config(
    recipe: Recipe,
    kernel: dict[str, float | str | None],
    changes: dict[str, Value],
    random_state: int,
    copies: int | None,
) -> TrainingConfig:
    """Check the parameters before the data are read; an error is wrong usage."""
    from mnist_svm.training.augmented import require_augmentable
    from mnist_svm.training.train import TrainingConfig

    try:
        config = TrainingConfig(recipe, recipe.changed(**kernel), changes, random_state)
        config.pipeline()
        if copies:
            require_augmentable(recipe)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return config


def _require_packages(config: TrainingConfig, tensorboard: str | None) -> None:
    """Raise now if a package is not installed that the training needs."""
    from mnist_svm.networks.board import import_summary
    from mnist_svm.training.train import require_extras

    if tensorboard is not None:
        if not config.has_network:
            msg = f"--tensorboard is for networks, and recipe {config.recipe.name} has none"
            raise click.UsageError(msg)
        import_summary()
    require_extras(config)


def _keeps_work(config: TrainingConfig, copies: int | None) -> bool:
    """Whether a training takes so long that it keeps its work in a folder."""
    return bool(copies) or config.has_network


def _subset_size(dataset: Dataset, limit: int | None) -> int:
    """Return the number of images to train on; one per class is the minimum."""
    size = min(limit or len(dataset.labels), len(dataset.labels))
    n_classes = len(set(dataset.labels.tolist()))
    if size < n_classes:
        msg = f"{size} images cannot hold the {n_classes} classes of {dataset.name}"
        raise click.BadParameter(msg, param_hint="--limit")
    return size


def _fit(
    config: TrainingConfig,
    dataset: Dataset,
    n_images: int,
    copies: int | None,
    n_jobs: int,
    dask: str | None,
    folder: Path,
    tensorboard: str | None,
) -> Model:
    """Train in a thread, and show the progress."""
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import run_with_progress
    from mnist_svm.svm.log import logger
    from mnist_svm.training.augmented import train_augmented
    from mnist_svm.training.resumable import train_resumable
    from mnist_svm.training.train import fit_config, select_rows

    recipe = config.recipe
    echo_stderr(f"Training {recipe.name} ({recipe.summary}) on {n_images:,} images")
    if copies:
        verb, n_samples = "Resuming" if folder.exists() else "Working", n_images * (1 + copies)
        echo_stderr(f"With {copies} copies of each: {n_samples:,} samples. {verb} in {folder}")
    elif config.has_network and folder.exists():
        echo_stderr(f"Resuming in {folder}")

    def log(n_done: int, n_total: int) -> None:
        logger.info("features of %s of %s samples", f"{n_done:,}", f"{n_total:,}")

    def work() -> Model:
        with use_cluster(dask):
            if config.has_network:
                return train_resumable(
                    config,
                    dataset,
                    folder,
                    limit=n_images,
                    n_jobs=n_jobs,
                    tensorboard=tensorboard,
                )
            if not copies:
                rows = select_rows(dataset, n_images, config.random_state)
                return fit_config(config, dataset, rows, n_jobs=n_jobs, calibrate=True)
            return train_augmented(
                config, dataset, folder, copies=copies, limit=n_images, n_jobs=n_jobs, progress=log
            )

    try:
        return run_with_progress("Training", work)
    except KeyboardInterrupt:
        if _keeps_work(config, copies) and folder.exists():
            echo_stderr(f"{folder} is kept; repeat the command to resume the training")
        raise


def _format_summary(info: ModelInfo, seconds: float) -> str:
    training, calibration, copies = info.training, info.calibration, info.training.augmentation
    trained = f"Trained {info.recipe} on {training.n_images:,} images of {training.data}"
    times = f"{seconds:.1f} s, of which fitting {training.fit_seconds:.1f} s"
    if copies:
        trained += f" and {copies.copies} copies of each: {copies.n_samples:,} samples"
        times += " since it was resumed" * copies.resumed
    n_svms = f" in {info.n_svms} SVMs" if info.n_svms > 1 else ""
    calibrated = "none: a class has too few images"
    if calibration and calibration.calibration_error is not None:
        error, n_held_out = calibration.calibration_error, calibration.n_held_out
        calibrated = f"error {error:.2%} on {n_held_out:,} held-out images"
    size = f"Support vectors  {info.n_support_vectors:,}{n_svms}\n" if info.n_svms else ""
    if info.n_weights:
        size += f"Network          {info.n_weights:,} weights\n"
    return f"{trained}\n{size}Calibration      {calibrated}\nTime             {times}"
