"""The parts of the pass, each for itself."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from atlas import plugins
from atlas.config import MaskConfig
from atlas.errors import DiskError, InputError
from atlas.schema import EXAMPLES, column
from atlas.sources.packing import PackedContext
from atlas.stats.base import Selection, State, Statistic, Totals
from atlas.stream import statistics as statistics_module
from atlas.stream.batches import Mask, in_batches
from atlas.stream.contexts import ContextFiles
from atlas.stream.copies import count_copies
from atlas.stream.events import (
    Events,
    NotFiniteError,
    _found_by_numpy,
    _found_on_device,
    by_feature,
    events_of,
)
from atlas.stream.examples import example_rows
from atlas.stream.plan import MIN_PART, Tile, plan_pass, tile_of
from atlas.stream.statistics import StatisticSet
from tests.support.fakes import FakeEngine, FakeSae, site_config
from tests.support.oracle import Options
from tests.support.recordings import RecordedContexts, batch_of, recording, shape_of, totals_of


def corpus_options(**changes: Any) -> dict[str, Any]:
    return {"corpus": {"kind": "text", "paths": ["x"], "context_size": 16, "tokens": 100_000} | changes}


class TestEvents:
    def dense(self, rows: int = 30, features: int = 12) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        values = torch.rand(rows, features, generator=generator)
        return torch.where(values > 0.7, values, 0.0)

    def test_by_definition(self):
        dense = self.dense()
        counted = np.arange(30) % 4 != 0
        found = by_feature([events_of(dense, counted, 0)])
        wanted = [
            (feature, row, float(dense[row, feature]))
            for feature in range(12)
            for row in range(30)
            if counted[row] and dense[row, feature] > 0
        ]
        mine = zip(found.feature_idx.tolist(), found.row.tolist(), found.activation.tolist(), strict=True)
        assert list(mine) == wanted

    def test_tiles_join(self):
        dense, counted = self.dense(), np.ones(30, bool)
        whole = by_feature([events_of(dense, counted, 0)])
        tiles = by_feature([events_of(dense[s : s + 7], counted[s : s + 7], s) for s in range(0, 30, 7)])
        for name in ("row", "feature_idx", "activation"):
            assert getattr(whole, name).tolist() == getattr(tiles, name).tolist()
            assert getattr(whole, name).dtype == getattr(tiles, name).dtype

    @given(
        st.integers(1, 20),
        st.integers(1, 20),
        st.integers(1, 9),
        st.integers(1, 9),
        st.integers(0, 2**32 - 1),
    )
    def test_parts_join_in_any_shape(self, rows: int, features: int, height: int, width: int, seed: int):
        rng = np.random.default_rng(seed)
        values = rng.random((rows, features)).astype(np.float32)
        dense = torch.from_numpy(np.where(values > 0.5, values, np.float32(0)))
        counted = rng.random(rows) > 0.3
        parts = [
            events_of(dense[r : r + height, f : f + width], counted[r : r + height], r, f)
            for r in range(0, rows, height)
            for f in range(0, features, width)
        ]
        found = by_feature(parts)
        wanted = [
            (feature, row, float(dense[row, feature]))
            for feature in range(features)
            for row in range(rows)
            if counted[row] and dense[row, feature] > 0
        ]
        mine = zip(found.feature_idx.tolist(), found.row.tolist(), found.activation.tolist(), strict=True)
        assert list(mine) == wanted

    def test_types(self):
        found: Events = events_of(self.dense(), np.ones(30, bool), 0)
        assert (found.row.dtype, found.feature_idx.dtype, found.activation.dtype) == (
            np.int32, np.int32, np.float32,
        )  # fmt: skip

    def test_the_way_of_a_device_equals_the_way_of_a_cpu(self):
        dense = self.dense()
        dense[3, 4], dense[5, 6] = float("nan"), -1.0
        for mine, theirs in zip(_found_by_numpy(dense), _found_on_device(dense), strict=True):
            np.testing.assert_array_equal(mine, theirs)

    def test_a_view_is_read_right(self):
        dense = self.dense(12, 30).T
        assert not dense.is_contiguous()
        found = events_of(dense, np.ones(30, bool), 0)
        assert len(found.row) == int((dense > 0).sum())
        assert all(dense[r, f] > 0 for r, f in zip(found.row, found.feature_idx, strict=True))

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_what_is_not_finite_is_named(self, value: float):
        dense = self.dense()
        dense[5, 7] = value
        with pytest.raises(NotFiniteError) as caught:
            events_of(dense, np.ones(30, bool), 0)
        assert caught.value.feature_idx == 7

    def test_what_is_masked_may_be_anything(self):
        dense = self.dense()
        dense[5] = float("nan")
        counted = np.arange(30) != 5
        assert np.isfinite(events_of(dense, counted, 0).activation).all()

    def test_negative_values_do_not_fire(self):
        dense = -self.dense()
        assert events_of(dense, np.ones(30, bool), 0).row.size == 0

    def test_nothing_fires(self):
        assert by_feature([events_of(torch.zeros(4, 3), np.ones(4, bool), 0)]).row.size == 0

    def test_more_features_than_sixteen_bits(self):
        dense = torch.zeros(3, 70_000)
        places = [(2, 69_999), (0, 65_536), (1, 65_535), (0, 3), (2, 65_536)]
        for row, feature in places:
            dense[row, feature] = 1.0
        found = by_feature([events_of(dense, np.ones(3, bool), 0)])
        wanted = sorted((feature, row) for row, feature in places)
        assert list(zip(found.feature_idx.tolist(), found.row.tolist(), strict=True)) == wanted


class TestMask:
    IDS = np.array([[256, 5, 6, 257], [7, 256, -1, -1]], np.int32)

    def test_special_tokens_and_padding(self):
        mask = Mask.of(MaskConfig(), {256, 257})
        assert mask.counted(self.IDS).tolist() == [[False, True, True, False], [True, False, False, False]]
        assert mask.words() == "special tokens"

    def test_first_positions(self):
        mask = Mask.of(MaskConfig(special_tokens=False, first_positions=2), {256})
        assert mask.counted(self.IDS).tolist() == [[False, False, True, True], [False] * 4]
        assert mask.words() == "the first 2 positions of every context"

    def test_nothing(self):
        mask = Mask.of(MaskConfig(special_tokens=False), {256})
        assert mask.counted(self.IDS).tolist() == [[True] * 4, [True, True, False, False]]
        assert mask.words() == "nothing"


class TestBatches:
    def contexts(self, count: int) -> list[PackedContext]:
        rows = [np.full(3, number, np.int32) for number in range(count)]
        return [
            PackedContext(number, row, row + 10, row, row.astype(np.int16)) for number, row in enumerate(rows)
        ]

    @pytest.mark.parametrize("count", [0, 1, 4, 5])
    def test_every_context_once_in_order(self, count: int):
        found = list(in_batches(iter(self.contexts(count)), 2, Mask.of(MaskConfig(), ())))
        assert [number for batch in found for number in batch.context_idx.tolist()] == list(range(count))
        assert all(len(batch.context_idx) == 2 for batch in found[:-1])
        for batch in found:
            assert (batch.token_ids[:, 0] == batch.context_idx).all()
            assert (batch.document_idx == batch.token_ids + 10).all()

    def test_one_shape(self):
        *_, last = in_batches(self.contexts(5), 4, Mask.of(MaskConfig(), ()))
        padded = last.padded_token_ids(4)
        assert padded.tolist() == [[4] * 3, *[[-1] * 3] * 3]
        assert padded.dtype == np.int64

    def test_counts(self):
        rows = np.array([[256, 5], [256, -1], [7, -1]], np.int32)
        contexts = [
            PackedContext(number, row, row, row, row.astype(np.int16)) for number, row in enumerate(rows)
        ]
        (batch,) = in_batches(contexts, 4, Mask.of(MaskConfig(), {256}))
        assert (batch.n_read, batch.n_counted, batch.n_counted_contexts) == (4, 2, 2)


class TestContextFiles:
    def test_what_goes_in_comes_out(self, tmp_path: Path):
        source = recording(3)
        contexts = np.arange(12)
        with ContextFiles(tmp_path / "scratch", 16, vocabulary_size=40) as files:
            for start in (0, 5, 10):
                part = contexts[start : start + 5]
                files.append(part, source.token_ids[part], source.document_idx[part])
                tokens, documents = files.read(part[::-1])
                assert (tokens == source.token_ids[part[::-1]]).all()
                assert (documents == source.document_idx[part[::-1]]).all()
            assert tokens.dtype == documents.dtype == np.int32
            assert files.read(np.array([11, 0, 0, 3]))[0].tolist() == source.token_ids[[11, 0, 0, 3]].tolist()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(("vocabulary", "width"), [(300, 2), (65_535, 2), (65_536, 4), (1 << 18, 4)])
    def test_tokens_take_as_little_room_as_they_need(self, tmp_path: Path, vocabulary: int, width: int):
        ids = np.array([[0, vocabulary - 1, -1]], np.int32)
        with ContextFiles(tmp_path / "scratch", 3, vocabulary) as files:
            files.append(np.array([0]), ids, ids)
            assert files.read(np.array([0]))[0].tolist() == ids.tolist()
            (path,) = tmp_path.glob("scratch/*/token_ids")
            assert path.stat().st_size == 3 * width

    def test_a_worker_begins_in_the_middle(self, tmp_path: Path):
        ids = np.arange(6, dtype=np.int32).reshape(2, 3)
        with ContextFiles(tmp_path / "scratch", 3, 40, first=100) as files:
            files.append(np.array([100, 101]), ids, ids)
            assert files.read(np.array([101]))[0].tolist() == [[3, 4, 5]]

    def test_a_gap_is_a_bug(self, tmp_path: Path):
        ids = np.zeros((1, 3), np.int32)
        with ContextFiles(tmp_path / "scratch", 3, 40) as files:
            files.append(np.array([0]), ids, ids)
            with pytest.raises(ValueError, match="do not follow 0"):
                files.append(np.array([2]), ids, ids)

    def test_no_contexts(self, tmp_path: Path):
        with ContextFiles(tmp_path / "scratch", 3, 40) as files:
            assert [part.shape for part in files.read(np.zeros(0, np.int64))] == [(0, 3), (0, 3)]

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path):
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(DiskError):
            ContextFiles(tmp_path / "file", 3, 40)

    def test_a_full_disk(self, tmp_path: Path):
        class Full:
            def write(self, data: bytes) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

            def close(self) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

        ids = np.zeros((1, 3), np.int32)
        with ContextFiles(tmp_path / "scratch", 3, 40) as files:
            files._token_file.close()
            files._token_file = Full()  # pyright: ignore[reportAttributeAccessIssue]
            with pytest.raises(DiskError, match="24 bytes needed"):
                files.append(np.array([0]), ids, ids)
        assert list(tmp_path.iterdir()) == []


class TestPlan:
    def test_the_configuration_wins(self):
        plan = plan_pass(site_config(**corpus_options(context_size=24)), FakeEngine(), [FakeSae()])
        assert plan.context_size == 24

    @pytest.mark.parametrize(
        ("trained", "wanted"), [((32, 16), 16), ((0, 48), 48), ((0, 0), 64), ((512,), 64)]
    )
    def test_else_the_shortest_that_an_sae_was_trained_on(self, trained: tuple[int, ...], wanted: int):
        """64 is what the fake model takes; 128 the default."""
        saes = [FakeSae(f"s{number}", context_size=size) for number, size in enumerate(trained)]
        plan = plan_pass(site_config(**corpus_options(context_size=None)), FakeEngine(), saes)
        assert plan.context_size == wanted

    def test_every_hook_once(self):
        saes = [FakeSae("a", hook_name="h2"), FakeSae("b", hook_name="h1"), FakeSae("c", hook_name="h2")]
        assert plan_pass(site_config(), FakeEngine(), saes).hook_names == ("h2", "h1")

    def test_different_bos(self):
        saes = [FakeSae("with"), FakeSae("without", prepend_bos=False)]
        with pytest.raises(
            InputError, match="with was trained with prepend_bos True, without with"
        ) as caught:
            plan_pass(site_config(), FakeEngine(), saes)
        assert caught.value.fix

    def test_different_separators(self):
        saes = [FakeSae("one"), FakeSae("other", metadata={"sequence_separator_token": "eos"})]
        with pytest.raises(InputError, match="between documents"):
            plan_pass(site_config(), FakeEngine(), saes)

    @pytest.mark.parametrize("tokens", [1, 5000, 100_000, 1_000_000, 100_000_000])
    def test_the_sample_is_large_enough_and_not_larger(self, tokens: int):
        plan = plan_pass(site_config(**corpus_options(tokens=tokens)), FakeEngine(), [FakeSae()])
        n_contexts = -(-tokens // 16)
        sampled = int(plan.sampled(np.arange(n_contexts)).sum()) * 16
        assert sampled >= min(tokens, 4096)
        assert sampled <= 2 * 65_536 + 4096
        if tokens > 5000:
            assert sampled <= 4096 + 2 * max(4096, tokens / 32) + 16

    def test_the_sample_in_words(self):
        plan = plan_pass(site_config(**corpus_options(tokens=1_000_000)), FakeEngine(), [FakeSae()])
        assert plan.sample_words(256) == "all contexts"
        assert plan.sample_words(257) == "the first 256 contexts and one in 32 of the rest"
        everything = plan_pass(site_config(**corpus_options(tokens=4096)), FakeEngine(), [FakeSae()])
        assert everything.sample_words(10**6) == "all contexts"

    @pytest.mark.parametrize("separable", [True, False])
    def test_tiles_divide_the_batch(self, separable: bool):
        plan = plan_pass(site_config(**{"pass": {"batch_contexts": 12}}), FakeEngine(), [FakeSae()])
        for n_features in (1, 1000, 50_000, 100_000, 10**6, 10**9):
            tile = tile_of(plan, n_features, separable=separable)
            assert 12 % tile.contexts == 0
            assert 1 <= tile.features <= n_features
            smallest = tile.features <= MIN_PART if separable else tile.contexts == 1
            assert smallest or tile.contexts * plan.context_size * tile.features * 4 <= plan.tile_bytes
        assert tile_of(plan, 1, separable=separable) == Tile(12, 1)
        assert tile_of(plan, 10**9, separable=False) == Tile(1, 10**9)

    def test_features_are_cut_rather_than_tokens(self):
        config = site_config(**corpus_options(context_size=128), **{"pass": {"batch_contexts": 16}})
        plan = plan_pass(config, FakeEngine(), [FakeSae()])
        assert tile_of(plan, 24_576, separable=True) == Tile(4, 2048)
        assert tile_of(plan, 10**9, separable=True) == Tile(4, 2048)
        assert tile_of(plan, 512, separable=True) == Tile(16, 512)
        assert tile_of(plan, 24_576, separable=False) == Tile(1, 24_576)
        long = replace(plan, context_size=8192)
        assert tile_of(long, 24_576, separable=True) == Tile(1, MIN_PART)

    def test_a_device_gets_larger_tiles(self):
        engine = FakeEngine()
        small = plan_pass(site_config(), engine, [FakeSae()])
        engine.device = torch.device("cuda")
        large = plan_pass(site_config(), engine, [FakeSae()])
        assert large.tile_bytes > 10 * small.tile_bytes
        assert replace(large, tile_bytes=small.tile_bytes) == small


class TestExampleRows:
    def selection(self, group: str, position: int, **changes: Any) -> Selection:
        shape = shape_of(self.source())
        width = shape.window_before + 1 + shape.window_after
        values: dict[str, Any] = {
            "feature_idx": [0], "interval": [-1], "interval_lower": [0.0], "interval_upper": [0.0],
            "rank": [0], "activation": [1.0], "context_idx": [0], "position": [position],
        }  # fmt: skip
        arrays = {name: np.array(changes.get(name, value)) for name, value in values.items()}
        return Selection(group, **arrays, window=np.arange(1, width + 1, dtype=np.float32)[None])

    def source(self) -> Any:
        source = recording(1, n_contexts=1, context_size=10, masked=0.0, options=Options(before=3, after=2))
        source.token_ids[:] = np.arange(10)
        source.document_idx[:] = [0, 0, 0, 1, 1, 1, 1, 2, -1, -1]
        source.token_ids[0, 8:] = -1
        return source

    def rows(self, *selections: Selection) -> list[dict[str, Any]]:
        source = self.source()
        return rows_of(selections, source).to_pylist()

    @pytest.mark.parametrize(
        ("position", "tokens", "peak"),
        [
            (0, [0, 1, 2], 0),
            (2, [0, 1, 2], 2),
            (3, [3, 4, 5], 0),
            (5, [3, 4, 5, 6], 2),
            (6, [3, 4, 5, 6], 3),
            (7, [7], 0),
        ],
    )
    def test_windows_end_with_their_document(self, position: int, tokens: list[int], peak: int):
        (row,) = self.rows(self.selection("top", position))
        assert row["token_ids"] == tokens
        assert row["peak"] == peak
        assert row["token_ids"][row["peak"]] == position
        assert row["activations"][row["peak"]] == 4.0, "the middle of the window"
        assert len(row["activations"]) == len(tokens)

    def test_order(self):
        chosen = [
            self.selection("zebra", 1),
            self.selection("random", 1, feature_idx=[1]),
            self.selection("interval", 1, interval=[3]),
            self.selection("interval", 2, interval=[3], rank=[1]),
            self.selection("interval", 1, interval=[0]),
            self.selection("random", 1, rank=[1]),
            self.selection("random", 2),
            self.selection("top", 1),
            self.selection("extra", 1),
        ]
        found = [(r["feature_idx"], r["group"], r["interval"], r["rank"]) for r in self.rows(*chosen)]
        assert found == [
            (0, "top", -1, 0), (0, "interval", 0, 0), (0, "interval", 3, 0), (0, "interval", 3, 1),
            (0, "random", -1, 0), (0, "random", -1, 1), (0, "extra", -1, 0), (0, "zebra", -1, 0),
            (1, "random", -1, 0),
        ]  # fmt: skip

    def test_no_examples(self):
        source = self.source()
        top = statistics_of(source)["top_examples"].selections(0, 3, pa.table({}))
        for selections in ([], top):
            table = rows_of(selections, source)
            assert table.schema == EXAMPLES
            assert len(table) == 0


def rows_of(selections: Any, source: Any) -> pa.Table:
    """The rows of the examples table."""
    contexts = RecordedContexts(source)
    return example_rows(selections, contexts, count_copies(selections, contexts), shape_of(source))


def statistics_of(source: Any) -> dict[str, Statistic]:
    return StatisticSet(shape_of(source)).members


class Foreign(Statistic):
    """A statistic of another package."""

    name: ClassVar[str] = "foreign"
    columns: ClassVar[tuple[pa.Field, ...]] = (
        column("events_seen", pa.int64(), doc="How many events of the feature were seen.", kind="scalar"),
    )
    clash: ClassVar[bool] = False

    def __init__(self, shape: Any) -> None:
        super().__init__(shape)
        self.seen = np.zeros(shape.n_features, np.int64)

    def update(self, batch: Any) -> None:
        self.seen += np.bincount(batch.feature_idx, minlength=self.shape.n_features)

    def merge(self, other: Any) -> None:
        self.seen += other.seen

    def state(self) -> State:
        return {"seen": self.seen}

    def load(self, state: State) -> None:
        self.seen = state["seen"].astype(np.int64)

    def finish(self, totals: Totals) -> dict[str, pa.Array]:
        return {"events_seen": pa.array(self.seen)}


class TestStatisticSet:
    def install(self, monkeypatch: pytest.MonkeyPatch, kind: type[Statistic]) -> None:
        names = [*plugins.available("atlas.statistics"), "foreign"]
        monkeypatch.setattr(statistics_module, "available", lambda group: dict.fromkeys(names))
        monkeypatch.setattr(
            statistics_module,
            "load",
            lambda group, name: kind if name == "foreign" else plugins.load(group, name),
        )

    def test_holds_every_installed_one(self):
        found = StatisticSet(shape_of(recording(1)))
        assert set(found.members) == set(plugins.available("atlas.statistics"))
        assert found.schema.names[0] == "feature_idx"
        assert len(set(found.schema.names)) == len(found.schema.names)

    def test_a_foreign_one_is_treated_alike(self, monkeypatch: pytest.MonkeyPatch):
        self.install(monkeypatch, Foreign)
        source = recording(1)
        statistics = StatisticSet(shape_of(source))
        statistics.update(batch_of(source, range(12)))
        table = statistics.features(totals_of(source))
        assert table["events_seen"].to_pylist() == table["firing_tokens"].to_pylist()
        assert table.schema.field("events_seen").metadata[b"atlas.kind"] == b"scalar"

    def test_two_that_write_one_column(self, monkeypatch: pytest.MonkeyPatch):
        class Clash(Foreign):
            columns: ClassVar[tuple[pa.Field, ...]] = (
                column("max_activation", pa.float32(), doc="Something else.", kind="scalar"),
            )

        self.install(monkeypatch, Clash)
        with pytest.raises(InputError, match="activation_moments and foreign both write"):
            StatisticSet(shape_of(recording(1)))

    def test_nobody_takes_the_number_of_the_feature(self, monkeypatch: pytest.MonkeyPatch):
        class Clash(Foreign):
            columns: ClassVar[tuple[pa.Field, ...]] = (
                column("feature_idx", pa.int32(), doc="Something else.", kind="id"),
            )

        self.install(monkeypatch, Clash)
        with pytest.raises(InputError, match="feature_idx"):
            StatisticSet(shape_of(recording(1)))

    def test_merge_and_state(self):
        source = recording(2)
        whole, one, other = (StatisticSet(shape_of(source)) for _ in range(3))
        whole.update(batch_of(source, range(12)))
        one.update(batch_of(source, range(0, 12, 2)))
        other.update(batch_of(source, range(1, 12, 2)))
        loaded = StatisticSet(shape_of(source))
        loaded.load(one.state())
        loaded.merge(other)
        totals = totals_of(source)
        assert loaded.features(totals).equals(whole.features(totals))
        features = whole.features(totals)
        mine, theirs = (rows_of(part.selections(0, 7, features), source) for part in (loaded, whole))
        assert mine.equals(theirs)
