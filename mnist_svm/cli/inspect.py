"""``mnist-svm inspect``."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from mnist_svm.cli import options
from mnist_svm.cli.exit_codes import echo_stderr
from mnist_svm.cli.progress import progress_counter, run_with_progress
from mnist_svm.models.locate import find_model

if TYPE_CHECKING:
    from mnist_svm.datasets.types import LabelledImages, Split
    from mnist_svm.evaluation.inspection import PartFacts
    from mnist_svm.recognition.recognizer import Recognizer

# Doubtful labels that are listed of each part, if no number is given.
N_DOUBTS = 3


@click.command("inspect")
@click.argument("data", metavar="DATA")
@options.model_option
@options.split_option
@options.orientation_option
@options.data_dir_option
@click.option(
    "--doubts",
    type=click.IntRange(min=1),
    metavar="N",
    help="List the N labels of each part that the model contradicts with the highest confidence.",
)
@click.option(
    "--sheet",
    metavar="FILE.png",
    help="Draw ten images of each class, and the doubtful ones with what is read.",
)
@options.jobs_option
@options.json_option
def inspect_command(
    data: str,
    model: str | None,
    split: Split | None,
    orientation: str | None,
    data_dir: str | None,
    doubts: int | None,
    sheet: str | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Look at a data set before it is used.

    DATA is a name of the catalog, a file or a folder: see `mnist-svm convert --help`. Prints what
    is in each part: images, classes, grey levels, polarity, form, blank images and copies, and how
    much of it the model reads as labelled. Then come the faults, each with what to do: mixed
    polarity, turned images, wrong, shifted or exchanged labels, images of test that are in train,
    missing classes, and more. The name in brackets is for programs. A data set with faults is no
    failure of the command: the exit code is 0.

    Labels that the model contradicts are wrong, or the images are hard to read. Images that the
    model was trained on are read, with --doubts, by two models that are trained on the other half
    each (half a minute for MNIST). Images are numbered from 0.

    \b
    Examples:
      mnist-svm inspect mnist
      mnist-svm inspect my-digits/ --sheet sheet.png
      mnist-svm inspect mnist --split test --doubts 20
      mnist-svm inspect train.csv --json | jq '.findings[].key'
    """
    from mnist_svm._io import atomic_write, require_writable
    from mnist_svm.datasets.reader import open_dataset
    from mnist_svm.evaluation.findings import find_faults
    from mnist_svm.evaluation.inspection import inspect_part
    from mnist_svm.evaluation.inspection_report import Inspection, choose_for_sheet, draw_sheet
    from mnist_svm.evaluation.source import describe_form
    from mnist_svm.recognition.recognizer import Recognizer

    if sheet:
        require_writable(sheet)
    reader = open_dataset(data, data_dir, orientation)
    if split is not None:
        reader = reader.select(split)
    path = find_model(model)
    recognizer = Recognizer.load(path, n_jobs=jobs)
    facts, doubted, read_as, on_sheet = [], {}, {}, []
    # "all" or "train" before "test".
    for name in sorted(reader.parts, key="test".__eq__):
        with progress_counter(f"Reading {data}", "images") as report_progress:
            content = reader.parts[name].read(report_progress)
        show = partial(progress_counter, unit="images")
        found = inspect_part(name, content, recognizer, show)
        found, read_as[name] = _read_again(found, content, recognizer, doubts is not None)
        facts.append(found)
        doubted[name] = found.doubts(doubts or N_DOUBTS)
        if sheet:
            on_sheet += choose_for_sheet(found, content, doubted[name])
    inspection = Inspection(
        data=data,
        form=describe_form(data),
        model=options.describe_model(path),
        parts=facts,
        findings=find_faults(facts),
        doubts=doubted,
        read_as=read_as,
    )
    if as_json:
        click.echo(json.dumps(inspection.to_dict(), indent=2))
    else:
        click.echo(inspection.to_text())
    if sheet:
        with atomic_write(sheet) as file:
            draw_sheet(on_sheet, data).save(file, format="PNG")
        echo_stderr(f"Drew {sheet}")


def _read_again(
    facts: PartFacts, content: LabelledImages, recognizer: Recognizer, out_of_fold: bool
) -> tuple[PartFacts, str]:
    """Read images out of fold that the model was trained on, if that is wanted; say which it is."""
    from mnist_svm.datasets.types import Dataset
    from mnist_svm.evaluation.doubts import read_out_of_fold, was_trained_on

    if (
        facts.readings is None
        or content.labels is None
        or not was_trained_on(recognizer.model.info, content)
    ):
        return facts, ""
    if not out_of_fold:
        return facts, "(trained on)"
    echo_stderr(
        f"The model was trained on {facts.name}: each half of it is read by a model of the other"
    )
    dataset = Dataset(facts.name, content.images, content.labels, {}, content.class_names)
    readings = run_with_progress(
        "Reading out of fold", lambda: read_out_of_fold(dataset, n_jobs=recognizer.n_jobs or 1)
    )
    return replace(facts, readings=readings), "(out of fold)"
