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

from atlas.stats.lists import flat_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from atlas.render.dataset import Drawn
    from atlas.render.raw import RawColumn

PART_DIGITS = 6
"""Hex digits of each part; three parts are a hash."""

_PLACES = {"coords", "category"}


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
    columns = [raw[name] for name in sorted(drawn) if drawn[name].info.kind not in _PLACES]
    names = [name.encode() for name in sorted(drawn) if drawn[name].info.kind not in _PLACES]
    cells = [_cells(column) for column in columns]
    return [
        _digits(
            itertools.chain.from_iterable((name, cell[at]) for name, cell in zip(names, cells, strict=True))
        )
        + of_examples
        + _digits(text.encode() + b"\0" for text in explanation)
        for at, (of_examples, explanation) in enumerate(zip(examples, explanations, strict=True))
    ]


def _digits(parts: Any) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:PART_DIGITS]


def _cells(column: RawColumn) -> list[bytes]:
    """Bytes of each feature's value; empty where there is none."""
    valid = column.valid.tolist()
    if column.texts is not None:
        return [text.encode() if known else b"" for text, known in zip(column.texts, valid, strict=True)]
    if column.offsets is None:
        return [
            cell if known else b"" for cell, known in zip(_split(column.fields[0], None), valid, strict=True)
        ]
    bounds = column.offsets.tolist()
    fields = [_split(field, bounds) for field in column.fields]
    sizes = [size.to_bytes(4, "little") for size in np.diff(column.offsets).tolist()]
    return [
        b"".join((size, *parts)) if known else b""
        for known, size, *parts in zip(valid, sizes, *fields, strict=True)
    ]


def _split(field: Any, bounds: list[int] | None) -> list[bytes]:
    """The bytes of `field` between `bounds`, or of each number."""
    if isinstance(field, list):
        texts: list[str] = field
        return ["\0".join(texts[first:last]).encode() for first, last in itertools.pairwise(bounds or [])]
    data, width = field.view(np.uint8).data, field.dtype.itemsize
    if bounds is None:
        return [data[at : at + width] for at in range(0, len(data), width)]
    return [data[first * width : last * width] for first, last in itertools.pairwise(bounds)]


def example_hashes(rows: pa.Table, start: int, stop: int) -> list[str]:
    """The part for the examples of each feature start <= feature_idx < stop; `rows` are all of theirs."""
    bounds = np.searchsorted(rows["feature_idx"].to_numpy(), np.arange(start, stop + 1))
    offsets, ids = flat_numbers(rows["token_ids"])
    tokens = ids.astype(np.int32, copy=False)
    heat = flat_numbers(rows["activations"])[1]
    hot = np.flatnonzero(heat > 0)
    marks = np.searchsorted(hot, offsets[bounds]).tolist()
    names = [
        np.array(rows[name].to_numpy()) for name in ("interval_lower", "interval_upper", "activation", "peak")
    ]
    columns = [_split(values, bounds.tolist()) for values in names]
    columns.append(_split(np.diff(offsets).astype(np.int32), bounds.tolist()))
    columns.append(_split(tokens, offsets[bounds].tolist()))
    columns.append(_split(heat[hot], marks))
    places = (hot - np.repeat(offsets[:-1], np.diff(np.searchsorted(hot, offsets)))).astype(np.int32)
    columns.append(_split(places, marks))
    groups = rows["group"].to_pylist()
    ends = bounds.tolist()
    columns.append([",".join(groups[first:last]).encode() for first, last in itertools.pairwise(ends)])
    return [_digits(parts) for parts in zip(*columns, strict=True)]
