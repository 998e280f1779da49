"""GradientFeatures beside scipy.ndimage, on MNIST's test images, in one run.

    python -m benchmarks.gradients

Both make the same features; scipy goes image by image. Ours is measured with one thread and with
one a core, on MNIST's 28 x 28 pixels and on the 32 x 32 of the recipe ``gradient``.
"""

from __future__ import annotations

from functools import partial
from math import isqrt

import numpy as np
from deskew import best_of
from scipy import ndimage

from mnist_svm.datasets.load import load_dataset
from mnist_svm.features.gradients import MAX_GRADIENT, GradientFeatures
from mnist_svm.models.recipes import RECIPES

DIRECTIONS, GRID = 8, 7
REPEATS = 3
PEER_IMAGES = 300


def main() -> None:
    """Measure and print."""
    X = load_dataset("mnist", split="test").X
    sized = RECIPES["gradient"].pipeline()["normalize"].fit_transform(X)
    for images in (X, sized):
        side = isqrt(images.shape[1])
        few = images[:PEER_IMAGES]
        transformer = GradientFeatures(directions=DIRECTIONS).fit(images)
        assert abs(transformer.transform(few) - peer(few).astype(int)).max() <= 1
        theirs = len(few) / best_of(REPEATS, partial(peer, few))
        print(f"{side} x {side}, scipy.ndimage       {theirs:>9,.0f} images/s")
        for n_jobs, threads in ((1, "one thread"), (-1, "one a core")):
            transformer.set_params(n_jobs=n_jobs)
            ours = len(images) / best_of(REPEATS, partial(transformer.transform, images))
            print(f"{side} x {side}, ours, {threads}    {ours:>9,.0f} images/s")
            print(f"ratio                        {ours / theirs:>9.0f}")


def peer(X: np.ndarray) -> np.ndarray:
    """The features, image by image."""
    side = isqrt(X.shape[1])
    return np.array([_with_scipy(image.reshape(side, side)) for image in X])


def _with_scipy(image: np.ndarray) -> np.ndarray:
    """The features of one image, by the functions of scipy.ndimage."""
    image = image.astype(np.float64)
    across, down = (ndimage.sobel(image, axis=axis, mode="constant") for axis in (1, 0))
    step = 2 * np.pi / DIRECTIONS
    sector, angle = np.divmod(np.arctan2(down, across) % (2 * np.pi), step)
    length = np.hypot(across, down) / np.sin(step)
    planes = np.zeros((DIRECTIONS, *image.shape))
    rows, columns = np.indices(image.shape)
    sector = sector.astype(int) % DIRECTIONS
    planes[sector, rows, columns] = length * np.sin(step - angle)
    planes[(sector + 1) % DIRECTIONS, rows, columns] = length * np.sin(angle)
    cell = len(image) / GRID
    centres = cell * (np.arange(GRID) + 0.5) - 0.5
    # Blurring with zeros around, divided by what the weights inside the frame add up to.
    blur = [_sampled(plane, centres, cell / 2) for plane in [*planes, np.ones(image.shape)]]
    strengths = np.array(blur[:-1]) / blur[-1] / MAX_GRADIENT
    return np.rint(255 * np.sqrt(strengths)).ravel()


def _sampled(plane: np.ndarray, centres: np.ndarray, sigma: float) -> np.ndarray:
    """A plane blurred by a Gaussian about each of the grid's points."""
    for axis in (0, 1):
        parts = [
            np.tensordot(
                np.exp(-(((np.arange(plane.shape[axis]) - c) / sigma) ** 2) / 2), plane, (0, axis)
            )
            for c in centres
        ]
        plane = np.stack(parts, axis=axis)
    return plane


if __name__ == "__main__":
    main()
