"""``mnist-svm fetch``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from mnist_svm.cli.options import data_dir_option, json_option
from mnist_svm.datasets.catalog import CATALOG, RemoteFile


@click.command("fetch")
@click.argument("name", type=click.Choice(list(CATALOG)), default="mnist", metavar="[NAME]")
@data_dir_option
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="URL",
    help="Base address to download from: http, https or file. Repeat it to try several in turn.  "
    "[default: the catalog's mirrors]",
)
@click.option("--force", is_flag=True, help="Download files even if they are present and valid.")
@json_option
def fetch_command(
    name: str, data_dir: str | None, mirrors: tuple[str, ...], force: bool, as_json: bool
) -> None:
    """Download a data set and verify its checksums.

    Valid files are not downloaded again, and broken downloads are resumed. NAME is one of

    \b
      mnist           70,000 digits; the default
      fashion-mnist   70,000 articles of clothing
      kmnist          70,000 cursive Japanese letters
      emnist-digits   280,000 digits
      emnist-letters  145,600 letters, upper and lower case in one class
      qmnist          MNIST rebuilt from NIST's originals, with 60,000 test digits
      styles          43,037 digits drawn with fonts and strokes; in the project's
                      repository, without a mirror

    Both EMNIST data sets come in one archive of 562 MB, which is removed after extraction.

    \b
    Examples:
      mnist-svm fetch
      mnist-svm fetch fashion-mnist
      mnist-svm fetch --mirror file:///media/usb/mnist/
    """
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.cli.progress import progress_counter
    from mnist_svm.datasets.download import fetch, require_address
    from mnist_svm.exceptions import FetchError

    for mirror in mirrors:
        try:
            require_address(mirror)
        except FetchError as error:
            raise click.BadParameter(str(error), param_hint="--mirror") from error

    def announce(file: RemoteFile) -> None:
        if file.size >= 100_000_000:
            echo_stderr(f"Downloading {file.name}, {file.size / 1e6:.0f} MB")

    info = CATALOG[name]
    with progress_counter(f"Fetching {name}", "bytes") as report_progress:
        report = fetch(
            info,
            data_dir,
            mirrors=mirrors,
            force=force,
            progress=lambda file, n_bytes, size: report_progress(n_bytes, size),
            announce=announce,
        )
    if as_json:
        content = {"name": name, **asdict(report), "folder": str(report.folder)}
        click.echo(json.dumps(content, indent=2))
        return
    for file in report.present:
        click.echo(f"{file}: already present, SHA-256 verified")
    for file, address in report.downloaded.items():
        click.echo(f"{file}: downloaded from {address}, SHA-256 verified")
    click.echo(f"{info.title} is in {report.folder} ({info.licence})")
