from __future__ import annotations

import numpy as np
import pytest
import torch

from atlas.enrich import umap as module
from atlas.enrich.cluster_labels import MAX_LENGTH, label_clusters
from atlas.enrich.explanations import EXPLANATIONS
from atlas.enrich.neighbours import unit_directions
from atlas.enrich.umap import MAX_CLUSTERS, UMAP, find_clusters, layout
from tests.support.enrichment import context, make_store


def blobs(count: int, groups: int, width: int = 6, spread: float = 0.05) -> torch.Tensor:
    """`count` unit directions around `groups` centres; row i belongs to group i % groups."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(groups, width))
    rows = centres[np.arange(count) % groups] + spread * random.normal(size=(count, width))
    return unit_directions(torch.from_numpy(rows))


# ---- the layout


def test_a_layout_is_the_same_twice_and_another_with_another_seed():
    unit = blobs(120, 3)
    first = layout(unit, 15, 0.1, 0)
    assert first.shape == (120, 2)
    assert first.dtype == np.float32
    assert first.tobytes() == layout(unit, 15, 0.1, 0).tobytes()
    assert first.tobytes() != layout(unit, 15, 0.1, 1).tobytes()


def test_neighbours_stay_together():
    places = layout(blobs(120, 3), 15, 0.1, 0)
    group = np.arange(120) % 3
    middles = np.array([places[group == number].mean(axis=0) for number in range(3)])
    nearest = np.linalg.norm(places[:, None] - middles, axis=2).argmin(axis=1)
    assert (nearest == group).all()


def test_neighbourhoods_by_definition():
    unit = blobs(30, 2)
    rows, distances = module._neighbourhoods(unit, 4)
    distance = 1 - unit.double().numpy() @ unit.double().numpy().T
    np.testing.assert_array_equal(rows, np.argsort(distance, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(distance, axis=1)[:, :4], atol=1e-6)


def test_the_layout_leaves_numpys_own_random_numbers_alone():
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.get_state()[1].tolist()  # noqa: NPY002
    layout(blobs(20, 2), 15, 0.1, 0)
    assert np.random.get_state()[1].tolist() == expected  # noqa: NPY002


@pytest.mark.parametrize("count", [5, 6, 9, 16])
def test_few_directions(count):
    places = layout(blobs(count, 2), 15, 0.1, 0)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()
    assert len(np.unique(places, axis=0)) == count


@pytest.mark.parametrize("count", range(5))
def test_hardly_any_directions_lie_on_a_circle(count):
    places = layout(blobs(count, 2), 15, 0.1, 0)
    assert places.shape == (count, 2)
    assert len(np.unique(places, axis=0)) == count
    if count > 1:
        np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    "unit",
    [
        torch.tensor([[0.6, 0.8]]).repeat(12, 1),
        blobs(4, 4).repeat(5, 1),
        torch.ones(10, 1),
        torch.tensor([[1.0, 0, 0]] * 9 + [[-1.0, 0, 0]]),
    ],
    ids=["all the same", "twins", "one dimension", "opposites"],
)
def test_degenerate_directions_have_finite_places(unit):
    places = layout(unit, 15, 0.1, 0)
    assert np.isfinite(places).all()
    assert places.tobytes() == layout(unit, 15, 0.1, 0).tobytes()


# ---- clusters


def islands(sizes: list[int], spread: float = 0.1) -> np.ndarray:
    random = np.random.default_rng(1)
    rows = [
        random.normal(scale=spread, size=(size, 2)) + np.array([20 * i, 0]) for i, size in enumerate(sizes)
    ]
    return np.concatenate(rows).astype(np.float32)


def test_clusters_are_numbered_by_size():
    found = find_clusters(islands([12, 40, 25]), 0)
    groups = [found[:12], found[12:52], found[52:]]
    modes = [np.bincount(group[group >= 0]).argmax() for group in groups]
    assert modes == [2, 0, 1]
    sizes = np.bincount(found[found >= 0])
    assert (np.diff(sizes) <= 0).all()


def test_equal_sizes_are_numbered_by_first_member():
    labels = np.array([3, 3, -1, 1, 1, 0, 0, 0])
    assert module._by_size(labels).tolist() == [1, 1, -1, 2, 2, 0, 0, 0]


def test_there_are_never_more_than_the_limit():
    labels = np.repeat(np.arange(60), 2)
    renumbered = module._by_size(labels)
    assert renumbered.max() == MAX_CLUSTERS - 1
    assert (renumbered == -1).sum() == 2 * (60 - MAX_CLUSTERS)


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_few_places_have_no_clusters(count):
    assert (
        find_clusters(islands([count]) if count else np.zeros((0, 2), np.float32), 0).tolist() == [-1] * count
    )


def test_many_places_are_clustered_by_sample(monkeypatch):
    places = islands([150, 100, 60])
    whole = find_clusters(places, 0)
    monkeypatch.setattr(module, "_SAMPLE", 120)
    sampled = find_clusters(places, 0)
    assert sampled.shape == (310,)
    for start, stop in ((0, 150), (150, 250), (250, 310)):
        # No cluster reaches across the sea, with or without sampling.
        for labels in (whole, sampled):
            mine = set(labels[start:stop].tolist()) - {-1}
            others = set(np.delete(labels, slice(start, stop)).tolist()) - {-1}
            assert not mine & others
    assert (sampled >= 0).mean() > 0.5
    assert np.array_equal(sampled, find_clusters(places, 0))


# ---- labels

VOCABULARY = [b" the", b" raise", b"raise", b"\n    ", b"7", b"x" * 200]


def test_labels_name_what_sets_a_cluster_apart(tmp_path):
    common = (0, 10, 1.0)
    features = [[common, (1, 10, 1.0)], [common, (2, 10, 1.0)], [common, (3, 9, 1.0)], [common, (3, 10, 1.0)],
                [common], [common, (4, 1, 1.0)]]  # fmt: skip
    store = make_store(tmp_path / "data", {"one": features}, VOCABULARY)
    numbers = np.arange(6, dtype=np.int32)
    labels = label_clusters(store, "one", numbers, np.array([0, 0, 1, 1, -1, -1], np.int32))
    assert labels == ["\u2018raise\u2019", "newline + 4 spaces"]


def test_what_one_feature_of_many_fires_on_is_no_label(tmp_path):
    features = [
        [(4, 9, 1.0)],
        [(1, 2, 1.0), (0, 8, 1.0)],
        [(2, 2, 1.0), (0, 8, 1.0)],
        [(0, 1, 1.0)],
        [(0, 1, 1.0)],
    ]
    store = make_store(tmp_path / "data", {"one": features}, VOCABULARY)
    numbers = np.arange(5, dtype=np.int32)
    assert label_clusters(store, "one", numbers, np.array([0, 0, 0, -1, -1], np.int32)) == [
        "\u2018raise\u2019"
    ]
    assert label_clusters(store, "one", numbers, np.array([0, -1, -1, -1, -1], np.int32)) == ["\u20187\u2019"]


def test_labels_by_definition(tmp_path):
    random = np.random.default_rng(0)
    vocabulary = [b"t%d" % i for i in range(8)]
    features = [
        [(int(t), int(random.integers(1, 9)), 1.0) for t in random.choice(8, 4, replace=False)]
        for _ in range(12)
    ]
    cluster = np.array([0, 1, -1] * 4, np.int32)
    store = make_store(tmp_path / "data", {"one": features}, vocabulary)
    share = np.zeros((12, 8))
    for i, firing in enumerate(features):
        for token, count, _ in firing:
            share[i, token] = count / sum(times for _, times, _ in firing)
    expected = []
    for number in (0, 1):
        p, q = share[cluster == number].mean(axis=0), share.mean(axis=0)
        score = {
            f"\u2018t{t}\u2019": p[t] * np.log(p[t] / q[t])
            for t in range(8)
            if (share[cluster == number][:, t] > 0).sum() >= 2 and p[t] > q[t]
        }
        expected.append(", ".join(sorted(score, key=score.get, reverse=True)[:3]) or "mixed")
    assert label_clusters(store, "one", np.arange(12, dtype=np.int32), cluster) == expected


def test_a_cluster_of_silent_features_is_mixed(tmp_path):
    store = make_store(tmp_path / "data", {"one": [[], [], [(0, 1, 1.0)]]}, VOCABULARY)
    assert label_clusters(store, "one", np.arange(3, dtype=np.int32), np.array([0, 0, -1], np.int32)) == [
        "mixed"
    ]
    assert label_clusters(store, "one", np.zeros(0, np.int32), np.zeros(0, np.int32)) == []


def test_labels_are_short(tmp_path):
    vocabulary = [(b"%d" % i + b"xyz" * 20 + b"\n") * 2 for i in range(3)]
    features = [[(0, 3, 1.0), (1, 2, 1.0), (2, 1, 1.0)]] * 2 + [[]] * 4
    store = make_store(tmp_path / "data", {"one": features}, vocabulary)
    (label,) = label_clusters(
        store, "one", np.arange(6, dtype=np.int32), np.array([0, 0, -1, -1, -1, -1], np.int32)
    )
    assert 0 < len(label) <= MAX_LENGTH


# ---- the tables


def mapped(path, W: torch.Tensor):
    features = [[(i % 3, 5, 1.0)] for i in range(len(W))]
    store = make_store(path, {"one": features}, [b"alpha", b"beta", b"gamma"])
    made, _ = context(store, W_dec=W)
    EXPLANATIONS.run(made)
    UMAP.run(made)
    return store


def test_the_tables(tmp_path):
    W = blobs(90, 3) * 2.5
    W[7] = 0
    store = mapped(tmp_path / "data", W)
    coords = store.read("coords", "one").to_pydict()
    assert coords["feature_idx"] == [i for i in range(90) if i != 7]
    places = layout(unit_directions(W)[coords["feature_idx"]], 15, 0.1, 0)
    np.testing.assert_array_equal(np.column_stack([coords["x"], coords["y"]]), places)
    cluster = np.array(coords["cluster"])
    clusters = store.read("clusters", "one").to_pylist()
    assert [row["cluster"] for row in clusters] == list(range(cluster.max() + 1))
    for row in clusters:
        members = cluster == row["cluster"]
        assert row["size"] == members.sum()
        np.testing.assert_allclose([row["x"], row["y"]], np.median(places[members], axis=0), rtol=1e-6)
        groups = {coords["feature_idx"][i] % 3 for i in np.flatnonzero(members)}
        if len(groups) == 1:
            assert row["label"] == f"\u2018{['alpha', 'beta', 'gamma'][groups.pop()]}\u2019"
    assert clusters
    assert store.verify() == []


def test_the_tables_are_the_same_twice(tmp_path):
    W = blobs(40, 2)
    stores = [mapped(tmp_path / name, W) for name in ("a", "b")]
    for table in ("coords", "clusters"):
        first, second = ([file.sha256 for file in store.manifest.tables[f"one/{table}"]] for store in stores)
        assert first == second


@pytest.mark.parametrize("W", [torch.zeros(6, 4), torch.zeros(0, 4), torch.eye(4)[:1]])
def test_an_atlas_without_a_map_still_has_its_tables(tmp_path, W):
    store = mapped(tmp_path / "data", W)
    assert store.read("coords", "one").num_rows == int(W.any(dim=1).sum())
    assert store.read("clusters", "one").num_rows == 0
