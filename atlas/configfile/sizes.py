"""Sizes that people type: 900MB, 1.5 GiB, 1000000."""

from __future__ import annotations

import re

from atlas.errors import InputError

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kmgt]?i?b)?", re.IGNORECASE)


def parse_size(text: str, *, where: str = "") -> int:
    """Bytes in `text`: a number with an optional unit (kB = 1000, KiB = 1024, up to TB; any case).

    `InputError` naming `where` for anything else, and for sizes under one byte.
    """
    match = _SIZE.fullmatch(text.strip())
    unit = (match[2] or "b").lower() if match else ""
    size = int(float(match[1]) * _UNITS[unit]) if match and unit in _UNITS else 0
    if size < 1:
        raise InputError(f"{text!r} is not a size", where=where, fix="write it like 900MB or 1GB")
    return size
