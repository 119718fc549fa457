"""Postings of one field while they are gathered, and the rows of the table `postings` that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from atlas.schema import POSTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FIELDS = ("word", "token", "seen", "example", "phrase")
"""Every field of the index; the table `postings` has them sorted by name."""

_TERMS_PER_WRITE = 1 << 14


class Columns(NamedTuple):
    """Postings, in columns. All arrays [n]."""

    term: NDArray[np.int32]
    sae: NDArray[np.int16]
    feature: NDArray[np.int32]
    weight: NDArray[np.float32]

    def at(self, chosen: NDArray[np.signedinteger]) -> Columns:
        """The postings at an index."""
        return Columns(self.term[chosen], self.sae[chosen], self.feature[chosen], self.weight[chosen])


class Postings:
    """Postings of one field as parallel columns, 14 bytes each."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._parts: list[Columns] = []

    def term(self, text: str) -> int:
        """The number of the term `text` in this field."""
        return self._numbers.setdefault(text, len(self._numbers))

    def texts(self) -> list[str]:
        """Every term asked for so far, by number."""
        return list(self._numbers)

    def add(
        self, term: NDArray[np.int32], sae: int, feature: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> None:
        """Take in postings of one SAE; all arrays [n], terms by number."""
        self._parts.append(Columns(term, np.full(term.size, sae, np.int16), feature, weight))

    def tables(self, field: str) -> Iterator[pa.Table]:
        """The field's rows of the table, in order. Per term and feature the largest weight counts."""
        if not self._parts:
            return
        rows = Columns(*(np.concatenate(column) for column in zip(*self._parts, strict=True)))
        self._parts.clear()
        texts, rows = self._ranked(rows)
        rows = rows.at(np.lexsort((-rows.weight, rows.feature, rows.sae, rows.term)))
        key = np.stack([rows.term, rows.sae, rows.feature])
        rows = rows.at(np.flatnonzero(np.diff(key, axis=1, prepend=-1).any(axis=0)))
        rows = rows.at(np.lexsort((rows.feature, rows.sae, -rows.weight, rows.term)))
        starts = np.searchsorted(rows.term, np.arange(len(texts) + 1)).astype(np.int32)
        for first in range(0, len(texts), _TERMS_PER_WRITE):
            stop = min(first + _TERMS_PER_WRITE, len(texts))
            offsets = pa.array(starts[first : stop + 1] - starts[first])
            part = rows.at(np.arange(starts[first], starts[stop]))
            lists = [
                pa.ListArray.from_arrays(offsets, pa.array(column))
                for column in (part.sae, part.feature, part.weight)
            ]
            names = [pa.array(texts[first:stop], pa.string()), pa.array([field] * (stop - first))]
            yield pa.table([*names, *lists], schema=POSTINGS)

    def _ranked(self, rows: Columns) -> tuple[list[str], Columns]:
        """(the terms that have postings, sorted; `rows` with each term's place in them)."""
        by_number = list(self._numbers)
        used = np.unique(rows.term)
        ordered = sorted(by_number[number] for number in used)
        place = np.zeros(len(by_number), np.int32)
        place[[self._numbers[text] for text in ordered]] = np.arange(len(ordered), dtype=np.int32)
        return ordered, rows._replace(term=place[rows.term])
