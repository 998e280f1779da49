"""Train and measure the machine that tells one digit from two or three that touch.

    python -m tools.touching_model

Digits of MNIST's training set are drawn alone, and side by side until their strokes meet. The
machine is trained on those of the first 50,000, measured on those of the last 10,000, and written
to mnist_svm/models/touching.joblib; `mnist-svm read` asks it which blots to cut.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.pipeline import Pipeline

from mnist_svm import load_dataset
from mnist_svm.features.gradients import GradientFeatures
from mnist_svm.models.file import Model, save_model
from mnist_svm.models.locate import TOUCHING
from mnist_svm.pictures.normalize import as_drawn
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC

TRAINING, HELD_OUT = 24_000, 6_000
HEIGHT = 48

# One digit, or more than one.
ONE, MORE = 1, 2

# Of three blots with several digits, one has three.
OF_THREE = 3

Field = npt.NDArray[np.float32]


def drawn(image: npt.NDArray[np.uint8], height: float, width: float) -> Field:
    """A digit's ink, 0 to 1, so many pixels high, and so many times as wide as it was."""
    rows, columns = (np.flatnonzero((image > 32).any(axis=axis)) for axis in (1, 0))
    box = np.pad(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    scale = height / len(rows)
    size = max(round(scale * width * box.shape[1]), 2), max(round(scale * box.shape[0]), 2)
    big = Image.fromarray(box).resize(size, Image.Resampling.BICUBIC)
    ink = np.asarray(big, dtype=np.float32) / 255 > 0.5
    return ink[ink.any(axis=1)][:, ink.any(axis=0)].astype(np.float32)


def joined(left: Field, right: Field, rng: np.random.Generator) -> Field:
    """Two digits on about the same line, moved together until their strokes meet, or a bit more."""
    shift = round(rng.uniform(-0.15, 0.15) * HEIGHT)
    height = max(len(left), len(right) + max(shift, 0)) + max(-shift, 0)
    parts = []
    for part, lift in ((left, max(-shift, 0)), (right, max(shift, 0))):
        lift = min(lift, height - len(part))
        parts.append(np.pad(part, ((height - len(part) - lift, lift), (0, 0))) > 0.5)
    one, two = parts
    reach = np.where(one.any(axis=1), one.shape[1] - one[:, ::-1].argmax(axis=1), -height * 9)
    start = np.where(two.any(axis=1), two.argmax(axis=1), height * 9)
    overlap = rng.uniform(0, 0.06) * HEIGHT
    at = max(int((reach - start).max() - overlap), 0)
    out = np.zeros((height, max(at + two.shape[1], one.shape[1])), dtype=np.float32)
    out[:, : one.shape[1]] = one
    out[:, at : at + two.shape[1]] = np.maximum(out[:, at : at + two.shape[1]], two)
    return out


def samples(
    images: npt.NDArray[np.uint8], n: int, seed: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """As many blots of one digit as of more, in MNIST form, and which they are."""
    rng = np.random.default_rng(seed)
    blots, labels = [], []
    for k in range(n):
        count = 1 if k % 2 else 3 if k % (2 * OF_THREE) == 0 else 2
        blot = None
        for index in rng.integers(0, len(images), count):
            height, width = HEIGHT * rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.2)
            digit = drawn(images[index], height, width)
            blot = digit if blot is None else joined(blot, digit, rng)
        cover = np.pad(blot, 3)
        blots.append(as_drawn(cover, cover > 0.5, outlined=bool(rng.random() < 0.8)))
        labels.append(ONE if count == 1 else MORE)
    return np.stack(blots), np.array(labels)


def main() -> None:
    """Train, measure, write."""
    start = time.perf_counter()
    images = load_dataset("mnist").images
    X, y = samples(images[:50_000], TRAINING, 1)
    held_out, truth = samples(images[50_000:], HELD_OUT, 2)
    features = GradientFeatures(directions=8, grid=6, power=0.4)
    machine = Calibrated(CoupledSVC(kernel="rbf", C=3.0, gamma=8e-6))
    pipeline = Pipeline([("gradients", features), ("svm", machine)])
    pipeline.fit(X.reshape(len(X), -1), y)
    read = pipeline.predict(held_out.reshape(len(held_out), -1))
    found = {
        "one": float((read == truth)[truth == ONE].mean()),
        "more": float((read == truth)[truth == MORE].mean()),
    }
    metadata = {
        "recipe": "touching",
        "summary": "tells one digit from two or three that touch",
        "classes": [ONE, MORE],
        "support_vectors": len(machine.estimator_.support_),
        "training": {"dataset": "mnist", "images": TRAINING, "held_out": HELD_OUT},
        "right_on_held_out": found,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    save_model(TOUCHING, Model(pipeline, metadata))
    print(f"right of one {found['one']:.2%}, of more {found['more']:.2%}")
    size = Path(TOUCHING).stat().st_size
    print(f"{size / 1e3:.0f} kB, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
