"""What the README shows is what the tool does."""

from __future__ import annotations

import re
import shlex
import zipfile

import pytest

from mnist_svm import RECIPES
from mnist_svm.cli import cli
from mnist_svm.datasets.formats.csv import write_csv
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()


def block_after(marker: str) -> str:
    """The fenced block that follows a text."""
    rest = README[README.index(marker) :]
    return re.search(r"```\w*\n(.*?)```", rest, re.DOTALL)[1]


def test_the_help_shown_is_the_help(run):
    assert block_after("## Usage") == run("--help").stdout


def test_every_command_is_mentioned():
    for name in cli.commands:
        assert f"mnist-svm {name}" in README


@pytest.mark.slow
def test_the_python_example_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(block_after("## Python"), {})
    out = capsys.readouterr().out
    assert re.search(r"Accuracy    9[78]\.", out)
    assert "images_test/7.png 7 0.9" in out


def test_the_recipes_shown_are_the_recipes(run):
    assert block_after("`mnist-svm train --recipe NAME` trains") == (
        "$ mnist-svm recipes\n" + run("recipes").stdout
    )


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


@pytest.mark.slow
def test_the_kernel_svc_example_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(block_after("## KernelSVC"), {})
    assert capsys.readouterr().out.startswith("0.987")


BENCHMARKS = [
    *["kernel_svc", "growth", "recipes", "recipes_fashion-mnist", "pictures", "serve", "export"],
    *["large", "cluster", "networks"],
]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_tables_of_the_benchmarks_are_shown_as_they_are(name):
    rows = [
        line
        for line in (ROOT / "benchmarks" / f"{name}.md").read_text().splitlines()
        if line.startswith("|")
    ]
    assert len(rows) >= 4
    for row in rows:
        assert row in README


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Everyone's hand", "hands"),
        ("Numbers off real paper", "numbers"),
        ("KernelSVC on other data", "svm_suite"),
    ],
)
def test_the_rows_shown_are_among_those_of_the_benchmark(heading, name):
    table = (ROOT / "benchmarks" / f"{name}.md").read_text()
    block = README.split(f"### {heading}")[1].split("\n#")[0]
    shown = [line for line in block.splitlines() if line.startswith("|")]
    assert len(shown) > 6
    assert set(shown) <= set(table.splitlines())


def test_the_page_shown_is_read_so(run, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    command, *shown = block_after("**Read pages.**").splitlines()
    arguments = shlex.split(command.replace("docs/images/read.png", str(tmp_path / "read.png")))[2:]
    assert run(*arguments).stdout.splitlines() == shown


def test_the_form_shown_is_read_so(run, monkeypatch):
    monkeypatch.chdir(ROOT)
    command, *shown = block_after("**Forms.**").splitlines()
    result = run(*shlex.split(command)[2:])
    assert result.exit_code == 0
    # Name and number; a new model may have other confidences.
    assert [line[:-5] for line in result.stdout.splitlines()] == [line[:-5] for line in shown]


def test_the_template_shown_is_that_of_the_form():
    shown = block_after("`docs/images/form.json` begins like this")
    assert (ROOT / "docs" / "images" / "form.json").read_text().startswith(shown)


def test_the_command_for_forms_runs(run, monkeypatch, tmp_path):
    (tmp_path / "scans").mkdir()
    for source, target in (("form.jpg", "scans/form.jpg"), ("form.json", "form.json")):
        (tmp_path / target).write_bytes((ROOT / "docs" / "images" / source).read_bytes())
    monkeypatch.chdir(tmp_path)
    name, *arguments = shlex.split(block_after("between them; both may be left out."))
    assert name == "mnist-svm"
    assert run(*arguments).exit_code == 0
    assert (tmp_path / "numbers.csv").read_text().count("\n") == 2
    assert (tmp_path / "review.html").read_text().startswith("<!doctype html>")


def test_kaggle_s_archive_becomes_kaggle_s_answers(run, monkeypatch, tmp_path, train_set, test_set):
    write_csv(tmp_path / "train.csv", train_set.images[:1000], train_set.labels[:1000])
    write_csv(tmp_path / "test.csv", test_set.images[:50], None)
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n2,0\n")
    with zipfile.ZipFile(tmp_path / "digit-recognizer.zip", "w") as archive:
        for path in sorted(tmp_path.glob("*.csv")):
            archive.write(path, path.name)
            path.unlink()
    monkeypatch.chdir(tmp_path)
    for command in block_after("From Kaggle's archive").splitlines():
        name, *arguments = shlex.split(command)
        assert name == "mnist-svm"
        assert run(*arguments).exit_code == 0
    assert len((tmp_path / "submission.csv").read_text().splitlines()) == 51


@pytest.mark.parametrize("source", ["images_test", pytest.param("mnist", marks=pytest.mark.slow)])
def test_the_inspection_shown_is_what_is_printed(run, monkeypatch, source):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MNIST_SVM_DATA", "data")
    command = f"$ mnist-svm inspect {source}\n"
    shown = README[README.index(command) + len(command) :].partition("```")[0]
    assert run("inspect", source).stdout == shown


@pytest.mark.parametrize("marker", ["main", "tests", "serve"])
def test_ci_finds_its_commands(marker):
    block = block_after(f"<!-- ci: {marker} -->")
    assert block.startswith("python3 -m venv")
    assert f"readme {marker}" in (ROOT / ".ci" / "run").read_text()


def test_no_placeholder_is_left():
    assert not re.search(r"@[A-Z]+@|[A-Z]+_TABLE", README)


def test_every_local_link_leads_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_every_room_is_on_the_map_for_contributors():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for path in (ROOT / "mnist_svm").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"  {path.name}/" in text, path


def test_the_command_for_the_other_tests_is_that_of_ci():
    command = block_after("`-m` selects these").strip()
    assert command in (ROOT / ".ci" / "run").read_text()
