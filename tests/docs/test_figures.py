"""The figures of the recipes are those that the benchmarks measured."""

from __future__ import annotations

import pytest

from mnist_svm import RECIPES
from tests.support.paths import ROOT


def test_a_recipe_s_figures_are_those_of_the_benchmark():
    table = (ROOT / "benchmarks" / "recipes.md").read_text()
    rows = [line[2:-2].split(" | ") for line in table.splitlines()[2:]]
    for recipe in (recipe for recipe in RECIPES.values() if recipe.defaults and recipe.test_result):
        forms = {f"`{recipe.name}`": recipe}
        if recipe.everyday:
            forms[f"`{recipe.name}`, everyday"] = recipe.everyday
        for name, form in forms.items():
            (cells,) = (cells for first, *cells in rows if first == name)
            measured = form.test_result
            on_styles = "".join(f"{each.errors} of {each.n:,}" for each in measured.others)
            assert cells[0].split(", ")[0] == str(measured.errors)
            assert cells[2:4] == [on_styles, f"{measured.seconds:.0f} s"]
            assert cells[6:] == [f"{measured.megabytes:.1f} MB", f"{measured.images_per_second:,}"]


def test_the_network_s_figures_are_those_of_the_benchmark():
    table = (ROOT / "benchmarks" / "networks.md").read_text()
    system, member = (
        line[2:-2].split(" | ") for line in table.splitlines() if line.startswith("| cnn |")
    )
    recipe = RECIPES["cnn"]
    measured = recipe.test_result
    (on_styles,) = measured.others
    assert system[1:3] == [str(measured.errors), f"{on_styles.errors} of {on_styles.n:,}"]
    assert system[6] == f"{measured.seconds:.0f} s"
    assert system[8:10] == [f"{measured.megabytes:.1f} MB", f"{measured.images_per_second:,}"]
    assert member[1] == str(recipe.cross_validation.errors)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("poly4", "the recipe"),
        ("virtual", "the recipe"),
        ("gradient", "without styles"),
        ("best", "without styles"),
    ],
)
def test_a_recipe_s_cross_validation_is_that_of_the_selection(name, row):
    table = (ROOT / "benchmarks" / f"select_{name}.md").read_text()
    chosen = RECIPES[name].cross_validation
    assert f"\n| {row} | {chosen.errors} of {chosen.n:,} |" in table
    assert chosen.command in table


def test_the_everyday_form_s_cross_validation_is_that_of_the_selection():
    table = (ROOT / "benchmarks" / "select_gradient.md").read_text()
    chosen = RECIPES["gradient"].everyday.cross_validation
    assert f"\n| the recipe | {chosen.errors} of {chosen.n:,} |" in table
    assert chosen.command in table
