"""Command line: one module per command, which parses options, calls the library and prints."""

from __future__ import annotations

import click

from mnist_svm.cli.convert import convert_command
from mnist_svm.cli.evaluate import evaluate_command
from mnist_svm.cli.examples import examples_command
from mnist_svm.cli.exit_codes import ErrorHandlingGroup
from mnist_svm.cli.explain import explain_command
from mnist_svm.cli.export import export_command
from mnist_svm.cli.fetch import fetch_command
from mnist_svm.cli.info import info_command
from mnist_svm.cli.inspect import inspect_command
from mnist_svm.cli.predict import predict_command
from mnist_svm.cli.read import read_command
from mnist_svm.cli.recipes import recipes_command
from mnist_svm.cli.serve import serve_command
from mnist_svm.cli.teach import teach_command
from mnist_svm.cli.train import train_command
from mnist_svm.cli.tune import tune_command


@click.group(
    "mnist-svm",
    cls=ErrorHandlingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="mnist-svm", prog_name="mnist-svm")
def cli() -> None:
    """Read handwritten digits with a support vector machine.

    \b
    Examples:
      mnist-svm examples                    pictures to try the commands on
      mnist-svm predict examples/digits     read digits from pictures, one each
      mnist-svm read examples/page.jpg      read the numbers on a photo or scan
      mnist-svm serve                       a web page to draw on, and a JSON API
      mnist-svm train                       train on MNIST, write mnist-svm.joblib
      mnist-svm eval                        accuracy and confusion matrix on the test set

    Exit codes: 0 success, 1 failure of the command or of some inputs, 2 wrong usage,
    130 interrupted.
    """


for command in (
    examples_command,
    fetch_command,
    inspect_command,
    convert_command,
    recipes_command,
    train_command,
    teach_command,
    tune_command,
    evaluate_command,
    predict_command,
    read_command,
    explain_command,
    info_command,
    export_command,
    serve_command,
):
    cli.add_command(command)
