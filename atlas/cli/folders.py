"""Which folders a command line means: a config file, a dataset folder, a site folder, or nothing at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from atlas.errors import InputError

if TYPE_CHECKING:
    from atlas.configfile import LoadedConfig

CONFIG_NAME = "site_config.yaml"
"""The config that every command takes where none is given."""

MANIFEST_NAME = "manifest.json"
"""The file that makes a folder a dataset."""

MARKER_NAME = ".atlas-site"
"""The file that makes a folder a site of ours."""


def find_config(given: Path | None) -> LoadedConfig:
    """The config file `given`, or the one in the folder `given`, or the one in the working folder.

    `InputError` where there is none, `ConfigError` with every problem of the one there is.
    """
    from atlas.configfile import load_config

    path = given if given is not None else Path(CONFIG_NAME)
    if path.is_dir():
        path /= CONFIG_NAME
    if not path.exists():
        raise InputError(
            f"there is no config file {str(path)!r}",
            fix="name your config file, or write one with `atlas init`",
        )
    return load_config(path)


def is_dataset(path: Path | None) -> bool:
    """Whether `path` is a dataset folder."""
    return path is not None and (path / MANIFEST_NAME).is_file()


def is_site(path: Path) -> bool:
    """Whether `path` is a site that atlas wrote."""
    return (path / MARKER_NAME).is_file()


def data_folder(loaded: LoadedConfig) -> Path:
    """The dataset folder of a config."""
    return loaded.base / loaded.config.output.data


def site_folder(loaded: LoadedConfig) -> Path:
    """The site folder of a config."""
    return loaded.base / loaded.config.output.site


def find_site(given: Path | None) -> Path:
    """The site `given` as its own folder or as the config that wrote it; default: as site_config.yaml says.

    `InputError` unless it is a site that atlas wrote: any other folder may hold private files.
    """
    root = given
    if root is None or root.suffix in {".yaml", ".yml"} or (root / CONFIG_NAME).is_file():
        root = site_folder(find_config(root))
    if not is_site(root):
        there = "is not a site that atlas wrote" if root.is_dir() else "does not exist"
        raise InputError(f"the site folder {str(root)!r} {there}", fix="write it with `atlas build`")
    return root


def shown(path: Path) -> str:
    """`path` as a person in the working folder would write it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
