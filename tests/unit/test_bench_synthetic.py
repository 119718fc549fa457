"""The made-up atlas: whole, consistent with itself, as large as a real one, and the same every time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.index.search import build_postings
from atlas.schema import MODEL_TABLES, SAE_TABLES, SHARED_TABLES, column_info
from atlas.store import AtlasStore
from bench import synthetic_world
from bench.synthetic_atlas import SLUG, make_synthetic
from bench.synthetic_columns import make_layout, make_profiles
from bench.synthetic_examples import AFTER, BEFORE, INTERVALS
from bench.synthetic_world import BOS, Scale, make_world

SMALL = Scale(300, vocabulary=3000, contexts=512)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AtlasStore:
    return make_synthetic(tmp_path_factory.mktemp("synthetic") / "data", SMALL)


@pytest.fixture(scope="module")
def examples(store: AtlasStore) -> list[dict[str, Any]]:
    return store.read("examples", SLUG).to_pylist()


def test_it_is_a_whole_dataset_with_every_table(store: AtlasStore):
    assert store.verify() == []
    tables = set(store.manifest.tables)
    own = {f"{SLUG}/{name}" for name in SAE_TABLES.keys() - MODEL_TABLES}
    assert tables >= own | (SHARED_TABLES.keys() - MODEL_TABLES - {"vectors"})
    assert store.manifest.saes[0].n_features == 300


def test_every_statistic_has_its_column(store: AtlasStore):
    from atlas.plugins import available, load

    wanted = {
        field.name
        for name in available("atlas.statistics")
        for field in load("atlas.statistics", name).columns
    }
    schema = store.schema("features", SLUG)
    assert set(schema.names) == wanted | {"feature_idx"}
    assert all(column_info(field).doc for field in schema)


def test_equal_seeds_give_equal_bytes_and_others_do_not(store: AtlasStore, tmp_path: Path):
    again = make_synthetic(tmp_path / "again", SMALL)
    assert again.manifest.build_id == store.manifest.build_id
    other = make_world(Scale(300, vocabulary=3000, contexts=512, seed=1))
    assert (other.tokens != make_world(SMALL).tokens).any()


def test_features_do_not_depend_on_how_many_are_made_at_once(
    store: AtlasStore, monkeypatch: pytest.MonkeyPatch
):
    """Blocks are of a fixed size, so the first features of a larger atlas have the same examples."""
    from bench.synthetic_examples import examples_table

    world = make_world(SMALL)
    profiles = make_profiles(SMALL, world)
    parts = [examples_table(SMALL, world, profiles, start, start + 100) for start in (0, 100, 200)]
    assert sum(part.num_rows for part in parts) == store.read("examples", SLUG).num_rows
    assert parts[1].equals(store.read_features("examples", SLUG, 100, 200).combine_chunks()) or (
        parts[1].to_pylist() == store.read_features("examples", SLUG, 100, 200).to_pylist()
    )


class TestWorld:
    def test_words_follow_zipf(self):
        world = make_world(SMALL)
        counts = np.sort(np.bincount(world.tokens[world.tokens != BOS], minlength=3000))[::-1]
        assert counts[0] > 5 * counts[20] > 20 * counts[500] > 0
        assert len(set(world.vocabulary)) == len(world.vocabulary) == 3000

    def test_contexts_and_documents_begin_with_bos(self):
        world = make_world(SMALL)
        assert (world.tokens[:: world.context_size] == BOS).all()
        assert (world.tokens[world.bounds[:-1]] == BOS).all()
        assert world.document[world.bounds[:-1]].tolist() == list(range(world.bounds.size - 1))

    def test_text_repeats_itself_as_text_does(self):
        """Successors: pairs of neighbours come again far oftener than by chance."""
        tokens = make_world(SMALL).tokens
        pairs = Counter(zip(tokens[:-1].tolist(), tokens[1:].tolist(), strict=True))
        shuffled = np.random.default_rng(0).permutation(tokens)
        chance = Counter(zip(shuffled[:-1].tolist(), shuffled[1:].tolist(), strict=True))
        assert len(pairs) < 0.7 * len(chance)

    def test_some_characters_take_several_tokens(self):
        world = make_world(SMALL)
        at = np.flatnonzero(world.tokens == 0xE6)
        assert at.size > 10
        following = world.tokens[at[at < world.tokens.size - 1] + 1]
        assert np.mean(following == 0x97) > 0.95

    def test_places_are_the_first_of_each_context(self):
        world = make_world(SMALL)
        for token in (260, 300, 1500):
            found = world.places[world.starts[token] : world.starts[token + 1]]
            contexts = [np.flatnonzero(row == token) for row in world.tokens.reshape(-1, world.context_size)]
            expected = [
                number * world.context_size + int(at[0]) for number, at in enumerate(contexts) if at.size
            ]
            assert found.tolist() == expected


class TestExamples:
    def test_all_groups_are_there_in_the_sizes_of_a_real_pass(self, examples: list[dict[str, Any]]):
        per_feature = Counter((row["feature_idx"], row["group"]) for row in examples)
        most = {
            group: max(count for (_, name), count in per_feature.items() if name == group)
            for _, group in per_feature
        }
        assert most == {"top": 20, "interval": 20, "random": 8, "same_token": 4, "near_miss": 4}
        features = {feature for feature, _ in per_feature}
        full = [f for f in features if all(per_feature[f, group] == count for group, count in most.items())]
        assert len(full) > 0.8 * len(features)

    def test_the_strongest_come_first_one_of_each_context(self, examples: list[dict[str, Any]]):
        for feature in range(40):
            top = [row for row in examples if row["feature_idx"] == feature and row["group"] == "top"]
            values = [row["activation"] for row in top]
            assert values == sorted(values, reverse=True)
            assert len({row["context_idx"] for row in top}) == len(top)
            assert [row["rank"] for row in top] == list(range(len(top)))

    def test_windows_lie_in_their_context_and_document(self, examples: list[dict[str, Any]]):
        world = make_world(SMALL)
        for row in examples[::50]:
            place = row["context_idx"] // 11 * world.context_size + row["position"]
            first = place - row["peak"]
            length = len(row["token_ids"])
            assert row["token_ids"] == world.tokens[first : first + length].tolist()
            assert set(world.document[first : first + length].tolist()) == {row["document_idx"]}
            assert row["peak"] <= BEFORE
            assert length <= BEFORE + 1 + AFTER
            assert BOS not in row["token_ids"][1:]

    def test_activations_belong_to_the_window(self, examples: list[dict[str, Any]]):
        for row in examples[::7]:
            assert len(row["activations"]) == len(row["token_ids"])
            assert row["activations"][row["peak"]] == row["activation"]
            assert max(row["activations"]) == row["activation"]
            silent = row["group"] in {"same_token", "near_miss"}
            assert (row["activation"] == 0) == silent

    def test_intervals_hold_what_they_say(self, examples: list[dict[str, Any]]):
        inside = [row for row in examples if row["group"] == "interval"]
        assert {row["interval"] for row in inside} == set(range(INTERVALS))
        for row in inside:
            assert row["interval_lower"] < row["activation"] <= row["interval_upper"] * (1 + 1e-6)
        assert all(row["interval"] == -1 for row in examples if row["group"] != "interval")

    def test_one_text_has_the_same_activations_wherever_it_is_shown(self, examples: list[dict[str, Any]]):
        shown: dict[tuple[int, int], list[float]] = {}
        for row in examples:
            if row["activation"] > 0:
                key = (row["feature_idx"], row["context_idx"])
                assert shown.setdefault(key, row["activations"]) == row["activations"]


class TestColumns:
    def test_numbers_agree_with_examples(self, store: AtlasStore, examples: list[dict[str, Any]]):
        features = store.read("features", SLUG).to_pylist()
        strongest: dict[int, float] = {}
        for row in examples:
            strongest[row["feature_idx"]] = max(row["activation"], strongest.get(row["feature_idx"], 0.0))
        for row in features:
            feature = row["feature_idx"]
            assert row["max_activation"] == strongest.get(feature, 0.0)
            assert (row["firing_tokens"] == 0) == (feature not in strongest)
            assert sum(entry["count"] for entry in row["activation_histogram"]) == row["firing_tokens"]
            assert row["density_lower"] <= row["activation_density"] <= row["density_upper"]

    def test_there_are_dead_rare_and_dense_features(self, store: AtlasStore):
        density = store.read("features", SLUG, ["activation_density"])["activation_density"].to_numpy()
        assert 0 < np.mean(density == 0) < 0.1
        assert density.max() > 0.02
        assert 1e-4 < np.median(density) < 0.01

    def test_lists_are_as_long_as_real_ones(self, store: AtlasStore):
        rows = store.read("features", SLUG).to_pylist()
        logits = store.read("logits", SLUG).to_pylist()
        for name in ("top_tokens", "tokens_before", "tokens_after", "coactivation"):
            lengths = [len(row[name]) for row in rows if row["firing_tokens"] > 1000]
            assert np.mean(lengths) > 9
        assert np.mean([len(row["activation_histogram"]) for row in rows if row["firing_tokens"]]) > 12
        assert np.mean([len(row["logit_histogram"]) for row in logits]) > 40
        assert {len(row["positive_logits"]) for row in logits} == {10}

    def test_lists_name_each_thing_once(self, store: AtlasStore):
        for row in store.read("features", SLUG).to_pylist():
            for name, key in (
                ("top_tokens", "token_id"),
                ("coactivation", "feature_idx"),
                ("sources", "name"),
            ):
                found = [entry[key] for entry in row[name]]
                assert len(found) == len(set(found))
            assert row["feature_idx"] not in [entry["feature_idx"] for entry in row["coactivation"]]

    def test_neighbours_are_near_on_the_map(self, store: AtlasStore):
        layout = make_layout(SMALL)
        places = np.stack([layout.x, layout.y], 1)
        rows = store.read("neighbours", SLUG).to_pylist()
        near = [
            np.linalg.norm(places[e["feature_idx"]] - places[r["feature_idx"]])
            for r in rows
            for e in r["neighbours"]
        ]
        apart = np.linalg.norm(places[:150] - places[150:], axis=1)
        assert np.median(near) < 0.7 * np.median(apart)

    def test_clusters_are_largest_first_and_counted(self, store: AtlasStore):
        clusters = store.read("clusters", SLUG).to_pylist()
        sizes = [row["size"] for row in clusters]
        members = Counter(store.read("coords", SLUG)["cluster"].to_pylist())
        assert all(members[row["cluster"]] == row["size"] for row in clusters)
        assert sizes[0] == max(sizes)

    def test_explanations_are_of_the_living(self, store: AtlasStore):
        rows = store.read("explanations", SLUG).to_pylist()
        alive = store.read("features", SLUG, ["feature_idx", "firing_tokens"]).to_pylist()
        assert [row["feature_idx"] for row in rows] == [r["feature_idx"] for r in alive if r["firing_tokens"]]
        assert len({row["text"] for row in rows}) > 0.9 * len(rows)


def test_a_lean_one_has_what_the_map_and_the_table_need(tmp_path: Path):
    lean = make_synthetic(tmp_path / "lean", Scale(200, lean=True, vocabulary=2000, contexts=128))
    assert lean.verify() == []
    names = {key.removeprefix(f"{SLUG}/") for key in lean.manifest.tables}
    assert {"features", "coords", "clusters", "explanations", "postings"} <= names
    assert not {"examples", "effects", "logits", "contexts"} & names
    assert "top_tokens" in lean.schema("features", SLUG).names


def test_the_index_is_that_of_the_product(store: AtlasStore):
    before = store.manifest.tables["postings"]
    with store.lock():
        build_postings(store)
    assert store.manifest.tables["postings"] == before


def test_words_are_made_here():
    words = synthetic_world.make_world(SMALL).words
    assert all(word.isascii() and word.isalpha() and len(word) > 3 for word in words)
