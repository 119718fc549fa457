"""References from one table to another, and numbers that must be numbers, by the kind of a column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from atlas.schema import column_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Bounds:
    """How many of each thing the dataset has; references count from 0 and stay below."""

    tokens: int
    """Rows of the vocabulary."""
    documents: int
    """Rows of the documents."""
    features: tuple[int, ...]
    """d_sae of every SAE, in the manifest's order."""


def whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """A column as one array, whatever its chunks."""
    if isinstance(column, pa.Array):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def numbers_of(column: pa.ChunkedArray | pa.Array) -> NDArray[Any]:
    """The numbers of a column; nulls are left out, so columns that may hold them lose their order."""
    return whole(column).drop_null().to_numpy(zero_copy_only=False)


def lengths_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Length of each list of a list column."""
    return numbers_of(cast("pa.ListArray[Any]", whole(column)).value_lengths())


def entries_of(column: pa.ChunkedArray) -> pa.Array:
    """All entries of a list column, one list after the other."""
    return cast("pa.ListArray[Any]", whole(column)).flatten()


def column_problems(
    column: pa.ChunkedArray, field: pa.Field, n_features: int, bounds: Bounds
) -> Iterator[str]:
    """What in `column` refers to nothing or is no number; `field` tells what kind of column it is."""
    kind = column_info(field).kind
    if kind == "token_list":
        yield from _reference_problems(column, field.name, "token_id", bounds.tokens)
    elif kind == "feature_list":
        yield from _reference_problems(column, field.name, "feature_idx", n_features)
    elif kind == "source_list":
        yield from _value_problems(cast("pa.StructArray", entries_of(column)), field.name)
    elif field.name == "document_idx":
        yield from _range_problems(numbers_of(column), field.name, bounds.documents)
    elif field.name == "token_ids":
        yield from _range_problems(numbers_of(entries_of(column)), field.name, bounds.tokens)
    elif pa.types.is_floating(field.type):
        bad = int((~np.isfinite(numbers_of(column))).sum())
        if bad:
            yield f"{field.name}: {bad:,} values are not finite numbers"


def _reference_problems(column: pa.ChunkedArray, name: str, key: str, limit: int) -> Iterator[str]:
    entries = cast("pa.StructArray", entries_of(column))
    yield from _range_problems(numbers_of(entries.field(key)), f"{name}.{key}", limit)
    yield from _value_problems(entries, name)


def _value_problems(entries: pa.StructArray, name: str) -> Iterator[str]:
    if not np.isfinite(numbers_of(entries.field("value"))).all():
        yield f"{name}.value: not always a finite number"


def _range_problems(values: NDArray[Any], name: str, limit: int) -> Iterator[str]:
    count = int(((values < 0) | (values >= limit)).sum())
    if count:
        yield f"{name}: {count:,} values are not in 0..{limit - 1}"


def example_problems(table: pa.Table) -> Iterator[str]:
    """What contradicts itself within rows of the table `examples`."""
    lengths = lengths_of(table["token_ids"])
    if not np.array_equal(lengths, lengths_of(table["activations"])):
        yield "token_ids and activations differ in length"
        return
    peak = numbers_of(table["peak"]).astype(np.int64)
    if ((peak < 0) | (peak >= lengths)).any():
        yield "peak lies outside its window"
        return
    starts = np.cumsum(lengths) - lengths
    values = numbers_of(entries_of(table["activations"]))
    if not np.isfinite(values).all() or (values < 0).any():
        yield "an activation is negative or not a finite number"
    elif not np.array_equal(values[starts + peak], numbers_of(table["activation"])):
        yield "activation is not the value at peak"


def effect_problems(table: pa.Table, examples: pa.Table, n_tokens: int) -> Iterator[str]:
    """What in rows of the table `effects` does not belong to the rows of `examples` of the same features."""
    windows = {
        (feature, rank): length
        for group, feature, rank, length in zip(
            examples["group"].to_pylist(),
            *(numbers_of(examples[name]).tolist() for name in ("feature_idx", "rank")),
            lengths_of(examples["token_ids"]).tolist(),
            strict=True,
        )
        if group == "top"
    }
    rows = zip(*(numbers_of(table[name]).tolist() for name in ("feature_idx", "rank")), strict=True)
    lengths = lengths_of(table["effects"]).tolist()
    lost = sum(windows.get(row) != length for row, length in zip(rows, lengths, strict=True))
    if lost:
        yield f"{lost:,} rows do not belong to a top example of the same length"
    if not np.isfinite(numbers_of(entries_of(table["effects"]))).all():
        yield "an effect is not a finite number"
    for name in ("raised", "lowered"):
        entries = cast("pa.StructArray", entries_of(table[name]))
        yield from _range_problems(numbers_of(entries.field("token_id")), f"{name}.token_id", n_tokens)
        for part in ("measured", "direct"):
            if not np.isfinite(numbers_of(entries.field(part))).all():
                yield f"{name}.{part}: not always a finite number"


def context_problems(table: pa.Table, n_tokens: int) -> Iterator[str]:
    """What in the table `contexts` is out of order or refers to no token."""
    if (np.diff(numbers_of(table["context_idx"])) <= 0).any():
        yield "context_idx does not rise"
    yield from _range_problems(numbers_of(entries_of(table["token_ids"])), "token_ids", n_tokens)
