"""Compare the speed of `GradientFeatures` with that of `scipy.ndimage` on MNIST's test images.

    python -m benchmarks.gradients

Both compute the same features, SciPy image by image. `GradientFeatures` is measured with one thread
and with one per core, on MNIST's 28 x 28 pixels and on the 32 x 32 of the recipe ``gradient``.
"""

from __future__ import annotations

from functools import partial
from math import isqrt

import numpy as np
from scipy import ndimage

from benchmarks.deskew import best_of
from mnist_svm.datasets.load import load_dataset
from mnist_svm.features.gradients import MAX_GRADIENT
from mnist_svm.features.transformers import GradientFeatures
from mnist_svm.models.recipes import RECIPES

DIRECTIONS, GRID = 8, 7
REPEATS = 3
PEER_IMAGES = 300


def main() -> None:
    """Measure and print."""
    X = load_dataset("mnist", split="test").X
    sized = RECIPES["gradient"].pipeline()["features"]["strokes"]["normalize"].fit_transform(X)
    for images in (X, sized):
        side = isqrt(images.shape[1])
        few = images[:PEER_IMAGES]
        transformer = GradientFeatures(directions=DIRECTIONS).fit(images)
        assert abs(transformer.transform(few) - peer(few).astype(int)).max() <= 1
        scipy_speed = len(few) / best_of(REPEATS, partial(peer, few))
        print(f"{side} x {side}, scipy.ndimage       {scipy_speed:>9,.0f} images/s")
        for n_jobs, threads in ((1, "one thread"), (-1, "one per core")):
            transformer.set_params(n_jobs=n_jobs)
            speed = len(images) / best_of(REPEATS, partial(transformer.transform, images))
            print(f"{side} x {side}, GradientFeatures, {threads}    {speed:>9,.0f} images/s")
            print(f"ratio                        {speed / scipy_speed:>9.0f}")


def peer(X: np.ndarray) -> np.ndarray:
    """Compute the features image by image."""
    side = isqrt(X.shape[1])
    return np.array([_with_scipy(image.reshape(side, side)) for image in X])


def _with_scipy(image: np.ndarray) -> np.ndarray:
    """Compute the features of one image with scipy.ndimage."""
    image = image.astype(np.float64)
    g_x, g_y = (ndimage.sobel(image, axis=axis, mode="constant") for axis in (1, 0))
    step = 2 * np.pi / DIRECTIONS
    sector, angle = np.divmod(np.arctan2(g_y, g_x) % (2 * np.pi), step)
    length = np.hypot(g_x, g_y) / np.sin(step)
    planes = np.zeros((DIRECTIONS, *image.shape))
    rows, columns = np.indices(image.shape)
    sector = sector.astype(int) % DIRECTIONS
    planes[sector, rows, columns] = length * np.sin(step - angle)
    planes[(sector + 1) % DIRECTIONS, rows, columns] = length * np.sin(angle)
    cell = len(image) / GRID
    centres = cell * (np.arange(GRID) + 0.5) - 0.5
    # Blurred ones are the sum of the weights inside the frame.
    *blurred, weights = (
        _blur_and_sample(plane, centres, cell / 2) for plane in [*planes, np.ones(image.shape)]
    )
    strengths = np.array(blurred) / weights / MAX_GRADIENT
    return np.rint(255 * np.sqrt(strengths)).ravel()


def _blur_and_sample(plane: np.ndarray, centres: np.ndarray, sigma: float) -> np.ndarray:
    """Blur a plane with a Gaussian and sample it at the grid points."""
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
