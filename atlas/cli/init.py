"""`atlas init`: a config to start from, which builds as it stands."""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.console import print_result, say


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder to write to; made where it is missing.")
    ] = Path(),
) -> None:
    """Write a commented site_config.yaml, with a small model and SAE beside it that it builds from.

    Nothing that exists is overwritten.

    Example:  atlas init my-atlas
    """
    from atlas.cli.starter import write_starter

    config = write_starter(folder)
    print_result(str(config))
    here = folder.resolve() == Path.cwd()
    say("it builds as it stands; then point it at your own model, SAE and text. Next:")
    say(f"  {'' if here else f'cd {folder} && '}atlas build --dry-run    what it will cost")
    say(f"  {'' if here else f'cd {folder} && '}atlas build              build it")
