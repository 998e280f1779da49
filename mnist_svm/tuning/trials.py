"""Records of a search: its trials and its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mnist_svm.exceptions import MnistSvmError
from mnist_svm.models.parameters import Value
from mnist_svm.tuning.splits import EvaluationProtocol

if TYPE_CHECKING:
    from mnist_svm.evaluation.measures import Evaluation
    from mnist_svm.models.file import Model

TrialState = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Trial:
    """A finished trial.

    Attributes
    ----------
    number : number of the trial in its search, from 0.
    state : ``"complete"`` if it was trained on all training images, ``"pruned"`` if it fell behind
        the other trials on fewer, ``"failed"`` if training raised an error.
    parameters : parameter values, by the names of `mnist_svm.tuning.space.SPACES`.
    stages : (number of training images, or of epochs of a network, accuracy on the held-out images)
        of each stage.
    n : number of held-out images, over all folds; 0 if the trial failed.
    errors : number of these images that were misread after the last stage.
    seconds : duration of the trial.
    reason : error message of a failed trial, otherwise None.
    """

    number: int
    state: TrialState
    parameters: dict[str, Value]
    stages: tuple[tuple[int, float], ...]
    n: int
    errors: int
    seconds: float
    reason: str | None = None

    @property
    def accuracy(self) -> float:
        """Proportion of held-out images read correctly, 0 to 1; not defined for a failed trial."""
        return 1 - self.errors / self.n


@dataclass(frozen=True, kw_only=True)
class TrialResult(Trial):
    """A complete or pruned trial of the current run, with its evaluation and model.

    Attributes
    ----------
    recipe : name of the recipe.
    evaluation : evaluation on all held-out images, without confidences (they are not calibrated).
    model : model of the last stage; None with folds, which train one model each.
    command : ``mnist-svm train`` command with these parameters.
    """

    recipe: str
    evaluation: Evaluation
    model: Model | None
    command: str


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being trained: its number, parameters and how much, in words."""

    number: int
    parameters: dict[str, Value]
    stage: str


@dataclass(frozen=True)
class SearchState:
    """State of a search.

    Attributes
    ----------
    name : name of the search in its storage.
    protocol : held-out images and training sizes of the trials.
    finished : finished trials by number, including those of earlier runs.
    running : running trials by number: one, or one per worker of a Dask cluster.
    """

    name: str
    protocol: EvaluationProtocol
    finished: tuple[Trial, ...]
    running: tuple[RunningTrial, ...] = ()

    @property
    def ranking(self) -> list[Trial]:
        """Complete trials by number of errors, then by number."""
        complete = [trial for trial in self.finished if trial.state == "complete"]
        return sorted(complete, key=lambda trial: trial.errors)

    @property
    def best(self) -> Trial:
        """First trial of the ranking; MnistSvmError if no trial is complete."""
        if not self.ranking:
            first = self.finished[0]
            msg = f"no trial was completed; trial {first.number} failed: {first.reason}"
            raise MnistSvmError(msg)
        return self.ranking[0]

    @property
    def default(self) -> Trial | None:
        """Trial 0, which has the recipe's default parameters; None unless it is complete."""
        return next((trial for trial in self.ranking if trial.number == 0), None)
