"""Arguments that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG",
        help="Config file, or the folder it lies in. Default: site_config.yaml.",
        show_default=False,
    ),
]
"""The config that a command works on."""
