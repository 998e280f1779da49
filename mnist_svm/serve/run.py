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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.server import HANDLED_SIGNALS
from uvicorn.supervisors import Multiprocess

from mnist_svm._optional import ignore_dependency_warnings
from mnist_svm.exceptions import AddressError, MnistSvmError
from mnist_svm.serve.connections import LimitedConnection
from mnist_svm.serve.observability import SHARED_METRICS, log_config, logger
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
    """Open a listening socket; port 0 selects a free port.

    Raises AddressError if the address, a name or an IPv4 or IPv6 address, is not available.
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
        # create_server adds the address to the message.
        reason = (error.strerror or str(error)).partition(" (while attempting")[0]
        msg = f"{host}:{port}: {reason}"
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
    settings: Settings, server: socket.socket, *, is_terminal: bool, on_start: Callable[[], None]
) -> None:
    """Serve on a socket until SIGINT or SIGTERM, then finish the requests in progress.

    On SIGHUP the workers take over the model file, if it is valid.

    With one worker this process serves; otherwise it restarts workers that die. On a terminal, the
    log is formatted for people. `on_start` is called when the server accepts requests, or when
    several workers start. Raises MnistSvmError if a worker cannot start.
    """

    async def notify() -> None:
        """Report the start; uvicorn calls this when it begins to serve."""
        config.callback_notify = None
        on_start()

    config = uvicorn.Config(
        functools.partial(worker_app, settings),
        factory=True,
        http=LimitedConnection,
        ws="none",
        lifespan="on",
        root_path=settings.root_path,
        workers=settings.workers,
        log_config=log_config(is_terminal),
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=int(settings.timeout) + 1,
        timeout_worker_healthcheck=WORKER_TIMEOUT,
        callback_notify=notify if settings.workers == 1 else None,
    )
    if settings.workers > 1:
        _supervise(config, server, on_start)
        return
    with _signals_do_nothing():
        uvicorn.Server(config).run(sockets=[server])


class _Supervisor(Multiprocess):
    """Supervisor that passes SIGHUP on: uvicorn's would restart the workers."""

    def handle_hup(self) -> None:
        """Let each worker take over the model file.

        The signal ends a worker that is still starting, and its successor loads the new file.
        """
        if sys.platform == "win32":
            return  # which has no SIGHUP
        for worker in self.processes:
            if worker.process.is_alive() and worker.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGHUP)


def _supervise(config: uvicorn.Config, server: socket.socket, on_start: Callable[[], None]) -> None:
    """Run several workers; see `serve`."""
    # Windows refuses to remove files that a worker, which is still ending, has mapped.
    with tempfile.TemporaryDirectory(prefix="mnist-svm-", ignore_cleanup_errors=True) as folder:
        # The workers inherit it, and prometheus_client reads it on import.
        os.environ[SHARED_METRICS] = folder
        supervisor = _Supervisor(config, sockets=[server])

        def refuse() -> None:
            # Refuse new connections while the workers finish theirs.
            supervisor.should_exit.wait()
            server.close()

        threading.Thread(target=refuse, daemon=True).start()
        on_start()
        supervisor.run()
    if any(worker.exitcode == STARTUP_FAILURE for worker in supervisor.processes):
        msg = "a worker cannot start; the log has the reason"
        raise MnistSvmError(msg)


@contextmanager
def _signals_do_nothing() -> Iterator[None]:
    """Ignore the signal that uvicorn raises again after its shutdown, which would be an error."""
    handlers = [signal.signal(number, lambda number, frame: None) for number in HANDLED_SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(HANDLED_SIGNALS, handlers, strict=True):
            signal.signal(number, handler)


def worker_app(settings: Settings) -> object:
    """Create the application in a worker process, and tune the process for it."""
    from mnist_svm.serve.app import create_app

    ignore_dependency_warnings()
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
