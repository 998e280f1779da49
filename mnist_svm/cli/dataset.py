"""Load a data set for a command, with progress and notices on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_svm.cli.options import DataSource
    from mnist_svm.datasets.types import Dataset, Split

INVERTED = "has dark ink on a bright background; the images are inverted"


def read_dataset(data: str, split: Split, data_dir: str | None) -> Dataset:
    """Load one split as `mnist_svm.datasets.load.load_dataset` does, and report on stderr."""
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.datasets.load import load_dataset

    with progress_counter(f"Reading {data}", "images") as report_progress:
        dataset = load_dataset(data, split=split, data_dir=data_dir, progress=report_progress)
    if dataset.inverted:
        echo_stderr(f"{data}: {INVERTED}")
    for notice in dataset.notices:
        echo_stderr(f"{data}: {notice}")
    return dataset


def read_datasets(sources: Sequence[DataSource], split: Split, data_dir: str | None) -> Dataset:
    """Load one split of several data sets, with their weights, as one; report on stderr.

    Raises FormatError if the data sets have different classes, or else as `load_dataset`.
    """
    from mnist_svm.datasets.types import Dataset

    datasets = [read_dataset(source.name, split, data_dir) for source in sources]
    weights = [source.weight for source in sources]
    if weights == [1]:
        return datasets[0]
    return Dataset.concatenate(datasets, weights)


def join_names(sources: Sequence[DataSource]) -> str:
    """Return the names and weights of data sets for a message."""
    from mnist_svm.datasets.types import join_sources, weighted_name

    return join_sources(weighted_name(*source) for source in sources)
