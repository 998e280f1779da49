"""The data sets known by name: their files, checksums, mirrors, licences and classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mnist_svm.errors import DataMissingError


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Attributes
    ----------
    name : its name on the mirrors, gzip-compressed.
    size : bytes of its payload, that is, decompressed.
    sha256 : of its payload, because mirrors compress differently.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class DatasetInfo:
    """What the catalog knows of a data set.

    Attributes
    ----------
    name : as given to ``fetch`` and ``--data``.
    title, licence, source : for people.
    folder : where its files live below the data directory.
    files : keyed by IDX stem, such as ``train-images-idx3-ubyte``.
    mirrors : base addresses, tried in order.
    classes : what labels 0, 1, 2, ... mean.
    """

    name: str
    title: str
    licence: str
    source: str
    folder: str
    files: Mapping[str, RemoteFile]
    mirrors: tuple[str, ...]
    classes: tuple[str, ...]


def lookup(name: str) -> DatasetInfo:
    """The catalog's entry for a name.

    Parameters
    ----------
    name : str

    Returns
    -------
    DatasetInfo

    Raises
    ------
    DataMissingError
        If the catalog has no such data set.
    """
    if name not in CATALOG:
        msg = f"no data set is called {name!r}: the catalog has {', '.join(CATALOG)}"
        raise DataMissingError(msg)
    return CATALOG[name]


def _files(**sha256: str) -> Mapping[str, RemoteFile]:
    """The four files that MNIST and its successors in form share, given their checksums."""
    sizes = {
        "train-images-idx3-ubyte": 47_040_016,
        "train-labels-idx1-ubyte": 60_008,
        "t10k-images-idx3-ubyte": 7_840_016,
        "t10k-labels-idx1-ubyte": 10_008,
    }
    return MappingProxyType(
        {
            stem: RemoteFile(f"{stem}.gz", size, checksum)
            for (stem, size), checksum in zip(sizes.items(), sha256.values(), strict=True)
        }
    )


CATALOG: Mapping[str, DatasetInfo] = MappingProxyType(
    {
        "mnist": DatasetInfo(
            name="mnist",
            title="MNIST handwritten digits (LeCun, Cortes, Burges)",
            licence="CC BY-SA 3.0",
            source="http://yann.lecun.com/exdb/mnist/",
            folder="",
            files=_files(
                train_images="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                train_labels="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                test_images="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                test_labels="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
            mirrors=(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            classes=tuple("0123456789"),
        ),
        "fashion-mnist": DatasetInfo(
            name="fashion-mnist",
            title="Fashion-MNIST articles of clothing (Xiao, Rasul, Vollgraf; Zalando)",
            licence="MIT",
            source="https://github.com/zalandoresearch/fashion-mnist",
            folder="fashion-mnist",
            files=_files(
                train_images="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                train_labels="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                test_images="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                test_labels="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
        ),
    }
)
