"""``python -m mnist_svm`` and the command ``mnist-svm``."""

from __future__ import annotations

import contextlib
import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    try:
        from mnist_svm.cli import cli

        cli(prog_name="mnist-svm")
    except KeyboardInterrupt:
        # Interrupted while still importing: nothing has been begun.
        sys.exit(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _leave()
        raise


def _leave() -> None:
    """End at once: a thread that still works in compiled code would abort the interpreter's end."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
