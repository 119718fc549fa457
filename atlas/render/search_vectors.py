"""The vectors of the search by meaning as scripts read them: int8, cut so that a few parts answer a query.

Every shard is bytes. `search/vectors/terms/<b>`: one vector per key of block b of the book 'terms', zeros
where it has none. `search/vectors/centres`: one vector per feature shard, its middle.
`search/vectors/features/<s>`: how many features there are and the gaps between their numbers less 1
(varints, from -1, as in a posting shard), then their vectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.index.vectors import DIMENSIONS
from atlas.render.packing import varints
from atlas.stats.lists import flat_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from atlas.store import AtlasStore

FEATURES_PER_SHARD = 256
"""Most features of one shard: 22 kB to load."""

_FULL = 127
_TURNS = 6


def vector_shards(store: AtlasStore, keys: Sequence[str], keys_per_block: int) -> Iterator[tuple[str, bytes]]:
    """(key, payload) of all vector shards, for the sorted `keys` of the book 'terms'."""
    table = store.read("vectors")
    number = table["number"].to_numpy()
    vectors = flat_numbers(table["vector"])[1].reshape(number.size, DIMENSIONS)
    n_terms = int((number < 0).sum())
    rows = np.zeros((len(keys), DIMENSIONS), np.int8)
    place = {key: number for number, key in enumerate(keys)}
    terms = table["term"].slice(0, n_terms).to_pylist()
    rows[[place[term] for term in terms]] = vectors[:n_terms]
    for start in range(0, len(keys), keys_per_block):
        block = rows[start : start + keys_per_block]
        yield f"search/vectors/terms/{start // keys_per_block}", block.tobytes()
    number = number[n_terms:]
    vectors = vectors[n_terms:]
    parts = similar_parts(vectors)
    yield "search/vectors/centres", centres(vectors, parts).tobytes()
    for shard, part in enumerate(parts):
        gaps = np.diff(number[part], prepend=-1) - 1
        head = varints(np.concatenate([[part.size], gaps]))
        yield f"search/vectors/features/{shard}", head + vectors[part].tobytes()


def count_vector_shards(store: AtlasStore, n_keys: int, keys_per_block: int) -> int:
    """How many `vector_shards` there are."""
    n_features = int((store.read("vectors", columns=["number"])["number"].to_numpy() >= 0).sum())
    return -(-n_keys // keys_per_block) + 1 + count_parts(n_features)


def count_parts(n_features: int) -> int:
    """How many `similar_parts` so many vectors have: none, or the least sufficient power of two."""
    needed = -(-n_features // FEATURES_PER_SHARD)
    return 1 << (needed - 1).bit_length() if needed else 0


def similar_parts(vectors: NDArray[np.int8]) -> list[NDArray[np.int64]]:
    """The rows of `vectors` [n, DIMENSIONS] cut into parts of similar ones, 2^k of nearly equal size.

    Each cut is at the median along the direction of the largest spread; the numbers in a part ascend.
    """
    parts = [np.arange(vectors.shape[0])]
    while len(parts) < count_parts(vectors.shape[0]):
        parts = [half for part in parts for half in _halves(vectors, part)]
    return [np.sort(part) for part in parts if part.size]


def _halves(vectors: NDArray[np.int8], part: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    # Every product is one of whole numbers below 2^53 and so exact, in whatever order threads add it up.
    own = vectors[part].astype(np.float64)
    own -= np.rint(own.mean(axis=0))
    direction = np.ones(DIMENSIONS)
    for _ in range(_TURNS):
        direction = own.T @ (own @ np.rint(direction * _FULL))
        direction /= max(float(np.abs(direction).max()), 1e-300)
    order = np.argsort(own @ np.rint(direction * _FULL), kind="stable")
    middle = (part.size + 1) // 2
    yield part[order[:middle]]
    yield part[order[middle:]]


def centres(vectors: NDArray[np.int8], parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int8]:
    """[len(parts), DIMENSIONS] the mean direction of each part, of length 127."""
    sums = np.array([vectors[part].sum(axis=0, dtype=np.int64) for part in parts], np.float64)
    sums = sums.reshape(len(parts), DIMENSIONS)
    lengths = np.sqrt(np.sum(sums * sums, axis=1, keepdims=True))
    found: Any = np.rint(_FULL * sums / np.maximum(lengths, 1))
    return found.astype(np.int8)
