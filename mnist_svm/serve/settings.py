"""Options of the server, and limits that are not options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mnist_svm.constants import IMAGE_SIDE, N_PIXELS

MIB = 1 << 20

# Images per JSON request, and bytes of its body: once parsed, numbers take ten times the memory.
MAX_ARRAYS = 1000
MAX_JSON_BYTES = 8 * MIB

# Lists in a JSON body: MAX_ARRAYS images of shape 28 x 28 x 1, the most deeply nested form.
MAX_JSON_LISTS = 2 + MAX_ARRAYS * (1 + IMAGE_SIDE + N_PIXELS)

# Bytes of request bodies in the memory of one worker.
MAX_BUFFERED_BYTES = 256 * MIB

# Open connections per worker.
MAX_CONNECTIONS = 1000

# Seconds until the headers of a request must be complete, and their size in bytes.
HEADER_TIMEOUT = 10.0
MAX_HEADER_BYTES = 64 << 10

# Seconds until a connection is closed whose client does not read the response.
SEND_TIMEOUT = 30

# Larger pictures are decoded one at a time, because each may need half a gigabyte.
MAX_PARALLEL_PIXELS = 4_000_000

# Seconds in which the rest of a rejected body is discarded, so that the client reads the response.
DRAIN_TIMEOUT = 5.0

# Value of the Retry-After header, in seconds.
RETRY_AFTER = 1


@dataclass(frozen=True)
class Settings:
    """Options of the server.

    Attributes
    ----------
    model : model file
    max_body : bytes per request body
    max_pixels : pixels per picture
    max_files : pictures per request
    timeout : seconds from the headers of a request to its response
    queue : requests in progress per worker; more get status 503
    origins : web origins whose pages may use the API (CORS); ``*`` allows all
    api_key : key that clients must send; None for an open API
    """

    model: Path
    max_body: int = 32 * MIB
    max_pixels: int = 32_000_000
    max_files: int = 64
    timeout: float = 30
    queue: int = 128
    origins: tuple[str, ...] = ()
    api_key: str | None = None
