"""Text and JSON reports of a search: while it runs, when it is interrupted and when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from math import sqrt
from typing import Any

from mnist_svm.datasets.types import Dataset
from mnist_svm.models.parameters import Value
from mnist_svm.models.recipes import Recipe
from mnist_svm.tuning.search import SearchOptions
from mnist_svm.tuning.space import default_values, format_train_command
from mnist_svm.tuning.study import hide_password
from mnist_svm.tuning.trials import SearchState, Trial

# Number of trials in the table, best first.
N_BEST = 5


class SearchReporter:
    """Reports on one search of parameters of a recipe, on a data set."""

    def __init__(self, recipe: Recipe, dataset: Dataset, options: SearchOptions) -> None:
        self.storage = hide_password(options.storage)
        self._recipe, self._options = recipe, options
        self._data, self._sources = dataset.name, dataset.sources
        self._defaults = default_values(recipe)
        self._latest: SearchState | None = None

    def update(self, state: SearchState) -> None:
        """Store the latest state for `live_table` and `interruption_message`."""
        self._latest = state

    def live_table(self) -> str:
        """Best trials so far and running trials, one line each, newlines included."""
        if self._latest is None:
            return ""
        lines = self._table(self._latest.ranking) if self._latest.ranking else []
        finished = f"{len(self._latest.finished)} of {self._options.n_trials} finished"
        for trial in self._latest.running:
            changes = self._changes(trial.parameters)
            lines.append(f"Trial {trial.number} {trial.stage}, {finished}: {changes}")
        return "".join(f"{line}\n" for line in lines)

    def interruption_message(self) -> str:
        """Number of finished trials, how to resume the search, and the best trial so far."""
        finished = len(self._latest.finished) if self._latest else 0
        message = (
            f"mnist-svm: interrupted after {finished} of {self._options.n_trials} trials; "
            "to resume, run the same command again"
        )
        if not (self._latest and self._latest.ranking):
            return message
        best = self._latest.ranking[0]
        return f"{message}\nBest so far: {_describe(best)}: {self._train_command(best)}"

    def summary(self, state: SearchState) -> dict[str, Any]:
        """Everything about a search as plain types, for JSON."""
        best, default, protocol = state.best, state.default, state.protocol
        return {
            "storage": self.storage,
            "search": state.name,
            "recipe": self._recipe.name,
            "data": self._data,
            "images": protocol.images,
            "folds": protocol.folds,
            "held_out": protocol.n,
            "sizes": list(protocol.train_sizes),
            "epochs": list(protocol.epochs),
            "random_state": protocol.random_state,
            "best": asdict(best),
            "default": asdict(default) if default else None,
            "standard_error": _standard_error(best, default) if default else None,
            "command": self._train_command(best),
            "trials": [asdict(trial) for trial in state.finished],
        }

    def text(self, state: SearchState) -> str:
        """Table of the best trials, comparison with the defaults, and the train command."""
        best = state.best
        return "\n".join(
            [
                *self._table(state.ranking),
                "",
                f"Trials      {_count_states(state.finished)}",
                f"Measured    on {state.protocol}",
                f"Best        {_describe(best)}",
                *_compare(best, state.default),
                "",
                "Train it on all images with",
                self._train_command(best),
            ]
        )

    def _table(self, ranking: Sequence[Trial]) -> list[str]:
        rows = [
            f"{trial.number:>5}{trial.accuracy:>10.2%}{trial.errors:>8,}{trial.seconds:>9.1f}"
            f"   {self._changes(trial.parameters)}"
            for trial in ranking[:N_BEST]
        ]
        return [f"trial{'accuracy':>10}{'errors':>8}{'seconds':>9}   parameters", *rows]

    def _changes(self, values: Mapping[str, Value]) -> str:
        """Parameters that differ from the recipe's defaults."""
        changed = [f"{name}={x}" for name, x in values.items() if x != self._defaults[name]]
        return " ".join(changed) or "defaults"

    def _train_command(self, trial: Trial) -> str:
        options = self._options.train_options
        return format_train_command(self._recipe, self._sources, trial.parameters, options)


def _count_states(trials: Iterable[Trial]) -> str:
    counts = Counter(trial.state for trial in trials)
    text = f"{counts.total()}: {counts['complete']} complete, {counts['pruned']} pruned"
    reasons = [f"trial {trial.number}: {trial.reason}" for trial in trials if trial.reason]
    return f"{text}, {counts['failed']} failed ({reasons[0]})" if reasons else text


def _describe(trial: Trial) -> str:
    errors = f"{trial.errors:,} of {trial.n:,} images misread"
    return f"trial {trial.number}, {trial.accuracy:.2%} ({errors})"


def _compare(best: Trial, default: Trial | None) -> list[str]:
    """Compare the best trial with the default parameters, with the standard error."""
    if default is None:
        return ["Default     failed"]
    lines = [f"Default     {_describe(default)}"]
    if best != default:
        fewer, deviation = default.errors - best.errors, _standard_error(best, default)
        lines += [
            f"Difference  {fewer} fewer misread, with a standard error of at most {deviation:.0f};",
            "            differences below two standard errors are not significant,",
            "            and the best of many trials is biased upwards",
        ]
    return lines


def _standard_error(best: Trial, default: Trial) -> float:
    """Upper bound of the standard error of the difference: that of two independent counts."""
    return sqrt(best.errors + default.errors)
