"""``mnist-svm info``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from mnist_svm.cli.options import json_option


@click.command("info")
@click.argument("model", type=click.Path(), required=False)
@json_option
def info_command(model: str | None, as_json: bool) -> None:
    """Tell what a model file says of itself.

    That is recipe, parameters, training data, versions and date. MODEL is mnist-svm.joblib in this
    folder, or else the model that comes with the package. Like every command, this one reads the
    file without running anything in it.

    \b
    Examples:
      mnist-svm info
      mnist-svm info small.joblib --json
    """
    from mnist_svm.models.file import load_model
    from mnist_svm.models.locate import find_model

    path = find_model(model)
    metadata = load_model(path).metadata
    size = path.stat().st_size
    if as_json:
        click.echo(json.dumps({"file": str(path), "bytes": size, **metadata}, indent=2))
        return
    rows = [("file", f"{path} ({size / 1e6:.1f} MB)"), *_rows(metadata)]
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
