"""Openly licensed fonts of the npm registry: handwriting, school hands, and a few text faces.

The table ``families.csv`` names each family with its pinned version, kind, licence and, for the
hand that a country teaches or a script's own designers draw, the country. Files come from
``npm pack`` and are kept in a folder that is not committed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageFont

TABLE = Path(__file__).with_name("families.csv")

# Scope of the packages, and size in pixels at which outlines are measured.
SCOPE = "@fontsource"
SIZE = 100


@dataclass(frozen=True)
class Family:
    """A font family: one row of the table.

    Attributes
    ----------
    name : package below the scope, which is the family's name in lower case with hyphens
    version : of the package
    kind : "font" for handwriting, "print" for a text face
    licence : SPDX identifier
    country : ISO 3166 code of two letters, or empty
    sha256 : checksum of the font file
    """

    name: str
    version: str
    kind: str
    licence: str
    country: str
    sha256: str

    @property
    def archive(self) -> str:
        """File name that ``npm pack`` gives the package."""
        return f"{SCOPE[1:]}-{self.name}-{self.version}.tgz"


def read_families(table: Path = TABLE) -> list[Family]:
    """Read the table of families, sorted by name."""
    with table.open(newline="", encoding="utf-8") as file:
        return sorted((Family(**row) for row in csv.DictReader(file)), key=lambda each: each.name)


def load_font(family: Family, folder: Path) -> ImageFont.FreeTypeFont:
    """Load a family's upright font of regular weight; get its package first if need be.

    Raises
    ------
    ValueError
        If the font file is not the one of the table.
    subprocess.CalledProcessError
        If npm cannot provide the package.
    """
    content = read_font_file(_package(family, folder), family.name)
    found = hashlib.sha256(content).hexdigest()
    if found != family.sha256:
        msg = f"{family.archive}: expected a font of SHA-256 {family.sha256}, found {found}"
        raise ValueError(msg)
    return ImageFont.truetype(io.BytesIO(content), SIZE)


def read_font_file(archive: Path, name: str) -> bytes:
    """Extract the upright Latin font whose weight is nearest to regular.

    Raises
    ------
    ValueError
        If the package has none.
    """
    pattern = re.compile(rf"package/files/{re.escape(name)}-latin-(\d+)-normal\.woff")
    with tarfile.open(archive) as package:
        fonts = [match for each in package.getnames() if (match := pattern.fullmatch(each))]
        if not fonts:
            msg = f"{archive.name}: no upright Latin font in it"
            raise ValueError(msg)
        regular = min(fonts, key=lambda match: (abs(int(match[1]) - 400), int(match[1])))
        member = package.extractfile(regular.string)
        assert member is not None, regular.string
        return member.read()


def _package(family: Family, folder: Path) -> Path:
    path = folder / family.archive
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{SCOPE}/{family.name}@{family.version}"
        subprocess.run(["npm", "pack", "--silent", name], cwd=folder, check=True)
    return path
