"""CSV files as other programs write them, made of MNIST digits."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnist_svm import Dataset, load_dataset
from mnist_svm.datasets import ends
from mnist_svm.datasets.formats.csv import read_csv
from mnist_svm.datasets.formats.csv_numbers import parse_whole_numbers
from mnist_svm.datasets.types import LabelledImages
from mnist_svm.exceptions import FormatError, MissingExtraError
from tests.support.any_shape import WORDS
from tests.support.mutation import MUTATIONS, N_EXAMPLES, fuzzed, mutated

N = 62
NAMES = [f"pixel{i}" for i in range(784)]


@pytest.fixture(scope="session")
def sample(test_set: Dataset) -> LabelledImages:
    return LabelledImages(test_set.images[:N], test_set.labels[:N])


def rows_of(sample: LabelledImages) -> list[list[str]]:
    """Return the label and the pixels of each image as texts."""
    table = np.column_stack([sample.labels, sample.images.reshape(len(sample.labels), 784)])
    return [[str(value) for value in row] for row in table.tolist()]


def text_of(
    sample: LabelledImages,
    separator: str = ",",
    *,
    cell=str,
    label=str,
    header=("label", *NAMES),
    order=range(785),
    end: str = "\n",
) -> str:
    """Return a table of the given columns of label and pixels, in their order."""
    rows = [[label(first), *map(cell, others)] for first, *others in rows_of(sample)]
    lines = [separator.join(header)] if header else []
    lines += [separator.join([row[column] for column in order]) for row in rows]
    return "".join(line + end for line in lines)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def assert_is_sample(found: LabelledImages, sample: LabelledImages) -> None:
    np.testing.assert_array_equal(found.images, sample.images)
    np.testing.assert_array_equal(found.labels, sample.labels)


def quoted(text: str) -> str:
    return f'"{text}"'


def savetxt(sample: LabelledImages, **options: object) -> str:
    out = io.StringIO()
    table = np.column_stack([sample.labels, sample.images.reshape(len(sample.labels), 784)])
    np.savetxt(out, table, **options)
    return out.getvalue()


HEADER = ",".join(["label", *NAMES])
FORMS = {
    "np.savetxt": lambda s: savetxt(s, delimiter=","),
    "np.savetxt with a header": lambda s: savetxt(s, delimiter=",", fmt="%d", header=HEADER),
    "np.savetxt with blanks": lambda s: savetxt(s, fmt="%d"),
    "np.savetxt with its defaults": savetxt,
    "np.savetxt in columns": lambda s: savetxt(s, fmt="%3d"),
    "np.savetxt with a footer": lambda s: savetxt(s, delimiter=",", fmt="%d", footer="the end"),
    "several comments": lambda s: "# digits\n#\n# " + text_of(s, end="\n# a comment\n"),
    "all quoted": lambda s: text_of(s, cell=quoted, label=quoted),
    "words quoted": lambda s: text_of(s, label=quoted, header=[quoted("label"), *NAMES]),
    "quotes with blanks": lambda s: text_of(s, ", ", cell=quoted, label=quoted),
    "one value quoted": lambda s: text_of(s).replace("\n7,0,", '\n7,"0",'),
    "single quotes around names": lambda s: text_of(s, header=[f"'{x}'" for x in ("y", *NAMES)]),
    "semicolons": lambda s: text_of(s, ";"),
    "a spreadsheet's separator": lambda s: "sep=;\r\n" + text_of(s, ";", end="\r\n"),
    "decimal commas": lambda s: text_of(s, ";", cell=lambda x: f"{x},0", label=lambda x: f"{x},0"),
    "tabs": lambda s: text_of(s, "\t"),
    "tabs and decimal commas": lambda s: text_of(s, "\t", cell=lambda x: f"{x},00"),
    "bars": lambda s: text_of(s, "|"),
    "blanks": lambda s: text_of(s, " "),
    "commas and blanks": lambda s: text_of(s, " ,  "),
    "trailing commas": lambda s: text_of(s, end=",\n"),
    "trailing commas in rows": lambda s: text_of(s, end=",\n").replace(",\n", "\n", 1),
    "trailing commas, no header": lambda s: text_of(s, end=",\n", header=()),
    "UTF-8 with a mark": lambda s: codecs.BOM_UTF8 + text_of(s).encode(),
    "UTF-16": lambda s: text_of(s).encode("utf-16"),
    "UTF-16 big-endian": lambda s: codecs.BOM_UTF16_BE + text_of(s).encode("utf-16-be"),
    "UTF-16 with tabs of a spreadsheet": lambda s: text_of(s, "\t", end="\r\n").encode("utf-16"),
    "Windows": lambda s: text_of(s, end="\r\n"),
    "old Macs": lambda s: text_of(s, end="\r"),
    "fractions": lambda s: text_of(s, cell=lambda x: repr(int(x) / 255)),
    "rounded fractions": lambda s: text_of(s, cell=lambda x: f"{int(x) / 255:.4f}"),
    "fractions with exponents": lambda s: text_of(s, cell=lambda x: f"{int(x) / 255:.6e}"),
    "fractions, no header": lambda s: text_of(s, cell=lambda x: repr(int(x) / 255), header=()),
    "fractions with decimal commas": lambda s: text_of(
        s, ";", cell=lambda x: repr(int(x) / 255).replace(".", ",")
    ),
    "floats": lambda s: text_of(s, cell=lambda x: f"{x}.0", label=lambda x: f"{x}.0"),
    "leading zeros": lambda s: text_of(s, cell=lambda x: x.zfill(3)),
    "signs": lambda s: text_of(s, cell=lambda x: f"+{x}"),
    "no header": lambda s: text_of(s, header=()),
    "label last, no header": lambda s: text_of(s, header=(), order=[*range(1, 785), 0]),
    "label last, no header, floats": lambda s: text_of(
        s, header=(), order=[*range(1, 785), 0], cell=lambda x: f"{x}.0"
    ),
    "label last, no header, fractions": lambda s: text_of(
        s, header=(), order=[*range(1, 785), 0], cell=lambda x: repr(int(x) / 255)
    ),
    "label last, names V1 to V785": lambda s: text_of(
        s, header=[f"V{i}" for i in range(1, 786)], order=[*range(1, 785), 0]
    ),
    "an index and a label": lambda s: (
        "," + text_of(s, header=("label", *NAMES)).replace("\n", "\n12345,", N)
    ),
    "gzip": lambda s: gzip.compress(text_of(s).encode()),
    "Zstandard": lambda s: zstd(text_of(s).encode()),
    "bzip2": lambda s: bz2.compress(text_of(s).encode()),
}


def zstd(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_other_programs_are_read(tmp_path, sample, form):
    path = write(tmp_path / "digits.csv", FORMS[form](sample))
    assert_is_sample(load_dataset(path), sample)


@pytest.mark.parametrize("form", ["fractions", "np.savetxt"])
def test_a_form_that_many_blocks_have_is_read(tmp_path, test_set, form):
    many = LabelledImages(test_set.images[:400], test_set.labels[:400])
    assert_is_sample(read_csv(write(tmp_path / "digits.csv", FORMS[form](many))), many)


def test_fractions_without_two_alike_are_read(tmp_path, sample, monkeypatch):
    # Another parser is used where texts are not repeated.
    monkeypatch.setattr("mnist_svm.datasets.formats.csv_table._Numbers.max_kept", 9)
    monkeypatch.setattr("mnist_svm.datasets.formats.csv_table._Numbers.max_parsed", 9)
    many = LabelledImages(np.repeat(sample.images, 3, 0), np.repeat(sample.labels, 3))
    rng = np.random.default_rng(0)
    text = text_of(many, ";", cell=lambda x: f"{int(x) / 255 + 1e-4 * rng.random():.9f}")
    text = text.replace("1.0000", "0.9999").replace(".", ",")
    assert_is_sample(read_csv(write(tmp_path / "digits.csv", text)), many)


# Columns.


def numbers_by_name(names: list[str]) -> list[int]:
    """Return the order of the columns when they are sorted by name."""
    return sorted(range(len(names)), key=names.__getitem__)


def shuffled(names: list[str]) -> list[int]:
    return np.random.default_rng(0).permutation(len(names)).tolist()


SERIES = {
    "pixel0": NAMES,
    "pixel1": [f"pixel{i + 1}" for i in range(784)],
    "px_000": [f"px_{i:03}" for i in range(784)],
    "x2": [f"x{i + 2}" for i in range(784)],
    "1x1": [f"{r + 1}x{c + 1}" for r, c in product(range(28), repeat=2)],
    "r0_c0": [f"r{r}_c{c}" for r, c in product(range(28), repeat=2)],
    "28x28 pixel0": [f"28x28 pixel{i}" for i in range(784)],
    "column and row": [f"col{c}_row{r}" for r, c in product(range(28), repeat=2)],
    "0": [str(i) for i in range(784)],
}


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("arrange", [numbers_by_name, shuffled])
def test_numbered_columns_are_sorted(tmp_path, sample, series, arrange):
    names = ["class", *SERIES[series]]
    order = arrange(names)
    text = text_of(sample, header=[names[column] for column in order], order=order)
    found = read_csv(write(tmp_path / "digits.csv", text))
    assert_is_sample(found, sample)
    is_sorted = (series, arrange) == ("px_000", numbers_by_name)
    notice = "has its pixel columns in another order; sorted by their numbers"
    assert found.notices == (() if is_sorted else (notice,))


UNCLEAR = {
    "a number twice": ["pixel0", *NAMES[:-1]],
    "half numbered": [*"abcd", *NAMES[4:]],
    "a gap": [*NAMES[:-1], "pixel900"],
    "two series": [*NAMES[:400], *(f"px{i}" for i in range(400, 784))],
    "a name of pandas for twins": [*NAMES[:-1], "pixel0.1"],
    "row or column": [f"{c}x{r}" for r, c in product(range(28), repeat=2)],
    "x or y": [f"x{r}y{c}" for r, c in product(range(28), repeat=2)],
    "the same name": ["a"] * 784,
}


@pytest.mark.parametrize("names", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_order_of_columns_is_refused(tmp_path, sample, names):
    path = write(tmp_path / "digits.csv", text_of(sample, header=["label", *names]))
    with pytest.raises(FormatError, match=r"line 1: .*(unclear|same number|have gaps)") as error:
        read_csv(path)
    assert "name them pixel0 to pixel783" in str(error.value)


def test_columns_without_numbers_are_taken_as_they_stand(tmp_path, sample):
    letters = [f"p{a}{b}" for a, b in product("abcdefghijklmnopqrstuvwxyzäö", repeat=2)]
    found = read_csv(write(tmp_path / "a.csv", text_of(sample, header=["label", *letters])))
    assert_is_sample(found, sample)
    assert found.notices == ("has pixel columns without numbers; taken in the order of the table",)


def test_other_columns_beside_the_pixels_are_left_out(tmp_path, sample):
    lines = text_of(sample).splitlines()
    lines = [f"{'path' if not i else quoted('a, b.png')},{x},{'fold'}" for i, x in enumerate(lines)]
    found = read_csv(write(tmp_path / "digits.csv", "\n".join(lines)))
    assert_is_sample(found, sample)
    assert found.notices == ("has other columns, which are left out: path, fold",)


@pytest.mark.parametrize(
    "name", ["label", "# Label", " CLASS ", '"digit"', "Y", "labels", "target"]
)
def test_names_of_the_label(tmp_path, sample, name):
    text = text_of(sample, header=[*NAMES, name], order=[*range(1, 785), 0])
    assert_is_sample(read_csv(write(tmp_path / "digits.csv", text)), sample)


# Labels.


def test_labels_that_are_words_are_ranked(tmp_path, sample):
    text = text_of(sample, label=lambda x: WORDS[int(x)])
    found = read_csv(write(tmp_path / "digits.csv", text))
    assert found.class_names == dict(enumerate(sorted(WORDS)))
    names = [found.class_names[label] for label in found.labels.tolist()]
    assert names == [WORDS[label] for label in sample.labels]


@pytest.mark.parametrize("order", [range(785), [*range(1, 785), 0]], ids=["first", "last"])
def test_words_without_a_header_are_labels(tmp_path, sample, order):
    text = text_of(sample, label=lambda x: WORDS[int(x)], header=(), order=order)
    found = load_dataset(write(tmp_path / "digits.csv", text))
    assert_is_sample(found, sample)


def test_numbers_and_words_are_classes(tmp_path, sample):
    text = text_of(sample, label=lambda x: "A" if x == "1" else f"{x}.0")
    found = read_csv(write(tmp_path / "digits.csv", text))
    assert found.class_names == dict(enumerate("023456789A"))


@pytest.mark.parametrize("label", ["", "nan", "NA", "None", "-1", "0.5", "1e30", "?", "null"])
def test_a_missing_label_is_refused(tmp_path, sample, label):
    lines = text_of(sample).splitlines()
    lines[3] = label + lines[3][1:]
    with pytest.raises(FormatError, match=rf"line 4.*found '{label.replace('?', '.')}'"):
        read_csv(write(tmp_path / "digits.csv", "\n".join(lines)))


def test_labels_of_many_digits_are_read(tmp_path, sample):
    text = text_of(sample, label=lambda x: f"12345{x}")
    found = read_csv(write(tmp_path / "digits.csv", text))
    np.testing.assert_array_equal(found.labels, 123450 + sample.labels)


# Labels in the first or the last column of a file without names.

LABEL_FIRST, LABEL_LAST = range(785), [*range(1, 785), 0]


def framed(sample: LabelledImages) -> LabelledImages:
    """Return images with noise on a grey ground, of which no two corners are alike."""
    noise = np.random.default_rng(0).integers(90, 130, sample.images.shape, dtype=np.uint8)
    return LabelledImages(np.maximum(sample.images, noise), sample.labels)


SETS = {
    "digits": lambda s: s,
    "inverted": lambda s: LabelledImages(255 - s.images, s.labels),
    "grey ground": framed,
    "two classes": lambda s: LabelledImages(s.images, s.labels % 2),
    "black and white": lambda s: LabelledImages(255 * (s.images > 127).astype("u1"), s.labels),
}


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("order", [LABEL_FIRST, LABEL_LAST], ids=["first", "last"])
def test_the_end_with_the_labels_is_recognised(tmp_path, sample, kind, order):
    images = SETS[kind](sample)
    found = read_csv(write(tmp_path / "a.csv", text_of(images, header=(), order=order)))
    assert_is_sample(found, images)
    is_last = order is LABEL_LAST
    assert found.notices == ("has no header and its labels in the last column",) * is_last


def only(sample: LabelledImages, digit: int) -> LabelledImages:
    return LabelledImages(
        sample.images[sample.labels == digit], sample.labels[sample.labels == digit]
    )


UNCLEAR_SETS = {
    "only zeros": lambda s: (only(s, 0), LABEL_FIRST),
    "only sevens, label last": lambda s: (only(s, 7), LABEL_LAST),
    "noise without a label": lambda s: (
        LabelledImages(s.images, framed(s).images[:, 0, 0]),
        LABEL_LAST,
    ),
    "rows that have names": lambda s: (
        LabelledImages(s.images, np.array([f"image_{i}" for i in range(N)])),
        LABEL_FIRST,
    ),
    "rows that are numbered": lambda s: (LabelledImages(s.images, np.arange(N)), LABEL_FIRST),
}


@pytest.mark.parametrize("kind", UNCLEAR_SETS)
def test_labels_at_an_unclear_end_are_refused(tmp_path, sample, kind):
    images, order = UNCLEAR_SETS[kind](sample)
    if kind == "noise without a label":
        images = LabelledImages(framed(sample).images, images.labels)
    path = write(tmp_path / "a.csv", text_of(images, header=(), order=order))
    with pytest.raises(FormatError, match=r"no column names, and its labels may .*; add a first"):
        read_csv(path)


def test_a_wrong_pixel_at_the_end_does_not_make_it_the_label(tmp_path, sample):
    lines = text_of(sample, header=()).splitlines()
    lines[4] = lines[4][:-1] + "256"
    with pytest.raises(FormatError, match=r"line 5, column 785: expected a pixel.* found '256'"):
        read_csv(write(tmp_path / "a.csv", "\n".join(lines)))


def test_images_with_their_labels_last_are_completed_in_blocks(tmp_path, sample, monkeypatch):
    monkeypatch.setattr(ends, "ROWS_PER_BLOCK", 3)
    text = text_of(sample, header=(), order=LABEL_LAST)
    assert_is_sample(read_csv(write(tmp_path / "a.csv", text)), sample)


# Errors.

ROW = "7," + ",".join(["0"] * 400 + ["255"] * 384)
BAD_ROWS = {
    "two numbers in a quoted cell": ('7,"0,0"' + ROW[3:], "found '0,0'"),
    "two numbers in a cell": (ROW.replace(",0,", ",0 0,", 1), "column 2 .*found '0 0'"),
    "a missing cell": (ROW.replace(",0,", ",,", 1), "column 2 .*found ''"),
    "nan": (ROW.replace(",0,", ",nan,", 1), "column 2 .*found 'nan'"),
    "infinite": (ROW.replace(",0,", ",inf,", 1), "column 2 .*found 'inf'"),
    "negative": (ROW.replace(",0,", ",-1,", 1), "column 2 .*found '-1'"),
    "too bright": (ROW.replace(",255,", ",256,", 1), "column 402 .*found '256'"),
    "many digits": (ROW.replace(",255,", ",0255000,", 1), "column 402 .*found '0255000'"),
    "a fraction among whole numbers": (ROW.replace(",255,", ",0.5,", 1), "found '0.5'"),
    "underscores": (ROW.replace(",255,", ",2_5,", 1), "column 402 .*found '2_5'"),
    "hexadecimal": (ROW.replace(",255,", ",0x1,", 1), "column 402 .*found '0x1'"),
    "quotes that do not match": ('"' + ROW, "line 3: quotes that do not match"),
    "a quote within a number": (ROW.replace(",255,", ',2"5,', 1), "found '2\"5'"),
    "a missing last value": (ROW[:-3], "column 785 .*found ''"),
    "another separator": (ROW.replace(",", ";"), "expected 785 values, found 1 value"),
    "a header once more": (HEADER, r"column 2 \(pixel0\): .* found 'pixel0'"),
    "Latin-1": ("\xe9".encode("latin-1") + ROW.encode(), "line 3: not text in UTF-8"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
@pytest.mark.parametrize("form", [str, quoted], ids=["plain", "quoted"])
def test_an_invalid_line_is_named(tmp_path, case, form):
    row, message = BAD_ROWS[case]
    row = row.encode() if isinstance(row, str) else row
    good = ",".join(map(form, ROW.split(",")))
    path = write(tmp_path / "a.csv", b"\n".join([f"{HEADER}\n{good}".encode(), row, good.encode()]))
    with pytest.raises(FormatError, match=message) as error:
        read_csv(path)
    assert str(error.value).startswith(f"{path}: line 3")
    assert "\n" not in str(error.value)


FIRST = {
    "standardized": ("-0.4242", "found '-0.4242'"),
    "16 bits": ("65535", "found '65535'"),
    "between 1 and 2": ("1.5", "found '1.5'"),
}


@pytest.mark.parametrize(("value", "message"), FIRST.values(), ids=FIRST)
def test_another_range_is_refused(tmp_path, value, message):
    text = f"{HEADER}\n{ROW}\n".replace(",0,", f",{value},", 3)
    with pytest.raises(FormatError, match=f"line 2, column 2 .*{message}"):
        read_csv(write(tmp_path / "a.csv", text))


def test_a_mixture_of_ranges_is_refused(tmp_path, sample):
    fractions = text_of(sample, cell=lambda x: repr(int(x) / 255))
    whole = text_of(sample, header=())
    for text, message in (
        (
            fractions + whole,
            f"line {N + 2}, .* expected a number from 0 to 1, as .* fraction of 255",
        ),
        (
            HEADER + "\n" + whole + fractions.split("\n", 1)[1],
            f"line {N + 2}, .* expected a whole number",
        ),
    ):
        with pytest.raises(FormatError, match=message):
            read_csv(write(tmp_path / "a.csv", text))


def test_pixels_that_were_divided_twice_are_refused(tmp_path, sample):
    text = text_of(sample, cell=lambda x: repr(int(x) / 255 / 255))
    with pytest.raises(FormatError, match=r"a.csv: .*they were divided by 255 twice"):
        read_csv(write(tmp_path / "a.csv", text))


def test_damaged_utf16_is_refused(tmp_path, sample):
    content = text_of(sample).encode("utf-16")
    with pytest.raises(FormatError, match=r"a.csv: damaged text in UTF-16"):
        read_csv(write(tmp_path / "a.csv", content[:-1]))


def test_truncated_zstandard_is_refused(tmp_path, sample):
    content = zstd(text_of(sample).encode())
    with pytest.raises(FormatError, match=r"a.csv.zst: damaged or truncated"):
        read_csv(write(tmp_path / "a.csv.zst", content[:-30]))


def test_zstandard_without_a_package_says_what_to_install(tmp_path, sample, monkeypatch):
    path = write(tmp_path / "a.csv.zst", zstd(text_of(sample).encode()))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(MissingExtraError, match=r"a.csv.zst: .*pip install 'mnist-svm\[parquet\]'"):
        read_csv(path)


def test_the_names_in_a_comment_must_be_as_many_as_values(tmp_path, sample):
    text = "# label," + ",".join(NAMES) + "\n" + text_of(sample, header=(), order=range(1, 785))
    with pytest.raises(FormatError, match=r"line 1: expected the names of 784 columns.* found 785"):
        read_csv(write(tmp_path / "a.csv", text))


# Speed and memory.


@pytest.mark.parametrize(
    "form", ["semicolons", "all quoted", "floats", "blanks", "trailing commas"]
)
def test_whole_numbers_of_any_form_take_the_fast_way(sample, form):
    lines = FORMS[form](sample).split("\n", 1)[1]
    separator = {"semicolons": ";", "blanks": None}.get(form, ",")
    values = parse_whole_numbers(lines.encode(), 785, separator)
    np.testing.assert_array_equal(values[:, 0], sample.labels)
    np.testing.assert_array_equal(values[:, 1:], sample.images.reshape(-1, 784))


@pytest.mark.parametrize(
    "piece",
    [
        *(
            b",1\n",
            b"1,\n",
            b"1\n2\n",
            b"1,2,3\n4\n",
            b"1,1234\n",
            b"1,-2\n",
            b"1,2 3\n",
            b"\n1,2\n",
        ),
        *(b'"1,2"\n', b'"1","2\n', b'1","2\n', b'"1,2","3,4"\n', b"1,.0\n", b"1.5,2\n", b"1;2\n"),
    ],
)
def test_lines_that_are_not_clear_are_left_to_the_general_way(piece):
    assert parse_whole_numbers(piece, 2, ",") is None


def test_columns_to_be_skipped_may_have_many_digits():
    values = parse_whole_numbers(b"123456,7\n12,255\n", 2, ",", {0})
    np.testing.assert_array_equal(values[:, 1], [7, 255])
    assert parse_whole_numbers(b"7,123456\n", 2, ",", {0}) is None


@pytest.mark.slow
@pytest.mark.parametrize("order", [LABEL_FIRST, LABEL_LAST], ids=["first", "last"])
def test_a_large_file_without_header_takes_the_memory_of_its_arrays(tmp_path, train_set, order):
    few = LabelledImages(train_set.images[:2000], train_set.labels[:2000])
    path = tmp_path / "train.csv"
    text = text_of(few, header=(), order=order)
    with path.open("w") as file:
        for _ in range(20):
            file.write(text)
    script = f"""
import re
from pathlib import Path
from mnist_svm.datasets.formats.csv import read_csv
# The peak of getrusage may be that of the parent process.
peak = lambda: int(re.search("VmHWM: *\\t* *([0-9]+)", Path("/proc/self/status").read_text())[1])
before = peak()
found = read_csv({str(path)!r})
print((peak() - before) * 1024 - found.images.nbytes - found.labels.nbytes)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert int(done.stdout) < 32 << 20, done.stderr


# Damaged files.

MUTATED_FORMS = (
    "all quoted",
    "semicolons",
    "UTF-16",
    "Zstandard",
    "np.savetxt",
    "fractions, no header",
    "label last, no header",
    "np.savetxt with blanks",
)


@pytest.mark.fuzz
@settings(fuzzed, max_examples=3 * N_EXAMPLES)
@given(mutations=MUTATIONS, form=st.sampled_from(MUTATED_FORMS))
@example(mutations=[(0.5, "insert", b'"')], form="all quoted")
def test_a_mutated_file_is_read_or_refused_and_nothing_else(tmp_path, sample, form, mutations):
    few = LabelledImages(sample.images[:5], sample.labels[:5])
    path = write(tmp_path / "mutated", mutated(content_of(form, few), mutations))
    refused, found = None, None
    try:
        found = read_csv(path)
    except FormatError as error:
        refused = str(error)
    if found is None:
        assert refused.startswith(str(path))
        assert "\n" not in refused
    else:
        assert found.images.shape[1:] == (28, 28)
        assert found.labels is None or len(found.labels) == len(found.images)


_CONTENTS: dict[str, bytes] = {}


def content_of(form: str, few: LabelledImages) -> bytes:
    if form not in _CONTENTS:
        content = FORMS[form](few)
        _CONTENTS[form] = content if isinstance(content, bytes) else content.encode()
    return _CONTENTS[form]
