"""``mnist-svm read``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mnist_svm._io import atomic_write, require_writable
from mnist_svm.cli.exit_codes import echo_stderr, report_problem
from mnist_svm.cli.expected import Expected, expected_options
from mnist_svm.cli.options import json_option, model_option, reject_option
from mnist_svm.cli.progress import is_terminal, progress_counter
from mnist_svm.cli.recognizer import load_recognizer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mnist_svm.forms.reading import FormReading
    from mnist_svm.forms.table import Table
    from mnist_svm.forms.template import FormTemplate
    from mnist_svm.recognition.recognizer import Recognizer
    from mnist_svm.recognition.results import PageReading

# Longer side in pixels of the copy that --annotate draws on, and of that which the pictures of
# --review are cut out of.
ANNOTATED_SIDE, REVIEWED_SIDE = 1600, 2400

# Without --reject-below, digits of lower confidence get a red box, and numbers are reviewed.
DOUBTFUL_CONFIDENCE = 0.9


@click.command("read")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@model_option
@reject_option
@expected_options
@click.option(
    "--annotate", metavar="FILE.png", help="Draw boxes and labels on the picture; for one IMAGE."
)
@click.option(
    "--template",
    type=click.Path(),
    metavar="FORM.json",
    help="Read the fields of a form, which this file describes.",
)
@click.option("--csv", "csv_file", metavar="FILE.csv", help="Write a table; - for standard output.")
@click.option(
    "--review",
    metavar="FILE.html",
    help="Write a page on which unsure numbers are corrected, and saved as CSV.",
)
@json_option
@click.pass_context
def read_command(
    ctx: click.Context,
    images: tuple[str, ...],
    model: str | None,
    reject_below: float,
    expected: Expected,
    annotate: str | None,
    template: str | None,
    csv_file: str | None,
    review: str | None,
    as_json: bool,
) -> None:
    """Read all digits on a photo, a scan or a drawing.

    Prints one line per row of digits, from top to bottom, with a space at each wide gap. With
    several pictures, each line starts with the file name and a tab. Dots, commas, dashes and ruled
    lines are ignored; touching digits are separated. Letters may be read as digits.

    IMAGE is a picture as for `predict`; a folder stands for the pictures in it, and - for standard
    input. With --json, each number and each digit has its confidence and its bounding box in
    pixels. With --reject-below P, numbers with a confidence below P are printed as ?.

    --digits, --pattern, --line and --number say what is known before: fewer numbers are misread.
    Where ink cannot be such a number, it is not read.

    --csv writes a line for each row, and with several pictures the file name first. If the page has
    a ruled table, the lines are its rows, with its columns and blanks. With --template, there is a
    line for each picture: the file name, the number in each field, and their confidences; blank
    fields are empty. The page is found by marks in its four corners, or by its largest frame, on
    scans and on photos. --review writes a page that shows each number below P, or 0.9, beside its
    picture.

    A picture that cannot be read is reported on stderr; the others are still read, and the exit
    code is 1.

    \b
    Examples:
      mnist-svm read page.jpg
      mnist-svm read page.jpg --annotate annotated.png
      mnist-svm read scans/ --reject-below 0.9 --json
      mnist-svm read amounts/ --number --pattern 'ddd.ddd,-'
      mnist-svm read codes/ --line --digits 6-8
      mnist-svm read scans/ --template form.json --csv numbers.csv --review review.html

    \b
    A template names fields, and where they are, in fractions of the width and height between the
    centres of the marks: left, top, width, height. All but name and box may be left out:
      {
        "page": "marks",
        "size": [180, 267],
        "fields": [
          {"name": "day", "box": [0.1, 0.25, 0.08, 0.04], "digits": 2},
          {"name": "customer", "box": [0.1, 0.35, 0.3, 0.04], "digits": [5, 8]},
          {"name": "amount", "box": [0.5, 0.25, 0.3, 0.04], "pattern": "ddd.ddd,-"}
        ]
      }
    """
    several = len(images) > 1 or Path(images[0]).is_dir()
    if template and expected != Expected():
        msg = "--template has digits and pattern of each field; give it no --digits, --pattern, "
        raise click.UsageError(msg + "--line or --number")
    _check_options(several, annotate, template, csv_file, review, as_json)
    form = _load_template(template)
    recognizer = load_recognizer(model)
    thumbnail = REVIEWED_SIDE if review else ANNOTATED_SIDE if annotate else None
    table = _create_table(form, bool(review)) if csv_file or review else None
    results: list[dict[str, Any]] = []
    prints = not as_json and csv_file is None
    # Lines printed on a terminal show the progress by themselves.
    visible = not prints or not is_terminal(sys.stdout)
    with progress_counter("Reading", "pictures", visible=visible) as report:
        readings = _read(recognizer, images, form, expected, thumbnail)
        for count, reading in enumerate(readings, start=1):
            report_problem(ctx, reading)
            if as_json:
                results.append(reading.to_dict(reject_below=reject_below))
            elif prints:
                _print(reading, several, reject_below)
            if table is not None:
                table.add(reading, with_file=several)
                _report_left_out(reading)
            if annotate:
                _annotate(annotate, reading, reject_below)
            report(count, 0)
    if table is not None:
        _write(table, csv_file, review, reject_below)
    if as_json:
        click.echo(json.dumps(results, indent=2))


def _check_options(
    several: bool,
    annotate: str | None,
    template: str | None,
    csv_file: str | None,
    review: str | None,
    as_json: bool,
) -> None:
    """Raise UsageError for options that exclude each other, OSError for files that cannot be."""
    if annotate and several:
        msg = "--annotate draws on a single picture; give one IMAGE"
        raise click.UsageError(msg)
    if annotate and template:
        msg = "--annotate draws the digits of a page without --template; --review shows the fields"
        raise click.UsageError(msg)
    if csv_file == "-" and as_json:
        msg = "--csv - and --json both write to standard output; give --csv a file"
        raise click.UsageError(msg)
    if review == "-":
        msg = "--review writes to a file, which a browser opens; give it a name"
        raise click.UsageError(msg)
    for path in (annotate, csv_file, review):
        if path and path != "-":
            require_writable(path)


def _load_template(path: str | None) -> FormTemplate | None:
    if path is None:
        return None
    from mnist_svm.forms.template import FormTemplate

    return FormTemplate.load(path)


def _create_table(form: FormTemplate | None, keeps_pictures: bool) -> Table:
    from mnist_svm.forms.table import Table

    return Table(form, keeps_pictures=keeps_pictures)


def _report_left_out(reading: FormReading | PageReading) -> None:
    from mnist_svm.forms.table import count_left_out
    from mnist_svm.recognition.results import PageReading

    if isinstance(reading, PageReading) and (n := count_left_out(reading)):
        numbers = "1 number" if n == 1 else f"{n} numbers"
        echo_stderr(f"{reading.file}: {numbers} beside the ruled table left out of the CSV file")


def _write(table: Table, csv_file: str | None, review: str | None, reject_below: float) -> None:
    """Write the table as CSV, and the page for its review."""
    if csv_file:
        text = table.to_csv(reject_below=reject_below)
        if csv_file == "-":
            click.echo(text, nl=False)
        else:
            _write_text(csv_file, text)
    if review:
        from mnist_svm.forms.review import render_review

        page = render_review(
            table,
            name=Path(review).with_suffix(".csv").name,
            threshold=reject_below or DOUBTFUL_CONFIDENCE,
            reject_below=reject_below,
        )
        _write_text(review, page)


def _write_text(path: str, text: str) -> None:
    with atomic_write(path) as file:
        file.write(text.encode())
    echo_stderr(f"Wrote {path}")


def _read(
    recognizer: Recognizer,
    images: tuple[str, ...],
    form: FormTemplate | None,
    expected: Expected,
    thumbnail: int | None,
) -> Iterator[FormReading | PageReading]:
    if form is None:
        return recognizer.read_page(images, thumbnail=thumbnail, **expected._asdict())
    from mnist_svm.forms.reading import read_form

    return read_form(recognizer, images, form)


def _print(reading: FormReading | PageReading, several: bool, reject_below: float) -> None:
    from mnist_svm.recognition.results import PageReading

    if isinstance(reading, PageReading):
        lines = [row.to_text(reject_below) for row in reading.rows]
    else:
        lines = reading.to_lines(reject_below=reject_below)
    prefix = f"{click.format_filename(reading.file)}\t" if several else ""
    for line in lines:
        click.echo(prefix + line)


def _annotate(path: str, page: FormReading | PageReading, reject_below: float) -> None:
    """Draw the digits of a page on its picture, unless there are none."""
    from mnist_svm.drawing.annotate import draw_annotations
    from mnist_svm.recognition.results import PageReading

    if not isinstance(page, PageReading) or page.thumbnail is None or not page.rows:
        return
    threshold = reject_below or DOUBTFUL_CONFIDENCE
    annotations = [
        (
            digit.box,
            str(digit.label) if number.confidence >= reject_below else "?",
            number.confidence >= threshold,
        )
        for number in page.numbers
        for digit in number.digits
    ]
    drawing = draw_annotations(page.thumbnail, page.size, annotations)
    with atomic_write(path) as file:
        drawing.save(file, format="PNG")
    echo_stderr(f"Drew {path}")
