"""The notebook of the package: one that is clean, needs the package alone, and runs."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import mnist_svm
from mnist_svm.examples import NOTEBOOK
from tests.support.paths import DATA, ROOT

TITLES = [
    "Handwritten digits with support vector machines",
    "1. The data",
    "2. Faults in the data",
    "3. Deskewing",
    "4. Features",
    "5. Training",
    "6. Errors",
    "7. Confidence",
    "8. Explanation",
    "9. Your own hand",
    "10. Report",
    "Exercises",
]

# What `pip install 'mnist-svm[plot]' notebook` brings.
INSTALLED = {"IPython", "PIL", "matplotlib", "mnist_svm", "numpy", "scipy", "sklearn"}

# A cell at the end, which prints what the lesson found.
RESULTS = """
import json
print(json.dumps({
    "accuracy": evaluation.accuracy,
    "n": evaluation.n,
    "equal by hand": np.mean(difference < 0.01),
    "spread": [np.mean(before), np.mean(after)],
    "nearest neighbour": [baseline, deskewed],
    "kernels": accuracy.tolist(),
    "as SVC": same,
    "best": search.best_params_,
}, default=float))
"""


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)


def cells(notebook: nbformat.NotebookNode, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def sections(notebook: nbformat.NotebookNode) -> dict[str, list[nbformat.NotebookNode]]:
    """Return the cells of each section, by its heading."""
    found: dict[str, list[nbformat.NotebookNode]] = {}
    for cell in notebook.cells:
        heading = re.match(r"#+ (.*)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            found[heading[1]] = []
        found[[*found][-1]].append(cell)
    return found


def imports(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield each imported module, with each name imported from it."""
    for cell in cells(notebook, "code"):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                yield from ((alias.name, "") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((node.module or "", alias.name) for alias in node.names)


def test_is_valid_and_without_outputs(notebook: nbformat.NotebookNode) -> None:
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert NOTEBOOK.stat().st_size < 60_000
    for cell in notebook.cells:
        assert not cell.metadata
        assert re.fullmatch("[a-z]+(-[a-z]+)*", cell.id), "an id that says what the cell is"
    for cell in cells(notebook, "code"):
        assert cell.outputs == []
        assert cell.execution_count is None


def test_has_a_question_in_every_section(notebook: nbformat.NotebookNode) -> None:
    found = sections(notebook)
    assert [*found] == TITLES
    for title in TITLES[1:-1]:
        last = found[title][-1].source
        answer = r"\*\*Question\.\*\* .+<details><summary>Answer</summary>\n\n.+\n\n</details>$"
        assert re.search(answer, last, re.DOTALL), title


def test_uses_public_names_of_the_package_alone(notebook: nbformat.NotebookNode) -> None:
    for module, name in imports(notebook):
        package = module.partition(".")[0]
        assert package in INSTALLED or package in sys.stdlib_module_names, module
        if package == "mnist_svm":
            assert module == "mnist_svm"
            assert name in mnist_svm.__all__


def test_names_no_path_of_the_repository(notebook: nbformat.NotebookNode) -> None:
    folders = ["benchmarks", "data", "deploy", "docs", "images_test", "tests", "tools"]
    assert all((ROOT / folder).is_dir() for folder in folders)
    for cell in notebook.cells:
        assert ".." not in cell.source.replace("...", ""), cell.id
        for folder in folders:
            assert f"{folder}/" not in cell.source, cell.id


@pytest.mark.slow
def test_runs_in_an_empty_folder(
    notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_SVM_DATA", str(DATA))
    run = nbformat.from_dict({**notebook, "cells": [cell.copy() for cell in notebook.cells]})
    run.cells.append(nbformat.v4.new_code_cell(RESULTS, id="results"))
    client = NotebookClient(
        run, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()

    results = json.loads(run.cells.pop().outputs[0].text)
    assert results["n"] == 10_000
    assert results["accuracy"] >= 0.995
    assert results["equal by hand"] >= 0.99
    before, after = results["spread"]
    assert after < 0.8 * before
    before, after = results["nearest neighbour"]
    assert 0.9 < before < after - 0.01
    for better, worse in zip(results["kernels"][1:], results["kernels"]):
        assert min(better) > min(worse)
        assert max(better) > max(worse)
    assert results["as SVC"] >= 0.999
    assert results["best"]["C"] in (1, 10)
    report = (tmp_path / "lesson" / "report.html").read_text(encoding="utf-8")
    assert f"{results['accuracy']:.2%}" in report

    for cell in cells(run, "code"):
        assert not [output for output in cell.outputs if output.get("name") == "stderr"], cell.id
    for title, content in sections(run).items():
        kinds = {
            kind
            for cell in content
            if cell.cell_type == "code"
            for output in cell.outputs
            for kind in output.get("data", {})
        }
        assert title in (TITLES[0], TITLES[-1]) or kinds & {"image/png", "text/html"}, title
    assert {path.name for path in tmp_path.iterdir()} == {"lesson"}
