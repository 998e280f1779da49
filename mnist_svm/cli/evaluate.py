"""``mnist-svm eval``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.options import (
    data_dir_option,
    data_option,
    describe_model,
    jobs_option,
    json_option,
    model_option,
)

if TYPE_CHECKING:
    from mnist_svm.datasets.types import Dataset
    from mnist_svm.evaluation.html import Measurement
    from mnist_svm.evaluation.learning_curve import LearningPoint
    from mnist_svm.evaluation.measures import Evaluation
    from mnist_svm.recognition.recognizer import Recognizer
    from mnist_svm.recognition.results import Readings


@click.command("eval")
@model_option
@data_option
@data_dir_option
@click.option(
    "--plot", metavar="FILE.png", help="Draw the confusion matrix (needs the extra [plot])."
)
@click.option("--errors", metavar="FILE.png", help="Draw the misread images with their labels.")
@click.option(
    "--report",
    metavar="FILE.html",
    help="Write a page with all figures, charts and misread images (needs the extra [plot]).",
)
@click.option(
    "--learning-curve",
    is_flag=True,
    help="Train anew on 500, 1,000, 2,000, ... and all images, for the report; takes a while.",
)
@jobs_option
@json_option
def evaluate_command(
    model: str | None,
    data: str,
    data_dir: str,
    plot: str | None,
    errors: str | None,
    report: str | None,
    learning_curve: bool,
    jobs: int,
    as_json: bool,
) -> None:
    """Measure a model on the test images.

    Prints accuracy, error rate with its 95 % Wilson interval, the confusion matrix, precision,
    recall and F1 of each digit, the most frequent confusions, and images per second.

    Then how far the confidence can be relied on: the expected calibration error (by how much it is
    off from the share that is read right, on average over 15 bins), and what is left when the least
    sure images are rejected. The last column is the P of `mnist-svm predict --reject-below P`.

    The report is one HTML file, to be looked at in a browser, printed or passed on: it holds all it
    shows and loads nothing from elsewhere.

    \b
    Examples:
      mnist-svm eval
      mnist-svm eval --report report.html
      mnist-svm eval --errors misread.png --plot confusion.png
      mnist-svm eval --json | jq .accuracy
    """
    import time

    from mnist_svm._io import require_writable
    from mnist_svm.cli.dataset import read_dataset
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.evaluation.html import Measurement, require_page
    from mnist_svm.evaluation.measures import evaluate, require_matplotlib
    from mnist_svm.models.locate import find_model
    from mnist_svm.recognition.recognizer import Recognizer

    if learning_curve and not report:
        msg = "--learning-curve is drawn in a report: give --report FILE.html as well"
        raise click.UsageError(msg)
    if plot:
        require_matplotlib()
    if report:
        require_page()
    for output in filter(None, (plot, errors, report)):
        require_writable(output)
    path = find_model(model)
    recognizer = Recognizer.load(path, n_jobs=jobs)
    dataset = read_dataset(data, "test", data_dir)
    _tell_if_known(recognizer, dataset)
    learn = _learner(recognizer, dataset, data, data_dir) if learning_curve else None
    echo_stderr(
        f"Evaluating {describe_model(path)} on the {len(dataset.labels):,} test images of {data}"
    )
    start = time.perf_counter()
    with progress_counter("Reading", "images") as report_progress:
        readings = recognizer.classify(dataset.images, progress=report_progress)
    seconds = time.perf_counter() - start
    evaluation = evaluate(dataset.labels, readings.labels, readings.confidence)

    if as_json:
        speed = {"seconds": seconds, "images_per_second": len(dataset.labels) / seconds}
        click.echo(json.dumps({"model": str(path), "data": data, **evaluation.to_dict(), **speed}))
    else:
        click.echo(evaluation.to_text())
        click.echo(f"\nSpeed       {len(dataset.labels) / seconds:,.0f} images/s")
    if plot:
        _write_plot(plot, evaluation)
    if errors:
        _write_errors(errors, dataset, readings)
    if report:
        metadata, lessons = recognizer.model.metadata, learn() if learn else ()
        measured = Measurement(describe_model(path), metadata, dataset, readings, seconds, lessons)
        _write_report(report, measured)


def _tell_if_known(recognizer: Recognizer, dataset: Dataset) -> None:
    """Say that the images are those that the model has learned from, if they are."""
    from mnist_svm.cli.exit_codes import echo_stderr

    known = recognizer.model.metadata.get("training", {}).get("sha256", {})
    if set(dataset.sha256.values()) <= set(known.values()):
        echo_stderr(
            "The model was trained on these very images; how it does on others, they do not tell: "
            "hold some out"
        )


def _write_plot(path: str, evaluation: Evaluation) -> None:
    from mnist_svm._io import atomic_write
    from mnist_svm.evaluation.measures import plot_confusion

    figure = plot_confusion(evaluation)
    with atomic_write(path) as file:
        figure.savefig(file, format="png")


def _write_errors(path: str, dataset: Dataset, readings: Readings) -> None:
    import numpy as np

    from mnist_svm._io import atomic_write
    from mnist_svm.drawing.contact_sheet import Caption, draw_contact_sheet

    (wrong,) = np.nonzero(readings.labels != dataset.labels)
    wrong = wrong[np.lexsort((readings.labels[wrong], dataset.labels[wrong]))]
    captions = [
        Caption(f"{dataset.labels[i]} read {readings.labels[i]}", correct=False) for i in wrong
    ]
    title = f"{len(wrong):,} of {len(dataset.labels):,} images misread: true digit, what was read"
    with atomic_write(path) as file:
        draw_contact_sheet(dataset.images[wrong], captions, title=title).save(file, format="PNG")


def _learner(
    recognizer: Recognizer, dataset: Dataset, data: str, data_dir: str
) -> Callable[[], tuple[LearningPoint, ...]]:
    """What trains the model anew, once it is clear that nothing keeps it from that."""
    from mnist_svm.cli.dataset import read_dataset
    from mnist_svm.cli.progress import run_with_progress
    from mnist_svm.evaluation.learning_curve import TrainingConfig, learning_curve, require_apart

    course = TrainingConfig.of(recognizer.model.metadata)
    train = read_dataset(data, "train", data_dir)
    require_apart(train, dataset)
    jobs = recognizer.n_jobs
    return lambda: run_with_progress(
        "Learning curve", lambda: learning_curve(course, train, dataset, n_jobs=jobs)
    )


def _write_report(path: str, measured: Measurement) -> None:
    from mnist_svm._io import atomic_write
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.evaluation.html import report_page

    # File names need not be valid Unicode.
    page = report_page(measured).encode(errors="replace")
    with atomic_write(path) as file:
        file.write(page)
    echo_stderr(f"Report written to {path}")
