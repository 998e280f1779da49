"""``mnist-svm explain``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import click

from mnist_svm._io import atomic_write, require_writable
from mnist_svm.cli.exit_codes import echo_stderr
from mnist_svm.cli.options import json_option, model_option
from mnist_svm.cli.recognizer import load_recognizer
from mnist_svm.exceptions import FormatError, PictureError

if TYPE_CHECKING:
    from mnist_svm._types import Images


@click.command("explain")
@click.argument("image", metavar="IMAGE")
@click.option(
    "-o",
    "--out",
    metavar="FILE.png",
    show_default="explain.png; with --json, none",
    help="Where to write the page.",
)
@click.option(
    "--against",
    type=int,
    metavar="DIGIT",
    show_default="the runner-up",
    help="Digit to compare the prediction with.",
)
@model_option
@json_option
def explain_command(
    image: str, out: str | None, against: int | None, model: str | None, as_json: bool
) -> None:
    """Draw the evidence for and against the prediction for a picture.

    The page shows the image that was classified; a heat map of the ink and the blank background
    that support or contradict the prediction; and the support vectors with the largest
    contributions to the decision between the prediction and the runner-up. IMAGE is a picture as
    for `predict`; - is standard input.

    \b
    Examples:
      mnist-svm explain images_test/3.png
      mnist-svm explain images_test/4.png --against 9 -o why-not-9.png
      mnist-svm explain images_test/3.png --json | jq .support_vectors
    """
    from mnist_svm.drawing.explanation_page import TILE
    from mnist_svm.recognition.explain import draw_explanation, explain
    from mnist_svm.recognition.recognizer import prepare_reading

    if out is None and not as_json:
        out = "explain.png"
    if out:
        require_writable(out)
    try:
        reading = prepare_reading(image, thumbnail=TILE)
    except PictureError as error:
        msg = f"{image}: {error}"
        raise PictureError(msg) from error
    recognizer = load_recognizer(model)
    readings = recognizer.classify(reading.images)
    reading = reading.with_choice(readings.classes, readings.probabilities)
    try:
        explanation = explain(recognizer, reading.image, rival=against)
    except FormatError:
        raise
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--against") from error
    if as_json:
        click.echo(json.dumps({**reading.to_dict(), **explanation.to_dict()}))
    else:
        first, second = explanation.predicted, explanation.rival
        confidences = f"{first.confidence:.3f}\t{second.label}:{second.confidence:.3f}"
        click.echo(f"{click.format_filename(image)}\t{first.label}\t{confidences}")
        click.echo(f"{first.label} against {second.label}: {explanation.to_text()}")
    if out:
        height, width = reading.size
        page = draw_explanation(
            explanation, cast("Images", reading.thumbnail), size=(width, height)
        )
        with atomic_write(out) as file:
            page.save(file, format="PNG")
        echo_stderr(f"Drew {out}")
