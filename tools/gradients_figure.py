"""Draw the steps of `GradientFeatures` for a few digits: ``docs/images/gradients.png``.

    python -m tools.gradients_figure

Each row shows a test image, the image normalised in size, the eight planes of gradient directions,
and the features: at each grid point, eight arrows whose lengths are its features.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from mnist_svm.datasets.load import load_dataset
from mnist_svm.features.gradients import GradientDecomposer
from mnist_svm.models.pipelines import DIRECTIONS
from mnist_svm.models.recipes import RECIPES

DOCS = Path(__file__).resolve().parents[1] / "docs" / "images"

DIGITS = (2, 4, 8)
# Directions of the gradient, from dark to bright, clockwise from the right.
ANGLES = [f"{360 * k // DIRECTIONS}°" for k in range(DIRECTIONS)]


def main() -> None:
    """Write the figure."""
    test = load_dataset("mnist", split="test")
    chosen = [int(np.flatnonzero(test.labels == digit)[1]) for digit in DIGITS]
    pipeline = RECIPES["gradient"].pipeline()
    strokes = pipeline["features"]["strokes"]
    normalize, gradients = strokes["normalize"], strokes["gradients"]
    sized = normalize.fit_transform(test.X[chosen])
    side = normalize.side
    features = gradients.fit_transform(sized).reshape(-1, DIRECTIONS, *[gradients.grid] * 2)
    planes = GradientDecomposer(len(chosen), side, side, DIRECTIONS)(sized.reshape(-1, side, side))

    figure, axes = plt.subplots(
        len(chosen),
        DIRECTIONS + 3,
        figsize=(14, 3.5),
        layout="constrained",
    )
    for row, index in enumerate(chosen):
        first, second, *middle, last = axes[row]
        first.imshow(test.images[index], cmap="gray")
        second.imshow(sized[row].reshape(side, side), cmap="gray")
        for k, ax in enumerate(middle):
            ax.imshow(planes[row, k], cmap="gray", vmin=0, vmax=planes.max() / 2)
        _stars(last, features[row])
    for ax, title in zip(axes[0], ["MNIST", "normalised", *ANGLES, "features"], strict=True):
        ax.set_title(title, fontsize=11)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    figure.savefig(DOCS / "gradients.png", dpi=90)


def _stars(ax: Axes, features: np.ndarray) -> None:
    """Draw arrows from the grid points."""
    side = features.shape[-1]
    rows, columns = np.mgrid[:side, :side]
    for k, lengths in enumerate(features / features.max()):
        angle = 2 * np.pi * k / DIRECTIONS
        tips = lengths * np.cos(angle), lengths * np.sin(angle)
        color = plt.get_cmap("hsv")(k / DIRECTIONS)
        ax.quiver(columns, rows, *tips, angles="xy", scale_units="xy", scale=1.3, color=color)
    edges = (-0.8, side - 0.2)
    ax.set(xlim=edges, ylim=edges[::-1], aspect="equal", facecolor="black")


if __name__ == "__main__":
    main()
