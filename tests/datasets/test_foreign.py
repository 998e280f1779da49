"""Files of other kinds are refused by what they are, with what to do."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest

from mnist_svm import load_dataset
from mnist_svm.exceptions import FormatError
from tests.support.paths import DIGITS


def zipped(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "content")
    return out.getvalue()


def npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros((3, 28, 28), np.uint8))
    return out.getvalue()


FOREIGN = {
    "pickle": (pickle.dumps([1, 2]), "a Python pickle.*numpy.savez"),
    "pickle.gz": (gzip.compress(pickle.dumps([1, 2])), "a Python pickle.*numpy.savez"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file; save images and labels"),
    "npy": (npy(), "a single NumPy array, without labels"),
    "SQLite": (b"SQLite format 3\0" + bytes(100), "an SQLite database; export its table"),
    "Git LFS": (
        b"version https://git-lfs.github.com/spec/v1\n",
        "a pointer of Git LFS.*git lfs pull",
    ),
    "PDF": (b"%PDF-1.7\n", "a PDF file; use mnist-svm read"),
    "picture": (DIGITS[7].read_bytes(), "a single picture; for one, use mnist-svm predict"),
    "web page": (b"<!DOCTYPE html>\n<html>", "a web page, not the file that it offers; download"),
    "PyTorch": (zipped("archive/data.pkl"), "a file of PyTorch's"),
    "Excel": (zipped("[Content_Types].xml"), "an office document; save its table as a CSV file"),
    "RAR": (b"Rar!\x1a\x07\0", "RAR archives are not supported"),
}


@pytest.mark.parametrize(("content", "message"), FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_kind_is_named(tmp_path, content, message):
    path = tmp_path / "data"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        load_dataset(path)
