"""Catalog of public data sets: files, checksums, mirrors, licences and classes."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from mnist_svm.constants import N_PIXELS

if TYPE_CHECKING:
    from mnist_svm.datasets.types import Split


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set: its name on the mirrors, and its size in bytes when decompressed.

    `sha256` is of the decompressed file, because mirrors compress differently, or with
    `as_published` of the file as published, because no other is known.
    """

    name: str
    size: int
    sha256: str
    as_published: bool = False

    @property
    def stem(self) -> str:
        """File name after decompression."""
        return self.name.removesuffix(".gz")


@dataclass(frozen=True)
class Archive:
    """A zip file on the mirrors, and the files of several data sets to extract, by name in it."""

    file: RemoteFile
    members: Mapping[str, RemoteFile]


@dataclass(frozen=True)
class DatasetInfo:
    """Catalog entry of a data set.

    Attributes
    ----------
    name : argument of `mnist-svm fetch` and `--data`
    title, licence, source : descriptions, and the address of the makers' page, or its path
    folder : folder of the files, below the data directory
    splits : files of images and of labels, keyed by split
    mirrors : base addresses, in the order to try; none if only a clone has the files
    classes : names of the labels, from `first_label` on
    first_label : smallest label
    archive : zip file that the mirrors have instead of the files
    transposed : whether images are stored in column-major order
    wide_labels : whether labels are the first column of an int32 table of 8 columns
    """

    name: str
    title: str
    licence: str
    source: str
    folder: str
    splits: Mapping[Split, tuple[RemoteFile, RemoteFile]]
    mirrors: tuple[str, ...]
    classes: tuple[str, ...]
    first_label: int = 0
    archive: Archive | None = None
    transposed: bool = False
    wide_labels: bool = False

    @property
    def files(self) -> Mapping[str, RemoteFile]:
        """All files, keyed by their names after decompression."""
        return {file.stem: file for files in self.splits.values() for file in files}

    def class_names(self) -> dict[int, str]:
        """Return the name of each label."""
        return dict(enumerate(self.classes, self.first_label))


def _splits(
    *sha256: str,
    train: tuple[str, int] = ("train", 60_000),
    test: tuple[str, int] = ("t10k", 10_000),
    as_published: bool = False,
    wide_labels: bool = False,
) -> Mapping[Split, tuple[RemoteFile, RemoteFile]]:
    """Describe files with names like MNIST's.

    `sha256` has the checksums of training images, training labels, test images and test labels;
    `train` and `test` are the prefix of the file names and the number of images.
    """

    def pair(prefix: str, n: int, images: str, labels: str) -> tuple[RemoteFile, RemoteFile]:
        kind, labels_size = ("idx2-int", 12 + 8 * 4 * n) if wide_labels else ("idx1-ubyte", 8 + n)
        images_name, images_size = f"{prefix}-images-idx3-ubyte.gz", 16 + N_PIXELS * n
        return (
            RemoteFile(images_name, images_size, images, as_published),
            RemoteFile(f"{prefix}-labels-{kind}.gz", labels_size, labels, as_published),
        )

    return MappingProxyType({"train": pair(*train, *sha256[:2]), "test": pair(*test, *sha256[2:])})


MNIST = DatasetInfo(
    name="mnist",
    title="MNIST handwritten digits (LeCun, Cortes, Burges)",
    licence="CC BY-SA 3.0",
    source="http://yann.lecun.com/exdb/mnist/",
    folder="",
    splits=_splits(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    classes=tuple(string.digits),
)

FASHION_MNIST = DatasetInfo(
    name="fashion-mnist",
    title="Fashion-MNIST articles of clothing (Xiao, Rasul, Vollgraf; Zalando)",
    licence="MIT",
    source="https://github.com/zalandoresearch/fashion-mnist",
    folder="fashion-mnist",
    splits=_splits(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)

KMNIST = DatasetInfo(
    name="kmnist",
    title="Kuzushiji-MNIST, cursive hiragana (CODH, adapted from NIJL's Kuzushiji Dataset)",
    licence="CC BY-SA 4.0",
    source="https://github.com/rois-codh/kmnist",
    folder="kmnist",
    splits=_splits(
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        as_published=True,
    ),
    mirrors=(
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
)

_EMNIST_DIGITS = _splits(
    "f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726",
    "6638a6ff5fe2eefd9cca2471995b46c82986b8e4b2a70d2f5ce8e05d7edb319e",
    "20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63",
    "bad1834c45d5988e270b99d43b13edc3fd898f658ffbc2caf2846ef27f7b05b0",
    train=("emnist-digits-train", 240_000),
    test=("emnist-digits-test", 40_000),
    as_published=True,
)

_EMNIST_LETTERS = _splits(
    "6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f",
    "9759af91ea6bccdf07a6040fd085861f2ec88e37f7c3f5760f6feb57106fbe5c",
    "50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d",
    "924955c31fe7fd809b7303b5c0141282955f4b8390c74cdfd5d80435e0f4b4cb",
    train=("emnist-letters-train", 124_800),
    test=("emnist-letters-test", 20_800),
    as_published=True,
)

# Has the files of both data sets; all are extracted, because the archive is too large to
# download it twice.
_EMNIST_FILES = (*_EMNIST_DIGITS.values(), *_EMNIST_LETTERS.values())
EMNIST_ARCHIVE = Archive(
    RemoteFile(
        "gzip.zip",
        561_753_746,
        "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        as_published=True,
    ),
    MappingProxyType({f"gzip/{file.name}": file for files in _EMNIST_FILES for file in files}),
)

EMNIST_DIGITS = DatasetInfo(
    name="emnist-digits",
    title="EMNIST handwritten digits (Cohen, Afshar, Tapson, van Schaik; NIST)",
    licence="no licence stated; derived from NIST Special Database 19",
    source="https://www.nist.gov/itl/products-and-services/emnist-dataset",
    folder="emnist",
    splits=_EMNIST_DIGITS,
    mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/",),
    classes=tuple(string.digits),
    archive=EMNIST_ARCHIVE,
    transposed=True,
)

EMNIST_LETTERS = replace(
    EMNIST_DIGITS,
    name="emnist-letters",
    title="EMNIST handwritten letters (Cohen, Afshar, Tapson, van Schaik; NIST)",
    splits=_EMNIST_LETTERS,
    classes=tuple(f"{letter}/{letter.lower()}" for letter in string.ascii_uppercase),
    first_label=1,
)

QMNIST = DatasetInfo(
    name="qmnist",
    title="QMNIST, MNIST rebuilt from NIST's originals, with 60,000 test digits (Yadav, Bottou)",
    licence="BSD 3-Clause",
    source="https://github.com/facebookresearch/qmnist",
    folder="qmnist",
    splits=_splits(
        "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d",
        "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f",
        "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375",
        "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06",
        train=("qmnist-train", 60_000),
        test=("qmnist-test", 60_000),
        as_published=True,
        wide_labels=True,
    ),
    mirrors=("https://raw.githubusercontent.com/facebookresearch/qmnist/master/",),
    classes=tuple(string.digits),
    wide_labels=True,
)

# Made by this project, which has no public address yet.
STYLES = DatasetInfo(
    name="styles",
    title="Digits as they are taught and written in many countries, drawn with fonts and strokes",
    licence="MIT",
    source="data/styles/README.md",
    folder="styles",
    splits=_splits(
        "591239fdc66a48e9bb7fb223be309a41babd94266171e799184f6c414e8c298e",
        "829e4aa8d0ae298a312557773ed723be25662e9485c8bdd6912d0940cedadc6f",
        "d8d71f257b10aead9d8865941255ce64b45a5a1f88bdf8e6c02fec827e8934e9",
        "e0a9cbe381ebbaaf583833f5b661102611f5d62081dddbefab9e2835167813a4",
        train=("train", 38_948),
        test=("t10k", 9_039),
    ),
    mirrors=(),
    classes=tuple(string.digits),
)

_ALL = (MNIST, FASHION_MNIST, KMNIST, EMNIST_DIGITS, EMNIST_LETTERS, QMNIST, STYLES)
CATALOG: Mapping[str, DatasetInfo] = MappingProxyType({info.name: info for info in _ALL})
