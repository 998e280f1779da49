"""Data sets of the catalog; files made of MNIST digits replace those that need the network."""

from __future__ import annotations

import gzip
import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from mnist_svm.cli import fetch as cli_fetch
from mnist_svm.datasets import reader
from mnist_svm.datasets.catalog import CATALOG, DatasetInfo, RemoteFile
from mnist_svm.datasets.download import fetch
from mnist_svm.datasets.downloaded import read_downloaded
from mnist_svm.datasets.formats.idx import read_idx, write_idx
from mnist_svm.datasets.load import load_dataset
from mnist_svm.exceptions import DataMissingError, FetchError, FormatError

NEW = ("kmnist", "emnist-digits", "emnist-letters", "qmnist")
IMAGES = {
    "mnist": (60_000, 10_000),
    "fashion-mnist": (60_000, 10_000),
    "kmnist": (60_000, 10_000),
    "emnist-digits": (240_000, 40_000),
    "emnist-letters": (124_800, 20_800),
    "qmnist": (60_000, 60_000),
    "styles": (38_948, 9_039),
}
ARCHIVE = "gzip.zip"
PARTS = {"train": slice(600), "test": slice(600, 800)}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class StandIn:
    """A data set of the catalog, with files made of a few MNIST digits.

    Attributes
    ----------
    info : catalog entry with the sizes and checksums of these files
    source : folder with the files of a mirror
    """

    info: DatasetInfo
    source: Path

    def serve(self, mirror) -> str:
        """Put the files on a mirror; return its address."""
        mirror.content = {path.name: path.read_bytes() for path in self.source.iterdir()}
        return mirror.address


def as_published(info: DatasetInfo, images: np.ndarray, labels: np.ndarray) -> list[np.ndarray]:
    """Return the arrays in the layout of the published files."""
    labels = labels.astype(np.uint8) + np.uint8(info.first_label)
    if info.wide_labels:
        table = np.full((len(labels), 8), 2500, np.int32)
        table[:, 0] = labels
        labels = table
    return [images.swapaxes(1, 2) if info.transposed else images, labels]


def write_files(
    info: DatasetInfo, folder: Path, arrays: Mapping[str, list[np.ndarray]]
) -> DatasetInfo:
    """Write the files of a data set; return their catalog entry."""
    splits = {}
    for split, files in info.splits.items():
        fitting = []
        for file, array in zip(files, arrays[split], strict=True):
            write_idx(folder / file.name, array)
            size = len(gzip.decompress((folder / file.name).read_bytes()))
            fitting.append(replace(file, size=size, sha256=sha256(folder / file.name)))
        splits[split] = tuple(fitting)
    return replace(info, splits=splits)


def zip_up(infos: list[DatasetInfo], folder: Path, archive: Path) -> list[DatasetInfo]:
    """Move files into an archive; return their catalog entries."""
    files = [file for info in infos for file in info.files.values()]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in files:
            opened.write(folder / file.name, f"gzip/{file.name}")
            (folder / file.name).unlink()
    whole = replace(infos[0].archive.file, sha256=sha256(archive))
    members = MappingProxyType({f"gzip/{file.name}": file for file in files})
    return [
        replace(info, archive=replace(info.archive, file=whole, members=members)) for info in infos
    ]


@pytest.fixture(scope="module")
def stand_ins(test_set, tmp_path_factory) -> dict[str, StandIn]:
    """Return replacements of the data sets with other layouts than MNIST's, by name."""
    built = {}
    for name in NEW:
        info = CATALOG[name]
        arrays = {
            split: as_published(info, test_set.images[part], test_set.labels[part])
            for split, part in PARTS.items()
        }
        folder = built["emnist-digits"].source if name == "emnist-letters" else None
        folder = folder or tmp_path_factory.mktemp(name)
        built[name] = StandIn(write_files(info, folder, arrays), folder)
    emnist = [built[name] for name in ("emnist-digits", "emnist-letters")]
    folder = emnist[0].source
    for info in zip_up([each.info for each in emnist], folder, folder / ARCHIVE):
        built[info.name] = StandIn(info, folder)
    return built


@pytest.fixture(params=NEW)
def stand_in(request, stand_ins) -> StandIn:
    return stand_ins[request.param]


@pytest.fixture
def digits(stand_ins) -> StandIn:
    return stand_ins["emnist-digits"]


@pytest.fixture
def letters(stand_ins) -> StandIn:
    return stand_ins["emnist-letters"]


@pytest.fixture
def in_catalog(stand_ins, monkeypatch) -> None:
    """Put the stand-ins into the catalog."""
    catalog = {**CATALOG, **{name: each.info for name, each in stand_ins.items()}}
    monkeypatch.setattr(reader, "CATALOG", catalog)
    monkeypatch.setattr(cli_fetch, "CATALOG", catalog)


# Catalog entries.


@pytest.mark.parametrize("info", CATALOG.values(), ids=CATALOG)
def test_file_sizes_match_the_numbers_of_images(info):
    for (images, labels), n in zip(info.splits.values(), IMAGES[info.name], strict=True):
        assert images.size == 4 + 3 * 4 + 28 * 28 * n
        assert labels.size == (4 + 2 * 4 + 8 * 4 * n if info.wide_labels else 4 + 4 + n)


@pytest.mark.parametrize("info", CATALOG.values(), ids=CATALOG)
def test_an_entry_is_complete(info):
    assert CATALOG[info.name] is info
    assert list(info.splits) == ["train", "test"]
    assert len(info.files) == 4
    assert all(file.name == f"{stem}.gz" for stem, file in info.files.items())
    assert all(mirror.startswith(("https://", "http://")) for mirror in info.mirrors)
    assert all(mirror.endswith("/") for mirror in info.mirrors)
    assert len(set(info.classes)) == len(info.classes) == (26 if "letters" in info.name else 10)


def test_checksums_are_valid_and_unique():
    files = [file for info in CATALOG.values() for file in info.files.values()]
    files.append(CATALOG["emnist-digits"].archive.file)
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in files)
    assert len({file.sha256 for file in files}) == len(files)


def test_no_data_set_overwrites_another():
    places = [(info.folder, stem) for info in CATALOG.values() for stem in info.files]
    assert len(set(places)) == len(places)


def test_the_archive_has_both_emnist_data_sets():
    digits, letters = CATALOG["emnist-digits"], CATALOG["emnist-letters"]
    wanted = [*digits.files.values(), *letters.files.values()]
    assert digits.archive is letters.archive
    assert list(digits.archive.members.values()) == wanted
    assert "gzip/emnist-letters-test-labels-idx1-ubyte.gz" in digits.archive.members


def test_labels_have_names():
    assert CATALOG["mnist"].class_names()[7] == "7"
    assert CATALOG["fashion-mnist"].class_names()[9] == "Ankle boot"
    assert CATALOG["kmnist"].class_names()[3] == "tsu"
    names = CATALOG["emnist-letters"].class_names()
    assert (min(names), names[1], max(names), names[26]) == (1, "A/a", 26, "Z/z")


def test_help_lists_every_data_set(run):
    text = run("fetch", "--help").stdout
    assert all(f"  {name}  " in text for name in CATALOG)


# Download and reading.


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_downloaded_images_are_read_upright_with_their_labels(
    stand_in, mirror, tmp_path, test_set, split
):
    fetch(stand_in.info, tmp_path, mirrors=[stand_in.serve(mirror)])
    read = read_downloaded(stand_in.info, tmp_path, split)
    images, labels = read.images, read.labels
    np.testing.assert_array_equal(images, test_set.images[PARTS[split]])
    np.testing.assert_array_equal(labels, test_set.labels[PARTS[split]] + stand_in.info.first_label)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)


def test_a_folder_can_be_the_mirror(stand_in, tmp_path):
    report = fetch(stand_in.info, tmp_path, mirrors=[stand_in.source.as_uri()])
    assert set(report.downloaded) >= {file.name for file in stand_in.info.files.values()}
    assert report.folder == tmp_path / stand_in.info.folder


def test_valid_files_need_no_further_request(stand_in, mirror, tmp_path):
    fetch(stand_in.info, tmp_path, mirrors=[stand_in.serve(mirror)])
    mirror.requests.clear()
    report = fetch(stand_in.info, tmp_path, mirrors=[mirror.address])
    assert len(report.present) == 4
    assert mirror.requests == []


def test_a_data_set_loads_by_its_name(in_catalog, stand_in, tmp_path, test_set):
    fetch(stand_in.info, tmp_path, mirrors=[stand_in.source.as_uri()])
    data = load_dataset(stand_in.info.name, split="test", data_dir=tmp_path)
    np.testing.assert_array_equal(data.images, test_set.images[PARTS["test"]])


def test_the_error_for_missing_files_has_the_fetch_command(stand_in, tmp_path):
    with pytest.raises(DataMissingError, match=f"mnist-svm fetch {stand_in.info.name} --data-dir"):
        read_downloaded(stand_in.info, tmp_path, "train")


def test_a_changed_file_fails_verification(stand_in, tmp_path):
    fetch(stand_in.info, tmp_path, mirrors=[stand_in.source.as_uri()])
    changed = stand_in.info.splits["train"][1]
    path = tmp_path / stand_in.info.folder / changed.name
    labels = read_idx(path)
    labels[0] = 9
    write_idx(path, labels)
    with pytest.raises(FormatError, match=f"{changed.name}: not the file of .* fetch it again"):
        read_downloaded(stand_in.info, tmp_path, "train")
    report = fetch(stand_in.info, tmp_path, mirrors=[stand_in.source.as_uri()])
    assert list(report.downloaded) == [changed.name]
    assert len(read_downloaded(stand_in.info, tmp_path, "train").images) == 600


def test_a_file_without_payload_checksum_must_be_as_published(stand_ins, mirror, tmp_path):
    kmnist = stand_ins["kmnist"]
    address = kmnist.serve(mirror)
    name = kmnist.info.splits["test"][1].name
    mirror.content[name] = gzip.compress(gzip.decompress(mirror.content[name]), 1)
    with pytest.raises(FetchError, match=f"{name}: no mirror provides the right file"):
        fetch(kmnist.info, tmp_path, mirrors=[address])


def test_the_error_mentions_a_decompressed_file_that_cannot_be_verified(stand_ins, tmp_path):
    kmnist = stand_ins["kmnist"]
    fetch(kmnist.info, tmp_path, mirrors=[kmnist.source.as_uri()])
    path = tmp_path / "kmnist" / kmnist.info.splits["test"][0].name
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    path.unlink()
    message = f"{path.name}: no such file, and {path.stem} cannot be verified .* fetch kmnist"
    with pytest.raises(DataMissingError, match=message):
        read_downloaded(kmnist.info, tmp_path, "test")
    report = fetch(kmnist.info, tmp_path, mirrors=[kmnist.source.as_uri()])
    assert list(report.downloaded) == [path.name]


# Checks beyond the checksum: files that match a wrong catalog entry.


def published(info: DatasetInfo, base: Path, images: np.ndarray, labels: np.ndarray) -> DatasetInfo:
    """Write arrays as the files of a data set; return an entry with their checksums."""
    folder = base / info.folder
    folder.mkdir()
    return write_files(info, folder, {split: [images, labels] for split in info.splits})


WIDE = np.zeros((3, 8), np.int32)
BLANK = np.zeros((3, 28, 28), np.uint8)


@pytest.mark.parametrize(
    ("name", "images", "labels", "message"),
    [
        ("kmnist", BLANK[:, :27], np.zeros(3, np.uint8), r"shape \(n, 28, 28\), found uint8 of"),
        ("kmnist", BLANK, np.zeros(4, np.uint8), "holds 3 images, but .* holds 4 labels"),
        (
            "kmnist",
            BLANK,
            np.full(3, 10, np.uint8),
            "label 10, but the labels of kmnist are 0 to 9",
        ),
        ("kmnist", BLANK, WIDE, "expected labels of uint8 in 1 dimensions, found int32"),
        ("emnist-letters", BLANK, np.zeros(3, np.uint8), "label 0, but the labels .* are 1 to 26"),
        ("qmnist", BLANK, WIDE - 1, "label -1, but the labels of qmnist are 0 to 9"),
        ("qmnist", BLANK, WIDE[:, :0], r"expected labels of int32 .* found .* shape \(3, 0\)"),
        ("qmnist", BLANK, np.zeros(3, np.uint8), "expected labels of int32 in 2 dimensions"),
    ],
)
def test_invalid_images_and_labels_are_refused(tmp_path, name, images, labels, message):
    info = published(CATALOG[name], tmp_path, images, labels)
    with pytest.raises(FormatError, match=message):
        read_downloaded(info, tmp_path, "train")


@pytest.mark.parametrize(
    ("off", "message"),
    [(-1, "over the limit of 2,367"), (1, "expected 2,369 bytes when decompressed, found 2,368")],
)
def test_an_unexpected_number_of_images_is_refused(tmp_path, off, message):
    info = published(CATALOG["kmnist"], tmp_path, BLANK, np.zeros(3, np.uint8))
    images, labels = info.splits["train"]
    # The limit is on the pixels, 16 bytes less than the file.
    size = images.size + (off if off > 0 else off - 16)
    info = replace(info, splits={**info.splits, "train": (replace(images, size=size), labels)})
    with pytest.raises(FormatError, match=message.replace("2,367", f"{size:,}")):
        read_downloaded(info, tmp_path, "train")


# The archive.


def test_only_the_members_are_left_of_the_archive(digits, mirror, tmp_path):
    report = fetch(digits.info, tmp_path, mirrors=[digits.serve(mirror)])
    names = {file.name for file in digits.info.archive.members.values()}
    assert {path.name for path in (tmp_path / "emnist").iterdir()} == names
    assert report.downloaded == dict.fromkeys(names, mirror.address + ARCHIVE)
    assert mirror.requests == [(ARCHIVE, None)]


def test_the_other_data_set_in_the_archive_needs_no_download(digits, letters, mirror, tmp_path):
    fetch(digits.info, tmp_path, mirrors=[digits.serve(mirror)])
    mirror.requests.clear()
    report = fetch(letters.info, tmp_path, mirrors=[mirror.address])
    assert len(report.present) == 4
    assert mirror.requests == []


def test_force_downloads_the_archive_again(digits, mirror, tmp_path):
    fetch(digits.info, tmp_path, mirrors=[digits.serve(mirror)])
    report = fetch(digits.info, tmp_path, mirrors=[mirror.address], force=True)
    assert len(report.downloaded) == 8
    assert mirror.requests == [(ARCHIVE, None)] * 2


def test_a_manually_placed_archive_is_used(digits, mirror, tmp_path):
    digits.serve(mirror)
    (tmp_path / "emnist").mkdir()
    (tmp_path / "emnist" / ARCHIVE).write_bytes(mirror.content[ARCHIVE])
    report = fetch(digits.info, tmp_path, mirrors=[mirror.address])
    assert set(report.downloaded.values()) == {(tmp_path / "emnist" / ARCHIVE).as_uri()}
    assert mirror.requests == []
    assert not (tmp_path / "emnist" / ARCHIVE).exists()


def test_a_broken_download_of_the_archive_is_resumed(digits, mirror, tmp_path):
    address = digits.serve(mirror)
    mirror.cut = [100_000]
    fetch(digits.info, tmp_path, mirrors=[address])
    assert mirror.requests == [(ARCHIVE, None), (ARCHIVE, "bytes=100000-")]
    assert len(read_downloaded(digits.info, tmp_path, "test").images) == 200


@pytest.mark.parametrize(
    "damage",
    [lambda whole: whole[:-1000], lambda whole: whole[:5000] + b"\xff" * 9 + whole[5009:]],
    ids=["truncated", "changed"],
)
def test_a_damaged_archive_is_not_extracted(digits, mirror, tmp_path, damage: Callable):
    address = digits.serve(mirror)
    mirror.content[ARCHIVE] = damage(mirror.content[ARCHIVE])
    with pytest.raises(FetchError, match=f"expected SHA-256 {digits.info.archive.file.sha256}"):
        fetch(digits.info, tmp_path, mirrors=[address])
    assert list((tmp_path / "emnist").iterdir()) == []


def test_the_error_names_a_missing_archive(digits, mirror, tmp_path):
    mirror.content = {}
    with pytest.raises(
        FetchError, match=f"HTTP 404[^$]*by hand, download {ARCHIVE} from any source"
    ):
        fetch(digits.info, tmp_path, mirrors=[mirror.address])


def hostile(
    info: DatasetInfo, folder: Path, write: Callable[[zipfile.ZipFile, RemoteFile], None]
) -> DatasetInfo:
    """Write an archive with one member; return an entry with its checksum."""
    folder.mkdir()
    file = info.splits["test"][1]
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as opened:
        write(opened, file)
    whole = replace(info.archive.file, sha256=sha256(folder / ARCHIVE))
    members = {f"gzip/{file.name}": file}
    return replace(info, archive=replace(info.archive, file=whole, members=members))


def bomb(opened: zipfile.ZipFile, file: RemoteFile) -> None:
    opened.writestr(f"gzip/{file.name}", bytes(50 << 20))


def other(opened: zipfile.ZipFile, file: RemoteFile) -> None:
    opened.writestr(f"gzip/{file.name}", b"something else")


def elsewhere(opened: zipfile.ZipFile, file: RemoteFile) -> None:
    for name in (f"../{file.name}", f"/tmp/{file.name}", file.name, f"gzip\\{file.name}"):
        opened.writestr(zipfile.ZipInfo(name), b"hostile")


def another_method(opened: zipfile.ZipFile, file: RemoteFile) -> None:
    opened.writestr(f"gzip/{file.name}", b"something else", zipfile.ZIP_LZMA)


def a_folder(opened: zipfile.ZipFile, file: RemoteFile) -> None:
    opened.mkdir(f"gzip/{file.name}")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (bomb, "more than the expected 208 bytes"),
        (other, "expected SHA-256 .* found .* [(]14 bytes[)]"),
        (elsewhere, "no gzip/emnist-digits-test-labels-idx1-ubyte.gz in it"),
        (another_method, "is encrypted, or compressed with an unknown method"),
        (a_folder, "no gzip/emnist-digits-test-labels-idx1-ubyte.gz in it"),
    ],
)
def test_nothing_is_extracted_from_an_archive_with_other_content(digits, tmp_path, write, message):
    info = hostile(digits.info, tmp_path / "emnist", write)
    with pytest.raises(FetchError, match=message):
        fetch(info, tmp_path, mirrors=["file:///nowhere/"])
    assert [path.name for path in tmp_path.rglob("*")] == ["emnist", ARCHIVE]


@pytest.mark.parametrize("at", [5, 12, 60, -30, -12], ids=lambda at: f"byte {at}")
def test_an_archive_with_inconsistent_headers_is_refused(digits, tmp_path, at):
    info = hostile(digits.info, tmp_path / "emnist", other)
    path = tmp_path / "emnist" / ARCHIVE
    whole = bytearray(path.read_bytes())
    whole[at] ^= 0xFF
    path.write_bytes(whole)
    archive = replace(info.archive, file=replace(info.archive.file, sha256=sha256(path)))
    with pytest.raises(FetchError):
        fetch(replace(info, archive=archive), tmp_path, mirrors=["file:///nowhere/"])
    assert [each.name for each in path.parent.iterdir()] == [ARCHIVE]


# The command.


def test_the_command_announces_a_large_download(in_catalog, run, digits, tmp_path):
    result = run(
        "fetch", "emnist-digits", "--data-dir", tmp_path, "--mirror", digits.source.as_uri()
    )
    assert result.exit_code == 0
    assert result.stderr == "Downloading gzip.zip, 562 MB\n"
    assert "emnist-letters-test-labels-idx1-ubyte.gz: downloaded from file://" in result.stdout
    assert "is in " + str(tmp_path / "emnist") in result.stdout


def test_the_command_announces_nothing_without_a_download(in_catalog, run, digits, tmp_path):
    fetch(digits.info, tmp_path, mirrors=[digits.source.as_uri()])
    result = run("fetch", "emnist-letters", "--data-dir", tmp_path, "--json")
    assert result.stderr == ""
    assert len(json.loads(result.stdout)["present"]) == 4
