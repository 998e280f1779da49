"""Training curves for TensorBoard, if it is installed."""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from typing import Any

from mnist_svm.exceptions import MissingExtraError
from mnist_svm.networks.epoch import Epoch


def import_summary() -> Any:
    """Import TensorBoard's writers, or raise MissingExtraError if it is not installed."""
    try:
        return import_module("tensorboard.summary")
    except ImportError as error:
        msg = "training curves for TensorBoard need it: pip install tensorboard"
        raise MissingExtraError(msg) from error


class Board:
    """Writes the epochs of a training to a folder that TensorBoard shows."""

    def __init__(self, folder: str) -> None:
        self._writer: Any = import_summary().Writer(folder)

    def add(self, epoch: Epoch) -> None:
        """Write the values of an epoch."""
        values = asdict(epoch)
        step = values.pop("epoch")
        for name, value in values.items():
            self._writer.add_scalar(name, value, step=step)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
