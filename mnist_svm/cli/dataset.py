"""Reading the data set that a command was given, while a person looks on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_svm.datasets.types import Split
    from mnist_svm.datasets.types import Dataset

INVERTED = "has dark ink on a bright ground; its negative is taken"


def read_dataset(data: str, split: Split, data_dir: str) -> Dataset:
    """Read a data set, and say on stderr how that goes and what is done to it.

    Parameters
    ----------
    data, split, data_dir : see `mnist_svm.datasets.load.load_dataset`, as what it raises

    Returns
    -------
    Dataset
    """
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.datasets.load import load_dataset

    with progress_counter(f"Reading {data}", "images") as report_progress:
        dataset = load_dataset(data, split=split, data_dir=data_dir, progress=report_progress)
    if dataset.inverted:
        echo_stderr(f"{data}: {INVERTED}")
    return dataset
