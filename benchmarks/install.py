"""Measure how long `pip install` takes in a new environment, and what takes the room.

    python -m benchmarks.install

Builds the wheel, installs it without extras into a new environment, and writes ``install.md``.
Needs a package index. The second of two installations is measured, which downloads nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "benchmarks" / "install.md"

# Parts below this size are added up, in MB.
SMALL = 2.0


def main() -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as folder:
        wheels = Path(folder) / "wheels"
        pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
        (wheel,) = wheels.glob("*.whl")
        for name in ("first", "second"):
            environment = Path(folder) / name
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            python = str(environment / "bin" / "python")
            before = sizes(environment)
            start = time.perf_counter()
            pip(python, "install", str(wheel))
            seconds = time.perf_counter() - start
        after = sizes(environment)
    added = {name: after[name] - before.get(name, 0) for name in after}
    TARGET.write_text(format_table(added, sum(before.values()), seconds), encoding="utf-8")
    print(TARGET.read_text(encoding="utf-8"))


def pip(python: str, *arguments: str) -> None:
    """Run pip, quietly."""
    subprocess.run([python, "-m", "pip", "--quiet", *arguments], check=True)


def sizes(environment: Path) -> dict[str, float]:
    """Return the MB (10**6 bytes) of the files of each package in an environment."""
    found: dict[str, float] = {}
    (site_packages,) = environment.glob("lib/python*/site-packages")
    for path in environment.rglob("*"):
        if path.is_file() and not path.is_symlink():
            inside = path.is_relative_to(site_packages)
            name = path.relative_to(site_packages).parts[0] if inside else "environment"
            # numpy, numpy.libs and numpy-2.3.dist-info are one package.
            name = name.split("-")[0].split(".")[0]
            found[name] = found.get(name, 0) + path.stat().st_size / 1e6
    return found


def format_table(added: dict[str, float], empty: float, seconds: float) -> str:
    """Format as Markdown, the largest part first."""
    large = sorted((name for name in added if added[name] >= SMALL), key=lambda name: -added[name])
    rest = sum(megabytes for megabytes in added.values() if megabytes < SMALL)
    python = ".".join(map(str, sys.version_info[:2]))
    lines = [
        f"`pip install` of the wheel takes {seconds:.0f} s under Python {python}, without",
        f"downloads, by `python -m benchmarks.install`. The empty environment has {empty:.0f} MB.",
        "",
        "| package | MB |",
        "|---|---|",
        *(f"| {name} | {added[name]:.0f} |" for name in large),
        f"| others | {rest:.0f} |",
        f"| all that is installed | {sum(added.values()):.0f} |",
        f"| with the environment | {empty + sum(added.values()):.0f} |",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
