"""``mnist-svm read``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnist_svm._io import atomic_write, require_writable
from mnist_svm.cli.exit_codes import echo_stderr, report_problem
from mnist_svm.cli.options import json_option, model_option, reject_option
from mnist_svm.cli.progress import is_terminal, progress_counter
from mnist_svm.cli.recognizer import load_recognizer

if TYPE_CHECKING:
    from mnist_svm.recognition.results import PageReading

# Longer side in pixels of the copy that --annotate draws on.
ANNOTATED_SIDE = 1600

# Without --reject-below, digits of lower confidence get a red box.
DOUBTFUL_CONFIDENCE = 0.9


@click.command("read")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@model_option
@reject_option
@click.option(
    "--annotate", metavar="FILE.png", help="Draw boxes and labels on the picture; for one IMAGE."
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
    """Read all digits on a photo, a scan or a drawing.

    Prints one line per row of digits, from top to bottom, with a space at each wide gap. With
    several pictures, each line starts with the file name and a tab. Dots, commas, dashes and ruled
    lines are ignored; touching digits are separated. Letters are read as if they were digits.

    IMAGE is a picture as for `predict`; a folder stands for the pictures in it, and - for standard
    input. With --json, each digit has its confidence and its bounding box in pixels. With
    --reject-below P, digits with a confidence below P are printed as ?.

    A picture that cannot be read is reported on stderr; the others are still read, and the exit
    code is 1.

    \b
    Examples:
      mnist-svm read page.jpg
      mnist-svm read page.jpg --annotate annotated.png
      mnist-svm read scans/ --reject-below 0.9 --json
    """
    several = len(images) > 1 or Path(images[0]).is_dir()
    if annotate:
        if several:
            msg = "--annotate draws on a single picture; give one IMAGE"
            raise click.UsageError(msg)
        require_writable(annotate)
    recognizer = load_recognizer(model)
    results: list[dict[str, Any]] = []
    # Lines printed on a terminal show the progress by themselves.
    visible = as_json or not is_terminal(sys.stdout)
    with progress_counter("Reading", "pictures", visible=visible) as report:
        pages = recognizer.read_page(images, thumbnail=ANNOTATED_SIDE if annotate else None)
        for count, page in enumerate(pages, start=1):
            report_problem(ctx, page)
            if as_json:
                results.append(page.to_dict(reject_below=reject_below))
            else:
                _print(page, several, reject_below)
            if annotate:
                _annotate(annotate, page, reject_below)
            report(count, 0)
    if as_json:
        click.echo(json.dumps(results, indent=2))


def _print(page: PageReading, several: bool, reject_below: float) -> None:
    from mnist_svm.recognition.results import row_text

    prefix = f"{click.format_filename(page.file)}\t" if several else ""
    for row in page.rows:
        click.echo(prefix + row_text(row, reject_below=reject_below))


def _annotate(path: str, page: PageReading, reject_below: float) -> None:
    """Draw the digits of a page on its picture, unless there are none."""
    from mnist_svm.drawing.annotate import draw_annotations

    if page.thumbnail is None or not page.rows:
        return
    threshold = reject_below or DOUBTFUL_CONFIDENCE
    annotations = [
        (digit.box, digit.text(reject_below), digit.confidence >= threshold)
        for row in page.rows
        for digit in row
    ]
    drawing = draw_annotations(page.thumbnail, page.size, annotations)
    with atomic_write(path) as file:
        drawing.save(file, format="PNG")
    echo_stderr(f"Drew {path}")
