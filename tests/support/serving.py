"""A server in a process of its own, as a user starts it, and what talks to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

# Seconds that anything here may take, on a machine that does much else.
PATIENCE = 60


@dataclass
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


@dataclass
class Served:
    """A running server.

    ``url`` has no slash at its end; ``lines`` are those of stderr so far.
    """

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, content)

    def send(self, path: str, *files: tuple[str, bytes], **headers: str) -> Answer:
        """Picture files, as a form."""
        kind, body = form(*files)
        return self.ask("POST", path, body, {"Content-Type": kind, **headers})

    def log(self) -> list[dict[str, Any]]:
        """The log's lines so far."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def workers(self) -> list[int]:
        """The processes that this one has started and that import the package."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [pid for pid in map(int, children.split()) if b"spawn_main" in command(pid)]


def command(pid: int) -> bytes:
    """How a process was started."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def form(*files: tuple[str, bytes]) -> tuple[str, bytes]:
    """Content type and body of a form with files in the field ``file``."""
    body = b""
    for name, content in files:
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        body += f"--limit\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return "multipart/form-data; boundary=limit", body + b"--limit--\r\n"


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until something is so, and give what it is."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)
    return found


@contextmanager
def serving(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Served]:
    """A server on a free port, which is there as long as the context, and answers."""

    def as_from_a_shell() -> None:
        # A test run in the background hands on that it ignores Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_svm", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        preexec_fn=as_from_a_shell,
    )
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    # A pipe that nobody reads would fill, and hold the server up.
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    try:
        url = lines[0].removeprefix("Serving on ").split()[0]
        assert url.startswith("http://127.0.0.1:"), lines
        served = Served(process, url, lines)
        assert served.ask("GET", "/ready").status == 200
        yield served
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        reader.join(PATIENCE)
