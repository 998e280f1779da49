"""The API and its pages, asked as any program asks them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image

from mnist_svm import Recognizer
from mnist_svm.recognition.results import row_text
from tests.support.paths import DIGITS, ROOT
from tests.support.serving import Served, form, serving

COUNT = 40


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def readings(test_set):
    """What the library reads in the first test digits."""
    return Recognizer.load().classify(test_set.images[:COUNT])


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def arrays(served: Served, data: object, **more: object) -> list[dict]:
    answer = served.ask(
        "POST",
        "/predict",
        json.dumps({"data": data, **more}),
        {"Content-Type": "application/json"},
    )
    assert answer.status == 200, answer.body
    return answer.json["predictions"]


def raw(served: Served, content: bytes, path: str = "/predict", kind: str = "image/png") -> dict:
    answer = served.ask("POST", path, content, {"Content-Type": kind})
    assert answer.status == 200, answer.body
    return answer.json


# Every form of a body that one image can have.
FORMS = {
    "a file": lambda image: form(("digit.png", png(image))),
    "bytes": lambda image: ("image/png", png(image)),
    "28 x 28": lambda image: array(image.tolist()),
    "28 x 28 x 1": lambda image: array(image[:, :, None].tolist()),
    "784": lambda image: array(image.ravel().tolist()),
    "0 to 1": lambda image: array((image / 255).tolist()),
    "0 to 1, said": lambda image: array((image / 255).tolist(), range="0-1"),
    "0 to 255 in floating point": lambda image: array(image.astype(float).tolist()),
    "0 to 255, said": lambda image: array(image.tolist(), range="0-255"),
    "a list of one": lambda image: array([image.tolist()]),
    "a list of one, flat": lambda image: array([image.ravel().tolist()]),
    "a list of one, deep": lambda image: array([image[:, :, None].tolist()]),
}


def array(data: object, **more: object) -> tuple[str, str]:
    return "application/json", json.dumps({"data": data, **more})


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_body_gives_what_the_library_reads(served, test_set, readings, name):
    for index in range(COUNT):
        kind, body = FORMS[name](test_set.images[index])
        answer = served.ask("POST", "/predict", body, {"Content-Type": kind})
        assert answer.status == 200, answer.body
        (found,) = answer.json["predictions"]
        assert found["digit"] == readings.labels[index]
        assert found["confidence"] == pytest.approx(readings.confidence[index], rel=1e-9)
        np.testing.assert_allclose(found["probabilities"], readings.confidences[index], rtol=1e-9)
        assert sum(found["probabilities"]) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(-1, 28, 28), (-1, 28, 28, 1), (-1, 784)])
def test_a_list_of_arrays_is_answered_in_order(served, test_set, shape):
    images = test_set.images[:200]
    found = arrays(served, images.reshape(shape).tolist())
    expected = Recognizer.load().classify(images).labels
    assert [one["digit"] for one in found] == expected.tolist()


@pytest.mark.parametrize("n", [28, 784])
def test_as_many_images_as_an_image_has_rows_or_pixels_are_a_list(served, test_set, n):
    expected = Recognizer.load().classify(test_set.images[:n]).labels.tolist()
    for shape in [(-1, 28, 28), (-1, 784)]:
        found = arrays(served, test_set.images[:n].reshape(shape).tolist())
        assert [one["digit"] for one in found] == expected


def test_dark_ink_on_light_arrays_is_read_as_well(served, test_set):
    images = test_set.images[:COUNT]
    found = [one["digit"] for one in arrays(served, (255 - images).tolist())]
    assert np.mean(found == test_set.labels[:COUNT]) >= 0.95


def test_black_and_white_arrays_are_taken_for_0_to_1(served, test_set):
    images = (test_set.images[:COUNT] > 127).astype(int)
    found = [one["digit"] for one in arrays(served, images.tolist())]
    assert np.mean(found == test_set.labels[:COUNT]) >= 0.95


def test_an_array_that_could_be_of_either_range_is_refused_until_it_is_said(served, test_set):
    data = (test_set.images[0] / 255 * 1.5).tolist()
    kind, body = array(data)
    answer = served.ask("POST", "/predict", body, {"Content-Type": kind})
    assert answer.status == 422
    assert '"range"' in answer.json["detail"]


@pytest.mark.parametrize(
    "data", [[[0] * 28] * 27, [0] * 783, [], 7, None, [[[0] * 28] * 28] * 1001]
)
def test_an_array_of_another_shape_is_refused_on_one_line(served, data):
    kind, body = array(data)
    answer = served.ask("POST", "/predict", body, {"Content-Type": kind})
    assert answer.status == 422
    assert answer.json["detail"].startswith("data: ")
    assert "\n" not in answer.json["detail"]


def test_files_are_answered_in_order_with_their_names(served):
    answer = served.send("/predict", *((path.name, path.read_bytes()) for path in DIGITS))
    found = [(one["file"], one["digit"]) for one in answer.json["predictions"]]
    assert found == [(f"{digit}.png", digit) for digit in range(10)]


def test_a_file_that_is_no_picture_does_not_keep_the_others_from_being_read(served):
    answer = served.send(
        "/predict", ("7.png", DIGITS[7].read_bytes()), ("notes.txt", b"seven"), ("empty.png", b"")
    )
    assert answer.status == 200
    right, text, empty = answer.json["predictions"]
    assert right["digit"] == 7
    assert "error" not in right
    for one in (text, empty):
        assert one["digit"] is one["confidence"] is one["probabilities"] is None
    assert "not a picture" in text["error"]


def test_a_request_of_which_nothing_can_be_read_is_refused_by_name(served):
    answer = served.send("/predict", ("notes.txt", b"seven"))
    assert answer.status == 422
    assert answer.json["detail"].startswith("notes.txt: not a picture")


def test_what_the_classifier_saw_is_told_if_asked_for(served, test_set):
    kind, body = array(test_set.images[0].tolist())
    answer = served.ask("POST", "/predict?image=true", body, {"Content-Type": kind})
    assert answer.json["predictions"][0]["image"] == test_set.images[0].tolist()
    plain = served.ask("POST", "/predict", body, {"Content-Type": kind})
    assert "image" not in plain.json["predictions"][0]


def test_a_page_is_read_as_the_library_reads_it(served):
    content = (ROOT / "docs" / "page.jpg").read_bytes()
    (page,) = raw(served, content, "/read", "image/jpeg")["pictures"]
    (reading,) = Recognizer.load().read_pages([ROOT / "docs" / "page.jpg"])
    assert [row["number"] for row in page["rows"]] == [row_text(row) for row in reading.rows]
    assert (page["height"], page["width"]) == reading.size
    for row, expected in zip(page["rows"], reading.rows, strict=True):
        for digit, read in zip(row["digits"], expected, strict=True):
            box = digit["box"]
            assert digit["digit"] == read.label
            assert digit["confidence"] == pytest.approx(read.confidence)
            assert (box["top"], box["left"]) == (read.box.top, read.box.left)
            assert (box["height"], box["width"]) == (read.box.height, read.box.width)
            assert digit["probabilities"][digit["digit"]] == digit["confidence"]


def test_pages_are_answered_in_order_with_what_cannot_be_read(served):
    page = (ROOT / "docs" / "page.jpg").read_bytes()
    blank = png(np.full((60, 60), 255, np.uint8))
    answer = served.send("/read", ("blank.png", blank), ("page.jpg", page))
    first, second = answer.json["pictures"]
    assert (first["file"], first["rows"], first["width"]) == ("blank.png", [], 60)
    assert "blank" in first["error"]
    assert second["rows"][0]["number"] == "72104 1495"


def test_pages_cannot_be_sent_as_arrays(served):
    kind, body = array([[0] * 28] * 28)
    answer = served.ask("POST", "/read", body, {"Content-Type": kind})
    assert answer.status == 415
    assert "/predict" in answer.json["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_another_content_type_is_refused_with_those_that_are_taken(served, kind):
    answer = served.ask("POST", "/predict", b"7", {"Content-Type": kind})
    assert answer.status == 415
    assert "multipart/form-data" in answer.json["detail"]


def test_of_several_frames_the_first_is_read_and_said(served):
    first, *others = (Image.open(path) for path in DIGITS)
    file = io.BytesIO()
    first.save(file, format="TIFF", save_all=True, append_images=others)
    (found,) = raw(served, file.getvalue(), kind="image/tiff")["predictions"]
    assert (found["digit"], found["note"]) == (0, "the first of 10 pages")


def test_the_model_is_told_without_the_server_s_paths(served):
    info = served.ask("GET", "/info").json
    assert info["model"] == {"name": "gradient", "version": "0.1.0", "classes": list(range(10))}
    assert info["metadata"]["training"]["images"] == 60_000
    assert info["limits"]["files"] == 64
    assert str(ROOT) not in json.dumps(info)


def test_the_server_lives_and_is_ready(served):
    assert served.ask("GET", "/health").json == {"status": "ok"}
    assert served.ask("GET", "/ready").json == {"status": "ready"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_and_all_that_it_loads_come_from_here(served, path):
    page = served.ask("GET", path)
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = page.body.decode()
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', text)
    assert len(loaded) >= 3
    for target in loaded:
        assert not re.match("[a-z]+:|//", target), target
        assert served.ask("GET", urljoin(path, target)).status == 200, target


def test_a_browser_s_copy_of_a_file_is_asked_about_and_kept(served):
    first = served.ask("GET", "/static/style.css")
    assert first.headers["cache-control"] == "no-cache"
    again = served.ask("GET", "/static/style.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_every_answer_has_an_id_and_cannot_be_taken_for_something_else(served):
    for path in ("/", "/health", "/nothing", "/static/style.css", "/openapi.json"):
        headers = served.ask("GET", path).headers
        assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_the_document_tells_all_forms_of_body(served):
    paths = served.ask("GET", "/openapi.json").json["paths"]
    taken = set(paths["/predict"]["post"]["requestBody"]["content"])
    assert {"multipart/form-data", "application/json", "image/png", "image/jpeg"} <= taken
    assert "application/json" not in paths["/read"]["post"]["requestBody"]["content"]


def test_the_example_of_the_document_is_a_one(served):
    content = served.ask("GET", "/openapi.json").json["paths"]["/predict"]["post"]["requestBody"]
    example = content["content"]["application/json"]["example"]
    assert arrays(served, **example)[0]["digit"] == 1
