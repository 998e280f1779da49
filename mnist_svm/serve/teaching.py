"""Teach in a process of its own while the server answers, and take over its model.

Only one process teaches at a time, also of several workers: it holds a lock on a file in the folder
of corrections, next to the outcome of the last one.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from mnist_svm._io import acquire_lock, atomic_write
from mnist_svm.exceptions import sanitize
from mnist_svm.serve.observability import logger
from mnist_svm.serve.settings import Settings

LOCK, OUTCOME = ".teaching.lock", ".teaching.json"

# Seconds to end the process in, at shutdown.
END_TIMEOUT = 5


class Teacher:
    """Asynchronous context manager that runs ``mnist-svm teach``; a running one ends at the exit.

    `take_over` is called when it has written its model.
    """

    def __init__(self, settings: Settings, take_over: Callable[[], Awaitable[None]]) -> None:
        self._settings = settings
        self._folder = settings.corrections or Path()
        self._take_over = take_over
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ended = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._is_ended = True
            self._process.terminate()
            try:
                await asyncio.to_thread(self._process.wait, END_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
        if self._task is not None:
            await self._task

    def is_running(self) -> bool:
        """Whether a process teaches, started by any worker."""
        if self._task is not None and not self._task.done():
            return True
        lock = self._acquire()
        if lock is None:
            return True
        os.close(lock)
        return False

    def outcome(self) -> dict[str, Any] | None:
        """Return the summary or the ``error`` of the last process that ended, if there is one."""
        try:
            content = json.loads((self._folder / OUTCOME).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return content if isinstance(content, dict) else None

    async def start(self) -> bool:
        """Start to teach; return False if a process teaches already."""
        lock = None if self._task is not None and not self._task.done() else self._acquire()
        if lock is None:
            return False
        self._task = asyncio.create_task(self._run(lock))
        return True

    def _acquire(self) -> int | None:
        """Open and lock the file, or return None if another process has locked it."""
        return acquire_lock(self._folder / LOCK)

    async def _run(self, lock: int) -> None:
        """Teach, record the outcome, and take over the model."""
        try:
            outcome = await self._teach(lock)
            if outcome is None:
                return
            if "error" in outcome:
                logger.error("teaching failed: %s", outcome["error"])
            else:
                await self._take_over()
            with atomic_write(self._folder / OUTCOME) as file:
                file.write(json.dumps(outcome).encode())
        except OSError as error:
            logger.error("teaching failed: %s", error)
        finally:
            os.close(lock)

    async def _teach(self, lock: int) -> dict[str, Any] | None:
        """Run the command; return its summary, its error, or None if it was ended."""
        model, output = self._settings.current_model, self._settings.taught_model
        command = [sys.executable, "-m", "mnist_svm", "teach", str(self._folder), "--json"]
        # Not a process of asyncio: uvicorn's event loop for several workers on Windows has none.
        process = self._process = subprocess.Popen(  # noqa: S603 - this program
            [*command, "-m", str(model), "-o", str(output)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # While it lives, the lock is held, even if this worker is killed.
            pass_fds=() if sys.platform == "win32" else (lock,),
        )
        out, err = await asyncio.to_thread(process.communicate)
        if process.returncode == 0:
            summary: dict[str, Any] = json.loads(out)
            logger.info("taught", extra={"fields": {"seconds": round(summary["seconds"], 1)}})
            return {name: summary[name] for name in ("n_corrections", "corrections", "test")}
        if self._is_ended or process.returncode < 0:
            return None
        lines = err.decode(errors="replace").strip().splitlines() or ["no message"]
        return {"error": sanitize(lines[-1].removeprefix("mnist-svm: error: "), 500)}
