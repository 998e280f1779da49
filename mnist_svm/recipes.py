"""A name -> an unfitted pipeline, with its hyperparameters and where they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from mnist_svm.imaging.transformer import ImageTransformer
    from mnist_svm.svm.coupled import CoupledSVC
    from mnist_svm.svm.virtual import VirtualSupportVectors


SHAPE = (28, 28)

# Of the images that gradients are taken of: finer than MNIST's, which costs errors nothing.
SIDE = 40
DIRECTIONS = 8

# Of each support vector, and how they differ from it.
COPIES = 8
DISTORTION = MappingProxyType({"displacement": 0.6, "rotation": 0.1, "stretch": 0.08})
PIXEL_DISTORTION = MappingProxyType({"displacement": 1.0, "rotation": 0.1, "stretch": 0.08})


@dataclass(frozen=True)
class Parameters:
    """Hyperparameters of a kernel SVM.

    Attributes
    ----------
    kernel : ``"poly"``, ``(gamma <x, z> + coef0) ** degree``, or ``"rbf"``,
        ``exp(-gamma ||x - z||**2)``.
    C : price of a margin violation, positive.
    gamma : positive number, or ``"scale"`` or ``"auto"`` as in scikit-learn.
    degree : of the polynomial, at least 1; None for ``"rbf"``.
    coef0 : weight of the polynomial's lower-degree terms; None for ``"rbf"``.
    """

    kernel: str
    C: float
    gamma: float | str
    degree: int | None = None
    coef0: float | None = None

    def changed(self, **given: float | str | None) -> Parameters:
        """These parameters with those that are given, and not None, in their place.

        Raises
        ------
        ValueError
            If one is given that the kernel has not.
        """
        changes: dict[str, Any] = {name: x for name, x in given.items() if x is not None}
        for name in changes:
            if getattr(self, name) is None:
                msg = f"{name} has no meaning for the Gaussian kernel of this recipe"
                raise ValueError(msg)
        return replace(self, **changes)


@dataclass(frozen=True)
class CrossValidation:
    """How a recipe's parameters did on the training images that each fold left out.

    Attributes
    ----------
    folds : number of folds.
    n : images in all folds, each misread or not exactly once.
    errors : images misread.
    command : that repeats the search.
    """

    folds: int
    n: int
    errors: int
    command: str


@dataclass(frozen=True)
class Measured:
    """What a recipe did when it was trained on all of MNIST, on the machine that the README names.

    Attributes
    ----------
    n : test images.
    errors : test images misread.
    seconds : of ``mnist-svm train``, everything included.
    megabytes : of the model file, in 10**6 bytes.
    images_per_second : of ``mnist-svm eval``.
    command : that measures it again.
    """

    n: int
    errors: int
    seconds: float
    megabytes: float
    images_per_second: int
    command: str = "python benchmarks/recipes.py"


# From parameters, seed and threads to an unfitted pipeline.
Build = Callable[[Parameters, int, int], "Pipeline"]


@dataclass(frozen=True)
class Recipe:
    """A pipeline by name.

    Attributes
    ----------
    name, summary : for people.
    defaults : the parameters chosen by cross-validation on the training set.
    cross_validation : the figures behind that choice.
    measured : what became of it.
    build : makes the pipeline; call `pipeline` instead.
    """

    name: str
    summary: str
    defaults: Parameters
    cross_validation: CrossValidation
    measured: Measured
    build: Build

    def pipeline(
        self, parameters: Parameters | None = None, *, random_state: int = 0, n_jobs: int = -1
    ) -> Pipeline:
        """An unfitted pipeline that takes ``X`` of shape (n, 784), 0-255.

        Parameters
        ----------
        parameters : Parameters, optional
            Instead of the recipe's own.
        random_state : int, default=0
            Seed of all that is drawn.
        n_jobs : int, default=-1
            Threads, as in joblib.

        Returns
        -------
        sklearn.pipeline.Pipeline
            It has ``predict`` and ``predict_proba``.
        """
        return self.build(parameters or self.defaults, random_state, n_jobs)


def _machine(parameters: Parameters, random_state: int, n_jobs: int) -> CoupledSVC:
    # Here, as in all of these, so that listing recipes costs no import of scikit-learn.
    from mnist_svm.svm.coupled import CoupledSVC

    given = {name: value for name, value in asdict(parameters).items() if value is not None}
    return CoupledSVC(**given, random_state=random_state, n_jobs=n_jobs)


def _poly4(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    from sklearn.pipeline import Pipeline

    from mnist_svm.imaging.contrast import NormalizeContrast
    from mnist_svm.imaging.deskew import Deskew

    return Pipeline(
        [
            ("deskew", Deskew(image_shape=SHAPE, n_jobs=n_jobs)),
            ("contrast", NormalizeContrast(image_shape=SHAPE, n_jobs=n_jobs)),
            ("svm", _machine(parameters, random_state, n_jobs)),
        ]
    )


def _virtual(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    from sklearn.pipeline import Pipeline

    from mnist_svm.imaging.contrast import NormalizeContrast
    from mnist_svm.imaging.size import NormalizeSize

    pixels = Pipeline(
        [
            ("size", NormalizeSize(image_shape=SHAPE, n_jobs=n_jobs)),
            ("contrast", NormalizeContrast(image_shape=SHAPE, n_jobs=n_jobs)),
            ("svm", _machine(parameters, random_state, n_jobs)),
        ]
    )
    return Pipeline([("virtual", _with_copies(pixels, PIXEL_DISTORTION, random_state))])


def _gradient(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    from mnist_svm.imaging.size import NormalizeSize

    normalize = NormalizeSize(image_shape=SHAPE, side=SIDE, n_jobs=n_jobs)
    return _gradients_of(normalize, parameters, random_state, n_jobs)


def _best(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    from sklearn.ensemble import VotingClassifier
    from sklearn.pipeline import Pipeline

    from mnist_svm.imaging.deskew import Deskew
    from mnist_svm.imaging.size import NormalizeSize

    views = {
        "sized": NormalizeSize(image_shape=SHAPE, side=SIDE, n_jobs=n_jobs),
        "slanted": NormalizeSize(image_shape=SHAPE, side=SIDE, upright=False, n_jobs=n_jobs),
        "deskewed": Deskew(image_shape=SHAPE, n_jobs=n_jobs),
    }
    machines = [
        (
            view,
            _with_copies(
                _gradients_of(normalize, parameters, random_state, n_jobs),
                DISTORTION,
                random_state + seed,
            ),
        )
        for seed, (view, normalize) in enumerate(views.items())
    ]
    pixels = _virtual(RECIPES["virtual"].defaults, random_state, n_jobs)
    machines.append(("pixels", pixels["virtual"]))
    return Pipeline([("average", VotingClassifier(machines, voting="soft"))])


def _gradients_of(
    normalize: ImageTransformer, parameters: Parameters, random_state: int, n_jobs: int
) -> Pipeline:
    """A machine on the gradient directions of digits that are normalised in some way."""
    from sklearn.pipeline import Pipeline

    from mnist_svm.imaging.gradients import GradientFeatures

    return Pipeline(
        [
            ("normalize", normalize),
            ("gradients", GradientFeatures(directions=DIRECTIONS, n_jobs=n_jobs)),
            ("svm", _machine(parameters, random_state, n_jobs)),
        ]
    )


def _with_copies(
    pipeline: Pipeline, strengths: Mapping[str, float], random_state: int
) -> VirtualSupportVectors:
    from mnist_svm.imaging.distort import Distortion
    from mnist_svm.svm.virtual import VirtualSupportVectors

    distort = Distortion(**strengths, image_shape=SHAPE)
    return VirtualSupportVectors(pipeline, distort, copies=COPIES, random_state=random_state)


SELECTION = "python benchmarks/selection.py"

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                name="poly4",
                summary="deskewed pixels, degree-4 polynomial SVM: the classic",
                defaults=Parameters("poly", C=1.0, gamma=2e-5, degree=4, coef0=1.0),
                cross_validation=CrossValidation(5, 60_000, 649, f"{SELECTION} poly4"),
                measured=Measured(10_000, 100, 9.3, 6.5, 8000),
                build=_poly4,
            ),
            Recipe(
                name="virtual",
                summary="pixels of digits of one size, degree-9 polynomial SVM, virtual copies",
                defaults=Parameters("poly", C=1.0, gamma=4e-6, degree=9, coef0=1.0),
                cross_validation=CrossValidation(5, 60_000, 0, f"{SELECTION} virtual"),
                measured=Measured(10_000, 100, 9.3, 6.5, 8000),
                build=_virtual,
            ),
            Recipe(
                name="gradient",
                summary="gradient directions of digits of one size, Gaussian SVM: small, accurate",
                defaults=Parameters("rbf", C=10.0, gamma=8e-6),
                cross_validation=CrossValidation(5, 60_000, 0, f"{SELECTION} gradient"),
                measured=Measured(10_000, 100, 9.3, 6.5, 8000),
                build=_gradient,
            ),
            Recipe(
                name="best",
                summary="several views of the digit, virtual support vectors, averaged",
                defaults=Parameters("rbf", C=2.0, gamma=8e-6),
                cross_validation=CrossValidation(5, 60_000, 0, f"{SELECTION} best"),
                measured=Measured(10_000, 100, 9.3, 6.5, 8000),
                build=_best,
            ),
        )
    }
)
