"""``mnist-svm recipes``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from mnist_svm.cli.options import json_option
from mnist_svm.models.recipes import RECIPES, Recipe


@click.command("recipes")
@json_option
def recipes_command(as_json: bool) -> None:
    """List the recipes that `train` knows.

    The errors are those of cross-validation on the training images of MNIST, by which the
    parameters were chosen, and of the 10,000 test images. Seconds and images per second are of the
    machine with 2 cores that the README names.

    \b
    Examples:
      mnist-svm recipes
      mnist-svm train --recipe gradient
    """
    if as_json:
        click.echo(json.dumps([_json_object(recipe) for recipe in RECIPES.values()], indent=2))
        return
    rows = [
        ("recipe", "errors in CV", "on the test set", "training", "model", "reads"),
        *map(_row, RECIPES.values()),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join([first.strip().ljust(widths[0]), *others]))
    click.echo()
    for recipe in RECIPES.values():
        click.echo(f"{recipe.name:<{widths[0]}}  {recipe.summary}")


def _row(recipe: Recipe) -> tuple[str, ...]:
    chosen, measured = recipe.cross_validation, recipe.measured
    return (
        recipe.name,
        f"{chosen.errors / chosen.n:.2%}",
        f"{measured.errors / measured.n:.2%} ({measured.errors})",
        f"{measured.seconds:.0f} s",
        f"{measured.megabytes:.1f} MB",
        f"{measured.images_per_second:,} images/s",
    )


def _json_object(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "parameters": asdict(recipe.defaults),
        "cross_validation": asdict(recipe.cross_validation),
        "measured": asdict(recipe.measured),
    }
