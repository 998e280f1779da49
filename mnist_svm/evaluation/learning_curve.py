"""A model's recipe, trained anew on more and more images: what more of them would buy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import count
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from mnist_svm.datasets.types import Dataset
from mnist_svm.datasets.subset import stratified_subset
from mnist_svm.exceptions import FormatError
from mnist_svm.models.file import Model
from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.models.recipes import RECIPES, Recipe
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.svm.log import log_stage

# The least number of training images, unless there are fewer.
SMALLEST = 500

CANNOT = "the model cannot be trained again for a learning curve"


@dataclass(frozen=True)
class LearningPoint:
    """What a model trained on some of the images did.

    Attributes
    ----------
    images : trained on.
    n : test images.
    errors : of these, images misread.
    """

    images: int
    n: int
    errors: int


@dataclass(frozen=True)
class TrainingConfig:
    """How to train a model again.

    Attributes
    ----------
    recipe : Recipe
    parameters : Parameters
    changes : of other parameters of the pipeline; see `mnist_svm.models.pipelines.change`.
    random_state : seed of the subset and of the solver.
    """

    recipe: Recipe
    parameters: Parameters
    changes: Mapping[str, Value]
    random_state: int

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> TrainingConfig:
        """What a model says of how it was trained.

        Parameters
        ----------
        metadata : mapping
            Of a `mnist_svm.models.file.Model`.

        Returns
        -------
        TrainingConfig

        Raises
        ------
        FormatError
            If it names no recipe that is known, or not all of its parameters.
        """
        name = metadata.get("recipe")
        recorded: Any = metadata.get("parameters")
        recipe = RECIPES.get(str(name))
        if recipe is None:
            msg = f"{CANNOT}: its recipe is {name!r}, known are {', '.join(RECIPES)}"
            raise FormatError(msg)
        try:
            course = cls(
                recipe,
                Parameters(**{field.name: recorded[field.name] for field in fields(Parameters)}),
                recorded.get("pipeline", {}),
                int(metadata["training"]["random_state"]),
            )
            course.pipeline()
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            msg = f"{CANNOT}: it does not tell rightly how it was trained ({error!r})"
            raise FormatError(msg) from error
        if "virtual_copies" in metadata["training"]:
            msg = f"{CANNOT}: it was trained with copies of every image"
            raise FormatError(msg)
        return course

    def pipeline(self, n_jobs: int = -1) -> Pipeline:
        """An unfitted pipeline whose confidences are not calibrated."""
        return self.recipe.pipeline(
            self.parameters,
            changes=self.changes,
            random_state=self.random_state,
            n_jobs=n_jobs,
            calibrate=False,
        )


def require_apart(train: Dataset, test: Dataset) -> None:
    """Fail early if a machine would be trained on the images that it is measured on.

    Parameters
    ----------
    train, test : Dataset

    Raises
    ------
    FormatError
        If they are the same images, as of a data set that is not parted.
    """
    if np.array_equal(train.images, test.images):
        msg = f"{train.name}: a learning curve needs training images beside the test images"
        raise FormatError(msg)


def learning_curve(
    course: TrainingConfig, train: Dataset, test: Dataset, *, n_jobs: int = -1
) -> tuple[LearningPoint, ...]:
    """Train on 500, 1,000, 2,000, 5,000, ... and all images, and read the test images each time.

    Each class has its proportion in each of the subsets. Nothing is calibrated, which takes most of
    the time of a small training and changes no label.

    Parameters
    ----------
    course : TrainingConfig
    train, test : Dataset
    n_jobs : int, default=-1
        Threads, as in joblib; -1 takes every core. They change nothing in the result.

    Returns
    -------
    tuple of LearningPoint, by the number of images

    Raises
    ------
    FormatError
        If the training images, or those of a size, are all of one class, or are the test images.
    """
    require_apart(train, test)
    sizes = list(_sizes(len(train.labels)))
    lessons = []
    for number, size in enumerate(sizes, start=1):
        with log_stage(f"{size:,} images ({number} of {len(sizes)})"):
            lessons.append(_lesson(course, train, test, size, n_jobs))
    return tuple(lessons)


def _sizes(n: int) -> Iterator[int]:
    """In steps that look even on a logarithmic scale; the last is n."""
    for power in count():
        for size in (SMALLEST, 2 * SMALLEST, 4 * SMALLEST):
            if size * 10**power >= n:
                yield n
                return
            yield size * 10**power


def _lesson(course: TrainingConfig, train: Dataset, test: Dataset, size: int, n_jobs: int) -> LearningPoint:
    chosen = stratified_subset(train.labels, size, course.random_state)
    labels = train.labels[chosen]
    if len(np.unique(labels)) < 2:
        msg = f"{train.name}: {size:,} training images are all of one class, expected two or more"
        raise FormatError(msg)
    pipeline = course.pipeline(n_jobs).fit(train.X[chosen], labels)
    read = Recognizer(Model(pipeline, {}), n_jobs=n_jobs).classify(test.images).labels
    return LearningPoint(size, len(test.labels), int(np.count_nonzero(read != test.labels)))
