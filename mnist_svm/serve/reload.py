"""Take over the model file while the server runs."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys

from mnist_svm.exceptions import MnistSvmError
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.serve.observability import logger
from mnist_svm.serve.predict import PredictionService
from mnist_svm.serve.settings import Settings


class ModelReloader:
    """Loads the model file again, in a thread, and gives it to the service."""

    def __init__(self, service: PredictionService, settings: Settings) -> None:
        self._service = service
        self._settings = settings
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def install(self) -> None:
        """Reload when this process gets SIGHUP, which Windows does not have."""
        if sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._start)

    def _start(self) -> None:
        task = asyncio.create_task(self.reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reload(self) -> None:
        """Take over the model file; if it is damaged or of other classes, log that and keep it."""
        async with self._lock:
            path = self._settings.current_model
            try:
                recognizer = await asyncio.to_thread(_load, self._settings)
            except (MnistSvmError, OSError) as error:
                logger.error("the model is kept: %s", error)
                return
            if recognizer.classes.tolist() != self._service.recognizer.classes.tolist():
                logger.error("the model is kept: %s has other classes; restart the server", path)
                return
            self._service.replace_model(recognizer)
            logger.info("took over the model", extra={"fields": {"model": str(path)}})

    async def reload_all(self) -> None:
        """Reload in this worker and, by way of the supervisor, in all others."""
        parent = multiprocessing.parent_process()
        if sys.platform != "win32" and parent is not None and parent.pid is not None:
            os.kill(parent.pid, signal.SIGHUP)
        # Here at once: this worker reports that the model is in use.
        await self.reload()


def _load(settings: Settings) -> Recognizer:
    return Recognizer.load(settings.current_model, n_jobs=1).prepare()
