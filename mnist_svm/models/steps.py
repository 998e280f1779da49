"""Steps of a model as plain data, and the probabilities that they compute.

A model is a tree of steps: functions on images, SVMs, and steps that combine others. Here they are
evaluated on arrays, without scikit-learn; `mnist_svm.models.estimators` converts them from and to
scikit-learn's estimators, which call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from mnist_svm._types import Array, Float64Array, Images, Labels
from mnist_svm.features.blur import blur
from mnist_svm.features.contrast import normalize_contrast
from mnist_svm.features.deskew import deskew
from mnist_svm.features.gradients import gradient_features
from mnist_svm.features.shape import shape_features
from mnist_svm.features.size import normalize_size
from mnist_svm.networks.architectures import ARCHITECTURES, build_network
from mnist_svm.networks.inference import Network, calibrated_softmax, to_input
from mnist_svm.parallel.threads import threads
from mnist_svm.svm.decisions import DecisionFunctions
from mnist_svm.svm.kernels import Kernel
from mnist_svm.svm.pairwise import class_confidences
from mnist_svm.svm.pooling import logarithmic_pool, majority
from mnist_svm.svm.temperature import apply_temperature, temperature_of

# Functions of the transformers, by type. They take images of shape (n, height, width).
FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "blur": blur,
    "deskew": deskew,
    "gradient_features": gradient_features,
    "normalize_contrast": normalize_contrast,
    "normalize_size": normalize_size,
    "shape_features": shape_features,
}

# Steps that combine the probabilities of classifiers.
ENSEMBLES = ("average", "stack", "vote")

# Fitted attributes of each type, with the types of their values: see `models.check.Expected`. The
# estimators' names have an underscore at the end.
ATTRIBUTES: Mapping[str, dict[str, Any]] = {
    **{key: {"data_max": float, "inverted": bool} for key in FUNCTIONS},
    "average": {"classes": "int64"},
    "stack": {"classes": "int64", "exponents": "float64"},
    "vote": {"classes": "int64"},
    "calibrated": {
        "temperature": float,
        "novelty_slope": float,
        "typical_novelty": float,
        "n_held_out": int,
        "calibration_error": float,
    },
    "conv_net": {
        "classes": "int64",
        "weights": list,
        "fit_log": list,
        "temperature": float,
        "n_held_out": int,
        "calibration_error": float,
        "data_max": float,
        "inverted": bool,
    },
    "svc": {
        "classes": "int64",
        "support": "int32",
        "support_vectors": ["uint8", "float32"],
        "n_support": "int32",
        "dual_coef": "float64",
        "intercept": "float64",
        "n_iter": "int32",
        "class_weight": "float64",
        "gamma": float,
        "kkt_violation": float,
        "fit_log": list,
        "shape_fit": (int, int),
    },
    "virtual": {"n_virtual": int},
}


@dataclass(frozen=True, eq=False)
class Step:
    """A fitted step of a model.

    Attributes
    ----------
    type : a key of `FUNCTIONS`; "svc"; "conv_net"; or a step that has other `steps`: "pipeline",
        "union", "calibrated", "virtual", "average", "vote" or "stack"
    name : name in the pipeline, in the union or among the averaged classifiers; empty if it has
        none
    parameters : parameters of the function or of the fit, as plain types
    attributes : what was learned: plain types and arrays
    steps : steps that this one consists of
    """

    type: str
    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain types and arrays, for the model file."""
        steps = [step.to_dict() for step in self.steps]
        values = {"parameters": dict(self.parameters), "attributes": dict(self.attributes)}
        return {"type": self.type, "name": self.name, **values, "steps": steps}

    @property
    def classes(self) -> Labels:
        """Labels of a classifier, ascending: int64 ndarray of shape (k,)."""
        classes: Labels | None = self.attributes.get("classes")
        return self.steps[-1].classes if classes is None else classes

    @cached_property
    def decision_functions(self) -> DecisionFunctions:
        """Kernel expansions of an SVM, which take the memory of its support vectors as floats."""
        parameters, fitted = self.parameters, self.attributes
        kernel = Kernel(
            parameters["kernel"], fitted["gamma"], parameters["degree"], float(parameters["coef0"])
        )
        return DecisionFunctions(
            kernel,
            fitted["support_vectors"],
            fitted["n_support"],
            fitted["dual_coef"],
            fitted["shape_fit"][0],
        )

    @cached_property
    def network(self) -> Network:
        """A network with its weights; see `mnist_svm.networks.inference.Network`.

        Raises MissingExtraError without the extra [cnn], ValueError if the weights do not fit.
        """
        names = ("width", "activation", "dropout")
        network = Network(
            build_network(
                self.parameters["architecture"],
                self.parameters["image_shape"],
                len(self.classes),
                **{name: self.parameters[name] for name in names},
            )
        )
        network.set_weights(self.attributes["weights"])
        return network

    def prepare(self) -> None:
        """Compute `decision_functions` of all SVMs now, and compile all networks."""
        if self.type == "svc":
            _ = self.decision_functions
        elif self.type == "conv_net":
            self.network.prepare()
        for step in self.steps:
            step.prepare()

    def __getstate__(self) -> dict[str, Any]:
        # Of a copy, because another thread may add them at the same time.
        state = dict(vars(self))
        state.pop("decision_functions", None)
        state.pop("network", None)
        return state


def network_logs(step: Step) -> Iterator[list[dict[str, Any]]]:
    """Yield the epochs of each network of a model; see `mnist_svm.networks.training.Epoch`."""
    if step.type == "conv_net":
        yield step.attributes["fit_log"]
    for part in step.steps:
        yield from network_logs(part)


def transform(step: Step, X: Array) -> Array:
    """Apply a transformer to rows of pixels, of shape (n, height * width)."""
    if step.type == "union":
        return np.concatenate([transform(part, X) for part in step.steps], axis=1)
    if step.type == "pipeline":
        for part in step.steps:
            X = transform(part, X)
        return X
    if step.type == "conv_net":
        hidden, _ = _compute_network(step, X)
        return hidden
    parameters = dict(step.parameters)
    images = X.reshape(len(X), *parameters.pop("image_shape"))
    return FUNCTIONS[step.type](images, **parameters).reshape(len(X), -1)


def predict_proba(step: Step, X: Array) -> Float64Array:
    """Compute the probabilities of a classifier, of shape (n, k), for rows of features."""
    return _predict(step, X)[0]


def _predict(step: Step, X: Array) -> tuple[Float64Array, Float64Array]:
    """Compute probabilities, and the novelty of each sample, of shape (n,)."""
    if step.type == "svc":
        return _predict_svc(step, X)
    if step.type == "conv_net":
        _, logits = _compute_network(step, X)
        # Probabilities of a network do not depend on the novelty.
        return calibrated_softmax(logits, step.attributes["temperature"]), np.zeros(len(X))
    if step.type in ENSEMBLES:
        parts = [_predict(part, X) for part in step.steps]
        novelty = np.mean([part[1] for part in parts], axis=0)
        return _combine(step, [part[0] for part in parts]), novelty
    *transformers, classifier = step.steps
    for transformer in transformers:
        X = transform(transformer, X)
    probabilities, novelty = _predict(classifier, X)
    if step.type == "calibrated":
        names = ("temperature", "novelty_slope", "typical_novelty")
        temperature = temperature_of(novelty, *(step.attributes[name] for name in names))
        probabilities = apply_temperature(probabilities, temperature)
    return probabilities, novelty


def _combine(step: Step, parts: list[Float64Array]) -> Float64Array:
    """Combine the probabilities of the members of an ensemble."""
    if step.type == "vote":
        return majority(parts)
    if step.type == "stack":
        return logarithmic_pool(parts, step.attributes["exponents"])
    return np.asarray(np.mean(parts, axis=0))


def _compute_network(step: Step, X: Array) -> tuple[Array, Array]:
    """Compute the last hidden layer and the logits of a network."""
    images = X.reshape(len(X), *step.parameters["image_shape"])
    any_polarity = ARCHITECTURES[step.parameters["architecture"]].any_polarity
    fitted = step.attributes
    return step.network(to_input(images, fitted["data_max"], fitted["inverted"], any_polarity))


def _predict_svc(svc: Step, X: Images) -> tuple[Float64Array, Float64Array]:
    with threads(1) as workers:
        values, novelty = svc.decision_functions.values_and_novelty(X, workers)
    values += svc.attributes["intercept"]
    k = len(svc.classes)
    # With two classes, positive values are for the second.
    return class_confidences(-values if k == 2 else values, k), novelty
