"""The token ids and document numbers of every context read, in two flat files on disk.

Examples are known only at the end of the pass, but the corpus is read once: so what was read is
kept, 6 to 8 bytes a token, and memory does not grow with the corpus.
"""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import numpy as np

from atlas.store.files import disk_errors, make_folder

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray


def token_type(vocabulary_size: int) -> np.dtype[np.uint16 | np.uint32]:
    """In what the files hold a token: its number plus one, so that padding (-1) is 0."""
    return np.dtype(np.uint16 if vocabulary_size <= np.iinfo(np.uint16).max else np.uint32)


class ContextFiles:
    """Contexts number `first`, `first` + 1, … of the corpus; deleted on exit."""

    def __init__(self, folder: Path, context_size: int, vocabulary_size: int, first: int = 0) -> None:
        """Files in a new folder inside `folder`, which is made if missing; `DiskError` if it cannot be."""
        self._size = context_size
        self._first = first
        self._rows = 0
        self._token_type = token_type(vocabulary_size)
        self._folder = folder / f"contexts-{secrets.token_hex(8)}"
        make_folder(self._folder)
        self._tokens = self._folder / "token_ids"
        self._documents = self._folder / "document_idx"
        with disk_errors(self._folder):
            self._token_file = self._tokens.open("wb")
            self._document_file = self._documents.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # On a full disk closing fails too, but all that is lost is what nobody will read.
        for file in (self._token_file, self._document_file):
            with suppress(OSError):
                file.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):
            self._folder.parent.rmdir()

    @property
    def context_size(self) -> int:
        """Tokens per context, padding included."""
        return self._size

    @property
    def numbers(self) -> range:
        """Numbers of the contexts appended so far."""
        return range(self._first, self._first + self._rows)

    def append(
        self, context_idx: NDArray[np.int64], token_ids: NDArray[np.int32], document_idx: NDArray[np.int32]
    ) -> None:
        """Add contexts; `ValueError` unless their numbers go on where the last ones ended."""
        expected = np.arange(len(context_idx)) + self._first + self._rows
        if not np.array_equal(context_idx, expected):
            raise ValueError(f"contexts {context_idx} do not follow {self._first + self._rows - 1}")
        with disk_errors(self._folder, token_ids.size * 8):
            self._token_file.write((token_ids + 1).astype(self._token_type).tobytes())
            self._document_file.write(document_idx.astype(np.int32).tobytes())
        self._rows += len(context_idx)

    def read(self, context_idx: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(token_ids, document_idx), each [n, context_size], of the contexts asked for; padding is -1."""
        if not context_idx.size:
            nothing = np.zeros((0, self._size), dtype=np.int32)
            return nothing, nothing
        with disk_errors(self._folder):
            self._token_file.flush()
            self._document_file.flush()
            shape = (self._rows, self._size)
            tokens = np.memmap(self._tokens, self._token_type, "r", shape=shape)
            documents = np.memmap(self._documents, np.int32, "r", shape=shape)
            rows = context_idx - self._first
            return tokens[rows].astype(np.int32) - 1, np.array(documents[rows])
