"""``mnist-svm tune``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

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
from mnist_svm.models.recipes import RECIPES

if TYPE_CHECKING:
    from mnist_svm.tuning.mlflow_log import Tracker
    from mnist_svm.tuning.search import Standing, Tried


@click.command("tune")
@click.option(
    "--recipe",
    "recipe_name",
    type=click.Choice(list(RECIPES)),
    default="poly4",
    show_default=True,
    help="The pipeline to tune.",
)
@data_option
@data_dir_option
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="How many to try in all, those of earlier runs counted.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    callback=require_finite,
    metavar="SECONDS",
    help="Begin no trial after that time; the one at work goes on to its end.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="K",
    help="K-fold cross-validation in the place of a sixth held out.",
)
@limit_option
@click.option(
    "--storage",
    default="sqlite:///mnist-svm-tune.db",
    show_default=True,
    metavar="ADDRESS",
    help="The database that keeps the search.",
)
@click.option(
    "--mlflow",
    is_flag=False,
    flag_value="sqlite:///mlflow.db",
    metavar="[ADDRESS]",
    help="Log trials to MLflow and register the best there (needs the extra [mlflow]); "
    "without ADDRESS, to sqlite:///mlflow.db.",
)
@random_state_option
@jobs_option
@dask_option
@json_option
@click.pass_context
def tune_command(
    ctx: click.Context,
    recipe_name: str,
    data: str,
    data_dir: str,
    trials: int,
    timeout: float | None,
    folds: int | None,
    limit: int | None,
    storage: str,
    mlflow: str | None,
    random_state: int,
    jobs: int,
    dask: str | None,
    as_json: bool,
) -> None:
    """Search for better parameters of a recipe.

    Optuna draws parameters of the kernel, of the features and of the virtual copies; each trial
    reads the last sixth of the training images, which no machine has seen. It trains on a small
    part of the others, then on more, then on all, unless it falls behind the better half. The
    first trial is the recipe as it is. The test images are not read. Needs the extra [tune].

    The search is kept in a database. Interrupted or killed, it goes on when the same command is
    given again; with more --trials, it goes further.

    With --dask, the workers of a cluster do a trial each. Which one is done first then has a say in
    what is tried next.

    Prints the best, and the `mnist-svm train` command for the first of them. A few errors fewer may
    be chance, and the best of many has had luck: the standard error of the difference is told.

    \b
    Examples:
      mnist-svm tune
      mnist-svm tune --recipe gradient --trials 50 --timeout 3600
      mnist-svm tune --limit 12000 --folds 5
      mnist-svm tune --recipe gradient --mlflow
      mnist-svm tune --recipe best --dask tcp://10.0.0.5:8786
    """
    from mnist_svm.cli.dataset import read_dataset
    from mnist_svm.cli.exit_codes import INTERRUPTED, echo_stderr
    from mnist_svm.cli.progress import run_with_progress
    from mnist_svm.cli.trial_table import Teller
    from mnist_svm.tuning.search import require_optuna, search_name, tune
    from mnist_svm.tuning.splits import protocol_for

    require_optuna()
    require_dask_for(dask)
    from mnist_svm.tuning.study import shown_address

    recipe = RECIPES[recipe_name]
    echo_stderr(f"Reading {data}")
    dataset = read_dataset(data, "train", data_dir)
    try:
        protocol = protocol_for(dataset, folds=folds, limit=limit, random_state=random_state)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    asked = ctx.get_parameter_source("data_dir") is ParameterSource.COMMANDLINE
    options = ["--data-dir", data_dir] if asked else []
    teller = Teller(recipe, data, trials, options)
    new: list[int] = []
    try:
        with _tracking(mlflow, search_name(recipe, dataset, protocol)) as tracker:

            def observe(tried: Tried) -> None:
                new.append(tried.number)
                if tracker:
                    tracker.log(tried)

            shown = shown_address(storage)
            echo_stderr(f"Tuning {recipe.name}: {protocol}, {trials} trials kept in {shown}")

            def search() -> Standing:
                with use_cluster(dask):
                    return tune(
                        recipe,
                        dataset,
                        protocol,
                        trials=trials,
                        timeout=timeout,
                        storage=storage,
                        n_jobs=jobs,
                        options=options,
                        observe=observe,
                        progress=teller.follow,
                    )

            standing = run_with_progress("Searching", search, header=teller.live)
            result = {"storage": shown, **teller.result(standing), "registered": None}
            if tracker:
                result["registered"] = _registered(ctx, tracker, standing, new)
    except KeyboardInterrupt:
        echo_stderr(teller.interrupted())
        ctx.exit(INTERRUPTED)
    if as_json:
        click.echo(json.dumps(result, indent=2))
        return
    click.echo(teller.text(standing))
    if result["registered"]:
        click.echo(f"\nRegistered in MLflow as {result['registered']}")


@contextmanager
def _tracking(address: str | None, name: str) -> Iterator[Tracker | None]:
    """MLflow, if it was asked for."""
    if address is None:
        yield None
        return
    from mnist_svm.tuning.mlflow_log import Tracker

    with Tracker(address, experiment=name) as tracker:
        yield tracker


def _registered(
    ctx: click.Context, tracker: Tracker, standing: Standing, new: list[int]
) -> str | None:
    """Where MLflow has the best model; None if it got none, which then was said."""
    from mnist_svm.cli.exit_codes import PARTIAL_FAILURE, echo_stderr
    from mnist_svm.exceptions import TrackingError

    if not new:
        echo_stderr("No trial was new, so nothing is registered in MLflow")
        return None
    if standing.protocol.folds:
        echo_stderr("Folds leave no one model, so nothing is registered in MLflow")
        return None
    try:
        return tracker.register(standing.ranking[0].number)
    except TrackingError as error:
        # The search has its result all the same.
        ctx.meta[PARTIAL_FAILURE] = True
        echo_stderr(f"mnist-svm: error: {error}")
        return None
