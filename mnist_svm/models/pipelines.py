"""The pipelines behind the recipes: where images and machines meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from difflib import get_close_matches
from typing import Any, cast

from sklearn.base import ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.features.base import ImageTransformer
from mnist_svm.features.blur import Blur
from mnist_svm.features.contrast import NormalizeContrast
from mnist_svm.features.deskew import Deskew
from mnist_svm.features.distort import Distortion
from mnist_svm.features.gradients import GradientFeatures
from mnist_svm.features.size import NormalizeSize
from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.svm.virtual import VirtualSupportVectors

# Of the images that gradients are taken of, with digits 1.3 times as large as MNIST's on average.
SIDE = 32
EXTENT = 0.2
GRID = 6
POWER = 0.4

# More of them make fewer errors, and slower machines.
FEW, MANY = 8, 12

# Of each support vector, and how they differ from it.
COPIES = 8
GENTLE = Distortion(displacement=0.6, rotation=0.1, stretch=0.08, image_shape=IMAGE_SHAPE)
# Gradients forgive a stroke that is a pixel off, pixels have to be taught.
STRONG = Distortion(
    displacement=1.0, rotation=0.12, stretch=0.1, shift=0.7, image_shape=IMAGE_SHAPE
)

# From parameters, seed and threads to an unfitted pipeline.
Build = Callable[[Parameters, int, int], Pipeline]


def _poly4(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    """Deskewed pixels."""
    deskew = Deskew(image_shape=IMAGE_SHAPE, n_jobs=n_jobs)
    return _on_pixels(deskew, parameters, random_state, n_jobs)


def _virtual(parameters: Parameters, random_state: int, n_jobs: int) -> Pipeline:
    """The average of two machines on pixels, each with copies of its own."""
    # Upright digits differ less, and leave time for more copies.
    views = {"sized": (True, 2 * COPIES), "slanted": (False, COPIES)}
    machines = {}
    for seed, (view, (upright, copies)) in enumerate(views.items()):
        size = NormalizeSize(image_shape=IMAGE_SHAPE, upright=upright, n_jobs=n_jobs)
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
        "deskewed": Deskew(image_shape=IMAGE_SHAPE, n_jobs=n_jobs),
    }
    machines = {}
    for seed, (view, normalize) in enumerate(views.items()):
        machine = _on_gradients(normalize, MANY, parameters, random_state, n_jobs)
        machines[view] = _with_copies(machine, GENTLE, COPIES, random_state + seed)
    return _average(machines)


def _sized(n_jobs: int, *, upright: bool = True) -> NormalizeSize:
    return NormalizeSize(
        image_shape=IMAGE_SHAPE, side=SIDE, extent=EXTENT, upright=upright, n_jobs=n_jobs
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


def settable(pipeline: Pipeline) -> dict[str, Value]:
    """What can be changed in a recipe's pipeline, beside the parameters of its kernel.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline, unfitted

    Returns
    -------
    dict
        Parameters of what prepares images, of copies and of their distortions: names as
        scikit-learn makes them, ``part__part__parameter``, and values.
    """
    found: dict[str, Value] = {}
    for name, part in pipeline.get_params().items():
        found.update({f"{name}__{key}": value for key, value in _own(part).items()})
    return found


def _own(part: Any) -> dict[str, Value]:
    """The parameters of a part that can be changed, images being of one shape."""
    if isinstance(part, VirtualSupportVectors):
        return {"copies": part.copies}
    if isinstance(part, Distortion):
        parameters = asdict(part)
    elif isinstance(part, ImageTransformer):
        parameters = part.get_params()
    else:
        return {}
    return {key: x for key, x in parameters.items() if key not in ("image_shape", "n_jobs")}


def places(name: str, known: Iterable[str]) -> list[str]:
    """The full names that a name means: those that it is, or is the end of.

    Parameters
    ----------
    name : str
        ``gradients__directions`` are those of every view of the digit, ``sized__copies`` those of
        one view.
    known : iterable of str

    Returns
    -------
    list of str
    """
    return [place for place in known if f"__{place}".endswith(f"__{name}")]


def change(pipeline: Pipeline, changes: Mapping[str, Value]) -> None:
    """Change parameters of a recipe's pipeline, in place.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline, unfitted
    changes : mapping of names to values
        Each goes to all `places` that it means.

    Raises
    ------
    ValueError
        If the pipeline has no such parameter, or it cannot have that value.
    """
    known = settable(pipeline)
    for name, value in changes.items():
        meant = places(name, known)
        if not meant:
            raise ValueError(_unknown(name, known))
        for place in meant:
            _set(pipeline, place, _of_one_type(name, value, known[place]))
    for part in pipeline.get_params().values():
        if isinstance(part, ImageTransformer):
            part._check_parameters()  # noqa: SLF001 - now, rather than after the data are read
        if isinstance(part, VirtualSupportVectors) and part.copies < 1:
            msg = f"copies must be at least 1, got {part.copies!r}"
            raise ValueError(msg)


def _set(pipeline: Pipeline, place: str, value: Value) -> None:
    name, _, key = place.rpartition("__")
    part = pipeline.get_params()[name]
    if isinstance(part, Distortion):
        pipeline.set_params(**{name: replace(part, **cast("Any", {key: value}))})
    else:
        pipeline.set_params(**{place: value})


def _of_one_type(name: str, value: Value, present: Value) -> Value:
    """The value, a real number where the present one is real."""
    wanted = type(present)
    if type(value) is not wanted and (type(value), wanted) != (int, float):
        word = {bool: "true or false", int: "a whole number", float: "a number"}[wanted]
        msg = f"{name} must be {word}, got {value!r}"
        raise ValueError(msg)
    return wanted(value)


def _unknown(name: str, known: Mapping[str, Value]) -> str:
    if not known:
        return f"{name!r} cannot be set: this recipe has parameters of its kernel alone"
    ends = sorted({"__".join(place.split("__")[-2:]) for place in known})
    close = get_close_matches(name, ends, cutoff=0.5) or ends
    return f"there is no parameter {name!r} to set; did you mean {', '.join(close)}?"


PIPELINES: dict[str, Build] = {
    "poly4": _poly4,
    "virtual": _virtual,
    "gradient": _gradient,
    "best": _best,
}
