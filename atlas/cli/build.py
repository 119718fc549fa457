"""`atlas build`: from a config to a site."""

from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.arguments import ConfigArgument
from atlas.cli.console import print_result, say

if TYPE_CHECKING:
    from atlas.configfile import LoadedConfig


def build(
    config: ConfigArgument = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Measure a little and say what a build would cost; write nothing."),
    ] = False,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh", help="Run every stage again, changed or not; discards what an unfinished pass kept."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Build although model, SAE and text hardly belong together; the pages say so."
        ),
    ] = False,
) -> None:
    """Run the model and its SAEs over the corpus, write the dataset, and render it as a site.

    Run it again after a change: only the stages that depend on it run again. Run it again after it was
    stopped or killed: it goes on where it was.

    Example:  atlas build site_config.yaml --dry-run
    """
    from atlas.cli.folders import find_config
    from atlas.cli.libraries import quiet_libraries

    loaded = find_config(config)
    quiet_libraries()
    (_estimate if dry_run else _build)(loaded, fresh=fresh, force=force)


def _estimate(loaded: "LoadedConfig", *, fresh: bool, force: bool) -> None:
    """Say what the build would cost."""
    from atlas.cli.estimate import estimate_text
    from atlas.cli.folders import data_folder, shown, site_folder
    from atlas.cli.progress import make_progress
    from atlas.pipeline.estimate import estimate

    with make_progress() as progress:
        found = estimate(loaded, progress, force_fresh=fresh, force=force)
    print_result(estimate_text(found, shown(data_folder(loaded)), shown(site_folder(loaded))))


def _build(loaded: "LoadedConfig", *, fresh: bool, force: bool) -> None:
    """Build, and say where the results lie."""
    from atlas.cli.folders import shown
    from atlas.cli.progress import make_progress
    from atlas.pipeline import build as run_build

    with make_progress() as progress:
        report = run_build(loaded, force_fresh=fresh, force=force, progress=progress)
    for note in report.notes:
        say(f"note: {note}")
    print_result(shown(report.data))
    print_result(shown(report.site / "index.html"))
    if not set(report.ran) - {"check"}:
        say("nothing changed since the last build")
    say("open that page in a browser, or run `atlas serve`")
