"""All that is known of a data set, as text and JSON, and a sheet of its images."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mnist_svm._types import Images
from mnist_svm.datasets.types import LabelledImages
from mnist_svm.evaluation.doubts import Doubt, order_names
from mnist_svm.evaluation.findings import Finding
from mnist_svm.evaluation.inspection import PartFacts
from mnist_svm.exceptions import sanitize

if TYPE_CHECKING:
    from PIL.Image import Image

# Columns of the text, and classes that have a line each, or lines that all of them have.
WIDTH, MAX_CLASS_LINES = 100, 12

# Images of each class on a sheet, in a row; classes that are drawn or listed, at most.
N_OF_CLASS, MAX_CLASSES = 10, 100
# Doubtful images of a part that are drawn, at most: larger sheets do not open everywhere.
MAX_DOUBTS = 500
# Greatest lengths of a caption, and of the name of the data set in the title, in pixels.
MAX_CAPTION, MAX_NAME = 90, 500


@dataclass(frozen=True)
class Inspection:
    """A data set, inspected.

    Attributes
    ----------
    data : name or path
    form : what kind of file or folder it is
    model : what the model is called that read it
    parts : facts of each part
    findings : the faults, the gravest first
    doubts : by part, the labels that the model doubts most
    read_as : by part, what to say of how it was read, such as "out of fold"
    """

    data: str
    form: str
    model: str
    parts: Sequence[PartFacts]
    findings: Sequence[Finding]
    doubts: Mapping[str, Sequence[Doubt]]
    read_as: Mapping[str, str]

    @property
    def has_faults(self) -> bool:
        """Whether a finding is more than a remark."""
        return any(finding.severity != "remark" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON types."""
        return {
            "data": self.data,
            "form": self.form,
            "model": self.model,
            "parts": [
                {**part.to_dict(), "read_as": self.read_as.get(part.name)} for part in self.parts
            ],
            "findings": [finding.to_dict() for finding in self.findings],
            "doubts": [
                {"part": name, **asdict(doubt)}
                for name, doubts in self.doubts.items()
                for doubt in doubts
            ],
        }

    def to_text(self) -> str:
        """Return everything as text, about one screen for ten classes."""
        lines = [f"{self.data}: {self.form}"]
        for part in self.parts:
            where = "" if part.name == "all" else f"{part.name} "
            lines += [f"Read as: {where}{notice}" for notice in part.notices]
        lines += ["", *self._table()]
        for reason in dict.fromkeys(part.not_read for part in self.parts if part.not_read):
            lines += ["", f"Labels are not compared with what the model reads: {reason}"]
        if any(self.doubts.values()):
            lines += ["", f"Labels that {self.model} doubts most", *self._doubt_lines()]
        lines.append("")
        if not self.has_faults:
            lines.append("No faults found.")
        for finding in self.findings:
            lines += textwrap.wrap(finding.to_line(), WIDTH, subsequent_indent=" " * 9)
        # Names from files must not control the terminal.
        return "\n".join(map(sanitize, lines))

    def _table(self) -> list[str]:
        names = order_names({name for part in self.parts for name in part.names})
        rows = [("", *(part.name for part in self.parts))]
        rows.append(("images", *(f"{part.n:,}" for part in self.parts)))
        if names:
            counts = [sum(n > 0 for n in part.counts.values()) for part in self.parts]
            rows.append(("classes", *map(str, counts)))
        if len(names) <= MAX_CLASS_LINES:
            rows += [
                (f"  {name}", *(f"{part.counts.get(name, 0):,}" for part in self.parts))
                for name in names
            ]
        if any(part.sizes for part in self.parts):
            rows.append(("pictures", *(_describe_sizes(part.sizes) for part in self.parts)))
        cells = [dict(_facts(part, self.read_as.get(part.name, ""))) for part in self.parts]
        rows += [(key, *(cell[key] for cell in cells)) for key in cells[0]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                [first.ljust(widths[0]), *(x.rjust(w) for x, w in zip(rest, widths[1:]))]
            ).rstrip()
            for first, *rest in rows
        ]
        if len(names) > MAX_CLASS_LINES:
            listed = ", ".join(
                f"{name} " + " + ".join(f"{part.counts.get(name, 0):,}" for part in self.parts)
                for name in names[:MAX_CLASSES]
            )
            lines += ["", *textwrap.wrap(f"Classes: {listed}", WIDTH, max_lines=MAX_CLASS_LINES)]
        return lines

    def _doubt_lines(self) -> Iterator[str]:
        for name, doubts in self.doubts.items():
            start = "" if name == "all" else f"{name} "
            for doubt in doubts:
                yield (
                    f"  {start:<6}{doubt.index:>6}  label {doubt.label}, read as {doubt.read}, "
                    f"confidence {doubt.confidence:.4f}  {doubt.file}".rstrip()
                )


def _describe_sizes(sizes: Mapping[tuple[int, int], int]) -> str:
    """Return the sizes of pictures, width by height, in a few words."""
    if not sizes:
        return ""
    heights, widths = zip(*sizes, strict=True)
    low, high = f"{min(widths)} x {min(heights)}", f"{max(widths)} x {max(heights)}"
    return low if low == high else f"{low} to {high}"


def _facts(part: PartFacts, read_as: str) -> Iterator[tuple[str, str]]:
    """Yield what each row of the table says of a part."""
    levels = np.flatnonzero(part.measures.levels)
    faulty = part.n_faulty
    yield "grey levels", f"{len(levels)} from {levels[0]} to {levels[-1]}"
    if faulty["dark_ink"] == 0:
        yield "ink", "dark, inverted" if part.inverted else "bright"
    else:
        yield "ink", "dark" if faulty["dark_ink"] == part.n else f"{faulty['dark_ink']:,} dark"
    yield "on grey, framed", f"{faulty['grey_ground']:,}, {faulty['framed']:,}"
    yield "blank, noise", f"{faulty['blank']:,}, {faulty['noise']:,}"
    yield "in MNIST form", f"{part.in_mnist_form:.1%}"
    yield "copies", f"{part.n_copies:,}"
    if part.readings is None:
        yield "read right", "-"
    else:
        yield "read right", f"{part.readings.accuracy:.2%}" + (f" {read_as}" if read_as else "")


class SheetImage(NamedTuple):
    """An image of a contact sheet, uint8 of shape (28, 28), and what is written below it."""

    image: Images
    caption: str
    is_doubtful: bool = False


def choose_for_sheet(
    part: PartFacts, content: LabelledImages, doubts: Sequence[Doubt]
) -> list[SheetImage]:
    """Choose images of a part for a sheet.

    First `N_OF_CLASS` images of each class, spread over the part, in a row of their own; then the
    doubtful ones, with the label and what is read.
    """
    blank = SheetImage(np.zeros_like(content.images[0]), "")
    labels = np.zeros(part.n, np.intp) if part.labels is None else part.labels
    names = part.names or ("",)
    chosen: list[SheetImage] = []
    for code in np.unique(labels)[:MAX_CLASSES].tolist():
        rows = np.flatnonzero(labels == code)
        spread = rows[np.linspace(0, len(rows) - 1, min(N_OF_CLASS, len(rows))).astype(np.intp)]
        chosen += [SheetImage(content.images[row], names[code]) for row in spread]
        chosen += [blank] * (N_OF_CLASS - len(spread))
    for doubt in doubts[:MAX_DOUBTS]:
        caption = f"{doubt.label} read {doubt.read}"
        chosen.append(SheetImage(content.images[doubt.index], caption, is_doubtful=True))
    return chosen + [blank] * (-len(chosen) % N_OF_CLASS)


def draw_sheet(chosen: Sequence[SheetImage], data: str) -> Image:
    """Draw images of a data set that `choose_for_sheet` chose, ten in a row."""
    from mnist_svm.drawing.contact_sheet import FONT_SIZE, draw_contact_sheet
    from mnist_svm.drawing.text import shorten_text

    name = shorten_text(data, FONT_SIZE, MAX_NAME)
    return draw_contact_sheet(
        np.stack([each.image for each in chosen]),
        [shorten_text(each.caption, FONT_SIZE, MAX_CAPTION) for each in chosen],
        title=f"{name}: images of each class, then doubtful labels",
        columns=N_OF_CLASS,
        is_red=[each.is_doubtful for each in chosen],
    )
