"""The image functions as scikit-learn transformers."""

from __future__ import annotations

from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.utils.validation import check_is_fitted

from mnist_svm.features.base import ImageTransformer
from mnist_svm.features.blur import blur
from mnist_svm.features.contrast import normalize_contrast, scale_to_norm
from mnist_svm.features.deskew import deskew, deskew_like
from mnist_svm.features.gradients import gradient_features
from mnist_svm.features.shape import shape_features, shape_features_like
from mnist_svm.features.size import normalize_size, normalize_size_like


class Blur(ImageTransformer):
    """Transformer that blurs images with a Gaussian.

    A kernel on pixels compares images pixel by pixel. A slight blur makes it tolerate strokes
    shifted by a fraction of a pixel, and reduces the number of support vectors. Takes non-negative
    ``X`` in any unit and returns float32 of the same unit and shape. Images are zero outside the
    frame.

    Parameters
    ----------
    sigma : float, default=0.6
        Standard deviation of the Gaussian in pixels, from 0 to 10.
    image_shape, n_jobs
        See `ImageTransformer`, also for the attributes.

    Examples
    --------
    >>> import numpy as np
    >>> point = np.zeros((1, 9))
    >>> point[0, 4] = 100
    >>> Blur(sigma=0.6).fit_transform(point).round().reshape(3, 3)
    array([[ 3., 11.,  3.],
           [11., 44., 11.],
           [ 3., 11.,  3.]], dtype=float32)
    """

    _function = staticmethod(blur)

    def __init__(
        self,
        *,
        sigma: float = 0.6,
        image_shape: tuple[int, int] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_jobs=n_jobs)
        self.sigma = sigma


class NormalizeContrast(ImageTransformer):
    """Transformer that scales each image to a Euclidean norm of 1,000, rounded to uint8.

    An SVM trained on uint8 features stores its support vectors in a quarter of the bytes of
    float32, and predicts the same labels.

    Takes non-negative ``X`` in any unit; returns uint8, clipped at 255. A blank image stays blank.
    Parameters and attributes are those of `ImageTransformer`.

    Examples
    --------
    >>> import numpy as np
    >>> grey = np.full((1, 784), 7)
    >>> NormalizeContrast().fit_transform(grey)[0, :3].tolist()
    [36, 36, 36]
    """

    _function = staticmethod(normalize_contrast)
    # Without rounding or clipping, which is linear in the pixels.
    _function_like = staticmethod(scale_to_norm)


class Deskew(ImageTransformer):
    """Transformer that makes digits upright and centred: see `deskew`.

    Takes non-negative ``X`` in any unit and returns float32 of the same unit and shape. Parameters
    and attributes are those of `ImageTransformer`.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_svm.features.moments import image_moments
    >>> slanted = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> for row in range(6, 22):
    ...     slanted[0, row, 26 - row] = 255
    >>> float(image_moments(slanted).s_ij[0])
    -21.25
    >>> upright = Deskew().fit_transform(slanted.reshape(1, 784))
    >>> bool(abs(image_moments(upright.reshape(1, 28, 28)).s_ij[0]) < 1e-6)
    True
    """

    _function = staticmethod(deskew)
    _function_like = staticmethod(deskew_like)


class GradientFeatures(ClassNamePrefixFeaturesOutMixin, ImageTransformer):  # type: ignore[misc]
    """Transformer of images into blurred planes of gradient directions.

    `mnist_svm.features.gradients.GradientDecomposer` splits the gradient of each image into
    `directions` planes. Each plane is blurred by a Gaussian and sampled on a coarse `grid`, and a
    `power` of the result reduces the difference between strong and weak strokes. The features are
    rounded to uint8, which costs no accuracy and takes a quarter of the memory of float32 in
    training and in model files.

    Parameters
    ----------
    directions : int, default=8
        A multiple of 4, from 4 to 64.
    grid : int, default=7
        Grid points along each side, at the centres of equal cells, from 1 to 32.
    smoothing : float, default=0.5
        Standard deviation of the Gaussian in grid steps, positive.
    power : float, default=0.5
        Exponent applied to the blurred gradient lengths, in (0, 1]. The square root stabilises
        their variance, which suits a Gaussian kernel.
    image_shape, n_jobs
        See `ImageTransformer`, also for the attributes.

    Examples
    --------
    The gradients of a bright square lie on its sides and point inwards.

    >>> import numpy as np
    >>> square = np.zeros((1, 28, 28), dtype=np.uint8)
    >>> square[0, 8:20, 8:20] = 255
    >>> features = GradientFeatures(directions=4).fit_transform(square.reshape(1, 784))
    >>> rightwards = features.reshape(4, 7, 7)[0]
    >>> rightwards[3].tolist()
    [21, 125, 125, 19, 0, 0, 0]
    """

    _function = staticmethod(gradient_features)

    def __init__(
        self,
        *,
        image_shape: tuple[int, int] | None = None,
        directions: int = 8,
        grid: int = 7,
        smoothing: float = 0.5,
        power: float = 0.5,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_jobs=n_jobs)
        self.directions = directions
        self.grid = grid
        self.smoothing = smoothing
        self.power = power

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return self.directions * self.grid**2


class NormalizeSize(ClassNamePrefixFeaturesOutMixin, ImageTransformer):  # type: ignore[misc]
    """Transformer that makes digits upright and centred and scales them to one size.

    See `mnist_svm.features.size.normalize_size`.

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

    Examples
    --------
    >>> import numpy as np
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

    _function = staticmethod(normalize_size)
    _function_like = staticmethod(normalize_size_like)

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

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return self.side**2


class ShapeFeatures(ClassNamePrefixFeaturesOutMixin, ImageTransformer):  # type: ignore[misc]
    """Transformer of images into two features: slant and proportion of the digit.

    These tell how a digit was written before `Deskew` and `NormalizeSize`. Join them with its other
    features by scikit-learn's FeatureUnion. They do not depend on the unit of ``X``, nor on the
    position and size of the digit. See `mnist_svm.features.shape.shape_features`.

    Parameters
    ----------
    weight : float, default=240
        Factor of both features, positive: their influence on a kernel beside other features. They
        are uint8, and clipped where they exceed its range.
    image_shape, n_jobs
        See `ImageTransformer`, also for the attributes.

    Examples
    --------
    A diagonal line leans to the right by 45 degrees, and has no width without its slant.

    >>> import numpy as np
    >>> diagonal = np.fliplr(np.eye(28)).reshape(1, 784)
    >>> ShapeFeatures(weight=100).fit_transform(diagonal).tolist()
    [[57, 6]]
    """

    _function = staticmethod(shape_features)
    _function_like = staticmethod(shape_features_like)

    def __init__(
        self,
        *,
        weight: float = 240.0,
        image_shape: tuple[int, int] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_jobs=n_jobs)
        self.weight = weight

    @property
    def _n_features_out(self) -> int:
        check_is_fitted(self)
        return 2
