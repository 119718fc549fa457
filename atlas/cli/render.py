"""`atlas render`: write the site of a dataset again, without running a model."""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.console import print_result, say


def render(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="Config file, or a dataset folder. Default: site_config.yaml.",
            show_default=False,
            metavar="CONFIG|DATASET",
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the site. Default: as the config says; for a dataset, `site` beside it.",
            show_default=False,
        ),
    ] = None,
    theme: Annotated[
        str | None,
        typer.Option(help="Theme to use this time: a name, or a folder with theme.yaml.", show_default=False),
    ] = None,
) -> None:
    """Write the pages of an existing dataset: after a change of theme or titles, or from somebody's dataset.

    Needs no machine-learning library.

    Example:  atlas render downloads/data --site my-copy
    """
    from atlas.cli import folders
    from atlas.cli.progress import make_progress
    from atlas.pipeline import render_config, render_dataset

    with make_progress() as progress:
        if source is not None and folders.is_dataset(source):
            target = site or source.absolute().parent / "site"
            render_dataset(source, target, theme=theme, progress=progress)
            stale = list[str]()
        else:
            loaded = folders.find_config(source)
            target = site or folders.site_folder(loaded)
            stale = render_config(loaded, target, theme=theme, progress=progress)
    print_result(folders.shown(target / "index.html"))
    if stale:
        sections = " and ".join(stale)
        say(f"note: the dataset was built from another {sections}; `atlas build` applies the change")
