"""Real MNIST, models trained on it, and the command line as a user starts it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mnist_svm import RECIPES, Dataset, Model, load_dataset, save_model, train_model
from mnist_svm.cli import cli

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
DIGITS = [ROOT / "images_test" / f"{digit}.png" for digit in range(10)]


@pytest.fixture(scope="session")
def train_set() -> Dataset:
    return load_dataset("mnist", split="train", data_dir=DATA)


@pytest.fixture(scope="session")
def test_set() -> Dataset:
    return load_dataset("mnist", split="test", data_dir=DATA)


@pytest.fixture(scope="session")
def small_model(train_set: Dataset) -> Model:
    """The default recipe, trained on 6,000 images."""
    return train_model(RECIPES["poly4"], train_set, limit=6000)


@pytest.fixture(scope="session")
def small_model_file(small_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.joblib"
    save_model(path, small_model)
    return path


@pytest.fixture
def run() -> Callable[..., Result]:
    """The command line in this process."""
    return lambda *args: CliRunner().invoke(cli, [str(arg) for arg in args])


def using_model(command: str, model: Path) -> list[object]:
    """The arguments that make a command read a model file."""
    return {
        "predict": ["predict", DIGITS[0], "--model", model],
        "eval": ["eval", "--model", model, "--data-dir", DATA],
        "info": ["info", model],
    }[command]


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """The command line in a process of its own, which does not outlive the test."""
    started = []

    def popen(*args: object, **options: object) -> subprocess.Popen[str]:
        limit = options.pop("limit", None)

        def as_from_a_shell() -> None:
            # A test run in the background hands on that it ignores Ctrl-C.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if limit:
                limit()

        process = subprocess.Popen(
            [*options.pop("before", ()), sys.executable, "-m", "mnist_svm", *map(str, args)],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            cwd=options.pop("cwd", ROOT),
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            preexec_fn=as_from_a_shell,
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


def seen_on_a_terminal(*arguments: object) -> str:
    """What the command line, run to its good end, shows on stderr to a person."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_svm", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        cwd=ROOT,
    )
    os.close(theirs)
    seen = b""
    # Once nobody has the terminal any more, reading it is an error.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 4096):
            seen += part
    os.close(ours)
    assert process.wait(60) == 0
    return seen.decode()


@pytest.fixture
def read_only_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)


@pytest.fixture
def no_privilege() -> list[str]:
    """What to put before a command so that file permissions bind it, even for root."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root needs setpriv (util-linux) to give up its right to write anywhere")
    return [setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


class Mirror(ThreadingHTTPServer):
    """A local HTTP server that serves bytes by file name and can misbehave.

    ``content`` maps names to bytes; ``requests`` lists the (name, Range header) it was asked.
    ``ranges`` says whether it honours Range headers. ``cut`` holds, for successive answers, how
    many bytes to send before the connection is dropped; ``pause`` is set once that much was
    sent and the rest is held back for ever.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MirrorHandler)
        self.content: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.ranges = True
        self.cut: list[int] = []
        self.hold_after: int | None = None
        self.holding = threading.Event()
        self.released = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def serve_folder(self, folder: Path) -> None:
        self.content = {path.name: path.read_bytes() for path in folder.glob("*.gz")}


class _MirrorHandler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1]
        wanted = self.headers.get("Range")
        self.server.requests.append((name, wanted))
        body = self.server.content.get(name)
        if body is None:
            self.send_error(404)
            return
        first = 0
        if wanted and self.server.ranges:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        self._send(body[first:])

    def _send(self, body: bytes) -> None:
        if self.server.cut:
            self.wfile.write(body[: self.server.cut.pop(0)])
        elif self.server.hold_after is not None:
            self.wfile.write(body[: self.server.hold_after])
            self.wfile.flush()
            self.server.holding.set()
            self.server.released.wait(60)
        else:
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


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
