"""What the README shows is what the benchmarks measured, and its links lead somewhere."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def tables(markdown: str) -> list[list[list[str]]]:
    """The tables of a text, each a list of rows of cells; the first row has the headings."""
    blocks = re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE)
    rows = [
        [
            [cell.strip() for cell in line.strip().strip("|").split("|")]
            for line in block.splitlines()
        ]
        for block in blocks
    ]
    return [[table[0], *table[2:]] for table in rows]


@pytest.mark.parametrize(("index", "name"), [(0, "networks"), (1, "kernel_svc")])
def test_the_figures_shown_are_those_of_the_benchmark(index, name):
    headings, *shown = tables(README)[index]
    measured_headings, *measured = tables((ROOT / "benchmarks" / f"{name}.md").read_text())[0]
    columns = [measured_headings.index(heading) for heading in headings]
    measured_cells = [[row[column] for column in columns] for row in measured if len(row) > 6]
    assert len(shown) >= 3
    for row in shown:
        assert row in measured_cells


def test_the_shipped_model_s_figures_are_those_of_the_benchmark():
    hands = tables((ROOT / "benchmarks" / "hands.md").read_text())[0]
    (right,) = (row[2] for row in hands if row[:2] == ["all pictures", "shipped"])
    assert f"it reads {right.split(' / ')[0]} of the 2,363 right" in README
    recipes = tables((ROOT / "benchmarks" / "recipes.md").read_text())[0]
    (errors,) = (row[1] for row in recipes if row[0] == "`gradient`, everyday")
    assert f"has {errors} errors on MNIST" in README.replace("\n", " ")


def test_the_readme_is_short():
    assert len(README.encode()) <= 9_000


def test_ci_finds_the_command_of_the_tests():
    block = re.search(r"<!-- ci: tests -->\n(?:<!--.*-->\n)*```sh\n(.*?)```", README, re.DOTALL)[1]
    assert block.startswith("python3 -m venv")
    assert "readme tests" in (ROOT / ".ci" / "run").read_text()


def test_the_command_for_the_other_tests_is_that_of_ci():
    (command,) = re.findall(
        r"^\.venv-dev/bin/(python -m pytest .* -m .*)$", CONTRIBUTING, re.MULTILINE
    )
    assert command in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_every_local_link_leads_somewhere(name):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / name).read_text()):
        assert (ROOT / target).exists(), target


def test_every_room_is_on_the_map_for_contributors():
    for path in (ROOT / "mnist_svm").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"  {path.name}/" in CONTRIBUTING, path


@pytest.fixture(scope="module")
def hatch_build():
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_release_s_readme_has_absolute_links(hatch_build):
    text = hatch_build.with_absolute_links(README, "https://example.com/us/mnist-svm", "v1.2.3")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert len(targets) > 10
    assert all(target.startswith("https://example.com/us/mnist-svm/") for target in targets)
    assert "(https://example.com/us/mnist-svm/raw/v1.2.3/docs/images/read.png)" in text


def test_a_readme_without_a_home_has_neither_links_nor_pictures(hatch_build):
    text = hatch_build.with_absolute_links(README, None, "v1.2.3")
    assert not re.search(r"\]\((?!https?:)", text)
    assert "Teach it a way of writing" in text
