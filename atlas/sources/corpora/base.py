"""What a corpus is: named documents in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Document:
    """One text of the corpus."""

    name: str
    """How pages call it (a path, a title, `file:line`); untrusted text."""
    text: str
    """The text; may hold anything but lone surrogates (readers replace undecodable bytes)."""
    token_ids: tuple[int, ...] | None = None
    """Set instead of `text` when the corpus is already tokenised."""
    source: str = ""
    """Part of the corpus it is from, such as a package, a file or a group of files; untrusted text."""


class Corpus(Protocol):
    """A readable corpus. Registered under `atlas.corpora` as `open(config, base) -> Corpus`,
    `base` being the folder of the config file that relative paths are resolved against.
    """

    description: str
    """One sentence for the about page: what this text is, with version."""

    def documents(self) -> Iterator[Document]:
        """All documents; the same order and content at every call. Streams: never the whole corpus."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 hex over what identifies the text (file bytes, or dataset name + revision)."""
        ...
