"""Digests of what each stage reads, so that a stage whose digest stands in the manifest need not run again.

That of the pass is the digest of its sections (`atlas.stream.inputs`).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from atlas.store.files import named_hashes, sha256_file
from atlas.stream.inputs import digest, installed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atlas.config import RenderConfig
    from atlas.configfile import LoadedConfig
    from atlas.store import Manifest

VERSIONS = {"enrich": 3, "index": 3, "browser_model": 2}
"""Stage → number of its method, raised when its results change for equal inputs: then every dataset's stage
runs again. The package's own version is not used, or each release would cost everybody the work."""


def enrich_digest(loaded: LoadedConfig, stream: str) -> str:
    """Digest of everything the enrichers read; `stream` is the digest of the pass."""
    options = loaded.config.enrich
    own = loaded.base / options.explanations if options.explanations else None
    return digest(
        {
            "version": VERSIONS["enrich"],
            "stream": stream,
            "options": options.model_dump(mode="json"),
            "explanations": sha256_file(own) if own is not None and own.is_file() else "",
            "enrichers": installed("atlas.enrichers"),
        }
    )


def index_digest(enrich: str) -> str:
    """Digest of everything the search index reads; `enrich` is the digest of the enrichers."""
    return digest({"version": VERSIONS["index"], "enrich": enrich})


def browser_digest(loaded: LoadedConfig, stream: str) -> str:
    """Digest of everything the model for browsers is made from; `stream` is the digest of the pass."""
    precision = loaded.config.browser_precision
    return digest({"version": VERSIONS["browser_model"], "stream": stream, "precision": precision})


def render_digest(manifest: Manifest, config: RenderConfig, theme: str, lists: Iterable[Path]) -> str:
    """Digest of everything the site is made of: dataset, settings, the files of the themes, this atlas.

    `theme` is the theme's hash (`atlas.render.themes.theme_hash`), `lists` are the files of curated lists.

    The package's version counts here, since pages are cheap to write again.
    """
    return digest(
        {
            "atlas": version("feature-atlas"),
            "dataset": manifest.build_id,
            "options": config.model_dump(mode="json"),
            "theme": theme,
            "lists": named_hashes(lists),
        }
    )
