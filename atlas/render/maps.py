"""The map of one SAE: its places as data files, and as a drawing that needs no script."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.render.columns import numbers
from atlas.render.frames import feature_path
from atlas.render.numbers import integer
from atlas.render.strips import shown
from atlas.render.views import ClusterView, FeatureLink, MapPath, MapSection, SaeLink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from atlas.render.features import Explanations
    from atlas.render.payloads import MapCluster, MapShard, MinimapShard
    from atlas.store import AtlasStore

    Column = NDArray[np.float64]

GRID = 65535
"""Largest coordinate of a place."""
POINTS_PER_PART = 1 << 15
"""Points per data file, about 170 kB: a phone reads it quickly, and the first is a sample to draw at once."""

_COLOURS = 10
_MINIMAP_COLUMNS = 128
_DRAWN_COLUMNS = (160, 120, 90, 68, 51, 38)
_MOST_DOTS = 3000
_FEWEST_DOTS = 400
_LEVELS = 15
_SIZES = 3
_CLUSTER_FEATURES = 5


@dataclass(frozen=True)
class Places:
    """The features of one SAE that have a place on its map, in ascending order; arrays are [n_points]."""

    feature_idx: NDArray[np.int32]
    """Which features."""
    x: NDArray[np.uint16]
    """Places, scaled to 0..`GRID` on the longer axis."""
    y: NDArray[np.uint16]
    """The other axis, in the same scale; it points up."""
    cluster: NDArray[np.int16]
    """Their clusters; -1 is none."""
    left: float
    """`coords.x` at x = 0."""
    bottom: float
    """`coords.y` at y = 0."""
    unit: float
    """One step of x or y in units of `coords`; 1 where all places are one."""

    @classmethod
    def read(cls, store: AtlasStore, slug: str) -> Places | None:
        """The places of the table `coords`; None where no feature has one."""
        if not store.has("coords", slug):
            return None
        rows = store.read("coords", slug, ["feature_idx", "x", "y", "cluster"])
        return cls.of(*(numbers(rows[name]) for name in ("feature_idx", "x", "y", "cluster")))

    @classmethod
    def of(cls, feature_idx: Column, x: Column, y: Column, cluster: Column) -> Places | None:
        """Places by ascending feature; one without finite x and y is none, and no places at all are None."""
        placed = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
        if not placed.size:
            return None
        x, y = x[placed], y[placed]
        left, bottom = float(x.min()), float(y.min())
        unit = float(max(np.ptp(x), np.ptp(y))) / GRID or 1.0
        return cls(
            feature_idx[placed].astype(np.int32),
            np.rint((x - left) / unit).astype(np.uint16),
            np.rint((y - bottom) / unit).astype(np.uint16),
            np.nan_to_num(cluster[placed], nan=-1).astype(np.int16),
            left,
            bottom,
            unit,
        )

    @property
    def n_points(self) -> int:
        """Number of places."""
        return len(self.feature_idx)


def map_shards(
    slug: str, places: Places, labels: Sequence[str]
) -> Iterator[tuple[str, MapShard | MinimapShard | bytes]]:
    """(key, content) of the data files of a map: `MapShard`, the bytes of its parts, `MinimapShard`."""
    shard: MapShard = {
        "n_points": places.n_points,
        "points_per_part": POINTS_PER_PART,
        "width": int(places.x.max()),
        "height": int(places.y.max()),
        "runs": _runs(places.feature_idx),
        "clusters": _clusters(places, labels),
    }
    yield f"{slug}/map", shard
    for first in range(0, places.n_points, POINTS_PER_PART):
        stop = first + POINTS_PER_PART
        axes = (places.x.astype("<u2"), places.y.astype("<u2"), places.cluster.astype("<i2"))
        content = b"".join(axis[first:stop].tobytes() for axis in axes)
        yield f"{slug}/map/{first // POINTS_PER_PART}", content
    yield f"{slug}/minimap", minimap_shard(places)


def map_files(places: Places | None) -> int:
    """Number of data files of a map."""
    return 2 + -(-places.n_points // POINTS_PER_PART) if places else 0


def _runs(features: NDArray[np.int32]) -> list[int]:
    starts = np.flatnonzero(np.diff(features, prepend=-2) != 1)
    lengths = np.diff(np.append(starts, len(features)))
    return np.column_stack([features[starts], lengths]).ravel().tolist()


def _clusters(places: Places, labels: Sequence[str]) -> list[MapCluster]:
    found: list[MapCluster] = []
    for cluster in range(max(int(places.cluster.max(initial=-1)) + 1, len(labels))):
        mine = places.cluster == cluster
        size = int(mine.sum())
        x, y = (int(np.median(axis[mine])) if size else 0 for axis in (places.x, places.y))
        found.append(
            {"label": labels[cluster] if cluster < len(labels) else "", "size": size, "x": x, "y": y}
        )
    return found


def minimap_shard(places: Places) -> MinimapShard:
    """Shard `<sae>/minimap`."""
    cells = _Cells.of(places, _MINIMAP_COLUMNS)
    level = cells.levels(_LEVELS)
    packed = np.where(cells.count > 0, 16 * level + cells.colour, 0).astype(np.uint8)
    rows, columns = packed.shape
    return {
        "left": places.left,
        "bottom": places.bottom,
        "cell": places.unit * (GRID + 1) / columns,
        "columns": columns,
        "rows": rows,
        "cells": packed.ravel().tolist(),
    }


@dataclass(frozen=True)
class _Cells:
    """A map seen through a grid of square cells, `[rows, columns]`, the first row on top."""

    count: NDArray[np.int64]
    """Points in each cell."""
    colour: NDArray[np.int64]
    """Colour of most of them: 0 for no cluster, else 1 + cluster modulo ten."""

    @classmethod
    def of(cls, places: Places, columns: int) -> _Cells:
        """As many rows as the map is high."""
        column, line = (axis.astype(np.int64) * columns // (GRID + 1) for axis in (places.x, places.y))
        rows = int(line.max()) + 1
        colour = np.where(places.cluster < 0, 0, 1 + places.cluster % _COLOURS)
        cell = (rows - 1 - line) * columns + column
        kinds = 1 + _COLOURS
        counts = np.bincount(cell * kinds + colour, minlength=rows * columns * kinds)
        counts = counts.reshape(rows, columns, kinds)
        return cls(counts.sum(axis=2), counts.argmax(axis=2))

    def levels(self, most: int) -> NDArray[np.int64]:
        """[rows, columns] the logarithm of each count in steps: `most` for the largest, 0 for none."""
        share = np.log1p(self.count) / np.log1p(self.count.max())
        # Rounding may put the largest a hair above its step.
        return np.ceil(most * share - 1e-9).astype(np.int64)


def map_section(
    sae: SaeLink, places: Places, explanations: Explanations, labels: Sequence[str], n_maps: int
) -> MapSection:
    """What map.html shows of one of `n_maps` SAEs to readers without scripts: about 20 kB for all of them."""
    cells = _drawn(places, max(_FEWEST_DOTS, _MOST_DOTS // n_maps))
    rows, columns = cells.count.shape
    merged = "" if cells.count.max() == 1 else " where several lie together, one dot stands for them;"
    return MapSection(
        sae=sae,
        width=columns + 1,
        height=rows + 1,
        paths=tuple(_dots(cells)),
        note=f"{integer(places.n_points)} features;{merged} the colour is the group of most.",
        clusters=tuple(_cluster_views(sae.slug, places, explanations, labels)),
    )


def _drawn(places: Places, most_dots: int) -> _Cells:
    """The finest grid with at most so many dots, else the coarsest."""
    for columns in _DRAWN_COLUMNS[:-1]:
        cells = _Cells.of(places, columns)
        if np.count_nonzero(cells.count) <= most_dots:
            return cells
    return _Cells.of(places, _DRAWN_COLUMNS[-1])


def _dots(cells: _Cells) -> Iterator[MapPath]:
    """One path per colour and size of dots, the ones without a cluster below all others."""
    size = cells.levels(_SIZES)
    for colour in range(1 + _COLOURS):
        for each in range(1, _SIZES + 1):
            lines, columns = np.nonzero((size == each) & (cells.colour == colour))
            if not lines.size:
                continue
            right, down = np.diff(columns, prepend=-1), np.diff(lines, prepend=-1)
            steps = zip(right.tolist(), down.tolist(), strict=True)
            drawn = "".join(f"m{dx} {dy}h0" for dx, dy in steps)
            yield MapPath(f"{_css(colour - 1)} s{each}", f"M0 0{drawn}")


def _css(cluster: int) -> str:
    return "knone" if cluster < 0 else f"k{cluster % _COLOURS}"


def _cluster_views(
    slug: str, places: Places, explained: Explanations, labels: Sequence[str]
) -> list[ClusterView]:
    numbers, sizes = np.unique(places.cluster[places.cluster >= 0], return_counts=True)
    views: list[ClusterView] = []
    for at in np.lexsort((numbers, -sizes)).tolist():
        cluster = int(numbers[at])
        members: list[int] = places.feature_idx[places.cluster == cluster].tolist()
        best = heapq.nsmallest(
            _CLUSTER_FEATURES,
            members,
            key=lambda index: (not explained.texts[index], -(explained.scores[index] or 0.0), index),
        )
        label = (labels[cluster] if cluster < len(labels) else "") or f"group {cluster}"
        links = tuple(FeatureLink(feature_path(slug, index), explained.title(index)) for index in best)
        views.append(ClusterView(_css(cluster), shown(label), integer(int(sizes[at])), links))
    return views
