"""Names of classes: which of them mean digits, and one list for all parts of a data set."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mnist_svm._types import Labels
from mnist_svm.exceptions import sanitize

# Names of the digits 0 to 9, without accents and in lower case: in English, German, French,
# Spanish, Portuguese, Italian, Dutch, Swedish, Danish, Norwegian, Polish, Turkish, Indonesian.
_DIGIT_WORDS = (
    "zero null nul nulla zéro cero noll nula sifir nol oh",
    "one eins ein un une uno um uma een en ett et jeden bir satu",
    "two zwei deux dos dois duas due twee två to dwa iki dua",
    "three drei trois tres três tre drie trzy üç tiga",
    "four vier quatre cuatro quatro quattro fyra fire cztery dört empat",
    "five fünf fuenf cinq cinco cinque vijf fem pięć beş lima",
    "six sechs seis sei zes sex seks sześć alti enam",
    "seven sieben sept siete sete sette zeven sju syv siedem yedi tujuh",
    "eight acht huit ocho oito otto åtta otte åtte osiem sekiz delapan",
    "nine neun neuf nueve nove negen nio ni dziewięć dokuz sembilan",
)
# Words beside a number or the name of a digit that say no more: "digit_7", "class 7", "n7".
_FILLER_WORDS = (
    "digit digits class label number num no nr n d c ziffer zahl klasse chiffre classe "
    "cijfer cifra numero digito clase siffra rakam sample img"
)
_FILLERS = frozenset(_FILLER_WORDS.split())
# Larger numbers are no labels.
_LARGEST = 1_000_000_000


def _plain(text: str) -> str:
    """Return text in lower case, without accents and in compatible characters."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c for c in decomposed if not unicodedata.combining(c))
    return kept.translate(
        {ord("\N{LATIN SMALL LETTER DOTLESS I}"): "i", ord("ł"): "l", ord("ø"): "o"}
    )


_DIGITS = {_plain(word): d for d, words in enumerate(_DIGIT_WORDS) for word in words.split()}


def number_meant(name: str) -> int | None:
    """Return the number that the name of a class means, or None.

    A number is meant by decimals ("7", "007", "7.0"), by the name of a digit in one of 13
    languages ("seven", "sieben", "Sept"), and by both beside each other or beside words such as
    "digit" and "class" ("digit_7", "7 - seven", "n7"); not by any other word beside it ("7up").
    """
    text = re.sub(r"(\d)\.0+(?!\d)", r"\1", _plain(name))
    meant: set[int] = set()
    for token in re.findall(r"\d+|[^\W\d_]+", text):
        if token.isdecimal():
            meant.add(int(token))
        elif token in _DIGITS and not (token in _FILLERS and meant):
            meant.add(_DIGITS[token])
        elif token not in _FILLERS:
            return None
    # A sign or a symbol may mean another class.
    if len(meant) != 1 or re.search(r"[^\w\s.\-()\[\]:,#]", text) or text.lstrip()[:1] == "-":
        return None
    (number,) = meant
    return number if number < _LARGEST else None


def settle_classes(
    parts: Sequence[Mapping[int, str]],
) -> tuple[list[dict[int, int]], dict[int, str]]:
    """Return one numbering of the classes for all parts of a data set.

    Names that mean numbers become these numbers, and words beside them the numbers that follow. If
    all are words, labels stay as they are if the parts agree in the name of each; otherwise they
    are the ranks of the names of all parts.

    Parameters
    ----------
    parts : sequence of mappings of label to name
        The classes of each part.

    Returns
    -------
    new_labels : for each part, the new label of each label
    class_names : name of each new label, where it is not the label itself
    """
    names = sorted({name for part in parts for name in part.values()})
    numbers = {name: number for name in names if (number := number_meant(name)) is not None}
    words = [name for name in names if name not in numbers]
    merged = {label: name for part in parts for label, name in part.items()}
    agree = all(merged[label] == name for part in parts for label, name in part.items())
    if not numbers and agree:
        return [{label: label for label in part} for part in parts], merged
    first = max(numbers.values(), default=-1) + 1
    codes = {**numbers, **{word: first + rank for rank, word in enumerate(words)}}
    new_labels = [{label: codes[name] for label, name in part.items()} for part in parts]
    return new_labels, {codes[word]: word for word in words}


def recode(labels: Labels, new_labels: Mapping[int, int]) -> Labels:
    """Replace each label by its new one; all labels must have one."""
    old, codes = np.unique(labels, return_inverse=True)
    return np.array([new_labels[label] for label in old.tolist()], np.int64)[codes]


def list_names(names: Iterable[str], *, most: int = 12) -> str:
    """Return names separated by commas, for a message; only the first if there are many."""
    names = [sanitize(name, 40) for name in names]
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more
