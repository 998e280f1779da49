"""``mnist-svm teach``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mnist_svm.cli import options
from mnist_svm.models.locate import find_model

if TYPE_CHECKING:
    from mnist_svm.datasets.types import Dataset
    from mnist_svm.models.file import Model
    from mnist_svm.training.teach import Comparison, Teaching


@click.command("teach")
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
@options.model_option
@options.output_option
@options.data_dir_option
@options.json_option
def teach_command(
    folder: str, model: str | None, output: str, data_dir: str | None, as_json: bool
) -> None:
    """Teach a model a way of writing, from pictures that it misread.

    FOLDER has pictures of one digit each in sub-folders named 0 to 9 by what they are;
    `mnist-svm serve --corrections FOLDER` collects them. Five of a digit are enough to start with.

    The model is trained again on what it was trained on and on these pictures, with distorted
    copies of each. If the data sets cannot be had, or the model has several SVMs, its support
    vectors take their place. Then more other digits may be misread than before. Printed are the
    pictures that are misread before and after, each by a model that learned from the others only,
    and the errors on the test images of the model's first data set.

    FOLDER is the whole record: teaching again replaces what was learned from it before.

    \b
    Examples:
      mnist-svm teach corrections
      mnist-svm teach corrections -m best.joblib -o mine.joblib
      mnist-svm teach corrections --json | jq .corrections
    """
    from mnist_svm._io import require_writable
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import run_with_progress
    from mnist_svm.models.file import load_model, save_model
    from mnist_svm.training.teach import load_corrections, teach

    start = time.perf_counter()
    require_writable(output)
    path = find_model(model)
    given = load_model(path)
    corrections = load_corrections(folder, given.info)
    n = len(corrections.labels)
    training, reason = _read_training_images(given, folder, data_dir)
    test, no_test = _read_test_images(given, data_dir)
    echo_stderr(f"Teaching {options.describe_model(path)} {n:,} corrections of {folder}")
    if reason:
        echo_stderr(f"With its support vectors in place of its training images: {reason}")
    if no_test:
        why = "for the same reason" if no_test == reason else no_test
        echo_stderr(f"No test images to compare on: {why}")
    teaching = run_with_progress("Teaching", lambda: teach(given, corrections, training))
    compared = None if test is None else _compare(given, teaching.model, test)
    save_model(output, teaching.model)
    seconds, n_bytes = time.perf_counter() - start, Path(output).stat().st_size
    if as_json:
        summary = {
            "model": output,
            "bytes": n_bytes,
            "seconds": seconds,
            "n_corrections": n,
            "corrections": teaching.corrections.to_dict(),
            "test": compared and compared.to_dict(),
            "support_vectors_only": reason,
            **teaching.model.info.to_dict(),
        }
        click.echo(json.dumps(summary, indent=2))
    else:
        click.echo(_format_summary(teaching, compared, seconds))
        click.echo(f"Model        {output} ({n_bytes / 1e6:.1f} MB)")


def _read_training_images(
    model: Model, folder: str, data_dir: str | None
) -> tuple[Dataset | None, str | None]:
    """Return what the model was trained on, or why it cannot be used."""
    from mnist_svm.cli.exit_codes import error_message
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.exceptions import MnistSvmError
    from mnist_svm.training.teach import load_training_images

    try:
        with progress_counter("Reading the training images", "images") as report:
            return load_training_images(model.info, folder, data_dir, report), None
    except (MnistSvmError, OSError) as error:
        return None, error_message(error)


def _read_test_images(model: Model, data_dir: str | None) -> tuple[Dataset | None, str | None]:
    """Return the test images of the model's first data set, if any, or why they cannot be used."""
    from mnist_svm.cli.exit_codes import error_message
    from mnist_svm.datasets.load import load_dataset
    from mnist_svm.exceptions import MnistSvmError

    try:
        test = load_dataset(model.info.training.sets[0].name, split="test", data_dir=data_dir)
    except (MnistSvmError, OSError) as error:
        return None, error_message(error)
    # A data set without splits is both.
    return (None if model.info.training.includes(test.sha256) else test), None


def _compare(before: Model, after: Model, test: Dataset) -> Comparison:
    """Count the test images that two models misread."""
    from mnist_svm.recognition.recognizer import Recognizer
    from mnist_svm.training.teach import Comparison

    errors = [
        int((Recognizer(model).classify(test.images).labels != test.labels).sum())
        for model in (before, after)
    ]
    return Comparison(test.name, len(test.labels), *errors)


def _format_summary(teaching: Teaching, test: Comparison | None, seconds: float) -> str:
    corrections, n = teaching.corrections, teaching.n_corrections
    before, after = corrections.before, corrections.after
    some = "" if corrections.n == n else f" ({n:,} in all)"
    learned = f"{after} after learning from the others only"
    lines = [f"Corrections  {before} of {corrections.n}{some} misread before, {learned}"]
    if test:
        changed = f"{test.before} of {test.n:,} misread before, {test.after} after"
        lines.append(f"Test images  {changed} ({test.data})")
    lines.append(f"Time         {seconds:.1f} s")
    return "\n".join(lines)
