"""``mnist-svm examples``."""

from __future__ import annotations

import click


@click.command("examples")
@click.argument("folder", type=click.Path(), default="examples", metavar="[FOLDER]")
def examples_command(folder: str) -> None:
    """Write example pictures, forms and a notebook to try the commands on.

    FOLDER must not exist yet, or be empty; it is ./examples if none is given. It gets

    \b
      digits/          ten pictures of one digit each
      page.jpg         a page of numbers
      form.json        where the fields of a form are, and
      forms/           six filled forms
      hand/            zeros that the model of the package misreads, to teach it
      mnist-svm.ipynb  a notebook, from the data to a trained model, for a class

    \b
    Examples:
      mnist-svm examples && mnist-svm predict examples/digits
      mnist-svm read examples/forms --template examples/form.json --csv numbers.csv
    """
    from mnist_svm.examples import write_examples

    write_examples(folder)
    click.echo(f"Wrote {folder}")
