"""``mnist-svm predict``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from mnist_svm.cli.options import json_option, model_option, told

if TYPE_CHECKING:
    from mnist_svm.recognizer import PictureReading


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
@click.option(
    "--sheet", metavar="FILE.png", help="Draw what the classifier saw, with what it read."
)
@json_option
@click.pass_context
def predict_command(
    ctx: click.Context,
    images: tuple[str, ...],
    model: str | None,
    top: int,
    sheet: str | None,
    as_json: bool,
) -> None:
    """Read one digit from each picture.

    Prints a line for each IMAGE, in order: file, digit and confidence, parted by tabs. Takes
    PNG, JPEG, BMP, GIF, TIFF, WebP and PPM of any size; a folder stands for the pictures in it,
    and - for a picture on standard input. Of several pages or frames, the first is read.

    The confidence goes from 0 to 1 and tells how narrowly the digit won against its closest
    rival. It ranks readings from doubtful to sure, but is not a calibrated probability.

    A picture that cannot be read is reported on stderr, the others are read all the same, and
    the exit code is 1.

    \b
    Examples:
      mnist-svm predict images_test/*.png
      mnist-svm predict scans/ --top 3 --json
      cat 7.png | mnist-svm predict -
    """
    from mnist_svm.cli.outcome import FAILED_IN_PART, say
    from mnist_svm.cli.progress import counted, is_terminal
    from mnist_svm.fileio import require_writable
    from mnist_svm.models import find_model
    from mnist_svm.recognizer import Recognizer

    if sheet:
        require_writable(sheet)
    path = find_model(model)
    recognizer = Recognizer.load(path)
    say(f"Reading with {told(path)}")
    answers, drawn = [], []
    # Where the lines themselves appear on a terminal, they are progress enough.
    with counted("Reading", "pictures", shown=as_json or not is_terminal(sys.stdout)) as report:
        for done, reading in enumerate(recognizer.read(images, top=top), start=1):
            if reading.error is not None:
                ctx.meta[FAILED_IN_PART] = True
                say(f"mnist-svm: error: {reading.file}: {reading.error}")
            elif sheet:
                drawn.append(reading)
            if reading.note is not None:
                say(f"{reading.file}: {reading.note} is read")
            if as_json:
                answers.append(_json_object(reading))
            elif reading.error is None:
                click.echo(_line(reading))
            report(done, 0)
    if as_json:
        click.echo(json.dumps(answers, indent=2))
    if sheet:
        _write_sheet(sheet, drawn)


def _line(reading: PictureReading) -> str:
    (digit, confidence), *others = reading.top
    columns = [click.format_filename(reading.file), str(digit), f"{confidence:.3f}"]
    return "\t".join([*columns, *(f"{digit}:{confidence:.3f}" for digit, confidence in others)])


def _json_object(reading: PictureReading) -> dict[str, Any]:
    if reading.error is not None:
        return {"file": reading.file, "error": reading.error}
    digit, confidence = reading.top[0]
    note = {} if reading.note is None else {"note": reading.note}
    return {
        "file": reading.file,
        **note,
        "digit": digit,
        "confidence": round(confidence, 6),
        "top": [
            {"digit": digit, "confidence": round(confidence, 6)}
            for digit, confidence in reading.top
        ],
    }


def _write_sheet(path: str, readings: list[PictureReading]) -> None:
    import numpy as np

    from mnist_svm.fileio import atomic_write
    from mnist_svm.imaging.sheet import Caption, contact_sheet

    images = [reading.image for reading in readings if reading.image is not None]
    captions = [Caption(f"{reading.top[0][0]}  {reading.top[0][1]:.2f}") for reading in readings]
    stack = np.stack(images) if images else np.zeros((0, 28, 28), dtype=np.uint8)
    with atomic_write(path) as file:
        contact_sheet(stack, captions).save(file, format="PNG")
