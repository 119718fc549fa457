"""The dataset folder: tables written, read back, replaced; the manifest that names them."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.errors import InputError
from atlas.schema import COORDS, DOCUMENTS, EXAMPLES, EXPLANATIONS, FEATURE_IDX, column, column_info
from atlas.store import AtlasStore, SaeEntry
from atlas.store.tables import FEATURES_PER_GROUP, ROWS_PER_GROUP
from tests.support.synthetic import make_atlas

N = 5000
"""More features than one file holds."""


def coords(start: int, stop: int) -> pa.Table:
    """Rows that can be recognised: x is half the feature, y a third."""
    features = np.arange(start, stop, dtype=np.int32)
    columns = {
        "feature_idx": features,
        "x": (features / 2).astype(np.float32),
        "y": (features / 3).astype(np.float32),
        "cluster": (features % 7).astype(np.int32),
    }
    return pa.table(columns, schema=COORDS)


def new_store(path: Path, n_features: int = N) -> AtlasStore:
    store = AtlasStore.create(path)
    store.update(saes=[SaeEntry(slug="alpha", title="Alpha", n_features=n_features)])
    return store


def group_sizes(path: Path) -> list[int]:
    """Rows of each row group of a file."""
    footer = pq.ParquetFile(path).metadata
    return [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]


def write_coords(store: AtlasStore, tables: list[pa.Table], **options: int) -> None:
    with store.writer("coords", sae="alpha", schema=COORDS, **options) as writer:
        for table in tables:
            writer.write(table)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a dataset but the lock, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture
def store(tmp_path: Path) -> AtlasStore:
    return new_store(tmp_path / "data")


class TestRoundTrip:
    def test_what_is_written_is_read(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        assert store.read("coords", "alpha").equals(coords(0, N))

    def test_columns_can_be_chosen(self, store: AtlasStore):
        write_coords(store, [coords(0, 10)])
        table = store.read("coords", "alpha", columns=["y", "feature_idx"])
        assert table.column_names == ["y", "feature_idx"]
        assert store.read_features("coords", "alpha", 3, 5, columns=["cluster"]).to_pydict() == {
            "cluster": [3, 4]
        }

    def test_another_process_reads_it(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        again = AtlasStore.open(store.path)
        assert again.manifest == store.manifest
        assert again.read("coords", "alpha").equals(coords(0, N))

    def test_any_parquet_reader_reads_it_in_order(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        assert pq.read_table(store.path / "saes/alpha/coords").equals(coords(0, N))

    def test_field_metadata_survives(self, store: AtlasStore):
        write_coords(store, [coords(0, 10)])
        found = [column_info(field) for field in store.schema("coords", "alpha")]
        assert found == [column_info(field) for field in COORDS]

    def test_an_empty_table_keeps_its_schema(self, store: AtlasStore):
        write_coords(store, [])
        assert store.has("coords", "alpha")
        assert store.read("coords", "alpha").num_rows == 0
        assert store.schema("coords", "alpha").equals(COORDS, check_metadata=True)
        assert store.read_features("coords", "alpha", 0, 10).equals(coords(0, 0))
        assert store.verify() == []

    def test_shared_tables_have_no_features(self, store: AtlasStore):
        rows = [{"document_idx": i, "name": f"d{i}", "source": f"s{i % 2}", "n_tokens": i} for i in range(7)]
        with store.writer("documents", schema=DOCUMENTS) as writer:
            writer.write(pa.Table.from_pylist(rows, schema=DOCUMENTS))
        assert store.read("documents").to_pylist() == rows
        assert store.manifest.tables["documents"][0].feature_start is None

    def test_the_nested_tables_of_a_whole_atlas(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data")
        assert store.verify() == []
        examples = store.read("examples", "alpha")
        assert examples.schema.field("token_ids").type == EXAMPLES.field("token_ids").type
        for start, stop, table in store.iter_features("examples", "alpha", 5):
            expected = [row for row in examples.to_pylist() if start <= row["feature_idx"] < stop]
            assert table.to_pylist() == expected


class TestFiles:
    def test_files_are_cut_by_feature_and_ranges_stand_in_the_manifest(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        entries = store.manifest.tables["alpha/coords"]
        assert [(e.feature_start, e.feature_stop, e.rows) for e in entries] == [
            (0, 4096, 4096),
            (4096, N, N - 4096),
        ]

    def test_rows_of_one_feature_stay_in_one_file(self, store: AtlasStore):
        features = np.repeat(np.arange(9, dtype=np.int32), 1000)
        zeros = np.zeros(9000, np.float32)
        table = pa.table(
            {"feature_idx": features, "x": zeros, "y": zeros, "cluster": features}, schema=COORDS
        )
        write_coords(store, [table.slice(0, 3500), table.slice(3500)], features_per_file=2)
        ranges = [(e.feature_start, e.feature_stop) for e in store.manifest.tables["alpha/coords"]]
        assert ranges == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 9)]
        assert store.read_features("coords", "alpha", 3, 7).num_rows == 4000

    def test_gaps_between_features(self, store: AtlasStore):
        table = pa.concat_tables([coords(2, 3), coords(4097, 4098), coords(N - 1, N)])
        write_coords(store, [table])
        ranges = [(e.feature_start, e.feature_stop) for e in store.manifest.tables["alpha/coords"]]
        assert ranges == [(2, 3), (4097, N)]
        assert store.read_features("coords", "alpha", 3, 4097).num_rows == 0
        assert store.read_features("coords", "alpha", 0, N).equals(table)

    def test_row_groups_and_checksums(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        path = store.path / store.manifest.tables["alpha/coords"][0].path
        footer = pq.ParquetFile(path).metadata
        assert group_sizes(path) == [FEATURES_PER_GROUP] * 4
        assert footer.row_group(0).column(0).compression == "ZSTD"

    @pytest.mark.parametrize("step", [1, 777, 5000, 20_000])
    def test_row_groups_end_with_their_features_and_are_never_large(self, store: AtlasStore, step: int):
        features = np.repeat(np.arange(2500), np.where(np.arange(2500) < 1000, 7, 1))
        table = coords(0, 1).take(pa.array(np.zeros(len(features), np.int64)))
        table = table.set_column(0, table.schema.field(0), pa.array(features, pa.int32()))
        write_coords(store, [table.slice(at, step) for at in range(0, len(table), step)])
        path = store.path / store.manifest.tables["alpha/coords"][0].path
        first = 7 * 1000 + FEATURES_PER_GROUP - 1000
        whole = [ROWS_PER_GROUP] * (first // ROWS_PER_GROUP)
        assert group_sizes(path) == [*whole, first % ROWS_PER_GROUP, FEATURES_PER_GROUP, 2500 - 2048]
        assert store.read_features("coords", "alpha", 0, 2500).equals(table)

    def test_texts_and_bytes_are_numbered_and_other_numbers_are_not(self, tmp_path: Path):
        entry = pa.struct([("word", pa.string()), ("small", pa.int8()), ("large", pa.int16())])
        schema = pa.schema(
            [
                FEATURE_IDX,
                column("marks", pa.list_(entry), doc="x", kind="hidden"),
                column("known", pa.bool_(), doc="x", kind="hidden"),
            ]
        )
        store = new_store(tmp_path / "data", 3)
        rows = [
            {"feature_idx": i, "marks": [{"word": "a", "small": 1, "large": 1}], "known": True}
            for i in range(3)
        ]
        with store.writer("marks", sae="alpha", schema=schema) as writer:
            writer.write(pa.Table.from_pylist(rows, schema=schema))
        group = pq.ParquetFile(store.path / store.manifest.tables["alpha/marks"][0].path).metadata.row_group(
            0
        )
        columns = [group.column(number) for number in range(group.num_columns)]
        numbered = [each.path_in_schema for each in columns if "RLE_DICTIONARY" in each.encodings]
        assert numbered == ["marks.list.element.word", "marks.list.element.small"]
        assert store.read_features("marks", "alpha", 0, 3).to_pylist() == rows

    def test_only_the_needed_row_groups_are_read(self, store: AtlasStore, monkeypatch: pytest.MonkeyPatch):
        write_coords(store, [coords(0, N)])
        asked: list[list[int]] = []
        original = pq.ParquetFile.read_row_groups

        def spy(self, groups, **options):
            asked.append(list(groups))
            return original(self, groups, **options)

        monkeypatch.setattr(pq.ParquetFile, "read_row_groups", spy)
        assert store.read_features("coords", "alpha", 2000, 2100).num_rows == 100
        assert asked == [[1, 2]]

    def test_the_feature_column_need_not_be_the_first(self, tmp_path: Path):
        pairs = pa.list_(pa.struct([("a", pa.int8()), ("b", pa.int8())]))
        schema = pa.schema([column("marks", pairs, doc="x", kind="hidden"), FEATURE_IDX])
        store = new_store(tmp_path / "data", 3000)
        rows = [{"marks": [{"a": 1, "b": 2}] * (i % 3), "feature_idx": i} for i in range(3000)]
        with store.writer("marks", sae="alpha", schema=schema) as writer:
            writer.write(pa.Table.from_pylist(rows, schema=schema))
        assert store.read_features("marks", "alpha", 1500, 1502).to_pylist() == rows[1500:1502]

    def test_large_tables_without_features_are_cut_by_rows(
        self, store: AtlasStore, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("atlas.store.tables.ROWS_PER_FILE", 10)
        rows = [{"document_idx": i, "name": "", "source": "", "n_tokens": 0} for i in range(35)]
        with store.writer("documents", schema=DOCUMENTS) as writer:
            for start, stop in ((0, 4), (4, 10), (10, 31), (31, 35)):
                writer.write(pa.Table.from_pylist(rows[start:stop], schema=DOCUMENTS))
        assert [entry.rows for entry in store.manifest.tables["documents"]] == [10, 10, 10, 5]
        assert store.read("documents").to_pylist() == rows


class TestDeterminism:
    def test_equal_tables_give_equal_files(self, tmp_path: Path):
        first, second = make_atlas(tmp_path / "one"), make_atlas(tmp_path / "two")
        assert files_of(first.path) == files_of(second.path)
        assert first.manifest.build_id == second.manifest.build_id

    def test_another_seed_gives_another_build(self, tmp_path: Path):
        first, second = make_atlas(tmp_path / "one"), make_atlas(tmp_path / "two", seed=1)
        assert first.manifest.build_id != second.manifest.build_id

    @settings(max_examples=15)
    @given(cuts=st.lists(st.integers(0, 3000), max_size=6).map(sorted))
    def test_bytes_do_not_depend_on_how_rows_arrive(
        self, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
    ):
        folder = tmp_path_factory.mktemp("cuts")
        whole, cut = new_store(folder / "whole", 3000), new_store(folder / "cut", 3000)
        edges = [0, *cuts, 3000]
        write_coords(whole, [coords(0, 3000)], features_per_file=1100)
        write_coords(cut, [coords(a, b) for a, b in itertools.pairwise(edges)], features_per_file=1100)
        assert files_of(whole.path) == files_of(cut.path)

    def test_pages_do_not_depend_on_it_either(self, tmp_path: Path):
        """Long texts and lists fill several pages of a row group."""
        rng = np.random.default_rng(0)
        n = 3000
        lists = [rng.normal(size=size).astype(np.float32) for size in rng.integers(0, 900, n)]
        columns = {
            "feature_idx": np.arange(n, dtype=np.int32),
            "text": ["x" * len(v) * 9 for v in lists],
            "v": lists,
        }
        schema = pa.schema(
            [FEATURE_IDX, pa.field("text", pa.string()), pa.field("v", pa.list_(pa.float32()))]
        )
        table = pa.table(columns, schema=schema)
        stores = [new_store(tmp_path / str(number), n) for number in range(2)]
        for store, edges in zip(stores, ([0, n], [0, 7, 500, 1023, 1030, 2500, n]), strict=True):
            with store.writer("marks", sae="alpha", schema=schema) as writer:
                for start, stop in itertools.pairwise(edges):
                    writer.write(table.slice(start, stop - start))
        assert files_of(stores[0].path) == files_of(stores[1].path)

    def test_writing_the_same_table_again_changes_nothing(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        before = files_of(store.path)
        write_coords(store, [coords(0, N)])
        assert files_of(store.path) == before


class TestReplacing:
    def test_new_files_replace_the_old_ones(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        old = {entry.path for entry in store.manifest.tables["alpha/coords"]}
        write_coords(store, [coords(10, 20)])
        assert store.read("coords", "alpha").equals(coords(10, 20))
        assert not any((store.path / path).exists() for path in old)
        assert store.verify() == []

    def test_nothing_is_visible_before_the_block_ends(self, store: AtlasStore):
        with store.writer("coords", sae="alpha", schema=COORDS) as writer:
            writer.write(coords(0, N))
            assert not store.has("coords", "alpha")
            assert not AtlasStore.open(store.path).has("coords", "alpha")
        assert store.has("coords", "alpha")

    def test_an_exception_leaves_the_previous_table(self, store: AtlasStore):
        write_coords(store, [coords(0, 10)])
        before = files_of(store.path)

        def fail_half_way() -> None:
            with store.writer("coords", sae="alpha", schema=COORDS) as writer:
                writer.write(coords(0, N))
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fail_half_way()
        assert files_of(store.path) == before

    def test_another_store_of_the_folder_is_not_overwritten(self, store: AtlasStore):
        other = AtlasStore.open(store.path)
        write_coords(store, [coords(0, 10)])
        other.update(title="from the other")
        assert AtlasStore.open(store.path).manifest.title == "from the other"
        assert AtlasStore.open(store.path).has("coords", "alpha")

    def test_reset_forgets_everything(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data")
        store.reset()
        assert store.manifest.tables == {}
        assert set(files_of(store.path)) == {"manifest.json"}

    def test_sweep_deletes_only_leftovers(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data")
        before = files_of(store.path)
        leftover = store.path / "tables/documents/0000-0123456789abcdef.parquet"
        mine = [store.path / "notes.parquet", store.path / "tables/documents/mine.parquet"]
        scratch = store.path / ".partial/abc/0000-0123456789abcdef.parquet"
        scratch.parent.mkdir(parents=True)
        for path in (leftover, scratch, *mine):
            path.write_bytes(b"x")
        with store.lock():
            pass
        assert not leftover.exists()
        assert not scratch.parent.parent.exists()
        assert all(path.exists() for path in mine)
        for path in mine:
            path.unlink()
        assert files_of(store.path) == before

    def test_sweep_keeps_what_an_unfinished_pass_has_committed(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data")
        kept = store.path / ".partial/checkpoint"
        other = store.path / ".partial/contexts-0123456789abcdef"
        for folder in (kept, other):
            folder.mkdir(parents=True)
            (folder / "pass.json").write_bytes(b"x")
        (kept / ".atlas-0123456789abcdef.tmp").write_bytes(b"x")
        (store.path / ".partial/stray").write_bytes(b"x")
        with store.lock():
            pass
        assert [path.name for path in (store.path / ".partial").rglob("*")] == ["checkpoint", "pass.json"]
        with store.lock():
            store.reset()
        assert not (store.path / ".partial").exists()

    @pytest.mark.parametrize("kind", ["file", "link"])
    def test_sweep_removes_what_only_has_that_name(self, tmp_path: Path, kind: str):
        store = make_atlas(tmp_path / "data")
        (store.path / ".partial").mkdir()
        path = store.path / ".partial/checkpoint"
        (tmp_path / "mine").mkdir()
        path.write_bytes(b"x") if kind == "file" else path.symlink_to(tmp_path / "mine")
        store.sweep()
        assert not (store.path / ".partial").exists()
        assert (tmp_path / "mine").is_dir()

    def test_sweep_does_not_follow_a_link_out_of_the_folder(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", saes=("alpha",))
        outside = tmp_path / "outside"
        outside.mkdir()
        precious = outside / "0000-0123456789abcdef.parquet"
        precious.write_bytes(b"x")
        (store.path / "tables/other").symlink_to(outside)
        (store.path / ".partial").symlink_to(outside)
        store.sweep()
        assert precious.exists()


class TestRefusals:
    @pytest.mark.parametrize(
        "table",
        [
            pa.table({"feature_idx": pa.array([3, 2], pa.int32())}),
            pa.table({"feature_idx": pa.array([-1], pa.int32())}),
            pa.table({"feature_idx": pa.array([None], pa.int32())}),
            pa.table({"feature_idx": pa.array([2**40], pa.int64())}),
            pa.table({"feature_idx": pa.array(["x"])}),
            pa.table({"other": pa.array([1], pa.int32())}),
            pa.table({"feature_idx": pa.array([1], pa.int32()), "more": pa.array([1])}),
        ],
        ids=["falls", "negative", "null", "too large", "text", "missing", "unknown column"],
    )
    def test_rows_that_do_not_fit(self, store: AtlasStore, table: pa.Table):
        schema = pa.schema([FEATURE_IDX])
        with pytest.raises(ValueError), store.writer("marks", sae="alpha", schema=schema) as writer:  # noqa: PT011
            writer.write(table)
        assert not store.has("marks", "alpha")

    def test_order_holds_between_writes(self, store: AtlasStore):
        with pytest.raises(ValueError, match="falls"):
            write_coords(store, [coords(10, 20), coords(15, 25)])

    def test_a_known_table_needs_its_own_columns(self, store: AtlasStore):
        with pytest.raises(ValueError, match="'text' is missing"):
            store.writer("explanations", sae="alpha", schema=pa.schema([FEATURE_IDX]))
        wrong = EXPLANATIONS.set(3, pa.field("score", pa.string()))
        with pytest.raises(ValueError, match="'score' is string, not float"):
            store.writer("explanations", sae="alpha", schema=wrong)

    @pytest.mark.parametrize("name", ["", "a/b", "../x", "A", "a-b", "a.b", "x" * 61, "\0", "1a", "a b", "ä"])
    def test_hostile_table_names(self, store: AtlasStore, name: str):
        for call in (store.has, store.read, lambda n: store.writer(n, schema=DOCUMENTS)):
            with pytest.raises(InputError, match="cannot name a table"):
                call(name)

    @pytest.mark.parametrize(
        "slug",
        ["", "..", "../..", "a/b", "/etc", "A", "-a", "a-", "a--b", "\0", "a\n", "ä", "x" * 61, "con/.."],
    )
    def test_hostile_slugs(self, store: AtlasStore, slug: str, tmp_path: Path):
        if slug != "x" * 61:
            with pytest.raises(InputError, match="cannot name a table"):
                store.writer("coords", sae=slug, schema=COORDS)
        with pytest.raises(ValueError, match="slug"):
            SaeEntry(slug=slug, title="", n_features=1)
        assert {path.name for path in tmp_path.iterdir()} == {"data"}

    def test_an_unknown_table_names_the_nearest(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", saes=("alpha",))
        with pytest.raises(InputError) as caught:
            store.read("featurs", "alpha")
        assert "alpha/featurs" in caught.value.what
        assert "'alpha/features'" in caught.value.fix

    def test_an_unknown_column_names_the_nearest(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", saes=("alpha",))
        for read in (store.read, lambda *a, **k: store.read_features(*a, 0, 5, **k)):
            with pytest.raises(InputError, match="no column 'max_activatoin'") as caught:
                read("features", "alpha", columns=["max_activatoin"])
            assert "'max_activation'" in caught.value.fix


class TestFolder:
    def test_create_makes_parents(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "a/b/data")
        assert store.verify() == []

    def test_create_refuses_a_folder_with_anything_in_it(self, tmp_path: Path):
        (tmp_path / "thesis.tex").write_text("x")
        with pytest.raises(InputError, match=r"not empty.*thesis\.tex"):
            AtlasStore.create(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_create_takes_an_empty_folder_and_one_that_is_only_locked(self, tmp_path: Path):
        (tmp_path / ".lock").touch()
        assert AtlasStore.create(tmp_path).verify() == []

    def test_create_refuses_a_dataset_and_open_or_create_opens_it(self, store: AtlasStore):
        store.update(title="kept")
        with pytest.raises(InputError, match="already holds"):
            AtlasStore.create(store.path)
        assert AtlasStore.open_or_create(store.path).manifest.title == "kept"

    def test_open_or_create_creates(self, tmp_path: Path):
        assert AtlasStore.open_or_create(tmp_path / "new").manifest.tables == {}

    @pytest.mark.parametrize("name", ["missing", "file.txt", "\0", "x" * 5000])
    def test_open_refuses_what_is_no_dataset(self, tmp_path: Path, name: str):
        (tmp_path / "file.txt").write_text("x")
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the kind is checked below
            AtlasStore.open(tmp_path / name)
        assert caught.value.exit_code in (2, 4)

    def test_a_folder_name_with_nul_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="cannot be the name of a folder"):
            AtlasStore.create(tmp_path / "a\0b")

    def test_iter_features_covers_every_feature(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", n_features=23, saes=("alpha",), dead=(21, 22))
        steps = [
            (start, stop, table.num_rows)
            for start, stop, table in store.iter_features("explanations", "alpha", 10)
        ]
        assert steps == [(0, 10, 10), (10, 20, 10), (20, 23, 1)]

    def test_iter_features_without_an_entry_goes_by_the_files(self, tmp_path: Path):
        store = AtlasStore.create(tmp_path / "data")
        write_coords(store, [coords(0, 25)])
        assert [(a, b) for a, b, _ in store.iter_features("coords", "alpha", 10)] == [
            (0, 10),
            (10, 20),
            (20, 25),
        ]


class TestDrop:
    def test_a_dropped_table_is_gone_with_its_files(self, store: AtlasStore):
        write_coords(store, [coords(0, N)])
        files = [store.path / entry.path for entry in store.manifest.tables["alpha/coords"]]
        assert all(file.exists() for file in files)
        store.drop("coords", "alpha")
        assert not store.has("coords", "alpha")
        assert not any(file.exists() for file in files)
        assert store.verify() == []

    def test_other_tables_stay(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", n_features=6)
        others = {key: files for key, files in store.manifest.tables.items() if key != "alpha/logits"}
        store.drop("logits", "alpha")
        assert store.manifest.tables == others
        assert store.verify() == []

    def test_a_table_that_is_not_there_is_no_error(self, store: AtlasStore):
        before = store.manifest
        store.drop("coords", "alpha")
        store.drop("documents")
        assert store.manifest == before
