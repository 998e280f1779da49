"""HTTP on a connection, with an end to how long a client may take to say what it wants."""

from __future__ import annotations

import asyncio
import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mnist_svm.serve.settings import HEAD_SECONDS, MAX_CONNECTIONS, MAX_HEAD, RETRY_SECONDS

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n"
    b"retry-after: %d\r\n\r\n" % RETRY_SECONDS
)

UPGRADE = re.compile(rb"(\r\n)upgrade:", re.IGNORECASE)


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for ever for the rest of a head.

    The head of a request must be complete `HEAD_SECONDS` after the connection was made or the
    head began. What is no body may take `MAX_HEAD` bytes. Of more than `MAX_CONNECTIONS`, the last
    are sent away.
    """

    _head: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.write(FULL)
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what came, and go on waiting if the head is not complete."""
        if self._head is None and self._idle:
            self._await_head()
        self._head_bytes += len(data)
        super().data_received(_without_upgrade(data) if self._idle else data)
        if not self._idle:
            self._head_is_there()
        if self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            if self._idle:
                self.send_400_response("The head of the request is too long.")
            else:
                self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; what frames it may take as much again, and no more."""
        self._head_bytes = max(0, self._head_bytes - 2 * len(body))
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Take headers."""
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none that follows the body: there may be millions, for nobody."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting, and the work that nobody waits for."""
        self._head_is_there()
        super().connection_lost(exc)
        if not self._idle and (leave := self.cycle.scope["state"].get("leave")):
            leave()

    @property
    def _idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _head_is_there(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        self._head = None
        if not self.transport.is_closing():
            self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """A request's beginning without the offer to change to another protocol.

    It is never taken up, and the parser would take the body for the other protocol's. Java's client
    offers HTTP/2 with every request.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return UPGRADE.sub(rb"\1x-declined:", head) + end + rest if b"pgrade" in head else data
