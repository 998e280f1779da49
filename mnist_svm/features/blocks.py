"""Blocks of images that are processed together."""

from __future__ import annotations

from collections.abc import Iterator

# Few enough images that the temporary arrays stay in the cache and in memory that the allocator
# reuses.
IMAGES_PER_BLOCK = 32


def blocks(n_images: int) -> Iterator[slice]:
    """Yield slices of at most `IMAGES_PER_BLOCK` images that cover all."""
    for start in range(0, n_images, IMAGES_PER_BLOCK):
        yield slice(start, start + IMAGES_PER_BLOCK)
