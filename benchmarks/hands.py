"""Accuracy and confidence on digits of people from everywhere, beside SVC and a small CNN.

    python -m benchmarks.hands --pictures FOLDER                 the shipped model
    python -m benchmarks.hands --pictures FOLDER --model best=best.joblib    and another

Every sub-folder of FOLDER is a set: pictures of one digit each, whose file names start with the
label. Sub-folders of fewer than 100 pictures are one set, "own". Without ``--pictures``, the
folders are those of the environment variable MNIST_SVM_PICTURES, separated as in PATH. MNIST's test
set is one more set.

All systems get the pictures from our normaliser. The two others are scikit-learn's SVC on pixels,
degree 4, trained on 20,000 images of MNIST and calibrated on three folds of them, because all take
it ten minutes; and two convolutions with pooling and dropout (Keras on JAX), 15 epochs on all of
MNIST. They are kept in ``--cache``, so that a second run is quick. Writes ``benchmarks/hands.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np

from mnist_svm._io import atomic_write
from mnist_svm.constants import IMAGE_SHAPE, N_PIXELS
from mnist_svm.datasets.downloaded import cache_dir
from mnist_svm.datasets.load import load_dataset
from mnist_svm.exceptions import PictureError
from mnist_svm.pictures.files import load_pictures
from mnist_svm.pictures.formats import SUFFIXES
from mnist_svm.pictures.normalize import normalize
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.svm.calibration import calibration_error

VARIABLE = "MNIST_SVM_PICTURES"

# Sub-folders of fewer pictures are too small for a row of their own.
MIN_SET = 100

# A wrong answer with at least this confidence is confidently wrong.
CONFIDENT = 0.9

# Training of the two others.
SVC_IMAGES, EPOCHS = 20_000, 15

HEADER = """\
| set | system | right | share | confidently wrong | calibration error |
|---|---|---|---|---|---|"""

# Function of uint8 images of shape (n, 28, 28) that returns probabilities of shape (n, 10).
Classify = Callable[[np.ndarray], np.ndarray]


class PictureSet(NamedTuple):
    """Pictures of one digit each: a name, the files, and the labels as int64 ndarray."""

    name: str
    files: list[str]
    labels: np.ndarray


class Answers(NamedTuple):
    """Label, -1 if a picture could not be read, and confidence of each picture."""

    labels: np.ndarray
    confidences: np.ndarray


def main() -> None:
    """Measure, print and write the table."""
    arguments = _parse_arguments()
    sets = list(_find_sets(arguments.pictures))
    models = {"shipped": None, **dict(map(_parse_model, arguments.model or ()))}
    ours = {name: Recognizer.load(path) for name, path in models.items()}
    peers = dict(_peers(arguments.cache))
    table = [HEADER]
    print(HEADER)
    for line in _rows(sets, ours, peers):
        print(line, flush=True)
        table.append(line)
    title = "Digits of people from everywhere, read by models that never saw theirs."
    Path(__file__).with_suffix(".md").write_text("\n".join([title, "", *table, ""]))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pictures",
        action="append",
        type=Path,
        metavar="FOLDER",
        help=f"folder of folders of pictures; by default those of ${VARIABLE}",
    )
    parser.add_argument(
        "--model", action="append", metavar="NAME=FILE", help="another model (repeatable)"
    )
    parser.add_argument("--cache", type=Path, default=cache_dir() / "benchmarks")
    arguments = parser.parse_args()
    if not arguments.pictures:
        folders = os.environ.get(VARIABLE, "").split(os.pathsep)
        arguments.pictures = [Path(folder) for folder in folders if folder]
    if not arguments.pictures:
        sys.exit(
            "no pictures: give a folder of folders of pictures, whose file names start with the "
            f"label, by --pictures or in the environment variable {VARIABLE}"
        )
    return arguments


def _parse_model(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    if not (name and path):
        sys.exit(f"--model: expected NAME=FILE, found {text!r}")
    return name, path


# --- sets --------------------------------------------------------------------------------


def _find_sets(folders: Sequence[Path]) -> Iterator[PictureSet]:
    """Yield the sets of all folders by name, and the small ones as one at the end."""
    own: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            sys.exit(f"{folder}: expected a folder of folders of pictures, found no folder")
        found = {path.name: _files(path) for path in sorted(folder.iterdir()) if path.is_dir()}
        if not any(found.values()):
            sys.exit(f"{folder}: expected folders of pictures in this folder, found none")
        for name, files in found.items():
            if len(files) < MIN_SET:
                own += files
            else:
                yield _picture_set(name, files)
    if own:
        yield _picture_set("own", own)


def _files(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]


def _picture_set(name: str, files: list[str]) -> PictureSet:
    labels = [Path(file).name[0] for file in files]
    for file, label in zip(files, labels):
        if label not in "0123456789":
            sys.exit(f"{file}: expected a file name that starts with the label, 0 to 9")
    return PictureSet(name, files, np.array(labels, np.int64))


# --- rows --------------------------------------------------------------------------------


def _rows(
    sets: Sequence[PictureSet], ours: dict[str, Recognizer], peers: dict[str, Classify]
) -> Iterator[str]:
    answers: dict[str, list[Answers]] = {name: [] for name in (*ours, *peers)}
    for pictures in sets:
        for name, result in _read(pictures.files, ours, peers):
            answers[name].append(result)
            yield _row(pictures.name, name, pictures.labels, result)
    labels = np.concatenate([pictures.labels for pictures in sets])
    for name, results in answers.items():
        yield _row("all pictures", name, labels, Answers(*map(np.concatenate, zip(*results))))
    mnist = load_dataset("mnist", split="test")
    classifiers = {
        name: lambda images, model=recognizer.model: model.predict_proba(images.reshape(-1, 784))
        for name, recognizer in ours.items()
    }
    for name, classify in {**classifiers, **peers}.items():
        yield _row("MNIST, test", name, mnist.labels, _answers(classify(mnist.images)))


def _read(
    files: list[str], ours: dict[str, Recognizer], peers: dict[str, Classify]
) -> Iterator[tuple[str, Answers]]:
    """Read pictures with all systems; the peers get the images of our normaliser."""
    for name, recognizer in ours.items():
        readings = list(recognizer.read(files))
        unread = [reading.error is not None for reading in readings]
        yield (
            name,
            Answers(
                np.array([-1 if bad else r.label for r, bad in zip(readings, unread)], np.int64),
                np.array([0.0 if bad else r.confidence for r, bad in zip(readings, unread)]),
            ),
        )
    if peers:
        images, readable = _normalize_all(files)
        for name, classify in peers.items():
            labels, confidences = _answers(classify(images))
            yield name, Answers(np.where(readable, labels, -1), np.where(readable, confidences, 0))


def _normalize_all(files: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Images in MNIST form, uint8 of shape (n, 28, 28), 0 where a picture cannot be read."""
    images, readable = np.zeros((len(files), *IMAGE_SHAPE), np.uint8), np.zeros(len(files), bool)
    for i, (_, picture) in enumerate(load_pictures(files)):
        if not isinstance(picture, PictureError):
            try:
                images[i], readable[i] = normalize(picture.grey), True
            except PictureError:
                continue
    return images, readable


def _answers(probabilities: np.ndarray) -> Answers:
    return Answers(probabilities.argmax(axis=1), probabilities.max(axis=1))


def _row(name: str, system: str, labels: np.ndarray, answers: Answers) -> str:
    right = answers.labels == labels
    n_confident = np.count_nonzero(~right & (answers.confidences >= CONFIDENT))
    cells = [
        name,
        system,
        f"{right.sum():,} / {len(right):,}",
        f"{right.mean():.1%}",
        f"{n_confident} ({n_confident / len(right):.2%})",
        f"{calibration_error(answers.confidences, right):.3f}",
    ]
    return f"| {' | '.join(cells)} |"


# --- peers -------------------------------------------------------------------------------


def _peers(cache: Path) -> Iterator[tuple[str, Classify]]:
    """Train the other systems on MNIST, or load them from the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    yield "SVC on pixels", _svc(cache / f"svc_{SVC_IMAGES}.joblib")
    if find_spec("keras") and find_spec("jax"):
        yield "CNN", _cnn(cache / f"cnn_{EPOCHS}.weights.h5")
    else:
        print("keras or jax is missing, so no CNN: pip install -e . --group bench", file=sys.stderr)


def _svc(path: Path) -> Classify:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    if path.exists():
        svc = joblib.load(path)
    else:
        svc = CalibratedClassifierCV(
            SVC(kernel="poly", degree=4, coef0=1.0, cache_size=1000), ensemble=False, cv=3
        )
        train, start = load_dataset("mnist", split="train"), time.perf_counter()
        svc.fit(_pixels(train.images[:SVC_IMAGES]), train.labels[:SVC_IMAGES])
        _log_training("SVC", start)
        with atomic_write(path) as file:
            joblib.dump(svc, file)
    return lambda images: np.asarray(svc.predict_proba(_pixels(images)))


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, N_PIXELS) / np.float32(255)


def _cnn(path: Path) -> Classify:
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    keras.utils.set_random_seed(0)
    network = keras.Sequential(_layers(keras.layers))
    if path.exists():
        network.load_weights(path)
    else:
        train, start = load_dataset("mnist", split="train"), time.perf_counter()
        network.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
        network.fit(_planes(train.images), train.labels, batch_size=128, epochs=EPOCHS, verbose=0)
        _log_training("CNN", start)
        unfinished = path.with_name(f"unfinished_{path.name}")
        network.save_weights(unfinished)
        unfinished.replace(path)
    return lambda images: np.asarray(network.predict(_planes(images), batch_size=500, verbose=0))


def _layers(layers: Any) -> list[Any]:
    return [
        layers.Input((*IMAGE_SHAPE, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]


def _planes(images: np.ndarray) -> np.ndarray:
    return images[..., None] / np.float32(255)


def _log_training(name: str, start: float) -> None:
    print(f"trained {name} in {time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
