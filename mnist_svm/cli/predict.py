"""``mnist-svm predict``."""

from __future__ import annotations

import json
import sys
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from mnist_svm.cli.options import json_option, model_option, reject_option, told

if TYPE_CHECKING:
    from mnist_svm.imaging.tiles import Tile
    from mnist_svm.recognizer import PictureReading

# Pictures that are drawn at most: some 25 megapixels, which every viewer opens.
SHOWN = 500


@click.command("predict")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
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
@json_option
@click.pass_context
def predict_command(
    ctx: click.Context,
    images: tuple[str, ...],
    model: str | None,
    top: int,
    reject_below: float,
    show: str | None,
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

    A picture that cannot be read is reported on stderr, the others are read all the same, and
    the exit code is 1. --show draws a page of the first 500 pictures, those included that could not
    be read.

    \b
    Examples:
      mnist-svm predict images_test/*.png
      mnist-svm predict scans/ --top 3 --json
      mnist-svm predict scans/ --reject-below 0.9 --show page.png
      cat 7.png | mnist-svm predict -
    """
    from mnist_svm.cli.outcome import say, tell_of
    from mnist_svm.cli.progress import counted, is_terminal
    from mnist_svm.fileio import require_writable
    from mnist_svm.models import find_model
    from mnist_svm.recognizer import Recognizer

    if show:
        require_writable(show)
    path = find_model(model)
    recognizer = Recognizer.load(path)
    say(f"Reading with {told(path)}")
    answers: list[dict[str, Any]] = []
    shown: list[PictureReading] = []
    count = 0
    # Where the lines themselves appear on a terminal, they are progress enough.
    with counted("Reading", "pictures", shown=as_json or not is_terminal(sys.stdout)) as report:
        readings = recognizer.read(images, top=top, thumbnails=show is not None)
        for count, reading in enumerate(readings, start=1):
            tell_of(ctx, reading)
            if as_json:
                answers.append(_json_object(reading, reject_below))
            elif reading.error is None:
                click.echo(_line(reading, reject_below))
            if show and len(shown) < SHOWN:
                shown.append(reading)
            report(count, 0)
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    if show:
        _draw(show, shown, count, reject_below)
        say(f"Drew {show}")


def _answer(reading: PictureReading, reject_below: float) -> int | None:
    """The digit read, or None if it is rejected."""
    digit, confidence = reading.top[0]
    return digit if confidence >= reject_below else None


def _line(reading: PictureReading, reject_below: float) -> str:
    answer, (_, confidence) = _answer(reading, reject_below), reading.top[0]
    file, shown = click.format_filename(reading.file), "?" if answer is None else str(answer)
    # What is rejected is a guess like the others; alone, it would be an answer after all.
    guesses = reading.top if answer is None and len(reading.top) > 1 else reading.top[1:]
    others = (f"{digit}:{confidence:.3f}" for digit, confidence in guesses)
    return "\t".join([file, shown, f"{confidence:.3f}", *others])


def _json_object(reading: PictureReading, reject_below: float) -> dict[str, Any]:
    if reading.error is not None:
        return {"file": reading.file, "error": reading.error}
    answer, (_, confidence) = _answer(reading, reject_below), reading.top[0]
    note = {} if reading.note is None else {"note": reading.note}
    return {
        "file": reading.file,
        **note,
        "digit": answer,
        "confidence": round(confidence, 6),
        "rejected": answer is None,
        "top": [
            {"digit": digit, "confidence": round(confidence, 6)}
            for digit, confidence in reading.top
        ],
    }


def _draw(path: str, readings: list[PictureReading], count: int, reject_below: float) -> None:
    """Draw the first of so many readings."""
    from mnist_svm.fileio import atomic_write
    from mnist_svm.imaging.tiles import draw_tiles

    pictures = f"{count:,} picture{'s' if count > 1 else ''}"
    title = pictures if count == len(readings) else f"The first {len(readings):,} of {pictures}"
    note = (
        "Left the picture, right what the classifier saw. Below, the digit read and its confidence."
    )
    tiles = [_tile(reading, reject_below) for reading in readings]
    with atomic_write(path) as file:
        draw_tiles(tiles, title=title, note=note).save(file, format="PNG")


def _tile(reading: PictureReading, reject_below: float) -> Tile:
    from mnist_svm.imaging.tiles import Tile

    name = PurePath(reading.file).name or reading.file
    if reading.error is not None:
        return Tile(name, reading.thumbnail, None, "", "not read", reading.error)
    answer, (_, confidence) = _answer(reading, reject_below), reading.top[0]
    shown = "?" if answer is None else str(answer)
    remark = f"{confidence:.3f}" + (f" < {reject_below:g}" if answer is None else "")
    return Tile(name, reading.thumbnail, reading.image, shown, remark)
