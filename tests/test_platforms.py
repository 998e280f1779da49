"""What other operating systems answer, put in the place of what this one does."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mnist_svm._io import acquire_lock, atomic_folder, require_writable
from mnist_svm.cli import exit_codes
from mnist_svm.datasets import unpack as unpack_module
from mnist_svm.datasets.catalog import CATALOG
from mnist_svm.datasets.download import fetch
from mnist_svm.datasets.unpack import unpack
from mnist_svm.exceptions import FormatError
from mnist_svm.serve.observability import _exists
from mnist_svm.training.work_folder import WorkFolder
from tests.support.paths import DATA, DIGITS, ROOT

posix = pytest.mark.skipif(os.name != "posix", reason="replaces an answer of POSIX systems")


# --- files -------------------------------------------------------------------------------


def test_an_empty_folder_is_replaced_where_a_rename_does_not(tmp_path, monkeypatch):
    rename = Path.replace

    def replace(path, target):
        if Path(target).is_dir():
            raise PermissionError(errno.EACCES, "Access is denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    (tmp_path / "made").mkdir()
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "file").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["made", "file"]


def test_the_check_of_a_folder_leaves_nothing_in_it(tmp_path):
    require_writable(tmp_path / "model.joblib")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "file"])
def test_only_one_has_a_lock(tmp_path, name):
    lock = acquire_lock(tmp_path / name)
    assert lock is not None
    assert acquire_lock(tmp_path / name) is None
    os.close(lock)
    again = acquire_lock(tmp_path / name)
    assert again is not None
    os.close(again)


def test_the_lock_of_a_work_folder_is_not_taken_for_something_else(tmp_path):
    (tmp_path / ".lock").touch()
    with WorkFolder(tmp_path, {}, 0) as work:
        assert work.steps == 0


@posix
def test_downloads_are_synced_as_files_open_for_writing(mirror, tmp_path, monkeypatch):
    import fcntl

    synced = []

    def fsync(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        synced.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    report = fetch(CATALOG["mnist"], tmp_path, mirrors=[mirror.address])
    assert len(synced) == len(report.downloaded) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_file_of_the_work_folder_is_mapped_when_it_is_removed(run, tmp_path, monkeypatch):
    remove = shutil.rmtree
    removed = []

    def rmtree(folder, **options):
        maps = Path("/proc/self/maps").read_text(encoding="utf-8")
        removed.append(str(folder) in maps)
        remove(folder, **options)

    monkeypatch.setattr(shutil, "rmtree", rmtree)
    options = ["--recipe", "gradient", "--limit", 200, "--virtual-copies", 1, "--data-dir", DATA]
    assert run("train", *options, "-o", tmp_path / "m.joblib").exit_code == 0
    assert removed == [False]


# --- names in archives -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["3/con.png", "AUX/1.png", "3/Com1.tar.gz", "3/nul .png", "3/a:b"])
def test_names_of_devices_are_refused_where_there_are_any(tmp_path, monkeypatch, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"x")
    monkeypatch.setattr(unpack_module, "_HAS_DEVICES", True)
    with pytest.raises(FormatError, match="no file can have this name here"):
        unpack(tmp_path / "a.zip", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@posix
def test_names_of_devices_are_names_elsewhere(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("aux/con.png", b"x")
    unpack(tmp_path / "a.zip", tmp_path / "new")
    assert (tmp_path / "new" / "aux" / "con.png").read_bytes() == b"x"


# --- standard output ---------------------------------------------------------------------


def test_a_name_that_the_encoding_lacks_is_escaped(tmp_path):
    picture = tmp_path / "\N{FULLWIDTH DIGIT THREE}.png"
    shutil.copy(DIGITS[3], picture)
    result = subprocess.run(
        [sys.executable, "-m", "mnist_svm", "predict", picture, DIGITS[4]],
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        encoding="cp1252",
        cwd=ROOT,
        check=True,
    )
    assert result.stdout.startswith(f"{tmp_path}{os.sep}\\uff13.png\t3\t")


def failing(error):
    @click.group(cls=exit_codes.ErrorHandlingGroup)
    def group():
        pass

    @group.command()
    def fail():
        raise error

    return CliRunner().invoke(group, ["fail"])


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EINVAL])
def test_a_closed_pipe_is_no_error(monkeypatch, number):
    monkeypatch.setattr(exit_codes, "_CLOSED_PIPE", number)
    monkeypatch.setattr(exit_codes, "_discard_stdout", lambda: None)
    result = failing(OSError(number, os.strerror(number)))
    assert (result.exit_code, result.output) == (0, "")


def test_the_same_error_of_a_file_is_one(monkeypatch):
    monkeypatch.setattr(exit_codes, "_CLOSED_PIPE", errno.EINVAL)
    result = failing(OSError(errno.EINVAL, "Invalid argument", "file"))
    assert (result.exit_code, result.output) == (1, "mnist-svm: error: file: Invalid argument\n")


# --- processes ---------------------------------------------------------------------------


def test_a_process_exists_until_it_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert _exists(process.pid)
    assert _exists(process.pid) == (os.name == "nt")
