"""The search index as scripts read it: small parts of a sorted vocabulary, of postings, and of vectors.

Two books: 'terms' (fields word, token, seen, example) and 'phrases'. A book's keys are its terms folded by
`atlas.text.search_key`, sorted by code points and cut into blocks; each key has entries, one per field and
spelling. A *unit* is at most `POSTINGS_PER_UNIT` postings of one entry, the strongest first; units are
numbered through the book in the order of its entries, and consecutive ones share a posting shard.

Bytes of a posting shard: varints (`atlas.render.packing`). First how many units there are, then the length
in bytes of each, then the units. A unit: per posting the gap to the number before (from -1; a posting's
number is its feature's, counted on through all SAEs) less 1, and the weight in thousandths; ascending by
number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.index.postings import FIELDS
from atlas.render.packing import varints
from atlas.render.search_vectors import count_vector_shards, vector_shards
from atlas.stats.lists import flat_numbers, flatten
from atlas.stats.ragged import offsets, ranges, ranks, row_bounds
from atlas.text import search_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.render.payloads import BookPayload, SearchPayload, SpellingShard, TermShard
    from atlas.store import AtlasStore

BOOKS = {"terms": FIELDS[:4], "phrases": FIELDS[4:]}
"""Book → its fields; a number in a data file counts `FIELDS`."""
KEYS_PER_BLOCK = 256
POSTINGS_PER_UNIT = 4096
POSTINGS_PER_SHARD = 8192
"""A posting shard takes in units until it holds as many postings: about 25 kB to load."""
KEYS_PER_SPELLING_SHARD = 4096
SHORTEST_SPELLING, LONGEST_SPELLING = 3, 24
"""Keys of fewer or more characters are not searched for similar spellings."""

_WEIGHTS = 1000


@dataclass(frozen=True)
class Book:
    """One sorted vocabulary and the postings of its entries."""

    name: str
    """A key of `BOOKS`."""
    keys: list[str]
    """Distinct, by code points."""
    key_of: NDArray[np.int64]
    """[n_entries] which key an entry belongs to, ascending."""
    field: NDArray[np.int64]
    """[n_entries] which of `FIELDS`; ascending within a key."""
    spellings: list[str]
    """[n_entries] the exact term."""
    row: NDArray[np.int64]
    """[n_entries] the entry's row in the table `postings`."""
    counts: NDArray[np.int64]
    """[n_entries] its postings."""

    @property
    def unit_counts(self) -> NDArray[np.int64]:
        """[n_units] postings of each unit."""
        entry = np.repeat(np.arange(self.counts.size), self.units_of)
        return np.minimum(self.counts[entry] - ranks(entry) * POSTINGS_PER_UNIT, POSTINGS_PER_UNIT)

    @property
    def units_of(self) -> NDArray[np.int64]:
        """[n_entries] units of each entry."""
        return -(-self.counts // POSTINGS_PER_UNIT)

    @property
    def shard_starts(self) -> NDArray[np.int64]:
        """[n_shards] first unit of every posting shard."""
        return np.unique(offsets(self.unit_counts) // POSTINGS_PER_SHARD, return_index=True)[1]

    def payload(self) -> BookPayload:
        """What scripts have to know to find a key's block and an entry's postings."""
        return {
            "blocks": self.keys[::KEYS_PER_BLOCK],
            "n_keys": len(self.keys),
            "shard_starts": self.shard_starts.tolist(),
        }

    def blocks(self) -> Iterator[TermShard]:
        """The vocabulary, block by block."""
        first_units = offsets(self.units_of)
        starts = np.arange(0, len(self.keys), KEYS_PER_BLOCK)
        bounds = np.searchsorted(self.key_of, np.append(starts, len(self.keys)))
        for start, low, high in zip(starts.tolist(), bounds, bounds[1:], strict=False):
            keys = self.keys[start : start + KEYS_PER_BLOCK]
            key = self.key_of[low:high] - start
            numbers = np.stack([key, self.field[low:high], self.counts[low:high]], axis=1)
            spelled = zip(key.tolist(), self.spellings[low:high], strict=True)
            yield {
                "first_unit": int(first_units[low]),
                "keys": keys,
                "entries": numbers.ravel().tolist(),
                "spellings": ["" if keys[at] == text else text for at, text in spelled],
            }


def _read_books(rows: pa.Table) -> list[Book]:
    fields = np.array([FIELDS.index(name) for name in rows["field"].to_pylist()], np.int64)
    terms = rows["term"].to_pylist()
    keys = [search_key(term) for term in terms]
    counts = np.diff(flatten(rows["feature_idx"])[0])
    return [_book(name, fields, terms, keys, counts) for name in BOOKS]


def _book(
    name: str, fields: NDArray[np.int64], terms: Sequence[str], keys: Sequence[str], counts: NDArray[np.int64]
) -> Book:
    own = np.flatnonzero(np.isin(fields, [FIELDS.index(field) for field in BOOKS[name]])).tolist()
    own.sort(key=lambda row: (keys[row], fields[row], terms[row]))
    distinct = sorted({keys[row] for row in own})
    place = {key: number for number, key in enumerate(distinct)}
    return Book(
        name=name,
        keys=distinct,
        key_of=np.array([place[keys[row]] for row in own], np.int64),
        field=fields[own],
        spellings=[terms[row] for row in own],
        row=np.array(own, np.int64),
        counts=counts[own],
    )


class SearchTables:
    """What the search of a site is made of, read once: for the plan of the site and for its files."""

    def __init__(self, store: AtlasStore) -> None:
        self.store = store

    @cached_property
    def postings(self) -> pa.Table:
        """The table `postings`."""
        return self.store.read("postings")

    @cached_property
    def books(self) -> list[Book]:
        """Its books, in the order of `BOOKS`."""
        return _read_books(self.postings)


def search_shards(tables: SearchTables) -> Iterator[tuple[str, Any]]:
    """(key, payload) of all search shards; the first is `search/directory`, a `SearchPayload`."""
    store, books = tables.store, tables.books
    vectors = dict(vector_shards(store, books[0].keys, KEYS_PER_BLOCK)) if store.has("vectors") else {}
    spellings = _spellings(books[0].keys)
    directory: SearchPayload = {
        "fields": list(FIELDS),
        "terms": books[0].payload(),
        "phrases": books[1].payload(),
        "keys_per_block": KEYS_PER_BLOCK,
        "postings_per_unit": POSTINGS_PER_UNIT,
        "spellings": [[length, len(shards)] for length, shards in spellings.items()],
        "vector_shards": sum(key.startswith("search/vectors/features/") for key in vectors),
        "sums": _sums(books),
    }
    yield "search/directory", directory
    for book in books:
        for number, block in enumerate(book.blocks()):
            yield f"search/{book.name}/{number}", block
        for number, data in enumerate(_posting_shards(book, tables)):
            yield f"search/postings/{book.name}/{number}", data
    for number, shard in enumerate(shard for shards in spellings.values() for shard in shards):
        yield f"search/spelling/{number}", shard
    yield from vectors.items()


def count_shards(tables: SearchTables) -> tuple[int, int]:
    """(number of files, number of postings) of `search_shards`, without making them."""
    store, books = tables.store, tables.books
    files = 1 + sum(len(shards) for shards in _spellings(books[0].keys).values())
    files += sum(-(-len(book.keys) // KEYS_PER_BLOCK) + book.shard_starts.size for book in books)
    if store.has("vectors"):
        files += count_vector_shards(store, len(books[0].keys), KEYS_PER_BLOCK)
    return files, int(sum(book.counts.sum() for book in books))


def _sums(books: Sequence[Book]) -> list[list[int]]:
    """Per field its terms and its postings."""
    field = np.concatenate([book.field for book in books])
    counts = np.concatenate([book.counts for book in books])
    terms = np.bincount(field, minlength=len(FIELDS))
    postings = np.bincount(field, counts, minlength=len(FIELDS)).astype(np.int64)
    return [list(pair) for pair in zip(terms.tolist(), postings.tolist(), strict=True)]


def _spellings(keys: Sequence[str]) -> dict[int, list[SpellingShard]]:
    """Number of characters → the keys that have as many, by code points, cut into shards; ascending."""
    by_length: dict[int, list[str]] = {}
    for key in keys:
        if SHORTEST_SPELLING <= len(key) <= LONGEST_SPELLING and key.replace("_", "0").isalnum():
            by_length.setdefault(len(key), []).append(key)
    return {
        length: [
            {"keys": found[start : start + KEYS_PER_SPELLING_SHARD]}
            for start in range(0, len(found), KEYS_PER_SPELLING_SHARD)
        ]
        for length, found in sorted(by_length.items())
    }


def _posting_shards(book: Book, tables: SearchTables) -> Iterator[bytes]:
    """The posting shards of a book; none of an empty one."""
    if not book.keys:
        return
    rows = tables.postings
    starts = np.cumsum([0, *(entry.n_features for entry in tables.store.manifest.saes)])
    bounds, feature = flat_numbers(rows["feature_idx"])
    place = ranges(bounds[book.row], book.counts)
    number = starts[flat_numbers(rows["sae"])[1][place]] + feature[place]
    share = flat_numbers(rows["weight"])[1][place]
    weight = np.clip(np.rint(share * _WEIGHTS), 0, _WEIGHTS).astype(np.int64)
    sizes = book.unit_counts
    unit = np.repeat(np.arange(sizes.size), sizes)
    order = np.lexsort((number, unit))
    number, weight = number[order], weight[order]
    before = np.concatenate([[-1], number[:-1]])
    before[offsets(sizes)] = -1
    numbers = np.stack([number - before - 1, weight], axis=1).ravel()
    data = varints(numbers)
    bounds = row_bounds(_varint_sizes(numbers))
    bounds = bounds[2 * row_bounds(sizes)]
    firsts = book.shard_starts.tolist()
    for first, last in zip(firsts, [*firsts[1:], sizes.size], strict=True):
        lengths = np.diff(bounds[first : last + 1])
        head = varints(np.concatenate([[last - first], lengths]))
        yield head + data[bounds[first] : bounds[last]]


def _varint_sizes(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n] bytes of each of `values`, which are below 2^63, as a varint."""
    return 1 + np.searchsorted(1 << np.arange(7, 63, 7), values, side="right")
