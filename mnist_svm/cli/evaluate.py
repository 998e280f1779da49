"""``mnist-svm eval``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.options import (
    data_dir_option,
    data_option,
    jobs_option,
    json_option,
    model_option,
    told,
)

if TYPE_CHECKING:
    from mnist_svm.datasets.load import Dataset
    from mnist_svm.recognizer import Readings
    from mnist_svm.report import Evaluation


@click.command("eval")
@model_option
@data_option
@data_dir_option
@click.option(
    "--plot", metavar="FILE.png", help="Draw the confusion matrix (needs the extra [plot])."
)
@click.option("--errors", metavar="FILE.png", help="Draw the misread images with their labels.")
@jobs_option
@json_option
def evaluate_command(
    model: str | None,
    data: str,
    data_dir: str,
    plot: str | None,
    errors: str | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Measure a model on the test images.

    Prints accuracy, error rate with its 95 % Wilson interval, the confusion matrix, precision,
    recall and F1 of each digit, the most frequent confusions, and images per second.

    Then how far the confidence can be relied on: the expected calibration error (by how much it is
    off from the share that is read right, on average over 15 bins), and what is left when the least
    sure images are rejected. The last column is the P of `mnist-svm predict --reject-below P`.

    \b
    Examples:
      mnist-svm eval
      mnist-svm eval --errors misread.png --plot confusion.png
      mnist-svm eval --json | jq .accuracy
    """
    import time

    from mnist_svm.cli.outcome import say
    from mnist_svm.cli.progress import counted
    from mnist_svm.datasets.load import load_dataset
    from mnist_svm.fileio import require_writable
    from mnist_svm.models import find_model
    from mnist_svm.recognizer import Recognizer
    from mnist_svm.report import evaluate, require_matplotlib

    if plot:
        require_matplotlib()
    for picture in filter(None, (plot, errors)):
        require_writable(picture)
    path = find_model(model)
    recognizer = Recognizer.load(path, n_jobs=jobs)
    dataset = load_dataset(data, split="test", data_dir=data_dir)
    say(f"Evaluating {told(path)} on the {len(dataset.labels):,} test images of {data}")
    start = time.perf_counter()
    with counted("Reading", "images") as report_progress:
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


def _write_plot(path: str, evaluation: Evaluation) -> None:
    from mnist_svm.fileio import atomic_write
    from mnist_svm.report import plot_confusion

    figure = plot_confusion(evaluation)
    with atomic_write(path) as file:
        figure.savefig(file, format="png")


def _write_errors(path: str, dataset: Dataset, readings: Readings) -> None:
    import numpy as np

    from mnist_svm.fileio import atomic_write
    from mnist_svm.imaging.sheet import Caption, contact_sheet

    (wrong,) = np.nonzero(readings.labels != dataset.labels)
    wrong = wrong[np.lexsort((readings.labels[wrong], dataset.labels[wrong]))]
    captions = [
        Caption(f"{dataset.labels[i]} read {readings.labels[i]}", right=False) for i in wrong
    ]
    title = f"{len(wrong):,} of {len(dataset.labels):,} images misread: true digit, what was read"
    with atomic_write(path) as file:
        contact_sheet(dataset.images[wrong], captions, title=title).save(file, format="PNG")
