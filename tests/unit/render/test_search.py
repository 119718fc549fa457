"""The search index as scripts get it: read back byte by byte, it is the tables `postings` and `vectors`."""

from __future__ import annotations

import itertools
import typing
from typing import Any

import numpy as np
import pytest

from atlas.render import payloads, search, search_vectors
from atlas.render.search import FIELDS, SearchTables, count_shards, search_shards
from atlas.render.search_vectors import centres, count_parts, similar_parts
from atlas.schema import POSTINGS, VECTORS
from atlas.store import AtlasStore
from atlas.text import search_key


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(the number at a place, the place after it)."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def units(data: bytes) -> list[list[tuple[int, int]]]:
    """The units of a posting shard: (number, thousandths)."""
    count, at = varint(data, 0)
    lengths = []
    for _ in range(count):
        length, at = varint(data, at)
        lengths.append(length)
    found = []
    for length in lengths:
        end, number, unit = at + length, -1, []
        while at < end:
            gap, at = varint(data, at)
            weight, at = varint(data, at)
            number += gap + 1
            unit.append((number, weight))
        assert at == end
        found.append(unit)
    assert at == len(data)
    return found


def read_back(store: AtlasStore) -> dict[tuple[str, str], dict[int, int]]:
    """(field, term) → number of a feature → thousandths, from the shards alone."""
    found = dict(search_shards(SearchTables(store)))
    directory = found["search/directory"]
    result: dict[tuple[str, str], dict[int, int]] = {}
    for book in ("terms", "phrases"):
        about = directory[book]
        shards = [units(data) for key, data in found.items() if key.startswith(f"search/postings/{book}/")]
        starts = np.cumsum([0, *map(len, shards)]).tolist()
        assert about["shard_starts"] == starts[:-1]
        every = list(itertools.chain.from_iterable(shards))
        unit = 0
        for number, first in enumerate(about["blocks"]):
            block = found[f"search/{book}/{number}"]
            assert block["first_unit"] == unit
            assert block["keys"][0] == first
            for (place, field, count), spelling in zip(
                triples(block["entries"]), block["spellings"], strict=True
            ):
                needed = -(-count // directory["postings_per_unit"])
                own = list(itertools.chain.from_iterable(every[unit : unit + needed]))
                assert len(own) == count
                term = spelling or block["keys"][place]
                assert search_key(term) == block["keys"][place]
                result[directory["fields"][field], term] = dict(own)
                unit += needed
        assert unit == len(every)
    return result


def typed(payload: dict[str, Any], kind: type) -> None:
    """Assert that `payload` has the fields of a payload type, each of its kind."""
    hints = typing.get_type_hints(kind)
    assert set(payload) == set(hints)
    for name, hint in hints.items():
        assert isinstance(
            payload[name], typing.get_origin(hint) or (dict if typing.is_typeddict(hint) else hint)
        )


def triples(flat: list[int]) -> list[tuple[int, int, int]]:
    return [(flat[at], flat[at + 1], flat[at + 2]) for at in range(0, len(flat), 3)]


def by_definition(store: AtlasStore) -> dict[tuple[str, str], dict[int, int]]:
    starts = np.cumsum([0, *(entry.n_features for entry in store.manifest.saes)]).tolist()
    return {
        (row["field"], row["term"]): {
            starts[sae] + feature: round(1000 * weight)
            for sae, feature, weight in zip(row["sae"], row["feature_idx"], row["weight"], strict=True)
        }
        for row in store.read("postings").to_pylist()
    }


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> AtlasStore:
    """An atlas with every field of the index, and vectors with a meaning."""
    from atlas.index.search import build_postings
    from atlas.index.vectors import build_vectors
    from tests.support.synthetic import make_atlas

    store = make_atlas(tmp_path_factory.mktemp("search") / "data", n_features=40)
    build_postings(store)
    build_vectors(store)
    return store


def test_the_shards_hold_every_posting(full: AtlasStore):
    assert {field for field, _ in by_definition(full)} >= {"word", "token", "example", "phrase"}
    assert read_back(full) == by_definition(full)


@pytest.mark.parametrize(("keys", "postings", "shard"), [(1, 1, 1), (3, 2, 5), (1000, 7, 1)])
def test_they_do_however_finely_they_are_cut(
    full: AtlasStore, monkeypatch: pytest.MonkeyPatch, keys: int, postings: int, shard: int
):
    monkeypatch.setattr(search, "KEYS_PER_BLOCK", keys)
    monkeypatch.setattr(search, "POSTINGS_PER_UNIT", postings)
    monkeypatch.setattr(search, "POSTINGS_PER_SHARD", shard)
    assert read_back(full) == by_definition(full)
    assert count_shards(SearchTables(full))[0] == len(list(search_shards(SearchTables(full))))


def test_units_hold_the_strongest_first(full: AtlasStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "POSTINGS_PER_UNIT", 3)
    found = dict(search_shards(SearchTables(full)))
    every = list(
        itertools.chain.from_iterable(units(data) for key, data in found.items() if "/postings/terms/" in key)
    )
    unit = 0
    for key, block in found.items():
        if key.startswith("search/terms/"):
            for _, _, count in triples(block["entries"]):
                own = every[unit : unit + -(-count // 3)]
                for before, after in itertools.pairwise(own):
                    assert min(weight for _, weight in before) >= max(weight for _, weight in after)
                assert all(part == sorted(part) for part in own)
                unit += len(own)


def test_keys_are_sorted_distinct_and_in_their_blocks(full: AtlasStore):
    found = dict(search_shards(SearchTables(full)))
    for book in ("terms", "phrases"):
        blocks = [
            found[f"search/{book}/{number}"]
            for number in range(len(found["search/directory"][book]["blocks"]))
        ]
        keys = [key for block in blocks for key in block["keys"]]
        assert keys == sorted(set(keys))
        assert len(keys) == found["search/directory"][book]["n_keys"]


def test_the_payloads_are_as_their_types_say(full: AtlasStore):
    found = dict(search_shards(SearchTables(full)))
    assert next(iter(found)) == "search/directory"
    typed(found["search/directory"], payloads.SearchPayload)
    typed(found["search/terms/0"], payloads.TermShard)
    typed(found["search/spelling/0"], payloads.SpellingShard)
    rows = full.read("postings").to_pylist()
    for (terms, postings), field in zip(found["search/directory"]["sums"], FIELDS, strict=True):
        own = [row for row in rows if row["field"] == field]
        assert (terms, postings) == (len(own), sum(len(row["sae"]) for row in own))


def test_spellings_are_the_keys_by_length(full: AtlasStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "KEYS_PER_SPELLING_SHARD", 2)
    found = dict(search_shards(SearchTables(full)))
    number = 0
    seen: list[str] = []
    for length, shards in found["search/directory"]["spellings"]:
        for _ in range(shards):
            keys = found[f"search/spelling/{number}"]["keys"]
            assert {len(key) for key in keys} == {length}
            seen += keys
            number += 1
    keys = [key for name, block in found.items() if name.startswith("search/terms/") for key in block["keys"]]
    wanted = [key for key in keys if 3 <= len(key) <= 24 and all(c.isalnum() or c == "_" for c in key)]
    assert sorted(seen) == sorted(wanted)
    assert f"search/spelling/{number}" not in found


def test_an_empty_index_has_a_directory_and_nothing_else(tmp_path):
    empty = AtlasStore.create(tmp_path / "data")
    for name, schema in (("postings", POSTINGS), ("vectors", VECTORS)):
        with empty.writer(name, schema=schema) as writer:
            writer.write(schema.empty_table())
    found = dict(search_shards(SearchTables(empty)))
    assert found.pop("search/directory")["vector_shards"] == 0
    assert found == {"search/vectors/centres": b""}
    assert count_shards(SearchTables(empty)) == (2, 0)


def test_an_atlas_without_vectors_has_none(full: AtlasStore, tmp_path):
    bare = AtlasStore.create(tmp_path / "data")
    bare.update(saes=[entry.model_dump() for entry in full.manifest.saes])
    with bare.writer("postings", schema=POSTINGS) as writer:
        writer.write(full.read("postings"))
    found = dict(search_shards(SearchTables(bare)))
    assert found["search/directory"]["vector_shards"] == 0
    assert not [key for key in found if "vectors" in key]
    assert count_shards(SearchTables(bare))[0] == len(found)


# ---- vectors


def signed(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.int8).reshape(-1, 64)


def test_every_vector_is_in_its_shard(full: AtlasStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search_vectors, "FEATURES_PER_SHARD", 7)
    monkeypatch.setattr(search, "KEYS_PER_BLOCK", 9)
    found = dict(search_shards(SearchTables(full)))
    rows = full.read("vectors").to_pylist()
    of_features: dict[int, list[int]] = {}
    for shard in range(found["search/directory"]["vector_shards"]):
        data = found[f"search/vectors/features/{shard}"]
        count, at = varint(data, 0)
        number = -1
        numbers = []
        for _ in range(count):
            gap, at = varint(data, at)
            number += gap + 1
            numbers.append(number)
        assert 0 < count <= 7
        of_features |= dict(zip(numbers, signed(data[at:]).tolist(), strict=True))
    assert of_features == {row["number"]: row["vector"] for row in rows if row["number"] >= 0}
    of_terms = {
        key: vector
        for number in range(len(found["search/directory"]["terms"]["blocks"]))
        for key, vector in zip(
            found[f"search/terms/{number}"]["keys"],
            signed(found[f"search/vectors/terms/{number}"]).tolist(),
            strict=True,
        )
        if any(vector)
    }
    assert of_terms == {
        row["term"]: row["vector"] for row in rows if row["number"] < 0 and any(row["vector"])
    }
    assert count_shards(SearchTables(full))[0] == len(found)


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 1000, 1500])
def test_parts_are_small_even_and_complete(count: int):
    vectors = np.random.default_rng(count).integers(-127, 128, (count, 64)).astype(np.int8)
    parts = similar_parts(vectors)
    assert sorted(itertools.chain.from_iterable(part.tolist() for part in parts)) == list(range(count))
    assert len(parts) == count_parts(count)
    sizes = [part.size for part in parts]
    assert all(size <= 256 for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= np.log2(max(len(sizes), 2))
    assert all((np.diff(part) > 0).all() for part in parts)


def test_parts_keep_what_is_alike_together():
    rng = np.random.default_rng(1)
    groups = rng.integers(-90, 91, (4, 64))
    which = rng.integers(0, 4, 1200)
    vectors = np.clip(groups[which] + rng.integers(-9, 10, (1200, 64)), -127, 127).astype(np.int8)
    for part in similar_parts(vectors):
        assert np.bincount(which[part]).max() > 0.5 * part.size


def test_equal_vectors_are_cut_by_number():
    parts = similar_parts(np.ones((600, 64), np.int8))
    assert [part.size for part in parts] == [150] * 4
    assert np.concatenate(parts).tolist() == list(range(600))


def test_a_centre_is_the_mean_direction():
    vectors = np.zeros((3, 64), np.int8)
    vectors[0, 0], vectors[1, 0], vectors[2, 1] = 100, 50, 80
    found: Any = centres(vectors, [np.array([0, 1]), np.array([2])])
    assert found[0].tolist() == [127, *[0] * 63]
    assert found[1].tolist() == [0, 127, *[0] * 62]
    assert centres(np.zeros((1, 64), np.int8), [np.array([0])]).tolist() == [[0] * 64]
