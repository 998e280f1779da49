"""A local mirror of data sets."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


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
