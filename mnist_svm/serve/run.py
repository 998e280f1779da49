"""The server's processes: sockets, workers, and their end."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from mnist_svm.exceptions import AddressError, MnistSvmError
from mnist_svm.serve.logs import configuration, logger
from mnist_svm.serve.protocol import PatientProtocol
from mnist_svm.serve.settings import UNREAD_SECONDS, Settings

# Connections that wait to be taken.
BACKLOG = 2048

# Seconds that a worker may be silent before it is replaced, while it starts on a busy machine too.
WORKER_SECONDS = 20

# Seconds that Python lets a thread run while others wait: less than its 5 ms, since the event loop
# is one of them.
SWITCH = 0.0005


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Parameters
    ----------
    host : str
        Name or address, of IPv4 or IPv6.
    port : int
        0 takes one that is free.

    Returns
    -------
    socket.socket

    Raises
    ------
    AddressError
        If the address is not this machine's, or is taken.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = socket.create_server(
            address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=False
        )
    except socket.gaierror as error:
        msg = f"{host}: {error.strerror}"
        raise AddressError(msg) from error
    except UnicodeError as error:
        msg = f"{host}: not the name of a machine"
        raise AddressError(msg) from error
    except OSError as error:
        msg = f"{host}:{port}: {os.strerror(error.errno or 0)}"
        raise AddressError(msg) from error
    server.set_inheritable(True)
    # Connections have it from here. Of those that nobody reads from, some would stay for ever.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * UNREAD_SECONDS)
    return server


def url_of(server: socket.socket) -> str:
    """Where a browser finds a socket.

    Parameters
    ----------
    server : socket.socket

    Returns
    -------
    str
    """
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    settings: Settings,
    server: socket.socket,
    *,
    workers: int,
    terminal: bool,
    tell: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM; what was begun is finished.

    Parameters
    ----------
    settings : Settings
    server : socket.socket
        From `listen`.
    workers : int
        Processes; one is this process, more are others, which are started anew if they die.
    terminal : bool
        Whether a person reads the log.
    tell : callable
        Called when requests are answered, or with several workers soon will be.

    Raises
    ------
    MnistSvmError
        If a worker could not start.
    """
    config = uvicorn.Config(
        functools.partial(worker_app, settings),
        factory=True,
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        workers=workers,
        log_config=configuration(terminal),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(settings.timeout) + 1,
        timeout_worker_healthcheck=WORKER_SECONDS,
    )
    if workers == 1:
        _Server(config, tell).run(sockets=[server])
        return
    with tempfile.TemporaryDirectory(prefix="mnist-svm-") as folder:
        # Read when the workers import prometheus_client.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        team = _Workers(config, sockets=[server])
        tell()
        team.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in team.processes):
        msg = "a worker could not start; the log says why"
        raise MnistSvmError(msg)


def worker_app(settings: Settings) -> object:
    """The application of a worker, in its process.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    ASGI application
    """
    from mnist_svm.serve.app import create_app

    sys.setswitchinterval(SWITCH)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=[parent], daemon=True).start()
    try:
        app = create_app(settings)
    except (MnistSvmError, OSError) as error:
        if parent is None:
            raise
        logger.error("cannot start: %s", error)
        # Another would not get further.
        sys.exit(STARTUP_FAILURE)
    # What lives as long as the process need not be looked through for garbage again and again, and
    # bodies of numbers are lists by the hundred thousand, none of them garbage.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
    return app


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    """End when the process that could end this one is no more."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


class _Workers(Multiprocess):
    def terminate_all(self) -> None:
        """Have clients refused from now on, and not wait for workers that take no more."""
        for server in self.sockets:
            server.close()
        super().terminate_all()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, tell: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = tell

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so when signals are heeded and requests answered."""
        await super().startup(sockets)
        self._tell()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal for the wish to end, and not, in the end, for a failure."""
        self.force_exit = self.should_exit
        self.should_exit = True
