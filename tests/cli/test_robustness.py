"""Real processes that are killed, interrupted, cut off and refused room to write."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mnist_svm import load_model
from mnist_svm._io import atomic_write
from mnist_svm.cli.progress import CLEAR_LINE
from tests.support.command_line import seen_on_a_terminal
from tests.support.paths import DATA, DIGITS, ROOT
from tests.support.processes import FROM_A_SHELL, needs_posix


def wait_for(stream, text: str) -> None:
    """Read a process's stderr up to the line with a text."""
    for line in stream:
        if text in line:
            return
    pytest.fail(f"the process ended without printing {text!r}")


# --- atomic writing ----------------------------------------------------------------------


def reading_with(model):
    """The first line of `predict` on stderr."""
    return f"Reading with {model}\n"


def test_a_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write_half():
        with atomic_write(path) as file:
            file.write(b"new")
            file.seek(-10)

    with pytest.raises(OSError, match="Invalid argument"):
        write_half()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    with atomic_write(tmp_path / "ours") as file:
        file.write(b"x")
    (tmp_path / "theirs").write_bytes(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with atomic_write(tmp_path / "link") as file:
        file.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"


def test_a_device_is_written_and_stays_a_device():
    with atomic_write(os.devnull) as file:
        file.write(b"x")
    assert not Path(os.devnull).is_file()


def test_an_error_of_the_file_system_names_the_file(tmp_path):
    path = tmp_path / "none" / "file"
    with pytest.raises(OSError, match="No such file") as caught, atomic_write(path):
        pass
    assert caught.value.filename == str(path)


def test_a_writer_killed_half_way_leaves_nothing_under_the_final_name(tmp_path):
    script = (
        "import sys, time\n"
        "from mnist_svm._io import atomic_write\n"
        "with atomic_write(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush()\n"
        "    print('half', flush=True); time.sleep(60)\n"
    )
    path = tmp_path / "file"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout.readline() == "half\n"
        process.kill()
    assert not path.exists()


# --- killed and interrupted --------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(4))
def test_training_killed_while_writing_leaves_a_whole_model_or_none(start, tmp_path, attempt):
    process = start("train", "--limit", 300, "--data-dir", DATA, "-o", tmp_path / "model.joblib")
    wait_for(process.stderr, "Training")
    # No pause between two looks: the temporary file exists for some milliseconds.
    while not any(tmp_path.iterdir()):
        assert process.poll() is None
    process.kill()
    process.communicate()
    if (tmp_path / "model.joblib").exists():
        assert load_model(tmp_path / "model.joblib").info.training.n_images == 300


@needs_posix
@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_training_killed_keeps_the_older_model(start, tmp_path, small_model_file, how):
    model = tmp_path / "model.joblib"
    model.write_bytes(small_model_file.read_bytes())
    process = start("train", "--data-dir", DATA, "-o", model)
    wait_for(process.stderr, "Training")
    number = signal.Signals[how]
    process.send_signal(number)
    assert process.wait(10) == -number
    assert model.read_bytes() == small_model_file.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("progress", ["Training ...", "round "])
def test_ctrl_c_while_training_ends_with_130(tmp_path, progress):
    terminal, stderr = os.openpty()
    process = subprocess.Popen(
        [
            *FROM_A_SHELL,
            sys.executable,
            "-m",
            "mnist_svm",
            "train",
            "--data-dir",
            DATA,
            "-o",
            tmp_path / "m.joblib",
        ],
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=ROOT,
    )
    os.close(stderr)
    with process, os.fdopen(terminal, errors="replace", newline="") as stream:
        shown = ""
        while progress not in shown:
            shown += stream.read(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        # Reading a terminal without a writer is an error.
        with contextlib.suppress(OSError):
            while char := stream.read(1):
                shown += char
    assert shown.endswith("mnist-svm: interrupted; no incomplete file is left\r\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_while_evaluating_ends_with_130(start, small_model_file, tmp_path):
    # Six times as many images as there are test images: the signal must not come after the end.
    for kind in ("images-idx3", "labels-idx1"):
        (tmp_path / f"t10k-{kind}-ubyte.gz").symlink_to(DATA / f"train-{kind}-ubyte.gz")
    process = start("eval", "-m", small_model_file, "--data", tmp_path)
    wait_for(process.stderr, "Evaluating")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert (out, err) == ("", "mnist-svm: interrupted; no incomplete file is left\n")


@pytest.mark.slow
def test_a_terminal_sees_the_rounds_go_by(tmp_path):
    output = ["--data-dir", DATA, "-o", tmp_path / "model.joblib"]
    seen = seen_on_a_terminal("train", "--limit", 6000, *output)
    lines = seen.split(CLEAR_LINE)
    rounds = [line for line in lines if re.search(r"round \d+: working set [\d,]+, ", line)]
    assert rounds
    assert all(len(line) < 80 for line in rounds)


# --- no room, no permission, no reader ---------------------------------------------------


def small_files_only():
    """A stand-in for a full disk: no file of this process may grow beyond 100 kB."""
    import resource  # which Windows lacks

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.slow
def test_a_disk_that_fills_while_training_leaves_no_model(finish, tmp_path):
    model = tmp_path / "model.joblib"
    code, out, err = finish(
        "train", "--limit", 1500, "--data-dir", DATA, "-o", model, limit=small_files_only
    )
    assert code == 1
    assert out == ""
    assert err.splitlines()[-1] == f"mnist-svm: error: {model}: File too large"
    assert list(tmp_path.iterdir()) == []


@needs_posix
def test_a_disk_that_fills_while_fetching_is_reported(finish, tmp_path):
    code, _, err = finish(
        "fetch", "--data-dir", tmp_path, "--mirror", DATA.as_uri(), limit=small_files_only
    )
    assert code == 1
    assert err.startswith(f"mnist-svm: error: {tmp_path}/.train-images-idx3-ubyte.gz.")
    assert err.endswith(".part: File too large\n")
    assert not (tmp_path / "train-images-idx3-ubyte.gz").exists()


@pytest.mark.slow
def test_a_full_device_as_output_is_reported(finish):
    code, _, err = finish("train", "--limit", 300, "--data-dir", DATA, "-o", "/dev/full")
    assert code == 1
    assert err.splitlines()[-1] == "mnist-svm: error: /dev/full: No space left on device"


@pytest.mark.slow
def test_a_full_device_behind_standard_output_is_reported(finish, small_model_file):
    with Path("/dev/full").open("w") as full:
        code, _, err = finish("predict", DIGITS[0], "-m", small_model_file, stdout=full)
    assert code == 1
    assert err == reading_with(small_model_file) + "mnist-svm: error: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "eval", "fetch"])
def test_a_read_only_folder_is_reported_before_the_work(
    finish, no_privilege, read_only_folder, small_model_file, command
):
    output = read_only_folder / "out"
    arguments = {
        "train": ["train", "--data-dir", DATA, "-o", output],
        "eval": ["eval", "-m", small_model_file, "--data-dir", DATA, "--errors", output],
        "fetch": ["fetch", "--data-dir", output, "--mirror", DATA.as_uri()],
    }[command]
    code, out, err = finish(*arguments, before=no_privilege)
    assert (code, out) == (1, "")
    assert err == f"mnist-svm: error: {output}: Permission denied\n"


@pytest.mark.slow
def test_a_pipe_that_closes_early_ends_quietly(start, small_model_file):
    # Far more lines than a pipe holds.
    process = start("predict", *[DIGITS[1]] * 3000, "-m", small_model_file)
    assert process.stdout.readline().split("\t")[1] == "1"
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) == 0
    assert err == reading_with(small_model_file)


@pytest.mark.slow
def test_a_pipe_that_closes_early_hides_no_failure(start, small_model_file, tmp_path):
    missing = tmp_path / "missing.png"
    process = start("predict", missing, *[DIGITS[1]] * 3000, "-m", small_model_file)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(60) == 1
    error = f"mnist-svm: error: {missing}: No such file or directory\n"
    assert err == reading_with(small_model_file) + error


@pytest.mark.slow
def test_head_takes_the_first_line(small_model_file):
    command = (
        f"{sys.executable} -m mnist_svm eval -m {small_model_file} --data-dir {DATA} | head -1"
    )
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True, timeout=120
    )
    assert done.stdout.startswith("Accuracy")
    assert "Error" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_stream_that_is_closed_from_the_start_is_no_fault(small_model_file, closed):
    command = f"{sys.executable} -m mnist_svm predict {DIGITS[0]} -m {small_model_file} {closed}"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False, timeout=60
    )
    assert done.returncode == 0
    assert done.stderr == ("" if closed == "2>&-" else reading_with(small_model_file))


def test_a_picture_on_standard_input_is_read(finish, small_model_file):
    with DIGITS[6].open("rb") as picture:
        code, out, _ = finish("predict", "-", "-m", small_model_file, stdin=picture)
    assert code == 0
    assert out.split("\t")[:2] == ["-", "6"]


@pytest.mark.slow
def test_progress_is_silent_when_stderr_is_no_terminal(finish, tmp_path):
    _, _, err = finish("train", "--limit", 300, "--data-dir", DATA, "-o", tmp_path / "m.joblib")
    assert "\r" not in err
    assert len(err.splitlines()) == 2
