"""The documentation site, built as it is published."""

from __future__ import annotations

import html
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mnist_svm
from mnist_svm.cli import cli
from tests.support.browser import Page, browsing
from tests.support.paths import ROOT
from tests.support.serving import eventually
from tools.docs_links import find_faults, parse
from tools.docs_reference import GENERATED

DOCS = ROOT / "docs"

# A host that the theme would ask for stars.
REPOSITORY = "https://github.com/example/mnist-svm"

# A narrow phone, in CSS pixels.
PHONE = 360


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site. Without MkDocs the test is skipped, or in CI fails."""
    if importlib.util.find_spec("mkdocs") is None:
        reason = "no MkDocs: needs the dependency group docs"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("site")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "REPOSITORY_URL": REPOSITORY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "WARNING" not in result.stderr, result.stderr
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browsing() as page:
        yield page


# --- completeness -----------------------------------------------------------------------


def test_every_page_is_in_the_navigation(site: Path) -> None:
    navigation = {
        (page.parent / link).resolve()
        for page in [site / "index.html"]
        for link in re.findall(
            r'<a href="([^"#]+)" class="md-nav__link', page.read_text(encoding="utf-8")
        )
    }
    pages = {path.resolve() for path in site.rglob("*.html") if path.name != "404.html"}

    assert pages - navigation - {(site / "index.html").resolve()} == set()


def test_the_repository_is_linked_and_not_asked(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")

    assert f'<a href="{REPOSITORY}" title="Go to repository" class="md-source">' in text


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    anchors = _anchors(site / "reference" / "python")
    members = {
        f"mnist_svm.{name}.{member}"
        for name in mnist_svm.__all__
        if inspect.isclass(cls := getattr(mnist_svm, name))
        for member, value in vars(cls).items()
        if not member.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, classmethod | property))
        and inspect.getdoc(value)
    }

    assert {f"mnist_svm.{name}" for name in mnist_svm.__all__} - anchors == set()
    assert members - anchors == set()


def test_every_command_and_option_is_in_the_reference(site: Path) -> None:
    path = site / "reference" / "cli.html"
    text = path.read_text(encoding="utf-8")
    sections = re.split(r'<h2 id="mnist-svm-(\w+)">', text)[1:]
    found = dict(zip(sections[::2], sections[1::2], strict=True))

    for name, command in cli.commands.items():
        for parameter in command.params:
            option = parameter.opts[-1]
            assert option[:1] != "-" or option in found[name], f"{name} {option}"


def test_types_are_those_of_the_code_and_of_the_docstrings(site: Path) -> None:
    results, estimators = (
        " ".join(re.sub("<.*?>", " ", html.unescape(path.read_text(encoding="utf-8"))).split())
        for path in (site / "reference" / "python" / name for name in ("reading.html", "svm.html"))
    )

    assert "confidence ( float ) \N{EN DASH} Probability that all of them are right" in results
    assert 'gamma ( {"scale", "auto"} or float , default: "scale" )' in estimators


def test_every_generated_part_is_on_a_page() -> None:
    texts = [path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")]
    found = [name for text in texts for name in re.findall("<!-- generated: (.*) -->", text)]

    assert sorted(found) == sorted(GENERATED)


def test_no_marker_is_left_in_a_page(site: Path) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}

    for marker in ("generated:", "invisible-code-block", 'class="arithmatex"', "--8<--"):
        assert [path.name for path, text in texts.items() if marker in text] == [], marker


def test_pages_have_titles_and_descriptions_of_their_own(site: Path) -> None:
    texts = [path.read_text(encoding="utf-8") for path in site.rglob("*.html")]
    titles = [re.search("<title>(.*?)</title>", text)[1] for text in texts]
    descriptions = [re.search('name="description" content="(.*?)"', text)[1] for text in texts]

    assert all(titles)
    assert all(descriptions)
    # That of the site stands for the page of errors alone.
    assert len(set(titles)) >= len(texts) - 1
    assert len(set(descriptions)) == len(texts)
    assert [len(re.findall("<h1", text)) for text in texts] == [1] * len(texts)


# --- links ------------------------------------------------------------------------------


def test_no_link_is_dead_and_nothing_comes_from_other_servers(site: Path) -> None:
    assert list(find_faults(site)) == []


def test_dead_links_and_what_other_servers_would_send_are_found(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text('<h2 id="here"></h2>')
    (tmp_path / "index.html").write_text(
        '<a href="folder/#here"></a><a href="folder/index.html#gone"></a><a href="gone.html"></a>'
        '<a href="https://example.org"></a><img src="https://example.org/x.png">'
        '<script src="//example.org/x.js"></script><img src="gone.png"><img src="data:image/png,">'
    )

    assert list(find_faults(tmp_path)) == [
        "index.html links to folder/index.html#gone, where this anchor does not exist",
        "index.html links to gone.html, which does not exist",
        "index.html loads https://example.org/x.png",
        "index.html loads //example.org/x.js",
        "index.html links to gone.png, which does not exist",
    ]


def test_the_page_of_errors_has_links_from_the_path_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    (tmp_path / "404.html").write_text('<a href="/docs/index.html"></a>')

    assert list(find_faults(tmp_path, "/docs/")) == []
    assert len(list(find_faults(tmp_path))) == 1


# --- in a browser -----------------------------------------------------------------------


@pytest.mark.browser
def test_no_page_is_wider_than_a_phone(site: Path, page: Page) -> None:
    wide = {}
    # The page of errors has addresses from the root of a server.
    for path in sorted(set(site.rglob("*.html")) - {site / "404.html"}):
        page.open(path.as_uri(), width=PHONE, height=640)
        width = page.run("return document.documentElement.scrollWidth")
        if width > PHONE:
            wide[path.relative_to(site).as_posix()] = width

    assert wide == {}


@pytest.mark.browser
def test_search_works_without_a_server(site: Path, page: Page) -> None:
    page.open((site / "index.html").as_uri())
    page.click("input.md-search__input")
    page.find("input.md-search__input").send_keys("KernelSVC")

    found = eventually(lambda: page.find_all("a.md-search-result__link"))
    addresses = [link.get_attribute("href") for link in found]
    assert any("reference/python/svm.html" in address for address in addresses)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["index.html", "reference/python/svm.html"])
def test_pages_report_nothing_in_the_console(name: str, site: Path, page: Page) -> None:
    page.open((site / name).as_uri())

    assert [entry["message"] for entry in page.console_messages()] == []


def _anchors(folder: Path) -> set[str]:
    return {anchor for path in folder.glob("*.html") for anchor in parse(path).anchors}
