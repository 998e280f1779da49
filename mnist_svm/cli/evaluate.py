"""``mnist-svm eval``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from mnist_svm._io import atomic_write, require_writable
from mnist_svm.cli import options
from mnist_svm.cli.dataset import read_datasets
from mnist_svm.cli.exit_codes import echo_stderr
from mnist_svm.cli.progress import progress_counter, run_with_progress
from mnist_svm.models.locate import find_model

if TYPE_CHECKING:
    from mnist_svm.datasets.types import Dataset
    from mnist_svm.evaluation.learning_curve import LearningPoint
    from mnist_svm.models.info import ModelInfo
    from mnist_svm.recognition.results import Readings


@click.command("eval")
@options.model_option
@options.data_option
@options.orientation_option
@options.data_dir_option
@click.option(
    "--plot", metavar="FILE.png", help="Draw the confusion matrix (needs the extra [plot])."
)
@click.option("--errors", metavar="FILE.png", help="Draw the misread images with their labels.")
@click.option(
    "--report",
    metavar="FILE.html",
    help="Write an HTML report with charts and misread images (needs the extra [plot]).",
)
@click.option(
    "--learning-curve",
    is_flag=True,
    help="For the report: train on 500, 1,000, 2,000, ... and all images; takes a while.",
)
@options.jobs_option
@options.json_option
def evaluate_command(
    model: str | None,
    sources: tuple[options.DataSource, ...],
    orientation: str | None,
    data_dir: str | None,
    plot: str | None,
    errors: str | None,
    report: str | None,
    learning_curve: bool,
    jobs: int,
    as_json: bool,
) -> None:
    """Evaluate a model on the test images.

    With several --data, prints a line for each data set, then all about them together. Weights are
    for the learning curve alone: in the results, each image counts once.

    Prints accuracy, error rate with its 95% Wilson interval, the confusion matrix, precision,
    recall and F1 of each digit, the most frequent confusions, and images per second.

    Then it prints the expected calibration error (the mean difference between confidence and
    accuracy over 15 bins), and the errors left when the least confident images are rejected. The
    last column is the P of `mnist-svm predict --reject-below P`.

    The report is a single HTML file without external resources.

    \b
    Examples:
      mnist-svm eval
      mnist-svm eval --data mnist --data my-digits/
      mnist-svm eval --report report.html
      mnist-svm eval --errors misread.png --plot confusion.png
      mnist-svm eval --json | jq .accuracy
    """
    from mnist_svm.evaluation.html import EvaluationRun, render_report
    from mnist_svm.evaluation.measures import evaluate, evaluate_parts, plot_confusion
    from mnist_svm.models.steps import network_logs
    from mnist_svm.recognition.recognizer import Recognizer

    _check_outputs(plot, errors, report, learning_curve)
    _require_no_weights(sources, learning_curve)
    path = find_model(model)
    recognizer = Recognizer.load(path, n_jobs=jobs)
    info = recognizer.model.info
    unweighted = [options.DataSource(each.name) for each in sources]
    test = read_datasets(unweighted, "test", data_dir, orientation, info)
    n = len(test.labels)
    _warn_if_trained_on(info, test)
    if learning_curve:
        train = read_datasets(sources, "train", data_dir, orientation, info)
        compute_curve = _prepare_learning_curve(info, train, test, jobs)
    echo_stderr(
        f"Evaluating {options.describe_model(path)} on the {n:,} test images of {test.name}"
    )
    start = time.perf_counter()
    with progress_counter("Reading", "images") as report_progress:
        readings = recognizer.classify(test.images, progress=report_progress)
    seconds = time.perf_counter() - start
    evaluation = evaluate(test.labels, readings.labels, readings.confidence)
    by_part = evaluate_parts(test, readings.labels, readings.confidence)

    if as_json:
        speed = {"seconds": seconds, "images_per_second": n / seconds}
        datasets = [{"data": name, **each.to_summary()} for name, each in by_part.items()]
        content = {"model": str(path), "data": test.name, **evaluation.to_dict(), **speed}
        click.echo(json.dumps({**content, "datasets": datasets}))
    else:
        if len(by_part) > 1:
            width = max(map(len, by_part))
            for name, each in by_part.items():
                click.echo(f"{name:<{width}}  {each.to_line()}")
            click.echo("\nAll together")
        click.echo(f"{evaluation.to_text()}\n\nSpeed       {n / seconds:,.0f} images/s")
    if plot:
        with atomic_write(plot) as file:
            plot_confusion(evaluation).savefig(file, format="png")
    if errors:
        _write_errors(errors, test, readings)
    if report:
        points = compute_curve() if learning_curve else ()
        name = options.describe_model(path)
        epochs = [*network_logs(recognizer.model.step)]
        run = EvaluationRun(name, info, test, readings, seconds, points, epochs=epochs)
        # File names need not be valid Unicode.
        page = render_report(run).encode(errors="replace")
        with atomic_write(report) as file:
            file.write(page)
        echo_stderr(f"Report written to {report}")


def _check_outputs(
    plot: str | None, errors: str | None, report: str | None, learning_curve: bool
) -> None:
    """Raise before the work if an output could not be written."""
    from mnist_svm.evaluation.html import require_report_extras
    from mnist_svm.evaluation.measures import require_matplotlib

    if learning_curve and not report:
        msg = "--learning-curve is part of the report: give --report FILE.html as well"
        raise click.UsageError(msg)
    if plot:
        require_matplotlib()
    if report:
        require_report_extras()
    for output in filter(None, (plot, errors, report)):
        require_writable(output)


def _require_no_weights(sources: Sequence[options.DataSource], learning_curve: bool) -> None:
    """Refuse weights that would have no effect."""
    weighted = [source for source in sources if source.weight != 1]
    if weighted and not learning_curve:
        msg = (
            f"the weight {weighted[0].weight:g} of {weighted[0].name} would have no effect: "
            "weights are for training, here for --learning-curve"
        )
        raise click.BadParameter(msg, param_hint="--data")


def _warn_if_trained_on(info: ModelInfo, test: Dataset) -> None:
    trained_on = [part.name for part in test.parts if info.training.includes(part.sha256)]
    if trained_on:
        which = "these images" if len(test.parts) == 1 else f"the images of {', '.join(trained_on)}"
        echo_stderr(
            f"The model was trained on {which}, so the result does not show how it reads "
            "others; evaluate on held-out images"
        )


def _prepare_learning_curve(
    info: ModelInfo, train: Dataset, test: Dataset, jobs: int
) -> Callable[[], tuple[LearningPoint, ...]]:
    """Return the function that computes the curve; raise now if the model cannot be retrained."""
    from mnist_svm.evaluation.learning_curve import learning_curve, require_different_images
    from mnist_svm.training.train import TrainingConfig

    config = TrainingConfig.from_info(info)
    require_different_images(train, test)
    return lambda: run_with_progress(
        "Learning curve", lambda: learning_curve(config, train, test, n_jobs=jobs)
    )


def _write_errors(path: str, test: Dataset, readings: Readings) -> None:
    import numpy as np

    from mnist_svm.drawing.contact_sheet import draw_contact_sheet

    true, predicted = test.labels, readings.labels
    (wrong,) = np.nonzero(predicted != true)
    wrong = wrong[np.lexsort((predicted[wrong], true[wrong]))]
    names = {label: str(label) for label in np.unique(np.concatenate([true, predicted])).tolist()}
    names |= test.class_names
    captions = [f"{names[true[i]]} read as {names[predicted[i]]}" for i in wrong]
    title = f"{len(wrong):,} of {len(true):,} images misread"
    with atomic_write(path) as file:
        draw_contact_sheet(test.images[wrong], captions, title=title).save(file, format="PNG")
