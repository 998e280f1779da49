"""Archives of data sets, from friends and from strangers."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import tarfile
import tempfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_svm import Dataset, load_dataset, write_idx
from mnist_svm.datasets import unpack
from mnist_svm.datasets.formats.csv import write_csv
from mnist_svm.datasets.formats.folder import write_folder
from mnist_svm.datasets.load import load_images
from mnist_svm.datasets.reader import open_dataset
from mnist_svm.exceptions import DataMissingError, FormatError
from tests.support.mutation import MUTATIONS, assert_read_or_refused, fuzzed, mutated
from tests.support.paths import ROOT

N = 40


@pytest.fixture(scope="module")
def digits(test_set: Dataset) -> Dataset:
    return Dataset("digits", test_set.images[:N], test_set.labels[:N], {})


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files, which must be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    # A traceback may keep the reader.
    gc.collect()
    assert not list(folder.iterdir())


def as_zip(path: Path, folder: Path, *, prefix: str = "", method=zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, prefix + str(file.relative_to(folder)))


def as_tar(path: Path, folder: Path, mode: str = "w", *, prefix: str = ".") -> None:
    with tarfile.open(path, mode) as archive:
        archive.add(folder, prefix)


def as_zstd(path: Path, folder: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.add(folder, ".")
    with pa.CompressedOutputStream(str(path), "zstd") as out:
        out.write(plain.getvalue())


PACKERS = {
    "a.zip": as_zip,
    "stored.zip": lambda path, folder: as_zip(path, folder, method=zipfile.ZIP_STORED),
    "xz.zip": lambda path, folder: as_zip(path, folder, method=zipfile.ZIP_LZMA),
    "bz2.zip": lambda path, folder: as_zip(path, folder, method=zipfile.ZIP_BZIP2),
    "below.zip": lambda path, folder: as_zip(path, folder, prefix="my digits/v1/"),
    "a.tar": as_tar,
    "below.tar": lambda path, folder: as_tar(path, folder, prefix="my digits"),
    "a.tar.gz": lambda path, folder: as_tar(path, folder, "w:gz"),
    "a.tgz": lambda path, folder: as_tar(path, folder, "w:gz"),
    "a.tar.bz2": lambda path, folder: as_tar(path, folder, "w:bz2"),
    "a.tar.xz": lambda path, folder: as_tar(path, folder, "w:xz"),
    "a.tar.zst": as_zstd,
    "no suffix": lambda path, folder: as_tar(path, folder, "w:xz"),
}


@pytest.mark.parametrize("name", PACKERS)
def test_every_kind_of_archive_is_read_like_its_folder(tmp_path, digits, name):
    write_folder(tmp_path / "pictures", digits.images, digits.labels)
    PACKERS[name](tmp_path / name, tmp_path / "pictures")
    dataset = load_dataset(tmp_path / name)
    np.testing.assert_array_equal(dataset.images, digits.images)
    np.testing.assert_array_equal(dataset.labels, digits.labels)


def kaggle(folder, digits):
    write_csv(folder / "train.csv", digits.images, digits.labels)
    write_csv(folder / "test.csv", digits.images[:9], None)
    (folder / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")


def idx(folder, digits):
    write_idx(folder / "train-images-idx3-ubyte", digits.images)
    write_idx(folder / "train-labels-idx1-ubyte", digits.labels.astype(np.uint8))


def one_csv(folder, digits):
    write_csv(folder / "digits.csv", digits.images, digits.labels)
    (folder / "README.md").write_text("# Digits")


def one_npz(folder, digits):
    np.savez(folder / "mnist.npz", x_train=digits.images, y_train=digits.labels)


def torchvision(folder, digits):
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (folder / "MNIST" / "processed").mkdir()
    idx(raw, digits)


CONTENTS = {
    "Kaggle's competition": kaggle,
    "IDX files": idx,
    "one CSV file": one_csv,
    "one NumPy archive": one_npz,
    "torchvision's folders": torchvision,
}


@pytest.mark.parametrize("pack", [as_zip, as_tar], ids=["zip", "tar"])
@pytest.mark.parametrize("write", CONTENTS.values(), ids=CONTENTS)
def test_every_form_is_read_from_an_archive(tmp_path, digits, write, pack):
    (tmp_path / "set").mkdir()
    write(tmp_path / "set", digits)
    pack(tmp_path / "archive", tmp_path / "set")
    dataset = load_dataset(tmp_path / "archive")
    np.testing.assert_array_equal(dataset.images, digits.images)
    np.testing.assert_array_equal(dataset.labels, digits.labels)


def test_the_competitions_test_images_are_read_without_labels(tmp_path, digits):
    (tmp_path / "set").mkdir()
    kaggle(tmp_path / "set", digits)
    as_zip(tmp_path / "digit-recognizer.zip", tmp_path / "set")
    images = load_images(tmp_path / "digit-recognizer.zip", split="test")
    np.testing.assert_array_equal(images, digits.images[:9])


@pytest.mark.parametrize("place", ["", "MNIST", "MNIST/raw"])
def test_torchvisions_folders_are_read_at_any_level(tmp_path, digits, place):
    torchvision(tmp_path / "data", digits)
    np.testing.assert_array_equal(load_dataset(tmp_path / "data" / place).labels, digits.labels)


def test_several_data_sets_in_sub_folders_are_refused_with_their_names(tmp_path, digits):
    for name in ("MNIST", "FashionMNIST"):
        (tmp_path / "data" / name / "raw").mkdir(parents=True)
        idx(tmp_path / "data" / name / "raw", digits)
    with pytest.raises(FormatError, match="in the folders FashionMNIST, MNIST"):
        load_dataset(tmp_path / "data")


def test_data_sets_in_folders_called_train_and_test_are_its_parts(tmp_path, digits):
    for name, n in (("train", N), ("valid", 5), ("test", 9)):
        (tmp_path / "data" / name).mkdir(parents=True)
        write_csv(tmp_path / "data" / name / "x.csv", digits.images[:n], digits.labels[:n])
    train = load_dataset(tmp_path / "data")
    assert len(train.labels) == N
    assert "has a validation set, which is left out; pass its folder to read it" in train.notices
    assert len(load_dataset(tmp_path / "data", split="test").labels) == 9


def test_files_of_any_form_called_train_and_test_are_its_parts(tmp_path, digits):
    """As a program for Kaggle's competitions downloads single files."""
    for name, n in (("train", N), ("test", 9)):
        write_csv(tmp_path / "x.csv", digits.images[:n], digits.labels[:n])
        (tmp_path / "data").mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / "data" / f"{name}.csv.zip", "w") as archive:
            archive.write(tmp_path / "x.csv", f"{name}.csv")
    (tmp_path / "data" / "sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    assert len(load_dataset(tmp_path / "data").labels) == N
    assert len(load_dataset(tmp_path / "data", split="test").labels) == 9


def test_several_files_of_one_split_are_no_data_set(tmp_path, digits):
    for name in ("train_a", "train_b"):
        np.savez(tmp_path / f"{name}.npz", images=digits.images, labels=digits.labels)
    with pytest.raises(DataMissingError, match="no data set in this folder"):
        load_dataset(tmp_path)


def test_the_temporary_folder_is_removed_with_the_reader(tmp_path, digits, temporary):
    write_folder(tmp_path / "pictures", digits.images, digits.labels)
    as_zip(tmp_path / "a.zip", tmp_path / "pictures")
    reader = open_dataset(tmp_path / "a.zip")
    assert len(list(temporary.iterdir())) == 1
    del reader
    assert not list(temporary.iterdir())


def test_the_temporary_folder_is_removed_at_exit(tmp_path, digits, temporary):
    write_folder(tmp_path / "pictures", digits.images, digits.labels)
    as_zip(tmp_path / "a.zip", tmp_path / "pictures")
    script = f"""
from mnist_svm.datasets.reader import open_dataset
import os, tempfile
reader = open_dataset({str(tmp_path / "a.zip")!r})
assert os.listdir(tempfile.gettempdir())
"""
    environment = {"TMPDIR": str(temporary), "PATH": ""}
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, env=environment)
    assert not list(temporary.iterdir())


def test_the_temporary_folder_is_removed_after_an_interrupt(tmp_path, digits, temporary):
    write_folder(tmp_path / "pictures", digits.images, digits.labels)
    as_zip(tmp_path / "a.zip", tmp_path / "pictures")
    script = f"""
import os, tempfile
from mnist_svm import __main__, cli
from mnist_svm.datasets.reader import open_dataset

def interrupted(prog_name):
    global reader
    reader = open_dataset({str(tmp_path / "a.zip")!r})
    assert os.listdir(tempfile.gettempdir())
    raise SystemExit(130)

cli.cli = interrupted
__main__.main()
"""
    environment = {"TMPDIR": str(temporary), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment)
    assert done.returncode == 130
    assert not list(temporary.iterdir())


# Wrong archives.


def test_errors_name_the_archive_in_place_of_the_temporary_folder(tmp_path, digits):
    write_folder(tmp_path / "pictures", digits.images, digits.labels)
    (tmp_path / "pictures" / "7" / "bad.png").write_text("text")
    as_zip(tmp_path / "a.zip", tmp_path / "pictures")
    with pytest.raises(FormatError, match=r"a.zip/7/bad.png: .*not a picture") as error:
        load_dataset(tmp_path / "a.zip")
    assert str(error.value).startswith(f"{tmp_path}/a.zip/")


def test_pictures_have_the_archive_in_their_names(tmp_path, digits):
    write_folder(tmp_path / "pictures", digits.images, digits.labels)
    as_zip(tmp_path / "a.zip", tmp_path / "pictures")
    pictures = open_dataset(tmp_path / "a.zip").read("train").pictures
    assert pictures.names[0] == f"{tmp_path}/a.zip/{digits.labels[0]}/00.png"


def test_an_archive_without_a_data_set_is_refused(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "notes.txt").write_text("nothing")
    as_zip(tmp_path / "a.zip", tmp_path / "set")
    with pytest.raises(DataMissingError, match=r"a.zip: no data set"):
        load_dataset(tmp_path / "a.zip")


def write_members(path: Path, *members: tuple[str, bytes], attributes: int = 0) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes
            archive.writestr(info, content)


BAD_NAMES = ["../evil.csv", "/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_out_of_a_zip_archive_are_refused(tmp_path, name):
    write_members(tmp_path / "a.zip", ("train.csv", b"x"), (name, b"x"))
    with pytest.raises(FormatError, match="its path leads out of the archive"):
        load_dataset(tmp_path / "a.zip")
    assert not list(tmp_path.rglob("evil.csv"))


def tar_member(path: Path, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member, io.BytesIO())


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_out_of_a_tar_archive_are_refused(tmp_path, name):
    tar_member(tmp_path / "a.tar", name)
    with pytest.raises(FormatError, match="its path leads out of the archive"):
        load_dataset(tmp_path / "a.tar")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_links_and_devices_in_a_tar_archive_are_refused(tmp_path, kind):
    tar_member(tmp_path / "a.tar", "train.csv", kind, "/etc/passwd")
    with pytest.raises(FormatError, match=r"a.tar: train.csv: neither a file nor a folder"):
        load_dataset(tmp_path / "a.tar")


def test_links_in_a_zip_archive_are_refused(tmp_path):
    write_members(tmp_path / "a.zip", ("train.csv", b"/etc/passwd"), attributes=0o120777 << 16)
    with pytest.raises(FormatError, match=r"a.zip: train.csv: neither a file nor a folder"):
        load_dataset(tmp_path / "a.zip")


@pytest.mark.parametrize("second", ["a.csv", "a.csv/b.csv"])
def test_names_that_exclude_each_other_are_refused(tmp_path, second):
    with warnings.catch_warnings(action="ignore"):
        write_members(tmp_path / "a.zip", ("a.csv", b"x"), (second, b"y"))
    with pytest.raises(FormatError, match=r"two files of this name|no file can have this name"):
        load_dataset(tmp_path / "a.zip")


def test_a_name_that_is_too_long_is_refused(tmp_path):
    write_members(tmp_path / "a.zip", ("a" * 300, b"x"))
    with pytest.raises(FormatError, match="no file can have this name here"):
        load_dataset(tmp_path / "a.zip")


def test_an_encrypted_archive_is_refused(tmp_path, digits):
    write_csv(tmp_path / "train.csv", digits.images, digits.labels)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "train.csv", "train.csv")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    # The flags of the member, in its own header and in the list of members.
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(FormatError, match="encrypted; unpack the archive with its password"):
        load_dataset(tmp_path / "a.zip")


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_truncated_archive_is_refused(tmp_path, digits, name, part):
    write_folder(tmp_path / "pictures", digits.images, digits.labels)
    PACKERS[name](tmp_path / name, tmp_path / "pictures")
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    with pytest.raises(FormatError, match="damaged or truncated archive") as error:
        load_dataset(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")


def test_text_with_the_name_of_an_archive_is_refused(tmp_path):
    (tmp_path / "a.zip").write_text("<html>404 Not Found</html>")
    with pytest.raises(FormatError, match=r"a.zip: "):
        load_dataset(tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("head", "name"), [(b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!\x1a\x07", "RAR")]
)
def test_other_archives_are_refused_by_their_names(tmp_path, head, name):
    (tmp_path / "a").write_bytes(head + bytes(100))
    with pytest.raises(FormatError, match=f"a: {name} archives are not supported: unpack it"):
        load_dataset(tmp_path / "a")


# Bombs.


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_a_bomb_is_refused_in_little_memory(tmp_path, monkeypatch, name):
    monkeypatch.setattr(unpack, "MIN_BOMB", 8 << 20)
    monkeypatch.setattr(unpack, "MAX_RATIO", 20)
    (tmp_path / "set").mkdir()
    with (tmp_path / "set" / "train.csv").open("wb") as file:
        file.truncate(40 << 20)
    PACKERS[name](tmp_path / name, tmp_path / "set")
    gc.collect()
    tracemalloc.start()
    with pytest.raises(FormatError, match=r"unpacks to more than \d+ MiB") as error:
        load_dataset(tmp_path / name)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert peak < 16 << 20


def test_a_bomb_that_declares_less_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MIN_BOMB", 8 << 20)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", bytes(64 << 20))
    content = (tmp_path / "a.zip").read_bytes()
    content = content.replace((64 << 20).to_bytes(4, "little"), (1 << 20).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(FormatError, match=r"a.zip: "):
        load_dataset(tmp_path / "a.zip")


def test_more_members_than_a_data_set_has_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MAX_MEMBERS", 3)
    for write, name in ((as_zip, "a.zip"), (as_tar, "a.tar")):
        folder = tmp_path / f"of {name}"
        folder.mkdir()
        for index in range(5):
            (folder / f"{index}.csv").write_text("x")
        write(tmp_path / name, folder)
        with pytest.raises(FormatError, match="more than 3 files"):
            load_dataset(tmp_path / name)


def test_an_archive_in_itself_is_not_unpacked_for_ever(tmp_path):
    content = b"nothing"
    for _ in range(8):
        path = tmp_path / "a.zip"
        write_members(path, ("a.zip", content))
        content = path.read_bytes()
    with pytest.raises(FormatError, match="archives in archives"):
        load_dataset(tmp_path / "a.zip")


# Mutations.


def small_archives() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = np.zeros((2, 28, 28), np.uint8)
        image[:, 5:20, 10:14] = 255
        (folder / "set").mkdir()
        write_csv(folder / "set" / "train.csv", image, np.array([1, 1]))
        write_idx(folder / "set" / "x", image)
        for packed, pack in PACKERS.items():
            pack(folder / packed, folder / "set")
        return {packed: (folder / packed).read_bytes() for packed in PACKERS}


SMALL = small_archives()


@pytest.mark.fuzz
@fuzzed
@given(mutations=MUTATIONS, name=st.sampled_from(list(PACKERS)))
def test_a_mutated_archive_is_read_or_refused_and_nothing_else(tmp_path, mutations, name):
    path = tmp_path / "mutated"
    path.write_bytes(mutated(SMALL[name], mutations))
    assert_read_or_refused(path)
