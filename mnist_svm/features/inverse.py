"""Back from gradient features to a picture: what they still know of a digit.

Many images have nearly the same features, so the likeliest of them is looked for: ink where the
features have strokes, smooth, and paper elsewhere. What comes out is no image of the training set,
but it shows what a machine that has nothing but features goes by.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from joblib import delayed
from scipy import optimize, sparse

from mnist_svm.constants import Float64Array
from mnist_svm.features.gradients import GradientFeatures, gaussian_grid_weights
from mnist_svm.parallel.threads import threads

# Prices of differences between neighbours, and of ink. Chosen by eye, so that strokes are closed
# and the paper is blank; features are met to a few per cent all the same.
ROUGHNESS = 0.03
INK = 0.005
STEPS = 60

# Added before the power is taken, which has no slope at zero.
OFFSET = 1e-3


def reconstruct_images(
    features: npt.NDArray[np.uint8], gradients: GradientFeatures
) -> npt.NDArray[np.uint8]:
    """Images that have nearly the given gradient features.

    Parameters
    ----------
    features : uint8 ndarray of shape (n, directions * grid**2)
        From `GradientFeatures.transform`.
    gradients : GradientFeatures
        The fitted transformer that they are from.

    Returns
    -------
    uint8 ndarray of shape (n, height, width), ink bright on a dark ground
        The brightest pixel of each is 255. Without any strokes, blank.

    Notes
    -----
    Minimises the squared distance from the features plus `ROUGHNESS` times the squared
    differences between neighbouring pixels plus `INK` times the ink, over pixels from 0 to 1, by
    L-BFGS-B from a blurred drawing of where strokes are.

    References
    ----------
    A. Mahendran, A. Vedaldi, "Understanding deep image representations by inverting them",
    CVPR 2015, for inverting a description by descent with a prior for smooth images.
    """
    problem = _Problem(gradients)
    with threads(gradients.n_jobs) as parallel:
        images = list(parallel(delayed(_image_of)(problem, row) for row in features))
    return np.array(images, np.uint8).reshape(len(features), *gradients.image_shape_)


def _image_of(problem: _Problem, features: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    lengths = problem.lengths(features)
    found = optimize.minimize(
        problem.cost,
        problem.drawing(lengths),
        args=(lengths,),
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(0, 1),
        options={"maxiter": STEPS},
    )
    return np.asarray(np.rint(255 * found.x / max(found.x.max(), OFFSET)), np.uint8)


class _Problem:
    """What an image costs that is to have some features; pixels are from 0 to 1, in one row."""

    def __init__(self, gradients: GradientFeatures) -> None:
        height, width = gradients.image_shape_
        blur = gaussian_grid_weights(height, width, gradients.grid, gradients.smoothing)
        self._blur = blur.astype(np.float64)
        self._power = gradients.power
        angles = 2 * np.pi / gradients.directions * np.arange(gradients.directions)
        self._towards = np.stack([np.cos(angles), np.sin(angles)])
        # Sobel's gradient, such that the longest along an axis is 1, and differences of neighbours.
        across = sparse.kron(_bands(height, (1, 2, 1)), _bands(width, (-0.25, 0, 0.25)))
        down = sparse.kron(_bands(height, (-0.25, 0, 0.25)), _bands(width, (1, 2, 1)))
        beside = sparse.kron(sparse.eye_array(height), _bands(width, (0, -1, 1))[:-1])
        below = sparse.kron(_bands(height, (0, -1, 1))[:-1], sparse.eye_array(width))
        self._gradient = sparse.vstack([across, down], format="csr")
        differences = sparse.vstack([beside, below], format="csr")
        self._smooth = (differences.T @ differences).tocsr()
        self._back = self._gradient.T.tocsr()

    def lengths(self, features: npt.NDArray[np.uint8]) -> Float64Array:
        """Of the blurred gradients that make the features, (directions, points of the grid)."""
        lengths = (features / 255.0) ** (1 / self._power)
        return np.asarray(lengths.reshape(-1, self._blur.shape[1]))

    def drawing(self, lengths: Float64Array) -> Float64Array:
        """Where there are strokes, roughly."""
        strokes = self._blur @ lengths.sum(axis=0)
        return np.asarray(np.clip(1.5 * strokes / max(strokes.max(), OFFSET) - 0.3, 0, 1))

    def cost(self, pixels: Float64Array, lengths: Float64Array) -> tuple[float, Float64Array]:
        """The cost of an image that is to have such blurred gradients, and its slope."""
        across, down = (self._gradient @ pixels).reshape(2, -1)
        # Each gradient lies between two directions, along which it is split as in GradientDecomposer.
        n_directions, at = self._towards.shape[1], np.arange(len(pixels))
        turn = np.arctan2(down, across) / (2 * np.pi) % 1
        one = np.minimum((turn * n_directions).astype(np.intp), n_directions - 1)
        other = (one + 1) % n_directions
        (one_x, one_y), (other_x, other_y) = self._towards[:, one], self._towards[:, other]
        sine = np.sin(2 * np.pi / n_directions)
        planes = np.zeros((n_directions, len(pixels)))
        planes[one, at] = (across * other_y - down * other_x) / sine
        planes[other, at] = (one_x * down - one_y * across) / sine
        blurred = np.maximum(planes @ self._blur, 0) + OFFSET

        misses = blurred**self._power - (lengths + OFFSET) ** self._power
        rough = self._smooth @ pixels
        cost = (misses**2).sum() + ROUGHNESS * pixels @ rough + INK * pixels.sum()

        of_planes = (2 * misses * self._power * blurred ** (self._power - 1)) @ self._blur.T
        of_one, of_other = of_planes[one, at] / sine, of_planes[other, at] / sine
        of_across = of_one * other_y - of_other * one_y
        of_down = of_other * one_x - of_one * other_x
        slope = self._back @ np.concatenate([of_across, of_down])
        return float(cost), slope + 2 * ROUGHNESS * rough + INK


def _bands(n: int, weights: tuple[float, float, float]) -> sparse.sparray:
    """A square matrix that weighs each pixel's left neighbour, itself and its right neighbour."""
    return sparse.diags_array(
        [*map(float, weights)], offsets=[-1, 0, 1], shape=(n, n), format="csr"
    )
