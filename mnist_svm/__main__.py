"""``python -m mnist_svm`` and the command ``mnist-svm``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        from mnist_svm.cli import cli

        cli(prog_name="mnist-svm")
    except KeyboardInterrupt:
        # Interrupted while still importing: nothing has been begun.
        sys.exit(130)


if __name__ == "__main__":
    main()
