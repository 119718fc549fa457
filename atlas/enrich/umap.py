"""The map: decoder directions laid out by UMAP, the dense regions of it as clusters, and their labels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from atlas.enrich.cluster_labels import label_clusters
from atlas.enrich.neighbours import compute_device, nearest_directions, unit_directions
from atlas.schema import CLUSTERS, COORDS

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from atlas.enrich.base import EnrichContext

SMALLEST_UMAP = 5
"""Fewer directions than this have no neighbourhoods to speak of; they are laid on a circle."""
MAX_CLUSTERS = 40
_SMALLEST_CLUSTER = 5
_CLUSTER_SHARE = 0.01
"""A cluster has at least this share of all features on the map."""
_SAMPLE = 20_000
"""HDBSCAN's time grows with the square of the points: above this it sees a sample."""


class Umap:
    """Writes the map (`coords`) and the names of its regions (`clusters`)."""

    name: ClassVar[str] = "umap"
    reads: ClassVar[tuple[str, ...]] = ("features", "explanations", "vocabulary")
    writes: ClassVar[tuple[str, ...]] = ("coords", "clusters")
    notes: ClassVar[str] = (
        "The map is umap-learn's layout of the decoder directions by cosine distance, from exact nearest "
        "neighbours, started at their two principal axes and seeded. It keeps neighbourhoods; distances "
        "across the map, directions and the sizes of gaps mean little. Clusters are HDBSCAN's (leaf "
        "clusters, at least 1 % of the features each, 40 at most) on the map itself, numbered by size; -1 "
        "is none. Their labels are the tokens whose share of activation in the cluster stands out from the "
        "rest of the SAE. Features with a zero direction are not on the map."
    )

    def run(self, context: EnrichContext) -> None:
        """Write `coords` (one row per feature with a direction) and `clusters` (one row per cluster)."""
        unit = unit_directions(context.sae().weights().W_dec.to(compute_device(context.store)))
        features = np.flatnonzero(unit.any(dim=1).cpu().numpy()).astype(np.int32)
        config = context.config
        places = layout(unit[features], config.umap_neighbors, config.umap_min_dist, context.seed)
        cluster = find_clusters(places, context.seed)
        columns = [features, places[:, 0], places[:, 1], cluster]
        with context.store.writer("coords", sae=context.sae_slug, schema=COORDS) as writer:
            writer.write(pa.table([pa.array(column) for column in columns], schema=COORDS))
        count = int(cluster.max(initial=-1)) + 1
        labels = label_clusters(context.store, context.sae_slug, features, cluster)
        members = [places[cluster == number] for number in range(count)]
        middles = np.array([np.median(rows, axis=0) for rows in members], np.float32).reshape(count, 2)
        table = {
            "cluster": list(range(count)),
            "label": labels,
            "size": [len(rows) for rows in members],
            "x": middles[:, 0],
            "y": middles[:, 1],
        }
        with context.store.writer("clusters", sae=context.sae_slug, schema=CLUSTERS) as writer:
            writer.write(pa.table(table, schema=CLUSTERS))


def layout(unit: torch.Tensor, n_neighbors: int, min_dist: float, seed: int) -> NDArray[np.float32]:
    """A place [n, 2] for each row of `unit` [n, d], all of length 1: equal inputs give equal bytes.

    `n_neighbors` counts the row itself, as in umap-learn, and is cut to n - 1. Fewer than
    `SMALLEST_UMAP` rows are laid on a circle.
    """
    count = unit.shape[0]
    if count < SMALLEST_UMAP:
        angle = 2 * np.pi * np.arange(count) / max(count, 1)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
        return circle if count > 1 else np.zeros((count, 2), np.float32)
    neighbours = max(2, min(n_neighbors, count - 1))
    rows = unit.cpu().numpy()
    start: Any = _start(rows, seed)
    with warnings.catch_warnings():
        # umap says at import that its neural-network variant lacks TensorFlow, and with given neighbours
        # that it could not place new points: neither is used here.
        warnings.filterwarnings("ignore", category=ImportWarning, module="umap")
        warnings.filterwarnings("ignore", category=UserWarning, message=".*knn_search_index")
        import umap

        model = umap.UMAP(
            metric="cosine",
            n_neighbors=neighbours,
            min_dist=min_dist,
            # Exact, and without the minutes that umap's approximate search compiles for on first use.
            precomputed_knn=_neighbourhoods(unit, neighbours),
            init=start,
            # Exact opposites are as far apart as cosine goes; umap would call that disconnected and warn.
            disconnection_distance=np.inf,
            random_state=seed,
            # A seeded layout is sequential; umap warns unless that is said.
            n_jobs=1,
        )
        return np.asarray(model.fit_transform(rows), np.float32)


def _neighbourhoods(unit: torch.Tensor, size: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(rows, cosine distances), both [n, size]: each row of `unit` itself and the nearest others."""
    tiles = [ranked for _, ranked in nearest_directions(unit, size - 1)]
    others = np.concatenate([tile.columns for tile in tiles]).reshape(-1, size - 1)
    cosine = np.concatenate([tile.values for tile in tiles]).reshape(-1, size - 1)
    own = np.arange(len(others), dtype=np.int32)
    distance = np.maximum(1 - cosine, 0)
    return np.column_stack([own, others]), np.column_stack([np.zeros_like(own, np.float32), distance])


def _start(unit: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Start of the layout [n, 2]: the two principal axes, in -10..10, with a little seeded noise.

    umap's own default, the eigenvectors of the neighbour graph, fails or falls back to chance on
    graphs that are small or not connected; the noise keeps twins apart.
    """
    centred = unit.astype(np.float64) - unit.mean(axis=0, dtype=np.float64)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :2]
    # An eigenvector's sign is chance: let its largest entry be positive.
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    start = np.zeros((unit.shape[0], 2))
    start[:, : axes.shape[1]] = centred @ axes
    start *= 10 / max(float(np.abs(start).max()), 1e-12)
    noise = np.random.default_rng(seed).normal(scale=1e-3, size=start.shape)
    return (start + noise).astype(np.float32)


def find_clusters(places: NDArray[np.float32], seed: int) -> NDArray[np.int32]:
    """Cluster of each place [n]: HDBSCAN's leaves, 0 the largest, at most `MAX_CLUSTERS`, -1 for none.

    Of more than 20,000 places a seeded sample is clustered and each other place joins the nearest
    sampled one.
    """
    count = len(places)
    if count < 2 * _SMALLEST_CLUSTER:
        return np.full(count, -1, np.int32)
    from sklearn.cluster import HDBSCAN

    chosen = np.arange(count)
    if count > _SAMPLE:
        chosen = np.sort(np.random.default_rng(seed).choice(count, _SAMPLE, replace=False))
    options: dict[str, Any] = {
        "min_cluster_size": max(_SMALLEST_CLUSTER, int(np.ceil(_CLUSTER_SHARE * len(chosen)))),
        "min_samples": _SMALLEST_CLUSTER,
        "cluster_selection_method": "leaf",
        "copy": True,
    }
    labels = HDBSCAN(**options).fit_predict(places[chosen])
    if count > len(chosen):
        from scipy.spatial import KDTree

        labels = labels[KDTree(places[chosen]).query(places)[1]]
    return _by_size(labels)


def _by_size(labels: NDArray[np.signedinteger]) -> NDArray[np.int32]:
    """`labels` renumbered: largest cluster first, equal sizes by first member; -1 beyond `MAX_CLUSTERS`."""
    numbers, first, sizes = np.unique(labels, return_index=True, return_counts=True)
    order = [i for i in np.lexsort((first, -sizes)) if numbers[i] >= 0][:MAX_CLUSTERS]
    renumbered = np.full(len(labels), -1, np.int32)
    for new, i in enumerate(order):
        renumbered[labels == numbers[i]] = new
    return renumbered


UMAP = Umap()
"""Registered under `atlas.enrichers`."""
