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


def watched(what: str, work: Callable[[], T], *, above: Callable[[], str] = lambda: "") -> T:
    """Do work that tells the machine's logger of its progress; show that and the seconds taken.

    The work runs in a thread of its own, because compiled code such as libsvm's returns to
    the interpreter only at its end, and the main thread must be free to see Ctrl-C.

    Parameters
    ----------
    what : what the line says before the seconds
    work : called once, without arguments
    above : gives what to show above that line: lines, each with its end

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
    with _latest_message() as latest, _live_lines() as show:
        thread.start()
        while thread.is_alive():
            thread.join(TICK_SECONDS)
            show(f"{above()}{what} ... {time.monotonic() - start:.0f} s   {latest()}")
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
    with _live_lines() as show:

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


def _cut(text: str, terminal: TextIO) -> list[str]:
    """What of some lines a terminal can show and wipe again; of most sizes, if it tells none."""
    columns, rows = os.get_terminal_size(terminal.fileno())
    # A longer line would go on in the next one, and what is above the first row is out of reach.
    return [line[: (columns or 80) - 1] for line in text.split("\n")[-(rows or 24) :]]


@contextmanager
def _live_lines() -> Iterator[Callable[[str], None]]:
    """Lines on the terminal that are overwritten as the work goes on, and wiped at its end."""
    terminal = is_terminal(sys.stderr)
    last, above = 0.0, 0

    def wipe() -> str:
        return WIPE + f"\x1b[{above}A\x1b[J" * bool(above)

    def show(text: str) -> None:
        nonlocal last, above
        if terminal and time.monotonic() - last >= TICK_SECONDS / 2:
            last = time.monotonic()
            lines = _cut(text, sys.stderr)
            sys.stderr.write(wipe() + "\n".join(lines))
            sys.stderr.flush()
            above = len(lines) - 1

    try:
        yield show
    finally:
        if terminal:
            sys.stderr.write(wipe())
            sys.stderr.flush()
