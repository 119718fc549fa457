"""Data files for scripts. A classic script is the only thing a browser reads from file://, hence the one form
`atlasShard("<key>","<base64 of gzip of JSON>");` at data/<key>.js.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.render.dataset import MAX_COLUMN, TOKENS_COLUMN, Block
from atlas.render.windows import short
from atlas.schema import SILENT_GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from atlas.render.payloads import (
        ColumnPayload,
        Example,
        ExampleGroup,
        FeaturePayload,
        FeatureShard,
        MapShard,
        PostingShard,
        SitePayload,
        TableShard,
        VocabularyShard,
    )
    from atlas.render.windows import Coded, Vocabulary, Windows
    from atlas.schema import ColumnInfo
    from atlas.store import AtlasStore, Manifest

ROWS_PER_TABLE_SHARD = 1024
"""Features per table shard: about 100 kB to load."""
TERMS_PER_SHARD = 64
"""Terms per posting shard."""

SEARCH_FIELDS = ("word", "token")
"""Fields of the search; each has a vocabulary, which may be empty."""

_LEVEL = 5
_GZIP = 31
_GRID = 65535
_TOKENS_IN_TABLE = 5
_WEIGHTS = 1000
_DIGITS = 6


def encode_shard(key: str, payload: Any) -> bytes:
    """The file of shard `key` (`[a-z0-9/-]`); equal payloads give equal bytes. NaN is a `ValueError`."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    packed = packer.compress(text.encode("utf-8")) + packer.flush()
    return b'atlasShard("%b","%b");\n' % (key.encode(), base64.b64encode(packed))


def shard_path(key: str) -> str:
    """Path of shard `key` from the site's root."""
    return f"data/{key}.js"


def site_payload(manifest: Manifest, features_per_shard: int) -> SitePayload:
    """Shard `site`."""
    return {
        "title": manifest.title,
        "build_id": manifest.build_id,
        "saes": [
            {
                "slug": entry.slug,
                "title": entry.title,
                "hook_name": str(entry.facts.get("hook_name", "")),
                "n_features": entry.n_features,
            }
            for entry in manifest.saes
        ],
        "features_per_shard": features_per_shard,
        "rows_per_table_shard": ROWS_PER_TABLE_SHARD,
        "terms_per_shard": TERMS_PER_SHARD,
    }


def feature_shard(block: Block, documents: Sequence[str], examples_per_feature: int) -> FeatureShard:
    """Shard `<sae>/features/<k>` of the features of `block`, with at most so many top examples each."""
    windows = block.windows
    largest = [float(value or 0.0) for value in block.values.get(MAX_COLUMN, [0.0] * block.size)]
    kept = [
        _kept(windows, feature_idx, examples_per_feature) for feature_idx in range(block.start, block.stop)
    ]
    maxima = [largest[at] for at, numbers in enumerate(kept) for _ in numbers]
    coded = windows.coded([number for numbers in kept for number in numbers], maxima)
    shelf = _Shelf(windows, coded, documents)
    features: list[FeaturePayload] = []
    for at, numbers in enumerate(kept):
        groups: list[ExampleGroup] = [
            {
                "group": group,
                "lower": lower,
                "upper": upper,
                "examples": [shelf.next(number) for number in members],
            }
            for (group, lower, upper), members in groupby(numbers, windows.reason)
        ]
        features.append(
            {"feature_idx": block.start + at, "max_activation": short(largest[at]), "groups": groups}
        )
    return {"pieces": coded.pieces, "documents": list(shelf.names), "features": features}


def _kept(windows: Windows, feature_idx: int, examples_per_feature: int) -> list[int]:
    """Numbers of the windows of a feature that go into its data file: those in which it fires."""
    numbers = [number for number in windows.of(feature_idx) if windows.group[number] not in SILENT_GROUPS]
    top = [number for number in numbers if windows.group[number] == "top"]
    return top[:examples_per_feature] + [number for number in numbers if windows.group[number] != "top"]


@dataclass
class _Shelf:
    """Hands out coded windows one after the other, and gathers the names of their documents."""

    windows: Windows
    coded: Coded
    documents: Sequence[str]
    names: dict[str, int] = field(default_factory=dict[str, int])
    taken: int = 0

    def next(self, number: int) -> Example:
        """The next coded window, which is window `number`."""
        at, windows, coded = self.taken, self.windows, self.coded
        self.taken += 1
        document = windows.document_idx[number]
        name = self.documents[document] if 0 <= document < len(self.documents) else ""
        return {
            "activation": windows.activation[number],
            "document": self.names.setdefault(name, len(self.names)),
            "context_idx": windows.context_idx[number],
            "position": windows.position[number],
            "peak": coded.peaks[at],
            "pieces": coded.indices[at],
            "heat": coded.heat[at],
        }


@dataclass
class TableRows:
    """Rows of the feature table of one SAE, gathered block by block and handed out shard by shard."""

    columns: list[ColumnInfo]
    """The scalar columns."""
    vocabulary: Vocabulary
    """Text of tokens."""
    explanations: Sequence[str]
    """[n_features] empty where there is none."""
    _start: int = 0
    _values: list[list[Any]] = field(default_factory=list[list[Any]])
    _tokens: list[list[str]] = field(default_factory=list[list[str]])
    _clusters: list[int] = field(default_factory=list[int])

    def add(self, block: Block) -> None:
        """Take in the next block."""
        size = block.size
        columns = [[_number(value) for value in block.values[info.name]] for info in self.columns]
        self._values += [[column[at] for column in columns] for at in range(size)]
        tokens = block.values.get(TOKENS_COLUMN) or [None] * size
        self._tokens += [
            [self.vocabulary.text(entry[0]) for entry in (entries or ())[:_TOKENS_IN_TABLE]]
            for entries in tokens
        ]
        clusters = block.values.get("cluster") or [None] * size
        self._clusters += [-1 if cluster is None else cluster for cluster in clusters]

    def full(self) -> Iterator[tuple[int, TableShard]]:
        """Hands out (number, shard) of every full shard."""
        while len(self._values) >= ROWS_PER_TABLE_SHARD:
            yield self._take(ROWS_PER_TABLE_SHARD)

    def rest(self) -> Iterator[tuple[int, TableShard]]:
        """Hands out the last, partly filled shard, if there is one."""
        if self._values:
            yield self._take(len(self._values))

    def _take(self, count: int) -> tuple[int, TableShard]:
        start = self._start
        columns: list[ColumnPayload] = [
            {"name": info.name, "label": info.label, "doc": info.doc, "unit": info.unit}
            for info in self.columns
        ]
        shard: TableShard = {
            "start": start,
            "columns": columns,
            "values": [list(column) for column in zip(*self._values[:count], strict=True)],
            "explanations": list(self.explanations[start : start + count]),
            "tokens": self._tokens[:count],
            "clusters": self._clusters[:count],
        }
        del self._values[:count], self._tokens[:count], self._clusters[:count]
        self._start += count
        return start // ROWS_PER_TABLE_SHARD, shard


def _number(value: Any) -> float | None:
    """A scalar for sorting and filtering: integers exact, floats to six digits."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def map_shard(
    xs: Sequence[float | None],
    ys: Sequence[float | None],
    clusters: Sequence[int | None],
    labels: Sequence[str],
) -> MapShard:
    """Shard `<sae>/map`. Arguments have one entry per feature; None is a feature without a place."""
    placed = [
        index for index, (x, y) in enumerate(zip(xs, ys, strict=True)) if x is not None and y is not None
    ]
    x = np.array([xs[index] for index in placed], np.float64)
    y = np.array([ys[index] for index in placed], np.float64)
    span = max(np.ptp(x), np.ptp(y)) if placed else 0.0
    scale = _GRID / span if span > 0 else 0.0
    groups = [clusters[index] for index in placed]
    return {
        "feature_idx": placed,
        "x": np.rint((x - x.min()) * scale).astype(int).tolist() if placed else [],
        "y": np.rint((y - y.min()) * scale).astype(int).tolist() if placed else [],
        "cluster": [-1 if group is None else group for group in groups],
        "cluster_labels": list(labels),
    }


def search_shards(store: AtlasStore) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(key, payload) of all search shards: per field one vocabulary and the postings of its terms."""
    rows = store.read("postings")
    fields = rows["field"].to_pylist()
    for name in SEARCH_FIELDS:
        found = [number for number, field in enumerate(fields) if field == name]
        part = rows.slice(found[0], len(found)) if found else rows.slice(0, 0)
        vocabulary: VocabularyShard = {
            "terms": part["term"].to_pylist(),
            "counts": [len(features) for features in part["feature_idx"].to_pylist()],
        }
        yield f"search/{name}/vocabulary", vocabulary
        for first in range(0, part.num_rows, TERMS_PER_SHARD):
            yield f"search/{name}/{first // TERMS_PER_SHARD}", _postings(part.slice(first, TERMS_PER_SHARD))


def _postings(rows: Any) -> PostingShard:
    columns = (rows[name].to_pylist() for name in ("sae", "feature_idx", "weight"))
    postings: list[list[int]] = []
    for saes, features, weights in zip(*columns, strict=True):
        flat: list[int] = []
        for sae, feature, weight in zip(saes, features, weights, strict=True):
            flat += (sae, feature, min(_WEIGHTS, max(0, round(weight * _WEIGHTS))))
        postings.append(flat)
    return {"postings": postings}
