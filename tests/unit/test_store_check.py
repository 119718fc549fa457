"""`verify_dataset`: every way in which a dataset can differ from its manifest is named."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from atlas.errors import DiskError, InputError
from atlas.schema import COORDS
from atlas.store import AtlasStore, verify_dataset
from atlas.store.files import write_atomic
from atlas.store.manifest import decode_manifest, encode_manifest
from tests.support.synthetic import make_atlas

FEATURES = "alpha/features"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_atlas(tmp_path_factory.mktemp("check") / "data", n_features=12, saes=("alpha",)).path


@pytest.fixture
def data(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "data"))


def file_of(data: Path, key: str = FEATURES) -> Path:
    return data / AtlasStore.open(data).manifest.tables[key][0].path


def forge(data: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and sign it again, as a forger with this package would."""
    path = data / "manifest.json"
    raw = decode_manifest(path.read_bytes(), "m").model_dump(mode="json")
    change(raw)
    manifest = decode_manifest(path.read_bytes(), "m").model_validate(raw)
    path.write_bytes(encode_manifest(manifest))


def replace_table(data: Path, key: str, table: pa.Table, **facts: int | None) -> None:
    """Put other rows in the place of a table's file, with hash and size made right."""
    entry = AtlasStore.open(data).manifest.tables[key][0]
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=True)
    content = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(content).hexdigest()
    write_atomic(data / entry.path, content)

    def change(raw: dict[str, Any]) -> None:
        known = raw["tables"][key][0]
        known.update({"sha256": digest, "bytes": len(content), "rows": table.num_rows, **facts})

    forge(data, change)


def test_a_good_dataset_has_no_problem(data: Path):
    assert verify_dataset(data) == []
    assert AtlasStore.open(data).verify() == []


def test_the_lock_and_hidden_files_are_no_problem(data: Path):
    with AtlasStore.open(data).lock():
        (data / ".checkpoint").mkdir()
        (data / ".checkpoint/state").touch()
        assert verify_dataset(data) == []


def test_a_missing_file(data: Path):
    path = file_of(data)
    path.unlink()
    assert verify_dataset(data) == [f"{path.relative_to(data)}: missing"]
    with pytest.raises(InputError, match="missing") as caught:
        AtlasStore.open(data).read("features", "alpha")
    assert caught.value.where == str(path)


def test_a_file_of_another_length(data: Path):
    path = file_of(data)
    path.write_bytes(path.read_bytes() + b"x")
    assert verify_dataset(data) == [
        f"{path.relative_to(data)}: {path.stat().st_size:,} bytes, not {path.stat().st_size - 1:,}"
    ]


def test_a_damaged_file(data: Path):
    path = file_of(data)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (problem,) = verify_dataset(data)
    assert problem.startswith(f"{path.relative_to(data)}: damaged")


def test_a_link_in_the_place_of_a_file(data: Path, tmp_path: Path):
    path = file_of(data)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    assert verify_dataset(data) == [f"{path.relative_to(data)}: missing"]


@pytest.mark.parametrize(
    "name", ["notes.txt", "saes/alpha/features/extra.parquet", "tables/x/y", "a\nb\x1b[31m"]
)
def test_a_foreign_file(data: Path, name: str):
    (data / name).parent.mkdir(exist_ok=True)
    (data / name).touch()
    (problem,) = verify_dataset(data)
    assert problem.endswith(": not part of the dataset")
    assert problem.isprintable()


def test_a_foreign_link_is_not_followed(data: Path, tmp_path: Path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").touch()
    (data / "link").symlink_to(tmp_path / "outside")
    (data / "loop").symlink_to(data)
    assert verify_dataset(data) == ["link: not part of the dataset", "loop: not part of the dataset"]


def test_all_problems_at_once(data: Path):
    file_of(data).unlink()
    file_of(data, "documents").write_bytes(b"")
    (data / "x").touch()
    assert len(verify_dataset(data)) == 3


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100, b'{"format": "feature-atlas"}'])
def test_a_bad_manifest(data: Path, content: bytes):
    (data / "manifest.json").write_bytes(content)
    (problem,) = verify_dataset(data)
    assert problem.startswith(f"{data / 'manifest.json'}: ")


def test_no_dataset_at_all(tmp_path: Path):
    (problem,) = verify_dataset(tmp_path / "nowhere")
    assert "no atlas dataset" in problem


class TestForgeries:
    """Right hashes do not make a wrong dataset right."""

    def test_a_missing_column(self, data: Path):
        table = AtlasStore.open(data).read("coords", "alpha").drop_columns(["x"])
        replace_table(data, "alpha/coords", table)
        assert any("column 'x' is missing" in problem for problem in verify_dataset(data))

    def test_another_type(self, data: Path):
        table = AtlasStore.open(data).read("coords", "alpha")
        table = table.set_column(1, "x", table["x"].cast(pa.float64()))
        replace_table(data, "alpha/coords", table)
        assert any("column 'x' is double, not float" in problem for problem in verify_dataset(data))

    def test_features_out_of_order(self, data: Path):
        table = AtlasStore.open(data).read("coords", "alpha")
        shuffled = table.take(pa.array([0, 2, 1, *range(3, 12)]))
        replace_table(data, "alpha/coords", shuffled)
        assert any("not in order" in problem for problem in verify_dataset(data))

    def test_features_that_are_null(self, data: Path):
        table = pa.table({"feature_idx": [None], "x": [0.0], "y": [0.0], "cluster": [0]}, schema=COORDS)
        replace_table(data, "alpha/coords", table)
        assert any("nulls" in problem for problem in verify_dataset(data))

    def test_another_range(self, data: Path):
        forge(data, lambda raw: raw["tables"]["alpha/coords"][0].update(feature_stop=99))
        assert any("features (0, 12), not (0, 99)" in problem for problem in verify_dataset(data))

    def test_another_count_of_rows(self, data: Path):
        forge(data, lambda raw: raw["tables"]["alpha/coords"][0].update(rows=5))
        assert any("12 rows, not 5" in problem for problem in verify_dataset(data))

    def test_overlapping_files(self, data: Path):
        def change(raw: dict[str, Any]) -> None:
            raw["tables"]["alpha/coords"] *= 2

        forge(data, change)
        assert any("overlap" in problem for problem in verify_dataset(data))

    def test_a_table_without_files(self, data: Path):
        forge(data, lambda raw: raw["tables"].update({"alpha/extra": []}))
        assert any("has no files" in problem for problem in verify_dataset(data))

    def test_a_table_that_claims_the_files_of_another(self, data: Path):
        forge(data, lambda raw: raw["tables"].update({"alpha/extra": raw["tables"]["alpha/coords"]}))
        assert any("files of another table" in problem for problem in verify_dataset(data))

    @pytest.mark.parametrize("key", ["../x", "A", "a/b/c", "", "\x1b"])
    def test_a_key_that_names_no_table(self, data: Path, key: str):
        forge(data, lambda raw: raw["tables"].update({key: []}))
        (problem,) = verify_dataset(data)
        assert "cannot name a table" in problem
        assert problem.isprintable()

    def test_a_table_of_an_unknown_sae(self, data: Path):
        forge(data, lambda raw: raw.update(saes=[]))
        assert any("belongs to no SAE" in problem for problem in verify_dataset(data))

    def test_a_file_that_is_not_parquet(self, data: Path):
        path = file_of(data)
        path.write_bytes(b"PAR1 not really PAR1")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        facts = {"sha256": digest, "bytes": path.stat().st_size}
        forge(data, lambda raw: raw["tables"][FEATURES][0].update(facts))
        (problem,) = verify_dataset(data)
        assert "cannot be read" in problem
        with pytest.raises(InputError, match="cannot be read"):
            AtlasStore.open(data).schema("features", "alpha")


class TestReadingDamage:
    def test_a_damaged_file_is_never_read(self, data: Path):
        path = file_of(data)
        content = bytearray(path.read_bytes())
        content[-20] ^= 1
        path.write_bytes(content)
        store = AtlasStore.open(data)
        for read in (store.read, store.schema, lambda *key: store.read_features(*key, 0, 1)):
            with pytest.raises(InputError, match="damaged") as caught:
                read("features", "alpha")
            assert caught.value.where == str(path)

    def test_damage_after_the_first_read_is_noticed(self, data: Path):
        store = AtlasStore.open(data)
        store.read("features", "alpha")
        path = file_of(data)
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(1, 1))
        with pytest.raises(InputError, match="damaged"):
            store.read("features", "alpha")

    def test_an_intact_file_is_hashed_once(self, data: Path, monkeypatch: pytest.MonkeyPatch):
        store = AtlasStore.open(data)
        store.read("features", "alpha")
        monkeypatch.setattr("atlas.store.tables.sha256_file", lambda _: pytest.fail("hashed again"))
        store.read_features("features", "alpha", 3, 4)

    def test_page_checksums_are_verified(self, data: Path, monkeypatch: pytest.MonkeyPatch):
        """Damage that comes after hashing (a failing disk) is still an error, not a wrong number."""
        entry = AtlasStore.open(data).manifest.tables["alpha/neighbours"][0]
        monkeypatch.setattr("atlas.store.tables.sha256_file", lambda _: entry.sha256)
        path = data / entry.path
        right, good = pq.read_table(path), path.read_bytes()
        column = pq.ParquetFile(path).metadata.row_group(0).column(1)
        start, refused = column.data_page_offset, 0
        for place in range(start, start + column.total_compressed_size):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            try:
                assert AtlasStore.open(data).read("neighbours", "alpha").equals(right)
            except InputError:
                refused += 1
        assert refused > column.total_compressed_size * 0.8

    def test_an_error_of_the_disk_is_not_called_damage(self, data: Path, monkeypatch: pytest.MonkeyPatch):
        def fail(*arguments: object, **options: object) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(pq, "ParquetFile", fail)
        with pytest.raises(DiskError, match="input/output"):
            AtlasStore.open(data).read("coords", "alpha")
