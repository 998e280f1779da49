"""How images may lie: turned by quarters and mirrored. Does not import NumPy, for `--help`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_svm._types import Images

UPRIGHT, TRANSPOSED, UPSIDE_DOWN = "upright", "transposed", "upside-down"

# How images may lie, with what turns them upright: rows are axis 1, columns axis 2.
ORIENTATIONS: Mapping[str, Callable[[Images], Images]] = MappingProxyType(
    {
        UPRIGHT: lambda images: images,
        TRANSPOSED: lambda images: images.transpose(0, 2, 1),
        "mirrored": lambda images: images[:, :, ::-1],
        "flipped": lambda images: images[:, ::-1],
        UPSIDE_DOWN: lambda images: images[:, ::-1, ::-1],
        "turned-left": lambda images: images[:, ::-1].transpose(0, 2, 1),
        "turned-right": lambda images: images[:, :, ::-1].transpose(0, 2, 1),
        "anti-transposed": lambda images: images[:, ::-1, ::-1].transpose(0, 2, 1),
    }
)

# The same in words, after "the images are".
DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {
        UPRIGHT: "upright",
        TRANSPOSED: "transposed (stored column by column)",
        "mirrored": "mirrored, left and right exchanged",
        "flipped": "mirrored, top and bottom exchanged",
        UPSIDE_DOWN: "upside down",
        "turned-left": "turned to the left by 90 degrees",
        "turned-right": "turned to the right by 90 degrees",
        "anti-transposed": "mirrored at the diagonal from the lower left to the upper right",
    }
)


def turn_upright(images: Images, orientation: str) -> Images:
    """Turn images upright that lie in an orientation.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, 28, 28)
    orientation : key of `ORIENTATIONS`

    Returns
    -------
    uint8 ndarray of shape (n, 28, 28)
        In row-major order; without a copy if they are upright.

    Raises
    ------
    ValueError
        If there is no such orientation.
    """
    if orientation not in ORIENTATIONS:
        msg = f"orientation: expected one of {', '.join(ORIENTATIONS)}, found {orientation!r}"
        raise ValueError(msg)
    return images if orientation == UPRIGHT else ORIENTATIONS[orientation](images).copy()
