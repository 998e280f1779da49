"""Base classes of estimators of images, and of those that transform them, in parallel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isqrt
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_svm._types import Array
from mnist_svm.features.parameters import check_parameters
from mnist_svm.parallel.threads import delayed, threads
from mnist_svm.pictures.images import count_inverted

# Images per thread task: long enough to hide the scheduling.
IMAGES_PER_TASK = 2048

# Images whose maximum differs from that of `fit` by such a factor are in another unit.
OTHER_UNIT = 100

# Height and width in pixels from which the border of an image shows its background.
MIN_SIDE = 12


class ImageEstimator(BaseEstimator):  # type: ignore[misc]
    """Base class of estimators of images: validates rows of pixels, whatever their unit.

    Values may have any unit, such as 0-255 or 0-1, and ink may be bright or dark, but images in
    another unit or of the other polarity than those of `fit` are refused.

    Parameters
    ----------
    image_shape : (int, int) or None, default=None
        Height and width of the images. None infers the most nearly square shape from the number
        of columns of ``X``: 28 x 28 for 784 columns, 8 x 8 for 64.

    Attributes
    ----------
    image_shape_ : (int, int)
        Height and width in use.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        If ``X`` had feature names that are all strings.
    data_max_ : float
        Maximum of the ``X`` seen by `fit`.
    inverted_ : bool
        Whether most images seen by `fit` were dark on a bright background.
    """

    image_shape: tuple[int, int] | None

    image_shape_: tuple[int, int]
    n_features_in_: int
    data_max_: float
    inverted_: bool

    def _learn_form(self, X: Array) -> None:
        """Set the fitted attributes to shape, unit and polarity of validated rows."""
        height, width = self.image_shape or infer_image_shape(X.shape[1])
        if height < 1 or width < 1 or height * width != X.shape[1]:
            msg = (
                f"image_shape={self.image_shape} has {height * width} pixels, "
                f"but X has {X.shape[1]} columns"
            )
            raise ValueError(msg)
        self.image_shape_ = (height, width)
        self.data_max_ = float(X.max())
        self.inverted_ = _is_inverted(X.reshape(-1, height, width), self.data_max_)

    def _validate(self, X: npt.ArrayLike, *, reset: bool) -> Array:
        checked: Array = validate_data(self, X, reset=reset, ensure_non_negative=True)
        return checked

    def _validate_images(self, X: npt.ArrayLike, *, either_polarity: bool = False) -> Array:
        """Return images of shape (n, height, width), or raise ValueError if they differ in form."""
        check_is_fitted(self)
        images = self._validate(X, reset=False).reshape(-1, *self.image_shape_)
        self._check_form(images, either_polarity)
        return images

    def _check_form(self, images: Array, either_polarity: bool) -> None:
        """Raise ValueError unless images have the unit and polarity of `fit`; blank ones have."""
        largest, expected = float(images.max()), self.data_max_
        if not largest or not expected:
            return
        name = type(self).__name__
        if not 1 / OTHER_UNIT < largest / expected < OTHER_UNIT:
            msg = (
                f"{name}: expected X in the unit of fit, with a maximum near {expected:g}, "
                f"found a maximum of {largest:g}; scale X as for fit"
            )
            raise ValueError(msg)
        if not either_polarity and _is_inverted(images, expected) != self.inverted_:
            kinds = ["bright ink on a dark background", "dark ink on a bright background"]
            wanted, found = kinds[self.inverted_], kinds[not self.inverted_]
            msg = f"{name}: expected {wanted}, as in fit, found {found}; subtract from {expected:g}"
            raise ValueError(msg)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags


class ImageTransformer(OneToOneFeatureMixin, TransformerMixin, ImageEstimator):  # type: ignore[misc]
    """Base class of transformers that work on each image by itself.

    Parameters
    ----------
    image_shape : (int, int) or None, default=None
        As in `ImageEstimator`, as are the attributes.
    n_jobs : int or None, default=None
        Number of threads, as in joblib. The result does not depend on it.
    """

    # The function of images and of the other parameters; and one that estimates what the images
    # are aligned by on a reference image, its second argument, if the function estimates anything.
    _function: Callable[..., Array]
    _function_like: Callable[..., Array] | None = None

    def __init__(
        self, *, image_shape: tuple[int, int] | None = None, n_jobs: int | None = None
    ) -> None:
        self.image_shape = image_shape
        self.n_jobs = n_jobs

    def _arguments(self) -> dict[str, Any]:
        """Return the parameters of the transformer's function."""
        params = self.get_params(deep=False)
        return {name: params[name] for name in params if name not in ("image_shape", "n_jobs")}

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Validate ``X`` and set the image shape.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One flattened image per row, non-negative.
        y : ignored

        Raises
        ------
        ValueError
            If ``X`` is not a finite, non-negative matrix, `image_shape` does not match its number
            of columns, or another parameter is out of range.
        """
        check_parameters(self._arguments())
        self._learn_form(self._validate(X, reset=True))
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Transform each row of ``X``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One flattened image per row, non-negative.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)

        Raises
        ------
        ValueError
            If ``X`` is not a finite, non-negative matrix with the number of columns seen by `fit`,
            its maximum is more than a hundred times larger or smaller than that of `fit`, or most
            images are inverted, unlike those of `fit`.
        """
        images = self._validate_images(X)
        starts = range(0, len(images), IMAGES_PER_TASK)
        function = partial(self._function, **self._arguments())
        with threads(self.n_jobs) as parallel:
            parts = list(
                parallel(
                    delayed(function)(images[start : start + IMAGES_PER_TASK]) for start in starts
                )
            )
        # Prediction passes a single task at a time; copying its result would cost a few per cent.
        features = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return features.reshape(len(images), -1)

    def transform_with_reference(
        self, X: npt.ArrayLike, reference: npt.ArrayLike
    ) -> npt.NDArray[Any]:
        """Transform each row of ``X`` with the quantities estimated on another image.

        Apply the centroid, shear, scale or norm estimated on `reference` to every row, so that
        edited copies of an image stay aligned with it. The same map applies to all rows and is
        linear in the pixels wherever the transformer, apart from the estimation, is. A transformer
        that estimates nothing ignores `reference`, of shape (1, n_features).
        """
        check_is_fitted(self)
        images, reference_image = (
            self._validate(rows, reset=False).reshape(-1, *self.image_shape_)
            for rows in (X, reference)
        )
        if self._function_like is None:
            transformed = self._function(images, **self._arguments())
        else:
            transformed = self._function_like(images, reference_image, **self._arguments())
        return transformed.reshape(len(images), -1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        # The output dtype does not depend on that of X.
        tags.transformer_tags.preserves_dtype = []
        return tags


def _is_inverted(images: Array, white: float) -> bool:
    """Whether most images are dark on a bright background; small ones have no background."""
    if min(images.shape[1:]) < MIN_SIDE:
        return False
    return 2 * count_inverted(images, white) > len(images)


def infer_image_shape(n_pixels: int) -> tuple[int, int]:
    """Return the most nearly square (height, width) of an image with `n_pixels` >= 1 pixels."""
    height = next(side for side in range(isqrt(n_pixels), 0, -1) if n_pixels % side == 0)
    return height, n_pixels // height
