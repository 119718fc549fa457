"""What `atlas init` writes: a commented config, and the bundled model and SAE that it builds from."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from atlas.cli.folders import CONFIG_NAME
from atlas.errors import InputError
from atlas.store.files import disk_errors, make_folder, write_atomic

DEMO_NAME = "demo"
"""Folder beside the config that gets the copies."""

COPIES = {"model": "model", "sae-l2": "sae"}
"""Folder of the package's own `demo` → its name beside the config."""


def write_starter(folder: Path) -> Path:
    """Write the config and its demo weights (about 9 MB) into `folder`; returns the path of the config.

    `InputError` when either is there already, before anything is written; `DiskError` when it cannot be.
    """
    config, demo = folder / CONFIG_NAME, folder / DEMO_NAME
    for path in (config, demo):
        if path.exists() or path.is_symlink():
            raise InputError(
                f"{str(path)!r} is already there; nothing was written",
                fix="choose another folder, or move it away",
            )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file, not a folder", fix="choose another folder")
    make_folder(folder)
    _copy_demo(demo)
    text = files("atlas.cli").joinpath("starter.yaml").read_bytes()
    write_atomic(config, text)
    return config


def _copy_demo(target: Path) -> None:
    """Copy to a name of its own first: an interrupted copy must not look like a finished one."""
    partial = target.with_name(f".{target.name}.partial")
    with disk_errors(target):
        shutil.rmtree(partial, ignore_errors=True)
        try:
            for name, copy in COPIES.items():
                with as_file(files("atlas").joinpath("demo", name)) as source:
                    shutil.copytree(source, partial / copy)
            partial.rename(target)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
