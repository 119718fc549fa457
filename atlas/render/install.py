"""What lets a browser install the site as an application."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from atlas.render.frames import ICON, asset_path

if TYPE_CHECKING:
    from atlas.render.frames import Frames

WEB_MANIFEST = "atlas.webmanifest"
"""Path of the web-app manifest from the site's root."""

_PAPER = "#fbfaf6"
_SHORT = 24


def web_manifest(frames: Frames) -> bytes:
    """The web-app manifest: the site under its own name, wherever it lies."""
    return json.dumps(
        {
            "name": frames.name,
            "short_name": frames.name if len(frames.name) <= _SHORT else f"{frames.name[: _SHORT - 1]}…",
            "start_url": "index.html",
            "scope": "./",
            "display": "minimal-ui",
            "background_color": _PAPER,
            "theme_color": _PAPER,
            "icons": [{"src": asset_path(ICON), "sizes": "any", "type": "image/svg+xml"}],
        },
        ensure_ascii=False,
        indent=1,
    ).encode("utf-8", "replace")
