"""Fit the confidence of whole numbers, and print the constants of `recognition/scoring.py`.

    python -m tools.number_confidence --numbers FOLDER

Lines are drawn of the digits held out by `tools.no_digit_model`; of these, the shipped classifier
was trained on MNIST's, but not on those of styles. Pictures of FOLDER, of one number each, are
named NUMBER_anything. Each is read, and the logistic regression of whether the number is right on
the evidence for it is fitted: for single readings, of lines that are cut in one way or several, and
for those that were elected.
"""

from __future__ import annotations

import argparse
from itertools import chain
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mnist_svm.exceptions import PictureError
from mnist_svm.recognition.line import LineReading, elect, read_line
from mnist_svm.recognition.pages import N_WAYS, PageReader
from tools.labelled_numbers import drawn_lines, load_reader, pictures

# Inverse strength of the penalty of the coefficients.
C = 10.0


def main() -> None:
    """Read, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", type=Path, action="append", default=[])
    parser.add_argument("--lines", type=int, default=500, help="lines drawn")
    arguments = parser.parse_args()
    reader = load_reader()
    samples: dict[str, list[tuple[tuple[float, ...], bool]]] = {"SINGLE": [], "ELECTED": []}
    sources = [drawn_lines(arguments.lines, seed=7), *map(pictures, arguments.numbers)]
    for text, grey in chain.from_iterable(sources):
        try:
            _, lines, found = reader.find_readings(grey, is_line=True)
        except PictureError:
            continue
        for n_ways in (1, N_WAYS):
            for ways in reader.cut(lines, n_ways):
                reading = read_line(ways, reader.classes)
                if reading is not None:
                    samples["SINGLE"].append(_sample(reading, reader, text))
        for readings in found:
            if len(readings) > 1:
                samples["ELECTED"].append(_sample(elect(readings), reader, text))
    for name, pairs in samples.items():
        X, y = np.array([values for values, _ in pairs]), np.array([right for _, right in pairs])
        regression = LogisticRegression(C=C, fit_intercept=False, max_iter=5000).fit(X, y)
        area = roc_auc_score(y, regression.decision_function(X))
        constants = ", ".join(f"{value:.2f}" for value in regression.coef_[0])
        print(f"{name} = ({constants})  # {y.mean():.1%} of {len(y)} right, AUC {area:.3f}")


def _sample(reading: LineReading, reader: PageReader, text: str) -> tuple[tuple[float, ...], bool]:
    """Evidence for a number, and whether it is right."""
    return reading.evidence.values, reading.number(reader.classes).text == text


if __name__ == "__main__":
    main()
