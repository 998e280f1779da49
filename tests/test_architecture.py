"""Imports point one way, and what must answer at once imports nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

import mnist_svm
from tests.support.paths import ROOT

PACKAGE = ROOT / "mnist_svm"

# What each part may import of this package, besides itself.
ALLOWED = {
    "errors": set(),
    "threads": set(),
    "workers": {"cluster", "errors", "threads"},
    "cluster": {"errors", "threads"},
    "models": set(),
    "fileio": set(),
    # Pictures in folders and tables become images as those that are read do.
    "datasets": {"errors", "fileio", "imaging"},
    "imaging": {"errors", "fileio", "threads"},
    "svm": {"errors", "fileio", "threads", "workers"},
    "recipes": {"pipelines"},
    "pipelines": {"imaging", "recipes", "svm"},
    "modelcheck": {"imaging", "svm"},
    "modelfile": {"errors", "fileio", "modelcheck", "models"},
    "report": {"errors", "imaging", "svm"},
    "training": {"errors", "datasets", "recipes", "modelfile", "svm"},
    "page": {"errors", "imaging"},
    "recognizer": {
        "errors",
        "imaging",
        "modelfile",
        "models",
        "page",
        "svm",
        "threads",
        "workers",
    },
    "explanation": {"imaging", "recognizer", "svm"},
    "learning": {"datasets", "errors", "modelfile", "recipes", "recognizer", "svm", "training"},
    "report_charts": {"learning", "report"},
    "report_page": {
        "datasets",
        "errors",
        "learning",
        "recognizer",
        "report",
        "report_charts",
        "svm",
    },
    "workfolder": {"fileio"},
    "augmentation": {
        "datasets",
        "fileio",
        "imaging",
        "modelfile",
        "pipelines",
        "recipes",
        "svm",
        "threads",
        "training",
        "workfolder",
    },
    "searchspace": {"pipelines", "recipes"},
    "holdout": {"datasets", "training"},
    "study": {"errors", "recipes", "searchspace"},
    "tuning": {
        "datasets",
        "errors",
        "holdout",
        "modelfile",
        "recipes",
        "report",
        "searchspace",
        "study",
        "training",
        "workers",
    },
    "mlflow_model": {"errors", "imaging", "modelfile", "recognizer"},
    "onnx_graph": {"errors", "imaging", "svm"},
    "onnx_export": {"errors", "imaging", "modelfile", "onnx_graph"},
    "tracking": {"errors", "mlflow_model", "modelfile", "report", "tuning"},
}
ALLOWED["serve"] = {"errors", "imaging", "page", "recognizer", "threads"}
ALLOWED["cli"] = set(ALLOWED)
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE) + [
    path for path in PACKAGE.glob("*.py") if not path.name.startswith("__")
]


def part(dotted: str) -> str:
    return dotted.split(".")[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name == "mnist_svm":
                assert own == "cli", f"{path} imports the package itself"
            elif name.startswith("mnist_svm."):
                assert part(name) in ALLOWED[own] | {own}, f"{path} imports {name}"
            if own != "cli":
                assert name.split(".")[0] != "click", f"{path} imports click"


def loaded_by(*arguments: str) -> set[str]:
    """Top-level modules that the command line has loaded when it has answered."""
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', *{name.split('.')[0] for name in sys.modules}))\n"
        "from mnist_svm.__main__ import main\n"
        f"sys.argv = ['mnist-svm', *{list(arguments)!r}]\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return set(done.stdout.rsplit("LOADED ", 1)[1].split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["train", "--help"], ["fetch", "--help"], ["unknown"]]
)
def test_help_imports_nothing_heavy(arguments):
    heavy = {
        "numpy",
        "scipy",
        "sklearn",
        "joblib",
        "PIL",
        "matplotlib",
        "fastapi",
        "optuna",
        "mlflow",
        "onnx",
        "distributed",
    }
    assert not loaded_by(*arguments) & heavy


def test_importing_the_package_imports_nothing_heavy():
    script = "import sys, mnist_svm; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_public_names_are_sorted_and_there():
    names = [name for name in mnist_svm.__all__ if name != "RECIPES"]
    assert names == sorted(names)
    assert all(getattr(mnist_svm, name) is not None for name in mnist_svm.__all__)
    assert set(mnist_svm.__all__) <= set(dir(mnist_svm))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = mnist_svm.Nothing
