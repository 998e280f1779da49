"""Draw the figures of the explanations: seven pictures in ``docs/images/explanation``.

    python -m tools.explanation_figures            all; takes a minute or two
    python -m tools.explanation_figures solver     one of `FIGURES`

All digits are training images of MNIST, but for those of ``docs/images/page.jpg``. Needs the extra
``plot``.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from PIL import Image

from mnist_svm import Deskew, KernelSVC, load_dataset, train_model
from mnist_svm.constants import IMAGE_SHAPE
from mnist_svm.features.moments import Moments, image_moments
from mnist_svm.features.size import normalize_size
from mnist_svm.models.file import load_model
from mnist_svm.models.pipelines import EXTENT, MILD, SIDE, STRONG
from mnist_svm.pictures.background import find_ink
from mnist_svm.pictures.decode import decode
from mnist_svm.pictures.normalize import normalize
from mnist_svm.pictures.polarity import ink_is_dark
from mnist_svm.pictures.strokes import select_digit
from mnist_svm.recognition.lattice import Lattice, best_paths
from mnist_svm.recognition.lattice import Path as Reading
from mnist_svm.recognition.line import Line, make_lattice
from mnist_svm.recognition.no_digit import DigitJudge
from mnist_svm.recognition.pages import PageReader
from mnist_svm.svm._solver.problem import BoxProblem
from mnist_svm.svm._solver.smo import smo_solver
from mnist_svm.svm.calibration import calibration_error
from mnist_svm.training.train import select_rows
from tests.support.guises.guises import render_guise

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "images" / "explanation"
PAGE = ROOT / "docs" / "images" / "page.jpg"

TOL = 1e-3

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "image.cmap": "gray",
}
BLUE, RED, GREY = "#1f77b4", "#d62728", "#7f7f7f"
DPI = 120
COLOURS = 128  # of the palette of a PNG


def main() -> None:
    """Draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="*", choices=[*FIGURES, []], metavar="NAME")
    names = parser.parse_args().name or FIGURES
    OUTPUT.mkdir(exist_ok=True)
    for name in names:
        with plt.rc_context(STYLE):
            save(FIGURES[name](), OUTPUT / f"{name}.png")
        print(f"{name}.png", flush=True)


def save(figure: Figure, path: Path) -> None:
    """Write a figure with few colours, which take a third of the bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI)
    plt.close(figure)
    with Image.open(buffer) as image:
        palette = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        palette.save(path, optimize=True)


def without_ticks(*axes: Axes) -> None:
    """Show pictures without coordinates."""
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_visible(False)


# --- deskewing ----------------------------------------------------------------------------

# Labels of digits that lean to both sides; of each, the one that leans most of the first 500.
LEANING = ((7, 1), (4, 1), (2, -1), (9, -1))


def deskewing() -> Figure:
    """Digits with the line that deskewing makes upright, deskewed, and of one size."""
    train = load_dataset("mnist", split="train")
    images, labels = train.images[:500], train.labels[:500]
    moments = image_moments(images)
    shears = moments.s_ij / moments.s_ii
    chosen = [
        int(np.argmax(np.where(labels == label, sign * shears, -np.inf))) for label, sign in LEANING
    ]
    digits = images[chosen]
    upright = Deskew(image_shape=IMAGE_SHAPE).fit_transform(digits.reshape(len(digits), -1))
    sized = normalize_size(digits, side=SIDE, extent=EXTENT, upright=True)
    figure, axes = plt.subplots(3, len(digits), figsize=(6.4, 5), layout="constrained")
    for column, shown in enumerate(zip(digits, upright.reshape(-1, *IMAGE_SHAPE), sized)):
        for row, image in enumerate(shown):
            draw_with_axis(axes[row, column], image)
        axes[0, column].set_title(f"$a$ = {shears[chosen[column]]:.2f}")
    for ax, text in zip(axes[:, 0], ("MNIST", "deskewed", "of one size"), strict=True):
        ax.set_ylabel(text)
    return figure


def draw_with_axis(ax: Axes, image: np.ndarray) -> None:
    """Draw a digit with its centroid, its slant and the ellipse of its second moments."""
    side = len(image)
    moments = one_moments(image)
    rows = np.array([0, side - 1])
    shear = moments.s_ij / moments.s_ii
    ax.imshow(image)
    ax.plot(moments.mu_j + shear * (rows - moments.mu_i), rows, color=RED, linewidth=1.5)
    ax.plot(moments.mu_j, moments.mu_i, "o", color=RED, markersize=4)
    covariance = [[moments.s_jj, moments.s_ij], [moments.s_ij, moments.s_ii]]
    values, vectors = np.linalg.eigh(covariance)
    angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
    ax.add_patch(
        Ellipse(
            (moments.mu_j, moments.mu_i),
            *(4 * np.sqrt(values[::-1])),
            angle=angle,
            fill=False,
            color="#ffb000",
            linewidth=1.2,
        )
    )
    ax.set(xlim=(-0.5, side - 0.5), ylim=(side - 0.5, -0.5))
    without_ticks(ax)


def one_moments(image: np.ndarray) -> Moments[float]:
    """Moments of one image."""
    moments = image_moments(np.asarray(image)[None])
    return Moments(*(float(values[0]) for values in vars(moments).values()))


# --- support vectors ----------------------------------------------------------------------


def support_vectors() -> Figure:
    """Two overlapping classes in the plane, with the margin of a Gaussian SVM for two C."""
    rng = np.random.default_rng(3)
    n = 70
    angles = rng.uniform(0, np.pi, 2 * n)
    arcs = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    arcs[n:] = [1.0, 0.45] - arcs[n:]
    X = arcs + rng.normal(0, 0.2, arcs.shape)
    y = np.repeat([0, 1], n)
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 2.9), layout="constrained", sharey=True)
    for ax, C in zip(axes, (0.5, 50.0), strict=True):
        draw_svm(ax, X, y, C)
    return figure


def draw_svm(ax: Axes, X: np.ndarray, y: np.ndarray, C: float) -> None:
    """Draw samples, the boundary and the margins, and mark the support vectors."""
    svc = KernelSVC(kernel="rbf", gamma=1.5, C=C, random_state=0).fit(X, y)
    columns, rows = np.meshgrid(np.linspace(-1.7, 2.7, 300), np.linspace(-1.3, 1.75, 220))
    grid = np.stack([columns.ravel(), rows.ravel()], axis=1)
    values = svc.decision_function(grid).reshape(columns.shape)
    ax.contourf(columns, rows, values, [-99, 0, 99], colors=[BLUE, RED], alpha=0.12)
    ax.contour(
        columns,
        rows,
        values,
        [-1, 0, 1],
        colors="black",
        linewidths=[0.8, 1.6, 0.8],
        linestyles=["--", "-", "--"],
    )
    for label, color in ((0, BLUE), (1, RED)):
        ax.plot(*X[y == label].T, "o", color=color, markersize=3.5)
    is_bounded = np.abs(svc.dual_coef_[0]) >= C
    for flags, marker, text in (
        (~is_bounded, "o", r"$0 < \alpha < C$"),
        (is_bounded, "s", r"$\alpha = C$"),
    ):
        ax.plot(
            *svc.support_vectors_[flags].T,
            marker,
            markerfacecolor="none",
            markeredgecolor="black",
            markersize=8,
            linestyle="none",
            label=f"{text}: {np.count_nonzero(flags)}",
        )
    ax.set_title(f"C = {C:g}: {len(svc.support_)} of {len(X)} are support vectors")
    ax.legend(loc="lower left", fontsize=8, framealpha=0.9)
    ax.set(xticks=[], yticks=[], aspect="equal")


# --- the solver ---------------------------------------------------------------------------

# Samples of the two-class problem, and its iterations between two points of the curve.
N_PAIR, STEP = 2000, 20


def solver() -> Figure:
    """The gap over the iterations for one pair of digits, and the rounds of a fit to all digits."""
    train = load_dataset("mnist", split="train")
    X = Deskew(image_shape=IMAGE_SHAPE).fit_transform(train.X)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
    draw_gap(left, X, train.labels)
    draw_rounds(right, X, train.labels)
    return figure


def draw_gap(ax: Axes, X: np.ndarray, labels: np.ndarray) -> None:
    """Draw the violation of the optimality conditions, and the objective, for 4 and 9."""
    members = np.flatnonzero((labels == 4) | (labels == 9))[:N_PAIR]
    y = np.where(labels[members] == 4, 1.0, -1.0)
    gamma = 1 / (X.shape[1] * X.var())
    gram = (gamma * (X[members] @ X[members].T) + 1.0) ** 4
    problem = BoxProblem(y, np.minimum(y, 0), np.maximum(y, 0))
    coef, errors = np.zeros(len(y)), y.copy()
    solve, n, curve = smo_solver(use_numba=False), 0, []
    while True:
        objective = problem.linear @ coef - coef @ (problem.linear - errors) / 2
        curve.append((n, problem.gap(coef, errors), objective))
        if curve[-1][1] <= TOL:
            break
        n += solve(gram, errors, coef, problem.lower, problem.upper, TOL, STEP)
    steps, gaps, objectives = np.array(curve).T
    ax.semilogy(steps, gaps, color=RED, label="gap")
    below = objectives[-1] - objectives[:-1]
    ax.semilogy(steps[:-1], below, color=BLUE, label="objective: distance from its last value")
    ax.axhline(TOL, color=GREY, linewidth=0.8, linestyle=":")
    ax.text(steps[0], 1.2 * TOL, "tol", fontsize=8, color=GREY)
    ax.set(xlabel="iteration")
    ax.set_title(f"SMO, 4 against 9, {N_PAIR:,} samples")
    ax.legend(fontsize=8)


def draw_rounds(ax: Axes, X: np.ndarray, labels: np.ndarray) -> None:
    """Draw the sizes in each round of a fit to all pairs."""
    svc = KernelSVC(kernel="poly", degree=4, coef0=1.0, tol=TOL, random_state=0)
    log = svc.fit(X, labels).fit_log_
    numbers = [entry["round"] for entry in log]
    for name, marker, color in (
        ("scanned", "s", GREY),
        ("working_set", "o", BLUE),
        ("support_vectors", "^", "black"),
        ("violators", "v", RED),
    ):
        values = np.maximum([entry[name] for entry in log], 0.5)
        ax.semilogy(numbers, values, marker=marker, color=color, label=name.replace("_", " "))
    first_exact = numbers[[entry["exact"] for entry in log].index(True)]
    ax.axvspan(numbers[0] - 0.5, first_exact - 0.5, color=BLUE, alpha=0.08, linewidth=0)
    ax.text(numbers[0] - 0.4, 1.6e5, "approximate", fontsize=8, color=BLUE)
    ax.text(first_exact - 0.4, 1.6e5, "exact", fontsize=8)
    ax.set(xlabel="round", ylabel="samples", ylim=(0.4, 3e5), xticks=numbers)
    ax.set(xlim=(numbers[0] - 0.5, numbers[-1] + 0.5))
    ax.set_yticks([0.5, 1, 10, 100, 1000, 10_000, 100_000])
    ax.set_yticklabels(["0", "1", "10", "100", "1,000", "10,000", "100,000"])
    ax.set_title(f"KernelSVC, {len(labels):,} images")
    ax.legend(fontsize=8, loc="lower left")


# --- virtual support vectors --------------------------------------------------------------

N_COPIES = 8


def virtual() -> Figure:
    """Some digits, and copies of them as the recipes `best` and `virtual` make them."""
    train = load_dataset("mnist", split="train")
    chosen = [int(np.flatnonzero(train.labels == digit)[2]) for digit in (2, 5, 7)]
    figure, axes = plt.subplots(6, N_COPIES + 1, figsize=(7, 4.7), layout="constrained")
    for block, (name, distortion) in enumerate((("best", MILD), ("virtual", STRONG))):
        rng = np.random.RandomState(0)
        for k, index in enumerate(chosen):
            row = axes[3 * block + k]
            row[0].imshow(train.images[index])
            copies = distortion(np.repeat(train.X[index : index + 1], N_COPIES, axis=0), rng)
            for ax, copy in zip(row[1:], copies, strict=True):
                ax.imshow(copy.reshape(IMAGE_SHAPE), vmin=0, vmax=255)
        axes[3 * block, 0].set_title("image")
        axes[3 * block, (N_COPIES + 1) // 2].set_title(f"copies of the recipe {name}")
    without_ticks(*axes.flat)
    return figure


# --- calibration --------------------------------------------------------------------------

# Training images; and others, that neither the model nor its temperature has seen.
N_TRAINED, N_NEW = 6_000, 30_000
# Edges of the bins of 1 - confidence: four to a factor of ten.
EDGES = 10 ** np.arange(-4.25, 0.01, 0.25)


def calibration() -> Figure:
    """Share of errors over the confidence, before and after temperature scaling."""
    train = load_dataset("mnist", split="train")
    used = select_rows(train, N_TRAINED, 0)
    new = np.setdiff1d(np.arange(len(train.y)), used)[-N_NEW:]
    pipeline = train_model("poly4", train, limit=N_TRAINED, random_state=0).pipeline
    X, calibrated = pipeline[:-1].transform(train.X[new]), pipeline[-1]
    figure, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
    ax.loglog(EDGES[[0, -1]], EDGES[[0, -1]], color=GREY, linewidth=0.8)
    ax.text(1.2e-2, 2e-2, "calibrated", rotation=33, fontsize=8, color=GREY)
    for name, color, probabilities in (
        ("coupled confidences", RED, calibrated.estimator_.predict_proba(X)),
        ("after temperature scaling", BLUE, calibrated.predict_proba(X)),
    ):
        confidence = probabilities.max(axis=1)
        correct = calibrated.classes_[probabilities.argmax(axis=1)] == train.labels[new]
        error = calibration_error(confidence, correct)
        draw_reliability(ax, confidence, correct, color, f"{name}: calibration error {error:.2%}")
    ax.set(xlabel="1 - confidence", ylabel="share that is wrong", ylim=(1e-4, 1.1))
    ax.legend(fontsize=8)
    return figure


def draw_reliability(
    ax: Axes, confidence: np.ndarray, correct: np.ndarray, color: str, label: str
) -> None:
    """Draw the share of errors, with its standard error, in bins of 1 - confidence."""
    bins = np.searchsorted(EDGES, 1 - confidence)
    counts = np.bincount(bins)
    errors = np.bincount(bins, ~correct)
    shown = errors > 0
    means = np.bincount(bins, 1 - confidence)[shown] / counts[shown]
    shares = errors[shown] / counts[shown]
    bars = np.sqrt(errors[shown]) / counts[shown]
    # A logarithmic axis has no room for 0.
    bars = np.stack([np.minimum(bars, 0.9 * shares), bars])
    ax.errorbar(means, shares, bars, fmt="o-", color=color, markersize=4, capsize=2, label=label)


# --- from a picture to 28 x 28 ------------------------------------------------------------

# Pictures as the tests draw them: name, and index of a training image.
PICTURES = (("hard shadow", 17), ("squared paper", 12))


def picture() -> Figure:
    """The stages in which a digit on a picture is brought into MNIST's form."""
    train = load_dataset("mnist", split="train")
    titles = ["picture", "coverage by ink", "strokes and faint marks", "the digit", "28 x 28"]
    size = (len(PICTURES), len(titles))
    figure, axes = plt.subplots(*size, figsize=(8, 3.9), layout="constrained")
    for row, (name, index) in zip(axes, PICTURES, strict=True):
        file = render_guise(name, train.images[index], index)
        with Image.open(io.BytesIO(file)) as original:
            shown = np.asarray(original.convert("RGB"))
        grey = decode(file).grey
        ink = find_ink(grey, ink_is_dark(grey))
        digit = select_digit(ink.mask, ink.faint_mask)
        marks = np.stack([ink.mask | ink.faint_mask, ink.mask, ink.mask], axis=2) * 255
        for ax, stage in zip(row, (shown, ink.coverage, marks, digit, normalize(grey))):
            ax.imshow(stage, interpolation="nearest" if len(stage) == 28 else "antialiased")
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    without_ticks(*axes.flat)
    return figure


# --- the lattice --------------------------------------------------------------------------

# Rows and columns of the page: a number of which the last two digits touch.
NUMBER = slice(425, 535), slice(40, 325)
# Least probability of being a digit, of candidates that are drawn.
LEAST = 0.02


def lattice() -> Figure:
    """The pieces of a line with touching digits, its candidates, and the path that is chosen."""
    model = load_model()
    reader = PageReader(model.classes, model.predict_proba, DigitJudge())
    _, lines, _ = reader.find_readings(decode(PAGE).grey[NUMBER], is_line=True)
    ((line,),) = reader.cut(lines, 1)
    found = make_lattice(line)
    paths = best_paths(found)
    figure = plt.figure(figsize=(8, 5.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[1, 1.6])
    draw_pieces(upper, line, paths, model.classes)
    draw_candidates(lower, line, found, paths[0], model.classes)
    return figure


def draw_pieces(ax: Axes, line: Line, paths: list[Reading], classes: np.ndarray) -> None:
    """Draw the ink of a line, each piece in another colour, and the best readings."""
    shape = line.image.coverage.shape
    coloured = np.ones((*shape, 3))
    for k, piece in enumerate(line.pieces.pieces):
        color = np.array(plt.get_cmap("tab10")(k % 10)[:3])
        coloured[piece.box.window] -= piece.ink[:, :, None] * (1 - color)
        middle = (piece.box.left + piece.box.right) / 2
        ax.text(middle, shape[0] + 6, str(k), ha="center", color=color)
    ax.imshow(coloured.clip(0, 1))
    texts = [f"{''.join(map(str, classes[list(p.classes)])):<8}{p.score:5.1f}" for p in paths[:5]]
    text = "\n".join(["reading  score", *texts])
    ax.text(shape[1] + 12, 4, text, va="top", family="monospace", fontsize=8)
    ax.set_title("the ink of a line, cut into pieces, and its best readings", loc="left")
    without_ticks(ax)


def draw_candidates(
    ax: Axes, line: Line, found: Lattice, best: Reading, classes: np.ndarray
) -> None:
    """Draw candidates above the pieces that they consist of; those of the best path in red."""
    chosen = {index for index, _ in best.edges}
    pieces = line.pieces.pieces
    levels: list[list[tuple[int, int]]] = []
    for index, edge in enumerate(found.edges):
        judged = line.judged[pieces[edge.start : edge.stop]]
        if judged.kinds[1] < LEAST and index not in chosen:
            continue
        span = edge.start, edge.stop
        is_free = (all(are_apart(span, other) for other in taken) for taken in levels)
        level = next((k for k, free in enumerate(is_free) if free), len(levels))
        if level == len(levels):
            levels.append([])
        levels[level].append(span)
        color, width = (RED, 2.0) if index in chosen else (GREY, 0.8)
        left, right = edge.start + 0.04, edge.stop - 0.04
        size = right - left, 0.9
        box = Rectangle((left, level + 0.05), *size, fill=False, edgecolor=color, linewidth=width)
        ax.add_patch(box)
        image = left + 0.03, left + 0.37, level + 0.1, level + 0.9
        ax.imshow(255 - judged.candidate.image, extent=image, vmin=0, vmax=255, aspect="auto")
        label = classes[int(judged.classes.argmax())]
        text = f"digit {judged.kinds[1]:.2f}\n{label}: {judged.classes.max():.2f}"
        ax.text(left + 0.4, level + 0.5, text, va="center", fontsize=6.5, color=color)
    ax.set(xlim=(0, len(pieces)), ylim=(0, len(levels)), yticks=[])
    ax.set_xticks(np.arange(len(pieces)) + 0.5, [str(k) for k in range(len(pieces))])
    ax.tick_params(length=0)
    ax.set_title("candidates above their pieces; red: the best path", loc="left")
    for spine in ax.spines.values():
        spine.set_visible(False)


def are_apart(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Whether two ranges have nothing in common."""
    return first[1] <= second[0] or second[1] <= first[0]


FIGURES: dict[str, Callable[[], Figure]] = {
    "deskewing": deskewing,
    "support-vectors": support_vectors,
    "solver": solver,
    "virtual": virtual,
    "calibration": calibration,
    "picture": picture,
    "lattice": lattice,
}


if __name__ == "__main__":
    main()
