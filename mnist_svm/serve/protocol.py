"""HTTP on a connection, with an end to how long a client may take to say what it wants."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mnist_svm.serve.settings import HEAD_SECONDS, MAX_CONNECTIONS, MAX_HEAD, RETRY_SECONDS

FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n"
    b"retry-after: %d\r\n\r\n" % RETRY_SECONDS
)


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for ever for the rest of a head.

    The head of a request must be complete `HEAD_SECONDS` after the connection was made or the
    head began, and within `MAX_HEAD` bytes. More than `MAX_CONNECTIONS` are sent away.
    """

    _head: asyncio.TimerHandle | None = None
    _head_bytes = 0

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
        super().data_received(data)
        if not self._idle:
            self._head_is_there()
        elif self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._head_is_there()
        super().connection_lost(exc)

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
