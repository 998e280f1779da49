"""``mnist-svm read``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnist_svm.cli.options import describe_model, json_option, model_option, reject_option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from mnist_svm.recognition.results import PageReading

# Of the picture that is drawn on.
PIXELS = 1600

# Without --reject-below, a digit of less confidence has a red box.
DOUBTFUL = 0.9


@click.command("read")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@model_option
@reject_option
@click.option(
    "--annotate", metavar="FILE.png", help="Draw what was read on the picture; of one IMAGE."
)
@json_option
@click.pass_context
def read_command(
    ctx: click.Context,
    images: tuple[str, ...],
    model: str | None,
    reject_below: float,
    annotate: str | None,
    as_json: bool,
) -> None:
    """Read all the digits on a photo, a scan or a drawing.

    Prints the numbers line by line as they stand on the picture, with a space where there is a wide
    gap; of several pictures, each line after the file's name and a tab. Dots, commas, dashes and
    ruled lines are passed over, and digits that touch are cut apart. What is not a digit, such as
    letters, is read as if it were.

    IMAGE is a picture as `predict` takes it; a folder stands for the pictures in it, and - for a
    picture on standard input. With --json, each digit has its box on the picture, in pixels, and
    its confidence. With --reject-below P, a digit of less confidence is a ?.

    A picture that cannot be read is reported on stderr, the others are read all the same, and
    the exit code is 1.

    \b
    Examples:
      mnist-svm read page.jpg
      mnist-svm read page.jpg --annotate seen.png
      mnist-svm read scans/ --reject-below 0.9 --json
    """
    from mnist_svm._io import require_writable
    from mnist_svm.cli.exit_codes import echo_stderr, report_problem
    from mnist_svm.cli.progress import is_terminal, progress_counter
    from mnist_svm.models.locate import find_model
    from mnist_svm.recognition.recognizer import Recognizer

    several = len(images) > 1 or Path(images[0]).is_dir()
    if annotate:
        if several:
            msg = "--annotate draws on one picture; give one IMAGE"
            raise click.UsageError(msg)
        require_writable(annotate)
    path = find_model(model)
    recognizer = Recognizer.load(path)
    echo_stderr(f"Reading with {describe_model(path)}")
    answers: list[dict[str, Any]] = []
    with progress_counter(
        "Reading", "pictures", visible=as_json or not is_terminal(sys.stdout)
    ) as report:
        readings = recognizer.read_pages(images, thumbnail=PIXELS if annotate else None)
        for count, reading in enumerate(readings, start=1):
            report_problem(ctx, reading)
            if as_json:
                answers.append(_json_object(reading, reject_below))
            else:
                _print(reading, several, reject_below)
            if annotate and reading.thumbnail is not None and reading.rows:
                _draw(annotate, reading, reading.thumbnail, reject_below)
                echo_stderr(f"Drew {annotate}")
            report(count, 0)
    if as_json:
        click.echo(json.dumps(answers, indent=2))


def _print(reading: PageReading, several: bool, reject_below: float) -> None:
    from mnist_svm.recognition.results import row_text

    name = f"{click.format_filename(reading.file)}\t" if several else ""
    for row in reading.rows:
        click.echo(name + row_text(row, reject_below=reject_below))


def _json_object(reading: PageReading, reject_below: float) -> dict[str, Any]:
    from mnist_svm.recognition.results import row_text

    if reading.error is not None:
        return {"file": reading.file, "error": reading.error}
    note = {} if reading.note is None else {"note": reading.note}
    rows = [
        {
            "number": row_text(row, reject_below=reject_below),
            "digits": [
                {
                    "digit": digit.label if digit.confidence >= reject_below else None,
                    "confidence": round(digit.confidence, 6),
                    "rejected": digit.confidence < reject_below,
                    "box": digit.box.to_dict(),
                }
                for digit in row
            ],
        }
        for row in reading.rows
    ]
    return {"file": reading.file, **note, "rows": rows}


def _draw(
    path: str, reading: PageReading, picture: npt.NDArray[np.uint8], reject_below: float
) -> None:
    from mnist_svm._io import atomic_write
    from mnist_svm.drawing.annotate import Annotation, draw_annotations

    least = reject_below or DOUBTFUL
    notes = [
        Annotation(
            digit.box,
            digit.text(reject_below),
            digit.confidence >= least,
        )
        for row in reading.rows
        for digit in row
    ]
    page = draw_annotations(picture, reading.size, notes)
    with atomic_write(path) as file:
        page.save(file, format="PNG")
