"""Connections: uvicorn's HTTP protocol, behind limits on the time and size of headers.

`LimitedConnection` is the `asyncio.Protocol` that uvicorn creates for each connection. It passes
all bytes on, so uvicorn alone decides what they mean. `ConnectionMiddleware` tells it when the
application begins and ends a request.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mnist_svm.serve.settings import (
    HEADER_TIMEOUT,
    MAX_CONNECTIONS,
    MAX_HEADER_BYTES,
    MAX_UNREAD_BYTES,
    RETRY_AFTER,
)

OVERLOADED = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n"
    b"retry-after: %d\r\n\r\n" % RETRY_AFTER
)
TOO_LONG = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 40\r\nconnection: close\r\n\r\nThe headers of the request are too long."
)

HEADERS_END = b"\r\n\r\n"
UPGRADE_HEADER = re.compile(rb"(\r\n)upgrade:", re.IGNORECASE)


class LimitedConnection(asyncio.Protocol):
    """A connection that is closed if its client takes too long or sends too much besides bodies.

    The headers of a request must be complete `HEADER_TIMEOUT` after the connection was made or the
    request began, and have at most `MAX_HEADER_BYTES`. Trailers and chunk sizes may have
    `MAX_UNREAD_BYTES` more than the body. Connections beyond `MAX_CONNECTIONS` get status 503. If
    the client disconnects, its request is cancelled.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = _loop or asyncio.get_running_loop()
        self._connections = server_state.connections
        # Each request gets a copy of the state, as `scope["state"]`.
        state = {**app_state, "connection": self}
        self._protocol = HttpToolsProtocol(config, server_state, state, self._loop)
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any] | None = None
        self._in_headers = True
        self._n_header_bytes = 0
        self._n_unread_bytes = 0
        # The last bytes of incomplete headers, because their end may arrive in two parts.
        self._tail = b""
        self.is_lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request's headers."""
        self._transport = transport
        self._protocol.connection_made(transport)
        if len(self._connections) > MAX_CONNECTIONS:
            self._close(OVERLOADED)
        else:
            self._timer = self._loop.call_later(HEADER_TIMEOUT, self._close)

    def data_received(self, data: bytes) -> None:
        """Count bytes, and pass them on."""
        if self._transport.is_closing():
            return
        if self._in_headers:
            if self._timer is None:
                self._timer = self._loop.call_later(HEADER_TIMEOUT, self._close)
            end = (self._tail + data).find(HEADERS_END)
            self._n_header_bytes += len(data) if end < 0 else end
            if self._n_header_bytes > MAX_HEADER_BYTES:
                self._close(TOO_LONG)
                return
            self._in_headers = end < 0
            self._tail = (self._tail + data[-3:])[-3:]
            data = _without_upgrade(data)
        self._n_unread_bytes += len(data)
        if self._n_unread_bytes > MAX_UNREAD_BYTES:
            self._close()
            return
        self._protocol.data_received(data)

    def pause_writing(self) -> None:
        """Pass on that the client does not read fast enough."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client reads again."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer, and cancel the request in progress."""
        self.is_lost = True
        self._stop_timer()
        self._protocol.connection_lost(exc)
        if self._task is not None:
            self._task.cancel()

    def begin(self, task: asyncio.Task[Any]) -> None:
        """Stop the timer, because the application handles the request, in `task`."""
        self._stop_timer()
        self._in_headers = False
        self._task = task

    def count_body(self, size: int) -> None:
        """Allow more bytes, because the application has read a part of the body."""
        self._n_unread_bytes = max(0, self._n_unread_bytes - 2 * size)

    def end(self, task: asyncio.Task[Any]) -> None:
        """Expect headers again, unless a pipelined request has begun."""
        if self._task is task:
            self._task = None
            self._in_headers = True
            self._n_header_bytes = self._n_unread_bytes = 0
            self._tail = b""

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self, response: bytes = b"") -> None:
        self._stop_timer()
        if not self._transport.is_closing():
            self._transport.write(response)
            self._transport.close()


class ConnectionMiddleware:
    """ASGI middleware that tells a `LimitedConnection` about its requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request; return early if its client disconnects."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection: LimitedConnection = scope["state"].pop("connection")
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines always run in a task

        async def receive_counted() -> Message:
            message = await receive()
            connection.count_body(len(message.get("body", b"")))
            return message

        connection.begin(task)
        try:
            await self._app(scope, receive_counted, send)
        except asyncio.CancelledError:
            if not connection.is_lost:
                raise
        finally:
            connection.end(task)


def _without_upgrade(data: bytes) -> bytes:
    """Rename the Upgrade header, because the parser would treat the body as the new protocol's.

    Java's client offers an upgrade to HTTP/2 with every request.
    """
    if b"pgrade" not in data:
        return data
    headers, end, rest = data.partition(HEADERS_END)
    return UPGRADE_HEADER.sub(rb"\1x-declined:", headers) + end + rest
