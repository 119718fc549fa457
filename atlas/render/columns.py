"""The feature table as scripts read it: one row of bytes per column, and titles in small pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from atlas.render.dataset import TOKENS_COLUMN
from atlas.schema import ColumnInfo, column_info
from atlas.stats.lists import flatten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from atlas.render.dataset import SaeData
    from atlas.render.payloads import TableColumn, TableShard, TitleShard
    from atlas.render.windows import Vocabulary
    from atlas.store import AtlasStore

ROWS_PER_TITLE_SHARD = 128
"""Features per title shard: about 6 kB to load, for hits scattered over the SAE."""
ROWS_PER_COLUMN_SHARD = 16384
"""Features per part of a column, 64 kB of float32: the first rows need not wait for the last."""

SCORE_COLUMN = "score"
DENSITY_COLUMN = "activation_density"
_TOKENS = 5
_KINDS = {"scalar", "category"}
_UNSIGNED = ("uint8", "uint16", "uint32")
_BINS = 32
_EXACT = 2.0**52
"""Below this, a whole number and the next are different doubles."""
_ORDERS = 1000
"""Ratio of largest to smallest from which a histogram's bins are of equal ratio."""


@dataclass(frozen=True)
class StoredColumn:
    """One column of the table as it is stored."""

    info: TableColumn
    """What the site's scripts are told of it."""
    stored: NDArray[Any]
    """[n_features] of the type `info["type"]`; missing values as that type writes them."""

    def parts(self) -> Iterator[bytes]:
        """The bytes of each part, little-endian, in order."""
        for start in range(0, len(self.stored), ROWS_PER_COLUMN_SHARD):
            yield self.stored[start : start + ROWS_PER_COLUMN_SHARD].tobytes()


def stored_column(info: ColumnInfo, values: NDArray[np.float64], *, narrow: bool) -> StoredColumn:
    """`values` [n_features] in the smallest type that holds them exactly.

    NaN, infinity and a category below 0 are no values. `narrow` says that fractions are float32 numbers.
    """
    known = np.isfinite(values) & ((values >= 0) | (info.kind != "category"))
    present = values[known]
    kind = _type_for(present, narrow=narrow)
    dtype = np.dtype(kind).newbyteorder("<")
    least, largest = (float(present.min()), float(present.max())) if present.size else (None, None)
    edges = bin_edges(present)
    stored = np.full(len(values), _missing(dtype), dtype)
    stored[known] = present.astype(dtype)
    payload: TableColumn = {
        "name": info.name,
        "label": info.label,
        "doc": info.doc,
        "unit": info.unit,
        "kind": info.kind,
        "type": kind,
        "least": least,
        "largest": largest,
        "missing": int(len(values) - present.size),
        "edges": edges,
        "counts": np.histogram(present, edges)[0].tolist() if edges else [],
        "labels": [],
    }
    return StoredColumn(payload, stored)


def bin_edges(present: NDArray[np.float64]) -> list[float]:
    """Bounds of at most 32 bins that hold all of `present`, few digits each; empty for no values.

    Whole numbers of a small range get a bin each; positive values over orders of magnitude get bins of equal
    ratio, with one for zeros before them; else bins are equally wide.
    """
    if not present.size:
        return []
    least, largest = float(present.min()), float(present.max())
    if largest - least < _BINS and abs(largest) < _EXACT and bool(np.all(present == np.rint(present))):
        return [least + number for number in range(int(largest - least) + 2)]
    if not math.isfinite(largest - least):
        return [least, 0.0, largest]
    smallest = float(present[present > 0].min()) if largest > 0 else 0.0
    if least >= 0 and largest / smallest >= _ORDERS:
        logs = np.linspace(math.log(smallest), math.log(largest), _BINS - (least == 0) + 1)
        inside, low = np.exp(logs[1:-1]), smallest
    else:
        inside, low = np.linspace(least, largest, _BINS + 1)[1:-1], least
    inner = {float(f"{edge:.3g}") for edge in inside}
    first, last = _outward(low, -1), _outward(largest, 1)
    if first == last:
        last = _outward(math.nextafter(first, math.inf), 1)
    zero = {0.0} if least == 0 < low else set[float]()
    return sorted(zero | {first, last} | {edge for edge in inner if first < edge < last})


def _outward(value: float, direction: int) -> float:
    """`value` to three digits, rounded away from the other values (`direction` -1 or 1)."""
    short = Decimal(f"{value:.2e}")
    exact = Decimal(value)
    if (short - exact) * direction < 0:
        short += direction * Decimal(1).scaleb(short.adjusted() - 2)
    return float(short) if math.isfinite(float(short)) else value


def _type_for(present: NDArray[np.float64], *, narrow: bool) -> str:
    """Name of the smallest type that holds `present` and a mark for "no value"."""
    if not present.size:
        return _UNSIGNED[0]
    if bool(np.all(present == np.rint(present))):
        least, largest = present.min(), present.max()
        for kind in _UNSIGNED:
            if least >= 0 and largest < np.iinfo(kind).max:
                return kind
        if np.iinfo(np.int32).min < least and largest <= np.iinfo(np.int32).max:
            return "int32"
    return "float32" if narrow else "float64"


def _missing(dtype: np.dtype[Any]) -> float:
    """What stands for "no value": NaN, the largest unsigned or the smallest signed number."""
    if dtype.kind == "f":
        return float("nan")
    limits = np.iinfo(dtype)
    return limits.max if dtype.kind == "u" else limits.min


class FeatureTable:
    """The feature table of one SAE, read column by column from the dataset."""

    def __init__(
        self,
        store: AtlasStore,
        data: SaeData,
        vocabulary: Vocabulary,
        explanations: Sequence[str],
        labels: Sequence[str],
    ) -> None:
        """`explanations` has one entry per feature, empty where there is none; `labels` one per cluster."""
        self._store = store
        self._data = data
        self._vocabulary = vocabulary
        self._explanations = explanations
        self._labels = list(labels)
        self._found = list(self._find())

    def __len__(self) -> int:
        """Number of columns."""
        return len(self._found)

    def _find(self) -> Iterator[tuple[str, ColumnInfo]]:
        """(table, column) of every column that is one number per feature."""
        slug, data = self._data.slug, self._data
        if self._store.has("explanations", slug):
            schema = self._store.schema("explanations", slug)
            if SCORE_COLUMN in schema.names:
                yield "explanations", column_info(schema.field(SCORE_COLUMN))
        for info in data.columns.values():
            if info.kind in _KINDS:
                yield data.table_of(info.name), info

    def shards(self) -> Iterator[tuple[str, TableShard | TitleShard | bytes]]:
        """(key, content) of all its data files; bytes are those of a part of a column."""
        slug = self._data.slug
        columns: list[TableColumn] = []
        for number, column in enumerate(self.columns(0, self._data.n_features)):
            columns.append(column.info)
            for part, content in enumerate(column.parts()):
                yield f"{slug}/columns/{number}/{part}", content
        shard: TableShard = {"columns": columns}
        yield f"{slug}/table", shard
        for start in range(0, self._data.n_features, ROWS_PER_COLUMN_SHARD):
            stop = min(start + ROWS_PER_COLUMN_SHARD, self._data.n_features)
            texts = self.titles(start, stop)
            yield f"{slug}/texts/{start // ROWS_PER_COLUMN_SHARD}", {**texts, "densities": []}
            for first in range(start, stop, ROWS_PER_TITLE_SHARD):
                last = min(first + ROWS_PER_TITLE_SHARD, stop)
                yield f"{slug}/titles/{first // ROWS_PER_TITLE_SHARD}", _part(texts, first, last)

    def columns(self, start: int, stop: int) -> Iterator[StoredColumn]:
        """Every column, of the features start <= feature_idx < stop alone; a table is read once."""
        for table, group in groupby(self._found, key=lambda found: found[0]):
            infos = [info for _, info in group]
            names = [info.name for info in infos]
            rows = self._store.read_features(
                table, self._data.slug, start, stop, ["feature_idx", *names]
            ).combine_chunks()
            places = rows["feature_idx"].to_numpy() - start
            for info in infos:
                values = np.full(stop - start, np.nan)
                values[places] = numbers(rows[info.name])
                column = stored_column(info, values, narrow=_is_narrow(rows[info.name].type))
                if info.name == "cluster":
                    column.info["labels"] = self._labels
                yield column

    def titles(self, start: int, stop: int) -> TitleShard:
        """What the features start <= feature_idx < stop are called, on what they fire, and how often."""
        densities: list[float | None] = [None] * (stop - start)
        for table, info in self._found:
            if info.name == DENSITY_COLUMN:
                rows = self._store.read_features(
                    table, self._data.slug, start, stop, ["feature_idx", info.name]
                )
                for feature, value in zip(
                    rows["feature_idx"].to_pylist(), numbers(rows[info.name]).tolist(), strict=True
                ):
                    densities[feature - start] = shown_share(value)
        return {
            "start": start,
            "explanations": list(self._explanations[start:stop]),
            "tokens": self._tokens(start, stop),
            "densities": densities,
        }

    def _tokens(self, start: int, stop: int) -> list[list[str]]:
        """The (at most five) tokens each feature fires on most."""
        found: list[list[str]] = [[] for _ in range(stop - start)]
        if TOKENS_COLUMN not in self._data.columns:
            return found
        rows = self._store.read_features(
            self._data.table_of(TOKENS_COLUMN), self._data.slug, start, stop, ["feature_idx", TOKENS_COLUMN]
        )
        offsets, structs = flatten(rows[TOKENS_COLUMN])
        tokens = structs.field("token_id").to_numpy(zero_copy_only=False).tolist()
        text, bounds = self._vocabulary.text, offsets.tolist()
        for at, feature in enumerate(rows["feature_idx"].to_pylist()):
            first, last = bounds[at], min(bounds[at + 1], bounds[at] + _TOKENS)
            found[feature - start] = [text(token) for token in tokens[first:last]]
        return found


def _part(titles: TitleShard, start: int, stop: int) -> TitleShard:
    """The features start <= feature_idx < stop of `titles`."""
    rows = slice(start - titles["start"], stop - titles["start"])
    return {
        "start": start,
        "explanations": titles["explanations"][rows],
        "tokens": titles["tokens"][rows],
        "densities": titles["densities"][rows],
    }


def shown_share(value: float) -> float | None:
    """The share as lists show it, in per cent to three digits; None for none.

    Rounded once, to what is read: a share kept to four digits would be rounded twice, 0.29047 % to 0.291 %.
    """
    if not np.isfinite(value):
        return None
    mantissa, exponent = f"{100 * value:.2e}".split("e")
    return float(f"{mantissa}e{int(exponent) - 2}")


def table_files(n_features: int, n_columns: int) -> int:
    """Number of data files of a feature table of that size."""
    parts = -(-n_features // ROWS_PER_COLUMN_SHARD)
    return 1 + (n_columns + 1) * parts + -(-n_features // ROWS_PER_TITLE_SHARD)


def numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """A column of numbers or truth values as float64; NaN where there is none."""
    values = pc.cast(column, pa.float64(), safe=False)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - pyarrow has no types here
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _is_narrow(dtype: pa.DataType) -> bool:
    """Whether float32 holds every value of `dtype` exactly."""
    return pa.types.is_float32(dtype) or pa.types.is_float16(dtype)
