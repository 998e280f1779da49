"""What the transformers of images have in common: rows of pixels in, blocks of images through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import isqrt
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from joblib import delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_svm.constants import Array
from mnist_svm.parallel.threads import threads

# Array that one task takes, a few blocks.
TASK = 2048


class ImageTransformer(TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Transformer of images whose pixels are the columns of ``X``, row by row.

    What it does to an image depends on nothing but that image, so that threads can share the
    images.

    Parameters
    ----------
    image_shape : (int, int) or None, default=None
        Height and width of the images. None takes the most nearly square shape that has as many
        pixels as ``X`` has columns: 28 x 28 for 784 columns, 8 x 8 for 64.
    n_jobs : int or None, default=None
        Threads, as in joblib. They change nothing in the result.

    Attributes
    ----------
    image_shape_ : (int, int)
        Height and width in use.
    n_features_in_ : int
        Number of columns seen by `fit`.
    """

    image_shape_: tuple[int, int]
    n_features_in_: int

    def __init__(
        self, *, image_shape: tuple[int, int] | None = None, n_jobs: int | None = None
    ) -> None:
        self.image_shape = image_shape
        self.n_jobs = n_jobs

    @abstractmethod
    def _transform_images(self, images: Array) -> npt.NDArray[Any]:
        """What becomes of up to `TASK` images: an array with as many rows."""

    def _check_parameters(self) -> None:
        """Raise ValueError if a parameter cannot be worked with."""

    def fit(self, X: npt.ArrayLike, y: object = None) -> Self:
        """Check the pixels and settle the image shape.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One flattened image a row, non-negative.
        y : ignored

        Returns
        -------
        Self

        Raises
        ------
        ValueError
            If ``X`` is no finite, non-negative matrix, `image_shape` has not as many pixels as
            ``X`` has columns, or another parameter cannot be worked with.
        """
        self._check_parameters()
        X = self._validated(X, reset=True)
        height, width = self.image_shape or infer_image_shape(X.shape[1])
        if height < 1 or width < 1 or height * width != X.shape[1]:
            msg = (
                f"image_shape={self.image_shape} has {height * width} pixels, "
                f"but X has {X.shape[1]} columns"
            )
            raise ValueError(msg)
        self.image_shape_ = (height, width)
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Transform each row of ``X``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One flattened image a row, non-negative.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)

        Raises
        ------
        ValueError
            If ``X`` is no finite, non-negative matrix of the width seen by `fit`.
        """
        check_is_fitted(self)
        images = self._validated(X, reset=False).reshape(-1, *self.image_shape_)
        tasks = [images[start : start + TASK] for start in range(0, len(images), TASK)]
        with threads(self.n_jobs) as parallel:
            done = list(parallel(delayed(self._transform_images)(task) for task in tasks))
        # Readers bring blocks of a single task, and a copy is a few per cent of their time.
        whole = done[0] if len(done) == 1 else np.concatenate(done)
        return whole.reshape(len(images), -1)

    def transform_with_reference(self, X: npt.ArrayLike, image: npt.ArrayLike) -> npt.NDArray[Any]:
        """Transform each row of ``X`` as another image is transformed.

        What a transformer measures of an image, to move, shear or scale it by, is measured of the
        other image. So the rows may be changed without being moved for it, and all of them lie as
        the other does; what is done to them is the same for all, and linear where `transform` is
        but for the measuring. Where nothing is measured, this is `transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            One flattened image a row, non-negative.
        image : array-like of shape (1, n_features)
            The other image.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)

        Raises
        ------
        ValueError
            As `transform`.
        """
        check_is_fitted(self)
        images, like = (
            self._validated(rows, reset=False).reshape(-1, *self.image_shape_)
            for rows in (X, image)
        )
        return self._transform_images_with_reference(images, like).reshape(len(images), -1)

    def _transform_images_with_reference(self, images: Array, like: Array) -> npt.NDArray[Any]:
        """What becomes of images that lie as another one does."""
        return self._transform_images(images)

    def _validated(self, X: npt.ArrayLike, *, reset: bool) -> Array:
        checked: Array = validate_data(self, X, reset=reset, ensure_non_negative=True)
        return checked

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.requires_fit = True
        # One type comes out whatever goes in.
        tags.transformer_tags.preserves_dtype = []
        return tags


def infer_image_shape(pixels: int) -> tuple[int, int]:
    """The height and width, as nearly equal as can be, of an image of that many pixels.

    Parameters
    ----------
    pixels : int
        At least 1.

    Returns
    -------
    (int, int)
    """
    height = next(side for side in range(isqrt(pixels), 0, -1) if pixels % side == 0)
    return height, pixels // height
