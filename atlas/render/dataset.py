"""The dataset as pages need it: columns in feature order as plain values, windows as whole characters."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pyarrow as pa

from atlas.errors import InputError
from atlas.render.choice import Choice
from atlas.render.hashes import example_hashes
from atlas.render.raw import RawColumn, raw_column
from atlas.render.windows import Vocabulary, Windows
from atlas.schema import (
    EXAMPLES,
    FEATURE_LIST,
    HISTOGRAM,
    NEURON_LIST,
    SOURCE_LIST,
    TOKEN_LIST,
    ColumnInfo,
    column_info,
)

if TYPE_CHECKING:
    from atlas.store import AtlasStore, SaeEntry

Made = TypeVar("Made")
"""What is made of a read."""

FIRING_COLUMN = "firing_tokens"
"""Counted tokens on which the feature fires: tells the dead from the living."""
MAX_COLUMN = "max_activation"
TOKENS_COLUMN = "top_tokens"
NEURONS = "neuron_list"
"""Kind of a column of `NEURON_LIST`, which the schema keeps hidden."""

_OWN_PAGES = {"examples", "effects", "explanations", "report", "clusters", "directions"}
_LIST_TYPES = {
    "histogram": HISTOGRAM,
    "token_list": TOKEN_LIST,
    "feature_list": FEATURE_LIST,
    "source_list": SOURCE_LIST,
}


@dataclass(frozen=True)
class Drawn:
    """A column that the feature page shows."""

    info: ColumnInfo
    """Its meaning; the kind of hidden lists is their form."""
    fields: tuple[str, ...]
    """Names of the fields of an entry, for lists."""
    hidden: bool
    """Whether the dataset keeps it beside its main numbers."""


class Values(Mapping[str, list[Any]]):
    """Columns as Python values, made when asked for: column → one value per feature.

    None where its table has no row; lists as lists of tuples.
    """

    def __init__(self, raw: Mapping[str, RawColumn]) -> None:
        self._raw = raw
        self._made: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self._made:
            self._made[name] = self._raw[name].values()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


class _Parts(Mapping[str, RawColumn]):
    """The features first <= i < last of columns, cut out when asked for."""

    def __init__(self, raw: Mapping[str, RawColumn], first: int, last: int) -> None:
        self._raw = raw
        self._first, self._last = first, last

    def __getitem__(self, name: str) -> RawColumn:
        return self._raw[name].part(self._first, self._last)

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


@dataclass(frozen=True)
class Block:
    """Consecutive features of one SAE, read together."""

    start: int
    """First feature."""
    stop: int
    """One past the last."""
    raw: Mapping[str, RawColumn]
    """Every column, by name."""
    values: Values
    """The same as Python values."""
    windows: Windows
    """Their examples (and perhaps those of features read together with them)."""
    example_hashes: list[str]
    """Part of each feature's content hash for its examples, all of them."""
    effects: pa.Table | None
    """Rows of the table effects of the same features as `windows`; None where the dataset has none."""
    edges: tuple[int, ...]
    """Where the parts begin that it is read for, counted from `start`, and where the last one ends."""
    _whole: Block | None = None

    @property
    def part_number(self) -> int:
        """Which of the parts of its read it is; `ValueError` where it is none."""
        first = self.read.edges.index(self.start - self.read.start)
        if self.read.edges[first + 1 : first + 2] != (self.stop - self.read.start,):
            raise ValueError(f"features {self.start} to {self.stop} are no part of what was read")
        return first

    @property
    def read(self) -> Block:
        """The block of all features that were read together with these."""
        return self._whole or self

    @property
    def size(self) -> int:
        """Number of features."""
        return self.stop - self.start

    def part(self, first: int, last: int) -> Block:
        """The features first <= i < last, counted from `start`."""
        raw = _Parts(self.raw, first, last)
        return dataclasses.replace(
            self,
            start=self.start + first,
            stop=self.start + last,
            raw=raw,
            values=Values(raw),
            example_hashes=self.example_hashes[first:last],
            _whole=self.read,
        )


class OncePerRead(Generic[Made]):
    """What `make` gives for the features that were read together, kept until others are asked for."""

    def __init__(self, make: Callable[[Block], Made]) -> None:
        self._make = make
        self._last: tuple[Block, Made] | None = None

    def __call__(self, block: Block) -> Made:
        """Of the read that `block` is a part of."""
        if self._last is None or self._last[0] is not block.read:
            self._last = block.read, self._make(block.read)
        return self._last[1]


class SaeData:
    """All tables of one SAE, read block by block."""

    def __init__(
        self, store: AtlasStore, entry: SaeEntry, vocabulary: Vocabulary, choice: Choice | None = None
    ) -> None:
        """`choice` limits the examples that are read."""
        self.entry = entry
        self.slug = entry.slug
        self.n_features = entry.n_features
        self._store = store
        self._vocabulary = vocabulary
        self._choice = choice or Choice()
        prefix = f"{entry.slug}/"
        names = [key.removeprefix(prefix) for key in store.manifest.tables if key.startswith(prefix)]
        order = ["features", "logits", "weights", "neighbours", "coords"]
        names.sort(key=lambda name: (order.index(name) if name in order else len(order), name))
        self._columns: dict[str, list[Drawn]] = {}
        for name in names:
            if name not in _OWN_PAGES:
                self._columns[name] = self._drawable(name)
        self.drawn: dict[str, Drawn] = {}
        """Every column that the feature page shows, by name; of equal names the first table's."""
        for drawn in itertools.chain.from_iterable(self._columns.values()):
            self.drawn.setdefault(drawn.info.name, drawn)
        self.columns: dict[str, ColumnInfo] = {name: drawn.info for name, drawn in self.drawn.items()}
        """What they mean."""

    def limit(self, choice: Choice) -> None:
        """From now on read only the examples that `choice` lets through."""
        self._choice = choice

    def table_of(self, column: str) -> str:
        """Name of the table that holds `column` (a key of `columns`)."""
        return next(
            table
            for table, found in self._columns.items()
            if any(drawn.info.name == column for drawn in found)
        )

    def blocks(self, size: int, per_read: int, start: int = 0, stop: int | None = None) -> Iterator[Block]:
        """The features start <= feature_idx < stop, by default all, `size` at a time.

        Tables are read `per_read` blocks at a time, which changes nothing of what the blocks hold.
        """
        end = self.n_features if stop is None else stop
        for begin in range(start, end, size * per_read):
            count = min(size * per_read, end - begin)
            whole = self.block(begin, begin + count, (*range(0, count, size), count))
            for first, last in itertools.pairwise(whole.edges):
                yield whole.part(first, last)

    def block(self, start: int, stop: int, edges: tuple[int, ...] = ()) -> Block:
        """The features start <= feature_idx < stop, with `Block.edges` by default those of one part."""
        raw: dict[str, RawColumn] = {}
        for table, found in self._columns.items():
            rows = self._store.read_features(table, self.slug, start, stop)
            places = rows["feature_idx"].to_numpy() - start
            for drawn in found:
                name = drawn.info.name
                if name not in raw:
                    raw[name] = raw_column(rows[name], places, stop - start)
        effects = None
        if self._store.has("effects", self.slug):
            effects = self._store.read_features("effects", self.slug, start, stop)
        examples = EXAMPLES.empty_table()
        if self._store.has("examples", self.slug):
            examples = self._store.read_features("examples", self.slug, start, stop)
        windows = Windows(examples, self._vocabulary, start, stop, self._choice)
        hashes = example_hashes(examples, start, stop)
        edges = edges or (0, stop - start)
        return Block(start, stop, raw, Values(raw), windows, hashes, effects, edges)

    def columns_of(self, names: Collection[str], start: int, stop: int) -> dict[str, RawColumn]:
        """Those of the columns `names` that there are, of the features start <= feature_idx < stop."""
        raw: dict[str, RawColumn] = {}
        for table, found in self._columns.items():
            own = [drawn.info.name for drawn in found if drawn is self.drawn[drawn.info.name]]
            wanted = [name for name in own if name in names]
            if wanted:
                rows = self._store.read_features(table, self.slug, start, stop, ["feature_idx", *wanted])
                places = rows["feature_idx"].to_numpy() - start
                raw |= {name: raw_column(rows[name], places, stop - start) for name in wanted}
        return raw

    def _drawable(self, table: str) -> list[Drawn]:
        schema = self._store.schema(table, self.slug)
        return [
            drawn
            for field in (schema if "feature_idx" in schema.names else ())
            if (drawn := _drawn(field, f"{self.slug}/{table}")) is not None
        ]


def _drawn(field: pa.Field, table: str) -> Drawn | None:
    """The column `field` as the feature page shows it; None for one that it does not.

    `InputError` naming `table` for a list that is not of the form its kind says.
    """
    info = column_info(field)
    expected = _LIST_TYPES.get(info.kind)
    if expected is not None and not _fits(field.type, expected, info.kind):
        raise InputError(
            f"column {field.name!r} says it is a {info.kind} but is a {field.type}",
            where=f"table {table}",
            fix="write it with the types of atlas.schema",
        )
    if info.kind in {"id", "examples"}:
        return None
    if info.kind != "hidden":
        return Drawn(info, _field_names(field.type), hidden=False)
    if field.type.equals(TOKEN_LIST) or field.type.equals(NEURON_LIST):
        kind = "token_list" if field.type.equals(TOKEN_LIST) else NEURONS
        return Drawn(dataclasses.replace(info, kind=kind), _field_names(field.type), hidden=True)
    # Without a word of what it is, a number of a foreign table would say nothing to a reader.
    number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    return Drawn(info, (), hidden=True) if number and info.doc else None


def _field_names(dtype: pa.DataType) -> tuple[str, ...]:
    if not pa.types.is_list(dtype) or not pa.types.is_struct(dtype.value_type):
        return ()
    return tuple(field.name for field in dtype.value_type)


def _fits(actual: pa.DataType, expected: pa.DataType, kind: str) -> bool:
    """Whether `actual` is `expected`; records of a 'feature_list' may have further fields at their end."""
    if kind != "feature_list" or not pa.types.is_list(actual) or not pa.types.is_struct(actual.value_type):
        return actual.equals(expected)
    wanted = list(expected.value_type)
    return [field.remove_metadata() for field in actual.value_type][: len(wanted)] == wanted
