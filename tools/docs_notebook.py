"""The notebook as a page of the documentation: Markdown, and the pictures of its outputs."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

# Seconds that a cell may take.
TIMEOUT = 900


def notebook_pages(path: Path, page: str, data: Path, *, execute: bool) -> dict[str, str | bytes]:
    """Return the files of the site that a notebook becomes, by their names.

    Parameters
    ----------
    path : Path
        The notebook.
    page : str
        Name of its page, in the folder of which its pictures are.
    data : Path
        Folder of the data sets that it loads.
    execute : bool
        Whether to run it, in an empty folder; otherwise the page has the outputs of the file.
    """
    notebook = nbformat.read(path, as_version=4)
    if execute:
        with TemporaryDirectory() as folder:
            resources = {"metadata": {"path": folder}}
            client = NotebookClient(notebook, timeout=TIMEOUT, resources=resources)
            client.execute(env={**os.environ, "MNIST_SVM_DATA": str(data)})
    markdown, resources = MarkdownExporter().from_notebook_node(
        notebook, {"unique_key": Path(page).stem}
    )
    # Markdown in the answers to questions, and what a picture is to those who do not see it.
    markdown = markdown.replace("<details>", '<details markdown="1">')
    markdown = markdown.replace("![png](", "![Output of the code above](")
    folder = posixpath.dirname(page)
    pictures = {posixpath.join(folder, name): data for name, data in resources["outputs"].items()}
    return {page: markdown, **pictures}
