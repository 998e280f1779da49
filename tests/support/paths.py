"""Where the files are that tests read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
DIGITS = [ROOT / "images_test" / f"{digit}.png" for digit in range(10)]
