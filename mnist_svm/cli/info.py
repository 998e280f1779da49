"""``mnist-svm info``."""

from __future__ import annotations

import json

import click

from mnist_svm.cli.options import json_option
from mnist_svm.exceptions import sanitize


@click.command("info")
@click.argument("model", type=click.Path(), required=False)
@json_option
def info_command(model: str | None, as_json: bool) -> None:
    """Show how a model was made.

    That is its recipe, parameters, training data, versions and date. MODEL is mnist-svm.joblib in
    this folder, or else the model shipped with the package. Like every command, this one runs no
    code from the model file.

    \b
    Examples:
      mnist-svm info
      mnist-svm info small.joblib --json
    """
    from mnist_svm.models.file import load_model
    from mnist_svm.models.locate import find_model

    path = find_model(model)
    info, size = load_model(path).info, path.stat().st_size
    if as_json:
        click.echo(json.dumps({"file": str(path), "bytes": size, **info.to_dict()}, indent=2))
        return
    rows = [("file", f"{path} ({size / 1e6:.1f} MB)")]
    rows += [(f"{group}: {name}" if group else name, value) for group, name, value in info.rows()]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        # Text from the file must not control the terminal.
        click.echo(sanitize(f"{name:<{width}}  {value}"))
