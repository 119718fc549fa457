"""The search by meaning: what must be true of its space, against dense linear algebra."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from atlas.index import vectors as module
from atlas.index.subspace import leading_directions
from atlas.index.vectors import DIMENSIONS, build_vectors
from atlas.schema import POSTINGS
from atlas.store import AtlasStore
from atlas.text import search_key


def store_of(
    path, sizes: dict[str, int], rows: list[tuple[str, str, list[tuple[int, int, float]]]]
) -> AtlasStore:
    """A dataset with a table `postings` of (field, term, [(sae, feature, weight)])."""
    store = AtlasStore.create(path)
    store.update(saes=[{"slug": slug, "title": slug, "n_features": size} for slug, size in sizes.items()])
    table = [
        {
            "term": term,
            "field": field,
            "sae": [sae for sae, _, _ in found],
            "feature_idx": [feature for _, feature, _ in found],
            "weight": [weight for *_, weight in found],
        }
        for field, term, found in sorted(rows)
    ]
    with store.writer("postings", schema=POSTINGS) as writer:
        writer.write(pa.Table.from_pylist(table, schema=POSTINGS))
    return store


def built(store: AtlasStore) -> tuple[dict[str, np.ndarray], dict[int, np.ndarray]]:
    """(vector of each term, vector of each feature)."""
    build_vectors(store)
    assert store.verify() == []
    rows = store.read("vectors").to_pylist()
    assert all(len(row["vector"]) == DIMENSIONS for row in rows)
    names = [(row["number"] >= 0, row["number"], row["term"]) for row in rows]
    assert names == sorted(names)
    terms = {row["term"]: np.array(row["vector"], float) for row in rows if row["number"] < 0}
    return terms, {row["number"]: np.array(row["vector"], float) for row in rows if row["number"] >= 0}


def cosine(left: np.ndarray, right: np.ndarray) -> float:
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def random_store(path, seed: int, features: int = 60, terms: int = 80) -> AtlasStore:
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(terms):
        own = np.sort(rng.choice(features, rng.integers(1, features // 4), replace=False))
        split = features // 3
        found = [(int(f >= split), int(f - split * (f >= split)), float(rng.uniform(0.05, 1))) for f in own]
        rows.append((str(rng.choice(["word", "token", "example"])), f"Term{number} ", found))
    return store_of(path, {"one": features // 3, "two": features - features // 3}, rows)


def dense(store: AtlasStore) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(folded terms, weighted matrix with rows of unit length, logarithms), from the definition."""
    starts = np.cumsum([0, *(entry.n_features for entry in store.manifest.saes)])
    entries: dict[tuple[int, str], float] = {}
    for row in store.read("postings").to_pylist():
        for sae, feature, weight in zip(row["sae"], row["feature_idx"], row["weight"], strict=True):
            if row["field"] in {"word", "token", "example"}:
                name = (int(starts[sae]) + feature, search_key(row["term"]))
                entries[name] = max(entries.get(name, 0), 1.0 if row["field"] == "word" else weight)
    keys = sorted({key for _, key in entries} - {""})
    total = int(starts[-1])
    matrix = np.zeros((total, len(keys)))
    for (feature, key), weight in entries.items():
        if key:
            matrix[feature, keys.index(key)] = weight
    count = (matrix > 0).sum(axis=0)
    kept = (count > 0) & (2 * count <= total)
    rarity = np.log(total / count[kept])
    matrix = matrix[:, kept] * rarity
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (
        [key for key, keep in zip(keys, kept, strict=True) if keep],
        matrix / np.where(length, length, 1),
        rarity,
    )


@pytest.mark.parametrize("seed", range(3))
def test_cosines_of_features_are_those_of_the_projected_matrix(tmp_path, seed):
    store = random_store(tmp_path / "data", seed)
    _, features = built(store)
    keys, matrix, rarity = dense(store)
    matrix = np.rint(255 * matrix)
    _, vectors = np.linalg.eigh(matrix.T @ matrix)
    projected = matrix @ vectors[:, ::-1][:, :DIMENSIONS]
    for left in features:
        for right in features:
            assert math.isclose(
                cosine(features[left], features[right]),
                cosine(projected[left], projected[right]),
                abs_tol=0.05,
            )
    terms, _ = built(store)
    assert set(terms) == set(keys)
    for number, key in enumerate(keys):
        unit = projected / np.linalg.norm(projected, axis=1, keepdims=True)
        mean = matrix[:, number] @ np.nan_to_num(unit)
        # In another basis of the same space, so only what it is like can be compared.
        for feature, vector in features.items():
            expected = cosine(mean, projected[feature])
            assert math.isclose(cosine(terms[key], vector), expected, abs_tol=0.06)
        assert math.isclose(np.linalg.norm(terms[key]) / 127, rarity[number] / rarity.max(), abs_tol=0.03)


def test_features_of_like_terms_are_alike_though_they_share_none(tmp_path):
    # Features 0-9 have cat and purr or purr and mew, 10-19 dog and bark or bark and howl.
    def has(*features: int) -> list[tuple[int, int, float]]:
        return [(0, feature, 1.0) for feature in features]

    rows = [
        ("word", "cat", has(*range(5))),
        ("word", "purr", has(*range(10))),
        ("word", "mew", has(*range(5, 10))),
        ("word", "dog", has(*range(10, 15))),
        ("word", "bark", has(*range(10, 20))),
        ("word", "howl", has(*range(15, 20))),
    ]
    terms, features = built(store_of(tmp_path / "data", {"one": 20}, rows))
    assert cosine(terms["cat"], terms["mew"]) > 0.15
    assert abs(cosine(terms["cat"], terms["howl"])) < 0.1
    assert cosine(terms["cat"], features[7]) > 0.15 > cosine(terms["cat"], features[17])


def test_terms_that_most_features_have_mean_nothing(tmp_path):
    everywhere = [(0, feature, 1.0) for feature in range(6)]
    rows = [
        ("word", "many", everywhere),
        ("word", "one", everywhere[:1]),
        ("seen", "x", everywhere[:2]),
        ("token", " ", everywhere[:1]),
    ]
    terms, features = built(store_of(tmp_path / "data", {"one": 10}, rows))
    assert set(terms) == {"one"}
    assert set(features) == {0}


def test_an_index_without_postings_has_no_vectors(tmp_path):
    assert built(store_of(tmp_path / "data", {"one": 3}, [])) == ({}, {})


def test_it_does_not_depend_on_how_work_is_cut_or_on_threads(tmp_path, monkeypatch):
    whole, cut = (random_store(tmp_path / name, 7) for name in ("whole", "cut"))
    build_vectors(whole)
    monkeypatch.setattr(module, "_ROWS", 7)
    monkeypatch.setattr(module, "_ENTRIES", 11)
    build_vectors(cut)
    assert whole.read("vectors").equals(cut.read("vectors"))


@pytest.mark.parametrize(
    ("size", "rank", "count"), [(30, 30, 8), (30, 5, 8), (6, 6, 8), (1, 1, 3), (0, 0, 3)]
)
def test_directions_are_orthonormal_and_span_the_largest_eigenvalues(size, rank, count):
    rng = np.random.default_rng(size + rank)
    basis, _ = np.linalg.qr(rng.normal(size=(size, size))) if size else (np.zeros((0, 0)), None)
    values = np.zeros(size)
    values[:rank] = 100 * 0.6 ** np.arange(rank)
    matrix = np.rint(1e4 * basis * values @ basis.T)
    found = leading_directions(matrix, count)
    wanted = min(count, size)
    assert found.shape == (size, wanted)
    used = found[:, np.linalg.norm(found, axis=0) > 0]
    assert used.shape[1] >= min(wanted, rank)
    assert np.allclose(used.T @ used, np.eye(used.shape[1]), atol=1e-9)
    top = basis[:, : min(wanted, rank)]
    assert np.allclose(used @ (used.T @ top), top, atol=2e-3)
