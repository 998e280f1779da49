"""Griffe extension for what the parser of numpydoc does not read in this package.

``name : text`` describes a field of a dataclass, whose type is its annotation: the parser would
take the text for the type. And of ``{"a", "b"} or float, default="b"`` it reads the choices alone,
of which the first would be the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import griffe

# Begins with a type of numbers, which is written small.
NUMBERS = re.compile(r"(u?int|float)\d")
CHOICES = re.compile(
    r"^(?P<name>\w+) : (?P<kind>\{.*?)(?:, default=(?P<default>.+))?$", re.MULTILINE
)


class DocumentedTypes(griffe.Extension):
    """Types of attributes and of choices, and constructors without private names."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Mend the docstrings of all classes and functions."""
        for each in _members(pkg):
            _mend_choices(each.docstring)
            if isinstance(each, griffe.Class):
                _mend_attributes(each)
                _hide_private_parameters(each)


def _members(parent: griffe.Object) -> Iterator[griffe.Object]:
    for member in parent.members.values():
        if isinstance(member, griffe.Module | griffe.Class | griffe.Function):
            yield member
            yield from _members(member)


def _hide_private_parameters(cls: griffe.Class) -> None:
    """Leave the private fields of a dataclass out of its signature."""
    init = cls.members.get("__init__")
    if isinstance(init, griffe.Function):
        public = [each for each in init.parameters if not each.name.startswith("_")]
        init.parameters = griffe.Parameters(*public)


def _mend_attributes(cls: griffe.Class) -> None:
    """Take the types of a dataclass from the code, where a field has a text in place of one."""
    members = cls.all_members if "dataclass" in cls.labels else {}
    for section in cls.docstring.parsed if cls.docstring and members else ():
        if isinstance(section, griffe.DocstringSectionAttributes):
            for each in section.value:
                # One text may be for several names.
                member = members.get(each.name.split(",")[0])
                text = str(each.annotation or "")
                # After a type begins a sentence; a text goes on.
                is_type = each.description[:1].isupper() and text[-1:] not in {",", ";"}
                if member is not None and member.is_attribute and not is_type:
                    text = f"{text}\n{each.description}".rstrip()
                    each.description = text if NUMBERS.match(text) else text[:1].upper() + text[1:]
                    each.annotation = member.annotation


def _mend_choices(docstring: griffe.Docstring | None) -> None:
    """Take the type and the default of a parameter with choices as they are written."""
    found = {each["name"]: each for each in CHOICES.finditer(docstring.value)} if docstring else {}
    for section in docstring.parsed if docstring and found else ():
        if isinstance(section, griffe.DocstringSectionParameters):
            for parameter in section.value:
                if each := found.get(parameter.name):
                    parameter.annotation, parameter.value = each["kind"], each["default"]
