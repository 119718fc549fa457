"""`atlas serve`: look at a site over http, on this machine only."""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.console import print_result, say
from atlas.errors import InterruptedBuildError


def serve(
    site: Annotated[
        Path | None,
        typer.Argument(
            metavar="SITE",
            help="Site folder, or the config that wrote it. Default: as site_config.yaml says.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes any free one.")] = 8000,
) -> None:
    """Serve a site on http://127.0.0.1 until Ctrl-C; other machines cannot reach it.

    A site needs no server: opening its index.html in a browser shows the same.

    Example:  atlas serve build/site --port 8080
    """
    from atlas.cli.folders import find_site
    from atlas.cli.server import open_server

    root = find_site(site)
    with open_server(root, port) as server:
        print_result(server.url)
        say(f"serving {root} to this machine only; Ctrl-C stops")
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            raise InterruptedBuildError("stopped") from None
