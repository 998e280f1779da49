"""A name -> an unfitted pipeline, with its hyperparameters and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from mnist_svm.models.parameters import Parameters, Value

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class CrossValidation:
    """How a recipe's parameters did on the training images that each fold left out.

    Attributes
    ----------
    folds : number of folds, each read by a machine trained on the rest.
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
    command: str = "python -m benchmarks.recipes --seeds 1"


@dataclass(frozen=True)
class Recipe:
    """A pipeline by name.

    Attributes
    ----------
    name, summary : for people.
    defaults : the parameters chosen by cross-validation on the training set.
    cross_validation : the figures behind that choice.
    measured : what became of it.
    """

    name: str
    summary: str
    defaults: Parameters
    cross_validation: CrossValidation
    measured: Measured

    def pipeline(
        self,
        parameters: Parameters | None = None,
        *,
        changes: Mapping[str, Value] | None = None,
        random_state: int = 0,
        n_jobs: int = -1,
        calibrate: bool = True,
    ) -> Pipeline:
        """An unfitted pipeline that takes ``X`` of shape (n, 784), 0-255.

        Parameters
        ----------
        parameters : Parameters, optional
            Instead of the recipe's own.
        changes : mapping of names to values, optional
            What else is to be changed, of images and of copies; see `mnist_svm.models.pipelines.set_parameters`.
        random_state : int, default=0
            Seed of all that is drawn.
        n_jobs : int, default=-1
            Threads, as in joblib.
        calibrate : bool, default=True
            Whether its confidences become calibrated probabilities, for which the machines are
            fitted to parts of the samples as well. The labels are the same without.

        Returns
        -------
        sklearn.pipeline.Pipeline
            It has ``predict`` and ``predict_proba``.

        Raises
        ------
        ValueError
            If a change is of something that the pipeline has not, or cannot be.
        """
        # Here, so that listing recipes costs no import of scikit-learn.
        from mnist_svm.models.pipelines import PIPELINES, set_parameters, with_calibration

        pipeline = PIPELINES[self.name](parameters or self.defaults, random_state, n_jobs)
        set_parameters(pipeline, changes or {})
        return with_calibration(pipeline) if calibrate else pipeline


SELECTION = "python -m benchmarks.selection"

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                name="poly4",
                summary="deskewed pixels, degree-4 polynomial SVM: the classic",
                defaults=Parameters("poly", C=1.0, gamma=2e-5, degree=4, coef0=1.0),
                cross_validation=CrossValidation(5, 60_000, 625, f"{SELECTION} poly4"),
                measured=Measured(10_000, 95, 23, 2.0, 8_443),
            ),
            Recipe(
                name="virtual",
                summary="pixels in two views of the digit, degree-9 SVMs, virtual copies, averaged",
                defaults=Parameters("poly", C=1e-6, gamma=4e-6, degree=9, coef0=1.0),
                cross_validation=CrossValidation(2, 24_000, 113, f"{SELECTION} virtual"),
                measured=Measured(10_000, 52, 319, 22.9, 1_072),
            ),
            Recipe(
                name="gradient",
                summary="gradient directions of digits of one size, Gaussian SVM: small, accurate",
                defaults=Parameters("rbf", C=3.0, gamma=8e-6),
                cross_validation=CrossValidation(5, 60_000, 254, f"{SELECTION} gradient"),
                measured=Measured(10_000, 41, 10, 1.1, 14_998),
            ),
            Recipe(
                name="best",
                summary="gradient directions in three views of the digit, virtual copies, averaged",
                defaults=Parameters("rbf", C=3.0, gamma=8e-6),
                cross_validation=CrossValidation(5, 60_000, 206, f"{SELECTION} best"),
                measured=Measured(10_000, 30, 181, 17.2, 2_342),
            ),
        )
    }
)
