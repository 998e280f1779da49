"""Build the data set ``styles`` in ``data/styles``.

    python -m tools.styles

Needs npm for the fonts, once. The files are the same each time, until drawing or the normaliser
changes: then the checksums that it prints, and the numbers of images, go into the catalog and the
README.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mnist_svm.datasets.formats.idx import read_idx
from mnist_svm.datasets.verify import payload_sha256
from tools.styles.build import write_styles
from tools.styles.collect import collect_styles

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--fonts", type=Path, default=ROOT / "build" / "fonts", help="folder of the packages"
    )
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "data" / "styles")
    arguments = parser.parse_args()
    write_styles(collect_styles(arguments.fonts), arguments.output)
    for path in sorted(arguments.output.glob("*-ubyte.gz")):
        array = read_idx(path)
        print(f"{path.stem}  {len(array):,}  {payload_sha256(array)}")


if __name__ == "__main__":
    main()
