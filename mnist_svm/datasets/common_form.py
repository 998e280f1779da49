"""Bring arrays of images, which have lost the pictures that they were made of, to MNIST form.

The images are looked at as a set, because one alone does not tell ink from background: a coat of
Fashion-MNIST is as bright at its corners as the paper below a digit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnist_svm._types import BoolArray, Images, IntArray
from mnist_svm.constants import WHITE
from mnist_svm.datasets.types import Progress, no_progress
from mnist_svm.exceptions import FormatError, PictureError
from mnist_svm.pictures.mnist_form import MAX_BACKGROUND, are_mnist_form, ring_pixels

# Images of which the form is examined, spread over the set.
N_EXAMINED = 2000
# Share of images in MNIST form from which a set is one of digits in this form, with strays.
MIN_IN_FORM = 0.8
# Share of images with another background than the others that is a fault of a set of other images,
# not of digits in MNIST form: objects may fill the corners of some.
MAX_STRAYS = 0.15
# Share of pixels at the border from which their level is that of a background, and their greatest
# difference to it.
MIN_BORDER, MAX_BORDER_RANGE = 0.6, 32
# Share of images with a frame from which the set is framed: a bag may have an edge all around.
MIN_FRAMED = 0.8
# Greatest width of a frame, in pixels; least difference to what it surrounds, and greatest range of
# its pixels, without outliers, in grey levels.
MAX_FRAME, MIN_FRAME_STEP, MAX_FRAME_RANGE = 4, 48, 24
# Shares of outliers at both ends of the pixels of a frame, and of the background that it surrounds,
# which ink may cover.
FRAME_OUTLIERS, GROUND_OUTLIERS = 0.05, 0.25


@dataclass(frozen=True)
class CommonForm:
    """Images of a set, and what was done to them.

    Attributes
    ----------
    images : uint8 ndarray of shape (n, 28, 28), 0-255
    inverted : whether most are negatives of the source
    notices : what was mended, see `mnist_svm.datasets.types.LabelledImages`
    """

    images: Images
    inverted: bool = False
    notices: tuple[str, ...] = ()


def to_common_form(images: Images, source: str, progress: Progress = no_progress) -> CommonForm:
    """Bring the images of a set to bright ink on a dark background, in place.

    Images in MNIST form stay to the byte, and so do those of a set of other objects on a dark
    background. Negatives are inverted, a frame around the images is removed, and images with a
    grey background are normalized as `mnist-svm predict` does with pictures.

    Parameters
    ----------
    images : uint8 ndarray of shape (n, 28, 28), 0-255
        Changed in place.
    source : str
        What an error message calls the data set.
    progress : callable, optional
        Called with the number of images that were normalized, and of those to normalize.

    Returns
    -------
    CommonForm

    Raises
    ------
    FormatError
        If the background is not the same in all images, and they are not digits in MNIST form, so
        that a guess would be needed.
    """
    notices = remove_frame(images)
    grounds = corner_levels(images)
    dark, bright = grounds <= MAX_BACKGROUND, grounds >= WHITE - MAX_BACKGROUND
    if dark.all():
        return CommonForm(images, notices=notices)
    grey = ~(dark | bright)
    grey[grey] = _have_flat_border(images[grey], grounds[grey])
    n_bright, n_grey, n = int(bright.sum()), int(grey.sum()), len(images)
    if not _are_digits_in_form(images, dark, bright):
        strays = n_bright + n_grey
        if strays <= MAX_STRAYS * n:
            return CommonForm(images, notices=notices)
        if n_bright < (1 - MAX_STRAYS) * n:
            if n_grey < n / 2:
                raise _mixture_error(source, dark, bright, grey)
            grey[:] = True
        else:
            bright[:] = True
    notices += _normalize(images, np.flatnonzero(grey), source, progress)
    invert = bright & ~grey
    images[invert] = WHITE - images[invert]
    n_inverted = int(invert.sum())
    if n_inverted and not invert.all():
        which = f"{n_inverted:,} of {n:,} images"
        notices += (f"has dark ink on a bright background in {which}; these are inverted",)
    return CommonForm(images, n_inverted == n, notices)


def corner_levels(images: Images) -> IntArray:
    """Return the median grey level of twelve pixels in the four corners of each image."""
    ends, next_ends = [0, -1], [1, -2]
    corners = [
        images[:, rows][:, :, columns].reshape(len(images), -1)
        for rows, columns in ((ends, ends), (ends, next_ends), (next_ends, ends))
    ]
    ordered = np.sort(np.concatenate(corners, axis=1), axis=1)
    middle = ordered.shape[1] // 2
    return np.asarray((ordered[:, middle - 1].astype(np.intp) + ordered[:, middle]) // 2)


def _have_flat_border(images: Images, grounds: IntArray) -> BoolArray:
    """Whether most pixels at the border of each image have the level of its corners."""
    border = np.concatenate([images[:, [0, -1]], images[:, :, [0, -1]].swapaxes(1, 2)], axis=1)
    near = np.abs(border - grounds[:, None, None]) <= MAX_BORDER_RANGE
    return np.asarray(near.mean(axis=(1, 2)) >= MIN_BORDER)


def _are_digits_in_form(images: Images, dark: BoolArray, bright: BoolArray) -> bool:
    """Whether most images, or their negatives, have the form of MNIST's."""
    (known,) = np.nonzero(dark | bright)
    if 2 * len(known) < len(images):
        return False
    known = known[_spread(len(known))]
    examined = images[known]
    negative = bright[known]
    examined[negative] = WHITE - examined[negative]
    return float(are_mnist_form(examined).mean()) >= MIN_IN_FORM


def _normalize(
    images: Images, indices: IntArray, source: str, progress: Progress
) -> tuple[str, ...]:
    """Normalize images with a grey background, in place; those without a digit become blank."""
    if not len(indices):
        return ()
    from mnist_svm.pictures.normalize import normalize

    blank = []
    for n_done, index in enumerate(indices.tolist(), start=1):
        try:
            images[index] = normalize(images[index])
        except PictureError:
            images[index] = 0
            blank.append(index + 1)
        progress(n_done, len(indices))
    n, n_blank = len(images), len(blank)
    if 2 * n_blank > n:
        msg = f"{source}: no digit stands out from a grey background in {n_blank:,} of {n:,} images"
        raise FormatError(msg)
    which, how = f"{len(indices):,} of {n:,} images", "normalized as mnist-svm predict does"
    notice = f"has a grey background in {which}; these are {how}"
    if not blank:
        return (notice,)
    which = f"{n_blank:,} images, the first is number {blank[0]:,}"
    return notice, f"has no digit in {which}; they are left blank"


def _spread(n: int) -> IntArray:
    """Return the indices of at most `N_EXAMINED` of n images, evenly spaced."""
    return np.linspace(0, n - 1, min(N_EXAMINED, n)).astype(np.intp)


def remove_frame(images: Images) -> tuple[str, ...]:
    """Replace a frame around nearly all images by the background that it surrounds, in place.

    Returns a notice if there was one.
    """
    examined = images[_spread(len(images))]
    _, is_uniform = _ring(examined, 0, FRAME_OUTLIERS)
    for width in range(MAX_FRAME, 0, -1):
        grounds, is_ground = _ring(examined, width, GROUND_OUTLIERS)
        is_step = np.abs(_ring(examined, width - 1, FRAME_OUTLIERS)[0] - grounds) >= MIN_FRAME_STEP
        if (is_uniform & is_ground & is_step).mean() >= MIN_FRAMED:
            inner = images[:, width:-width, width:-width].copy()
            images[:] = _ring(images, width, GROUND_OUTLIERS)[0][:, None, None]
            images[:, width:-width, width:-width] = inner
            pixels = "1 pixel" if width == 1 else f"{width} pixels"
            return (f"has a frame of {pixels} around its images; it is removed",)
    return ()


def _ring(images: Images, depth: int, outliers: float) -> tuple[IntArray, BoolArray]:
    """Return the median of the pixels at a distance from the border, and if they are uniform."""
    ordered = np.sort(ring_pixels(images, depth), axis=1).astype(np.intp)
    cut = int(outliers * ordered.shape[1])
    is_uniform = ordered[:, -1 - cut] - ordered[:, cut] <= MAX_FRAME_RANGE
    return ordered[:, ordered.shape[1] // 2], is_uniform


def _mixture_error(source: str, dark: BoolArray, bright: BoolArray, grey: BoolArray) -> FormatError:
    counts = {"dark": dark.sum(), "bright": bright.sum(), "grey": grey.sum()}
    found = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    return FormatError(
        f"{source}: expected one background in all images, found {found} at the corners, so which "
        "side is ink would be a guess; convert all to bright ink on a dark background"
    )
