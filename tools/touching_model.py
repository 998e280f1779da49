"""Train and evaluate the model that distinguishes one digit from two or three that touch.

    python -m tools.touching_model

Digits of the training sets of MNIST and styles are drawn alone, and side by side until their
strokes touch. The model is trained on digits of MNIST's first 50,000 images and of styles,
evaluated on digits of MNIST's last 10,000 images and of the styles held out, and written to
mnist_svm/models/touching.joblib; `mnist-svm read` decides with it which blobs to cut.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.pipeline import Pipeline

from mnist_svm import RECIPES, load_dataset
from mnist_svm._types import Images, Labels
from mnist_svm.datasets.types import Dataset
from mnist_svm.features.transformers import GradientFeatures
from mnist_svm.models.file import Model, save_model
from mnist_svm.models.locate import TOUCHING
from mnist_svm.pictures.render import render_digit
from mnist_svm.svm.calibration import Calibrated
from mnist_svm.svm.coupled import CoupledSVC
from mnist_svm.training.train import TrainingConfig, describe_fit

N_TRAIN, N_HELD_OUT = 24_000, 6_000

# Mean height of a drawn digit, in pixels.
HEIGHT = 48

# Kernel coefficient, chosen on MNIST.
GAMMA = 8e-6

# Labels: a blob of one digit, and of several.
ONE, SEVERAL = 1, 2

# Ink of a digit or blob, 0 to 1.
Ink = npt.NDArray[np.float32]


def draw(image: Images, height: float, aspect: float) -> Ink:
    """Scale a digit to a height in pixels, and its width by a further factor."""
    rows, columns = (np.flatnonzero((image > 32).any(axis=axis)) for axis in (1, 0))
    box = np.pad(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 1)
    scale = height / len(rows)
    size = max(round(scale * aspect * box.shape[1]), 2), max(round(scale * box.shape[0]), 2)
    scaled = Image.fromarray(box).resize(size, Image.Resampling.BICUBIC)
    ink = np.asarray(scaled, dtype=np.float32) / 255 > 0.5
    return ink[ink.any(axis=1)][:, ink.any(axis=0)].astype(np.float32)


def join(left: Ink, right: Ink, rng: np.random.Generator) -> Ink:
    """Put two digits on about the same line, so close that their strokes touch or overlap."""
    shift = round(rng.uniform(-0.15, 0.15) * HEIGHT)
    height = max(len(left), len(right) + max(shift, 0)) + max(-shift, 0)
    padded = []
    for ink, above in ((left, max(-shift, 0)), (right, max(shift, 0))):
        above = min(above, height - len(ink))
        padded.append(np.pad(ink, ((height - len(ink) - above, above), (0, 0))) > 0.5)
    first, second = padded
    # For each row: where the first digit ends, and where the second begins.
    end = np.where(first.any(axis=1), first.shape[1] - first[:, ::-1].argmax(axis=1), -height * 9)
    start = np.where(second.any(axis=1), second.argmax(axis=1), height * 9)
    overlap = rng.uniform(0, 0.06) * HEIGHT
    column = max(int((end - start).max() - overlap), 0)
    out = np.zeros((height, max(column + second.shape[1], first.shape[1])), dtype=np.float32)
    out[:, : first.shape[1]] = first
    target = out[:, column : column + second.shape[1]]
    np.maximum(target, second, out=target)
    return out


def draw_blobs(images: Images, n: int, seed: int) -> tuple[Images, Labels]:
    """Draw blobs in MNIST form: half of one digit, a third of two, a sixth of three."""
    rng = np.random.default_rng(seed)
    blobs, labels = [], []
    for k in range(n):
        n_digits = 1 if k % 2 else 3 if k % 6 == 0 else 2
        blob = None
        for index in rng.integers(0, len(images), n_digits):
            height, aspect = HEIGHT * rng.uniform(0.85, 1.15), rng.uniform(0.85, 1.2)
            digit = draw(images[index], height, aspect)
            blob = digit if blob is None else join(blob, digit, rng)
        cover = np.pad(blob, 3)
        blobs.append(render_digit(cover, cover > 0.5, outlined=bool(rng.random() < 0.8)))
        labels.append(ONE if n_digits == 1 else SEVERAL)
    return np.stack(blobs), np.array(labels)


def main() -> None:
    """Train, evaluate, write the model file."""
    mnist, styles, recipe = load_dataset("mnist"), load_dataset("styles"), RECIPES["gradient"]
    digits = np.concatenate([mnist.images[:50_000], styles.images])
    images, labels = draw_blobs(digits, N_TRAIN, 1)
    # The files of both have the same names.
    sha256 = Dataset.concatenate([mnist, styles]).sha256
    train = Dataset("mnist + styles", images, labels, sha256)
    start = time.perf_counter()
    features = GradientFeatures(directions=8, grid=6, power=0.4)
    parameters = replace(recipe.defaults, gamma=GAMMA)
    svc = Calibrated(CoupledSVC(kernel="rbf", C=parameters.C, gamma=GAMMA, random_state=0))
    pipeline = Pipeline([("gradients", features), ("svm", svc)]).fit(train.X, train.labels)
    seconds = time.perf_counter() - start

    held_out, truth = draw_blobs(
        np.concatenate([mnist.images[50_000:], load_dataset("styles", split="test").images]),
        N_HELD_OUT,
        2,
    )
    correct = pipeline.predict(held_out.reshape(len(held_out), -1)) == truth
    one, several = (f"{correct[truth == label].mean():.2%}" for label in (ONE, SEVERAL))
    print(f"correct: {one} of single digits, {several} of touching digits; {seconds:.0f} s")

    config = TrainingConfig(recipe, parameters)
    info = replace(
        describe_fit(pipeline, config, train, slice(None), seconds),
        recipe="touching",
        summary="distinguishes one digit from two or three that touch; correct for "
        f"{one} of single and {several} of touching digits held out",
    )
    save_model(TOUCHING, Model.from_pipeline(pipeline, info))
    print(f"{TOUCHING}: {TOUCHING.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
