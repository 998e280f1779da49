"""A Dask scheduler and workers, as processes on the loopback interface."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from distributed import Client

from tests.support.serving import TIMEOUT, eventually

# Variable that says how long a worker tries to reach one that was killed; else half a minute.
CONNECT_TIMEOUT = "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"


class DaskCluster:
    """A scheduler and workers. Workers have no nanny, so that a killed one is not restarted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        address_file = folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--scheduler-file", str(address_file))
        content = eventually(lambda: address_file.exists() and address_file.read_text())
        self.address = json.loads(content)["address"]
        self.client = Client(self.address, set_as_default=False)

    def _start(self, *arguments: str, python_arguments: tuple[str, ...] = ("-m", "dask")) -> None:
        options = ["--host", "127.0.0.1", "--no-dashboard"]
        log = self._folder / f"{len(self._processes)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *python_arguments, *arguments, *options],
                stdout=file,
                stderr=file,
                cwd=self._folder,
                env={**os.environ, CONNECT_TIMEOUT: "5s"},
            )
        self._processes.append(process)

    def scale(self, n: int) -> DaskCluster:
        """Start or kill workers until there are n."""
        addresses = list(self.pids())
        for address in addresses[n:]:
            self.kill(address)
        for _ in range(n - len(addresses)):
            self.start_worker()
        eventually(lambda: len(self.pids()) == n)
        return self

    def start_worker(self, *, python_arguments: tuple[str, ...] = ("-m", "dask")) -> None:
        """Start a worker; `python_arguments` are those of the interpreter that run Dask."""
        worker = ("worker", self.address, "--nthreads", "1", "--no-nanny")
        self._start(*worker, python_arguments=python_arguments)

    def pids(self) -> dict[str, int]:
        """Process ids of the workers, by address."""
        return dict(self.client.run(os.getpid))

    def kill(self, address: str) -> None:
        """Kill a worker, and wait until the scheduler knows."""
        os.kill(self.pids()[address], signal.SIGKILL)
        eventually(lambda: address not in self.client.ncores())

    def kill_busy_worker(self) -> None:
        """Wait for a worker that runs a task, and kill it."""

        def busy_worker() -> str | None:
            tasks_by_worker = self.client.processing()
            return next((worker for worker, tasks in tasks_by_worker.items() if tasks), None)

        self.kill(eventually(busy_worker))

    def kill_busy_worker_after(self, event: threading.Event) -> threading.Thread:
        """Start a thread that waits for an event, then kills a worker that runs a task."""

        def run() -> None:
            if event.wait(TIMEOUT):
                self.kill_busy_worker()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def close(self) -> None:
        """Kill all processes."""
        self.client.close()
        for process in self._processes:
            process.kill()
            process.wait()
