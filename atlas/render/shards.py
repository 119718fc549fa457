"""Data files for scripts. A classic script is the only thing a browser reads from file://, hence the one form
`atlasShard("<key>","<letters of gzip of JSON, or of bytes>");` at data/<key>.js (`atlas.store.letters`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import deflate

from atlas.render import columns
from atlas.render.choice import choice_payload
from atlas.store.letters import ENCODING, MARK, to_letters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas.config import RenderConfig
    from atlas.render.choice import Choice
    from atlas.render.payloads import CardPayload, ColumnPayload, SitePayload
    from atlas.store import Manifest

LEVEL = 5
"""Effort of packing: more gains less than a hundredth."""
QUICK = 2
"""Effort for the many: a fiftieth larger, in two thirds of the time."""
_END = '");\n'.encode(ENCODING)


def encode_shard(key: str, payload: Any, level: int = LEVEL) -> bytes:
    """The file of shard `key` (`[a-z0-9/-]`); equal payloads give equal bytes. NaN is a `ValueError`.

    A payload of `bytes` is packed as it is (`loadBytes` reads it); anything else as JSON (`loadShard`).
    """
    data = payload if isinstance(payload, bytes) else _json(payload)
    begin = f'atlasShard("{key}","'.encode(ENCODING)
    return b"".join((MARK, begin, to_letters(deflate.gzip_compress(data, level)), _END))


def _json(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def shard_path(key: str) -> str:
    """Path of shard `key` from the site's root."""
    return f"data/{key}.js"


def site_payload(
    manifest: Manifest,
    config: RenderConfig,
    choice: Choice,
    layouts: Sequence[tuple[list[ColumnPayload], list[CardPayload]]],
) -> SitePayload:
    """Shard `site`; `layouts` are the columns and cards of each SAE's feature pages."""
    return {
        "title": manifest.title,
        "author": manifest.author,
        "build_id": manifest.build_id,
        "n_tokens": int(manifest.stream.get("n_tokens", 0) or 0),
        "saes": [
            {
                "slug": entry.slug,
                "title": entry.title,
                "hook_name": str(entry.facts.get("hook_name", "")),
                "n_features": entry.n_features,
                "columns": described,
                "cards": cards,
            }
            for entry, (described, cards) in zip(manifest.saes, layouts, strict=True)
        ],
        "features_per_shard": config.features_per_shard,
        "rows_per_title_shard": columns.ROWS_PER_TITLE_SHARD,
        "rows_per_column_shard": columns.ROWS_PER_COLUMN_SHARD,
        "choice": choice_payload(choice, config),
        "model": bool(manifest.browser_model),
    }
