"""`atlas check`: is a dataset or a site whole?"""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.console import print_result, say
from atlas.errors import EXIT_CHECK, InputError


def check(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DATASET|SITE",
            help="Dataset folder, site folder, or a config (checks both). Default: site_config.yaml.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check every hash, table, page, link and data file; exit code 5 and a list if anything is wrong.

    Example:  atlas check build/site
    """
    from atlas.check import check_dataset, check_site
    from atlas.cli.folders import shown
    from atlas.cli.progress import make_progress

    count = 0
    for path, is_site in _targets(folder):
        name = shown(path)
        with make_progress() as progress:
            if is_site:
                progress.begin(f"Checking the site {name}", "files")
                problems = check_site(path, progress.update)
            else:
                progress.begin(f"Checking the dataset {name}", "tables")
                problems = check_dataset(path, progress.update)
            progress.end(f"{len(problems):,} problems" if problems else "no problems")
        for problem in problems:
            print_result(f"{name}: {problem}")
        if not problems:
            print_result(f"ok {name}")
        count += len(problems)
    if count:
        say(f"{count:,} problems found")
        raise typer.Exit(EXIT_CHECK)


def _targets(folder: Path | None) -> list[tuple[Path, bool]]:
    """The folders to check, each with whether it is a site; `InputError` where there are none."""
    from atlas.cli import folders

    if folder is not None and folders.is_dataset(folder):
        return [(folder, False)]
    if folder is not None and folders.is_site(folder):
        return [(folder, True)]
    if folder is not None and folder.is_dir() and not (folder / folders.CONFIG_NAME).is_file():
        raise InputError(
            f"{str(folder)!r} is neither a dataset nor a site of atlas",
            fix="give the folder that holds manifest.json, or the one that holds the site's index.html",
        )
    loaded = folders.find_config(folder)
    return [(folders.data_folder(loaded), False), (folders.find_site(folder), True)]
