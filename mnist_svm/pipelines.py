"""The pipelines behind the recipes: where images and machines meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from sklearn.base import ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from mnist_svm.imaging.blur import Blur
from mnist_svm.imaging.contrast import NormalizeContrast
from mnist_svm.imaging.deskew import Deskew
from mnist_svm.imaging.distort import Distortion
from mnist_svm.imaging.gradients import GradientFeatures
from mnist_svm.imaging.size import NormalizeSize
from mnist_svm.imaging.transformer import ImageTransformer
from mnist_svm.recipes import Parameters
from mnist_svm.svm.confidence import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors

SHAPE = (28, 28)

# Of the images that gradients are taken of, with digits 1.3 times as large as MNIST's on average.
SIDE = 32
EXTENT = 0.2
GRID = 6
POWER = 0.4

# More of them make fewer errors, and slower machines.
FEW, MANY = 8, 12

# Of each support vector, and how they differ from it.
COPIES = 8
GENTLE = Distortion(displacement=0.6, rotation=0.1, stretch=0.08, image_shape=SHAPE)
# Gradients forgive a stroke that is a pixel off, pixels have to be taught.
STRONG = Distortion(displacement=1.0, rotation=0.12, stretch=0.1, shift=0.7, image_shape=SHAPE)

# From parameters, seed and threads to an unfitted pipeline.
Build = Callable[[Parameters, int, int], Pipeline]


def _poly4(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    """Deskewed pixels."""
    deskew = Deskew(image_shape=SHAPE, n_jobs=n_jobs)
    return _on_pixels(deskew, parameters, random_state, n_jobs)


def _virtual(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    """The average of two machines on pixels, each with copies of its own."""
    # Upright digits differ less, and leave time for more copies.
    views = {"sized": (True, 2 * COPIES), "slanted": (False, COPIES)}
    machines = {}
    for seed, (view, (upright, copies)) in enumerate(views.items()):
        size = NormalizeSize(image_shape=SHAPE, upright=upright, n_jobs=n_jobs)
        pixels = _on_pixels(Blur(n_jobs=n_jobs), parameters, random_state, n_jobs)
        machine = Pipeline([("normalize", size), *pixels.steps])
        machines[view] = _with_copies(machine, STRONG, copies, random_state + seed)
    return _average(machines)


def _gradient(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    """Gradient directions of digits of one size."""
    return _on_gradients(_sized(n_jobs), FEW, parameters, random_state, n_jobs)


def _best(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    """The average of machines that see the digit differently, each with copies of its own."""
    views: dict[str, ImageTransformer] = {
        "sized": _sized(n_jobs),
        "slanted": _sized(n_jobs, upright=False),
        "deskewed": Deskew(image_shape=SHAPE, n_jobs=n_jobs),
    }
    machines = {}
    for seed, (view, normalize) in enumerate(views.items()):
        machine = _on_gradients(normalize, MANY, parameters, random_state, n_jobs)
        machines[view] = _with_copies(machine, GENTLE, COPIES, random_state + seed)
    return _average(machines)


def _sized(n_jobs: int, *, upright: bool = True) -> NormalizeSize:
    return NormalizeSize(
        image_shape=SHAPE, side=SIDE, extent=EXTENT, upright=upright, n_jobs=n_jobs
    )


def _on_pixels(
    prepare: ImageTransformer, parameters: Parameters, random_state: int, n_jobs: int
) -> Pipeline:
    contrast = NormalizeContrast(n_jobs=n_jobs)
    machine = _machine(parameters, random_state, n_jobs)
    return Pipeline([("prepare", prepare), ("contrast", contrast), ("svm", machine)])


def _on_gradients(
    normalize: ImageTransformer,
    directions: int,
    parameters: Parameters,
    random_state: int,
    n_jobs: int,
) -> Pipeline:
    gradients = GradientFeatures(directions=directions, grid=GRID, power=POWER, n_jobs=n_jobs)
    machine = _machine(parameters, random_state, n_jobs)
    return Pipeline([("normalize", normalize), ("gradients", gradients), ("svm", machine)])


def _machine(parameters: Parameters, random_state: int, n_jobs: int) -> CoupledSVC:
    given = {name: value for name, value in asdict(parameters).items() if value is not None}
    return CoupledSVC(**given, random_state=random_state, n_jobs=n_jobs)


def _with_copies(
    pipeline: Pipeline, distortion: Distortion, copies: int, random_state: int
) -> VirtualSupportVectors:
    return VirtualSupportVectors(pipeline, distortion, copies=copies, random_state=random_state)


def _average(machines: Mapping[str, ClassifierMixin]) -> Pipeline:
    voting = VotingClassifier(list(machines.items()), voting="soft")
    return Pipeline([("average", voting)])


def calibrated(pipeline: Pipeline) -> Pipeline:
    """The pipeline with calibrated probabilities in the place of its classifier's confidences.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline, unfitted
        Its last step is a classifier. The steps before it learn nothing from the samples, so that
        they may have seen those that are held out.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    *transformers, (name, classifier) = pipeline.steps
    return Pipeline([*transformers, (name, Calibrated(classifier))])


PIPELINES: dict[str, Build] = {
    "poly4": _poly4,
    "virtual": _virtual,
    "gradient": _gradient,
    "best": _best,
}
