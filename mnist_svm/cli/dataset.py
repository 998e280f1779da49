"""Load a data set for a command, with progress and notices on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_svm.cli.options import DataSource
    from mnist_svm.datasets.types import Dataset, Split
    from mnist_svm.models.info import ModelInfo

INVERTED = "has dark ink on a bright background; the images are inverted"


def read_dataset(
    data: str, split: Split, data_dir: str | None, orientation: str | None = None
) -> Dataset:
    """Load one split as `mnist_svm.datasets.load.load_dataset` does, and report on stderr.

    Also reports if the shipped model reads the images several times better turned or mirrored.
    """
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.datasets.catalog import CATALOG
    from mnist_svm.datasets.load import load_dataset

    with progress_counter(f"Reading {data}", "images") as report_progress:
        dataset = load_dataset(
            data, split=split, data_dir=data_dir, orientation=orientation, progress=report_progress
        )
    report_notices(data, dataset.notices, inverted=dataset.inverted)
    if data not in CATALOG:
        _report_orientation(dataset)
    return dataset


def read_datasets(
    sources: Sequence[DataSource],
    split: Split,
    data_dir: str | None,
    orientation: str | None = None,
    info: ModelInfo | None = None,
) -> Dataset:
    """Load one split of several data sets, with their weights, as one; report on stderr.

    With the `info` of a model, they have its labels. Raises FormatError if the data sets have
    different classes, or one that the model does not know, or else as `load_dataset`.
    """
    from mnist_svm.datasets.types import Dataset

    datasets = [read_dataset(source.name, split, data_dir, orientation) for source in sources]
    if info is not None:
        datasets = [_with_labels_of_model(dataset, info) for dataset in datasets]
    weights = [source.weight for source in sources]
    if weights == [1]:
        return datasets[0]
    return Dataset.concatenate(datasets, weights)


def report_notices(data: str, notices: Iterable[str], *, inverted: bool) -> None:
    """Report on stderr what was assumed or mended while a data set was read."""
    from mnist_svm.cli.exit_codes import echo_stderr

    for notice in (*notices, *([INVERTED] if inverted else [])):
        echo_stderr(f"{data}: {notice}")


def _with_labels_of_model(dataset: Dataset, info: ModelInfo) -> Dataset:
    from mnist_svm.recognition.classes import with_labels_of_model

    matched = with_labels_of_model(dataset, info)
    report_notices(dataset.name, matched.notices[len(dataset.notices) :], inverted=False)
    return matched


def _report_orientation(dataset: Dataset) -> None:
    """Report on stderr if a digit reader reads the images several times better turned."""
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.datasets.orientation import UPRIGHT
    from mnist_svm.models.locate import SHIPPED
    from mnist_svm.recognition.orientation import find_orientation
    from mnist_svm.recognition.recognizer import Recognizer

    if dataset.class_names:
        return
    found = find_orientation(Recognizer.load(SHIPPED), dataset.images, dataset.labels)
    if found.name != UPRIGHT:
        echo_stderr(
            f"{dataset.name}: the images seem to be {found.description}: the shipped model reads "
            f"{found.accuracy:.0%} of {found.n:,} right if they are, and {found.as_stored:.0%} as "
            f"they are; to turn them upright: --orientation {found.name}"
        )


def join_names(sources: Sequence[DataSource]) -> str:
    """Return the names and weights of data sets for a message."""
    from mnist_svm.datasets.types import join_sources, weighted_name

    return join_sources(weighted_name(*source) for source in sources)
