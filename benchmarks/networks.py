"""Networks and ensembles beside the SVMs.

    python -m benchmarks.networks --cache FOLDER --pictures FOLDER --numbers FOLDER
    python -m benchmarks.networks --cache FOLDER --system cnn       one system alone

Every system is trained by ``mnist-svm train`` in a process of its own, whose time and peak memory
are those of the table, and evaluated on the test sets of MNIST and of the styles. Pictures of
digits of others (see `benchmarks.hands`) and of numbers (see `benchmarks.numbers`) are read by
``Recognizer``. Models and results stay in the cache, so that an interrupted run goes on; the table
has the systems in it.

For the second table, three folds of the training images are predicted by SVMs and networks that
were trained on the other two, uncalibrated, and combined as the recipe ``ensemble`` does. Its
ensembles can be chosen by the errors on the folds, without the test set. Writes
``benchmarks/networks.md``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

from benchmarks.hands import _find_sets
from benchmarks.recipes import STYLES, _run
from mnist_svm._io import atomic_write
from mnist_svm.datasets.load import load_dataset
from mnist_svm.datasets.types import Dataset
from mnist_svm.models.file import load_model
from mnist_svm.models.pipelines import STACKING_FOLDS
from mnist_svm.models.recipes import RECIPES
from mnist_svm.networks.conv_net import ConvNet
from mnist_svm.pictures.formats import SUFFIXES
from mnist_svm.recognition.recognizer import Recognizer
from mnist_svm.svm.ensembles import LogarithmicPool
from mnist_svm.svm.pooling import logarithmic_pool, majority

EVERYDAY = ["--data", "mnist", "--data", "styles"]

# The system that reads negatives too.
ABS = "abs, 6 epochs"

# The network with other seeds, of which the errors are shown alone.
OTHER_SEEDS = ("cnn, seed 1", "cnn, seed 2")

# Options of `mnist-svm train`.
SYSTEMS: dict[str, list[str]] = {
    "poly4": ["--recipe", "poly4"],
    "gradient": ["--recipe", "gradient"],
    "gradient, everyday": ["--recipe", "gradient", *EVERYDAY],
    "best": ["--recipe", "best"],
    "cnn": ["--recipe", "cnn"],
    **{name: ["--recipe", "cnn", "--random-state", name[-1]] for name in OTHER_SEEDS},
    "cnn, everyday": ["--recipe", "cnn", *EVERYDAY],
    ABS: ["--recipe", "cnn", "--set", "architecture=abs", "--epochs", "6"],
    "cnn-svm": ["--recipe", "cnn-svm"],
    "best + cnn, stack": ["--recipe", "ensemble", "--members", "best,cnn", "--combine", "stack"],
}

# Recipes that are members of ensembles, and the ensembles.
MEMBERS = ("poly4", "gradient", "best", "cnn", "cnn-svm")
ENSEMBLES = [
    ("poly4", "gradient"),
    ("gradient", "best"),
    ("poly4", "gradient", "best"),
    ("cnn", "cnn-svm"),
    ("gradient", "cnn"),
    ("best", "cnn"),
    ("gradient", "best", "cnn"),
]

COLUMNS = [
    "system",
    "MNIST errors",
    "styles errors",
    "hands right",
    "numbers right",
    "calibration error",
    "training",
    "memory",
    "model",
    "images/s",
    "one image",
]

# Single images whose median time counts.
N_SINGLE = 200


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--pictures", action="append", type=Path, default=[], metavar="FOLDER")
    parser.add_argument("--numbers", action="append", type=Path, default=[], metavar="FOLDER")
    parser.add_argument("--system", action="append", choices=list(SYSTEMS))
    parser.add_argument("--member", action="append", choices=MEMBERS)
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    for name in arguments.system or ([] if arguments.member else SYSTEMS):
        print(_row(name, _measure(name, arguments)), flush=True)
    for name in arguments.member or ([] if arguments.system else MEMBERS):
        _member(name, arguments.cache)
    records = {name: _record(arguments.cache, name) for name in SYSTEMS}
    done = {name: record for name, record in records.items() if "milliseconds" in record}
    rows = [_row(name, record) for name, record in done.items() if name not in OTHER_SEEDS]
    head = [f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    lines = [*head, *rows, ""]
    lines += [f"- {name}: {done[name]['errors']} errors" for name in OTHER_SEEDS if name in done]
    if ABS in done:
        lines += [f"- abs: {done[ABS]['negatives']} errors on the negatives of the images"]
    lines += [""]
    lines += [*_ensemble_table(arguments.cache), ""]
    Path(__file__).with_suffix(".md").write_text("\n".join(lines))


# --- systems -----------------------------------------------------------------------------


def _measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the results of a system, of the cache if it has them."""
    model = _model_path(arguments.cache, name)
    record, results = model.with_suffix(".json"), _record(arguments.cache, name)

    def keep(**more: Any) -> None:
        results.update(more)
        with atomic_write(record) as file:
            file.write(json.dumps(results).encode())

    if "seconds" not in results:
        options = ["train", *SYSTEMS[name], "-o", model, "--json"]
        trained, seconds, peak = _run("-m", "mnist_svm", *options)
        keep(seconds=seconds, peak=peak, bytes=trained["bytes"])
    if "errors" not in results:
        for data, prefix in (("mnist", ""), (STYLES, "styles_")):
            found, _, _ = _run("-m", "mnist_svm", "eval", "-m", model, "--data", data, "--json")
            keep(**{f"{prefix}{key}": found[key] for key in ("errors", "n", "images_per_second")})
            if not prefix:
                keep(calibration_error=found["expected_calibration_error"])
    if name == ABS and "negatives" not in results:
        keep(negatives=_count_negatives(model))
    if "milliseconds" not in results:
        keep(milliseconds=_single_image(model))
    if arguments.pictures and "hands" not in results:
        keep(hands=_count_hands(model, arguments.pictures))
    if arguments.numbers and "numbers" not in results:
        keep(numbers=_count_numbers(model, arguments.numbers))
    return results


def _model_path(cache: Path, system: str) -> Path:
    return cache / f"{system.replace(', ', '_').replace(' ', '_')}.joblib"


def _record(cache: Path, system: str) -> dict[str, Any]:
    path = _model_path(cache, system).with_suffix(".json")
    return json.loads(path.read_text()) if path.exists() else {}


def _count_negatives(path: Path) -> int:
    """Return the number of errors on the negatives of MNIST's test images."""
    test = load_dataset("mnist", split="test")
    return _count_errors(load_model(path).predict_proba(255 - test.images), test)


def _single_image(path: Path) -> float:
    """Return the median milliseconds for one image, after the first ones."""
    model = load_model(path)
    model.prepare()
    images = load_dataset("mnist", split="test").images[:N_SINGLE]
    times = []
    for i in range(len(images)):
        start = time.perf_counter()
        model.predict_proba(images[i : i + 1])
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def _count_hands(path: Path, folders: Sequence[Path]) -> list[int]:
    """Return the number of pictures that are read right, and of all."""
    recognizer = Recognizer.load(path)
    right = n = 0
    for pictures in _find_sets(folders):
        readings = recognizer.read(pictures.files)
        labels = pictures.labels.tolist()
        right += sum(r.label == label for r, label in zip(readings, labels, strict=True))
        n += len(labels)
    return [right, n]


def _count_numbers(path: Path, folders: Sequence[Path]) -> list[int]:
    """Return the number of pictures of a number that are read right, and of all."""
    recognizer = Recognizer.load(path)
    files = [
        str(file)
        for folder in folders
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in SUFFIXES
    ]
    pages = recognizer.read_page(files, number=True)
    right = sum(
        [number.text for number in page.numbers] == [Path(file).name.partition("_")[0]]
        for file, page in zip(files, pages, strict=True)
        if page.error is None
    )
    return [right, len(files)]


def _row(name: str, results: dict[str, Any]) -> str:
    cells = [
        name,
        str(results["errors"]),
        f"{results['styles_errors']:,} of {results['styles_n']:,}",
        _share(results.get("hands")),
        _share(results.get("numbers")),
        f"{results['calibration_error']:.2%}",
        f"{results['seconds']:.0f} s",
        f"{results['peak'] / 2**30:.1f} GiB",
        f"{results['bytes'] / 1e6:.1f} MB",
        f"{results['images_per_second']:,.0f}",
        f"{results['milliseconds']:.1f} ms",
    ]
    return f"| {' | '.join(cells)} |"


def _share(counts: list[int] | None) -> str:
    return f"{counts[0]:,} of {counts[1]:,}" if counts else ""


# --- ensembles ---------------------------------------------------------------------------


def _ensemble_table(cache: Path) -> Iterator[str]:
    train, test = (load_dataset("mnist", split=split) for split in ("train", "test"))
    found = [name for name in MEMBERS if (cache / f"member_{name}.npz").exists()]
    members = {name: _member(name, cache) for name in found}
    yield "| members | folds: average | vote | stack | test: average | vote | stack |"
    yield f"|{'---|' * 7}"
    ensembles = [names for names in ENSEMBLES if set(names) <= set(found)]
    for names in [*((name,) for name in found), *ensembles]:
        held_out, unseen = zip(*(members[name] for name in names))
        stack = LogarithmicPool().fit(np.concatenate(held_out, axis=1), train.labels)
        cells = [
            *_errors(held_out, train, stack.exponents_),
            *_errors(unseen, test, stack.exponents_),
        ]
        line = f"| {' + '.join(names)} | {' | '.join(cells)} |"
        print(line, flush=True)
        yield line


def _errors(parts: Sequence[np.ndarray], dataset: Dataset, exponents: np.ndarray) -> list[str]:
    """Return the errors of average, vote and stack; of a single member, its own."""
    if len(parts) == 1:
        return [str(_count_errors(parts[0], dataset)), "", ""]
    combined = np.mean(parts, axis=0), majority(parts), logarithmic_pool(parts, exponents)
    return [str(_count_errors(probabilities, dataset)) for probabilities in combined]


def _count_errors(probabilities: np.ndarray, dataset: Dataset) -> int:
    return int((probabilities.argmax(axis=1) != dataset.labels).sum())


def _member(name: str, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return out-of-fold probabilities, and those for the test images: of the cache, or new."""
    path = cache / f"member_{name}.npz"
    if path.exists():
        with np.load(path) as file:
            return file["held_out"], file["test"]
    train, test = (load_dataset("mnist", split=split) for split in ("train", "test"))
    checkpoints = cache / "checkpoints"
    checkpoints.mkdir(exist_ok=True)

    def fit(rows: Any) -> Any:
        pipeline = RECIPES[name].pipeline(calibrate=False)
        for step in pipeline.get_params().values():
            if isinstance(step, ConvNet):
                step.set_params(checkpoint=str(checkpoints))
        return pipeline.fit(train.X[rows], train.labels[rows])

    held_out = np.empty((len(train.labels), 10))
    for rows, others in StratifiedKFold(STACKING_FOLDS).split(train.X, train.labels):
        held_out[others] = fit(rows).predict_proba(train.X[others])
    # A network calibrates itself: it is the one of the system.
    trained = _model_path(cache, name)
    if name == "cnn" and trained.exists():
        probabilities = load_model(trained).predict_proba(test.images)
    else:
        probabilities = fit(slice(None)).predict_proba(test.X)
    with atomic_write(path) as file:
        np.savez(file, held_out=held_out, test=probabilities)
    return held_out, probabilities


if __name__ == "__main__":
    main()
