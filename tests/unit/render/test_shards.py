"""Data files: one form, exact content."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render import payloads
from atlas.render.builder import Builder, SaeFiles
from atlas.render.dataset import Block
from atlas.render.shards import (
    ROWS_PER_TABLE_SHARD,
    TERMS_PER_SHARD,
    TableRows,
    encode_shard,
    feature_shard,
    map_shard,
    search_shards,
    shard_path,
)
from atlas.store import AtlasStore
from atlas.text import group_pieces
from tests.support.sites import Site, read_shard

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_a_shard_gives_its_payload_back(payload: object):
    assert read_shard("a/features/3", encode_shard("a/features/3", payload)) == payload


@given(JSON)
def test_equal_payloads_give_equal_bytes(payload: object):
    assert encode_shard("k", payload) == encode_shard("k", json.loads(json.dumps(payload)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_carry_is_refused(value: float):
    with pytest.raises(ValueError, match="JSON"):
        encode_shard("k", {"value": value})


def test_no_text_can_leave_its_shard():
    data = encode_shard("k", {"text": '");alert(1);//</script><!--\u2028'})
    assert data.startswith(b'atlasShard("k","')
    assert data.count(b'"') == 4
    assert b"<" not in data


def test_shards_lie_under_data():
    assert shard_path("a/features/3") == "data/a/features/3.js"


@pytest.fixture(scope="module")
def whole(builder: Builder) -> tuple[SaeFiles, Block]:
    files = SaeFiles(builder, builder.store.manifest.saes[0])
    return files, files.data.block(0, 40)


def typed(payload: object, kind: type) -> None:
    """Whether `payload` has exactly the fields of the TypedDict `kind`."""
    assert isinstance(payload, dict)
    assert set(payload) == set(kind.__annotations__)


def test_a_feature_shard_holds_every_example_exactly(store: AtlasStore, whole: tuple[SaeFiles, Block]):
    _, block = whole
    documents = store.read("documents")["name"].to_pylist()
    vocabulary = store.read("vocabulary").to_pylist()
    rows = store.read("examples", "alpha").to_pylist()
    maxima = store.read("features", "alpha")["max_activation"].to_pylist()
    shard = read_shard("k", encode_shard("k", feature_shard(block, documents, 99)))
    typed(shard, payloads.FeatureShard)
    assert [feature["feature_idx"] for feature in shard["features"]] == list(range(40))
    for feature in shard["features"]:
        typed(feature, payloads.FeaturePayload)
        own = [row for row in rows if row["feature_idx"] == feature["feature_idx"]]
        mine = [row for row in own if row["group"] in {"top", "interval", "random"}]
        assert len(own) > len(mine) or not own, "counter-examples are in the dataset, not in the shard"
        largest = maxima[feature["feature_idx"]]
        assert np.float32(feature["max_activation"]) == np.float32(largest)
        found = [(group, example) for group in feature["groups"] for example in group["examples"]]
        assert len(found) == len(mine)
        for (group, example), row in zip(found, mine, strict=True):
            typed(group, payloads.ExampleGroup)
            typed(example, payloads.Example)
            assert group["group"] == row["group"]
            assert np.float32(group["lower"]) == np.float32(row["interval_lower"])
            assert np.float32(group["upper"]) == np.float32(row["interval_upper"])
            assert np.float32(example["activation"]) == np.float32(row["activation"])
            assert (example["context_idx"], example["position"]) == (row["context_idx"], row["position"])
            assert shard["documents"][example["document"]] == documents[row["document_idx"]]
            check_window(shard, example, row, vocabulary, largest)


def check_window(shard: dict, example: dict, row: dict, vocabulary: list[dict], largest: float) -> None:
    """The window's text and heat, recomputed token by token."""
    tokens = [vocabulary[token] for token in row["token_ids"]]
    pieces = group_pieces([None if token["special"] else token["bytes"] for token in tokens])
    texts = [
        tokens[piece.start]["piece"] if tokens[piece.start]["special"] else piece.text for piece in pieces
    ]
    spelled = [shard["pieces"][index] for index in example["pieces"]]
    assert "".join(spelled) == "".join(texts)
    if len(spelled) == len(texts):
        heat = {
            at: max(row["activations"][piece.start : piece.stop])
            for at, piece in enumerate(pieces)
            if max(row["activations"][piece.start : piece.stop]) > 0
        }
        pairs = dict(zip(example["heat"][::2], example["heat"][1::2], strict=True))
        assert pairs == {at: max(1, round(255 * value / largest)) for at, value in heat.items()}
        assert pieces[example["peak"]].start <= row["peak"] < pieces[example["peak"]].stop


def test_groups_keep_the_order_of_the_dataset(whole: tuple[SaeFiles, Block]):
    shard = feature_shard(whole[1], [], 99)
    for feature in shard["features"]:
        names = [group["group"] for group in feature["groups"]]
        assert names == sorted(names, key=["top", "interval", "random"].index)
        bounds = [group["lower"] for group in feature["groups"] if group["group"] == "interval"]
        assert bounds == sorted(bounds)


def test_only_so_many_top_examples_are_written(whole: tuple[SaeFiles, Block]):
    few, all_of_them = feature_shard(whole[1], [], 2), feature_shard(whole[1], [], 99)
    for less, more in zip(few["features"], all_of_them["features"], strict=True):
        for ours, theirs in zip(less["groups"], more["groups"], strict=True):
            limit = 2 if ours["group"] == "top" else len(theirs["examples"])
            assert [e["activation"] for e in ours["examples"]] == [
                e["activation"] for e in theirs["examples"]
            ][:limit]


def test_a_dead_feature_has_no_groups(whole: tuple[SaeFiles, Block]):
    feature = feature_shard(whole[1], [], 99)["features"][3]
    assert feature == {"feature_idx": 3, "max_activation": 0.0, "groups": []}


def test_documents_beyond_the_table_have_no_name(whole: tuple[SaeFiles, Block]):
    assert feature_shard(whole[1], [], 99)["documents"] == [""]


def table_rows(files: SaeFiles) -> TableRows:
    return TableRows(files.table.columns, files.table.vocabulary, files.table.explanations)


def test_table_shards_hold_every_feature_once(store: AtlasStore, whole: tuple[SaeFiles, Block]):
    files, block = whole
    table = table_rows(files)
    table.add(block)
    assert list(table.full()) == []
    ((number, shard),) = table.rest()
    assert list(table.rest()) == []
    typed(shard, payloads.TableShard)
    assert (number, shard["start"]) == (0, 0)
    by_table = [store.read(name, "alpha").to_pylist() for name in ("logits", "weights", "features")]
    rows = [{**logits, **weights, **features} for logits, weights, features in zip(*by_table, strict=True)]
    for column, values in zip(shard["columns"], shard["values"], strict=True):
        typed(column, payloads.ColumnPayload)
        for value, row in zip(values, rows, strict=True):
            expected = row[column["name"]]
            assert value == (None if expected is None else pytest.approx(expected, rel=1e-5))
            assert isinstance(value, int) or not isinstance(expected, int)
    texts = {row["feature_idx"]: row["text"] for row in store.read("explanations", "alpha").to_pylist()}
    assert shard["explanations"] == [texts.get(feature, "") for feature in range(40)]
    assert all(len(tokens) <= 5 for tokens in shard["tokens"])
    assert shard["tokens"][3] == []
    coords = {row["feature_idx"]: row["cluster"] for row in store.read("coords", "alpha").to_pylist()}
    assert shard["clusters"] == [coords.get(feature, -1) for feature in range(40)]


def test_table_shards_are_cut_at_their_size(whole: tuple[SaeFiles, Block]):
    files, block = whole
    table = table_rows(files)
    found = []
    for _ in range(60):
        table.add(block)
        found += list(table.full())
    found += list(table.rest())
    assert [number for number, _ in found] == [0, 1, 2]
    assert [shard["start"] for _, shard in found] == [0, ROWS_PER_TABLE_SHARD, 2 * ROWS_PER_TABLE_SHARD]
    assert [len(shard["tokens"]) for _, shard in found] == [ROWS_PER_TABLE_SHARD] * 2 + [60 * 40 - 2048]


def test_a_table_without_scalars_still_has_rows(whole: tuple[SaeFiles, Block]):
    files, block = whole
    table = TableRows([], files.table.vocabulary, files.table.explanations)
    table.add(block)
    ((_, shard),) = table.rest()
    assert (shard["columns"], shard["values"], len(shard["tokens"])) == ([], [], 40)


def test_the_map_is_scaled_on_its_longer_axis():
    shard = map_shard([0.0, 4.0, None, 2.0], [1.0, 1.0, 1.0, 3.0], [0, None, 2, -1], ["one"])
    typed(shard, payloads.MapShard)
    assert shard == {
        "feature_idx": [0, 1, 3],
        "x": [0, 65535, 32768],
        "y": [0, 0, 32768],
        "cluster": [0, -1, -1],
        "cluster_labels": ["one"],
    }


@pytest.mark.parametrize(("xs", "ys"), [([], []), ([None], [None]), ([2.0], [3.0]), ([1.0, 1.0], [5.0, 5.0])])
def test_a_map_of_nothing_or_of_one_place(xs: list, ys: list):
    shard = map_shard(xs, ys, [-1] * len(xs), [])
    assert shard["x"] == shard["y"] == [0] * sum(x is not None for x in xs)


POINT = st.floats(-1e6, 1e6, width=32)


@given(st.lists(st.tuples(POINT, POINT), min_size=1, max_size=30))
def test_places_keep_their_proportions(points: list[tuple[float, float]]):
    shard = map_shard([x for x, _ in points], [y for _, y in points], [0] * len(points), [])
    span = max(
        max(x for x, _ in points) - min(x for x, _ in points),
        max(y for _, y in points) - min(y for _, y in points),
    )
    for values, axis in ((shard["x"], 0), (shard["y"], 1)):
        assert min(values) == 0
        assert max(values) <= 65535
        low = min(point[axis] for point in points)
        for value, point in zip(values, points, strict=True):
            assert value == pytest.approx(0 if span == 0 else (point[axis] - low) / span * 65535, abs=0.51)


def test_search_shards_hold_every_posting_in_order(store: AtlasStore):
    found = dict(search_shards(store))
    rows = store.read("postings").to_pylist()
    for name in ("word", "token"):
        mine = [row for row in rows if row["field"] == name]
        vocabulary = found[f"search/{name}/vocabulary"]
        typed(vocabulary, payloads.VocabularyShard)
        assert vocabulary["terms"] == [row["term"] for row in mine] == sorted(row["term"] for row in mine)
        assert vocabulary["counts"] == [len(row["feature_idx"]) for row in mine]
        for at, row in enumerate(mine):
            shard = found[f"search/{name}/{at // TERMS_PER_SHARD}"]
            flat = shard["postings"][at % TERMS_PER_SHARD]
            assert flat[0::3] == row["sae"]
            assert flat[1::3] == row["feature_idx"]
            assert flat[2::3] == [round(1000 * weight) for weight in row["weight"]]


def test_an_empty_index_still_has_its_vocabularies(tmp_path):
    from atlas.schema import POSTINGS

    empty = AtlasStore.create(tmp_path / "data")
    with empty.writer("postings", schema=POSTINGS) as writer:
        writer.write(POSTINGS.empty_table())
    assert dict(search_shards(empty)) == {
        f"search/{name}/vocabulary": {"terms": [], "counts": []} for name in ("word", "token")
    }


def test_the_site_shard_names_the_saes(site: Site, store: AtlasStore):
    shard = site.shard("site")
    typed(shard, payloads.SitePayload)
    assert shard["build_id"] == store.manifest.build_id
    assert [sae["slug"] for sae in shard["saes"]] == ["alpha", "beta"]
    assert shard["features_per_shard"] == 16
    for key in (
        f"alpha/features/{39 // shard['features_per_shard']}",
        "beta/table/0",
        "beta/map",
        "search/word/0",
    ):
        assert site.shard(key)
