"""Run the server: listening socket, worker processes, shutdown."""

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
from mnist_svm.serve.observability import SHARED_METRICS, log_config, logger
from mnist_svm.serve.protocol import LimitedHttpProtocol
from mnist_svm.serve.settings import SEND_TIMEOUT, Settings

# Connections that the operating system queues.
BACKLOG = 2048

# Seconds without a sign of life until a worker is replaced; starting on a busy machine takes a few.
WORKER_TIMEOUT = 20

# Seconds until Python switches threads. The default of 5 ms would delay the event loop.
SWITCH_INTERVAL = 0.0005

# Allocations between garbage collections. By default, lists of numbers trigger too many.
GC_THRESHOLD = 50_000


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Parameters
    ----------
    host : str
        Host name, or IPv4 or IPv6 address.
    port : int
        Port number; 0 selects a free port.

    Raises
    ------
    AddressError
        If the address is not available on this machine.
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
        msg = f"{host}: not a valid host name"
        raise AddressError(msg) from error
    except OSError as error:
        msg = f"{host}:{port}: {os.strerror(error.errno or 0)}"
        raise AddressError(msg) from error
    server.set_inheritable(True)
    # Connections inherit this option. Without it, some whose client does not read never end.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * SEND_TIMEOUT)
    return server


def url_of(server: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    settings: Settings,
    server: socket.socket,
    *,
    workers: int,
    is_terminal: bool,
    on_start: Callable[[], None],
) -> None:
    """Serve until SIGINT or SIGTERM, then finish the requests in progress.

    Parameters
    ----------
    settings : Settings
    server : socket.socket, from `listen`
    workers : int
        Number of processes. With 1 this process serves; otherwise it restarts workers that die.
    is_terminal : bool
        Format the log for people.
    on_start : callable
        Called when the server accepts requests, or when several workers start.

    Raises
    ------
    MnistSvmError
        If a worker cannot start.
    """
    config = uvicorn.Config(
        functools.partial(worker_app, settings),
        factory=True,
        http=LimitedHttpProtocol,
        ws="none",
        lifespan="on",
        workers=workers,
        log_config=log_config(is_terminal),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(settings.timeout) + 1,
        timeout_worker_healthcheck=WORKER_TIMEOUT,
    )
    if workers == 1:
        _Server(config, on_start).run(sockets=[server])
        return
    with tempfile.TemporaryDirectory(prefix="mnist-svm-") as folder:
        # The workers inherit it, and prometheus_client reads it on import.
        os.environ[SHARED_METRICS] = folder
        supervisor = _Supervisor(config, sockets=[server])
        on_start()
        supervisor.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        msg = "a worker cannot start; the log has the reason"
        raise MnistSvmError(msg)


def worker_app(settings: Settings) -> object:
    """Create the application in a worker process, and tune the process for it."""
    from mnist_svm.serve.app import create_app

    sys.setswitchinterval(SWITCH_INTERVAL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=[parent], daemon=True).start()
    try:
        app = create_app(settings)
    except (MnistSvmError, OSError) as error:
        if parent is None:
            raise
        logger.error("cannot start: %s", error)
        # With this exit code the supervisor does not restart the worker.
        sys.exit(STARTUP_FAILURE)
    # Exclude the objects of the application from garbage collection.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    return app


def _exit_with(parent: multiprocessing.process.BaseProcess) -> None:
    """Stop this worker when the supervisor is gone."""
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor(Multiprocess):
    def terminate_all(self) -> None:
        """Refuse new connections before the workers finish theirs."""
        for server in self.sockets:
            server.close()
        super().terminate_all()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Report the start, once requests and signals are handled."""
        await super().startup(sockets)
        self._on_start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down without raising the signal again, which would be an error exit."""
        self.force_exit = self.should_exit
        self.should_exit = True
