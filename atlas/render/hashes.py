"""Content hashes of features: what a citation compares to say whether, and what, has changed since.

A hash is 18 hex digits, six for each of three parts, which are the first digits of SHA-256 over a canonical
form:

- numbers: every column of the dataset that the feature page shows, by name, exactly as the dataset holds
  it. Left out is the place on the map, which moves whenever any other feature does;
- examples: of every example of the dataset its group, bounds, activation, own token, and the tokens of its
  window with their activations. Left out are the numbers of documents and contexts, which shift when text
  is added elsewhere;
- explanation: its text, where it comes from and its score.

So a hash depends on the dataset alone: not on the theme, on how many examples the site shows, on the titles
of other features, or on the order of the tables' columns. A change of the part that the reader cited shows
by itself.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.windows import text_codes
from atlas.stats.lists import flat_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from atlas.render.dataset import Drawn
    from atlas.render.raw import RawColumn

PART_DIGITS = 6
"""Hex digits of each part; three parts are a hash."""

_PLACES = {"coords", "category"}
_MARK = 8
"""Bytes that stand for the name of a group."""
_NONE = b"\xff" * 4
"""A text or list that is not there: no text is so encoded, no list so long."""


def content_hashes(
    drawn: Mapping[str, Drawn],
    raw: Mapping[str, RawColumn],
    examples: Sequence[str],
    explanations: Sequence[tuple[str, str, str, str]],
) -> list[str]:
    """The hash of each of some consecutive features.

    `examples` are their parts by `example_hashes`, `explanations` (text, method, score, what the score
    measures).
    """
    names = [name for name in sorted(drawn) if drawn[name].info.kind not in _PLACES]
    columns = [raw[name] for name in names]
    head = "\0".join(names).encode()
    numbers = [column for column in columns if column.texts is None and column.offsets is None]
    others = [column for column in columns if column.texts is not None or column.offsets is not None]
    cells = zip([head] * len(examples), *_rows(numbers), *map(_cells, others), strict=True)
    return [
        _digits(own) + of_examples + _digits(text.encode() + b"\0" for text in explanation)
        for own, of_examples, explanation in zip(cells, examples, explanations, strict=True)
    ]


def _digits(parts: Any) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:PART_DIGITS]


def _rows(columns: Sequence[RawColumn]) -> list[list[bytes]]:
    """Bytes of each feature's numbers, of each whether there is one, and it or 0; nothing without columns."""
    if not columns:
        return []
    pairs = [(column.valid, np.where(column.valid, column.fields[0], 0)) for column in columns]
    table = _side_by_side([part for pair in pairs for part in pair])
    return [_split(table, list(range(len(table) + 1)))]


def _cells(column: RawColumn) -> list[bytes]:
    """Bytes of each feature's text or list."""
    valid = column.valid.tolist()
    if column.texts is not None:
        texts = zip(column.texts, valid, strict=True)
        return [text.encode() + b"\0" if known else _NONE for text, known in texts]
    offsets = np.asarray(column.offsets)
    fields = [_split(field, offsets.tolist()) for field in column.fields]
    sizes = [size.to_bytes(4, "little") for size in np.diff(offsets).tolist()]
    return [
        b"".join((size, *parts)) if known else _NONE
        for known, size, *parts in zip(valid, sizes, *fields, strict=True)
    ]


def _split(field: Any, bounds: list[int]) -> list[bytes]:
    """The bytes of `field` between `bounds`."""
    if isinstance(field, list):
        texts: list[str] = field
        return ["\0".join([*texts[first:last], ""]).encode() for first, last in itertools.pairwise(bounds)]
    data, width = field.reshape(-1).view(np.uint8).data, field.nbytes // max(len(field), 1)
    return [data[first * width : last * width] for first, last in itertools.pairwise(bounds)]


def _side_by_side(columns: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    """[n, bytes] the bytes of n values of each of some columns."""
    return np.hstack([column.view(np.uint8).reshape(-1, column.itemsize) for column in columns])


def example_hashes(rows: pa.Table, start: int, stop: int) -> list[str]:
    """The part for the examples of each feature start <= feature_idx < stop; `rows` are all of theirs."""
    bounds = np.searchsorted(rows["feature_idx"].to_numpy(), np.arange(start, stop + 1))
    offsets, ids = flat_numbers(rows["token_ids"])
    tokens = ids.astype(np.int32, copy=False)
    heat = flat_numbers(rows["activations"])[1]
    hot = np.flatnonzero(heat > 0)
    places = (hot - np.repeat(offsets[:-1], np.diff(np.searchsorted(hot, offsets)))).astype(np.int32)
    names = ("interval_lower", "interval_upper", "activation", "peak")
    values = [np.array(rows[name].to_numpy()) for name in names]
    table = _side_by_side([_marks(rows["group"]), *values, np.diff(offsets).astype(np.int32)])
    ends, hot_ends = bounds.tolist(), np.searchsorted(hot, offsets[bounds]).tolist()
    parts = (
        _split(table, ends),
        _split(tokens, offsets[bounds].tolist()),
        _split(heat[hot], hot_ends),
        _split(places, hot_ends),
    )
    return [_digits(own) for own in zip(*parts, strict=True)]


def _marks(texts: pa.ChunkedArray) -> NDArray[np.void]:
    """A few bytes for each of some texts, the same for the same text."""
    codes, names = text_codes(texts)
    found = [hashlib.sha256(name.encode()).digest()[:_MARK] for name in names]
    return np.array(found, f"V{_MARK}")[codes]
