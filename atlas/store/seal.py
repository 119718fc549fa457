"""The file that makes a folder a site of ours: what it was made from, and the SHA-256 of every file in it.

A site is published as it is, so it has no manifest in JSON: the lines are those of `sha256sum`, and the last
one is the hash of all lines before it. Lines of parts come first: the key of what some files were made from.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SEAL_NAME = ".atlas-site"
"""Name of the file, in the root of every site."""

OPENING = "This folder was written by Feature Atlas and is replaced as a whole by the next render.\n"
"""Its first line; all of it while the site is being written."""

SEAL_LINE_BYTES = 96
"""Bytes of the line of one file, about."""

_MADE_FROM = "made from "
_LINE = re.compile(r"^([0-9a-f]{64})  ([^\n]+)\n", re.MULTILINE)
_PART = re.compile(r"^part ([0-9a-f]{64})  ([^\n]+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Seal:
    """What the file says."""

    made_from: str
    """Digest of everything the site was made of; empty where that is not known."""
    digests: dict[str, str]
    """Path of every other file of the site → SHA-256 hex of its bytes."""
    parts: dict[str, str] = field(default_factory=dict[str, str])
    """Name of a part of the site → SHA-256 hex of everything it was made from (`atlas.render.parts`)."""


def seal_text(seal: Seal) -> str:
    """The content of the file, from which `read_seal` gives the same back."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(seal.digests.items()))
    parts = "".join(f"part {key}  {name}\n" for name, key in sorted(seal.parts.items()))
    text = f"{OPENING}{_MADE_FROM}{seal.made_from}\n{parts}{lines}"
    return f"{text}{_sha256(text)}  {SEAL_NAME}\n"


def read_seal(folder: Path) -> Seal | None:
    """The seal of the site in `folder`; None where there is none, or a bit of it is not as it was written."""
    try:
        text = (folder / SEAL_NAME).read_bytes().decode("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    head, _, rest = text.removeprefix(OPENING).partition("\n")
    digests = {path: digest for digest, path in _LINE.findall(rest)}
    digests.pop(SEAL_NAME, None)
    parts = {name: key for key, name in _PART.findall(rest)}
    seal = Seal(head.removeprefix(_MADE_FROM), digests, parts)
    return seal if seal_text(seal) == text else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
