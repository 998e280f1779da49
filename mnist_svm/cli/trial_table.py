"""How a search stands, told as it goes on and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import sqrt
from typing import Any

from mnist_svm.exceptions import MnistSvmError
from mnist_svm.models.parameters import Value
from mnist_svm.models.recipes import Recipe
from mnist_svm.tuning.search import Standing
from mnist_svm.tuning.space import Ended, own_values, train_command

# How many of the best are shown.
BEST = 5


class Teller:
    """Tells of a search.

    Parameters
    ----------
    recipe : Recipe
    data : str
        Name of the data set.
    trials : int
        How many there will be.
    options : sequence of str
        For the command that trains with the best.
    """

    def __init__(self, recipe: Recipe, data: str, trials: int, options: Sequence[str]) -> None:
        self._recipe, self._data, self._trials, self._options = recipe, data, trials, options
        self._own = own_values(recipe)
        self._latest: Standing | None = None

    def follow(self, standing: Standing) -> None:
        """Take note of how the search stands."""
        self._latest = standing

    def live(self) -> str:
        """The best trials so far and those at work: lines, each with its end."""
        if self._latest is None:
            return ""
        lines = self._table(self._latest.ranking) if self._latest.ranking else []
        for at_work in self._latest.under_way:
            number = f"Trial {at_work.number}, {len(self._latest.ended)} of {self._trials} ended"
            parameters = self._told(at_work.parameters)
            lines.append(f"{number}; on {at_work.images:,} images: {parameters}")
        return "".join(f"{line}\n" for line in lines)

    def interrupted(self) -> str:
        """What to say when the search is interrupted."""
        ended = len(self._latest.ended) if self._latest else 0
        said = (
            f"mnist-svm: interrupted after {ended} of {self._trials} trials; "
            "to go on, give the same command again"
        )
        if not (self._latest and self._latest.ranking):
            return said
        best = self._latest.ranking[0]
        return f"{said}\nBest so far: {_measured(best)}: {self._command(best)}"

    def result(self, standing: Standing) -> dict[str, Any]:
        """Everything as plain types, for JSON.

        Raises
        ------
        MnistSvmError
            If there is no best.
        """
        if not standing.ranking:
            msg = f"no trial could be trained to its end; the first: {standing.ended[0].reason}"
            raise MnistSvmError(msg)
        best, default, protocol = standing.ranking[0], standing.default, standing.protocol
        return {
            "search": standing.name,
            "recipe": self._recipe.name,
            "data": self._data,
            "images": protocol.images,
            "folds": protocol.folds,
            "held_out": protocol.n,
            "sizes": list(protocol.sizes),
            "random_state": protocol.random_state,
            "best": asdict(best),
            "default": asdict(default) if default else None,
            # That of a difference of counts, as if the errors were of different images.
            "standard_error": sqrt(best.errors + default.errors) if default else None,
            "command": self._command(best),
            "trials": [asdict(trial) for trial in standing.ended],
        }

    def text(self, standing: Standing) -> str:
        """The best trials, how they compare with the recipe as it is, and the winner's command."""
        best = standing.ranking[0]
        return "\n".join(
            [
                *self._table(standing.ranking),
                "",
                f"Trials      {self._counts(standing.ended)}",
                f"Measured    on {standing.protocol}",
                f"Winner      {_measured(best)}",
                *_comparison(best, standing.default),
                "",
                "Train it on all images with",
                self._command(best),
            ]
        )

    def _table(self, ranking: Sequence[Ended]) -> list[str]:
        rows = [
            f"{trial.number:>5}{_accuracy(trial):>10.2%}{trial.errors:>8,}{trial.seconds:>9.1f}"
            f"   {self._told(trial.parameters)}"
            for trial in ranking[:BEST]
        ]
        return [f"trial{'accuracy':>10}{'errors':>8}{'seconds':>9}   parameters", *rows]

    def _told(self, values: Mapping[str, Value]) -> str:
        """Parameters that are not the recipe's own."""
        changed = [f"{name}={x}" for name, x in values.items() if x != self._own[name]]
        return " ".join(changed) or "the recipe's own"

    def _counts(self, ended: Iterable[Ended]) -> str:
        counts = Counter(trial.state for trial in ended)
        told = f"{counts.total()}: {counts['complete']} complete, {counts['pruned']} pruned"
        reasons = [f"trial {trial.number}: {trial.reason}" for trial in ended if trial.reason]
        return f"{told}, {counts['failed']} failed ({reasons[0]})" if reasons else told

    def _command(self, trial: Ended) -> str:
        return train_command(self._recipe, self._data, trial.parameters, self._options)


def _accuracy(trial: Ended) -> float:
    return 1 - trial.errors / trial.n


def _measured(trial: Ended) -> str:
    return (
        f"trial {trial.number}, {_accuracy(trial):.2%} "
        f"({trial.errors:,} of {trial.n:,} images misread)"
    )


def _comparison(best: Ended, default: Ended | None) -> list[str]:
    """The recipe as it is beside the winner, and how far chance alone might have parted them."""
    if default is None:
        return ["Default     could not be trained"]
    lines = [f"Default     {_measured(default)}"]
    if best != default:
        fewer, deviation = default.errors - best.errors, sqrt(best.errors + default.errors)
        lines += [
            f"Difference  {fewer} fewer misread, with a standard error of up to {deviation:.0f}:",
            "            less than two of them may be chance, and the best of many has had luck",
        ]
    return lines
