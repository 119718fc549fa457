"""`atlas export`: what other programs can use."""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.arguments import ConfigArgument
from atlas.cli.console import print_result, say

DEFAULT_FOLDER = "build/onnx"
"""Folder of the exported files beside the config, unless another is named."""

app = typer.Typer(
    name="export",
    help="Write the model and its SAEs for other programs.\n\nExample:  atlas export onnx my-atlas",
    no_args_is_help=True,
)


@app.command()
def onnx(
    config: ConfigArgument = None,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help=f"Folder for the files; a new or empty one. Default: {DEFAULT_FOLDER} beside the config.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write model and SAEs as ONNX graphs: tokens to activations, and tokens with steering to logits.

    The very files that `browser_model: true` puts into a site, in the precision of `browser_precision`:
    graphs, weights, tokenizer.json, checks.json, and manifest.json, which says what belongs to what. They are
    compared with the model on text of the corpus; the figures are told, and files that miss the gate are not
    written.

    Example:  atlas export onnx site_config.yaml --output my-model
    """
    from atlas.cli.folders import find_config, shown
    from atlas.cli.libraries import quiet_libraries
    from atlas.cli.progress import make_progress
    from atlas.pipeline.browser import export_folder
    from atlas.pipeline.job import Job

    loaded = find_config(config)
    quiet_libraries()
    folder = output or loaded.base / DEFAULT_FOLDER
    with make_progress() as progress:
        made = export_folder(Job(loaded, progress), folder)
    for slug, found in made.figures.items():
        say(f"{slug}: {found.words()}")
    print_result(shown(folder))
