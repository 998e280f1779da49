"""Judge candidates: what they are, and which digit if they are one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from mnist_svm._types import Float64Array, Images
from mnist_svm.recognition.candidates import Candidate

# Maps images of candidates to probabilities of classes, of shape (n, k).
Classify = Callable[[Images], Float64Array]
# Maps images of candidates, their ink in its line, and the other ink there, to the probabilities of
# being a part of digits or several, a digit, and other ink, of shape (n, 3).
JudgeDigits = Callable[[Images, Images, Images], Float64Array]

# Least probability of being a digit with which a candidate is classified; below, its classes are
# equally probable. Half of all candidates are less, and none of them counts.
MIN_DIGIT = 2e-4


@dataclass(frozen=True, eq=False)
class Judged:
    """A candidate with the probabilities of what it is, and of each class if it is a digit."""

    candidate: Candidate
    kinds: Float64Array
    classes: Float64Array


# Probabilities of what was judged, by a digest of the images.
Known = dict[bytes, tuple[Float64Array, Float64Array]]


class Judge:
    """Judges candidates together, because a call has a high fixed cost.

    Parameters
    ----------
    n_classes : number of classes
    classify, judge_digits : the two classifiers
    """

    def __init__(self, n_classes: int, classify: Classify, judge_digits: JudgeDigits) -> None:
        self._n_classes = n_classes
        self._classify = classify
        self._judge_digits = judge_digits

    def __call__(self, candidates: Sequence[Candidate], known: Sequence[Known]) -> list[Judged]:
        """Judge candidates.

        `known` is what was judged of the line of each, which is not judged again: other cuts often
        have the same ink. What is new is added.
        """
        keys = [_digest(candidate) for candidate in candidates]
        new = [k for k, key in enumerate(keys) if key not in known[k]]
        if new:
            images, own, others = map(np.stack, zip(*(candidates[k].images for k in new)))
            kinds = self._judge_digits(images, own, others)
            classes = np.full((len(new), self._n_classes), 1 / self._n_classes)
            is_plausible = kinds[:, 1] >= MIN_DIGIT
            if is_plausible.any():
                classes[is_plausible] = self._classify(images[is_plausible])
            for k, of_kinds, of_classes in zip(new, kinds, classes, strict=True):
                known[k][keys[k]] = of_kinds, of_classes
        return [
            Judged(candidate, *line[key])
            for candidate, line, key in zip(candidates, known, keys, strict=True)
        ]


def _digest(candidate: Candidate) -> bytes:
    """What stands for the images of a candidate."""
    return blake2b(b"".join(part.tobytes() for part in candidate.images), digest_size=16).digest()
