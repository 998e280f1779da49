"""Downloads from a faulty local HTTP server and from file:// addresses."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_svm.cli import fetch as cli_fetch
from mnist_svm.datasets import reader
from mnist_svm.datasets.catalog import CATALOG
from mnist_svm.datasets.download import fetch, missing_files
from mnist_svm.datasets.downloaded import cache_dir
from mnist_svm.datasets.formats.idx import write_idx
from mnist_svm.datasets.load import load_dataset
from mnist_svm.datasets.verify import find_fault
from mnist_svm.exceptions import DataMissingError, FetchError, FormatError
from tests.support.paths import DATA, ROOT
from tests.support.processes import needs_posix

MNIST = CATALOG["mnist"]
NAMES = [file.name for file in MNIST.files.values()]
TRAIN_IMAGES = MNIST.files["train-images-idx3-ubyte"]
LABELS = MNIST.files["t10k-labels-idx1-ubyte"]
DEAD = "http://127.0.0.1:9/"  # the discard port, where nothing listens


def link_all_but(folder: Path, *left_out: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in set(NAMES) - set(left_out):
        (folder / name).symlink_to(DATA / name)
    return folder


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name not in NAMES]


def test_an_empty_folder_gets_every_file(mirror, tmp_path):
    report = fetch(MNIST, tmp_path / "new", mirrors=[mirror.address])
    assert sorted(report.downloaded) == sorted(NAMES)
    assert report.downloaded[LABELS.name] == mirror.address + LABELS.name
    assert len(load_dataset("mnist", split="train", data_dir=tmp_path / "new").labels) == 60_000
    assert leftovers(tmp_path / "new") == []


def test_valid_files_need_no_request(mirror, tmp_path):
    report = fetch(MNIST, link_all_but(tmp_path), mirrors=[mirror.address])
    assert sorted(report.present) == sorted(NAMES)
    assert mirror.requests == []


def test_a_decompressed_file_is_valid(mirror, tmp_path):
    link_all_but(tmp_path, LABELS.name)
    plain = gzip.decompress((DATA / LABELS.name).read_bytes())
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(plain)
    assert missing_files(MNIST, tmp_path) == []


def test_only_the_damaged_file_is_fetched_again(mirror, tmp_path):
    link_all_but(tmp_path, LABELS.name)
    (tmp_path / LABELS.name).write_bytes(b"damaged")
    report = fetch(MNIST, tmp_path, mirrors=[mirror.address])
    assert list(report.downloaded) == [LABELS.name]
    assert (tmp_path / LABELS.name).read_bytes() == mirror.content[LABELS.name]


def test_force_downloads_valid_files(mirror, tmp_path):
    report = fetch(MNIST, link_all_but(tmp_path), mirrors=[mirror.address], force=True)
    assert sorted(report.downloaded) == sorted(NAMES)


def test_a_mirror_may_compress_differently(mirror, tmp_path):
    payload = gzip.decompress(mirror.content[LABELS.name])
    mirror.content[LABELS.name] = gzip.compress(payload, 1)
    assert mirror.content[LABELS.name] != (DATA / LABELS.name).read_bytes()
    fetch(MNIST, link_all_but(tmp_path, LABELS.name), mirrors=[mirror.address])
    assert find_fault(tmp_path / LABELS.name, LABELS) is None


def test_the_next_mirror_is_tried(mirror, tmp_path):
    link_all_but(tmp_path, LABELS.name)
    report = fetch(MNIST, tmp_path, mirrors=[DEAD, mirror.address + "none/", mirror.address])
    assert report.downloaded == {LABELS.name: mirror.address + "none/" + LABELS.name}


def test_an_invalid_payload_is_not_moved_into_place(mirror, tmp_path):
    mirror.content[LABELS.name] = gzip.compress(b"something else")
    link_all_but(tmp_path, LABELS.name)
    with pytest.raises(FetchError, match=f"expected SHA-256 {LABELS.sha256}, found"):
        fetch(MNIST, tmp_path, mirrors=[mirror.address])
    assert not (tmp_path / LABELS.name).exists()
    assert leftovers(tmp_path) == []


def test_a_valid_file_survives_a_failed_force(mirror, tmp_path):
    mirror.content[LABELS.name] = gzip.compress(b"something else")
    link_all_but(tmp_path)
    with pytest.raises(FetchError):
        fetch(MNIST, tmp_path, mirrors=[mirror.address], force=True)
    assert missing_files(MNIST, tmp_path) == []


def test_a_broken_download_resumes(mirror, tmp_path):
    mirror.cut = [3_000_000, 2_000_000]
    link_all_but(tmp_path, TRAIN_IMAGES.name)
    fetch(MNIST, tmp_path, mirrors=[mirror.address])
    starts = [wanted for _, wanted in mirror.requests]
    assert starts == [None, "bytes=3000000-", "bytes=5000000-"]
    assert (tmp_path / TRAIN_IMAGES.name).read_bytes() == mirror.content[TRAIN_IMAGES.name]


def test_a_download_starts_again_from_a_server_without_ranges(mirror, tmp_path):
    mirror.ranges = False
    mirror.cut = [3_000_000]
    link_all_but(tmp_path, TRAIN_IMAGES.name)
    fetch(MNIST, tmp_path, mirrors=[mirror.address])
    assert len(mirror.requests) == 2
    assert (tmp_path / TRAIN_IMAGES.name).read_bytes() == mirror.content[TRAIN_IMAGES.name]


def test_repeated_connection_errors_fail(mirror, tmp_path):
    mirror.cut = [1000] * 100
    mirror.ranges = False
    with pytest.raises(FetchError, match="the connection broke after 1,000 bytes"):
        fetch(MNIST, link_all_but(tmp_path, LABELS.name), mirrors=[mirror.address])
    assert len(mirror.requests) < 10


def test_a_later_run_resumes_a_partial_file(mirror, tmp_path):
    link_all_but(tmp_path, LABELS.name)
    mirror.cut = [1000] + [0] * 20
    with pytest.raises(FetchError, match="broke after 1,000 bytes"):
        fetch(MNIST, tmp_path, mirrors=[mirror.address])
    mirror.cut = []
    mirror.requests.clear()
    fetch(MNIST, tmp_path, mirrors=[mirror.address])
    assert mirror.requests == [(LABELS.name, "bytes=1000-")]
    assert leftovers(tmp_path) == []


def test_an_invalid_resumed_file_is_downloaded_again(mirror, tmp_path):
    # The mirror's file has changed since the first run, so the joined halves are invalid.
    link_all_but(tmp_path, LABELS.name)
    mirror.cut = [1000] + [0] * 20
    with pytest.raises(FetchError):
        fetch(MNIST, tmp_path, mirrors=[mirror.address])
    mirror.cut = []
    mirror.requests.clear()
    payload = gzip.decompress(mirror.content[LABELS.name])
    mirror.content[LABELS.name] = gzip.compress(payload, 1)
    fetch(MNIST, tmp_path, mirrors=[mirror.address])
    assert [wanted for _, wanted in mirror.requests] == ["bytes=1000-", None]
    assert find_fault(tmp_path / LABELS.name, LABELS) is None


def test_a_complete_partial_file_needs_no_download(mirror, tmp_path):
    # A run may be killed between the last byte and the move.
    link_all_but(tmp_path, LABELS.name)
    mirror.cut = [1000] + [0] * 20
    with pytest.raises(FetchError):
        fetch(MNIST, tmp_path, mirrors=[mirror.address])
    (part,) = (path for path in tmp_path.iterdir() if path.suffix == ".part")
    part.write_bytes(mirror.content[LABELS.name])
    mirror.cut = []
    fetch(MNIST, tmp_path, mirrors=[mirror.address])
    assert find_fault(tmp_path / LABELS.name, LABELS) is None


def test_an_oversized_response_is_aborted(mirror, tmp_path):
    mirror.content[LABELS.name] = bytes(3 << 20)
    with pytest.raises(FetchError, match="more than the expected 10,008 bytes"):
        fetch(MNIST, link_all_but(tmp_path, LABELS.name), mirrors=[mirror.address])
    assert leftovers(tmp_path) == []


def test_a_decompression_bomb_is_refused(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(50 << 20)))
    fault = find_fault(tmp_path / "bomb.gz", LABELS)
    assert fault == "more than the expected 10,008 bytes"


def test_the_error_lists_the_failed_mirrors_and_a_remedy(mirror, tmp_path):
    del mirror.content[LABELS.name]
    link_all_but(tmp_path, LABELS.name)
    with pytest.raises(FetchError) as caught:
        fetch(MNIST, tmp_path, mirrors=[DEAD, mirror.address, "file:///nowhere"])
    message = str(caught.value)
    assert f"{DEAD}{LABELS.name}: Connection refused" in message
    assert f"{mirror.address}{LABELS.name}: HTTP 404" in message
    assert f"file:///nowhere/{LABELS.name}: " in message
    assert f"To install the files by hand, download {LABELS.name} from any source" in message
    assert str(tmp_path) in message


def test_the_error_lists_all_missing_files(tmp_path):
    with pytest.raises(FetchError, match=f"by hand, download {', '.join(NAMES)} from any source"):
        fetch(MNIST, tmp_path, mirrors=[DEAD])


def test_a_server_of_another_protocol_is_a_failed_mirror(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def answer():
            connection, _ = server.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-none\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(FetchError, match="no mirror provides the right file"):
            fetch(MNIST, link_all_but(tmp_path, LABELS.name), mirrors=[address])


def test_file_addresses_work(tmp_path):
    report = fetch(MNIST, tmp_path, mirrors=[DATA.as_uri()])
    assert sorted(report.downloaded) == sorted(NAMES)
    assert missing_files(MNIST, tmp_path) == []


def test_each_data_set_has_its_own_folder(tmp_path):
    # Its files have the same names as MNIST's.
    with pytest.raises(FetchError):
        fetch(CATALOG["fashion-mnist"], link_all_but(tmp_path), mirrors=[DATA.as_uri()])
    assert missing_files(MNIST, tmp_path) == []
    assert (tmp_path / "fashion-mnist").is_dir()


def test_the_command_prints_a_report(run, mirror, tmp_path):
    link_all_but(tmp_path, LABELS.name)
    result = run("fetch", "--data-dir", tmp_path, "--mirror", mirror.address)
    assert result.exit_code == 0
    assert f"{LABELS.name}: downloaded from {mirror.address}{LABELS.name}" in result.stdout
    assert f"{TRAIN_IMAGES.name}: already present, SHA-256 verified" in result.stdout
    assert result.stderr == ""


def test_the_command_prints_json(run, tmp_path):
    result = run("fetch", "--data-dir", link_all_but(tmp_path), "--json")
    content = json.loads(result.stdout)
    assert sorted(content["present"]) == sorted(NAMES)
    assert content["downloaded"] == {}


def test_the_command_reports_failure_on_stderr(run, tmp_path):
    result = run("fetch", "--data-dir", tmp_path, "--mirror", DEAD)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("mnist-svm: error: train-images-idx3-ubyte.gz: no mirror")


@pytest.mark.parametrize("address", ["ftp://example.org/", "/some/folder", "mnist"])
def test_an_unsupported_address_is_a_usage_error(run, tmp_path, address):
    result = run("fetch", "--data-dir", tmp_path, "--mirror", address)
    assert result.exit_code == 2
    assert "expected an address that starts with http://" in result.stderr


def test_an_unknown_data_set_is_a_usage_error(run):
    result = run("fetch", "imagenet")
    assert result.exit_code == 2
    assert "'imagenet' is not one of 'mnist', 'fashion-mnist'" in result.stderr


@needs_posix
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_killed_fetch_leaves_nothing_under_a_final_name(start, mirror, tmp_path, how):
    link_all_but(tmp_path, TRAIN_IMAGES.name)
    mirror.hold_after = 4_000_000
    process = start("fetch", "--data-dir", tmp_path, "--mirror", mirror.address)
    assert mirror.holding.wait(30)
    number = signal.Signals[how]
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (130 if how == "SIGINT" else -number)
    assert "Traceback" not in err
    assert not (tmp_path / TRAIN_IMAGES.name).exists()
    mirror.hold_after = None
    fetch(MNIST, tmp_path, mirrors=[mirror.address])
    assert missing_files(MNIST, tmp_path) == []


def test_the_error_for_missing_data_has_the_fetch_command(tmp_path):
    with pytest.raises(DataMissingError, match=f"mnist-svm fetch mnist --data-dir {tmp_path}"):
        load_dataset("mnist", data_dir=tmp_path)


def test_other_data_under_the_same_file_name_fails_verification(tmp_path, test_set):
    link_all_but(tmp_path, LABELS.name)
    labels = test_set.labels.astype("uint8")
    labels[0] = 9
    write_idx(tmp_path / LABELS.name, labels)
    with pytest.raises(FormatError, match="not the file of mnist: expected SHA-256 ff7bcfd4"):
        load_dataset("mnist", split="test", data_dir=tmp_path)
    # Loaded as a folder, it is not compared with the catalog.
    assert load_dataset(tmp_path, split="test").labels[0] == 9


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(
        DataMissingError, match=r"none: no such file or folder, and not in the catalog \(mnist, "
    ):
        load_dataset(tmp_path / "none")


def test_the_environment_variable_sets_the_data_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_SVM_DATA", str(link_all_but(tmp_path / "elsewhere")))
    monkeypatch.chdir(tmp_path)
    assert len(load_dataset("mnist", split="test").labels) == 10_000


@pytest.fixture
def elsewhere(monkeypatch, tmp_path, mirror):
    """The current folder, which is no clone; the cache folder is empty, and a mirror near."""
    monkeypatch.delenv("MNIST_SVM_DATA", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    info = replace(MNIST, mirrors=(mirror.address,))
    monkeypatch.setattr(reader, "CATALOG", {"mnist": info})
    monkeypatch.setattr(cli_fetch, "CATALOG", {"mnist": info})
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_outside_a_clone_a_data_set_is_downloaded_to_the_cache_folder(elsewhere, mirror, caplog):
    cache = elsewhere.parent / "cache" / "mnist-svm"
    assert len(load_dataset("mnist", split="test").labels) == 10_000
    assert caplog.messages == [f"Downloading {name} to {cache}" for name in NAMES]
    assert missing_files(MNIST, cache) == []
    n_requests = len(mirror.requests)
    assert len(load_dataset("mnist", split="train").labels) == 60_000
    assert len(mirror.requests) == n_requests
    assert list(elsewhere.iterdir()) == []


def test_threads_that_need_the_same_data_set_download_it_once(elsewhere, mirror):
    with ThreadPoolExecutor(2) as pool:
        loaded = [pool.submit(load_dataset, "mnist", split="test") for _ in range(2)]
        assert [len(future.result().labels) for future in loaded] == [10_000, 10_000]
    assert sorted(name for name, _ in mirror.requests) == sorted(NAMES)


def test_the_data_of_a_clone_go_before_the_cache(elsewhere, mirror):
    link_all_but(elsewhere / "data")
    assert len(load_dataset("mnist", split="test").labels) == 10_000
    assert mirror.requests == []


def test_a_chosen_folder_goes_before_a_clone_and_is_not_filled(elsewhere, mirror, monkeypatch):
    link_all_but(elsewhere / "data")
    monkeypatch.setenv("MNIST_SVM_DATA", str(elsewhere / "mine"))
    with pytest.raises(DataMissingError, match=r"mine/t10k-images-idx3-ubyte.gz: no such file"):
        load_dataset("mnist", split="test")
    with pytest.raises(DataMissingError, match=r"other/t10k-images-idx3-ubyte.gz: no such file"):
        load_dataset("mnist", split="test", data_dir="other")
    assert mirror.requests == []


def test_the_command_fetches_to_where_the_data_are_looked_for(elsewhere, run, mirror):
    result = run("fetch", "--json")
    assert json.loads(result.stdout)["folder"] == str(elsewhere.parent / "cache" / "mnist-svm")
    mirror.requests.clear()
    assert len(load_dataset("mnist", split="test").labels) == 10_000
    assert mirror.requests == []
    link_all_but(elsewhere / "data", LABELS.name)
    assert json.loads(run("fetch", "--json").stdout)["folder"] == "data"
    assert missing_files(MNIST, elsewhere / "data") == []


def test_a_failed_download_says_which_mirrors_were_tried(elsewhere, mirror):
    mirror.content = {}
    with pytest.raises(FetchError, match=r"no mirror provides the right file. Tried:\n.*HTTP 404"):
        load_dataset("mnist")


@pytest.mark.parametrize(
    ("platform", "variables", "folder"),
    [
        ("linux", {}, "home/.cache/mnist-svm"),
        ("linux", {"XDG_CACHE_HOME": "/var/cache/me"}, "/var/cache/me/mnist-svm"),
        ("darwin", {"XDG_CACHE_HOME": "/var/cache/me"}, "home/Library/Caches/mnist-svm"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/mnist-svm/Cache"),
        ("win32", {}, "home/AppData/Local/mnist-svm/Cache"),
    ],
)
def test_the_cache_folder_is_where_the_system_wants_it(monkeypatch, platform, variables, folder):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "home", **variables}.items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == Path(folder)


def test_the_checksums_of_verified_files_are_not_computed_again(monkeypatch):
    monkeypatch.delattr("mnist_svm.datasets.load.content_sha256")
    checksums = load_dataset("mnist", split="test", data_dir=DATA).sha256
    assert checksums == {file.stem: file.sha256 for file in MNIST.splits["test"]}


def test_loading_idx_files_imports_neither_pillow_nor_scipy():
    script = (
        "import sys; from mnist_svm import load_dataset; "
        f"load_dataset('mnist', split='test', data_dir={str(DATA)!r}); "
        "print(sorted({'PIL', 'scipy', 'sklearn', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "[]\n", done.stderr
