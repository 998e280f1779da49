"""Tests of corrections: what is kept, who may, and how the server takes over a taught model."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_svm import load_dataset, load_model, save_model, train_model
from mnist_svm.models.locate import SHIPPED
from mnist_svm.serve.settings import MAX_CORRECTIONS
from tests.support.paths import DIGITS
from tests.support.processes import needs_posix
from tests.support.serving import Response, Server, eventually, serving

PNG = {"Content-Type": "image/png"}
SEVEN = DIGITS[7].read_bytes()


def as_png(grey: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "corrections"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving("--corrections", str(folder), "--max-pixels", "8") as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(folder: Path) -> None:
    for path in folder.glob("[0-9]"):
        shutil.rmtree(path)


def correct(server: Server, label: object, content: bytes = SEVEN, **headers: str) -> Response:
    return server.request("POST", f"/corrections?label={label}", content, {**PNG, **headers})


def on_paper(digit: np.ndarray, scale: int, side: int) -> np.ndarray:
    """Dark ink on a white page of a side, in pixels."""
    page = np.full((side, side), 255, np.uint8)
    ink = 255 - np.kron(digit, np.ones((scale, scale), np.uint8))
    page[10 : 10 + len(ink), 20 : 20 + len(ink)] = ink
    return page


@pytest.mark.parametrize(
    "kind",
    ["in MNIST form", "28 x 28 but dark on white", "a small picture", "a noisy one", "a large one"],
)
def test_a_kept_picture_brings_the_image_that_was_classified(server, folder, test_set, kind):
    digit = test_set.images[0]
    noise = np.random.default_rng(0).integers(0, 60, (1200, 1200))
    picture = {
        "in MNIST form": digit,
        "28 x 28 but dark on white": 255 - np.roll(digit, 2, axis=1),
        "a small picture": on_paper(digit, 4, 200),
        "a noisy one": np.clip(on_paper(digit, 20, 1200) - noise, 0, 255).astype(np.uint8),
        "a large one": on_paper(digit, 60, 2200),
    }[kind]
    content = as_png(picture)
    shown = server.request("POST", "/predict?image=true", content, PNG).json["predictions"][0]
    assert correct(server, 3, content).status == 201
    kept = load_dataset(folder)
    assert kept.labels.tolist() == [3]
    assert np.array_equal(kept.images[0], shown["image"])
    (path,) = folder.glob("3/*.png")
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{16}\.png", path.name)
    assert path.stat().st_size <= 128 << 10
    with Image.open(path) as stored:
        assert stored.size == (200, 200) if kind == "a small picture" else stored.size


def test_another_label_moves_a_picture(server, folder):
    assert correct(server, 3).json["n_corrections"] == 1
    assert correct(server, 1).json["n_corrections"] == 1
    assert [path.parent.name for path in folder.glob("*/*.png")] == ["1"]


@pytest.mark.parametrize(
    ("label", "content", "headers", "status", "detail"),
    [
        ("12", SEVEN, {}, 422, "label: expected one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ("x", SEVEN, {}, 422, "query.label: Input should be a valid integer"),
        ("../3", SEVEN, {}, 422, "query.label: Input should be a valid integer"),
        ("3", b"no picture", {}, 422, "not a picture"),
        ("3", b"", {}, 422, "the body is empty"),
        ("3", b"{}", {"Content-Type": "application/json"}, 415, "takes a picture"),
        ("3", SEVEN, {"Sec-Fetch-Site": "cross-site"}, 403, "pages of other sites"),
    ],
)
def test_nothing_is_kept_of_a_wrong_request(
    server, folder, label, content, headers, status, detail
):
    response = correct(server, label, content, **headers)
    assert response.status == status
    assert detail in response.json["detail"]
    assert list(folder.glob("*/*.png")) == []


def test_a_full_folder_keeps_no_more(server, folder):
    (folder / "0").mkdir()
    for i in range(MAX_CORRECTIONS):
        (folder / "0" / f"{i}.png").touch()
    response = correct(server, 3)
    assert response.status == 507
    assert "2,000 corrections, which is the limit" in response.json["detail"]


def test_there_is_nothing_to_learn_from_at_first(server):
    response = server.request("POST", "/teach")
    assert response.status == 409
    assert response.json["detail"] == "there are no corrections yet"


def test_the_page_offers_corrections(server):
    page = server.request("GET", "/")
    assert b"<body data-corrections>" in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_without_the_option_there_are_no_corrections():
    with serving() as server:
        assert correct(server, 3).status == 404
        assert server.request("GET", "/corrections").status == 404
        assert server.request("POST", "/teach").status == 404
        assert b"data-corrections" not in server.request("GET", "/").body


def test_corrections_need_the_api_key(tmp_path):
    key = {"X-API-Key": "sesame"}
    env = {"MNIST_SVM_API_KEY": "sesame", "MNIST_SVM_CORRECTIONS": str(tmp_path / "kept")}
    with serving(env=env) as server:
        assert correct(server, 3).status == 401
        assert server.request("POST", "/teach").status == 401
        assert server.request("GET", "/corrections").status == 401
        assert correct(server, 3, **key).status == 201


def test_a_folder_that_cannot_be_made_is_one_line(run, tmp_path):
    result = run("serve", "--port", "0", "--corrections", tmp_path / "no" / "folder")
    assert result.exit_code == 1
    assert re.fullmatch(
        r"mnist-svm: error: .+no/folder: No such file or directory\n", result.stderr
    )


# --- taking over a model -------------------------------------------------------------------


def labels_of(server: Server, images: np.ndarray) -> list[int]:
    body = json.dumps({"data": images.tolist()})
    response = server.request("POST", "/predict", body, {"Content-Type": "application/json"})
    return [prediction["label"] for prediction in response.json["predictions"]]


def messages(server: Server, text: str) -> list[str]:
    """The messages in the log that have a text."""
    return [entry["message"] for entry in server.log() if text in entry["message"]]


@pytest.fixture(scope="module")
def mistaught(train_set):
    """A model that takes ones for sevens and sevens for ones."""
    labels = train_set.labels.copy()
    labels[train_set.labels == 1], labels[train_set.labels == 7] = 7, 1
    return train_model("poly4", replace(train_set, labels=labels), limit=1000)


@needs_posix
@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_sighup_takes_over_the_model_file(tmp_path, test_set, mistaught, workers):
    path = tmp_path / "model.joblib"
    shutil.copy(SHIPPED, path)
    ones = test_set.images[test_set.labels == 1][:8]
    with serving("--model", str(path), "--workers", workers) as server:
        assert labels_of(server, ones) == [1] * 8
        save_model(path, mistaught)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: messages(server, "took over the model"))
        # A worker that was still starting is started again.
        n = 1 if workers == "1" else 12
        eventually(lambda: [labels_of(server, ones) for _ in range(n)] == [[7] * 8] * n)


@needs_posix
def test_a_damaged_or_different_model_is_not_taken_over(tmp_path, test_set, train_set):
    path = tmp_path / "model.joblib"
    shutil.copy(SHIPPED, path)
    few = train_set.labels < 5
    other = train_model(
        "poly4",
        replace(train_set, images=train_set.images[few], labels=train_set.labels[few]),
        limit=500,
    )
    with serving("--model", str(path)) as server:
        path.write_bytes(SHIPPED.read_bytes()[:5000])
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(messages(server, "the model is kept")) == 1)
        save_model(path, other)
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(messages(server, "the model is kept")) == 2)
        assert labels_of(server, test_set.images[:3]) == [7, 2, 1]
    damaged, different = messages(server, "the model is kept")
    assert "model.joblib: damaged" in damaged
    assert "has other classes" in different


@pytest.mark.slow
def test_the_server_learns_while_it_answers(tmp_path, small_model_file, test_set):
    path, folder = tmp_path / "mine.joblib", tmp_path / "kept"
    shutil.copy(small_model_file, path)
    with serving("--model", str(path), "--corrections", str(folder), "--workers", "2") as server:
        # Sevens that are to be read as ones: only a taught model does.
        sevens = test_set.images[test_set.labels == 7][:5]
        for image in sevens:
            assert correct(server, 1, as_png(image)).status == 201
        started = server.request("POST", "/teach")
        assert (started.status, started.json["learning"]) == (202, True)
        assert server.request("POST", "/teach").status == 409
        assert labels_of(server, sevens) == [7] * 5
        eventually(lambda: not server.request("GET", "/corrections").json["learning"])
        outcome = server.request("GET", "/corrections").json["outcome"]
        assert (outcome["n_corrections"], outcome["error"]) == (5, "")
        assert outcome["corrections"]["before"] == 5
        assert outcome["test"]["n"] == 10_000
        # Both workers have it.
        eventually(lambda: [labels_of(server, sevens) for _ in range(6)] == [[1] * 5] * 6)
    assert str(folder) in [each.name for each in load_model(path).info.training.sets]


@needs_posix
def test_shutdown_ends_learning(tmp_path):
    folder = tmp_path / "kept"
    with serving("--corrections", str(folder)) as server:
        assert correct(server, 1).status == 201
        assert server.request("POST", "/teach").status == 202
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        (child,) = eventually(lambda: children.read_text().split())
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert not Path(f"/proc/{child}").exists()
    assert not (tmp_path / "mnist-svm.joblib").exists()
