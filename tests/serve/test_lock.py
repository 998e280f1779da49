"""Tests that the image installs locked versions, which pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
(PYTHON,) = set(re.findall(r"^FROM python:([\d.]+)-slim", DOCKERFILE, re.MULTILINE))
IMAGE = ROOT / "deploy" / "image"

# What each file pins.
REQUIRED = {
    "requirements.txt": [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["serve"],
    ],
    "build-requirements.txt": PROJECT["build-system"]["requires"],
}

# A name, a version and perhaps a marker, then hashes.
PIN = re.compile(
    r"([a-z0-9-]+)==(\S+)(?: ; [^\\\n]+)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+"
)


def unmet(required: list[str], pinned: dict[str, str]) -> list[str]:
    """Return the requirements of Linux that the pinned versions do not satisfy."""
    environment = {"python_version": PYTHON, "sys_platform": "linux"}
    return [
        str(requirement)
        for requirement in map(Requirement, required)
        if requirement.marker is None or requirement.marker.evaluate(environment)
        if requirement.name not in pinned
        or not requirement.specifier.contains(pinned[requirement.name])
    ]


def read_pins(name: str) -> dict[str, str]:
    return {found[1]: found[2] for found in PIN.finditer((IMAGE / name).read_text())}


@pytest.mark.parametrize("name", REQUIRED)
def test_a_lock_satisfies_what_is_required(name):
    assert unmet(REQUIRED[name], read_pins(name)) == []


@pytest.mark.parametrize("name", REQUIRED)
def test_a_raised_floor_and_a_missing_pin_are_unmet(name):
    pins = read_pins(name)
    first = Requirement(REQUIRED[name][0]).name
    raised = f"{first}>={Version(pins[first]).major + 1}"
    assert unmet([raised], pins) == [raised]
    assert unmet(["not-pinned"], pins) == ["not-pinned"]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_lock_has_only_pins_with_hashes(name):
    text = re.sub(r"^ *#.*\n", "", (IMAGE / name).read_text(), flags=re.MULTILINE)
    assert PIN.sub("", text) == ""
    assert "://" not in text


@pytest.mark.parametrize("name", REQUIRED)
def test_the_image_installs_what_is_locked(name):
    (command,) = re.findall(
        rf"pip [^&]*--requirement /build/{name}", DOCKERFILE.replace("\\\n", " ")
    )
    assert "--require-hashes" in command
    assert "--only-binary :all:" in command


def test_the_lock_is_for_the_image_s_python():
    assert f"--python-version {PYTHON} " in (ROOT / "deploy" / "lock.sh").read_text()
