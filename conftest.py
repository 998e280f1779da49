"""The commands and the Python in the documentation are tests: see `tests.support.documents`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import DOCUMENTS, mark_slow
from tests.support.paths import DATA

if os.name != "nt":
    # The commands of documents are run by a shell.
    pytest_collect_file = DOCUMENTS.pytest()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark slow documents, before tests are selected by their marks."""
    mark_slow(items)


@pytest.fixture(scope="module")
def document_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder, the current one while a document runs, with MNIST for its Python."""
    folder = tmp_path_factory.mktemp("document")
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_SVM_DATA", str(DATA))
        os.chdir(folder)
        yield folder
        os.chdir(before)
