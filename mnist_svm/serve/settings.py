"""What a server may be told, and the bounds that it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20

# Images of one JSON request, and bytes of one: parsed, numbers take ten times the memory.
MAX_ARRAYS = 1000
MAX_JSON = 8 * MIB

# Lists in it: of the deepest form, 28 x 28 x 1, so many images have no more.
MAX_LISTS = 2 + MAX_ARRAYS * (1 + 28 + 28 * 28)

# Bytes of bodies that one worker holds at a time, over all requests.
MAX_HELD = 256 * MIB

# Open connections of one worker.
MAX_CONNECTIONS = 1000

# Seconds in which the head of a request must have come, and its bytes at most.
HEAD_SECONDS = 10.0
MAX_HEAD = 64 << 10

# Seconds after which a client that does not take its answer is given up.
UNREAD_SECONDS = 30

# Pixels up to which pictures are decoded side by side; larger ones wait for each other, because one
# may take half a gigabyte.
SMALL = 4_000_000

# Seconds that a client may go on sending what was refused, so that it gets to read the answer.
REFUSED_SECONDS = 5.0

# Seconds after which a client that was sent away may come again.
RETRY_SECONDS = 1


@dataclass(frozen=True)
class Settings:
    """How to serve.

    Attributes
    ----------
    model : which model file.
    max_body : bytes of a request's body.
    max_pixels : of one picture.
    max_files : pictures of one request.
    timeout : seconds for one request, from its head to its answer.
    queue : requests that one worker has begun on; more are sent away.
    origins : web origins whose pages may use the API (CORS); ``*`` for all.
    api_key : what a client must know; None if nothing.
    """

    model: Path
    max_body: int = 32 * MIB
    max_pixels: int = 32_000_000
    max_files: int = 64
    timeout: float = 30
    queue: int = 128
    origins: tuple[str, ...] = ()
    api_key: str | None = None
