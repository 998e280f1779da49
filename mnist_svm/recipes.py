"""A name -> an unfitted pipeline, with its hyperparameters and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Parameters:
    """Hyperparameters of a polynomial SVM, kernel ``(gamma <x, z> + coef0) ** degree``.

    Attributes
    ----------
    C : price of a margin violation, positive.
    degree : of the polynomial, at least 1.
    gamma : positive number, or ``"scale"`` or ``"auto"`` as in scikit-learn.
    coef0 : weight of the lower-degree terms.
    """

    C: float
    degree: int
    gamma: float | str
    coef0: float

    def changed(self, **given: float | str | None) -> Parameters:
        """These parameters with those that are given, and not None, in their place."""
        changes: dict[str, Any] = {name: x for name, x in given.items() if x is not None}
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
class Recipe:
    """A pipeline by name.

    Attributes
    ----------
    name, summary : for people.
    defaults : the parameters chosen by cross-validation on the training set.
    cross_validation : the figures behind that choice.
    """

    name: str
    summary: str
    defaults: Parameters
    cross_validation: CrossValidation

    def pipeline(self, parameters: Parameters | None = None) -> Pipeline:
        """An unfitted pipeline that takes ``X`` of shape (n, 784), 0-255.

        Parameters
        ----------
        parameters : Parameters, optional
            Instead of the recipe's own.

        Returns
        -------
        sklearn.pipeline.Pipeline
        """
        # Here, so that listing recipes costs no import of scikit-learn.
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import Normalizer

        from mnist_svm.imaging.deskew import Deskew
        from mnist_svm.svm.classifier import KernelSVC

        machine = KernelSVC(
            kernel="poly", **asdict(parameters or self.defaults), break_ties=True, random_state=0
        )
        return Pipeline(
            [("deskew", Deskew(image_shape=(28, 28))), ("scale", Normalizer()), ("svm", machine)]
        )


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "poly4": Recipe(
            name="poly4",
            summary="deskewed pixels of unit norm, degree-4 polynomial SVM",
            defaults=Parameters(C=1.0, degree=4, gamma=20.0, coef0=1.0),
            cross_validation=CrossValidation(
                folds=5, n=60_000, errors=649, command="python benchmarks/select_poly4.py"
            ),
        )
    }
)
