"""Logs: an object of JSON a line for machines, or a short line for a person at a terminal."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

logger = logging.getLogger("mnist_svm.serve")


class JsonLines(logging.Formatter):
    """An object a line: time, level, message, and what the record has in ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in it."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class ShortLines(logging.Formatter):
    """Time, message, and the values of ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        """A line, and a traceback if there is one."""
        fields = getattr(record, "fields", {})
        said = "  ".join(str(value) for value in fields.values() if value is not None)
        line = f"{datetime.fromtimestamp(record.created):%H:%M:%S}  {record.getMessage()}  {said}"
        # What a client sent must not move a terminal's cursor.
        line = "".join(character if character.isprintable() else "?" for character in line)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line.rstrip()


def configuration(terminal: bool) -> dict[str, Any]:
    """How to log, for `logging.config.dictConfig`, in every worker.

    Parameters
    ----------
    terminal : bool
        Whether a person reads it.

    Returns
    -------
    dict
    """
    formatter = ShortLines if terminal else JsonLines
    handler = {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": formatter}},
        "handlers": {"stderr": handler},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "mnist_svm.serve": {"level": "INFO"},
            # What is wrong with a client's request, form or picture is told to the client.
            "uvicorn": {"level": "ERROR"},
            "python_multipart": {"level": "CRITICAL"},
            "PIL": {"level": "CRITICAL"},
        },
    }
