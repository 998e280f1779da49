"""What a model file records about a model: recipe, parameters, training, calibration, versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from mnist_svm.datasets.types import join_sources, weighted_name
from mnist_svm.models.parameters import Parameters, Value
from mnist_svm.models.recipes import CrossValidation


@dataclass(frozen=True)
class AugmentationRecord:
    """Virtual copies of all images that a model was trained on.

    Attributes
    ----------
    copies : copies per image
    n_samples : images and copies in all
    resumed : whether the training was interrupted and resumed, so that its time is not complete
    """

    copies: int
    n_samples: int
    resumed: bool


@dataclass(frozen=True)
class TrainingSet:
    """A data set that a model was trained on, alone or with others.

    Attributes
    ----------
    name : name in the catalog, or path
    n_images : images trained on
    size : images in the data set
    weight : factor of C for each of its images; the mean, if they differ
    sha256 : checksums of the data set, see `mnist_svm.datasets.types.Dataset`
    """

    name: str
    n_images: int
    size: int
    weight: float
    sha256: Mapping[str, str]


@dataclass(frozen=True)
class TrainingRecord:
    """Data and outcome of a training.

    Attributes
    ----------
    sets : the data sets, in order
    n_images : images trained on, of all data sets
    random_state : seed of the subset and of the solver
    fit_seconds : duration of the fit
    kkt_violation : largest remaining violation of the KKT conditions, None without SVMs
    augmentation : None unless trained on virtual copies of all images
    """

    sets: tuple[TrainingSet, ...]
    n_images: int
    random_state: int
    fit_seconds: float
    kkt_violation: float | None
    augmentation: AugmentationRecord | None = None

    @property
    def data(self) -> str:
        """Names and weights of the data sets, such as "mnist + styles:2"."""
        return join_sources(weighted_name(each.name, each.weight) for each in self.sets)

    def includes(self, sha256: Mapping[str, str]) -> bool:
        """Return whether one of the data sets has these checksums."""
        digests = set(sha256.values())
        return bool(digests) and any(digests <= set(each.sha256.values()) for each in self.sets)


@dataclass(frozen=True)
class CalibrationRecord:
    """Calibration of the probabilities, see `mnist_svm.svm.calibration.Calibrated`.

    Attributes
    ----------
    temperature : factor of the log probabilities
    n_held_out : images held out in cross-validation; 0 if a class had too few images
    calibration_error : expected calibration error on these images, None without any
    """

    temperature: float
    n_held_out: int
    calibration_error: float | None


@dataclass(frozen=True)
class ModelInfo:
    """How a model was made.

    Attributes
    ----------
    recipe : name of the recipe
    summary : one line about the recipe
    parameters : hyperparameters of the SVMs, None without any
    classes : labels, ascending
    class_names : name of each class, None if the labels are the names
    n_svms, n_support_vectors : number of SVMs in the pipeline, and of support vectors in all
    training : TrainingRecord
    calibration : None if the probabilities are not calibrated
    versions : version of Python and of each package that can influence the model
    date : ISO 8601, UTC
    changes : pipeline parameters that differ from the recipe's, see
        `mnist_svm.models.pipelines.set_parameters`
    cross_validation : result of the recipe's defaults, None for a model of other parameters or data
    n_weights : number of weights of the networks in the pipeline, None without any
    """

    recipe: str
    summary: str
    parameters: Parameters | None
    classes: tuple[int, ...]
    class_names: tuple[str, ...] | None
    n_svms: int
    n_support_vectors: int
    training: TrainingRecord
    calibration: CalibrationRecord | None
    versions: Mapping[str, str]
    date: str
    changes: Mapping[str, Value] = field(default_factory=dict)
    cross_validation: CrossValidation | None = None
    n_weights: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts of plain types, as for JSON and the model file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> ModelInfo:
        """Check the types of untrusted data and build a ModelInfo.

        Lists may stand for tuples. The ValueError names a field that is missing, unknown or of the
        wrong type.
        """
        info: ModelInfo = _build(cls, data, "info")
        return info

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield (group, name, value) as text, without the fields that are None.

        The group is empty for top-level fields, else the name of a nested record.
        """
        for (first, *names), value in _flatten(self.to_dict()):
            yield (first, ": ".join(names), value) if names else ("", first, value)


def _flatten(values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path of each value in nested dicts, and the value, as text."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from (((_words(key), *path), text) for path, text in _flatten(value))
        elif isinstance(value, tuple) and any(isinstance(item, dict) for item in value):
            # One record needs no number.
            name = _words(key).removesuffix("s")
            names = [name if len(value) == 1 else f"{name} {i + 1}" for i in range(len(value))]
            yield from _flatten(dict(zip(names, value, strict=True)))
        elif isinstance(value, tuple):
            yield (_words(key),), " ".join(map(str, value))
        elif value is not None:
            yield (_words(key),), f"{value:.6g}" if isinstance(value, float) else str(value)


def _words(key: str) -> str:
    return key.removeprefix("n_").replace("svms", "SVMs").replace("_", " ")


def _build(expected: Any, data: Any, name: str) -> Any:
    """Convert plain data to an annotated type, or raise ValueError with the name of the field."""
    kind, args = get_origin(expected), get_args(expected)
    if kind is UnionType:
        for option in args:
            with suppress(ValueError):
                return _build(option, data, name)
    elif isinstance(expected, type) and is_dataclass(expected) and type(data) is dict:
        hints = get_type_hints(expected)
        # Files of before a field was added lack it.
        optional = {each.name for each in fields(expected) if each.default is not MISSING}
        for key in (hints.keys() ^ data.keys()) - (optional - data.keys()):
            msg = f"{name}.{key} is {'missing' if key in hints else 'unknown'}"
            raise ValueError(msg)
        values = {
            key: _build(hint, data[key], f"{name}.{key}")
            for key, hint in hints.items()
            if key in data
        }
        return expected(**values)
    elif kind is Mapping and type(data) is dict:
        if all(type(key) is str for key in data):
            return {key: _build(args[1], value, f"{name}.{key}") for key, value in data.items()}
    elif kind is tuple and type(data) in (list, tuple):
        return tuple(_build(args[0], value, name) for value in data)
    elif type(data) is expected or (expected is float and type(data) is int):
        return data
    msg = f"{name} has the wrong type: {type(data).__name__}"
    raise ValueError(msg)
