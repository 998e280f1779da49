"""``mnist-svm recipes``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from mnist_svm.cli.options import json_option
from mnist_svm.models.recipes import RECIPES, Recipe


@click.command("recipes")
@json_option
def recipes_command(as_json: bool) -> None:
    """List the recipes of `train`.

    The error rates are those of cross-validation on MNIST's training images, which selected the
    parameters, and those on the 10,000 test images. Times were result on the 2-core computer
    described in the README.

    \b
    Examples:
      mnist-svm recipes
      mnist-svm train --recipe gradient
    """
    if as_json:
        content = [
            {"parameters" if name == "defaults" else name: x for name, x in asdict(recipe).items()}
            for recipe in RECIPES.values()
        ]
        click.echo(json.dumps(content, indent=2))
        return
    rows = [
        ("recipe", "CV errors", "test errors", "training", "model", "speed"),
        *map(_row, RECIPES.values()),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        click.echo("  ".join([name.ljust(widths[0]), *padded]))
    click.echo()
    for recipe in RECIPES.values():
        click.echo(f"{recipe.name:<{widths[0]}}  {recipe.summary}")


def _row(recipe: Recipe) -> tuple[str, ...]:
    validation, result = recipe.cross_validation, recipe.test_result
    return (
        recipe.name,
        f"{validation.errors / validation.n:.2%}",
        f"{result.errors / result.n:.2%} ({result.errors})",
        f"{result.seconds:.0f} s",
        f"{result.megabytes:.1f} MB",
        f"{result.images_per_second:,} images/s",
    )
