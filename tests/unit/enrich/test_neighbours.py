from __future__ import annotations

import numpy as np
import pytest
import torch

from atlas.enrich import neighbours
from atlas.enrich.neighbours import NEIGHBOURS, compute_device, nearest_directions, unit_directions
from tests.support.enrichment import context, make_store


def by_definition(W: np.ndarray, n: int) -> list[list[tuple[int, float]]]:
    """Straight from the definition, in double precision, one pair at a time."""
    found = []
    for i, own in enumerate(W):
        pairs = [
            (j, float(own @ other / np.linalg.norm(own) / np.linalg.norm(other)))
            for j, other in enumerate(W)
            if j != i and own.any() and other.any()
        ]
        found.append(sorted(pairs, key=lambda pair: -pair[1])[:n])
    return found


def ranked(W: torch.Tensor, n: int) -> list[list[tuple[int, float]]]:
    rows = []
    for _, part in nearest_directions(W, n):
        lists = part.features().to_pylist()
        rows.extend([(entry["feature_idx"], entry["value"]) for entry in entries] for entries in lists)
    return rows


@pytest.mark.parametrize("tile", [1, 7, 1 << 20])
def test_equals_the_definition_whatever_the_tile(monkeypatch, tile):
    monkeypatch.setattr(neighbours, "tile_rows", lambda _: tile)
    W = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    W[5] = 0
    expected = by_definition(W.double().numpy(), 7)
    actual = ranked(W, 7)
    assert [[i for i, _ in row] for row in actual] == [[i for i, _ in row] for row in expected]
    for mine, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose([v for _, v in mine], [v for _, v in theirs], atol=1e-6)


def test_a_zero_direction_has_no_neighbours_and_is_nobodys():
    W = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    assert [[i for i, _ in row] for row in ranked(W, 5)] == [[2], [], [0]]


def test_twins_are_ordered_by_number_with_cosine_one():
    W = torch.tensor([[0.1, 0.3, 0.7]]).repeat(6, 1) * torch.tensor(
        [[1.0], [4.0], [2.0**-90], [2.0**90], [0.5], [1.0]]
    )
    for i, row in enumerate(ranked(W, 3)):
        assert [j for j, _ in row] == [j for j in range(6) if j != i][:3]
        assert all(value == pytest.approx(1, abs=1e-6) and value <= 1 for _, value in row)


def test_rounding_never_lifts_a_cosine_past_one():
    W = torch.randn(300, 50, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    assert ((unit_directions(W) ** 2).sum(dim=1) > 1).any()
    assert max(row[0][1] for row in ranked(W, 1)) == 1


def test_opposite_directions_stop_at_minus_one():
    W = torch.tensor([[0.1, 0.3, 0.7], [-0.1, -0.3, -0.7]])
    assert ranked(W, 1)[0][0][1] == pytest.approx(-1)
    assert ranked(W, 1)[0][0][1] >= -1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_features(count):
    assert [len(row) for row in ranked(torch.ones(count, 3), 10)] == [max(count - 1, 0)] * count


def test_directions_that_are_not_finite_count_as_zero():
    W = torch.tensor([[3.0, 4.0], [torch.nan, 1.0], [torch.inf, 1.0], [0.0, 0.0]])
    assert unit_directions(W).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("recorded", "present", "device"),
    [
        ({"device": "cuda:1"}, True, "cuda:1"),
        ({"device": "cuda"}, False, "cpu"),
        ({"device": "mps"}, True, "cpu"),
        ({"device": "cpu"}, True, "cpu"),
        ({}, True, "cpu"),
    ],
)
def test_the_gpu_of_the_pass_is_used_where_it_is_there(tmp_path, monkeypatch, recorded, present, device):
    store = make_store(tmp_path / "data", {"one": []}, [b"a"])
    store.update(model=recorded)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    assert compute_device(store) == device


def test_the_table_has_a_row_for_every_feature(tmp_path):
    W = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    store = make_store(tmp_path / "data", {"one": [[]] * 9}, [b"a"])
    NEIGHBOURS.run(context(store, W_dec=W, neighbours=3)[0])
    table = store.read("neighbours", "one")
    assert table["feature_idx"].to_pylist() == list(range(9))
    lists = [
        [(entry["feature_idx"], entry["value"]) for entry in row] for row in table["neighbours"].to_pylist()
    ]
    assert lists == ranked(W, 3)
    assert store.verify() == []


def test_twice_gives_the_same_bytes(tmp_path):
    W = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    digests = []
    for name in ("a", "b"):
        store = make_store(tmp_path / name, {"one": [[]] * 30}, [b"a"])
        NEIGHBOURS.run(context(store, W_dec=W)[0])
        digests.append([file.sha256 for file in store.manifest.tables["one/neighbours"]])
    assert digests[0] == digests[1]
