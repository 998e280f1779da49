"""The HTML report in a browser, compared with the evaluation; learning curves."""

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
from mnist_svm.evaluation.html import MAX_MISREAD, EvaluationRun, render_report
from mnist_svm.evaluation.learning_curve import LearningPoint, learning_curve
from mnist_svm.evaluation.measures import REJECTION_RATES
from mnist_svm.exceptions import FormatError, MissingExtraError
from mnist_svm.models.info import AugmentationRecord
from mnist_svm.training.train import TrainingConfig
from tests.support.browser import Page, browsing

HOSTILE = '</style><script>document.title = "broken"</script>"><img src=x onerror=alert(1)>&amp;'

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def part(dataset: Dataset, n: int) -> Dataset:
    return replace(dataset, images=dataset.images[:n], labels=dataset.labels[:n])


@pytest.fixture(scope="module")
def tiny_model(train_set: Dataset) -> Model:
    return train_model(RECIPES["poly4"], train_set, limit=300)


@pytest.fixture(scope="module")
def evaluation_run(tiny_model: Model, test_set: Dataset) -> EvaluationRun:
    """A run of a weak model, with many errors."""
    dataset = part(test_set, 2000)
    readings = Recognizer(tiny_model).classify(dataset.images)
    points = (
        LearningPoint(500, 2000, 160),
        LearningPoint(1000, 2000, 90),
        LearningPoint(2000, 2000, 0),
    )
    return EvaluationRun("tiny.joblib", tiny_model.info, dataset, readings, 0.5, points, WHEN)


@pytest.fixture(scope="module")
def evaluation(evaluation_run: EvaluationRun):
    readings = evaluation_run.readings
    return evaluate(evaluation_run.dataset.labels, readings.labels, readings.confidence)


@pytest.fixture(scope="module")
def html(evaluation_run: EvaluationRun) -> str:
    return render_report(evaluation_run)


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture(scope="module")
def show(browser: Page, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Page]:
    """Return a function that opens HTML from a file in the browser."""
    path = tmp_path_factory.mktemp("report") / "report.html"

    def opened(html: str, **screen: object) -> Page:
        path.write_text(html)
        browser.open(path.as_uri(), **screen)
        return browser

    return opened


def with_labels(evaluation_run: EvaluationRun, labels: np.ndarray) -> EvaluationRun:
    """Return the run with other true labels and the same predictions."""
    return replace(evaluation_run, dataset=replace(evaluation_run.dataset, labels=labels))


class Addresses(HTMLParser):
    """URLs, ids and tag counts of a page."""

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


# --- content ------------------------------------------------------------------------


@pytest.mark.browser
def test_faults_of_the_test_set_are_told(evaluation_run: EvaluationRun, html: str):
    assert "No faults found in the test images" in html
    dataset = evaluation_run.dataset
    images = dataset.images.copy()
    images[dataset.labels == 3] = 0
    blank = replace(evaluation_run, dataset=replace(dataset, images=images))
    count = np.count_nonzero(dataset.labels == 3)
    assert f"<b>fault</b> the {count} images of class 3 are blank" in render_report(blank)


def test_summary_matches_evaluation(show, html, evaluation_run, evaluation):
    page = show(html)
    names, figures = page.texts(".summary dt"), page.texts(".summary strong")
    low, high = evaluation.error_interval
    assert dict(zip(names, figures, strict=True)) == {
        "Accuracy": f"{1 - evaluation.errors / 2000:.2%}",
        "Error rate": f"{evaluation.errors / 2000:.2%}",
        "Test images": "2,000",
        "Speed": "4,000/s",
        "Calibration error": f"{evaluation.confidence_report.calibration_error:.2%}",
    }
    assert f"95% interval {low:.2%} to {high:.2%}" in page.text(".summary")
    assert page.text("h1") == "poly4 on mnist"


@pytest.mark.browser
def test_confusion_matrix_matches_evaluation(show, html, evaluation):
    page = show(html)
    rows = page.run(
        "return [...document.querySelectorAll('.matrix tbody tr')].map(row =>"
        " [...row.querySelectorAll('td')].map(cell => cell.textContent.trim()))"
    )
    assert [[int(text) for text in row] for row in rows] == evaluation.matrix.tolist()


@pytest.mark.browser
def test_measures_per_label_match_evaluation(show, html, evaluation):
    page = show(html)
    rows = [row.split() for row in page.texts("#labels tbody tr")]
    assert [int(row[0]) for row in rows] == evaluation.classes.tolist()
    assert [int(row[1].replace(",", "")) for row in rows] == evaluation.matrix.sum(axis=1).tolist()
    assert sum(int(row[2]) for row in rows) == evaluation.errors
    for column, measure in ((3, "precision"), (4, "recall"), (5, "f1")):
        assert [row[column] for row in rows] == [f"{x:.2%}" for x in getattr(evaluation, measure)]


@pytest.mark.browser
def test_every_misread_image_is_shown_with_its_probabilities(
    html, evaluation_run, evaluation, show
):
    page = show(html)
    cards = page.run(
        "return [...document.querySelectorAll('.misread > li')].map(card => ({"
        " index: +card.querySelector(':scope > small').textContent,"
        " text: card.querySelector('p').textContent.trim(),"
        " alt: card.querySelector('img').alt, src: card.querySelector('img').src,"
        " guesses: [...card.querySelectorAll('ol li')].map(li => li.innerText.split(/\\s+/))}))"
    )
    true, readings = evaluation_run.dataset.labels, evaluation_run.readings
    assert len(cards) == evaluation.errors
    assert {card["index"] for card in cards} == set(np.flatnonzero(true != readings.labels))
    for card in cards:
        index, (read, confidence) = card["index"], readings.top(card["index"])[0]
        assert card["text"] == f"{true[index]} read as {read}"
        assert card["alt"] == f"Test image {index}: {true[index]}, read as {read}"
        assert card["guesses"][0] == [str(read), f"{confidence:.3f}"]
        listed = {guess[0]: guess[-1] for guess in card["guesses"]}
        assert listed[str(true[index])] == f"{readings.probabilities[index, true[index]]:.3f}"
        png = base64.b64decode(card["src"].removeprefix("data:image/png;base64,"))
        pixels = np.asarray(Image.open(io.BytesIO(png)))
        np.testing.assert_array_equal(pixels, 255 - evaluation_run.dataset.images[index])


@pytest.mark.browser
def test_errors_in_the_matrix_link_to_their_images(show, html, evaluation):
    page = show(html)
    true, read, n = evaluation.confusions()[0]
    row, column = (list(evaluation.classes).index(label) for label in (true, read))
    cell = page.find(f".matrix tbody tr:nth-child({row + 1}) td:nth-of-type({column + 1}) a")
    assert cell.text == str(n)
    cell.click()
    assert page.text(":target p") == f"{true} read as {read}"


def test_only_the_most_confident_of_many_errors_are_shown(evaluation_run):
    wrong = with_labels(evaluation_run, (evaluation_run.readings.labels + 1) % 10)
    html = render_report(wrong)
    assert f"The {MAX_MISREAD} of 2,000 misread images with the highest confidence" in html
    assert Addresses(html).tags["img"] == MAX_MISREAD
    shown = [int(index) for index in re.findall(r"Test image (\d+):", html)]
    left = np.delete(evaluation_run.readings.confidence, shown)
    assert evaluation_run.readings.confidence[shown].min() >= left.max()


@pytest.mark.browser
def test_report_without_errors(evaluation_run, show):
    right = with_labels(evaluation_run, evaluation_run.readings.labels)
    page = show(render_report(replace(right, learning_curve=())))
    assert page.texts(".summary strong")[:2] == ["100.00%", "0.00%"]
    assert page.text("#misread p") == "None: all 2,000 test images were read correctly."
    assert not page.find_all("#learning")
    assert page.console_messages() == []


@pytest.mark.browser
def test_class_names_follow_labels(evaluation_run, show):
    names = {0: "T-shirt/top", 9: "Ankle boot"}
    page = show(
        render_report(
            replace(evaluation_run, dataset=replace(evaluation_run.dataset, class_names=names))
        )
    )
    heads = page.texts("#labels tbody th")
    assert (heads[0], heads[1], heads[9]) == ("0 T-shirt/top", "1", "9 Ankle boot")
    assert any("Ankle boot" in text for text in page.texts(".misread p"))


@pytest.mark.browser
def test_confidence_tables_match_evaluation(show, html, evaluation):
    page = show(html)
    page.run("document.querySelectorAll('details').forEach(details => { details.open = true })")
    bins, coverage = page.find_all("#confidence table")
    rows = [
        row.split() for row in bins.text.splitlines()[-len(evaluation.confidence_report.bins) :]
    ]
    # Such as: 93.3% to 100.0%, images, mean confidence, read right.
    assert [(row[3], *row[4:]) for row in rows] == [
        (f"{part.n:,}", f"{part.confidence:.2%}", f"{part.accuracy:.2%}")
        for part in evaluation.confidence_report.bins
    ]
    rows = [row.split() for row in coverage.text.splitlines()[-len(REJECTION_RATES) :]]
    assert [int(row[1].replace(",", "")) for row in rows] == [
        point.n for point in evaluation.confidence_report.rejection
    ]
    assert [row[3] for row in rows] == [
        f"{point.accuracy:.2%}" for point in evaluation.confidence_report.rejection
    ]


@pytest.mark.browser
def test_learning_curve_table(show, html):
    page = show(html)
    rows = [row.split()[:3] for row in page.texts("#learning tbody tr")]
    assert rows == [["500", "160", "8.00%"], ["1,000", "90", "4.50%"], ["2,000", "0", "0.00%"]]


@pytest.mark.browser
def test_model_info_is_listed(show, html, tiny_model):
    page = show(html)
    text = page.text("#model")
    assert f"support vectors\n{tiny_model.info.n_support_vectors}\n" in text
    assert f"date\n{tiny_model.info.date}\n" in text
    assert f"scikit-learn\n{tiny_model.info.versions['scikit-learn']}\n" in text
    assert tiny_model.info.training.sets[0].sha256["train-images-idx3-ubyte"] in text
    assert "on 2026-03-04, 05:06 UTC. Model: tiny.joblib" in page.text("footer")


# --- page ----------------------------------------------------------------------


@pytest.mark.browser
def test_page_has_no_external_resources_or_console_messages(show, html):
    page = show(html)
    assert (
        page.run("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    )
    assert page.console_messages() == []
    addresses = Addresses(html)
    assert all(address.startswith(("data:", "#")) for address in addresses.found)
    assert not {"script", "iframe", "object", "embed"} & set(addresses.tags)
    assert not re.search(r"@import|url\((?!#)", html)
    assert re.search(
        r"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'", html
    )


def test_ids_are_unique_and_internal_links_resolve(html):
    addresses = Addresses(html)
    assert len(addresses.ids) == len(set(addresses.ids))
    targets = {address[1:] for address in addresses.found if address.startswith("#")}
    assert targets <= set(addresses.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(addresses.ids)


def test_rendering_is_deterministic(html, evaluation_run):
    assert render_report(evaluation_run) == html


@pytest.mark.browser
def test_hostile_names_are_escaped(evaluation_run, tiny_model, show):
    dataset = replace(evaluation_run.dataset, name=HOSTILE, class_names={0: HOSTILE})
    info = replace(tiny_model.info, recipe=HOSTILE, summary=HOSTILE, versions={HOSTILE: HOSTILE})
    hostile = replace(evaluation_run, model=HOSTILE, dataset=dataset, info=info)
    html = render_report(hostile)
    page = show(html)
    assert page.text("h1") == f"{HOSTILE} on {HOSTILE}"
    assert page.text("footer").endswith(f"Model: {HOSTILE}")
    assert page.driver.title.startswith(HOSTILE)
    assert Addresses(html).tags["script"] == 0
    assert page.run("return document.querySelectorAll('[onerror]').length") == 0
    assert page.console_messages() == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_fits_the_screen_width(show, html, width, scheme):
    page = show(html, width=width, prefers_color_scheme=scheme)
    assert page.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_long_names_wrap_on_a_small_screen(show, evaluation_run):
    dataset = replace(evaluation_run.dataset, name="/a-folder" * 30)
    page = show(render_report(replace(evaluation_run, dataset=dataset)), width=360)
    assert page.run("return document.documentElement.scrollWidth") <= 360


# Contrast of the text of each element with the colours painted behind it.
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
  if (!own || element.closest('.visually-hidden') || !element.checkVisibility()) continue;
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


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrast(show, html, scheme):
    page = show(html, prefers_color_scheme=scheme)
    contrasts = page.run(CONTRASTS)
    assert len(contrasts) > 500
    assert min(contrasts)[0] >= 4.5, min(contrasts)


@pytest.mark.browser
def test_tables_images_and_charts_have_text_alternatives(show, html):
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


@pytest.mark.browser
def test_charts_follow_the_colour_scheme(show, html):
    colours = []
    for scheme in ("light", "dark"):
        page = show(html, prefers_color_scheme=scheme)
        colours.append(page.run("return getComputedStyle(document.querySelector('svg text')).fill"))
        assert len(page.find_all("svg")) == 3
    assert colours[0] != colours[1]


@pytest.mark.browser
def test_printed_page_is_white_in_dark_mode(show, html):
    page = show(html, prefers_color_scheme="dark")
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    media = {"media": "print", "features": dark}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    background = page.run("return getComputedStyle(document.body).backgroundColor")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert background == "rgb(255, 255, 255)"


def test_a_report_of_several_data_sets_has_a_result_of_each(tiny_model, test_set):
    test = several(test_set, 200)
    readings = Recognizer(tiny_model).classify(test.images)
    text = render_report(EvaluationRun("m", tiny_model.info, test, readings, 0.5, (), WHEN))
    for name, rows in (("mnist", slice(200)), ("others", slice(200, 400))):
        result = evaluate(test.labels[rows], readings.labels[rows], readings.confidence[rows])
        assert f"<dt>result: {name}</dt><dd>{result.to_line()}</dd>" in text


# --- the learning curve ------------------------------------------------------------------


def test_learning_curve_matches_separate_training(tiny_model, train_set, test_set):
    train, test = part(train_set, 1200), part(test_set, 1000)
    points = learning_curve(TrainingConfig.from_info(tiny_model.info), train, test)
    assert [(point.n_train, point.n_test) for point in points] == [
        (500, 1000),
        (1000, 1000),
        (1200, 1000),
    ]
    model = train_model(RECIPES["poly4"], train, limit=500)
    assert points[0].errors == np.count_nonzero(model.pipeline.predict(test.X) != test.labels)
    assert points[-1].errors < points[0].errors


def several(dataset: Dataset, n: int) -> Dataset:
    """The first n images of a data set, and as many others, as two data sets."""
    others = replace(
        dataset, name="others", images=dataset.images[n : 2 * n], labels=dataset.labels[n : 2 * n]
    )
    return Dataset.concatenate([part(dataset, n), others], [1, 2])


def test_learning_curve_of_several_data_sets_has_their_weights_and_proportions(
    tiny_model, train_set, test_set
):
    train, test = several(train_set, 350), several(test_set, 500)
    points = learning_curve(TrainingConfig.from_info(tiny_model.info), train, test)
    assert [point.n_train for point in points] == [500, 700]
    model = train_model(RECIPES["poly4"], train, limit=500)
    assert [each.weight for each in model.info.training.sets] == [1, 2]
    assert [each.n_images for each in model.info.training.sets] == pytest.approx([250, 250], abs=10)
    assert points[0].errors == np.count_nonzero(model.pipeline.predict(test.X) != test.labels)


def test_a_data_set_without_splits_among_several_has_no_learning_curve(
    tiny_model, train_set, test_set
):
    whole = replace(part(train_set, 50), name="whole")
    train, test = (Dataset.concatenate([part(each, 500), whole]) for each in (train_set, test_set))
    with pytest.raises(FormatError, match="whole: a learning curve needs training images that are"):
        learning_curve(TrainingConfig.from_info(tiny_model.info), train, test)


def test_training_config_from_model_info(train_set):
    recipe = RECIPES["gradient"]
    parameters = recipe.defaults.changed(C=0.5)
    changes = {"gradients__directions": 12}
    model = train_model(
        recipe, train_set, parameters=parameters, changes=changes, limit=100, random_state=3
    )
    assert TrainingConfig.from_info(model.info) == TrainingConfig(recipe, parameters, changes, 3)


@pytest.mark.parametrize(
    "damage",
    [
        {"recipe": "nonesuch"},
        {"changes": {"gradients__grid": 3}},
        {"parameters": RECIPES["poly4"].defaults, "changes": {"copies": 1}},
    ],
    ids=str,
)
def test_a_model_of_an_unknown_recipe_cannot_be_trained_again(tiny_model, damage):
    with pytest.raises(FormatError, match="cannot be trained again"):
        TrainingConfig.from_info(replace(tiny_model.info, **damage))


def test_a_model_of_virtual_copies_cannot_be_trained_again(tiny_model):
    training = replace(tiny_model.info.training, augmentation=AugmentationRecord(3, 2000, False))
    with pytest.raises(FormatError, match="trained on virtual copies of all images"):
        TrainingConfig.from_info(replace(tiny_model.info, training=training))


def test_training_on_test_images_is_rejected(tiny_model, test_set):
    with pytest.raises(FormatError, match="training images that are not the test images"):
        learning_curve(TrainingConfig.from_info(tiny_model.info), test_set, test_set)


def test_single_class_is_rejected(tiny_model, train_set, test_set):
    ones = replace(part(train_set, 50), labels=np.ones(50, dtype=np.int64))
    with pytest.raises(FormatError, match="all 50 training images are of one class"):
        learning_curve(TrainingConfig.from_info(tiny_model.info), ones, test_set)


# --- the command -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def arguments(tiny_model, train_set, test_set, tmp_path_factory) -> list[object]:
    """Arguments of a quick `eval`."""
    folder = tmp_path_factory.mktemp("few")
    for name, dataset in (("train", part(train_set, 600)), ("t10k", part(test_set, 400))):
        write_idx(folder / f"{name}-images-idx3-ubyte", dataset.images)
        write_idx(folder / f"{name}-labels-idx1-ubyte", dataset.labels.astype("u1"))
    save_model(folder / "tiny.joblib", tiny_model)
    return ["eval", "-m", folder / "tiny.joblib", "--data", folder]


def test_eval_writes_report_and_text(run: Callable[..., Result], arguments, tmp_path):
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


def test_learning_curve_without_report_is_a_usage_error(run, arguments):
    result = run(*arguments, "--learning-curve")
    assert result.exit_code == 2
    assert "--report" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("module", ["matplotlib.figure", "jinja2"])
def test_missing_extra_is_reported_before_the_work(run, arguments, tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    result = run(*arguments, "--report", tmp_path / "report.html")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "pip install 'mnist-svm[plot]'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_render_report_without_jinja_raises(evaluation_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match="Jinja"):
        render_report(evaluation_run)


def test_missing_folder_is_reported_before_the_work(run, arguments, tmp_path):
    page = tmp_path / "none" / "report.html"
    result = run(*arguments, "--report", page)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == f"mnist-svm: error: {page}: No such file or directory\n"


def test_unknown_recipe_is_reported_before_the_work(run, arguments, tiny_model, tmp_path):
    unknown = tmp_path / "unknown.joblib"
    save_model(unknown, Model(tiny_model.step, replace(tiny_model.info, recipe="secret")))
    page = tmp_path / "report.html"
    result = run(*arguments, "-m", unknown, "--report", page, "--learning-curve")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "its recipe is 'secret', expected one of poly4" in result.stderr
    assert not page.exists()


def test_data_set_path_with_markup_and_invalid_unicode(run, arguments, tmp_path):
    path = Path(tmp_path / "<b>\udcff")
    path.symlink_to(arguments[-1])
    page = tmp_path / "report.html"
    result = run(*arguments[:-1], path, "--report", page)
    assert result.exit_code == 0
    assert "&lt;b&gt;?" in page.read_text()


# --- the training of a network -----------------------------------------------------------

EPOCHS = [
    {
        "epoch": number,
        "loss": 0.4 / number,
        "temperature": 0.9,
        "held_out_loss": 0.3 / number,
        "held_out_error": 0.05 / number,
        "calibration_error": 0.01,
        "learning_rate": 0.002,
        "seconds": 10.0,
    }
    for number in (1, 2, 3)
]


def test_the_epochs_of_a_network_are_drawn_and_listed(evaluation_run):
    page = render_report(replace(evaluation_run, epochs=[EPOCHS]))
    assert '<section id="training">' in page
    assert "3 epochs in 30 s." in page
    assert "<td>0.1333</td><td>0.1000</td><td>1.67%</td><td>2.0e-03</td>" in page


def test_several_networks_have_a_chart_each(evaluation_run):
    page = render_report(replace(evaluation_run, epochs=[EPOCHS, EPOCHS[:2]]))
    assert page.count("epochs in") == 2
    assert 'id="training1-' in page
    assert 'id="training2-' in page


def test_a_model_without_a_network_has_no_such_section(html):
    assert "Training of the network" not in html
