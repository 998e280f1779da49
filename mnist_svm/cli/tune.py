"""The ``mnist-svm tune`` command."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.cluster import require_dask_for, use_cluster
from mnist_svm.cli.options import (
    DataSource,
    limit_option,
    recipe_options,
    require_finite,
    run_options,
)
from mnist_svm.models.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    from mnist_svm.cli.trial_table import SearchReporter
    from mnist_svm.datasets.types import Dataset
    from mnist_svm.tuning.mlflow_log import MLflowTracker
    from mnist_svm.tuning.search import SearchOptions
    from mnist_svm.tuning.splits import EvaluationProtocol
    from mnist_svm.tuning.trials import SearchState


@click.command("tune")
@recipe_options("tune")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=30,
    show_default=True,
    metavar="N",
    help="Number of trials, including those of earlier runs.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    callback=require_finite,
    metavar="SECONDS",
    help="Start no trial after this time; the running one still finishes.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    metavar="K",
    help="K-fold cross-validation instead of one held-out sixth.",
)
@limit_option
@click.option(
    "--storage",
    default="sqlite:///mnist-svm-tune.db",
    show_default=True,
    metavar="URL",
    help="Database that stores the search.",
)
@click.option(
    "--mlflow",
    is_flag=False,
    flag_value="sqlite:///mlflow.db",
    metavar="[URL]",
    help="Log the trials to MLflow and register the best model (needs the extra [mlflow]); "
    "URL defaults to sqlite:///mlflow.db.",
)
@run_options
@click.pass_context
def tune_command(
    ctx: click.Context,
    recipe_name: str,
    sources: tuple[DataSource, ...],
    orientation: str | None,
    data_dir: str | None,
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

    Optuna proposes parameters of the kernel, the features and the virtual copies, or of a network.
    Each trial trains on a small part of the training images, then on more, then on all except the
    last sixth, and is evaluated on that sixth after each stage. A network trains on all of them
    from the start, and is evaluated after a ninth, a third and all of its epochs. A trial that
    falls behind the better half is pruned. The first trial has the recipe's default parameters.
    The test images are never used. Of several data sets, the last sixth of each is held out, and
    each held-out image counts once, whatever the weight of its set. Needs the extra [tune].

    The search is stored in a database. If it was interrupted or killed, run the same command
    again to resume it; run it with more --trials to extend it.

    With --dask, each worker of a cluster runs one trial at a time. The proposed parameters then
    depend on the order in which trials finish.

    Prints the best trials and the `mnist-svm train` command of the best one, with the standard
    error of its difference from the defaults. Differences below two standard errors are not
    significant, and the best of many trials is biased upwards.

    \b
    Examples:
      mnist-svm tune
      mnist-svm tune --recipe gradient --trials 50 --timeout 3600
      mnist-svm tune --limit 12000 --folds 5
      mnist-svm tune --recipe gradient --data mnist --data my-digits/:5
      mnist-svm tune --recipe gradient --mlflow
      mnist-svm tune --recipe best --dask tcp://10.0.0.5:8786
    """
    from mnist_svm.cli.dataset import join_names, read_datasets
    from mnist_svm.cli.exit_codes import INTERRUPTED, echo_stderr
    from mnist_svm.training.train import TrainingConfig, require_extras
    from mnist_svm.tuning.search import SearchOptions, require_optuna
    from mnist_svm.tuning.splits import make_protocol

    require_optuna()
    recipe = RECIPES[recipe_name]
    require_extras(TrainingConfig(recipe, recipe.defaults))
    require_dask_for(dask)
    from mnist_svm.cli.trial_table import SearchReporter

    echo_stderr(f"Reading {join_names(sources)}")
    dataset = read_datasets(sources, "train", data_dir, orientation)
    try:
        protocol = make_protocol(
            dataset, folds=folds, limit=limit, random_state=random_state, epochs=recipe.epochs
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    stated = {"--orientation": orientation, "--data-dir": data_dir}
    train_options = tuple(x for name, value in stated.items() if value for x in (name, value))
    options = SearchOptions(trials, timeout, storage, jobs, train_options)
    reporter = SearchReporter(recipe, dataset, options)
    try:
        state, registered = _search(ctx, recipe, dataset, protocol, options, reporter, mlflow, dask)
    except KeyboardInterrupt:
        echo_stderr(reporter.interruption_message())
        raise click.exceptions.Exit(INTERRUPTED) from None
    if as_json:
        click.echo(json.dumps({**reporter.summary(state), "registered": registered}, indent=2))
        return
    click.echo(reporter.text(state))
    if registered:
        click.echo(f"\nRegistered in MLflow as {registered}")


def _search(
    ctx: click.Context,
    recipe: Recipe,
    dataset: Dataset,
    protocol: EvaluationProtocol,
    options: SearchOptions,
    reporter: SearchReporter,
    mlflow: str | None,
    dask: str | None,
) -> tuple[SearchState, str | None]:
    """Run the search in a thread; return its final state and the URI of the registered model."""
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import run_with_progress
    from mnist_svm.tuning.mlflow_log import MLflowTracker
    from mnist_svm.tuning.search import search_name, tune

    name = search_name(recipe, dataset, protocol)
    with nullcontext() if mlflow is None else MLflowTracker(mlflow, name) as tracker:

        def search() -> SearchState:
            log, update = tracker.log if tracker else None, reporter.update
            with use_cluster(dask):
                return tune(recipe, dataset, protocol, options, on_trial=log, on_progress=update)

        echo_stderr(
            f"Tuning {recipe.name}: {protocol}, {options.n_trials} trials in {reporter.storage}"
        )
        state = run_with_progress("Searching", search, header=reporter.live_table)
        return state, _register(ctx, tracker, state) if tracker else None


def _register(ctx: click.Context, tracker: MLflowTracker, state: SearchState) -> str | None:
    """Register the best model; return its MLflow URI, or None after printing why there is none."""
    from mnist_svm.cli.exit_codes import PARTIAL_FAILURE, echo_stderr
    from mnist_svm.exceptions import TrackingError

    best = state.best
    if not tracker.n_logged:
        echo_stderr("No trial was trained in this run, so no model is registered in MLflow")
        return None
    if state.protocol.folds:
        echo_stderr("Folds train several models, so none is registered in MLflow")
        return None
    try:
        return tracker.register(best.number)
    except TrackingError as error:
        # Still print the result of the search.
        ctx.meta[PARTIAL_FAILURE] = True
        echo_stderr(f"mnist-svm: error: {error}")
        return None
