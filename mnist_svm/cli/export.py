"""``mnist-svm export``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mnist_svm.cli.options import describe_model, json_option, model_option


@click.command("export")
@click.option(
    "--onnx",
    "output",
    type=click.Path(),
    required=True,
    metavar="FILE.onnx",
    help="The ONNX file to write; needs the extra [onnx].",
)
@model_option
@json_option
def export_command(output: str, model: str | None, as_json: bool) -> None:
    """Export a model as an ONNX file, for any language and runtime.

    The file contains the whole pipeline. onnxruntime, or any other ONNX runtime, takes a batch of
    images in MNIST form (28 x 28, uint8, ink bright on a dark background), and returns the label
    of each image and the calibrated probability of every label.

    Probabilities differ from those of this package by less than 0.0001. The file's metadata
    contain the model's recipe, parameters and training data.

    \b
    Examples:
      mnist-svm export --onnx model.onnx
      mnist-svm export --onnx best.onnx -m best.joblib
    """
    from mnist_svm._io import atomic_write, require_writable
    from mnist_svm.cli.exit_codes import echo_stderr
    from mnist_svm.export.onnx import INPUT, OPSET, export_onnx, output_specs, require_onnx
    from mnist_svm.models.file import load_model
    from mnist_svm.models.locate import find_model

    require_onnx()
    require_writable(output)
    path, target = find_model(model), Path(output)
    if target.exists() and path.exists() and target.samefile(path):
        msg = f"{output} is the model itself; give another file"
        raise click.BadParameter(msg, param_hint="--onnx")
    loaded = load_model(path)
    echo_stderr(f"Exporting {describe_model(path)}")
    content, outputs = export_onnx(loaded), output_specs(loaded)
    with atomic_write(output) as file:
        file.write(content)
    specs = INPUT, *outputs
    if as_json:
        described = [{"name": x.name, "type": x.dtype, "shape": list(x.shape)} for x in specs]
        summary = {
            "file": output,
            "bytes": len(content),
            "model": str(path),
            "opset": OPSET,
            "inputs": described[:1],
            "outputs": described[1:],
        }
        click.echo(json.dumps(summary, indent=2))
        return
    click.echo(f"Wrote   {click.format_filename(output)} ({len(content) / 1e6:.1f} MB)")
    for spec in specs:
        title, shape = "Input" if spec is INPUT else "Output", " x ".join(map(str, spec.shape))
        click.echo(f"{title:<6}  {spec.name}: {spec.dtype}, {shape}")
