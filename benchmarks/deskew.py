"""Compare the speed of `Deskew` with that of the same transform by `scipy.ndimage`.

    python -m benchmarks.deskew

Prints the best of five runs over the 60,000 training images, in one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from mnist_svm import Deskew, load_dataset
from mnist_svm.features.moments import image_moments

REPEATS = 5
PEER_IMAGES = 3000


def peer(images: np.ndarray) -> np.ndarray:
    """Deskew image by image with `scipy.ndimage.affine_transform`."""
    moments = image_moments(images)
    out = np.empty(images.shape, dtype=np.float32)
    for k, image in enumerate(images):
        shear = moments.s_ij[k] / moments.s_ii[k]
        matrix = np.array([[1.0, 0.0], [shear, 1.0]])
        middle = np.array([13.5, 13.5])
        offset = np.array([moments.mu_i[k], moments.mu_j[k]]) - matrix @ middle
        out[k] = ndimage.affine_transform(image.astype(np.float32), matrix, offset, order=1)
    return out


def best_of(repeats: int, function: Callable[[], object]) -> float:
    """Return the least duration of several runs, in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def main() -> None:
    """Measure and print the images per second of both, and the ratio."""
    train = load_dataset("mnist", split="train")
    X, few = train.X, train.images[:PEER_IMAGES]
    transformer = Deskew().fit(X)
    speed = len(X) / best_of(REPEATS, lambda: transformer.transform(X))
    scipy_speed = len(few) / best_of(REPEATS, lambda: peer(few))
    print(f"mnist_svm.Deskew                    {speed:>9,.0f} images/s")
    print(f"scipy.ndimage.affine_transform      {scipy_speed:>9,.0f} images/s")
    print(f"ratio                               {speed / scipy_speed:>9.1f}")


if __name__ == "__main__":
    main()
