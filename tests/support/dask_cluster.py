"""A Dask scheduler and workers, each a process of its own, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from distributed import Client

# Seconds until something that must happen has happened.
PATIENCE = 90


def until(happened: Callable[[], Any]) -> Any:
    """What it gives, once that is something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if result := happened():
            return result
        time.sleep(0.01)
    msg = "it did not happen"
    raise TimeoutError(msg)


class DaskCluster:
    """Workers have no nanny, so that one that was killed stays dead."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        told = folder / "scheduler.json"
        self._start("scheduler", "--port", "0", "--scheduler-file", str(told))
        self.address = json.loads(until(lambda: told.exists() and told.read_text()))["address"]
        self.client = Client(self.address, set_as_default=False)

    def _start(self, *arguments: str, before: tuple[str, ...] = ("-m", "dask")) -> None:
        log = self._folder / f"{len(self._processes)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *before, *arguments, "--host", "127.0.0.1", "--no-dashboard"],
                stdout=file,
                stderr=file,
                cwd=self._folder,
            )
        self._processes.append(process)

    def have(self, n: int) -> DaskCluster:
        """Start or kill workers until there are so many."""
        there = self.pids()
        for address in list(there)[n:]:
            self.kill(address)
        for _ in range(n - len(there)):
            self.start_worker()
        until(lambda: len(self.pids()) == n)
        return self

    def start_worker(self, *, before: tuple[str, ...] = ("-m", "dask")) -> None:
        """Start a worker; ``before`` is what Python is to run."""
        worker = ("worker", self.address, "--nthreads", "1", "--no-nanny")
        self._start(*worker, before=before)

    def pids(self) -> dict[str, int]:
        """Addresses of the workers, and their processes."""
        return dict(self.client.run(os.getpid))

    def kill(self, address: str) -> None:
        """Kill a worker; return when the scheduler knows."""
        os.kill(self.pids()[address], signal.SIGKILL)
        until(lambda: address not in self.client.ncores())

    def kill_one_at_work(self) -> None:
        """Kill a worker that is at a task, as soon as there is one."""
        at_work = self.client.processing
        self.kill(until(lambda: next((who for who, tasks in in_task().items() if tasks), None)))

    def killing_one(self, when: threading.Event) -> threading.Thread:
        """A thread that does that when it is told to."""

        def run() -> None:
            if when.wait(PATIENCE):
                self.kill_one_at_work()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def close(self) -> None:
        self.client.close()
        for process in self._processes:
            process.kill()
            process.wait()
