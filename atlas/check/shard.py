"""Reading back a data file of a site: `atlasShard("<key>","<base64 of gzip of JSON, or of bytes>");`."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from typing import Any, NoReturn

_SHARD = re.compile(rb'atlasShard\("([a-z0-9/_.-]+)","([A-Za-z0-9+/]*={0,2})"\);\s*')
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
    match = _SHARD.fullmatch(data)
    if match is None:
        raise ShardError('is not of the form atlasShard("key","base64");')
    key, content = match.group(1).decode("ascii"), _inflate(match.group(2))
    return key, content if BYTES_FOLDERS.intersection(key.split("/")[1:-1]) else _json(content)


def _inflate(text: bytes) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
        stream = zlib.decompressobj(_GZIP)
        data = stream.decompress(packed, MAX_JSON_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
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
