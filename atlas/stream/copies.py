"""How often the text of an example occurs in the corpus: counted once all that was read is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.stats.texts import text_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from atlas.stats.base import Selection
    from atlas.stats.hashing import Hashes
    from atlas.stream.contexts import ContextFiles

TOKENS_AT_ONCE = 1 << 18
"""Tokens whose keys are in memory together."""

_SIEVE_BITS = range(10, 27)
_SIEVE_SHARE = 4


@dataclass(frozen=True)
class Copies:
    """For places of the corpus, in how many contexts their text occurs."""

    place: NDArray[np.int64]
    """[n] context_idx * context_size + position, ascending."""
    count: NDArray[np.int32]
    """[n] contexts with the text of that place, its own included."""
    context_size: int
    """Tokens per context."""

    def at(self, context_idx: NDArray[np.int64], position: NDArray[np.int32]) -> NDArray[np.int32]:
        """[n] the counts at places that were asked for."""
        return self.count[np.searchsorted(self.place, context_idx * self.context_size + position)]


def count_copies(selections: Iterable[Selection], contexts: ContextFiles) -> Copies:
    """Counts the contexts that share the text (`atlas.stats.texts`) of each selected place.

    Reads all `contexts` once, a block at a time: the time grows with the corpus, the memory with the
    selections. Texts are told apart by their 64-bit keys.
    """
    size = contexts.context_size
    parts = [part.context_idx * size + part.position for part in selections]
    place = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *parts]))
    keys, which = np.unique(_keys_of(place, contexts), return_inverse=True)
    return Copies(place, _contexts_with(keys, contexts)[which], size)


def _keys_of(place: NDArray[np.int64], contexts: ContextFiles) -> Hashes:
    """[n] the key of the text at each place; only contexts with one are read."""
    keys = np.zeros(place.size, dtype=np.uint64)
    size = contexts.context_size
    holders = np.unique(place // size)
    step = max(1, TOKENS_AT_ONCE // size)
    for start in range(0, holders.size, step):
        some = holders[start : start + step]
        first, last = np.searchsorted(place, [some[0] * size, (some[-1] + 1) * size])
        inside = place[first:last]
        row = np.searchsorted(some, inside // size)
        keys[first:last] = text_keys(*contexts.read(some))[row, inside % size]
    return keys


def _contexts_with(keys: Hashes, contexts: ContextFiles) -> NDArray[np.int32]:
    """[n] number of contexts that hold a text of each of the sorted `keys`."""
    count = np.zeros(keys.size, dtype=np.int32)
    # A table over the first bits of the keys turns most tokens away before the search.
    bits = min(max((_SIEVE_SHARE * keys.size).bit_length(), _SIEVE_BITS[0]), _SIEVE_BITS[-1])
    shift = np.uint64(64 - bits)
    sieve = np.zeros(1 << bits, dtype=np.bool_)
    sieve[keys >> shift] = True
    step = max(1, TOKENS_AT_ONCE // contexts.context_size)
    numbers = contexts.numbers
    for start in range(numbers.start, numbers.stop, step):
        block = np.arange(start, min(start + step, numbers.stop), dtype=np.int64)
        found = text_keys(*contexts.read(block))
        row, position = np.nonzero(sieve[found >> shift])
        candidates = found[row, position]
        which = np.minimum(np.searchsorted(keys, candidates), max(keys.size - 1, 0))
        hits = np.flatnonzero(keys[which] == candidates) if keys.size else which[:0]
        # A context counts once, however often it repeats the text.
        once = np.unique(which[hits] * block.size + row[hits])
        count += np.bincount(once // block.size, minlength=keys.size).astype(np.int32)
    return count
