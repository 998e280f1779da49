"""The layer that bounds what a request may take: who asks, how much, how long, how many at once."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mnist_svm.serve.error_responses import ProblemError
from mnist_svm.serve.metrics import Metrics
from mnist_svm.serve.responses import problem_answer
from mnist_svm.serve.settings import MAX_HELD, MIB, REFUSED_SECONDS, Settings

# Where the API key is asked for.
GUARDED = frozenset(["/predict", "/read", "/info", "/metrics"])

# Where bodies are read.
READING = frozenset(["/predict", "/read"])

BUSY = "too many requests at once; try again"


class Inbox:
    """What a client sends, and whether all of it has come.

    Parameters
    ----------
    headers : Headers
    receive : ASGI callable

    Attributes
    ----------
    headers : as given.
    ended : whether there is no more to come.
    """

    def __init__(self, headers: Headers, receive: Receive) -> None:
        self.headers = headers
        self.ended = not ({"content-length", "transfer-encoding"} & set(headers))
        self._receive = receive

    async def __call__(self) -> Message:
        """The next message, as ASGI's ``receive``."""
        message = await self._receive()
        self.ended = not message.get("more_body", False)
        return message


class Guard:
    """ASGI layer that lets through what is within the bounds, with its body complete.

    Parameters
    ----------
    app : ASGI application
        Gets each body in one piece.
    settings : Settings
    metrics : Metrics
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._begun = metrics.begun
        self._working = 0
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inbox, started = Inbox(Headers(scope=scope), receive), False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._let_through(scope, inbox, sending)
        except TimeoutError:
            if not started:
                msg = f"took more than {self._settings.timeout:g} s; send less at a time"
                await _refuse(ProblemError(408, msg), scope, inbox, send)
        except ProblemError as problem:
            await _refuse(problem, scope, inbox, send)
        except ClientDisconnect:
            # Nobody is left to tell.
            return

    async def _let_through(self, scope: Scope, inbox: Inbox, send: Send) -> None:
        if not scope["path"].isprintable():
            # A route's pattern may pass over a newline at the end, and what is checked here must be
            # what is reached.
            raise ProblemError(404, "Not Found")
        if scope["path"] in GUARDED:
            self._require_key(inbox.headers)
        body = bytearray()
        try:
            await self._read(body, inbox)
            await self._work(bytes(body), scope, inbox, send)
        finally:
            self._held -= len(body)

    def _require_key(self, headers: Headers) -> None:
        key = self._settings.api_key
        if key is None:
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")
        # The bytes as they came, in a time that does not tell how much of them is right.
        if not hmac.compare_digest(given.encode("latin-1"), os.fsencode(key)):
            msg = "an API key is needed: X-API-Key: KEY, or Authorization: Bearer KEY"
            raise ProblemError(401, msg)

    async def _read(self, body: bytearray, inbox: Inbox) -> None:
        """Read a body, never more of it than is allowed."""
        limit = self._settings.max_body
        too_large = ProblemError(413, f"a body of more than {limit / MIB:g} MiB; send less")
        told = inbox.headers.get("content-length", "")
        if told.isdigit() and int(told) > limit:
            raise too_large
        while not inbox.ended:
            message = await inbox()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part: bytes = message.get("body", b"")
            if len(body) + len(part) > limit:
                raise too_large
            if self._held + len(part) > MAX_HELD:
                raise ProblemError(503, BUSY)
            self._held += len(part)
            body += part

    async def _work(self, body: bytes, scope: Scope, inbox: Inbox, send: Send) -> None:
        """Have the request answered, if there are not too many already."""
        if scope["method"] != "POST" or scope["path"] not in READING:
            await self._app(scope, inbox, send)
            return
        if self._working >= self._settings.queue:
            raise ProblemError(503, BUSY)
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await inbox()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        task, left = asyncio.current_task(), False
        assert task is not None  # noqa: S101 - there is one wherever something is awaited

        def leave() -> None:
            nonlocal left
            left = True
            task.cancel()

        # For the connection to call when its client is gone.
        scope["state"]["leave"] = leave
        self._working += 1
        self._begun.inc()
        try:
            await self._app(scope, replay, send)
        except asyncio.CancelledError:
            if not left:
                raise
            task.uncancel()
            raise ClientDisconnect from None
        finally:
            del scope["state"]["leave"]
            self._working -= 1
            self._begun.dec()


async def _refuse(problem: ProblemError, scope: Scope, inbox: Inbox, send: Send) -> None:
    """Say what is wrong, and hear the client out for a while.

    A connection that is closed while the client still sends loses the answer. So the answer is
    complete before its end is told, and what comes until then is thrown away.
    """
    answer = problem_answer(problem, scope["state"]["request_id"])
    if inbox.ended:
        await answer(scope, inbox, send)
        return
    answer.headers["connection"] = "close"
    start = {"type": "http.response.start", "status": answer.status_code}
    await send({**start, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REFUSED_SECONDS):
            while not inbox.ended:
                await inbox()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
