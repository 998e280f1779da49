"""Reconstruct images from gradient features, to show what the features retain of a digit.

Many images have nearly the same features. The reconstruction is a plausible one of them: ink where
the features have strokes, smooth, and blank elsewhere. It is not an image of the training set, but
it shows what an SVM on these features can base its decision on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from mnist_svm._types import Float64Array
from mnist_svm.constants import WHITE
from mnist_svm.features.gradients import gaussian_axis_weights
from mnist_svm.features.transformers import GradientFeatures
from mnist_svm.parallel.threads import delayed, threads

# Weights of the smoothness and ink penalties. Chosen by eye, so that strokes are closed and the
# background is blank; the features still match to a few per cent.
ROUGHNESS_WEIGHT = 0.03
INK_WEIGHT = 0.005
MAX_ITERATIONS = 60

# Added before taking a power, whose slope at zero is infinite.
EPSILON = 1e-3


def reconstruct_images(
    features: npt.NDArray[np.uint8], gradients: GradientFeatures
) -> npt.NDArray[np.uint8]:
    """Find images whose gradient features are close to those that `gradients` computed.

    Returns uint8 images of shape (n, height, width), with bright ink; the maximum of each is 255,
    or 0 if its features are all zero. Minimises the squared distance between the features, plus
    `ROUGHNESS_WEIGHT` times the squared differences of neighbouring pixels, plus `INK_WEIGHT` times
    the sum of pixels, over pixels in [0, 1], by L-BFGS-B from a blurred image of the strokes.

    References
    ----------
    A. Mahendran, A. Vedaldi, "Understanding deep image representations by inverting them",
    CVPR 2015, for inverting features by gradient descent with a smoothness prior.
    """
    objective = _Objective(gradients)
    with threads(gradients.n_jobs) as parallel:
        images = list(parallel(delayed(_reconstruct_image)(objective, row) for row in features))
    return np.array(images, np.uint8).reshape(len(features), *gradients.image_shape_)


def _reconstruct_image(
    objective: _Objective, features: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    lengths = objective.lengths(features)
    result = optimize.minimize(
        objective.cost,
        objective.initial_pixels(lengths),
        args=(lengths,),
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(0, 1),
        options={"maxiter": MAX_ITERATIONS},
    )
    return np.asarray(np.rint(WHITE * result.x / max(result.x.max(), EPSILON)), np.uint8)


class _Objective:
    """Cost of an image and its gradient, for flattened pixels in [0, 1]."""

    def __init__(self, gradients: GradientFeatures) -> None:
        height, width = gradients.image_shape_
        row_weights, column_weights = (
            gaussian_axis_weights(side, gradients.grid, gradients.smoothing)
            for side in (height, width)
        )
        self._blur = np.kron(row_weights, column_weights).T.astype(np.float64, order="C")
        self._power = gradients.power
        angles = 2 * np.pi / gradients.directions * np.arange(gradients.directions)
        self._directions = np.stack([np.cos(angles), np.sin(angles)])
        # Sobel operator, scaled so that the maximum along an axis is 1, and forward differences.
        weights = (1, 2, 1), (-0.25, 0, 0.25), (0, -1, 1)
        (smooth_i, sobel_i, forward_i), (smooth_j, sobel_j, forward_j) = (
            [_tridiagonal(side, row) for row in weights] for side in (height, width)
        )
        g_x, g_y = sparse.kron(smooth_i, sobel_j), sparse.kron(sobel_i, smooth_j)
        self._sobel = sparse.vstack([g_x, g_y], format="csr")
        horizontal = sparse.kron(sparse.eye_array(height), forward_j[:-1])
        vertical = sparse.kron(forward_i[:-1], sparse.eye_array(width))
        differences = sparse.vstack([horizontal, vertical], format="csr")
        self._roughness = (differences.T @ differences).tocsr()
        self._sobel_transposed = self._sobel.T.tocsr()

    def lengths(self, features: npt.NDArray[np.uint8]) -> Float64Array:
        """Return the blurred gradient lengths of features, of shape (directions, grid**2)."""
        lengths = (features / 255.0) ** (1 / self._power)
        return np.asarray(lengths.reshape(-1, self._blur.shape[1]))

    def initial_pixels(self, lengths: Float64Array) -> Float64Array:
        """Return a blurred image of the strokes."""
        strokes = self._blur @ lengths.sum(axis=0)
        return np.asarray(np.clip(1.5 * strokes / max(strokes.max(), EPSILON) - 0.3, 0, 1))

    def cost(self, pixels: Float64Array, lengths: Float64Array) -> tuple[float, Float64Array]:
        """Return the cost of an image and its gradient, for the given target lengths."""
        g_x, g_y = (self._sobel @ pixels).reshape(2, -1)
        # Split between the two nearest directions a and b, as GradientDecomposer does.
        n_directions, index = self._directions.shape[1], np.arange(len(pixels))
        turns = np.arctan2(g_y, g_x) / (2 * np.pi) % 1
        a = np.minimum((turns * n_directions).astype(np.intp), n_directions - 1)
        b = (a + 1) % n_directions
        (a_x, a_y), (b_x, b_y) = self._directions[:, a], self._directions[:, b]
        sine = np.sin(2 * np.pi / n_directions)
        planes = np.zeros((n_directions, len(pixels)))
        planes[a, index] = (g_x * b_y - g_y * b_x) / sine
        planes[b, index] = (a_x * g_y - a_y * g_x) / sine
        blurred = np.maximum(planes @ self._blur, 0) + EPSILON

        residuals = blurred**self._power - (lengths + EPSILON) ** self._power
        roughness = self._roughness @ pixels
        cost = (residuals**2).sum() + ROUGHNESS_WEIGHT * pixels @ roughness
        cost += INK_WEIGHT * pixels.sum()

        # Backpropagation; d_x is the derivative of the cost with respect to x.
        d_planes = (2 * residuals * self._power * blurred ** (self._power - 1)) @ self._blur.T
        d_a, d_b = d_planes[a, index] / sine, d_planes[b, index] / sine
        d_g_x = d_a * b_y - d_b * a_y
        d_g_y = d_b * a_x - d_a * b_x
        d_pixels = self._sobel_transposed @ np.concatenate([d_g_x, d_g_y])
        return float(cost), d_pixels + 2 * ROUGHNESS_WEIGHT * roughness + INK_WEIGHT


def _tridiagonal(n: int, weights: tuple[float, float, float]) -> sparse.sparray:
    """Return the (n, n) matrix with constant lower, main and upper diagonals."""
    return sparse.diags_array(
        [*map(float, weights)], offsets=[-1, 0, 1], shape=(n, n), format="csr"
    )
