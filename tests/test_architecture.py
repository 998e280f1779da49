"""Imports follow the contracts in pyproject.toml, and quick commands import nothing heavy."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mnist_svm
from tests.support.paths import ROOT

HEAVY = {
    *("numpy", "scipy", "sklearn", "joblib", "PIL", "matplotlib", "fastapi", "optuna", "mlflow"),
    *("onnx", "distributed", "concurrent", "logging", "tempfile"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the pyproject.toml in a folder on the package in that folder."""
    code = "from importlinter.cli import lint_imports; exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def package_copy(tmp_path):
    """A folder with copies of the package's modules and of pyproject.toml."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    python_only = shutil.ignore_patterns("__pycache__", "*.joblib", "static")
    shutil.copytree(ROOT / "mnist_svm", tmp_path / "mnist_svm", ignore=python_only)
    return tmp_path


def test_imports_keep_the_contracts():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("svm/kernels.py", "from mnist_svm.pictures import normalize", "The SVM knows nothing"),
        ("models/file.py", "import mnist_svm.training.train", "Imports point down"),
        ("features/blur.py", "from mnist_svm.svm import kernels", "Imports point down"),
        ("recognition/recognizer.py", "import click", "Only the command line knows click"),
    ],
)
def test_a_forbidden_import_breaks_a_contract(package_copy, module, statement, contract):
    path = package_copy / "mnist_svm" / module
    path.write_text(f"{path.read_text()}\n{statement}\n")
    result = lint_imports(package_copy)
    assert result.returncode == 1
    (broken,) = [
        line for line in result.stdout.splitlines() if " BROKEN" in line and contract in line
    ]
    assert f"mnist_svm.{module[:-3].replace('/', '.')}" in result.stdout.split(broken)[1]


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a command has loaded when it exits."""
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', *{name.split('.')[0] for name in sys.modules}))\n"
        "from mnist_svm.__main__ import main\n"
        f"sys.argv = ['mnist-svm', *{list(arguments)!r}]\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return set(result.stdout.rsplit("LOADED ", 1)[1].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["fetch", "--help"], ["unknown"]]
)
def test_help_imports_nothing_heavy(arguments):
    assert not loaded_by(*arguments) & HEAVY


def test_the_version_imports_what_importlib_metadata_does():
    script = (
        "import sys, importlib.metadata; importlib.metadata.version('numpy'); print(*sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert loaded_by("--version") & HEAVY <= {name.split(".")[0] for name in result.stdout.split()}


def test_importing_the_package_imports_nothing_heavy():
    script = "import sys, mnist_svm; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(result.stdout.split()) & (HEAVY | {"typing"})


def test_public_names_are_sorted_and_defined():
    assert mnist_svm.__all__ == sorted(mnist_svm.__all__)
    assert all(getattr(mnist_svm, name) is not None for name in mnist_svm.__all__)
    assert set(mnist_svm.__all__) <= set(dir(mnist_svm))


def test_type_checkers_see_the_public_names():
    """The imports for type checkers and those at run time are of the same modules."""
    tree = ast.parse((ROOT / "mnist_svm" / "__init__.py").read_text())
    block, _ = [node for node in tree.body if isinstance(node, ast.If)]
    # Names that are not imported as themselves would be private to a strict type checker.
    imports = {name.asname: node.module for node in block.body for name in node.names}
    assert imports == mnist_svm._MODULES


def test_a_type_checker_accepts_public_names_and_no_others(tmp_path):
    names = ", ".join([*mnist_svm.__all__, "__version__"])
    (tmp_path / "typo.py").write_text(
        f"from mnist_svm import {names}\nfrom mnist_svm import Typo\n"
    )
    # Without the modules of these names, which takes a minute.
    options = ["--strict", "--follow-imports=skip", "--config-file=", f"--cache-dir={tmp_path}"]
    files = [str(ROOT / "mnist_svm" / "__init__.py"), str(tmp_path / "typo.py")]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    error, _ = result.stdout.splitlines()
    assert 'typo.py:2: error: Module "mnist_svm" has no attribute "Typo"' in error


def test_a_public_name_is_imported_once():
    assert mnist_svm.load_dataset is vars(mnist_svm)["load_dataset"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = mnist_svm.Nothing
