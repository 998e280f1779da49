"""Tests of the API by HTTP requests."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import numpy as np
import pytest
from PIL import Image

from mnist_svm import Recognizer, __version__
from tests.support.drawing import compose_ink, in_a_row, on_paper
from tests.support.paths import DIGITS, ROOT
from tests.support.serving import Server, multipart_form, serving

COUNT = 40

BLANK = "blank picture: no digit stands out from the background"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def readings(test_set):
    """Predictions of the library for the first test images."""
    return Recognizer.load().classify(test_set.images[:COUNT])


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def arrays(server: Server, data: object, **more: object) -> list[dict]:
    response = server.request(
        "POST",
        "/predict",
        json.dumps({"data": data, **more}),
        {"Content-Type": "application/json"},
    )
    assert response.status == 200, response.body
    return response.json["predictions"]


def raw(server: Server, content: bytes, path: str = "/predict", kind: str = "image/png") -> dict:
    response = server.request("POST", path, content, {"Content-Type": kind})
    assert response.status == 200, response.body
    return response.json


# All forms of a body with one image.
FORMS = {
    "a file": lambda image: multipart_form(("digit.png", png(image))),
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
    "1 x 28 x 28": lambda image: array(image[None].tolist()),
    "n x 1 x 28 x 28": lambda image: array(image[None, None].tolist()),
    "0 to 65535, said": lambda image: array((257 * image.astype(int)).tolist(), range="0-65535"),
}


def array(data: object, **more: object) -> tuple[str, str]:
    return "application/json", json.dumps({"data": data, **more})


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_body_is_read_as_by_the_library(server, test_set, readings, name):
    for index in range(COUNT):
        kind, body = FORMS[name](test_set.images[index])
        response = server.request("POST", "/predict", body, {"Content-Type": kind})
        assert response.status == 200, response.body
        (prediction,) = response.json["predictions"]
        assert prediction["label"] == readings.labels[index]
        assert prediction["confidence"] == pytest.approx(readings.confidence[index], rel=1e-9)
        np.testing.assert_allclose(
            prediction["probabilities"], readings.probabilities[index], rtol=1e-9
        )
        assert sum(prediction["probabilities"]) == pytest.approx(1)


@pytest.mark.parametrize("shape", [(-1, 28, 28), (-1, 28, 28, 1), (-1, 1, 28, 28), (-1, 784)])
def test_predictions_have_the_order_of_the_arrays(server, test_set, shape):
    images = test_set.images[:200]
    predictions = arrays(server, images.reshape(shape).tolist())
    expected = Recognizer.load().classify(images).labels
    assert [prediction["label"] for prediction in predictions] == expected.tolist()


@pytest.mark.parametrize("n", [28, 784])
def test_lists_of_28_or_784_images_are_not_mistaken_for_one_image(server, test_set, n):
    expected = Recognizer.load().classify(test_set.images[:n]).labels.tolist()
    for shape in [(-1, 28, 28), (-1, 784)]:
        predictions = arrays(server, test_set.images[:n].reshape(shape).tolist())
        assert [prediction["label"] for prediction in predictions] == expected


def test_dark_ink_on_a_light_background_is_read(server, test_set):
    images = test_set.images[:COUNT]
    digits = [prediction["label"] for prediction in arrays(server, (255 - images).tolist())]
    assert np.mean(digits == test_set.labels[:COUNT]) >= 0.95


def test_black_and_white_arrays_have_the_range_0_to_1(server, test_set):
    images = (test_set.images[:COUNT] > 127).astype(int)
    digits = [prediction["label"] for prediction in arrays(server, images.tolist())]
    assert np.mean(digits == test_set.labels[:COUNT]) >= 0.95


def test_an_array_of_ambiguous_range_is_rejected(server, test_set):
    data = (test_set.images[0] / 255 * 1.5).tolist()
    kind, body = array(data)
    response = server.request("POST", "/predict", body, {"Content-Type": kind})
    assert response.status == 422
    assert 'state the range, "0-1" or "0-255"' in response.json["detail"]


@pytest.mark.parametrize(
    "data", [[[0] * 28] * 27, [0] * 783, [], 7, None, [[[0] * 28] * 28] * 1001]
)
def test_an_array_of_another_shape_is_rejected_on_one_line(server, data):
    kind, body = array(data)
    response = server.request("POST", "/predict", body, {"Content-Type": kind})
    assert response.status == 422
    assert response.json["detail"].startswith("data: ")
    assert "\n" not in response.json["detail"]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((28, 28, 3), "found (28, 28, 3); convert colours to grey"),
        ((2, 28, 28, 3), "found (2, 28, 28, 3); convert colours to grey"),
        ((280, 280), "found (280, 280); resize to 28 x 28"),
        ((1, 1, 1, 28, 28), "found (1, 1, 1, 28, 28)"),
    ],
)
def test_an_array_of_another_shape_is_rejected_in_words(server, shape, message):
    kind, body = array(np.zeros(shape, int).tolist())
    response = server.request("POST", "/predict", body, {"Content-Type": kind})
    assert response.status == 422
    assert response.json["detail"].startswith("data: expected images of shape (n, 28, 28)")
    assert message in response.json["detail"]


@pytest.mark.parametrize("text", ["x", "7" * 1_000_000])
@pytest.mark.parametrize("more", [{}, {"range": None}, {"range": "0-1"}])
def test_text_among_the_numbers_is_rejected_before_numpy_converts_them(server, text, more):
    kind, body = array([text, *[0] * 783], **more)
    response = server.request("POST", "/predict", body, {"Content-Type": kind})
    assert response.status == 422
    assert response.json["detail"].startswith("data: expected numbers, found text")


def test_predictions_have_the_order_and_names_of_the_files(server):
    response = server.post_files("/predict", *((path.name, path.read_bytes()) for path in DIGITS))
    results = [(item["file"], item["label"]) for item in response.json["predictions"]]
    assert results == [(f"{digit}.png", digit) for digit in range(10)]


def test_a_file_that_is_not_a_picture_does_not_affect_the_others(server):
    response = server.post_files(
        "/predict", ("7.png", DIGITS[7].read_bytes()), ("notes.txt", b"seven"), ("empty.png", b"")
    )
    assert response.status == 200
    right, text, empty = response.json["predictions"]
    assert right["label"] == 7
    assert "error" not in right
    for failed in (text, empty):
        assert failed.keys() == {"file", "error"}
    assert "not a picture" in text["error"]


def test_a_request_without_a_readable_picture_is_rejected_with_file_names(server):
    response = server.post_files("/predict", ("notes.txt", b"seven"))
    assert response.status == 422
    assert response.json["detail"].startswith("notes.txt: not a picture")


def test_a_picture_of_several_candidates_is_read_as_by_the_library(server, test_set):
    five = test_set.images[np.flatnonzero(test_set.labels == 5)[0]]
    rows, columns = (np.flatnonzero((five > 100).any(axis=axis)) for axis in (1, 0))
    tight = five[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pictures = [255 * (tight > 60).astype(np.uint8), five, 255 * (tight < 60).astype(np.uint8)]
    expected = list(Recognizer.load().read(pictures))
    assert [len(reading.images) for reading in expected] == [3, 1, 3]
    files = [(f"{k}.png", png(picture)) for k, picture in enumerate(pictures)]
    answer = server.post_files("/predict?image=true", *files).json
    for prediction, reading in zip(answer["predictions"], expected, strict=True):
        assert prediction["label"] == reading.label
        assert prediction["confidence"] == pytest.approx(reading.confidence)
        assert prediction["image"] == reading.image.tolist()


def test_the_classified_image_is_returned_on_request(server, test_set):
    kind, body = array(test_set.images[0].tolist())
    response = server.request("POST", "/predict?image=true", body, {"Content-Type": kind})
    assert response.json["predictions"][0]["image"] == test_set.images[0].tolist()
    plain = server.request("POST", "/predict", body, {"Content-Type": kind})
    assert "image" not in plain.json["predictions"][0]


def test_a_page_is_read_as_by_the_library(server):
    content = (ROOT / "docs" / "images" / "page.jpg").read_bytes()
    (page,) = raw(server, content, "/read", "image/jpeg")["pictures"]
    reading = Recognizer.load().read_page(ROOT / "docs" / "images" / "page.jpg")
    assert [row["text"] for row in page["rows"]] == [row.text for row in reading.rows]
    assert (page["height"], page["width"]) == reading.size
    for row, expected in zip(page["rows"], reading.rows, strict=True):
        assert [number["text"] for number in row["numbers"]] == row["text"].split()
        for digit, read in zip(row["digits"], expected.digits, strict=True):
            box = digit["box"]
            assert digit["label"] == read.label
            assert digit["confidence"] == pytest.approx(read.confidence)
            assert (box["top"], box["left"]) == (read.box.top, read.box.left)
            assert (box["height"], box["width"]) == (read.box.height, read.box.width)
            assert digit["probabilities"][digit["label"]] == digit["confidence"]


def test_pages_are_returned_in_order_with_their_errors(server):
    page = (ROOT / "docs" / "images" / "page.jpg").read_bytes()
    blank = png(np.full((60, 60), 255, np.uint8))
    response = server.post_files("/read", ("blank.png", blank), ("page.jpg", page))
    first, second = response.json["pictures"]
    assert first.keys() == {"file", "error"}
    assert (first["file"], first["error"]) == ("blank.png", BLANK)
    assert second["rows"][0]["text"].startswith("72104 ")


@pytest.mark.parametrize(
    "query",
    ["digits=5", "digits=4-6", "pattern=dd.ddd%2C-", "line=true", "number=true&digits=5"],
)
def test_what_is_known_of_the_numbers_is_as_for_the_library(server, query, test_set):
    number = in_a_row(test_set.images[:5], 60, top=40, left=40, gap=20)
    content = png(on_paper(compose_ink((140, 460), number)))
    (page,) = raw(server, content, f"/read?{query}")["pictures"]
    (row,) = page["rows"]
    assert [each["text"] for each in row["numbers"]] == ["72104"]
    assert len(row["digits"]) == 5


def test_a_picture_without_the_number_expected_is_422(server, test_set):
    number = in_a_row(test_set.images[:5], 60, top=40, left=40, gap=20)
    content = png(on_paper(compose_ink((140, 460), number)))
    response = server.post_files("/read?digits=30", ("page.png", content))
    assert response.status == 422
    wanted = "page.png: no number of 30 digits found on this picture"
    assert response.json["detail"] == wanted


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("digits=x", "query.digits: "),
        ("digits=0", "query.digits: "),
        ("digits=8-4", "digits: expected 1 or more"),
        ("pattern=abc", "query.pattern: "),
        (f"pattern={'d' * 101}", "query.pattern: "),
        ("digits=3&pattern=dd", "pattern: 'dd' has 2 digits, but 3 are asked for"),
        ("line=perhaps", "query.line: "),
        ("number=7", "query.number: "),
    ],
)
def test_nonsense_about_the_numbers_is_422(server, query, message):
    response = server.post_files(f"/read?{query}", ("page.png", png(np.zeros((60, 60), np.uint8))))
    assert response.status == 422
    assert response.json["detail"].startswith(message)
    assert "\n" not in response.json["detail"]


def test_pages_cannot_be_sent_as_arrays(server):
    kind, body = array([[0] * 28] * 28)
    response = server.request("POST", "/read", body, {"Content-Type": kind})
    assert response.status == 415
    assert "/predict" in response.json["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
def test_another_content_type_is_rejected_with_the_supported_ones(server, kind):
    response = server.request("POST", "/predict", b"7", {"Content-Type": kind})
    assert response.status == 415
    assert "multipart/form-data" in response.json["detail"]


def test_the_first_of_several_frames_is_read_with_a_note(server):
    first, *others = (Image.open(path) for path in DIGITS)
    file = io.BytesIO()
    first.save(file, format="TIFF", save_all=True, append_images=others)
    (prediction,) = raw(server, file.getvalue(), kind="image/tiff")["predictions"]
    assert (prediction["label"], prediction["note"]) == (0, "the first of 10 pages")


def test_info_has_the_model_but_no_paths_of_the_server(server):
    info = server.request("GET", "/info").json
    assert info["model"] == {"name": "gradient", "version": __version__, "classes": list(range(10))}
    assert info["metadata"]["training"]["n_images"] == 98_948
    assert info["limits"]["files"] == 64
    assert str(ROOT) not in json.dumps(info)


def test_probes_succeed(server):
    assert server.request("GET", "/health").json == {"status": "ok"}
    assert server.request("GET", "/ready").json == {"status": "ready"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_only_files_of_this_server(server, path):
    page = server.request("GET", path)
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = page.body.decode()
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', text)
    assert len(loaded) >= 3
    for target in loaded:
        assert not re.match("[a-z]+:|//", target), target
        assert server.request("GET", urljoin(path, target)).status == 200, target


def test_a_cached_file_is_revalidated(server):
    first = server.request("GET", "/static/style.css")
    assert first.headers["cache-control"] == "no-cache"
    again = server.request(
        "GET", "/static/style.css", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status, again.body) == (304, b"")


def test_every_response_has_a_request_id_and_security_headers(server):
    for path in ("/", "/health", "/nothing", "/static/style.css", "/openapi.json"):
        headers = server.request("GET", path).headers
        assert re.fullmatch("[0-9a-f]{32}", headers["x-request-id"])
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_openapi_documents_all_forms_of_body(server):
    paths = server.request("GET", "/openapi.json").json["paths"]
    taken = set(paths["/predict"]["post"]["requestBody"]["content"])
    assert {"multipart/form-data", "application/json", "image/png", "image/jpeg"} <= taken
    assert "application/json" not in paths["/read"]["post"]["requestBody"]["content"]


def test_the_example_in_openapi_is_a_one(server):
    content = server.request("GET", "/openapi.json").json["paths"]["/predict"]["post"][
        "requestBody"
    ]
    example = content["content"]["application/json"]["example"]
    assert arrays(server, **example)[0]["label"] == 1
