"""Recipes: pipelines by name, with their default hyperparameters and results."""

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
    """Errors on all `n` images of a cross-validation on the training set, and its command."""

    folds: int
    n: int
    errors: int
    command: str


@dataclass(frozen=True)
class DatasetErrors:
    """Number of misclassified test images, of the `n` of a data set."""

    dataset: str
    n: int
    errors: int


@dataclass(frozen=True)
class TestResult:
    """Result on MNIST's test set, on the machine that the results pages describe.

    Attributes
    ----------
    n : number of test images
    errors : number of misclassified images
    seconds : duration of ``mnist-svm train``, reading and writing included
    megabytes : size of the model file, in 10**6 bytes
    images_per_second : speed of ``mnist-svm eval``
    command : command that repeats it
    others : errors on the test images of other data sets
    """

    n: int
    errors: int
    seconds: float
    megabytes: float
    images_per_second: int
    command: str = "python -m benchmarks.recipes --seeds 1"
    others: tuple[DatasetErrors, ...] = ()


@dataclass(frozen=True)
class EverydayForm:
    """A recipe trained on MNIST and other data sets, for the hands of others.

    Attributes
    ----------
    data : data sets, as the option ``--data`` takes them: NAME or NAME:WEIGHT
    cross_validation : result of the recipe's defaults on MNIST, trained on parts of all of these;
        None if only a part of the recipe was cross-validated with these weights
    test_result : result of the recipe's defaults, trained on all of these
    """

    data: tuple[str, ...]
    cross_validation: CrossValidation | None
    test_result: TestResult


@dataclass(frozen=True)
class Recipe:
    """A named pipeline.

    Attributes
    ----------
    name, summary : name and one-line description
    defaults : hyperparameters of the SVMs, chosen by cross-validation on the training set; None
        for a recipe without SVMs
    cross_validation : result of the defaults on MNIST, trained on parts of it; None if they were
        chosen otherwise
    test_result : result of the defaults, trained on all of MNIST; None if it was not measured
    everyday : what it is trained on for everyday use, None for MNIST alone
    """

    name: str
    summary: str
    defaults: Parameters | None
    cross_validation: CrossValidation | None
    test_result: TestResult | None
    everyday: EverydayForm | None = None

    @property
    def epochs(self) -> int | None:
        """Epochs of the network of a recipe that is one, None for others."""
        from mnist_svm.networks.conv_net import ConvNet

        classifier = self.pipeline(calibrate=False)[-1]
        return classifier.epochs if isinstance(classifier, ConvNet) else None

    def changed(self, **values: float | str | None) -> Parameters | None:
        """Return the default hyperparameters with other values; None keeps a value.

        Raises ValueError if the recipe has no SVM, or its kernel not this parameter.
        """
        if self.defaults is not None:
            return self.defaults.changed(**values)
        for name in (name for name, value in values.items() if value is not None):
            msg = f"{name} has no meaning for recipe {self.name}, which has no SVM"
            raise ValueError(msg)
        return None

    def cross_validation_on(self, data: tuple[str, ...]) -> CrossValidation | None:
        """Return the result of the defaults, trained on the data sets; None if there is none."""
        if data == ("mnist",):
            return self.cross_validation
        return (
            self.everyday.cross_validation if self.everyday and data == self.everyday.data else None
        )

    def pipeline(
        self,
        parameters: Parameters | None = None,
        *,
        changes: Mapping[str, Value] | None = None,
        random_state: int = 0,
        n_jobs: int = -1,
        calibrate: bool = True,
    ) -> Pipeline:
        """Build an unfitted pipeline that takes ``X`` of shape (n_images, 784), 0-255.

        Parameters
        ----------
        parameters : Parameters or None, default=None
            Hyperparameters of the SVMs; None takes `defaults`.
        changes : mapping of str to value, optional
            Other pipeline parameters, see `mnist_svm.models.pipelines.set_parameters`.
        random_state : int, default=0
            Seed of the solver and of the virtual copies.
        n_jobs : int, default=-1
            Number of threads, as in joblib.
        calibrate : bool, default=True
            Whether to calibrate the probabilities, for which SVMs are also fitted to parts of the
            samples. The predicted labels are the same without.

        Returns
        -------
        sklearn.pipeline.Pipeline
            With ``predict`` and ``predict_proba``.

        Raises
        ------
        ValueError
            If `changes` has an unknown name or an invalid value.
        """
        # Imported here, so that listing the recipes does not import scikit-learn.
        from mnist_svm.models.pipelines import (
            build_pipeline,
            combine_pipelines,
            set_parameters,
            with_calibration,
        )

        changes = dict(changes or {})
        if self.name == ENSEMBLE:
            members, combine = ensemble_of(changes)
            pipelines = {
                recipe.name: recipe.pipeline(
                    random_state=random_state, n_jobs=n_jobs, calibrate=False
                )
                for recipe in members
            }
            pipeline = combine_pipelines(pipelines, combine)
        else:
            pipeline = build_pipeline(self.name, parameters or self.defaults, random_state, n_jobs)
        set_parameters(pipeline, changes)
        return with_calibration(pipeline) if calibrate else pipeline


# Name of the recipe that combines others, and its defaults.
ENSEMBLE = "ensemble"
MEMBERS, COMBINE = "gradient,cnn", "average"


def ensemble_of(changes: dict[str, Value]) -> tuple[list[Recipe], str]:
    """Take the members, and how they are combined, out of the changes of an ensemble.

    Raises ValueError if a member is no recipe, is given twice, or is an ensemble itself.
    """
    names = str(changes.pop("members", MEMBERS)).split(",")
    combine = str(changes.pop("combine", COMBINE))
    choices = [name for name in RECIPES if name != ENSEMBLE]
    for name in names:
        if name not in choices:
            msg = f"members: expected names of {', '.join(choices)}, found {name!r}"
            raise ValueError(msg)
    if twice := {name for name in names if names.count(name) > 1}:
        msg = f"members: {min(twice)!r} is given twice"
        raise ValueError(msg)
    return [RECIPES[name] for name in names], combine


SELECTION = "python -m benchmarks.selection"
NETWORKS = "python -m benchmarks.networks --cache networks"


def _on_styles(errors: int) -> tuple[DatasetErrors, ...]:
    return (DatasetErrors("styles", 9_039, errors),)


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                name="poly4",
                summary="deskewed pixels, degree-4 polynomial SVM: the classic",
                defaults=Parameters("poly", C=1.0, gamma=2e-5, degree=4, coef0=1.0),
                cross_validation=CrossValidation(5, 60_000, 625, f"{SELECTION} poly4"),
                test_result=TestResult(10_000, 95, 14, 1.9, 10_746, others=_on_styles(1_043)),
            ),
            Recipe(
                name="virtual",
                summary="pixels in two views of the digit, degree-9 SVMs, virtual copies, averaged",
                defaults=Parameters("poly", C=1e-6, gamma=4e-6, degree=9, coef0=1.0),
                cross_validation=CrossValidation(2, 24_000, 113, f"{SELECTION} virtual"),
                test_result=TestResult(10_000, 53, 224, 22.0, 1_229, others=_on_styles(816)),
            ),
            Recipe(
                name="gradient",
                summary="gradient directions of digits of one size, Gaussian SVM: small, accurate",
                defaults=Parameters("rbf", C=3.0, gamma=5e-6),
                cross_validation=CrossValidation(5, 60_000, 258, f"{SELECTION} gradient"),
                test_result=TestResult(10_000, 32, 10, 1.5, 14_611, others=_on_styles(650)),
                everyday=EverydayForm(
                    ("mnist", "styles"),
                    CrossValidation(5, 60_000, 293, f"{SELECTION} gradient"),
                    TestResult(10_000, 40, 14, 2.2, 12_646, others=_on_styles(39)),
                ),
            ),
            Recipe(
                name="best",
                summary="gradient directions in three views of the digit, virtual copies, averaged",
                defaults=Parameters("rbf", C=3.0, gamma=5e-6),
                cross_validation=CrossValidation(2, 24_000, 85, f"{SELECTION} best"),
                test_result=TestResult(10_000, 30, 101, 13.0, 3_018, others=_on_styles(610)),
                everyday=EverydayForm(
                    ("mnist", "styles:0.5"),
                    None,
                    TestResult(10_000, 40, 178, 22.5, 1_677, others=_on_styles(38)),
                ),
            ),
            Recipe(
                name="cnn",
                summary="a convolutional network, trained on distorted copies (needs [cnn])",
                defaults=None,
                cross_validation=CrossValidation(3, 60_000, 279, f"{NETWORKS} --member cnn"),
                test_result=TestResult(
                    10_000, 39, 598, 1.7, 10_656, f"{NETWORKS} --system cnn", _on_styles(628)
                ),
            ),
            Recipe(
                name="cnn-svm",
                summary="a Gaussian SVM on the last hidden layer of that network (needs [cnn])",
                defaults=Parameters("rbf", C=1.0, gamma=1e-6),
                cross_validation=CrossValidation(3, 60_000, 272, f"{NETWORKS} --member cnn-svm"),
                test_result=None,
            ),
            Recipe(
                name=ENSEMBLE,
                summary="several recipes together, by --members and --combine",
                defaults=None,
                cross_validation=None,
                test_result=None,
            ),
        )
    }
)
