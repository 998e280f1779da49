"""The table of recipes, with and without everyday forms."""

from __future__ import annotations

from dataclasses import replace

from mnist_svm import RECIPES
from mnist_svm.cli.recipes import format_recipes
from mnist_svm.models.recipes import DatasetErrors, EverydayForm

POLY4, GRADIENT = RECIPES["poly4"], RECIPES["gradient"]


def alone(recipe):
    """The recipe, tested on MNIST only."""
    return replace(recipe, test_result=replace(recipe.test_result, others=()), everyday=None)


def test_without_everyday_forms_there_is_a_row_for_each_recipe():
    head, *rows = format_recipes([alone(POLY4), alone(GRADIENT)]).splitlines()
    assert head.split()[:5] == ["recipe", "CV", "errors", "test", "errors"]
    assert [row.split()[0] for row in rows if row] == ["poly4", "gradient"] * 2


def test_an_everyday_form_has_its_results_and_its_command():
    styles = DatasetErrors("styles", 2000, 150)
    result = replace(GRADIENT.test_result, others=(styles,), seconds=10)
    everyday = EverydayForm(
        ("mnist", "styles:0.5"),
        replace(GRADIENT.cross_validation, errors=300),
        replace(result, errors=44, others=(replace(styles, errors=20),), seconds=17),
    )
    gradient = replace(GRADIENT, test_result=result, everyday=everyday)
    head, poly4, classic, mixed, _, *summaries = format_recipes([alone(POLY4), gradient]).split(
        "\n"
    )
    assert "MNIST errors  styles errors" in head
    assert "(95)" in poly4
    assert "%" in poly4
    assert poly4.index("(95)") < head.index("styles")
    assert poly4[head.index("styles errors") : head.index("training") - 1].strip() == ""
    assert classic.startswith("gradient")
    assert "7.50% (150)" in classic
    assert mixed.startswith("  everyday      0.50%")
    assert "0.44% (44)" in mixed
    assert "1.00% (20)" in mixed
    assert " 17 s" in mixed
    assert summaries[1:] == [
        f"{'gradient':<10}  {GRADIENT.summary}",
        "  everyday  mnist-svm train --recipe gradient --data mnist --data styles:0.5",
    ]
