"""``mnist-svm recipes``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from mnist_svm.cli.options import json_option
from mnist_svm.models.recipes import RECIPES, Recipe, TestResult


@click.command("recipes")
@json_option
def recipes_command(as_json: bool) -> None:
    """List the recipes of `train`.

    The error rates are those of cross-validation on MNIST's training images, which selected the
    parameters, and those on the 10,000 test images. Times were measured on 2 cores of a server; the
    documentation describes it with the results.

    \b
    Examples:
      mnist-svm recipes
      mnist-svm train --recipe gradient
    """
    recipes = list(RECIPES.values())
    if as_json:
        content = [
            {"parameters" if name == "defaults" else name: x for name, x in asdict(recipe).items()}
            for recipe in recipes
        ]
        click.echo(json.dumps(content, indent=2))
        return
    click.echo(format_recipes(recipes))


def format_recipes(recipes: Sequence[Recipe]) -> str:
    """Return a table of results, and a description of each recipe.

    A recipe with an everyday form has a second row, and the command that trains it. Data sets
    that no recipe was tested on have no column.
    """
    results = [result for recipe in recipes for result in _results(recipe)]
    others = list(dict.fromkeys(each.dataset for result in results for each in result.others))
    on_mnist = "MNIST errors" if others else "test errors"
    head = ("recipe", "CV errors", on_mnist, *(f"{name} errors" for name in others))
    rows = [(*head, "training", "model", "speed")]
    for recipe in recipes:
        forms = {recipe.name: recipe} | ({"  everyday": recipe.everyday} if recipe.everyday else {})
        for name, form in forms.items():
            validation = form.cross_validation
            start = (name, f"{validation.errors / validation.n:.2%}" if validation else "")
            rows.append((*start, *_cells(form.test_result, others)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *padded]).rstrip())
    lines.append("")
    for recipe in recipes:
        lines.append(f"{recipe.name:<{widths[0]}}  {recipe.summary}")
        if recipe.everyday:
            lines.append(f"{'  everyday':<{widths[0]}}  {everyday_command(recipe)}")
    return "\n".join(lines)


def everyday_command(recipe: Recipe) -> str:
    """Return the command that trains a recipe in its everyday form."""
    command = ["mnist-svm", "train", "--recipe", recipe.name]
    for source in recipe.everyday.data if recipe.everyday else ():
        command += ["--data", source]
    return shlex.join(command)


def _results(recipe: Recipe) -> Iterator[TestResult]:
    if recipe.test_result:
        yield recipe.test_result
    if recipe.everyday:
        yield recipe.everyday.test_result


def _cells(result: TestResult | None, others: Sequence[str]) -> tuple[str, ...]:
    if result is None:
        return ("",) * (4 + len(others))
    errors = {each.dataset: f"{each.errors / each.n:.2%} ({each.errors})" for each in result.others}
    return (
        f"{result.errors / result.n:.2%} ({result.errors})",
        *(errors.get(name, "") for name in others),
        f"{result.seconds:.0f} s",
        f"{result.megabytes:.1f} MB",
        f"{result.images_per_second:,} images/s",
    )
