"""``mnist-svm explain``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.options import describe_model, json_option, model_option

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Images = npt.NDArray[np.uint8]


@click.command("explain")
@click.argument("image", metavar="IMAGE")
@click.option(
    "-o",
    "--out",
    metavar="FILE.png",
    show_default="explain.png; with --json, none",
    help="The picture to draw.",
)
@click.option(
    "--against",
    type=int,
    metavar="DIGIT",
    show_default="the runner-up",
    help="The digit to set the reading against.",
)
@model_option
@json_option
def explain_command(
    image: str, out: str | None, against: int | None, model: str | None, as_json: bool
) -> None:
    """Draw what spoke for and against the digit read in a picture.

    One page shows what the classifier saw; a map of which ink and which blank paper spoke for the
    digit, and which against it; and the support vectors that did most to decide between the digit
    and the runner-up. IMAGE is a picture as `predict` takes it, - is standard input.

    \b
    Examples:
      mnist-svm explain images_test/3.png
      mnist-svm explain images_test/4.png --against 9 -o why-not-9.png
      mnist-svm explain images_test/3.png --json | jq .support_vectors
    """
    from mnist_svm._io import atomic_write, require_writable
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.models.locate import find_model
    from mnist_svm.recognition.explain import explain
    from mnist_svm.recognition.recognizer import Recognizer

    if out is None and not as_json:
        out = "explain.png"
    if out:
        require_writable(out)
    path = find_model(model)
    recognizer = Recognizer.load(path)
    picture, size, seen = _looked_at(image)
    echo_stderr(f"Reading with {describe_model(path)}")
    try:
        explanation = explain(recognizer, seen, against=against)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--against") from error
    if as_json:
        click.echo(json.dumps({"file": image, **explanation.to_dict()}))
    else:
        read, rival = explanation.read, explanation.rival
        confidences = f"{read.confidence:.3f}\t{rival.label}:{rival.confidence:.3f}"
        click.echo(f"{click.format_filename(image)}\t{read.label}\t{confidences}")
        click.echo(f"{read.label} against {rival.label}: {explanation.ledger()}")
    if out:
        with atomic_write(out) as file:
            explanation.draw(picture, size=size).save(file, format="PNG")
        echo_stderr(f"Drew {out}")


def _looked_at(name: str) -> tuple[Images, tuple[int, int], Images]:
    """A small copy of a picture, its width and height, and the image that is read."""
    from mnist_svm.drawing.explanation_page import TILE
    from mnist_svm.exceptions import PictureError
    from mnist_svm.pictures.files import open_picture
    from mnist_svm.pictures.normalize import normalize

    named = open_picture(name, TILE)
    try:
        if named.picture is None:
            raise PictureError(named.error)
        picture = named.picture
        seen = normalize(picture.grey)
    except PictureError as error:
        msg = f"{name}: {error}"
        raise PictureError(msg) from error
    height, width = picture.grey.shape
    copy = picture.grey if picture.thumbnail is None else picture.thumbnail
    return copy, (width, height), seen
