"""Reading back a data file of a site: `atlasShard("<key>","<letters of gzip of JSON, or of bytes>");`."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any, NoReturn

from atlas.store.letters import ENCODING, MARK, from_letters

_SHARD = re.compile(r'atlasShard\("([a-z0-9/_.-]+)","([^"\\]*)"\);\s*')
_GZIP = 31
"""`wbits` of zlib for a gzip stream."""

MAX_JSON_BYTES = 1 << 28
"""Largest content read back; a larger one would not fit a browser tab either."""

BYTES_FOLDERS = frozenset(
    {"columns", "directions", "features", "files", "map", "postings", "runtime", "vectors", "webgpu"}
)
"""Folders whose data files hold bytes: no JSON."""


class ShardError(Exception):
    """A data file that scripts could not read; the text says why."""


def decode_shard(data: bytes) -> tuple[str, Any]:
    """Key and content of the shard file `data`; `ShardError` where a script would stumble.

    The content is bytes in the folders `BYTES_FOLDERS`, else what the JSON says.
    """
    text = data.removeprefix(MARK).decode(ENCODING, "replace") if data.startswith(MARK) else ""
    match = _SHARD.fullmatch(text)
    if match is None:
        raise ShardError('is not of the form atlasShard("key","letters"); in UTF-16')
    key, content = match.group(1), _inflate(match.group(2))
    return key, content if BYTES_FOLDERS.intersection(key.split("/")[1:-1]) else _json(content)


def _inflate(text: str) -> bytes:
    try:
        packed = from_letters(text)
        stream = zlib.decompressobj(_GZIP)
        data = stream.decompress(packed, MAX_JSON_BYTES)
    except (ValueError, zlib.error) as error:
        raise ShardError(f"does not decode ({error})") from error
    if not stream.eof:
        raise ShardError("is cut short, or too large to read")
    if stream.unused_data:
        raise ShardError("has bytes after its end")
    return data


def _json(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ShardError(f"is not JSON ({str(error)[:80]})") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
