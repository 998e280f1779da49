"""Options of the server, and limits that are not options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mnist_svm.constants import IMAGE_SIDE, N_PIXELS
from mnist_svm.models.locate import DEFAULT_NAME, SHIPPED

MIB = 1 << 20
MILLION = 1_000_000

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

# Bytes of a request that the application has not received as its body: trailers and sizes of
# chunks, and what the HTTP protocol buffers, which is one read of 256 KiB on top of 64 KiB.
MAX_UNREAD_BYTES = 384 << 10

# Seconds until a connection is closed whose client does not read the response.
SEND_TIMEOUT = 30

# Larger pictures are decoded one at a time, because each may need half a gigabyte.
MAX_PARALLEL_PIXELS = 4 * MILLION

# Corrections in the folder, and bytes of one: at most 256 MiB in all.
MAX_CORRECTIONS = 2000
MAX_CORRECTION_BYTES = 128 << 10

# Seconds in which the rest of a rejected body is discarded, so that the client reads the response.
DRAIN_TIMEOUT = 5.0

# Value of the Retry-After header, in seconds.
RETRY_AFTER = 1


class Settings(BaseSettings):
    """Options of `serve`: arguments, else environment variables such as ``MNIST_SVM_PORT``.

    `max_body` is in MiB, `max_pixels` in millions, `timeout` in seconds from the headers of a
    request to its response; `queue` is the number of requests in progress per worker;
    `corrections` is the folder for pictures that people correct.
    """

    model_config = SettingsConfigDict(
        env_prefix="MNIST_SVM_", env_ignore_empty=True, str_strip_whitespace=True, frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    root_path: str = ""
    model: Path | None = None
    workers: int = Field(1, ge=1, le=64)
    max_body: int = Field(32, ge=1, le=1024)
    max_pixels: int = Field(32, ge=1, le=64)
    max_files: int = Field(64, ge=1, le=10_000)
    timeout: float = Field(30, ge=0.1, le=3600)
    queue: int = Field(128, ge=1, le=100_000)
    allow_origin: Annotated[tuple[str, ...], NoDecode] = ()
    api_key: str | None = Field(None, repr=False)
    corrections: Path | None = None

    @field_validator("allow_origin", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Split a variable, which has a space between origins."""
        return value.split() if isinstance(value, str) else value

    @field_validator("root_path")
    @classmethod
    def _normalize_path(cls, path: str) -> str:
        """Return a path with a slash at its start and none at its end."""
        return "/" + path.strip("/") if path.strip("/") else ""

    @property
    def taught_model(self) -> Path | None:
        """Model file that teaching writes: the server's own, but never that of the package."""
        if self.corrections is None:
            return None
        if self.model is None or self.model.resolve() == SHIPPED.resolve():
            return self.corrections.absolute().parent / DEFAULT_NAME
        return self.model

    @property
    def current_model(self) -> Path:
        """Model file to serve: the taught one if there is one."""
        taught = self.taught_model
        given = self.model or SHIPPED
        return taught if taught is not None and taught.exists() else given
