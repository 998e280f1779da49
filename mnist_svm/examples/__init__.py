"""Example pictures, forms and a notebook, which come with the package."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mnist_svm._io import atomic_folder

# Made by tools/example_files.py.
FILES = Path(__file__).with_name("files")
NOTEBOOK = Path(__file__).with_name("mnist-svm.ipynb")


def write_examples(folder: str | os.PathLike[str]) -> None:
    """Write the examples into a new folder, which appears only when it is complete.

    Raises OSError if the folder exists and is not empty, or cannot be written.
    """
    with atomic_folder(folder) as target:
        shutil.copytree(FILES, target, dirs_exist_ok=True)
        shutil.copy(NOTEBOOK, target)
