"""Parts of the reference that are made of the code: commands, variables, HTTP, Python names.

A comment ``<!-- generated: NAME -->`` in a page stands for one of `GENERATED`, as Markdown.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

import mnist_svm
from mnist_svm.cli import cli

PROGRAM = "mnist-svm"
ROOT = Path(__file__).resolve().parents[1]
PYTHON_PAGES = ROOT / "docs" / "reference" / "python"

# An option in running text.
OPTION = re.compile(r"(?<![\w`/-])(--?[a-zA-Z][\w-]*)")
CODE_OR_TEXT = re.compile(r"(`[^`]*`)")

# Methods of HTTP, in the order of the page.
METHODS = ("get", "post")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def prose(text: str) -> str:
    """Return text of the command line as Markdown, with its options as code."""
    parts = CODE_OR_TEXT.split(" ".join(text.split()))
    for i in range(0, len(parts), 2):
        escaped = re.sub(r"([*_<|\[\]])", r"\\\1", parts[i])
        parts[i] = OPTION.sub(r"`\1`", escaped)
    return "".join(parts)


def code(text: str) -> str:
    """Return text as code."""
    return f"`{text}`"


# --- commands ---------------------------------------------------------------------------


def commands() -> str:
    """Return a section for each command."""
    return "\n\n".join(
        "\n\n".join(_command(name, command)) for name, command in sorted(cli.commands.items())
    )


def command_list() -> str:
    """Return a table of the commands."""
    rows = [
        (f"[`{name}`](#{PROGRAM}-{name})", prose(command.get_short_help_str(200)))
        for name, command in sorted(cli.commands.items())
    ]
    return table(("command", ""), rows)


def _command(name: str, command: click.Command) -> Iterator[str]:
    yield f"## {PROGRAM} {name} {{ #{PROGRAM}-{name} data-toc-label='{name}' }}"
    context = _context(name, command)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.command_path} {usage}\n```"
    yield from _help(command.help or "")
    yield _options(command, context)


def _context(name: str, command: click.Command) -> click.Context:
    parent = click.Context(cli, info_name=PROGRAM)
    return click.Context(command, info_name=name, parent=parent, **cli.context_settings)


def _help(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; what Click shows unwrapped becomes code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not paragraph.startswith("\b"):
            yield prose(paragraph)
            continue
        lines = paragraph.splitlines()[1:]
        flush = [line for line in lines if line and not line.startswith(" ")]
        listing = textwrap.dedent("\n".join(lines[len(flush) :]))
        is_example = flush == ["Examples:"]
        if flush:
            yield "**Examples**" if is_example else prose(" ".join(flush))
        language = "sh" if is_example else "json" if listing.startswith("{") else "text"
        yield f"```{language}\n{listing}\n```"


def _options(command: click.Command, context: click.Context) -> str:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    # Arguments are described by the text.
    rows = [(code(names), prose(text)) for names, text in filter(None, records) if text]
    return table(("option", ""), rows)


# --- settings of the server -------------------------------------------------------------


def settings() -> str:
    """Return a table of the variables of `serve`."""
    from mnist_svm.serve.settings import Settings

    helps = {option.name: option.help for option in cli.commands["serve"].params}
    rows = []
    for name in Settings.model_fields:
        text = prose(helps.get(name) or "Key that requests need: X-API-Key, or a bearer token.")
        rows.append((code(f"MNIST_SVM_{name.upper()}"), text))
    return table(("variable", ""), rows)


# --- HTTP -------------------------------------------------------------------------------


@cache
def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of the server, with an API key and corrections."""
    from fastapi import FastAPI

    from mnist_svm.serve.app import create_app
    from mnist_svm.serve.settings import Settings

    with TemporaryDirectory() as folder:
        app: Any = create_app(Settings(api_key="key", corrections=Path(folder)))
    while not isinstance(app, FastAPI):
        app = app._app
    return app.openapi()


def routes() -> str:
    """Return a section for each route."""
    return "\n\n".join(
        "\n\n".join(_route(method, path, operation))
        for path, operations in openapi()["paths"].items()
        for method, operation in operations.items()
    )


def _route(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    name = path.strip("/")
    yield f"### {method.upper()} {path} {{ #{method}-{name} }}"
    yield f"{operation['summary']}. {operation.get('description', '')}"
    if body := operation.get("requestBody"):
        yield table(("body", ""), _bodies(body["content"]))
    if parameters := operation.get("parameters"):
        rows = [
            (code(each["name"]), _type(each["schema"]), prose(each.get("description", "")))
            for each in parameters
        ]
        yield table(("parameter", "type", ""), rows)
    rows = [
        (status, _meaning(status, response), _content(response))
        for status, response in sorted(operation["responses"].items())
    ]
    yield table(("status", "", "answer"), rows)


def _bodies(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row for each kind of body, and one for the types of pictures."""
    rows = []
    pictures = [kind for kind in content if kind.startswith("image/")]
    if "multipart/form-data" in content:
        rows.append((code("multipart/form-data"), "pictures, as files in the field `file`"))
    if pictures:
        rows.append((", ".join(map(code, pictures)), "the bytes of one picture"))
    if "application/json" in content:
        rows.append((code("application/json"), "[Arrays](#schema-arrays)"))
    return rows


def _meaning(status: str, response: dict[str, Any]) -> str:
    # FastAPI's own description says no more.
    return "Success." if status.startswith("2") else prose(response["description"])


def _content(response: dict[str, Any]) -> str:
    (kind, content), *_ = response["content"].items()
    return _type(content["schema"]) if kind == "application/json" else code(kind)


def schemas() -> str:
    """Return a table of the keys of each JSON object."""
    from mnist_svm.serve.schemas import Arrays

    components = {"Arrays": Arrays.model_json_schema(), **openapi()["components"]["schemas"]}
    return "\n\n".join(
        "\n\n".join(_schema(name, schema))
        for name, schema in sorted(components.items())
        if name in _used(components)
    )


def _used(components: dict[str, Any]) -> set[str]:
    """Names of the schemas that a route refers to; FastAPI adds its own errors, which are not."""
    used = {"Arrays"}
    text = str({path: openapi()["paths"][path] for path in openapi()["paths"]})
    while found := set(re.findall(r"#/components/schemas/(\w+)", text)) - used:
        used |= found
        text = str([components[name] for name in found])
    return used - {"HTTPValidationError", "ValidationError"}


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name} {{ #schema-{name.lower()} }}"
    yield " ".join(schema.get("description", "").split())
    rows = [
        (code(key), _type(value), " ".join(value.get("description", "").split()))
        for key, value in schema["properties"].items()
    ]
    yield table(("key", "type", ""), rows)


def _type(schema: dict[str, Any]) -> str:
    """Return a type as Markdown, such as "list of numbers"."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#schema-{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    values = schema.get("enum") or [schema["const"]] if {"enum", "const"} & schema.keys() else []
    if values:
        return " or ".join(code(f'"{value}"') for value in values)
    if schema.get("type") == "array":
        items = _type(schema["items"])
        if "list" in items:
            return "nested " + items.removeprefix("nested ").replace("list of", "lists of")
        return f"list of {items}s" if items in {"integer", "number"} else f"list of {items}"
    return str(schema.get("type", "any"))


def metrics() -> str:
    """Return a table of the metrics."""
    from mnist_svm.serve.observability import Metrics

    rows = []
    for collector in Metrics()._registry._collector_to_names:
        if hasattr(collector, "_labelnames"):
            suffix = "_total" if collector._type == "counter" else ""
            labels = ", ".join(map(code, collector._labelnames))
            name = code(collector._name + suffix)
            rows.append((name, collector._type, labels, collector._documentation))
    return table(("metric", "type", "labels", ""), rows)


def limits() -> str:
    """Return a table of the limits that are not options."""
    from mnist_svm.serve import settings as s
    from mnist_svm.serve.payloads import MAX_FIELDS

    mib = s.MIB
    rows = [
        ("JSON body", f"{s.MAX_JSON_BYTES // mib} MiB", "413"),
        ("images of a JSON body", f"{s.MAX_ARRAYS:,}", "422"),
        ("fields of a form beside `file`", str(MAX_FIELDS), "422"),
        ("bodies in the memory of a worker", f"{s.MAX_BUFFERED_BYTES // mib} MiB", "503"),
        ("open connections of a worker", f"{s.MAX_CONNECTIONS:,}", "503"),
        ("headers of a request", f"{s.MAX_HEADER_BYTES >> 10} KiB", "400"),
        (
            "time until the headers are complete",
            f"{s.HEADER_TIMEOUT:g} s",
            "the connection is closed",
        ),
        (
            "time in which the client must read the answer",
            f"{s.SEND_TIMEOUT} s",
            "the connection is closed",
        ),
        ("kept corrections", f"{s.MAX_CORRECTIONS:,}", "507"),
    ]
    return table(("of", "limit", "beyond it"), rows)


# --- model files ------------------------------------------------------------------------


def model_limits() -> str:
    """Return a table of the numbers of the format."""
    from mnist_svm.models import check, file

    rows = [
        ("version of the format", str(file.FORMAT_VERSION)),
        ("bytes of an array, and of the whole file once unpacked, at most", f"{file.MAX_BYTES:,}"),
        ("steps, at most", str(check.MAX_STEPS)),
        ("degree of a polynomial kernel, at most", str(check.MAX_DEGREE)),
    ]
    return table(("number", "value"), rows)


def steps() -> str:
    """Return a table of the types of steps in a model file."""
    from mnist_svm.models.check import PARAMETERS
    from mnist_svm.models.steps import ATTRIBUTES

    rows = [
        (code(kind), _values(parameters), _values(ATTRIBUTES.get(kind, {})))
        for kind, parameters in sorted(PARAMETERS.items())
    ]
    return table(("`type`", "`parameters`", "`attributes`"), rows)


def _values(values: Mapping[str, Any]) -> str:
    """Return names with the types of their values, as `mnist_svm.models.check.Expected`."""
    return ", ".join(f"{code(name)} {_expected(value)}" for name, value in values.items())


def _expected(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(map(_expected, value))
    if isinstance(value, tuple):
        return f"({', '.join(map(_expected, value))})"
    if isinstance(value, dict):
        return f"dict of {_values(value)}"
    if isinstance(value, str):
        return f"{value} array"
    return {"NoneType": "None"}.get(value.__name__, value.__name__)


# --- Python -----------------------------------------------------------------------------


def names() -> str:
    """Return a table of the public names for each page that describes them."""
    return "\n\n".join(
        f"## [{title}]({page})\n\n{table(('name', ''), map(_name, found))}"
        for page, title, found in documented_names()
    )


def documented_names() -> Iterator[tuple[str, str, list[str]]]:
    """Yield the file, the title and the public names of each page with names."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = PYTHON_PAGES.glob("*.md")
    for path in sorted(pages, key=lambda path: navigation.index(f"reference/python/{path.name}")):
        text = path.read_text(encoding="utf-8")
        if found := re.findall(r"^::: mnist_svm\.(\w+)$", text, re.MULTILINE):
            yield path.name, text.splitlines()[0].removeprefix("# "), found


def _name(name: str) -> tuple[str, str]:
    value = getattr(mnist_svm, name)
    is_documented = inspect.isclass(value) or inspect.isfunction(value)
    first = (inspect.getdoc(value) or "").splitlines()[0] if is_documented else ""
    return f"[`{name}`][mnist_svm.{name}]", first or "All recipes, by name."


PARTS = (
    commands,
    command_list,
    settings,
    routes,
    schemas,
    metrics,
    limits,
    model_limits,
    steps,
    names,
)
GENERATED: dict[str, Callable[[], str]] = {part.__name__.replace("_", "-"): part for part in PARTS}
