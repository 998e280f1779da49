"""Explain a prediction by the support vectors that decided it and by a heat map of the image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from mnist_svm._types import Array, Float64Array, Images
from mnist_svm.constants import IMAGE_SIDE, WHITE
from mnist_svm.drawing.explanation_page import (
    INK_THRESHOLD,
    ExplanationPage,
    ImageRow,
    draw_explanation_page,
)
from mnist_svm.exceptions import FormatError
from mnist_svm.features.base import infer_image_shape
from mnist_svm.features.inverse import reconstruct_images
from mnist_svm.features.shape import restore_shape
from mnist_svm.features.transformers import GradientFeatures, ShapeFeatures
from mnist_svm.pictures.images import to_mnist_images
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.evidence import OneVsRest, PairDecision, pair_decision
from mnist_svm.svm.fitted import svcs_with_transformers

if TYPE_CHECKING:
    from PIL import Image

    from mnist_svm.recognition.recognizer import Recognizer

# Support vectors reported per class.
N_STRONGEST = 5

# Radius in pixels of the occluded spot: MNIST's strokes are about three pixels wide.
OCCLUSION_RADIUS = 1.5


@dataclass(frozen=True)
class SupportVector:
    """A support vector and its contribution.

    Attributes
    ----------
    index : row of the SVM's training data; augmented copies come last.
    contribution : its term of the decision function, in units of the margin.
    image : uint8 ndarray of shape (height, width), 0-255, what the SVM stores, as an image.
    """

    index: int
    contribution: float
    image: Images


@dataclass(frozen=True)
class ClassEvidence:
    """Part of one class in the decision between two.

    Attributes
    ----------
    label : the class.
    confidence : its probability, 0 to 1.
    n_support : number of its support vectors in the decision function.
    total : sum of their contributions.
    strongest : those with the largest absolute contributions, in descending order.
    """

    label: int
    confidence: float
    n_support: int
    total: float
    strongest: tuple[SupportVector, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the confidence and images as JSON types."""
        strongest = [
            {"label": self.label, "index": vector.index, "contribution": vector.contribution}
            for vector in self.strongest
        ]
        evidence = {"label": self.label, "n": self.n_support, "contribution": self.total}
        return {**evidence, "strongest": strongest}


@dataclass(frozen=True)
class Explanation:
    """Evidence for a prediction, from `mnist_svm.recognition.explain.explain`.

    Attributes
    ----------
    image : uint8 ndarray of shape (28, 28), 0-255, the classified image.
    svm_input : uint8 ndarray of shape (height, width), 0-255, the image as the SVM receives it.
    predicted, rival : ClassEvidence of the predicted label and of the one it is compared with.
    decision_value, intercept : float
        ``predicted.total + rival.total + intercept == decision_value``; positive for the
        predicted label.
    heat_map : float64 ndarray of shape (28, 28)
        Decrease of the decision value if a pixel is inverted.
    one_vs_rest : whether the heat map compares with all other labels, or with the rival alone.
    method : how the heat map was computed, "gradient" or "occlusion".
    svm_number, n_svms : the explained SVM, counted from 1, of those that the model averages.
    """

    image: Images
    svm_input: Images
    predicted: ClassEvidence
    rival: ClassEvidence
    decision_value: float
    intercept: float
    heat_map: Float64Array
    one_vs_rest: bool
    method: str
    svm_number: int
    n_svms: int

    def to_dict(self) -> dict[str, Any]:
        """Return everything except images as JSON types."""
        return {
            "label": self.predicted.label,
            "confidence": self.predicted.confidence,
            "rival": {"label": self.rival.label, "confidence": self.rival.confidence},
            "svm": self.svm_number,
            "n_svms": self.n_svms,
            "decision": {"value": self.decision_value, "intercept": self.intercept},
            "support_vectors": [self.predicted.to_dict(), self.rival.to_dict()],
            "heat_map": {
                "against": None if self.one_vs_rest else self.rival.label,
                "method": self.method,
                "values": self.heat_map.round(6).tolist(),
            },
        }

    def to_text(self) -> str:
        """Return the decision value as a sum, on one line."""
        terms = " ".join(
            f"{evidence.total:+.2f} ({evidence.n_support:,} support vectors of {evidence.label})"
            for evidence in (self.predicted, self.rival)
        )
        return f"{self.decision_value:+.2f} = {terms} {self.intercept:+.2f} (intercept)"


def explain(recognizer: Recognizer, image: Any, *, rival: int | None = None) -> Explanation:
    """Explain the prediction for an image.

    Each pair of classes has a decision function, a sum over support vectors. The terms of the one
    for the predicted label and its runner-up are reported (`mnist_svm.svm.evidence.PairDecision`).
    If the model averages several SVMs, the SVM with the largest decision value is explained.

    The heat map is the decrease of the decision value of the predicted label against all others
    (`mnist_svm.svm.evidence.OneVsRest`) when ink becomes background or background becomes ink. It
    is positive where ink supports the prediction and where background must stay blank. Position,
    shear, scale and contrast are held at those of the image, and so are its slant and proportion if
    they are features, so that the map shows the effect of the strokes alone. For SVMs on pixels,
    the remaining transformers are affine, and the map is the
    gradient of the decision function times the change of each pixel. For SVMs on gradient features,
    it is measured by occlusion: a spot of `OCCLUSION_RADIUS` pixels around each pixel is inverted,
    because a single pixel would barely change 8-bit features.

    Parameters
    ----------
    recognizer : Recognizer
    image : array-like of shape (28, 28)
        Bright ink on a dark background, as for `Recognizer.classify`; see `DigitReading.image`.
    rival : int, optional
        Label to compare the prediction with, in the heat map too; by default the runner-up.

    Returns
    -------
    Explanation

    Raises
    ------
    FormatError
        If the image is not in MNIST form, or the model has a network, whose readings do not come
        from support vectors of images.
    ValueError
        If the model does not know ``rival``, or predicts it.

    References
    ----------
    M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, for
    occlusion maps.
    """
    if recognizer.model.info.n_weights:
        msg = (
            f"the model, of recipe {recognizer.model.info.recipe}, has a network, which has no "
            "support vectors to show; explain with a model of another recipe, such as gradient"
        )
        raise FormatError(msg)
    image = to_mnist_images(image, source="image", check_polarity=True)[0]
    readings = recognizer.classify(image)
    (predicted, _), (runner_up, _) = readings.top(0, 2)
    labels = readings.classes.tolist()
    compared = [label for label in labels if label != predicted]
    if rival is not None:
        if rival not in compared:
            choices = ", ".join(map(str, compared))
            msg = f"cannot compare the prediction {predicted} with {rival}; choose one of {choices}"
            raise ValueError(msg)
        runner_up, compared = rival, [rival]
    index = {label: i for i, label in enumerate(labels)}
    first, second = index[predicted], index[runner_up]

    x = image.reshape(1, -1)
    views = [
        _SVMView(steps, svc, pair_decision(svc, first, second), _transform(steps, x))
        for steps, svc in svcs_with_transformers(recognizer.model.pipeline)
    ]
    best = int(np.argmax([view.decision_value for view in views]))
    view = views[best]
    versus = OneVsRest(tuple(pair_decision(view.svc, first, index[label]) for label in compared))
    heat_map = _gradient_map if view.uses_pixels else _occlusion_map
    probabilities = readings.probabilities[0].tolist()
    return Explanation(
        image=image,
        svm_input=_to_images(view.transformers, view.features)[0],
        predicted=_class_evidence(view, predicted, probabilities[first], sign=1),
        rival=_class_evidence(view, runner_up, probabilities[second], sign=-1),
        decision_value=view.decision_value,
        intercept=view.decision.intercept,
        heat_map=heat_map(versus, view, x).reshape(image.shape),
        one_vs_rest=rival is None,
        method="gradient" if view.uses_pixels else "occlusion",
        svm_number=best + 1,
        n_svms=len(views),
    )


@dataclass(frozen=True)
class _SVMView:
    """An SVM of the model with its transformers, one decision function and the features."""

    transformers: tuple[Any, ...]
    svc: KernelSVC
    decision: PairDecision
    features: Array

    @property
    def decision_value(self) -> float:
        return float(self.decision.decision_function(self.features)[0])

    @property
    def uses_pixels(self) -> bool:
        return not any(isinstance(step, GradientFeatures) for step in _leaves(self.transformers))


def _parts(step: Any) -> list[Any]:
    """Return the transformers of a Pipeline or FeatureUnion; another transformer has none."""
    steps = step.transformer_list if isinstance(step, FeatureUnion) else getattr(step, "steps", [])
    return [part for _, part in steps]


def _leaves(transformers: Iterable[Any]) -> Iterator[Any]:
    """Yield the transformers of images in a sequence of transformers, also nested."""
    for step in transformers:
        if parts := _parts(step):
            yield from _leaves(parts)
        else:
            yield step


def _transform(transformers: tuple[Any, ...], X: Array) -> Array:
    for transformer in transformers:
        X = transformer.transform(X)
    return X


def _transform_edited(transformers: Iterable[Any], X: Array, x: Images) -> Array:
    """Transform edited copies of an image with position, shear, scale and contrast of x."""
    for step in transformers:
        X, x = _transform_with_reference(step, X, x), step.transform(x)
    return X


def _transform_with_reference(step: Any, X: Array, x: Images) -> Array:
    if isinstance(step, Pipeline):
        return _transform_edited(_parts(step), X, x)
    if isinstance(step, FeatureUnion):
        parts = [_transform_with_reference(part, X, x) for part in _parts(step)]
        return np.concatenate(parts, axis=1)
    return np.asarray(step.transform_with_reference(X, x))


def _gradient_map(versus: OneVsRest, view: _SVMView, x: Images) -> Float64Array:
    """Return the gradient of the decision function times the change of each pixel."""
    # The transformers are affine: transformed single pixels are the columns of their matrix, apart
    # from what a blank image gives.
    edited = WHITE * np.eye(x.shape[1] + 1, x.shape[1])
    *pixels, blank = _transform_edited(view.transformers, edited, x)
    gradient = (pixels - blank) @ versus.gradient(view.features[0]) / WHITE
    return np.asarray(gradient * (x[0] - _inverted(x[0])))


def _occlusion_map(versus: OneVsRest, view: _SVMView, x: Images) -> Float64Array:
    """Return the decrease of the decision value when a spot around each pixel is inverted."""
    i, j = np.indices((IMAGE_SIDE, IMAGE_SIDE)).reshape(2, -1)
    distances = np.hypot(i[:, None] - i, j[:, None] - j)
    # Antialiased: from 1 half a pixel inside the radius to 0 half a pixel outside.
    spots = np.clip(OCCLUSION_RADIUS + 0.5 - distances, 0, 1)
    edited = x + spots * (_inverted(x[0])[:, None] - x)
    occluded = versus.decision_function(_transform_edited(view.transformers, edited, x))
    return np.asarray(versus.decision_function(view.features) - occluded)


def _inverted(x: Images) -> Float64Array:
    """Return full ink where the image has background, and background where it has ink."""
    return np.where(x >= INK_THRESHOLD, 0.0, WHITE)


def _class_evidence(view: _SVMView, label: int, confidence: float, *, sign: int) -> ClassEvidence:
    """Return the evidence of the class whose dual coefficients have the given sign."""
    contributions = view.decision.contributions(view.features[0])
    own = np.flatnonzero(sign * view.decision.dual_coef > 0)
    strongest = own[np.argsort(-np.abs(contributions[own]), kind="stable")][:N_STRONGEST]
    images = _to_images(view.transformers, view.decision.support_vectors[strongest])
    indices = view.svc.support_[view.decision.support_indices[strongest]]
    vectors = map(SupportVector, indices.tolist(), contributions[strongest].tolist(), images)
    total = float(contributions[own].sum())
    return ClassEvidence(label, confidence, len(own), total, tuple(vectors))


def _to_images(transformers: tuple[Any, ...], rows: Array) -> Images:
    """Return rows of features as images, reconstructed if they are gradient features.

    Of a union of features, the images are those of its first part. Slant and proportion are given
    back to them if they are features.
    """
    last = transformers[-1] if transformers else None
    if isinstance(last, Pipeline):
        return _to_images(tuple(_parts(last)), rows)
    if isinstance(last, FeatureUnion):
        parts = _parts(last)
        ends = np.cumsum([len(part.get_feature_names_out()) for part in parts])
        columns = np.split(rows, ends[:-1], axis=1)
        images = _to_images((parts[0],), columns[0])
        for part, features in zip(parts, columns, strict=True):
            if isinstance(part, ShapeFeatures):
                images = restore_shape(images, features, part.weight)
        return images
    if isinstance(last, GradientFeatures):
        return reconstruct_images(np.asarray(rows, np.uint8), last)
    pixels = np.asarray(rows, np.float64)
    pixels = WHITE * pixels / np.maximum(pixels.max(axis=1, keepdims=True), 1)
    shape = infer_image_shape(rows.shape[1])
    return np.asarray(np.rint(pixels), np.uint8).reshape(len(rows), *shape)


def draw_explanation(
    explanation: Explanation, picture: Images, *, size: tuple[int, int] | None = None
) -> Image.Image:
    """Draw an explanation as one page.

    Parameters
    ----------
    explanation : Explanation
    picture : uint8 ndarray of shape (height, width) or (height, width, 3), 0-255
        The picture that the image was made from, possibly reduced.
    size : (int, int), optional
        Width and height of the original picture; by default those of ``picture``.

    Returns
    -------
    PIL.Image.Image
        RGB, 1,000 pixels wide.
    """
    predicted, rival = explanation.predicted, explanation.rival
    role = "Runner-up" if explanation.one_vs_rest else "Compared with"
    return draw_explanation_page(
        ExplanationPage(
            title=f"Prediction: {predicted.label} (confidence {predicted.confidence:.3f})",
            subtitle=f"{role}: {rival.label} (confidence {rival.confidence:.3f})",
            picture=picture,
            size=size or (picture.shape[1], picture.shape[0]),
            image=explanation.image,
            heat_map=explanation.heat_map,
            heat_map_title=f"Evidence for and against {predicted.label}",
            heat_map_note=_heat_map_note(explanation),
            decision_title=f"Why {predicted.label} and not {rival.label}: the decision function",
            decision=f"{explanation.to_text()}. "
            f"Positive values mean {predicted.label}, negative values {rival.label}.",
            svm_input=explanation.svm_input,
            rows=(_image_row(predicted), _image_row(rival)),
            note=_support_vector_note(explanation),
        )
    )


def _image_row(evidence: ClassEvidence) -> ImageRow:
    title = f"Support vectors of {evidence.label} with the largest contributions"
    return title, [(f"{vector.contribution:+.2f}", vector.image) for vector in evidence.strongest]


def _heat_map_note(explanation: Explanation) -> str:
    predicted = explanation.predicted.label
    others = "all other digits" if explanation.one_vs_rest else explanation.rival.label
    method = (
        "Computed as the gradient of the decision function times the change of each pixel."
        if explanation.method == "gradient"
        else "Measured by inverting a spot as wide as a stroke around each pixel and evaluating "
        "the decision function again."
    )
    return (
        f"Blue supports {predicted} against {others}, red contradicts it. Inside the outline this "
        f"refers to the ink; outside, to the blank background. {method}"
    )


def _support_vector_note(explanation: Explanation) -> str:
    shown = (
        "as the SVM stores them"
        if explanation.method == "gradient"
        else "as reconstructed from the features that the SVM stores"
    )
    note = (
        f"Support vectors are training images or augmented copies of them, shown {shown}. The "
        "contribution of each is its similarity to this image (the kernel value) times a weight "
        "learned in training."
    )
    if explanation.n_svms > 1:
        note += f" This is SVM {explanation.svm_number} of {explanation.n_svms} that are averaged."
    return note
