"""``mnist-svm fetch``."""

from __future__ import annotations

import json

import click

from mnist_svm.cli.options import data_dir_option, json_option
from mnist_svm.datasets.catalog import CATALOG


@click.command("fetch")
@click.argument("name", type=click.Choice(list(CATALOG)), default="mnist")
@data_dir_option
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL",
    help="Where to download from, http, https or file; repeat it for more to try in turn.  "
    "[default: the catalog's mirrors]",
)
@click.option("--force", is_flag=True, help="Download even what is there and right.")
@json_option
def fetch_command(
    name: str, data_dir: str, mirrors: tuple[str, ...], force: bool, as_json: bool
) -> None:
    """Download a data set and verify it.

    NAME is mnist (default) or fashion-mnist. Files that are there and right are not downloaded
    again; a broken download is taken up where it broke.

    \b
    Examples:
      mnist-svm fetch
      mnist-svm fetch fashion-mnist
      mnist-svm fetch --mirror file:///media/usb/mnist/
    """
    from mnist_svm.cli.progress import counted
    from mnist_svm.datasets.fetch import FetchReport, fetch, require_address
    from mnist_svm.errors import FetchError

    info = CATALOG[name]
    for mirror in mirrors:
        try:
            require_address(mirror)
        except FetchError as error:
            raise click.BadParameter(str(error), param_hint="--mirror") from error
    with counted(f"Fetching {name}", "bytes") as report_progress:
        report: FetchReport = fetch(
            info,
            data_dir,
            mirrors=mirrors,
            force=force,
            progress=lambda file, done, total: report_progress(done, total),
        )
    if as_json:
        content = {
            "name": name,
            "folder": str(report.folder),
            "present": list(report.present),
            "downloaded": report.downloaded,
        }
        click.echo(json.dumps(content, indent=2))
        return
    for file in report.present:
        click.echo(f"{file}: already there, SHA-256 verified")
    for file, address in report.downloaded.items():
        click.echo(f"{file}: downloaded from {address}, SHA-256 verified")
    click.echo(f"{info.title} is in {report.folder} ({info.licence})")
