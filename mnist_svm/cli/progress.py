"""Progress on stderr for what takes more than a moment; silent when it is not a terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

TICK_SECONDS = 0.2

# Back to the start of the terminal's line, and clear it.
WIPE = "\r\x1b[K"

T = TypeVar("T")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks on.

    Parameters
    ----------
    stream : ``sys.stdout`` or ``sys.stderr``, which are None when they were closed at the start

    Returns
    -------
    bool
    """
    return stream is not None and stream.isatty()


def watched(what: str, work: Callable[[], T]) -> T:
    """Do work that tells the machine's logger of its progress; show that and the seconds taken.

    The work runs in a thread of its own, because compiled code such as libsvm's returns to
    the interpreter only at its end, and the main thread must be free to see Ctrl-C.

    Parameters
    ----------
    what : what the line says before the seconds
    work : called once, without arguments

    Returns
    -------
    what ``work`` returned

    Raises
    ------
    whatever ``work`` raised, and KeyboardInterrupt
        After an interrupt the thread is abandoned; it ends with the process.
    """
    outcome: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again in the main thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    start = time.monotonic()
    with _latest_message() as latest, _live_line() as show:
        thread.start()
        while thread.is_alive():
            thread.join(TICK_SECONDS)
            show(f"{what} ... {time.monotonic() - start:.0f} s   {latest()}")
    if errors:
        raise errors[0]
    return outcome[0]


@contextmanager
def _latest_message() -> Iterator[Callable[[], str]]:
    """Listen to the machine's logger; yields what gives its last message."""
    import logging  # here, so that help need not wait for it

    from mnist_svm.svm.log import listening

    messages = [""]
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    with listening(handler):
        yield lambda: messages[-1]


@contextmanager
def counted(what: str, unit: str, *, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Show how much of a countable work is done.

    Parameters
    ----------
    what : what the line says before the count
    unit : what is counted, after the count
    shown : False keeps silent on a terminal too

    Yields
    ------
    callable, told the number done and the number of all (0 if unknown)
    """
    with _live_line() as show:

        def report(done: int, total: int) -> None:
            part = f" of {total:,}" if total else ""
            bar = _bar(done / total) if total else ""
            if shown:
                show(f"{what} {bar}{done:,}{part} {unit}")

        yield report


def _bar(part: float) -> str:
    width = 24
    filled = round(width * min(part, 1.0))
    return f"[{'#' * filled}{'.' * (width - filled)}] "


def _columns(terminal: TextIO) -> int:
    """How wide a terminal is; as wide as most, if it does not tell."""
    return os.get_terminal_size(terminal.fileno()).columns or 80


@contextmanager
def _live_line() -> Iterator[Callable[[str], None]]:
    """A line on the terminal that is overwritten as the work goes on, and wiped at its end."""
    terminal = is_terminal(sys.stderr)
    last = 0.0

    def show(text: str) -> None:
        nonlocal last
        if terminal and time.monotonic() - last >= TICK_SECONDS / 2:
            last = time.monotonic()
            # A longer line would go on in the next one, which is not wiped.
            sys.stderr.write(f"{WIPE}{text[: _columns(sys.stderr) - 1]}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if terminal:
            sys.stderr.write(WIPE)
            sys.stderr.flush()
