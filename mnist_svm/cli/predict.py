"""``mnist-svm predict``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from mnist_svm.cli.cluster import dask_option, require_dask_for, use_cluster
from mnist_svm.cli.options import (
    data_dir_option,
    describe_model,
    json_option,
    model_option,
    reject_option,
    split_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mnist_svm.datasets.types import Split
    from mnist_svm.drawing.tiles import Tile
    from mnist_svm.recognition.recognizer import Recognizer
    from mnist_svm.recognition.results import DigitReading

# What labels mean, where they are not digits.
Names = Mapping[int, str]

# Pictures that are drawn at most: some 25 megapixels, which every viewer opens.
SHOWN = 500


@click.command("predict")
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option(
    "--data",
    metavar="NAME|PATH",
    help="Read the images of a data set instead: see `mnist-svm convert --help`.",
)
@split_option
@data_dir_option
@click.option(
    "--submission",
    metavar="FILE.csv",
    help="With --data: write ImageId,Label as Kaggle's digit-recognizer takes it.",
)
@model_option
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="K",
    help="Tell the K best digits.",
)
@reject_option
@click.option(
    "--show",
    metavar="FILE.png",
    help="Draw each picture beside what the classifier saw, and what was read.",
)
@dask_option
@json_option
@click.pass_context
def predict_command(
    ctx: click.Context,
    images: tuple[str, ...],
    data: str | None,
    split: Split | None,
    data_dir: str,
    submission: str | None,
    model: str | None,
    top: int,
    reject_below: float,
    show: str | None,
    dask: str | None,
    as_json: bool,
) -> None:
    """Read one digit from each picture.

    Prints a line for each IMAGE, in order: file, digit and confidence, parted by tabs. Takes
    PNG, JPEG, BMP, GIF, TIFF, WebP and PPM of any size; a folder stands for the pictures in it,
    and - for a picture on standard input. Of several pages or frames, the first is read.

    The confidence is the probability that the digit is right, calibrated on training images that
    were held out: of digits like those of MNIST, nine in ten readings of confidence 0.9 are right.
    With --reject-below P, a digit of less confidence is a ? (in JSON null, with "rejected": true);
    --top still tells the best guesses, the first one included. `mnist-svm eval` shows which P
    rejects how many. To reject is no error: the exit code is 0.

    --data reads a data set's test part, or all of it if it is not parted, and counts its images
    from 1; its labels, if there are any, are not looked at.

    With --dask, the workers of a cluster read the images of a data set; pictures in files are read
    here all the same.

    A picture that cannot be read is reported on stderr, the others are read all the same, and
    the exit code is 1. --show draws a page of the first 500 pictures, those included that could not
    be read.

    \b
    Examples:
      mnist-svm predict images_test/*.png
      mnist-svm predict scans/ --top 3 --json
      mnist-svm predict scans/ --reject-below 0.9 --show page.png
      cat 7.png | mnist-svm predict -
      mnist-svm predict --data test.csv --submission submission.csv
      mnist-svm predict --data scans.npz --dask tcp://127.0.0.1:8786
    """
    from mnist_svm._io import require_writable
    from mnist_svm.cli.exit_codes import echo_stderr, report_problem
    from mnist_svm.cli.progress import is_terminal, progress_counter
    from mnist_svm.models.locate import find_model
    from mnist_svm.recognition.recognizer import Recognizer

    _require_sense(ctx, images, data, submission, reject_below)
    require_dask_for(dask)
    for output in filter(None, (show, submission)):
        require_writable(output)
    path = find_model(model)
    recognizer = Recognizer.load(path)
    names = recognizer.class_names
    echo_stderr(f"Reading with {describe_model(path)}")
    answers: list[dict[str, Any]] = []
    shown: list[DigitReading] = []
    labels: list[int] = []
    count = 0
    quiet = as_json or submission is not None
    # Where the lines themselves appear on a terminal, they are progress enough.
    shown_count = quiet or not is_terminal(sys.stdout)
    with use_cluster(dask), progress_counter("Reading", "pictures", visible=shown_count) as report:
        if data is None:
            readings = recognizer.read(images, top=top, thumbnails=show is not None)
        else:
            readings = _of_data(recognizer, data, split or "test", data_dir, top, report)
        for count, reading in enumerate(readings, start=1):
            report_problem(ctx, reading)
            if submission is not None:
                labels.append(reading.top[0][0])
            if as_json:
                answers.append(_json_object(reading, reject_below, names))
            elif not quiet and reading.error is None:
                click.echo(_line(reading, reject_below, names))
            if show and len(shown) < SHOWN:
                shown.append(reading)
            report(count, 0)
    if submission is not None:
        _write_submission(submission, labels)
        echo_stderr(f"Wrote {count:,} answers to {submission}")
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    if show:
        _draw(show, shown, count, reject_below, names)
        echo_stderr(f"Drew {show}")


def _require_sense(
    ctx: click.Context,
    images: tuple[str, ...],
    data: str | None,
    submission: str | None,
    reject_below: float,
) -> None:
    """Refuse arguments that do not go together."""
    if data is None and not images:
        raise click.MissingParameter(ctx=ctx, param_hint="'IMAGE...'", param_type="argument")
    if data is not None and images:
        msg = "give pictures or --data, not both"
        raise click.UsageError(msg)
    if submission is not None and data is None:
        msg = "--submission needs --data, whose images it counts"
        raise click.UsageError(msg)
    if submission is not None and reject_below:
        msg = "--submission has no place for a rejected digit; leave out --reject-below"
        raise click.UsageError(msg)


def _of_data(
    recognizer: Recognizer,
    data: str,
    split: Split,
    data_dir: str,
    top: int,
    report: Callable[[int, int], None],
) -> Iterator[DigitReading]:
    """Readings of the images of a data set, which are counted from 1."""
    from mnist_svm.datasets.load import load_images
    from mnist_svm.recognition.results import DigitReading

    images = load_images(data, split=split, data_dir=data_dir, progress=report)
    readings = recognizer.classify(images, progress=report)
    for index, image in enumerate(images):
        name = f"{data}:{index + 1}"
        yield DigitReading(name, top=tuple(readings.top(index, top)), image=image)


def _write_submission(path: str, labels: list[int]) -> None:
    from mnist_svm._io import atomic_write

    lines = ["ImageId,Label", *(f"{index},{label}" for index, label in enumerate(labels, start=1))]
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def _answer(reading: DigitReading, reject_below: float) -> int | None:
    """The digit read, or None if it is rejected."""
    digit, confidence = reading.top[0]
    return digit if confidence >= reject_below else None


def _shown(answer: int | None, names: Names) -> str:
    """What to call an answer."""
    return "?" if answer is None else names.get(answer, str(answer))


def _line(reading: DigitReading, reject_below: float, names: Names) -> str:
    answer, (_, confidence) = _answer(reading, reject_below), reading.top[0]
    file, shown = click.format_filename(reading.file), _shown(answer, names)
    # What is rejected is a guess like the others; alone, it would be an answer after all.
    guesses = reading.top if answer is None and len(reading.top) > 1 else reading.top[1:]
    others = (f"{_shown(digit, names)}:{confidence:.3f}" for digit, confidence in guesses)
    return "\t".join([file, shown, f"{confidence:.3f}", *others])


def _json_object(reading: DigitReading, reject_below: float, names: Names) -> dict[str, Any]:
    if reading.error is not None:
        return {"file": reading.file, "error": reading.error}
    answer, (_, confidence) = _answer(reading, reject_below), reading.top[0]
    note = {} if reading.note is None else {"note": reading.note}
    return {
        "file": reading.file,
        **note,
        "digit": answer,
        **({} if answer is None or answer not in names else {"name": names[answer]}),
        "confidence": round(confidence, 6),
        "rejected": answer is None,
        "top": [
            {"digit": digit, "confidence": round(confidence, 6)}
            for digit, confidence in reading.top
        ],
    }


def _draw(
    path: str, readings: list[DigitReading], count: int, reject_below: float, names: Names
) -> None:
    """Draw the first of so many readings."""
    from mnist_svm._io import atomic_write
    from mnist_svm.drawing.tiles import draw_tiles

    pictures = f"{count:,} picture{'s' if count > 1 else ''}"
    title = pictures if count == len(readings) else f"The first {len(readings):,} of {pictures}"
    note = (
        "Left the picture, right what the classifier saw. Below, the digit read and its confidence."
    )
    tiles = [_tile(reading, reject_below, names) for reading in readings]
    with atomic_write(path) as file:
        draw_tiles(tiles, title=title, note=note).save(file, format="PNG")


def _tile(reading: DigitReading, reject_below: float, names: Names) -> Tile:
    from mnist_svm.drawing.tiles import Tile

    name = PurePath(reading.file).name or reading.file
    if reading.error is not None:
        return Tile(name, reading.thumbnail, None, "", "not read", reading.error)
    answer, (_, confidence) = _answer(reading, reject_below), reading.top[0]
    shown = _shown(answer, names)
    remark = f"{confidence:.3f}" + (f" < {reject_below:g}" if answer is None else "")
    return Tile(name, reading.thumbnail, reading.image, shown, remark)
