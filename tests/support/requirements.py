"""What a test may need that not every machine has, and the one rule for its absence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
"""Root of the checkout."""

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""Commands under which distributions install Chromium, most common first."""


def missing(what: str, *, fix: str) -> NoReturn:
    """Skip the calling test with `what` as the reason; under `CI=true` fail instead.

    A skip on a developer's machine is honest, a skip where everything should be installed hides a hole.
    """
    reason = f"{what} ({fix})"
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(f"CI=true, so nothing may be skipped: {reason}", pytrace=False)
    pytest.skip(reason)


def shared_folder() -> Path | None:
    """The folder of real models, corpora and hostile strings: `ATLAS_SHARED`, else `../shared`; or None."""
    named = os.environ.get("ATLAS_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    return folder.resolve() if (folder / "data").is_dir() else None


def chromium_path() -> str | None:
    """Path of an installed Chromium or Chrome: `ATLAS_CHROMIUM`, else the first found on PATH; or None."""
    named = os.environ.get("ATLAS_CHROMIUM")
    if named:
        return named
    found = (shutil.which(name) for name in CHROMIUM_NAMES)
    return next((path for path in found if path), None)
