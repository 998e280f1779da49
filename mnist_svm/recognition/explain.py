"""What a trained model itself gives as evidence for what it read in one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mnist_svm.constants import IMAGE_SIDE, Float64Array, Images
from mnist_svm.drawing.explanation_page import INKED, Plate, Row, draw_plate
from mnist_svm.features.base import squarest
from mnist_svm.features.gradients import GradientFeatures
from mnist_svm.features.inverse import images_of
from mnist_svm.svm.classifier import KernelSVC
from mnist_svm.svm.evidence import Contest, Duel, duel
from mnist_svm.svm.machines import prepared_machines

if TYPE_CHECKING:
    from PIL import Image

    from mnist_svm.recognition.recognizer import Recognizer

# Support vectors that are told of each side.
WITNESSES = 5

# Radius of the spots that are turned from ink to paper or back: a stroke of MNIST is three wide.
SPOT = 1.5

Steps = tuple[Any, ...]


@dataclass(frozen=True)
class SupportVector:
    """A support vector that had much to say.

    Attributes
    ----------
    label : its digit.
    index : its row in what the machine was trained on, distorted copies being last.
    contribution : what it adds to the decision value, in units of the margin.
    image : uint8 ndarray of shape (side, side), ink bright on a dark ground.
        As the machine keeps it: prepared pixels, or drawn back from gradient features.
    """

    label: int
    index: int
    contribution: float
    image: Images


@dataclass(frozen=True)
class Side:
    """One digit's part in the decision between two.

    Attributes
    ----------
    label : the digit.
    confidence : of the model in it, 0 to 1.
    n : number of its support vectors that take part.
    total : what they add to the decision value.
    strongest : those that add, or take away, the most, in order.
    """

    label: int
    confidence: float
    n: int
    total: float
    strongest: tuple[SupportVector, ...]


@dataclass(frozen=True)
class Explanation:
    """The evidence for a reading. `explain` tells what it is.

    Attributes
    ----------
    image : uint8 ndarray of shape (28, 28), what was read.
    compared : uint8 ndarray of shape (side, side), the image as the machine sees it.
    read, rival : Side
        The digit that was read, and the other one of the decision.
    value, intercept : float
        ``read.total + rival.total + intercept == value``, above zero for the digit read.
    heat : float64 ndarray of shape (28, 28)
    against : int or None
        The one digit that the heat map sets the reading against; None for all others.
    by_gradient : whether the heat map is by the gradient, or else by spots.
    machine, machines : int
        Which one of the model's machines gave the evidence, from 1, and how many there are.
    """

    image: Images
    compared: Images
    read: Side
    rival: Side
    value: float
    intercept: float
    heat: Float64Array
    against: int | None
    by_gradient: bool
    machine: int
    machines: int

    def to_dict(self) -> dict[str, Any]:
        """Everything but images as plain types, for JSON."""
        return {
            "digit": self.read.label,
            "confidence": round(self.read.confidence, 6),
            "rival": {
                "digit": self.rival.label,
                "confidence": round(self.rival.confidence, 6),
            },
            "machine": self.machine,
            "machines": self.machines,
            "decision": {"value": self.value, "intercept": self.intercept},
            "support_vectors": [
                {
                    "digit": side.label,
                    "n": side.n,
                    "contribution": side.total,
                    "strongest": [
                        {"label": of.label, "index": of.index, "contribution": of.contribution}
                        for of in side.strongest
                    ],
                }
                for side in (self.read, self.rival)
            ],
            "heat_map": {
                "against": self.against,
                "method": "gradient" if self.by_gradient else "spots",
                "values": self.heat.round(6).tolist(),
            },
        }

    def ledger(self) -> str:
        """The decision value as a sum, in one line."""
        parts = (
            f"{side.total:+.2f} ({side.n:,} images of {side.label})"
            for side in (self.read, self.rival)
        )
        return f"{self.value:+.2f} = {' '.join(parts)} {self.intercept:+.2f} (constant)"

    def draw(self, picture: Images, *, size: tuple[int, int] | None = None) -> Image.Image:
        """Draw everything on one page.

        Parameters
        ----------
        picture : uint8 ndarray of shape (height, width) or (height, width, 3), 0-255
            What the image was made of, in greys or colours.
        size : (int, int), optional
            The width and height of that, if this is a small copy.

        Returns
        -------
        PIL.Image.Image
            RGB, 1,000 pixels wide.
        """
        read, rival = self.read.label, self.rival.label
        place = "Runner-up" if self.against is None else "Against"
        return draw_plate(
            Plate(
                title=f"Read as {read}, with confidence {self.read.confidence:.3f}",
                subtitle=f"{place}: {rival}, with confidence {self.rival.confidence:.3f}",
                picture=picture,
                size=size or (picture.shape[1], picture.shape[0]),
                seen=self.image,
                heat=self.heat,
                heat_title=f"What spoke for and against {read}",
                heat_note=_heat_note(self),
                decision=f"Why {read} and not {rival}: what the training images add up to",
                ledger=f"{self.ledger()}. Above 0 means {read}, below 0 means {rival}.",
                compared=self.compared,
                rows=(
                    _row(self.read, f"Images of {read} that counted most for {read}", True),
                    _row(self.rival, f"Images of {rival} that counted most for {rival}", False),
                ),
                note=_note(self),
            )
        )


def explain(recognizer: Recognizer, image: Images, *, against: int | None = None) -> Explanation:
    """Ask a model what spoke for what it read.

    Every pair of digits has a decision function, a sum over support vectors. That of the digit read
    and the runner-up is told term by term (`mnist_svm.svm.evidence.Duel`). The heat map is about
    the digit read and all others (`Contest`): what it would lose if, at each pixel, ink were
    turned into paper or paper into ink. So it is positive where there is ink that speaks for the
    digit, and where there is paper and ink would speak against it.

    How the digit was moved, sheared and scaled before it came to the machine is held fixed, and so
    is the contrast: what is shown is what the strokes do, not what a normalisation does that a
    far-off blot would tilt. What is left between image and machine is then

    - linear, for machines that compare pixels: the heat map is the analytic gradient of the
      decision function, carried back to the image, times the change of each pixel;
    - not linear, for machines that compare gradient directions: a spot of `SPOT` pixels' radius is
      turned around each pixel in turn, and the decision computed again. One pixel would be less
      than a stroke, and in 8-bit features next to nothing.

    Parameters
    ----------
    recognizer : Recognizer
        Where its model averages several machines, the one whose decision between the two digits
        is the surest is asked.
    image : uint8 ndarray of shape (28, 28), 0-255, ink bright on a dark ground
    against : int, optional
        The digit to set the reading against, in the heat map as well, in place of the runner-up.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        If the model does not know ``against``, or read just that.
    """
    readings = recognizer.classify(image[None])
    (read, _), (rival, _) = readings.top(0, 2)
    labels = readings.classes.tolist()
    others = [label for label in labels if label != read]
    if against is not None:
        if against not in others:
            known = ", ".join(map(str, others))
            msg = f"{read} was read, and cannot be set against {against}, but against {known}"
            raise ValueError(msg)
        rival, others = against, [against]
    place = {label: at for at, label in enumerate(labels)}

    x = image.reshape(1, -1)
    views = [
        _View(steps, machine, duel(machine, place[read], place[rival]), _prepared(steps, x))
        for steps, machine in prepared_machines(recognizer.model.pipeline)
    ]
    chosen = int(np.argmax([view.value for view in views]))
    view = views[chosen]
    contest = Contest(tuple(duel(view.machine, place[read], place[other]) for other in others))
    heat = _by_gradient if view.is_of_pixels else _by_spots
    compared, *sides = _sides(
        view, [(label, float(readings.confidences[0, place[label]])) for label in (read, rival)]
    )
    return Explanation(
        image=image,
        compared=compared,
        read=sides[0],
        rival=sides[1],
        value=view.value,
        intercept=view.duel.intercept,
        heat=heat(contest, view, x).reshape(image.shape),
        against=against,
        by_gradient=view.is_of_pixels,
        machine=chosen + 1,
        machines=len(views),
    )


@dataclass(frozen=True)
class _View:
    """A machine, what comes before it, its decision between two digits, and what it sees."""

    steps: Steps
    machine: KernelSVC
    duel: Duel
    features: npt.NDArray[Any]

    @property
    def value(self) -> float:
        return float(self.duel.values(self.features)[0])

    @property
    def is_of_pixels(self) -> bool:
        return not any(isinstance(step, GradientFeatures) for step in self.steps)


def _prepared(steps: Steps, X: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Images as the machine sees them."""
    for step in steps:
        X = step.transform(X)
    return X


def _prepared_like(steps: Steps, X: npt.NDArray[Any], x: Images) -> npt.NDArray[Any]:
    """Images as the machine would see them if they lay as another one does."""
    for step in steps:
        X, x = step.transform_like(X, x), step.transform(x)
    return X


def _by_gradient(contest: Contest, view: _View, x: Images) -> Float64Array:
    """What the decision would lose if each pixel were turned, at the rate of the gradient."""
    # Row by row what a pixel of 255 becomes: all that is done to pixels is linear.
    units = _prepared_like(view.steps, 255 * np.eye(x.shape[1]), x)
    slopes = units @ contest.gradient(view.features[0]) / 255
    return np.asarray(slopes * (x[0] - _turned(x[0])))


def _by_spots(contest: Contest, view: _View, x: Images) -> Float64Array:
    """What the decision loses when a spot around each pixel is turned."""
    i, j = np.indices((IMAGE_SIDE, IMAGE_SIDE)).reshape(2, -1)
    distances = np.hypot(i[:, None] - i, j[:, None] - j)
    # Full up to half a pixel within the radius, and gone half a pixel beyond.
    spots = np.clip(SPOT + 0.5 - distances, 0, 1)
    changed = x + spots * (_turned(x[0])[:, None] - x)
    after = contest.values(_prepared_like(view.steps, changed, x))
    return np.asarray(contest.values(view.features) - after)


def _turned(x: Images) -> Float64Array:
    """Paper where there is ink, and ink where there is paper."""
    return np.where(x >= INKED, 0.0, 255.0)


def _sides(view: _View, answers: list[tuple[int, float]]) -> tuple[Images, Side, Side]:
    """What the machine sees, and each digit's part in the decision."""
    parts, weights = view.duel.contributions(view.features[0]), view.duel.weights
    # Weights are positive for the digit read.
    owned = [np.flatnonzero(weights > 0), np.flatnonzero(weights < 0)]
    strongest = [of[np.argsort(-np.abs(parts[of]), kind="stable")][:WITNESSES] for of in owned]
    rows = np.concatenate([view.features, *(view.duel.vectors[of] for of in strongest)])
    compared, *images = _pictures(view.steps, rows)
    indices = view.machine.support_[view.duel.places]
    sides = []
    for (label, confidence), mine, best in zip(answers, owned, strongest, strict=True):
        of_best, images = images[: len(best)], images[len(best) :]
        told = tuple(
            SupportVector(label, int(indices[at]), float(parts[at]), picture)
            for at, picture in zip(best, of_best, strict=True)
        )
        sides.append(Side(label, confidence, len(mine), float(parts[mine].sum()), told))
    return compared, sides[0], sides[1]


def _pictures(steps: Steps, rows: npt.NDArray[Any]) -> Images:
    """Rows of features as images."""
    last = steps[-1] if steps else None
    if isinstance(last, GradientFeatures):
        return images_of(np.asarray(rows, np.uint8), last)
    pixels = 255 * rows / np.maximum(rows.max(axis=1, keepdims=True), 1)
    return np.asarray(np.rint(pixels), np.uint8).reshape(len(rows), *squarest(rows.shape[1]))


def _row(side: Side, title: str, is_for: bool) -> Row:
    images = [of.image for of in side.strongest]
    return Row(title, images, [f"{of.contribution:+.2f}" for of in side.strongest], is_for)


def _heat_note(told: Explanation) -> str:
    """What the heat map shows, and how it came about."""
    read = told.read.label
    others = "all other digits" if told.against is None else told.against
    how = (
        "Computed as the gradient of the decision function times the change of each pixel."
        if told.by_gradient
        else "Measured: around each pixel, a spot as wide as a stroke was turned from ink to paper "
        "or from paper to ink, and the decision computed again."
    )
    return (
        f"For {read} and against {others}. Inside the outline, blue ink was needed and red ink was "
        f"in the way. Outside, blue paper had to stay blank, and on red paper ink would have "
        f"helped. {how}"
    )


def _note(told: Explanation) -> str:
    """What the support vectors are, and whose."""
    which = (
        f" Of the {told.machines} machines that the model averages, this is number {told.machine}, "
        "the surest."
        if told.machines > 1
        else ""
    )
    kept = (
        "as the machine keeps them"
        if told.by_gradient
        else "drawn back from their gradient features, which are all that the machine keeps"
    )
    return (
        "These support vectors are the training images, or copies made of them, that decided. Each "
        "counts as much as it is like this digit, times a weight found in training. They are "
        f"shown {kept}.{which}"
    )
