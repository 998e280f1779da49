"""``mnist-svm convert``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mnist_svm.cli.options import (
    data_dir_option,
    json_option,
    orientation_option,
    split_option,
)

if TYPE_CHECKING:
    from mnist_svm.datasets.convert import OutputFormat
    from mnist_svm.datasets.types import Split


@click.command("convert")
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option(
    "--to",
    "output_format",
    type=click.Choice(["idx", "csv", "npz", "images"]),
    help="Format to write.  [default: by the suffix of DST: .csv, .csv.gz or .npz; else idx]",
)
@split_option
@orientation_option
@data_dir_option
@json_option
def convert_command(
    source: str,
    target: str,
    output_format: OutputFormat | None,
    split: Split | None,
    orientation: str | None,
    data_dir: str | None,
    as_json: bool,
) -> None:
    """Convert a data set to another format.

    SRC, and --data of other commands, is one of

    \b
      a name           of the catalog, see `mnist-svm fetch --help`
      a folder         of IDX files with the names of MNIST's, EMNIST's or QMNIST's;
                       of train.csv and test.csv, or ...train.csv and ...test.csv;
                       of Parquet or Arrow files, as data hubs and pandas write them;
                       of pictures in one sub-folder per class, optionally below
                       train/ and test/; or side by side, as 7_001.png;
                       of photos with boxes of digits in COCO's or YOLO's form
      an archive       of such a folder, or of one file: .zip, .tar, .tar.gz ...
      a CSV file       as Kaggle's: label, pixel0 ... pixel783; the column names and
                       the labels may be missing; or of paths of pictures and labels
      a JSON file      of paths of pictures and labels, also as lines (.jsonl)
      a NumPy archive  as Keras's: x_train, y_train, x_test, y_test; or images, labels
      a MATLAB file    of images and labels, of version 7 or earlier
      a Parquet file   with a column of pictures or of lists, or one per pixel
      an IDX file      of images; the file of labels is in the same folder

    A CSV, JSON or IDX file may be compressed (.gz, .zst). Values are 0 to 255, or 0 to 1.

    Pictures are brought to MNIST form as `mnist-svm predict` does. Arrays are looked at as a set:
    dark ink on a bright background is inverted, a frame around the images is removed, and images
    on grey are treated like pictures; stderr says so. `mnist-svm inspect` shows what was read.

    DST is a folder of IDX files, a CSV file or (--to csv) a folder of CSV files, a NumPy archive,
    or (--to images) a new folder of PNG pictures. A data set without splits is one part, which
    --data uses for training and for testing; as IDX files its split is train. Names of classes are
    written too.

    \b
    Examples:
      mnist-svm convert mnist mnist.npz
      mnist-svm convert mnist train.csv --split train
      mnist-svm convert digit-recognizer.zip idx/
      mnist-svm convert mnist.npz pictures/ --to images
    """
    from mnist_svm._io import require_writable
    from mnist_svm.cli.dataset import report_notices
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.datasets.convert import convert, guess_format
    from mnist_svm.datasets.reader import open_dataset

    reader = open_dataset(source, data_dir, orientation)
    if split is not None:
        reader = reader.select(split)
    output_format = output_format or guess_format(target)
    is_file = guess_format(target) == output_format != "idx"
    if is_file and output_format == "csv" and len(reader.parts) > 1:
        msg = (
            f"{source} has the parts {' and '.join(reader.parts)}, but a CSV file holds one; "
            "choose one with --split, or pass a folder and --to csv."
        )
        raise click.BadParameter(msg, param_hint="DST")
    if is_file:
        require_writable(target)
    with progress_counter("Converting", "images") as report_progress:
        parts = convert(reader, target, output_format, progress=report_progress)
    notices = dict.fromkeys(notice for part in parts for notice in part.notices)
    report_notices(source, notices, inverted=any(part.inverted for part in parts))
    if as_json:
        content = [{**asdict(part), "path": str(part.path)} for part in parts]
        click.echo(json.dumps(content, indent=2))
        return
    for part in parts:
        unlabelled = "" if part.labelled else " without labels"
        click.echo(f"{part.path}: {part.images:,} images{unlabelled} ({part.part})")
