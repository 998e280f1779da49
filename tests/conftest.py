"""Real MNIST, models trained on it, and the command line as a user starts it."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mnist_svm import RECIPES, Dataset, Model, load_dataset, save_model, train_model
from mnist_svm._io import atomic_write
from mnist_svm.cli import cli
from tests.support.mirror import Mirror
from tests.support.paths import DATA, ROOT
from tests.support.processes import FROM_A_SHELL


def pytest_configure(config: pytest.Config) -> None:
    """Let JAX compile quickly, and each function once for all workers, servers and runs.

    JAX reads these variables when it is imported.
    """
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    cache = getattr(config, "cache", None)
    if cache is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache.mkdir("jax")))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def pytest_collection_finish() -> None:
    """Leave modules and tests out of later garbage collections, which take half a second else."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def train_set() -> Dataset:
    return load_dataset("mnist", split="train", data_dir=DATA)


@pytest.fixture(scope="session")
def test_set() -> Dataset:
    return load_dataset("mnist", split="test", data_dir=DATA)


@pytest.fixture(scope="session")
def small_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The default recipe, trained on 6,000 images, by the first worker that needs it."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent
    path = folder / "small_model.pickle"
    if not path.exists():
        model = train_model(RECIPES["poly4"], request.getfixturevalue("train_set"), limit=6000)
        with atomic_write(path) as file:
            pickle.dump(model, file)
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="session")
def small_model_file(small_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.joblib"
    save_model(path, small_model)
    return path


@pytest.fixture
def run() -> Callable[..., Result]:
    """The command line in this process."""
    return lambda *args: CliRunner().invoke(cli, [str(arg) for arg in args])


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """The command line in a process of its own, which does not outlive the test."""
    started = []

    def popen(*args: object, **options: object) -> subprocess.Popen[str]:
        command = [*FROM_A_SHELL, sys.executable, "-m", "mnist_svm", *map(str, args)]
        process = subprocess.Popen(
            [*options.pop("before", ()), *command],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            cwd=options.pop("cwd", ROOT),
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            preexec_fn=options.pop("limit", None),
            **options,
        )
        started.append(process)
        return process

    yield popen
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def finish(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[int, str, str]]:
    """The command line in a process of its own, run to its end."""

    def communicate(*args: object, **options: object) -> tuple[int, str, str]:
        process = start(*args, **options)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return communicate


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    if os.name == "nt":
        pytest.skip("folders of Windows are writable")
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.fixture
def no_privilege() -> list[str]:
    """What to put before a command so that file permissions bind it, even for root."""
    if os.name == "nt" or os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root needs setpriv (util-linux) to give up its right to write anywhere")
    return [setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    server = Mirror()
    server.serve_folder(DATA)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
