"""The report of an evaluation, in a real browser, against the evaluation itself."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from mnist_svm import RECIPES, Dataset, Model, Recognizer, evaluate, save_model, train_model
from mnist_svm.datasets.formats.idx import write_idx
from mnist_svm.evaluation.html import MOST_MISREAD, Measurement, report_page
from mnist_svm.evaluation.learning_curve import TrainingConfig, LearningPoint, learning_curve
from mnist_svm.evaluation.measures import REJECTED
from mnist_svm.exceptions import FormatError, MissingExtraError
from tests.support.browser import Page, browsing

HOSTILE = '</style><script>document.title = "broken"</script>"><img src=x onerror=alert(1)>&amp;'

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def part(dataset: Dataset, n: int) -> Dataset:
    return replace(dataset, images=dataset.images[:n], labels=dataset.labels[:n])


@pytest.fixture(scope="module")
def tiny_model(train_set: Dataset) -> Model:
    return train_model(RECIPES["poly4"], train_set, limit=300)


@pytest.fixture(scope="module")
def measured(tiny_model: Model, test_set: Dataset) -> Measurement:
    """With errors of many kinds."""
    dataset = part(test_set, 2000)
    readings = Recognizer(tiny_model).classify(dataset.images)
    lessons = (LearningPoint(500, 2000, 160), LearningPoint(1000, 2000, 90), LearningPoint(2000, 2000, 0))
    return Measurement("tiny.joblib", tiny_model.metadata, dataset, readings, 0.5, lessons, WHEN)


@pytest.fixture(scope="module")
def evaluation(measured: Measurement):
    readings = measured.readings
    return evaluate(measured.dataset.labels, readings.labels, readings.confidence)


@pytest.fixture(scope="module")
def html(measured: Measurement) -> str:
    return report_page(measured)


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture(scope="module")
def show(browser: Page, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Page]:
    """Open a page from a file, as a person does who was sent it."""
    path = tmp_path_factory.mktemp("report") / "report.html"

    def opened(html: str, **screen: object) -> Page:
        path.write_text(html)
        browser.open(path.as_uri(), **screen)
        return browser

    return opened


def with_labels(measured: Measurement, labels: np.ndarray) -> Measurement:
    """The same readings of images that have other labels."""
    return replace(measured, dataset=replace(measured.dataset, labels=labels))


class Addresses(HTMLParser):
    """All that a page points at, and all its ids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found, self.ids, self.tags = [], [], Counter()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        for name, value in attrs:
            if name.split(":")[-1] in ("href", "src", "srcset", "action", "data", "poster"):
                self.found.append(value)
            if name == "id":
                self.ids.append(value)


# --- what it says ------------------------------------------------------------------------


def test_the_headline_figures_are_those_of_the_evaluation(show, html, measured, evaluation):
    page = show(html)
    names, figures = page.texts(".figures dt"), page.texts(".figures strong")
    low, high = evaluation.error_interval
    assert dict(zip(names, figures, strict=True)) == {
        "Accuracy": f"{1 - evaluation.errors / 2000:.2%}",
        "Error rate": f"{evaluation.errors / 2000:.2%}",
        "Test images": "2,000",
        "Speed": "4,000/s",
        "Calibration error": f"{evaluation.confidence_report.calibration_error:.2%}",
    }
    assert f"95% interval {low:.2%} to {high:.2%}" in page.text(".figures")
    assert page.text("h1") == "poly4 on mnist"


def test_the_confusion_matrix_is_that_of_the_evaluation(show, html, evaluation):
    page = show(html)
    rows = page.run(
        "return [...document.querySelectorAll('.matrix tbody tr')].map(row =>"
        " [...row.querySelectorAll('td')].map(cell => cell.textContent.trim()))"
    )
    assert [[int(text) for text in row] for row in rows] == evaluation.matrix.tolist()


def test_the_measures_of_each_label_are_those_of_the_evaluation(show, html, evaluation):
    page = show(html)
    rows = [row.split() for row in page.texts("#labels tbody tr")]
    assert [int(row[0]) for row in rows] == evaluation.classes.tolist()
    assert [int(row[1].replace(",", "")) for row in rows] == evaluation.matrix.sum(axis=1).tolist()
    assert sum(int(row[2]) for row in rows) == evaluation.errors
    for column, measure in ((3, "precision"), (4, "recall"), (5, "f1")):
        assert [row[column] for row in rows] == [f"{x:.2%}" for x in getattr(evaluation, measure)]


def test_every_misread_image_is_shown_with_its_guesses(html, measured, evaluation, show):
    page = show(html)
    cards = page.run(
        "return [...document.querySelectorAll('.misread > li')].map(card => ({"
        " index: +card.querySelector(':scope > small').textContent,"
        " text: card.querySelector('p').textContent.trim(),"
        " alt: card.querySelector('img').alt, src: card.querySelector('img').src,"
        " guesses: [...card.querySelectorAll('ol li')].map(li => li.innerText.split(/\\s+/))}))"
    )
    true, readings = measured.dataset.labels, measured.readings
    assert len(cards) == evaluation.errors
    assert {card["index"] for card in cards} == set(np.flatnonzero(true != readings.labels))
    for card in cards:
        index, (read, confidence) = card["index"], readings.top(card["index"])[0]
        assert card["text"] == f"{true[index]} read as {read}"
        assert card["alt"] == f"Test image {index}: {true[index]}, read as {read}"
        assert card["guesses"][0] == [str(read), f"{confidence:.3f}"]
        told = {guess[0]: guess[-1] for guess in card["guesses"]}
        assert told[str(true[index])] == f"{readings.confidences[index, true[index]]:.3f}"
        png = base64.b64decode(card["src"].removeprefix("data:image/png;base64,"))
        pixels = np.asarray(Image.open(io.BytesIO(png)))
        np.testing.assert_array_equal(pixels, 255 - measured.dataset.images[index])


def test_an_error_in_the_matrix_leads_to_its_images(show, html, evaluation):
    page = show(html)
    true, read, n = evaluation.confusions()[0]
    row, column = (list(evaluation.classes).index(label) for label in (true, read))
    cell = page.find(f".matrix tbody tr:nth-child({row + 1}) td:nth-of-type({column + 1}) a")
    assert cell.text == str(n)
    cell.click()
    assert page.text(":target p") == f"{true} read as {read}"


def test_of_very_many_errors_the_surest_are_shown(measured):
    wrong = with_labels(measured, (measured.readings.labels + 1) % 10)
    html = report_page(wrong)
    assert f"The {MOST_MISREAD} of the 2,000 misread images that the model was surest of" in html
    assert Addresses(html).tags["img"] == MOST_MISREAD
    shown = [int(index) for index in re.findall(r"Test image (\d+):", html)]
    left = np.delete(measured.readings.confidence, shown)
    assert measured.readings.confidence[shown].min() >= left.max()


def test_a_model_without_errors_has_a_report_too(measured, show):
    right = with_labels(measured, measured.readings.labels)
    page = show(report_page(replace(right, lessons=())))
    assert page.texts(".figures strong")[:2] == ["100.00%", "0.00%"]
    assert page.text("#misread p") == "None: each of the 2,000 test images was read right."
    assert not page.find_all("#learning")
    assert page.complaints() == []


def test_the_names_of_classes_stand_beside_labels(measured, show):
    names = {0: "T-shirt/top", 9: "Ankle boot"}
    page = show(
        report_page(replace(measured, dataset=replace(measured.dataset, class_names=names)))
    )
    heads = page.texts("#labels tbody th")
    assert (heads[0], heads[1], heads[9]) == ("0 T-shirt/top", "1", "9 Ankle boot")
    assert any("Ankle boot" in text for text in page.texts(".misread p"))


def test_the_tables_of_confidence_are_those_of_the_evaluation(show, html, evaluation):
    page = show(html)
    page.run("document.querySelectorAll('details').forEach(details => { details.open = true })")
    bins, coverage = page.find_all("#confidence table")
    rows = [row.split() for row in bins.text.splitlines()[-len(evaluation.confidence_report.bins) :]]
    # Such as: 93.3% to 100.0%, images, mean confidence, read right.
    assert [(row[3], *row[4:]) for row in rows] == [
        (f"{part.n:,}", f"{part.confidence:.2%}", f"{part.accuracy:.2%}")
        for part in evaluation.confidence_report.bins
    ]
    rows = [row.split() for row in coverage.text.splitlines()[-len(REJECTED) :]]
    assert [int(row[1].replace(",", "")) for row in rows] == [
        point.n for point in evaluation.confidence_report.coverage
    ]
    assert [row[3] for row in rows] == [
        f"{point.accuracy:.2%}" for point in evaluation.confidence_report.coverage
    ]


def test_the_learning_curve_has_its_table(show, html):
    page = show(html)
    rows = [row.split()[:3] for row in page.texts("#learning tbody tr")]
    assert rows == [["500", "160", "8.00%"], ["1,000", "90", "4.50%"], ["2,000", "0", "0.00%"]]


def test_all_that_the_model_says_of_itself_is_told(show, html, tiny_model):
    page = show(html)
    text = page.text("#model")
    assert f"support vectors\n{tiny_model.metadata['support_vectors']}\n" in text
    assert f"date\n{tiny_model.metadata['date']}\n" in text
    assert f"scikit-learn\n{tiny_model.metadata['versions']['scikit-learn']}\n" in text
    assert tiny_model.metadata["training"]["sha256"]["train-images-idx3-ubyte"] in text
    assert "on 2026-03-04, 05:06 UTC, of tiny.joblib." in page.text("footer")


# --- how it is made ----------------------------------------------------------------------


def test_the_page_loads_nothing_and_the_browser_has_no_complaint(show, html):
    page = show(html)
    assert (
        page.run("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    )
    assert page.complaints() == []
    addresses = Addresses(html)
    assert all(address.startswith(("data:", "#")) for address in addresses.found)
    assert not {"script", "iframe", "object", "embed"} & set(addresses.tags)
    assert not re.search(r"@import|url\((?!#)", html)
    assert re.search(
        r"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'", html
    )


def test_ids_are_unique_and_links_within_the_page_lead_somewhere(html):
    addresses = Addresses(html)
    assert len(addresses.ids) == len(set(addresses.ids))
    targets = {address[1:] for address in addresses.found if address.startswith("#")}
    assert targets <= set(addresses.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(addresses.ids)


def test_the_same_measurement_gives_the_same_page(html, measured):
    assert report_page(measured) == html


def test_hostile_names_are_text(measured, tiny_model, show):
    dataset = replace(measured.dataset, name=HOSTILE, class_names={0: HOSTILE})
    metadata = {
        **tiny_model.metadata,
        "recipe": HOSTILE,
        "summary": HOSTILE,
        HOSTILE: {"a": HOSTILE},
    }
    hostile = replace(measured, model=HOSTILE, dataset=dataset, metadata=metadata)
    html = report_page(hostile)
    page = show(html)
    assert page.text("h1") == f"{HOSTILE} on {HOSTILE}"
    assert page.text("footer").endswith(f"of {HOSTILE}.")
    assert page.driver.title.startswith(HOSTILE)
    assert Addresses(html).tags["script"] == 0
    assert page.run("return document.querySelectorAll('[onerror]').length") == 0
    assert page.complaints() == []


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("light", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(show, html, width, light):
    page = show(html, width=width, prefers_color_scheme=light)
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_a_long_name_is_broken_on_a_small_screen(show, measured):
    dataset = replace(measured.dataset, name="/a-folder" * 30)
    page = show(report_page(replace(measured, dataset=dataset)), width=360)
    assert page.run("return document.documentElement.scrollWidth") <= 360


# Of each element with text of its own, the contrast of that with what is painted behind it.
CONTRASTS = """
const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
canvas.canvas.width = canvas.canvas.height = 1;
const paint = (...colours) => {
  canvas.clearRect(0, 0, 1, 1);
  for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
};
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((x) => x / 255).map(
    (x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = [];
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || element.closest('.unseen') || !element.checkVisibility()) continue;
  const behind = [];
  for (let each = element; each; each = each.parentElement) {
    const style = getComputedStyle(each);
    const bar = style.backgroundImage.match(/rgba?\\([^)]*\\)/);
    if (bar) behind.unshift(bar[0]);
    behind.unshift(style.backgroundColor);
  }
  const style = getComputedStyle(element);
  const text = element.closest('svg') ? style.fill : style.color;
  const [a, b] = [luminance(paint(...behind, text)), luminance(paint(...behind))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  found.push([ratio, element.className + ': ' + element.textContent.trim().slice(0, 40)]);
}
return found;
"""


@pytest.mark.parametrize("light", ["light", "dark"])
def test_all_text_has_contrast(show, html, light):
    page = show(html, prefers_color_scheme=light)
    contrasts = page.run(CONTRASTS)
    assert len(contrasts) > 500
    assert min(contrasts)[0] >= 4.5, min(contrasts)


def test_tables_images_and_charts_can_be_listened_to(show, html):
    page = show(html)
    assert page.run("return [...document.images].every(image => image.alt.length > 10)")
    assert page.run(
        "return [...document.querySelectorAll('table')].every(table => table.caption"
        " && table.querySelector('th[scope=col]') && table.querySelector('th[scope=row]'))"
    )
    assert page.run(
        "return [...document.querySelectorAll('svg')].every(svg =>"
        " svg.parentElement.getAttribute('role') === 'img' && svg.parentElement.ariaLabel)"
    )
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.find("html").get_attribute("lang") == "en"


def test_charts_take_the_colours_of_the_page(show, html):
    colours = []
    for light in ("light", "dark"):
        page = show(html, prefers_color_scheme=light)
        colours.append(page.run("return getComputedStyle(document.querySelector('svg text')).fill"))
        assert len(page.find_all("svg")) == 3
    assert colours[0] != colours[1]


def test_paper_is_white_in_the_dark_too(show, html):
    page = show(html, prefers_color_scheme="dark")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    media = {"media": "print", "features": dark}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert ground == "rgb(255, 255, 255)"


# --- the learning curve ------------------------------------------------------------------


def test_the_learning_curve_is_what_training_anew_gives(tiny_model, train_set, test_set):
    train, test = part(train_set, 1200), part(test_set, 1000)
    lessons = learning_curve(TrainingConfig.of(tiny_model.metadata), train, test)
    assert [(lesson.images, lesson.n) for lesson in lessons] == [
        (500, 1000),
        (1000, 1000),
        (1200, 1000),
    ]
    model = train_model(RECIPES["poly4"], train, limit=500)
    assert lessons[0].errors == np.count_nonzero(model.pipeline.predict(test.X) != test.labels)
    assert lessons[-1].errors < lessons[0].errors


def test_a_course_is_that_of_the_model(train_set):
    recipe = RECIPES["gradient"]
    parameters = recipe.defaults.changed(C=0.5)
    changes = {"gradients__directions": 12}
    model = train_model(
        recipe, train_set, parameters=parameters, changes=changes, limit=100, random_state=3
    )
    assert TrainingConfig.of(model.metadata) == TrainingConfig(recipe, parameters, changes, 3)


@pytest.mark.parametrize(
    "damage",
    [
        {"recipe": "nonesuch"},
        {"recipe": ["poly4"]},
        {"parameters": {"kernel": "poly"}},
        {"parameters": None},
        {"training": {}},
        {"training": {"random_state": 0, "virtual_copies": 3}},
    ],
    ids=str,
)
def test_a_model_that_does_not_tell_its_course_is_refused(tiny_model, damage):
    with pytest.raises(FormatError, match="cannot be trained again for a learning curve"):
        TrainingConfig.of({**tiny_model.metadata, **damage})


def test_images_cannot_be_both_learned_and_asked(tiny_model, test_set):
    with pytest.raises(FormatError, match="training images beside the test images"):
        learning_curve(TrainingConfig.of(tiny_model.metadata), test_set, test_set)


def test_one_class_is_nothing_to_learn(tiny_model, train_set, test_set):
    ones = replace(part(train_set, 50), labels=np.ones(50, dtype=np.int64))
    with pytest.raises(FormatError, match="50 training images are all of one class"):
        learning_curve(TrainingConfig.of(tiny_model.metadata), ones, test_set)


# --- the command -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arguments(tiny_model, train_set, test_set, tmp_path_factory) -> list[object]:
    """Of `eval`, for a quick evaluation."""
    folder = tmp_path_factory.mktemp("few")
    for name, dataset in (("train", part(train_set, 600)), ("t10k", part(test_set, 400))):
        write_idx(folder / f"{name}-images-idx3-ubyte", dataset.images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", dataset.labels.astype("u1"))
    save_model(folder / "tiny.joblib", tiny_model)
    return ["eval", "-m", folder / "tiny.joblib", "--data", folder]


def test_eval_writes_the_report_beside_the_usual_text(
    run: Callable[..., Result], arguments, tmp_path
):
    page = tmp_path / "report.html"
    result = run(*arguments, "--report", page)
    assert result.exit_code == 0
    assert result.stdout.startswith("Accuracy")
    assert result.stderr.splitlines()[-1] == f"Report written to {page}"
    assert "learning" not in Addresses(page.read_text()).ids
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    accuracy = re.match(r"Accuracy +(\S+)", result.stdout)[1]
    assert f"<strong>{accuracy}</strong>" in page.read_text()


def test_eval_draws_the_learning_curve(run, arguments, tmp_path):
    page = tmp_path / "report.html"
    result = run(*arguments, "--report", page, "--learning-curve", "--json")
    assert result.exit_code == 0
    assert result.stdout.startswith("{")
    sizes = re.findall(r'<th scope="row">([\d,]+)</th>', page.read_text().split('id="learning"')[1])
    assert sizes == ["500", "600"]


def test_a_learning_curve_without_a_report_is_wrong_usage(run, arguments):
    result = run(*arguments, "--learning-curve")
    assert result.exit_code == 2
    assert "--report" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("module", ["matplotlib.figure", "jinja2"])
def test_a_report_without_its_extra_is_refused_before_the_work(
    run, arguments, tmp_path, monkeypatch, module
):
    monkeypatch.setitem(sys.modules, module, None)
    result = run(*arguments, "--report", tmp_path / "report.html")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "pip install 'mnist-svm[plot]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_page_without_its_extra_is_an_error(measured, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match="Jinja"):
        report_page(measured)


def test_a_report_into_a_missing_folder_is_refused_before_the_work(run, arguments, tmp_path):
    page = tmp_path / "none" / "report.html"
    result = run(*arguments, "--report", page)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"mnist-svm: error: {page}: No such file or directory\n"


def test_a_learning_curve_of_an_unknown_recipe_is_refused_before_the_work(
    run, arguments, tiny_model, tmp_path
):
    strange = tmp_path / "strange.joblib"
    save_model(strange, replace(tiny_model, metadata={**tiny_model.metadata, "recipe": "secret"}))
    page = tmp_path / "report.html"
    result = run(*arguments, "-m", strange, "--report", page, "--learning-curve")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "its recipe is 'secret', known are poly4" in result.stderr
    assert not page.exists()


def test_a_model_that_tells_nothing_has_a_report(measured, show):
    page = show(report_page(replace(measured, metadata={})))
    assert page.text("h1") == "a model on mnist"
    assert page.complaints() == []


def test_a_data_set_in_a_folder_with_a_strange_name_is_reported(run, arguments, tmp_path):
    odd = Path(tmp_path / "<b>\udcff")
    odd.symlink_to(arguments[-1])
    page = tmp_path / "report.html"
    result = run(*arguments[:-1], odd, "--report", page)
    assert result.exit_code == 0
    assert "&lt;b&gt;?" in page.read_text()
