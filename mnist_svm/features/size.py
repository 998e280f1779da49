"""Size normalisation by second-order moments: digits upright, centred, and of one size."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnist_svm._types import Array, Float32Array, Float64Array
from mnist_svm.features.base import IMAGES_PER_BLOCK, ImageTransformer, require_parameter
from mnist_svm.features.moments import Moments, image_moments
from mnist_svm.features.sampling import sample_columns, sample_rows

# Lower limit of s_ii and s_jj, in square pixels; a bar half a pixel thick has less.
MIN_SPREAD = 0.25


class NormalizeSize(ImageTransformer):
    """Transformer that makes digits upright and centred and scales them to one size.

    With second central moments s_ii, s_ij, s_jj, the shear ``s_ij / s_ii`` is removed (see
    `mnist_svm.features.deskew`), which leaves a horizontal spread of ``s_jj - s_ij**2 / s_ii``.
    Height and width are the square roots of the two spreads, r the ratio of the smaller to the
    larger. The larger one becomes `extent` times the side of the frame, the smaller one
    ``sqrt(sin(r pi / 2))`` times that: narrow digits are widened a little, but a one stays a one.
    All of this is one affine map, so that images are resampled (bilinearly) only once.

    Parameters
    ----------
    side : int, default=28
        Side of the square output images, 1-128. More pixels than the input has make gradients
        more precise.
    extent : float, default=0.17
        Spread of the digits along their longer axis as a fraction of `side`, in (0, 1].
    upright : bool, default=True
        Whether to remove the shear. If False, the horizontal spread is s_jj.
    image_shape, n_jobs
        See `ImageTransformer`, also for the attributes.

    References
    ----------
    C.-L. Liu, K. Nakashima, H. Sako, H. Fujisawa, "Handwritten digit recognition: investigation
    of normalization and feature extraction techniques", Pattern Recognition 37 (2004), section 2,
    for moment normalisation and the map of the aspect ratio.

    Examples
    --------
    >>> from mnist_svm.features.moments import image_moments
    >>> small = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> small[0, 2:6, 3:7] = 255
    >>> large = NormalizeSize().fit_transform(small.reshape(1, 784)).reshape(1, 28, 28)
    >>> before, after = image_moments(small), image_moments(large)
    >>> [round(float(m.mu_i[0]), 1) for m in (before, after)]
    [3.5, 13.5]
    >>> [round(float(m.s_ii[0])) for m in (before, after)]
    [1, 26]
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int] | None = None,
        side: int = 28,
        extent: float = 0.17,
        upright: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_jobs=n_jobs)
        self.side = side
        self.extent = extent
        self.upright = upright

    def _check_parameters(self) -> None:
        require_parameter(self, "side", self.side in range(1, 129), "a number from 1 to 128")
        require_parameter(self, "extent", 0 < self.extent <= 1, "above 0 and at most 1")

    def _transform_images(self, images: Array) -> Float32Array:
        out = np.empty((len(images), self.side, self.side), np.float32)
        for start in range(0, len(images), IMAGES_PER_BLOCK):
            block = slice(start, start + IMAGES_PER_BLOCK)
            out[block] = self._resample(images[block], image_moments(images[block]))
        return out

    def _transform_images_with_reference(self, images: Array, reference: Array) -> Float32Array:
        return self._resample(images, image_moments(np.repeat(reference, len(images), axis=0)))

    def _resample(self, images: Array, moments: Moments[Float64Array]) -> Float32Array:
        shear, scale_i, scale_j = affine_map(moments, self)
        steps = np.arange(self.side) - (self.side - 1) / 2
        down = scale_i[:, None] * steps
        starts = moments.mu_j[:, None] + shear[:, None] * down
        rows = sample_rows(images, moments.mu_i[:, None] + down)
        return sample_columns(rows, starts, scale_j[:, None] * steps)


def affine_map(moments: Moments[Any], normalize: NormalizeSize) -> tuple[Any, Any, Any]:
    """Compute the map from output to input pixels, for ndarrays or tensors of an exported graph.

    Returns three float64 arrays of one value per image: the shear, in columns per row, and the
    input rows per output row and input columns per output column.
    """
    shear = moments.s_ij / np.maximum(moments.s_ii, MIN_SPREAD) * float(normalize.upright)
    s_jj = moments.s_jj - 2 * shear * moments.s_ij + shear * shear * moments.s_ii
    height, width = (np.sqrt(np.maximum(spread, MIN_SPREAD)) for spread in (moments.s_ii, s_jj))
    longer = np.maximum(height, width)
    ratio = np.minimum(height, width) / longer
    longer_target = normalize.extent * normalize.side
    shorter_target = np.sqrt(np.sin(ratio * np.pi / 2)) * longer_target
    scale_i, scale_j = (
        side / np.where(side >= longer, longer_target, shorter_target) for side in (height, width)
    )
    return shear, scale_i, scale_j
