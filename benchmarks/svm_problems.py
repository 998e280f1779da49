"""The twelve problems of `benchmarks.svm_suite`: samples, labels and kernel parameters.

Parameters are those of `sklearn.svm.SVC`, with gamma as a number, so that all implementations solve
the same problem. Features of generated samples are standardized by the training part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_digits, make_classification, make_moons

from benchmarks.peers import PARAMETERS
from mnist_svm import Deskew, load_dataset
from mnist_svm.exceptions import DataMissingError, FetchError
from mnist_svm.models.recipes import RECIPES

# Generated samples to predict, beside those to fit.
N_TEST = 5_000

# A quick run takes every problem at this fraction of its size.
QUICK = 10

# One-hot columns of the 14 categorical variables of `a9a-like`: 123, as in a9a.
CATEGORIES = (5, 8, 5, 16, 5, 7, 14, 6, 5, 2, 2, 2, 5, 41)


@dataclass(frozen=True)
class Problem:
    """A problem of classification.

    Attributes
    ----------
    title : name in the table and in the chart
    about : where the samples come from
    X, X_test : samples to fit and to predict, dense or CSR
    y, y_test : integer labels
    parameters : keyword arguments of the classifier
    """

    title: str
    about: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    parameters: dict[str, Any]

    def head(self, fraction: int) -> Problem:
        """Return the problem with the first samples only, one of `fraction`."""
        n, n_test = len(self.y) // fraction, len(self.y_test) // fraction
        return replace(
            self,
            X=self.X[:n],
            y=self.y[:n],
            X_test=self.X_test[:n_test],
            y_test=self.y_test[:n_test],
        )


def make_problem(name: str, *, quick: bool = False) -> Problem:
    """Make a problem, of `PROBLEMS`, or of a tenth of its size."""
    return PROBLEMS[name](QUICK if quick else 1)


def scale(X: np.ndarray) -> float:
    """Return gamma="scale" as a number."""
    return 1 / (X.shape[1] * float(X.var(dtype=np.float64)))


def split(
    name: str, about: str, X: np.ndarray, y: np.ndarray, *, C: float, fraction: int
) -> Problem:
    """Split off the test part of dense samples, standardize, and take the head."""
    n = len(y) - N_TEST
    X = (X - X[:n].mean(axis=0)) / X[:n].std(axis=0)
    parameters = {"kernel": "rbf", "C": C, "gamma": scale(X[:n])}
    return Problem(name, about, X[:n], y[:n], X[n:], y[n:], parameters).head(fraction)


def classification(
    name: str, n: int, n_features: int, C: float, **options: Any
) -> Callable[[int], Problem]:
    """Return the maker of a problem by `sklearn.datasets.make_classification`."""
    shown = ", ".join([f"{n:,}", f"{n_features}", *(f"{k}={v}" for k, v in options.items())])

    def make(fraction: int) -> Problem:
        X, y = make_classification(n + N_TEST, n_features, **options, random_state=0)
        return split(name, f"make_classification({shown})", X, y, C=C, fraction=fraction)

    return make


def moons(fraction: int) -> Problem:
    """Make two interleaving half circles."""
    X, y = make_moons(20_000 + N_TEST, noise=0.3, random_state=0)
    return split("moons", "make_moons(20,000, noise=0.3)", X, y, C=10.0, fraction=fraction)


def a9a_like(fraction: int) -> Problem:
    """Make sparse one-hot samples of a9a's shape; 24 % are positive, by a noisy rule."""
    n = 32_561 + N_TEST
    rng = np.random.default_rng(0)
    starts = np.cumsum([0, *CATEGORIES[:-1]])
    weights = 0.8 * rng.standard_normal(sum(CATEGORIES))
    columns = np.stack(
        [
            start + rng.choice(size, n, p=rng.dirichlet(np.full(size, 0.7)))
            for start, size in zip(starts, CATEGORIES, strict=True)
        ],
        axis=1,
    )
    score = weights[columns].sum(axis=1) + 0.8 * weights[columns[:, 0]] * weights[columns[:, 3]]
    score = (score - score.mean()) / score.std() + 0.7 * rng.standard_normal(n)
    y = (score > np.quantile(score, 0.76)).astype(np.int64)
    width = len(CATEGORIES)
    ends = np.arange(0, width * n + 1, width)
    X = sp.csr_matrix((np.ones(width * n), columns.ravel(), ends), (n, sum(CATEGORIES)))
    about = "CSR: 14 categorical variables, one-hot, label by a noisy rule"
    parameters = {"kernel": "rbf", "C": 1.0, "gamma": 0.05}
    train, test = slice(0, -N_TEST), slice(-N_TEST, None)
    problem = Problem("a9a-like", about, X[train], y[train], X[test], y[test], parameters)
    return problem.head(fraction)


def digits(fraction: int) -> Problem:
    """Take the small digits of scikit-learn, which are predicted as well."""
    X, y = load_digits(return_X_y=True)
    parameters = {"kernel": "rbf", "C": 1.0, "gamma": scale(X)}
    return Problem("digits", "load_digits", X, y, X, y, parameters).head(fraction)


def mnist_parts(fraction: int, dataset: str = "mnist") -> list[tuple[np.ndarray, np.ndarray]]:
    """Return images and labels, to fit and to predict."""
    parts = [load_dataset(dataset, split="train"), load_dataset(dataset, split="test")]
    return [
        (part.X[: len(part.labels) // fraction], part.labels[: len(part.labels) // fraction])
        for part in parts
    ]


def clothes(fraction: int) -> Problem:
    """Take Fashion-MNIST or, where it is missing, a part of MNIST with wrong labels.

    Both have many support vectors in many dimensions.
    """
    title, about = "clothes", "Fashion-MNIST, pixels of 0 to 1"
    try:
        (X, y), (X_test, y_test) = mnist_parts(fraction, "fashion-mnist")
    except (DataMissingError, FetchError):
        title = "mislabelled MNIST"
        about = "in place of Fashion-MNIST: MNIST, pixels of 0 to 1, 10 % of the labels random"
        (X, y), (X_test, y_test) = mnist_parts(fraction)
        X, y = X[: 20_000 // fraction], y[: 20_000 // fraction].copy()
        rng = np.random.default_rng(0)
        changed = rng.choice(len(y), len(y) // 10, replace=False)
        y[changed] = rng.integers(10, size=len(changed))
    X, X_test = (np.asarray(pixels, np.float32) / 255 for pixels in (X, X_test))
    parameters = {"kernel": "rbf", "C": 10.0, "gamma": scale(X)}
    return Problem(title, about, X, y, X_test, y_test, parameters)


def mnist_poly(fraction: int) -> Problem:
    """Take deskewed MNIST and its polynomial kernel, as `benchmarks.kernel_svc`."""
    (X, y), (X_test, y_test) = mnist_parts(fraction)
    X, X_test = (Deskew().fit_transform(pixels) for pixels in (X, X_test))
    parameters = {**PARAMETERS, "gamma": scale(X)}
    return Problem("mnist-poly", "MNIST, deskewed pixels", X, y, X_test, y_test, parameters)


def mnist_gradient(fraction: int) -> Problem:
    """Take the features and the kernel of the recipe `gradient`."""
    (X, y), (X_test, y_test) = mnist_parts(fraction)
    recipe = RECIPES["gradient"]
    features = recipe.pipeline(calibrate=False)[:-1]
    X, X_test = (features.fit_transform(pixels) for pixels in (X, X_test))
    defaults = recipe.defaults
    parameters = {"kernel": defaults.kernel, "C": defaults.C, "gamma": defaults.gamma}
    about = "MNIST, features of the recipe gradient"
    return Problem("mnist-gradient", about, X, y, X_test, y_test, parameters)


# The makers take the fraction of the size.
PROBLEMS: Mapping[str, Callable[[int], Problem]] = MappingProxyType(
    {
        "noisy": classification("noisy", 10_000, 20, 1.0, n_informative=10, flip_y=0.3),
        "noisy-C100": classification("noisy-C100", 10_000, 20, 100.0, n_informative=10, flip_y=0.3),
        "moons": moons,
        "noisy-30k": classification("noisy-30k", 30_000, 30, 1.0, n_informative=15, flip_y=0.1),
        "five-classes": classification(
            "five-classes", 10_000, 50, 1.0, n_informative=15, n_classes=5
        ),
        "small": classification("small", 500, 20, 1.0),
        "a9a-like": a9a_like,
        # With this class_sep, as many samples are support vectors as of the real Letter data, 40 %.
        "letter-like": classification(
            *("letter-like", 20_000, 16, 10.0),
            n_informative=14,
            n_redundant=2,
            n_classes=26,
            class_sep=2.5,
        ),
        "digits": digits,
        "clothes": clothes,
        "mnist-poly": mnist_poly,
        "mnist-gradient": mnist_gradient,
    }
)
