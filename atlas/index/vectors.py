"""Vectors for the search by meaning: terms and features as points of one space, without any model.

Latent semantic analysis of the table `postings`. The matrix has one row per feature and one column per
term, folded by `atlas.text.search_key`; an entry is the largest of the feature's weights for it, where a word
of an explanation counts 1, times the logarithm of (features / features with the term); rows have unit
length. Terms that more than half of the features have are left out. Its leading directions over the most
frequent terms are the space. A feature's vector is its row there, its length made 1. A term's vector is the
weighted mean of those of its features, its length made 1 and multiplied by the logarithm, over the largest:
so rare terms count more in the mean of a query's terms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from atlas.index.subspace import leading_directions
from atlas.schema import VECTORS
from atlas.stats.lists import flat_numbers
from atlas.stats.ragged import offsets, ranges
from atlas.text import search_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas.store import AtlasStore

DIMENSIONS = 64
BASIS_TERMS = 2048
"""Most frequent terms over which the directions are found."""
FIELDS = ("example", "token", "word")
"""Fields whose terms have a meaning here; a phrase is made of their terms, what was only seen is too weak."""

_LEVELS = 255
_ROWS = 4096
_ENTRIES = 1 << 18
_FULL = 127


class Matrix(NamedTuple):
    """Entries of the matrix, sorted by (row, column); no two of one place. Arrays [n]."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float64]


def build_vectors(store: AtlasStore) -> None:
    """Write the table `vectors` from the table `postings`: int8 [64] per term, then per feature.

    Terms are sorted by code points, features by number; those without any entry have no row.
    Equal tables give equal bytes, whatever the number of threads.
    """
    sizes = [entry.n_features for entry in store.manifest.saes]
    terms, matrix = _read(store, sizes)
    terms, matrix, rarity = _weighted(terms, matrix, sum(sizes))
    features = _unit(_projected(matrix, len(terms), sum(sizes)))
    words = _unit(_summed(matrix.column, matrix.row, matrix.value, features, len(terms)))
    words *= (rarity / max(float(rarity.max(initial=0)), 1e-300))[:, None]
    with store.writer("vectors", schema=VECTORS) as writer:
        known = np.flatnonzero(words.any(axis=1))
        writer.write(_table([terms[at] for at in known], np.full(known.size, -1), words[known]))
        known = np.flatnonzero(features.any(axis=1))
        writer.write(_table([""] * known.size, known, features[known]))


def _read(store: AtlasStore, sizes: Sequence[int]) -> tuple[list[str], Matrix]:
    """(the folded terms, sorted; the matrix of largest weights, rows by feature of all SAEs in a row)."""
    table = store.read("postings")
    fields = table["field"].to_pylist()
    table = table.filter(pa.array([field in FIELDS for field in fields], pa.bool_()))
    keys = [search_key(term) for term in table["term"].to_pylist()]
    terms = sorted(set(keys) - {""})
    place = {term: number for number, term in enumerate(terms)}
    bounds, feature = flat_numbers(table["feature_idx"])
    count = np.diff(bounds)
    row = np.cumsum([0, *sizes])[flat_numbers(table["sae"])[1]] + feature
    column = np.repeat(np.array([place.get(key, -1) for key in keys], np.int64), count)
    is_word = np.repeat([field == "word" for field in table["field"].to_pylist()], count)
    value = np.where(is_word, 1.0, flat_numbers(table["weight"])[1])
    kept = column >= 0
    places, which = np.unique(row[kept] * max(len(terms), 1) + column[kept], return_inverse=True)
    largest = np.zeros(places.size)
    np.maximum.at(largest, which, value[kept])
    row, column = np.divmod(places, max(len(terms), 1))
    return terms, Matrix(row, column, largest)


def _weighted(
    terms: list[str], matrix: Matrix, n_features: int
) -> tuple[list[str], Matrix, NDArray[np.float64]]:
    """(terms that set features apart, the matrix weighted, the logarithm of each term)."""
    count = np.bincount(matrix.column, minlength=len(terms))
    chosen = np.flatnonzero((count > 0) & (2 * count <= n_features))
    number = np.full(len(terms), -1)
    number[chosen] = np.arange(chosen.size)
    rarity = np.log(n_features / count[chosen]) if chosen.size else np.zeros(0)
    kept = number[matrix.column] >= 0
    row, column = matrix.row[kept], number[matrix.column[kept]]
    value = matrix.value[kept] * rarity[column]
    length = np.sqrt(np.bincount(row, value * value, minlength=n_features))
    value = np.rint(_LEVELS * value / length[row])
    return [terms[at] for at in chosen], Matrix(row, column, value), rarity


def _projected(matrix: Matrix, n_terms: int, n_features: int) -> NDArray[np.float64]:
    """[n_features, DIMENSIONS] every row of the matrix in the space of its leading directions."""
    count = np.bincount(matrix.column, minlength=n_terms)
    order = np.lexsort((np.arange(n_terms), -count))
    basis = np.full(n_terms, -1)
    basis[order[:BASIS_TERMS]] = np.arange(min(BASIS_TERMS, n_terms))
    kept = basis[matrix.column] >= 0
    part = Matrix(matrix.row[kept], basis[matrix.column[kept]], matrix.value[kept])
    directions = leading_directions(_products(part, min(BASIS_TERMS, n_terms)), DIMENSIONS)
    found = _summed(part.row, part.column, part.value, directions, n_features)
    return np.pad(found, ((0, 0), (0, DIMENSIONS - found.shape[1])))


def _products(matrix: Matrix, size: int) -> NDArray[np.float64]:
    """[size, size] the products of all columns, exact: sums of whole numbers."""
    found = np.zeros(size * size)
    count = np.bincount(matrix.row)
    starts = offsets(count)
    for first in range(0, count.size, _ROWS):
        stop = min(first + _ROWS, count.size)
        low, high = int(starts[first]), int(starts[stop - 1] + count[stop - 1])
        own = np.repeat(count[first:stop], count[first:stop])
        left = np.repeat(np.arange(low, high), own)
        right = ranges(starts[matrix.row[low:high]], own)
        places = matrix.column[left] * size + matrix.column[right]
        found += np.bincount(places, matrix.value[left] * matrix.value[right], minlength=size * size)
    return found.reshape(size, size)


def _summed(
    into: NDArray[np.int64],
    source: NDArray[np.int64],
    value: NDArray[np.float64],
    vectors: NDArray[np.float64],
    count: int,
) -> NDArray[np.float64]:
    """[count, dimensions] for each number in `into` the sum of value · vectors[source]."""
    order = np.argsort(into, kind="stable")
    into, source, value = into[order], source[order], value[order]
    found = np.zeros((count, vectors.shape[1]))
    if not into.size:
        return found
    starts = np.flatnonzero(np.diff(into, prepend=-1))
    # Whole runs of one number, of about as many entries as fit the memory of a block.
    blocks = np.unique(np.searchsorted(starts, np.arange(0, into.size, _ENTRIES)))
    for first, last in zip(blocks, [*blocks[1:], starts.size], strict=True):
        chosen = starts[first:last]
        if not chosen.size:
            continue
        part = slice(chosen[0], starts[last] if last < starts.size else into.size)
        products = vectors[source[part]] * value[part, None]
        found[into[chosen]] = np.add.reduceat(products, chosen - chosen[0], axis=0)
    return found


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every row over its length; zero rows stay."""
    length = np.sqrt(np.sum(vectors * vectors, axis=1, keepdims=True))
    return vectors / np.maximum(length, 1e-300)


def _table(terms: Sequence[str], number: NDArray[np.integer], vectors: NDArray[np.float64]) -> pa.Table:
    whole = np.rint(vectors * _FULL).astype(np.int8)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(whole.ravel()), DIMENSIONS).cast(pa.list_(pa.int8()))
    return pa.table([pa.array(terms, pa.string()), pa.array(number, pa.int32()), lists], schema=VECTORS)
