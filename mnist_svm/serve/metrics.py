"""What Prometheus is told."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# Set where several workers share their numbers through files in a folder.
SHARED = "PROMETHEUS_MULTIPROC_DIR"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counts of this worker, and the sums over all."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        if SHARED in os.environ:
            _forget_the_dead(Path(os.environ[SHARED]))
        else:
            ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "mnist_svm_requests",
            "Requests answered.",
            ["method", "path", "status"],
            registry=self._registry,
        )
        self.seconds = Histogram(
            "mnist_svm_request_seconds",
            "From a request's head to the end of its answer.",
            ["path"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.pictures = Counter(
            "mnist_svm_pictures",
            "Pictures and arrays, read or unreadable.",
            ["outcome"],
            registry=self._registry,
        )
        self.batches = Histogram(
            "mnist_svm_batch_images",
            "Images classified in one matrix product.",
            buckets=BATCHES,
            registry=self._registry,
        )
        self.begun = Gauge(
            "mnist_svm_requests_begun",
            "Requests that are being worked on.",
            multiprocess_mode="livesum",
            registry=self._registry,
        )

    def count_pictures(self, read: int, unreadable: int) -> None:
        """Count pictures by what became of them.

        Parameters
        ----------
        read, unreadable : int
        """
        self.pictures.labels("read").inc(read)
        self.pictures.labels("unreadable").inc(unreadable)

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them.

        Returns
        -------
        bytes
        """
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        over_all = CollectorRegistry()
        MultiProcessCollector(over_all)  # type: ignore[no-untyped-call]
        return generate_latest(over_all)


def _forget_the_dead(folder: Path) -> None:
    """Drop what killed workers said of their present state."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rsplit("_", 1)[1])
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
