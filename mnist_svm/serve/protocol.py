"""HTTP protocol of uvicorn with limits on headers and connections."""

from __future__ import annotations

import asyncio
import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mnist_svm.serve.settings import (
    HEADER_TIMEOUT,
    MAX_CONNECTIONS,
    MAX_HEADER_BYTES,
    RETRY_AFTER,
)

OVERLOADED_RESPONSE = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n"
    b"retry-after: %d\r\n\r\n" % RETRY_AFTER
)

UPGRADE_HEADER = re.compile(rb"(\r\n)upgrade:", re.IGNORECASE)


class LimitedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which alone would wait for headers without a limit.

    The headers of a request must be complete `HEADER_TIMEOUT` after the connection was made or the
    request began. Headers, trailers and chunk sizes are limited to `MAX_HEADER_BYTES`. Connections
    beyond `MAX_CONNECTIONS` get status 503.
    """

    _timer: asyncio.TimerHandle | None = None
    _n_header_bytes = 0
    _is_in_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request's headers."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.write(OVERLOADED_RESPONSE)
            transport.close()
            return
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Parse data, and stop the timer when the headers are complete."""
        if self._timer is None and self._is_idle:
            self._start_timer()
        self._n_header_bytes += len(data)
        super().data_received(_without_upgrade(data) if self._is_idle else data)
        if not self._is_idle:
            self._stop_timer()
        if self._n_header_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            if self._is_idle:
                self.send_400_response("The headers of the request are too long.")
            else:
                self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body, which allows as many bytes again of chunk sizes."""
        self._n_header_bytes = max(0, self._n_header_bytes - 2 * len(body))
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._is_in_headers = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, but no trailers, because a client may send millions."""
        if self._is_in_headers:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Run the application."""
        self._is_in_headers = False
        self._n_header_bytes = 0
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer, and cancel the request in progress."""
        self._stop_timer()
        super().connection_lost(exc)
        if not self._is_idle and (cancel := self.cycle.scope["state"].get("cancel")):
            cancel()

    @property
    def _is_idle(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    def _start_timer(self) -> None:
        self._n_header_bytes = 0
        self._timer = self.loop.call_later(HEADER_TIMEOUT, self._close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """Rename the Upgrade header, because the parser would treat the body as the new protocol's.

    Java's client offers an upgrade to HTTP/2 with every request.
    """
    headers, end, rest = data.partition(b"\r\n\r\n")
    if b"pgrade" not in headers:
        return data
    return UPGRADE_HEADER.sub(rb"\1x-declined:", headers) + end + rest
