"""Digests of what each stage reads, so that a stage whose digest stands in the manifest need not run again.

Left out on purpose: where the model runs (`device`), titles and output folders. They do not change what is
computed. A model on the Hub counts by its name and revision; a folder counts by the bytes of its files.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from atlas import plugins
from atlas.schema import SCHEMA_VERSION
from atlas.store.files import sha256_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from atlas.config import RenderConfig
    from atlas.configfile import LoadedConfig
    from atlas.store import Manifest

THEME_PARTS = ("templates", "panels", "css", "assets", "dist")
"""Folders of a theme that pages are made from; its sources and tools do not count."""

VERSIONS = {"stream": 1, "enrich": 1, "index": 1}
"""Stage → number of its method, raised when its results change for equal inputs: then every dataset's stage
runs again. The package's own version is not used, or each release would cost everybody a pass."""


def digest(value: Any) -> str:
    """SHA-256 hex of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def stream_digest(loaded: LoadedConfig, corpus_fingerprint: str) -> str:
    """Digest of everything the pass reads: model, SAEs, text, options, statistics."""
    config = loaded.config
    saes = [
        {
            **sae.model_dump(mode="json", exclude={"title"}),
            "files": folder_digest(loaded.base / sae.folder) if sae.folder else "",
        }
        for sae in config.saes
    ]
    return digest(
        {
            "version": [VERSIONS["stream"], SCHEMA_VERSION],
            "model": config.model.model_dump(mode="json", exclude={"device"}),
            "model_files": folder_digest(loaded.base / config.model.name),
            "saes": saes,
            "corpus": config.corpus.model_dump(mode="json"),
            "corpus_fingerprint": corpus_fingerprint,
            "pass": config.stream.model_dump(mode="json"),
            "statistics": _installed("atlas.statistics"),
        }
    )


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
            "enrichers": _installed("atlas.enrichers"),
        }
    )


def index_digest(enrich: str) -> str:
    """Digest of everything the search index reads; `enrich` is the digest of the enrichers."""
    return digest({"version": VERSIONS["index"], "enrich": enrich})


def render_digest(manifest: Manifest, config: RenderConfig, theme_folders: Iterable[Path]) -> str:
    """Digest of everything the site is made of: dataset, settings, the files of the themes, this atlas.

    The package's version counts here, since pages are cheap to write again.
    """
    return digest(
        {
            "atlas": version("feature-atlas"),
            "dataset": manifest.build_id,
            "options": config.model_dump(mode="json"),
            "theme": [
                [folder_digest(folder / part) for part in THEME_PARTS] + [sha256_file(folder / "theme.yaml")]
                for folder in theme_folders
            ],
        }
    )


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files below `folder`, hidden ones left out; '' if there is none.

    `DiskError` for a file that cannot be read.
    """
    if not folder.is_dir():
        return ""
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return digest([[name, sha256_file(folder / name)] for name in names])


def _installed(group: str) -> dict[str, str]:
    return {name: entry.value for name, entry in plugins.available(group).items()}
