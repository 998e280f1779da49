"""Recipes that train in a second."""

from __future__ import annotations

from mnist_svm.models.parameters import Value
from mnist_svm.models.pipelines import matching_names, settable_parameters
from mnist_svm.models.recipes import RECIPES

# A narrow network, trained for a moment, and few virtual copies.
QUICK: dict[str, Value] = {"width": 0.2, "epochs": 1, "batch_size": 45, "copies": 1}


def quick_changes(recipe: str) -> dict[str, Value]:
    """Return changes of a recipe with which it trains in a second."""
    names = settable_parameters(RECIPES[recipe].pipeline())
    return {name: value for name, value in QUICK.items() if matching_names(name, names)}
