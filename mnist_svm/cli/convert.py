"""``mnist-svm convert``."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.options import data_dir_option, json_option, split_option

if TYPE_CHECKING:
    from mnist_svm.datasets.convert import Form
    from mnist_svm.datasets.types import Split


@click.command("convert")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option(
    "--to",
    "form",
    type=click.Choice(["idx", "csv", "npz", "images"]),
    help="What to write.  [default: as DST ends, in .csv, .csv.gz or .npz; else idx]",
)
@split_option
@data_dir_option
@json_option
def convert_command(
    source: str,
    target: str,
    form: Form | None,
    split: Split | None,
    data_dir: str,
    as_json: bool,
) -> None:
    """Write a data set in another form.

    SRC is what --data of the other commands takes too:

    \b
      a name               of the catalog, see `mnist-svm fetch --help`
      a folder             of IDX files named as MNIST's are,
                           of train.csv and test.csv, or ...train.csv and ...test.csv,
                           of Parquet files named train... and test...,
                           or of pictures in one sub-folder a class,
                           with or without train/ and test/ above them
      a CSV file           Kaggle's: label, pixel0 ... pixel783; names of columns, and
                           labels, may be missing
      a NumPy archive      Keras's: x_train, y_train, x_test, y_test; or images, labels;
                           of 0 to 255, or of 0 to 1
      a Parquet file       with a column of pictures, or one for each pixel
      an IDX file          of images; its labels lie beside it

    DST is a folder of IDX files, a CSV file or (--to csv) a folder of them, a NumPy archive, or
    (--to images) a new folder of PNG pictures. Where a set is not parted, --data takes it whole,
    and as IDX files it is called train. Pictures of 28 x 28 are taken as they are; others are
    brought into that form as `mnist-svm predict` does. Of a set with dark ink on a bright ground
    the negative is taken.

    \b
    Examples:
      mnist-svm convert mnist mnist.npz
      mnist-svm convert mnist train.csv --split train
      mnist-svm convert kaggle/ idx/
      mnist-svm convert mnist.npz pictures/ --to images
    """
    from mnist_svm._io import require_writable
    from mnist_svm.cli.dataset import INVERTED
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.datasets.convert import convert, form_of
    from mnist_svm.datasets.sources import find_source

    found = find_source(source, data_dir)
    if split is not None:
        found = replace(found, parts={split: found.part(split)})
    form = form or form_of(target)
    if form == "csv" == form_of(target) and len(found.parts) > 1:
        msg = (
            f"{source} has the parts {' and '.join(found.parts)}, but a CSV file holds one; "
            "choose with --split, or give a folder and --to csv."
        )
        raise click.BadParameter(msg, param_hint="DST")
    if form_of(target) == form != "idx":
        require_writable(target)
    with progress_counter("Converting", "images") as report_progress:
        written = convert(found, target, form, progress=report_progress)
    for one in written:
        if one.inverted:
            echo_stderr(f"{source}: {INVERTED}")
    if as_json:
        parts = [{**asdict(one), "path": str(one.path)} for one in written]
        click.echo(json.dumps(parts, indent=2))
        return
    for one in written:
        unlabelled = "" if one.labelled else " without labels"
        click.echo(f"{one.path}: {one.images:,} images{unlabelled} ({one.part})")
