"""What an unfinished pass keeps on disk, so that a killed one goes on where it last committed.

One file holds the arrays of all statistics, one after another; one small JSON record names it with its
SHA-256, what was read, and the inputs of the pass. The state is written first, the record after it, each by
one rename: the record that stands is whole, and so is what it names.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.errors import InputError
from atlas.store.files import read_bytes, write_atomic
from atlas.store.tables import remove_tree
from atlas.stream.inputs import changes, digest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atlas.stats.base import State

RECORD = "pass.json"
"""Name of the record in the checkpoint's folder."""

SHARE = 50
"""A commit waits for so many times the duration of the last one: it costs two percent of the time at most."""

_STATE_NAME = re.compile(r"[0-9a-f]{16}\.state")
_MAX_RECORD = 64 << 20
_SHOWN_CHANGES = 8


@dataclass
class Counts:
    """Running totals over the corpus."""

    read: int = 0
    """Tokens read, masked ones included."""
    counted: int = 0
    """Tokens left by the mask."""
    contexts: int = 0
    """Packed sequences read."""


@dataclass(frozen=True)
class Commit:
    """What a record says."""

    counts: Counts
    """What had been read."""
    tokens_sha256: str
    """SHA-256 hex over the token ids of these contexts, padding included, as little-endian int32."""
    sections: dict[str, Any]
    """Inputs of the pass (`atlas.stream.inputs`)."""
    file: str
    """Name of the file of the state, in the same folder."""
    sha256: str
    """SHA-256 hex of that file."""
    arrays: list[list[Any]] = field(default_factory=list[list[Any]])
    """(name, dtype, shape) of every array, in the order of the file."""


class Checkpoint:
    """The folder of a pass's commits. Use it under the dataset's lock."""

    def __init__(
        self,
        folder: Path,
        *,
        seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Commits are due every `seconds`; 0 for after every batch. Nothing is read or written yet."""
        self.folder = folder
        self.notes: list[str] = []
        """What the user should know, one sentence each."""
        self._seconds = seconds
        self._clock = clock
        self._last = clock()
        self._duration = 0.0

    @property
    def commit(self) -> Commit | None:
        """The commit that stands, or None where there is none or its record is damaged."""
        path = self.folder / RECORD
        if not path.is_file():
            return None
        try:
            return _decode(read_bytes(path, _MAX_RECORD))
        except (InputError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def refuse_other(self, sections: Mapping[str, Any]) -> None:
        """`InputError` when the commit was made from other inputs than `sections`, naming what changed."""
        commit = self.commit
        different = [] if commit is None else changes(commit.sections, sections)
        if commit is None or not different:
            return
        shown = different[:_SHOWN_CHANGES]
        if len(different) > len(shown):
            shown.append(f"… and {len(different) - len(shown):,} more")
        raise InputError(
            "an unfinished pass of other inputs is kept here"
            f" ({commit.counts.read:,} tokens read); since it began:\n" + "\n".join(f"- {s}" for s in shown),
            where=str(self.folder),
            fix="put that back to go on with it, or discard it and start over: `atlas build --fresh`",
        )

    def load(self) -> tuple[Commit, State] | None:
        """The commit with its arrays, or None; a damaged one is discarded with a note."""
        commit = self.commit
        if commit is None:
            if (self.folder / RECORD).exists():
                self._damaged("its record is not what was written")
            return None
        try:
            state = _split(read_bytes(self.folder / commit.file), commit)
        except (InputError, ValueError, TypeError):
            self._damaged("its state is not what was written")
            return None
        return commit, state

    def due(self) -> bool:
        """Whether it is time for the next `save`."""
        if not self._seconds:
            return True
        return self._clock() - self._last >= max(self._seconds, SHARE * self._duration)

    def save(self, state: State, counts: Counts, tokens_sha256: str, sections: Mapping[str, Any]) -> None:
        """Commit `state`; `DiskError` when that cannot be done: then the commit before it stands."""
        start = self._clock()
        parts = [_bytes_of(array) for array in state.values()]
        sha256 = _sha256(parts)
        commit = Commit(
            counts=counts,
            tokens_sha256=tokens_sha256,
            sections=dict(sections),
            file=f"{sha256[:16]}.state",
            sha256=sha256,
            arrays=[[name, array.dtype.str, list(array.shape)] for name, array in state.items()],
        )
        write_atomic(self.folder / commit.file, *parts)
        write_atomic(self.folder / RECORD, _encode(commit))
        self._remove_others({RECORD, commit.file})
        self._last = self._clock()
        self._duration = self._last - start

    def discard(self) -> None:
        """Remove everything; the record goes first, so that what is left of a killed removal is no commit."""
        if self.folder.is_symlink():
            return
        with contextlib.suppress(OSError):
            (self.folder / RECORD).unlink(missing_ok=True)
        remove_tree(self.folder)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()

    def _damaged(self, why: str) -> None:
        self.notes.append(
            f"what was kept of an unfinished pass is damaged ({why}): it was discarded, the pass starts over"
        )
        self.discard()

    def _remove_others(self, names: set[str]) -> None:
        with contextlib.suppress(OSError):
            for path in self.folder.iterdir():
                if path.name not in names:
                    path.unlink()


class Keeper:
    """What makes a pass impossible to lose: where it commits, its inputs, and who may stop it."""

    def __init__(
        self, checkpoint: Checkpoint, sections: Mapping[str, Any], stop: Callable[[], bool] | None = None
    ) -> None:
        """`sections` as in `atlas.stream.inputs`; `stop` is asked after every batch."""
        self.checkpoint = checkpoint
        self.sections = sections
        self.stop = stop or _never

    def stop_if_asked(self) -> None:
        """`KeyboardInterrupt` where a stop was asked for."""
        if self.stop():
            raise KeyboardInterrupt


def _bytes_of(array: NDArray[np.generic]) -> memoryview:
    """The bytes of `array` in row order, without a copy where it lies so already."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(np.uint8).data if flat.size else memoryview(b"")


def _sha256(parts: Iterable[memoryview]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()


def _split(data: bytes, commit: Commit) -> State:
    """The arrays of a state file; `ValueError` unless it is exactly the one that was written."""
    if hashlib.sha256(data).hexdigest() != commit.sha256:
        raise ValueError
    state: State = {}
    place = 0
    for name, kind, shape in commit.arrays:
        dtype = np.dtype(kind)
        count = int(np.prod(shape, dtype=np.int64))
        state[name] = np.frombuffer(data, dtype, count, place).reshape(shape).copy()
        place += count * dtype.itemsize
    if place != len(data):
        raise ValueError
    return state


def _encode(commit: Commit) -> bytes:
    body = asdict(commit)
    return json.dumps({**body, "record_sha256": digest(body)}, indent=1).encode()


def _decode(data: bytes) -> Commit:
    """The commit in `data`; an error of some kind unless `_encode` wrote exactly that."""
    body: dict[str, Any] = json.loads(data)
    if body.pop("record_sha256") != digest(body) or not _STATE_NAME.fullmatch(body["file"]):
        raise ValueError
    counts = Counts(**body.pop("counts"))
    return Commit(counts=counts, **body)


def _never() -> bool:
    """Nobody asks for a stop."""
    return False
