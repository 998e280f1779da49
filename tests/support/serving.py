"""A server process for tests, started as a user would, and an HTTP client for it."""

from __future__ import annotations

import http.client
import json
import os
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
from tests.support.processes import FROM_A_SHELL

# Seconds until anything in these tests has failed, on a busy machine.
TIMEOUT = 60


@dataclass
class Response:
    """An HTTP response; the names of its headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed JSON body."""
        return json.loads(self.body)


@dataclass
class Server:
    """A running server.

    ``url`` has no trailing slash; ``lines`` are the lines of stderr so far.
    """

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request on a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, received, content)

    def post_files(self, path: str, *files: tuple[str, bytes], **headers: str) -> Response:
        """Post picture files, given by name and content, as a form."""
        content_type, body = multipart_form(*files)
        return self.request("POST", path, body, {"Content-Type": content_type, **headers})

    def log(self) -> list[dict[str, Any]]:
        """Return the log entries so far."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def workers(self) -> list[int]:
        """Return the ids of the worker processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [pid for pid in map(int, children.split()) if b"spawn_main" in command_line(pid)]


def command_line(pid: int) -> bytes:
    """Return the command line of a process; it is empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def multipart_form(*files: tuple[str, bytes]) -> tuple[str, bytes]:
    """Return content type and body of a form with files in the field ``file``."""
    body = b""
    for name, content in files:
        head = f'Content-Disposition: form-data; name="file"; filename="{name}"'
        body += f"--limit\r\n{head}\r\n\r\n".encode() + content + b"\r\n"
    return "multipart/form-data; boundary=limit", body + b"--limit--\r\n"


def eventually(condition: Callable[[], Any]) -> Any:
    """Poll a condition until it is true, and return its value; fail after `TIMEOUT`."""
    deadline = time.monotonic() + TIMEOUT
    while not (value := condition()):
        assert time.monotonic() < deadline, f"condition not met within {TIMEOUT} s"
        time.sleep(0.05)
    return value


@contextmanager
def serving(*arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start ``mnist-svm serve`` on a free port, and stop it at the end of the context."""
    process = subprocess.Popen(
        [*FROM_A_SHELL, sys.executable, "-m", "mnist_svm", "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
    )
    assert process.stderr is not None
    lines = [process.stderr.readline()]
    # A full pipe would block the server.
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    try:
        url = lines[0].removeprefix("Serving on ").split()[0]
        assert url.startswith("http://127.0.0.1:"), lines
        server = Server(process, url, lines)
        assert server.request("GET", "/ready").status == 200
        yield server
    finally:
        process.terminate()
        try:
            process.wait(TIMEOUT)
        finally:
            process.kill()
            process.wait()
        reader.join(TIMEOUT)
