"""``mnist-svm info``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from mnist_svm.cli.options import DEFAULT_MODEL, json_option


@click.command("info")
@click.argument("model", type=click.Path(), default=DEFAULT_MODEL)
@json_option
def info_command(model: str, as_json: bool) -> None:
    """Tell what a model file says of itself.

    That is recipe, parameters, training data, versions and date. MODEL is mnist-svm.joblib unless
    told otherwise. Like every command, this one reads the file without running anything in it.

    \b
    Examples:
      mnist-svm info
      mnist-svm info small.joblib --json
    """
    from mnist_svm.modelfile import load_model

    metadata = load_model(model).metadata
    size = Path(model).stat().st_size
    if as_json:
        click.echo(json.dumps({"file": model, "bytes": size, **metadata}, indent=2))
        return
    rows = [("file", f"{model} ({size / 1e6:.1f} MB)"), *_rows(metadata)]
    width = max(len(key) for key, _ in rows)
    for key, value in rows:
        click.echo(f"{key:<{width}}  {value}")


def _rows(metadata: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in metadata.items():
        label = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            yield from _rows(value, f"{label}: ")
        elif isinstance(value, list):
            yield label, " ".join(map(str, value))
        elif value is not None:
            yield label, str(value)
