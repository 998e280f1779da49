"""``mnist-svm predict``."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from mnist_svm._io import atomic_write, require_writable
from mnist_svm.cli.cluster import dask_option, require_dask_for, use_cluster
from mnist_svm.cli.exit_codes import echo_stderr, report_problem
from mnist_svm.cli.options import (
    data_dir_option,
    json_option,
    model_option,
    orientation_option,
    reject_option,
    split_option,
)
from mnist_svm.cli.progress import is_terminal, progress_counter
from mnist_svm.cli.recognizer import load_recognizer
from mnist_svm.exceptions import sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mnist_svm.datasets.types import Split
    from mnist_svm.drawing.tiles import Tile
    from mnist_svm.recognition.recognizer import Recognizer
    from mnist_svm.recognition.results import DigitReading

# Names of labels that are not digits.
Names = Mapping[int, str]

# Longer side in pixels of the copy of a picture that --show draws.
THUMBNAIL_SIDE = 112

# Pictures drawn by --show: about 25 megapixels, which every viewer opens.
MAX_TILES = 500


@click.command("predict")
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option(
    "--data",
    metavar="NAME|PATH",
    help="Read the images of a data set instead: see `mnist-svm convert --help`.",
)
@split_option
@orientation_option
@data_dir_option
@click.option(
    "--submission",
    metavar="FILE.csv",
    help="With --data: write ImageId,Label for Kaggle's digit-recognizer competition.",
)
@model_option
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="K",
    help="Print the K most probable digits.",
)
@reject_option
@click.option(
    "--show",
    metavar="FILE.png",
    help="Draw each picture with the image that was classified and the prediction.",
)
@dask_option
@json_option
@click.pass_context
def predict_command(
    ctx: click.Context,
    images: tuple[str, ...],
    data: str | None,
    split: Split | None,
    orientation: str | None,
    data_dir: str | None,
    submission: str | None,
    model: str | None,
    top: int,
    reject_below: float,
    show: str | None,
    dask: str | None,
    as_json: bool,
) -> None:
    """Read one digit from each picture.

    Prints one line per IMAGE, in order: file, digit and confidence, separated by tabs. IMAGE is a
    PNG, JPEG, BMP, GIF, TIFF, WebP or PPM file of any size; a folder stands for the pictures in it,
    and - for standard input. Of several pages or frames, the first is read.

    The confidence is the probability that the digit is correct, calibrated on held-out training
    images: for digits like those of MNIST, nine in ten readings with confidence 0.9 are correct.
    With --reject-below P, digits with a confidence below P are printed as ? (in JSON null, with
    "rejected": true); --top still lists the most probable digits. `mnist-svm eval` shows the
    rejection rate for each P. Rejected digits do not change the exit code.

    --data reads the test split of a data set, or all of it if it is not split, and numbers its
    images from 1. Labels are ignored. With --dask, the workers of a cluster classify the images of
    a data set; picture files are always read by this process.

    A picture that cannot be read, or shows several digits (see `mnist-svm read`), is reported on
    stderr; the others are still read, and the exit code is 1. --show draws the first 500 pictures,
    including unreadable ones.

    \b
    Examples:
      mnist-svm predict images_test/*.png
      mnist-svm predict scans/ --top 3 --json
      mnist-svm predict scans/ --reject-below 0.9 --show page.png
      cat 7.png | mnist-svm predict -
      mnist-svm predict --data test.csv --submission submission.csv
      mnist-svm predict --data scans.npz --dask tcp://127.0.0.1:8786
    """
    _check_usage(ctx, images, data, submission, reject_below)
    require_dask_for(dask)
    for output in filter(None, (show, submission)):
        require_writable(output)
    recognizer = load_recognizer(model)
    names = recognizer.class_names
    prints_lines = not as_json and submission is None
    # Lines printed on a terminal show the progress by themselves.
    visible = not (prints_lines and is_terminal(sys.stdout))
    results: list[dict[str, Any]] = []
    labels: list[int] = []
    tiles: list[Tile] = []
    count = 0
    with use_cluster(dask), progress_counter("Reading", "pictures", visible=visible) as report:
        if data is None:
            readings = recognizer.read(images, thumbnail=THUMBNAIL_SIDE if show else None)
        else:
            part = split or "test"
            readings = _read_dataset(recognizer, data, part, data_dir, orientation, report)
        for count, reading in enumerate(readings, start=1):
            report_problem(ctx, reading)
            if submission is not None:
                labels.append(reading.label)
            if as_json:
                results.append(reading.to_dict(top=top, reject_below=reject_below, names=names))
            if prints_lines and reading.error is None:
                click.echo(_line(reading, top, reject_below, names))
            if show and count <= MAX_TILES:
                tiles.append(_tile(reading, reject_below, names))
            report(count, 0)
    if submission is not None:
        _write_submission(submission, labels, names)
    if as_json:
        click.echo(json.dumps(results, indent=2))
    if show:
        _draw(show, tiles, count)


def _check_usage(
    ctx: click.Context,
    images: tuple[str, ...],
    data: str | None,
    submission: str | None,
    reject_below: float,
) -> None:
    """Raise if arguments are missing or contradict each other."""
    if data is None and not images:
        raise click.MissingParameter(ctx=ctx, param_hint="'IMAGE...'", param_type="argument")
    if data is not None and images:
        msg = "give pictures or --data, not both"
        raise click.UsageError(msg)
    if submission is not None and data is None:
        msg = "--submission needs --data: it numbers the images of a data set"
        raise click.UsageError(msg)
    if submission is not None and reject_below:
        msg = "--submission cannot contain rejected digits; leave out --reject-below"
        raise click.UsageError(msg)


def _read_dataset(
    recognizer: Recognizer,
    data: str,
    split: Split,
    data_dir: str | None,
    orientation: str | None,
    report: Callable[[int, int], None],
) -> Iterator[DigitReading]:
    """Yield readings of the images of a data set, named NAME:1, NAME:2, ..."""
    from mnist_svm.cli.dataset import report_notices
    from mnist_svm.datasets.reader import open_dataset
    from mnist_svm.recognition.results import DigitReading

    content = open_dataset(data, data_dir, orientation).read(split, report)
    report_notices(data, content.notices, inverted=content.inverted)
    images = content.images
    readings = recognizer.classify(images, progress=report)
    for index, image in enumerate(images):
        reading = DigitReading(f"{data}:{index + 1}", image=image)
        yield reading.with_probabilities(readings.classes, readings.probabilities[index])


def _label_text(reading: DigitReading, reject_below: float, names: Names) -> str:
    if reading.confidence < reject_below:
        return "?"
    return sanitize(names.get(reading.label, str(reading.label)))


def _line(reading: DigitReading, top: int, reject_below: float, names: Names) -> str:
    columns = [
        click.format_filename(reading.file),
        _label_text(reading, reject_below, names),
        f"{reading.confidence:.3f}",
    ]
    # With --top, a rejected label is listed like the others.
    first = 0 if reading.confidence < reject_below and top > 1 else 1
    guesses = reading.top(top)[first:]
    columns += [f"{sanitize(names.get(label, str(label)))}:{p:.3f}" for label, p in guesses]
    return "\t".join(columns)


def _tile(reading: DigitReading, reject_below: float, names: Names) -> Tile:
    from mnist_svm.drawing.tiles import Tile

    name = PurePath(reading.file).name or reading.file
    if reading.error is not None:
        return Tile(name, reading.thumbnail, None, "", "not read", reading.error)
    remark = f"{reading.confidence:.3f}"
    if reading.confidence < reject_below:
        remark += f" < {reject_below:g}"
    answer = _label_text(reading, reject_below, names)
    return Tile(name, reading.thumbnail, reading.image, answer, remark)


def _write_submission(path: str, labels: list[int], names: Names) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ImageId", "Label"])
    writer.writerows((i, names.get(label, label)) for i, label in enumerate(labels, start=1))
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())
    echo_stderr(f"Wrote {len(labels):,} answers to {path}")


def _draw(path: str, tiles: list[Tile], count: int) -> None:
    from mnist_svm.drawing.tiles import draw_tiles

    title = f"{count:,} picture{'s' if count > 1 else ''}"
    if count > len(tiles):
        title = f"The first {len(tiles):,} of {title}"
    note = "Left: the picture. Right: the image that was classified. Below: digit and confidence."
    with atomic_write(path) as file:
        draw_tiles(tiles, title=title, note=note).save(file, format="PNG")
    echo_stderr(f"Drew {path}")
