"""Feature shards against the tables they are made of, through a reader written from their description."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render import feature_shards, payloads
from atlas.render.builder import Builder, SaeFiles
from atlas.render.choice import Choice
from atlas.render.dataset import Block
from atlas.render.features import Explanations
from atlas.render.packed_columns import Histograms, Shards
from atlas.render.packing import Packer
from atlas.render.pieces import CommonPieces
from atlas.render.raw import RawColumn, raw_column
from atlas.schema import HISTOGRAM
from atlas.store import AtlasStore
from atlas.text import group_pieces
from tests.support.feature_shards import Reader, _histogram, read_features, shortest

COUNT = 40


@pytest.fixture(scope="module")
def files(builder: Builder) -> SaeFiles:
    return builder.saes[0]


@pytest.fixture(scope="module")
def shard(files: SaeFiles) -> dict[str, Any]:
    """All features of alpha in one shard."""
    return decoded(files, files.data.block(0, COUNT))


def decoded(files: SaeFiles, block: Block, maker: feature_shards.ShardMaker | None = None) -> dict[str, Any]:
    maker = maker or files._shards
    hashes = [f"{feature:018x}" for feature in range(block.start, block.stop)]
    return read_features(maker.content(block, hashes), maker.common.texts)


def typed(payload: object, kind: type) -> None:
    """Whether `payload` has exactly the fields of the TypedDict `kind`."""
    assert isinstance(payload, dict)
    assert set(payload) == set(kind.__annotations__)


def rows_of(store: AtlasStore, table: str, feature: int) -> list[dict[str, Any]]:
    return [row for row in store.read(table, "alpha").to_pylist() if row["feature_idx"] == feature]


def test_it_has_the_shape_that_scripts_expect(shard: dict[str, Any]):
    typed(shard, payloads.FeatureShard)
    assert [feature["feature_idx"] for feature in shard["features"]] == list(range(COUNT))
    effects = examples = 0
    for feature in shard["features"]:
        typed(feature, payloads.FeaturePayload)
        for group in feature["groups"]:
            typed(group, payloads.ExampleGroup)
            for example in group["examples"]:
                typed(example, payloads.Example)
                examples += 1
        for effect in feature["effects"]:
            typed(effect, payloads.ExampleEffect)
            effects += 1
    assert examples > 100
    assert effects > 20


def test_every_column_is_exact(shard: dict[str, Any], files: SaeFiles, store: AtlasStore):
    tables = {name: store.read(files.data.table_of(name), "alpha") for name in files.data.drawn}
    for at, (name, drawn) in enumerate(files.data.drawn.items()):
        rows = {row["feature_idx"]: row[name] for row in tables[name].to_pylist()}
        single = pa.types.is_float32(tables[name].schema.field(name).type)
        for feature in shard["features"]:
            found, value = feature["values"][at], rows.get(feature["feature_idx"])
            if drawn.fields:
                value = (
                    None if value is None else [flat(shard, *cell) for row in value for cell in row.items()]
                )
                found = (
                    None if found is None else [named(shard, drawn.fields, n, v) for n, v in enumerate(found)]
                )
            elif isinstance(value, float):
                value = None if not math.isfinite(value) else shortest(value) if single else value
            assert found == (value if value is not None else None), (name, feature["feature_idx"])


def flat(shard: dict[str, Any], field: str, value: Any) -> Any:
    """A field of an entry as the dataset has it, in the page's words."""
    if isinstance(value, float):
        return shortest(value)
    return f"token {value}" if field == "token_id" else value


def named(shard: dict[str, Any], fields: tuple[str, ...], at: int, value: Any) -> Any:
    if fields[at % len(fields)] != "token_id":
        return value
    assert shard["pieces"][value] == TEXTS[0](shard["pieces"][value])
    return f"token {NUMBERS[shard['pieces'][value]]}"


TEXTS: list[Any] = [str]
NUMBERS: dict[str, int] = {}


@pytest.fixture(autouse=True, scope="module")
def _numbers(builder: Builder) -> None:
    """Text of a token → its number: all differ in this vocabulary."""
    for token in range(builder.vocabulary.size):
        NUMBERS.setdefault(builder.vocabulary.text(token), token)


def test_every_example_is_there_with_its_text_and_heat(shard: dict[str, Any], store: AtlasStore):
    vocabulary = store.read("vocabulary").to_pylist()
    documents = store.read("documents")["name"].to_pylist()
    for feature in shard["features"]:
        rows = rows_of(store, "examples", feature["feature_idx"])
        found = [(group, example) for group in feature["groups"] for example in group["examples"]]
        assert len(found) == len(rows)
        for (group, example), row in zip(found, rows, strict=True):
            assert group["group"] == row["group"]
            assert group["lower"] == shortest(row["interval_lower"])
            assert group["upper"] == shortest(row["interval_upper"])
            assert example["activation"] == shortest(row["activation"])
            for name in ("context_idx", "position", "copies"):
                assert example[name] == row[name]
            assert shard["documents"][example["document"]] == documents[row["document_idx"]]
            check_window(shard, example, row, vocabulary, feature["max_activation"])


def check_window(
    shard: dict[str, Any],
    example: dict[str, Any],
    row: dict[str, Any],
    vocabulary: list[dict],
    largest: float,
) -> None:
    """The window's text and heat, recomputed token by token."""
    tokens = [vocabulary[token] for token in row["token_ids"]]
    pieces = group_pieces([None if token["special"] else token["bytes"] for token in tokens])
    texts = [tokens[p.start]["piece"] if tokens[p.start]["special"] else p.text for p in pieces]
    assert [shard["pieces"][index] for index in example["pieces"]] == texts
    strongest = {at: max(row["activations"][p.start : p.stop]) for at, p in enumerate(pieces)}
    pairs = dict(zip(example["heat"][::2], example["heat"][1::2], strict=True))
    assert pairs == {at: max(1, round(255 * value / largest)) for at, value in strongest.items() if value > 0}
    assert list(pairs) == sorted(pairs)
    assert pieces[example["peak"]].start <= row["peak"] < pieces[example["peak"]].stop


def test_silent_examples_are_among_their_own_kind_alone(shard: dict[str, Any]):
    groups = {group["group"] for feature in shard["features"] for group in feature["groups"]}
    assert {"top", "interval", "random", "same_token", "near_miss"} >= groups > {"top", "near_miss"}
    for feature in shard["features"]:
        for group in feature["groups"]:
            silent = group["group"] in {"same_token", "near_miss"}
            assert all((example["activation"] == 0) == silent for example in group["examples"])
            for example in group["examples"]:
                assert not silent or example["peak"] not in example["heat"][::2]


def test_effects_belong_to_the_pieces_of_their_example(shard: dict[str, Any], store: AtlasStore):
    vocabulary = store.read("vocabulary").to_pylist()
    for feature in shard["features"]:
        rows = rows_of(store, "effects", feature["feature_idx"])
        examples = rows_of(store, "examples", feature["feature_idx"])
        assert [effect["rank"] for effect in feature["effects"]] == [row["rank"] for row in rows]
        for effect, row in zip(feature["effects"], rows, strict=True):
            window = next(e for e in examples if e["group"] == "top" and e["rank"] == row["rank"])
            tokens = [vocabulary[token] for token in window["token_ids"]]
            pieces = group_pieces([None if token["special"] else token["bytes"] for token in tokens])
            values = [math.nan if value is None else value for value in row["effects"]]
            expected = [sum(values[p.start : p.stop]) for p in pieces]
            for value, sum_ in zip(effect["effects"], expected, strict=True):
                assert value is None if math.isnan(sum_) else value == pytest.approx(sum_, rel=1e-6)
            for name in ("raised", "lowered"):
                told = [
                    (shard["pieces"][effect[name][at]], *effect[name][at + 1 : at + 3])
                    for at in range(0, len(effect[name]), 3)
                ]
                assert [entry[1:] for entry in told] == [
                    (shortest_or_none(entry["measured"]), shortest_or_none(entry["direct"]))
                    for entry in row[name]
                ]


def shortest_or_none(value: float | None) -> float | None:
    return None if value is None else shortest(value)


def test_every_feature_named_has_its_title(shard: dict[str, Any], files: SaeFiles):
    block = files.data.block(8, 16)
    found = decoded(files, block)
    titles = dict(found["titles"])
    texts = files.explanations.texts
    assert all(titles[feature] == texts[feature] for feature in titles)
    assert len(titles) == len(found["titles"])
    at = list(files.data.drawn).index("neighbours")
    for feature in found["features"]:
        for other in feature["values"][at][::2]:
            assert titles.get(other, "") == texts[other]


def test_explanations_come_with_their_source_and_score(files: SaeFiles):
    explained = Explanations(
        ["", "a", "b"] + [""] * 37,
        ["", "by hand", "m"] + [""] * 37,
        [None, 0.25, None] + [None] * 37,
        [""] * 40,
    )
    maker = dataclasses.replace(files._shards, explanations=explained)
    found = decoded(files, files.data.block(0, 3), maker)["features"]
    facts = [(f["title"], f["method"], f["score"], f["score_name"]) for f in found]
    assert facts == [("", "", None, ""), ("a", "by hand", 0.25, ""), ("b", "m", None, "")]
    assert [f["hash"] for f in found] == [f"{feature:018x}" for feature in range(3)]


def test_any_cut_gives_the_same_features(files: SaeFiles, shard: dict[str, Any]):
    for block in files.data.blocks(7, 3):
        found = decoded(files, block)
        for feature in found["features"]:
            whole = shard["features"][feature["feature_idx"]]
            assert spelled(found, feature) == spelled(shard, whole)


def spelled(shard: dict[str, Any], feature: dict[str, Any]) -> list[Any]:
    """A feature's examples without the shard's own numbering."""
    return [
        (group["group"], example["activation"], [shard["pieces"][piece] for piece in example["pieces"]])
        for group in feature["groups"]
        for example in group["examples"]
    ]


def test_rare_pieces_are_the_shards_own(files: SaeFiles, shard: dict[str, Any], builder: Builder):
    counts = np.zeros(builder.vocabulary.size, np.int64)
    counts[32:40] = 5
    few = CommonPieces(builder.vocabulary, counts)
    few.texts, few.index = few.texts[:8], np.where(few.index < 8, few.index, -1)
    maker = dataclasses.replace(files._shards, common=few)
    found = decoded(files, files.data.block(0, COUNT), maker)
    assert len(found["pieces"]) > 40
    assert [spelled(found, f) for f in found["features"]] == [spelled(shard, f) for f in shard["features"]]


def test_a_choice_cuts_groups_and_windows(store: AtlasStore, builder: Builder, shard: dict[str, Any]):
    fresh = Builder(store, builder.config, builder.theme.folder, scripts=False)
    fresh.choose(Choice(top=2, others=1, before=3, after=2))
    files = fresh.saes[0]
    found = decoded(files, files.data.block(0, COUNT))
    for feature, whole in zip(found["features"], shard["features"], strict=True):
        assert [g["group"] for g in feature["groups"]] == [g["group"] for g in whole["groups"]]
        for group, more in zip(feature["groups"], whole["groups"], strict=True):
            limit = 2 if group["group"] == "top" else 1
            assert len(group["examples"]) == min(limit, len(more["examples"]))
            for example, full in zip(group["examples"], more["examples"], strict=False):
                assert example["activation"] == full["activation"]
                assert example["peak"] <= 3
                assert len(example["pieces"]) <= 6
                assert text_at(found, example) in text_of(shard, full)
        for effect in feature["effects"]:
            top = next(g for g in feature["groups"] if g["group"] == "top")
            assert len(effect["effects"]) == len(top["examples"][effect["rank"]]["pieces"])


def text_of(shard: dict[str, Any], example: dict[str, Any]) -> str:
    return "".join(shard["pieces"][piece] for piece in example["pieces"])


def text_at(shard: dict[str, Any], example: dict[str, Any]) -> str:
    return shard["pieces"][example["pieces"][example["peak"]]].strip("<>")[:1]


def test_the_same_features_give_the_same_bytes(files: SaeFiles):
    hashes = ["x"] * 16
    for size, per_read in ((16, 1), (16, 3), (7, 2)):
        for block in files.data.blocks(size, per_read):
            own = hashes[: block.size]
            alone = files._shards.content(files.data.block(block.start, block.stop), own)
            assert files._shards.content(block, own) == alone


def test_a_shard_is_of_features_that_were_read_for_one(files: SaeFiles):
    with pytest.raises(ValueError, match="no part of what was read"):
        files._shards.content(files.data.block(0, COUNT).part(0, 16), ["x"] * 16)


@pytest.mark.parametrize("most_common", [3, 12])
def test_shards_with_pieces_of_their_own_are_packed_alike(
    files: SaeFiles, builder: Builder, most_common: int
):
    common = CommonPieces(builder.vocabulary, np.arange(builder.vocabulary.size))
    common.texts = common.texts[:most_common]
    common.index[common.index >= most_common] = -1
    maker = dataclasses.replace(files._shards, common=common)
    for block in files.data.blocks(5, 4):
        alone = maker.content(files.data.block(block.start, block.stop), ["x"] * block.size)
        assert maker.content(block, ["x"] * block.size) == alone


EDGES = st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=2, max_size=8, unique=True).map(sorted)


def packed(column: RawColumn, edges: tuple[int, ...]) -> list[bytes]:
    """The bins of a column, in the shards that begin at `edges`."""
    packer = Packer(len(edges) - 1)
    Histograms(column).put(Shards(packer, NO_PIECES, [], np.array(edges)))
    return [packer.content(number, b"{}") for number in range(len(edges) - 1)]


NO_PIECES: Any = None


def histogram_of(rows: list[list[tuple[float, float, int]] | None]) -> tuple[list[Any], int]:
    """A histogram column there and back, and whether it was packed as a grid."""
    values = [
        None if row is None else [{"lower": low, "upper": high, "count": count} for low, high, count in row]
        for row in rows
    ]
    column = raw_column(pa.chunked_array([pa.array(values, HISTOGRAM)]), np.arange(len(rows)), len(rows))
    (content,) = packed(column, (0, len(rows)))
    reader = Reader(content)
    lengths = [len(row or ()) for row in rows]
    assert reader.integers(len(rows)) == [0 if row is None else 1 + len(row) for row in rows]
    lower, upper, counts = _histogram(reader, lengths)
    reader.finish()
    again = Reader(content)
    return list(zip(lower, upper, counts, strict=True)), again.integers(len(rows) + 1)[-1]


@given(st.lists(EDGES, min_size=1, max_size=4))
def test_histograms_of_any_bins_are_exact(features: list[list[float]]):
    rows = [
        [(low, high, at) for at, (low, high) in enumerate(itertools.pairwise(edges))] for edges in features
    ]
    found, _ = histogram_of(rows)
    assert found == [(shortest(low), shortest(high), count) for row in rows for low, high, count in row]


@given(
    st.lists(
        st.tuples(
            st.floats(-100, 100, width=32), st.floats(0.0078125, 50, width=32), st.sets(st.integers(1, 58))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_histograms_of_regular_bins_are_exact_and_known_as_such(features: list):
    rows = []
    for low, span, inner in features:
        edges = np.linspace(low, low + span, 61).astype(np.float32)
        places = sorted({0, 59} | inner)
        rows.append([(float(edges[at]), float(edges[at + 1]), at) for at in places])
    found, _ = histogram_of(rows)
    assert found == [(shortest(low), shortest(high), count) for row in rows for low, high, count in row]


def test_regular_bins_cost_next_to_nothing():
    edges = np.linspace(-1.2345, 3.21, 61).astype(np.float32)
    row = [(float(edges[at]), float(edges[at + 1]), 7) for at in range(60)]
    _, grid = histogram_of([row, None, [], row])
    assert grid == 1


def test_bins_of_few_bits_are_packed_by_their_bits():
    row = [(2.0**n, 2.0 ** (n + 1), n) for n in range(-12, 12)]
    found, grid = histogram_of([row])
    assert found == [(shortest(low), shortest(high), count) for low, high, count in row]
    assert grid == 0


@pytest.mark.parametrize("rows", [[], [None], [[]], [[(0.0, 0.0, 1)]], [[(1.0, 1.0, 2), (2.0, 3.0, -4)]]])
def test_odd_histograms(rows: list):
    assert histogram_of(rows)[0] == [bin_ for row in rows for bin_ in row or ()]


def test_histograms_read_together_are_packed_each_on_its_own(files: SaeFiles):
    odd = [(2.0**n, 2.0 ** (n + 1), n) for n in range(-12, 12)]
    even = [(float(n), float(n + 1), n) for n in range(5)]
    rows = [even, None, odd, [], even]
    values = [
        None if row is None else [{"lower": low, "upper": high, "count": count} for low, high, count in row]
        for row in rows
    ]
    column = raw_column(pa.chunked_array([pa.array(values, HISTOGRAM)]), np.arange(len(rows)), len(rows))
    for edges in ((0, 1, 2, 3, 4, 5), (0, 2, 5), (0, 3, 4, 5), (0, 1, 5), (0, 5)):
        for content, (first, last) in zip(packed(column, edges), itertools.pairwise(edges), strict=True):
            assert [content] == packed(column.part(first, last), (0, last - first))


def test_blocks_of_a_read_are_packed_as_if_read_alone(files: SaeFiles):
    for block in files.data.blocks(16, 3):
        assert decoded(files, block) == decoded(files, files.data.block(block.start, block.stop))
