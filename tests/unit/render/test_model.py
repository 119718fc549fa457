"""The model's data files: the dataset's byte by byte, named by one index, rewritten where they change."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.check import check_site
from atlas.check.shard import decode_shard
from atlas.config import RenderConfig
from atlas.errors import InputError
from atlas.render.model import RUNTIME, WEBGPU, ModelFiles
from atlas.render.output import Output
from atlas.render.site import plan_site, render_site
from atlas.render.themes import open_theme
from atlas.store import AtlasStore
from atlas.store.browser_model import PART_BYTES, ModelFilePayload, ModelPayload
from tests.support.synthetic import make_atlas
from tests.support.toy_model import ToyModel, add_toy_model

FEATURES = 40
PER_SHARD = 16


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> tuple[AtlasStore, ToyModel]:
    store = make_atlas(tmp_path_factory.mktemp("model") / "data", n_features=FEATURES)
    return store, add_toy_model(store)


@pytest.fixture(scope="module")
def store(toys: tuple[AtlasStore, ToyModel]) -> AtlasStore:
    return toys[0]


@pytest.fixture(scope="module")
def theme(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The default theme with a runtime of three parts, the last one short."""
    folder = tmp_path_factory.mktemp("theme")
    (folder / "dist").mkdir()
    (folder / "theme.yaml").write_text("title: with a runtime\nextends: default\n")
    (folder / "dist" / RUNTIME).write_bytes(b"\0asm" + bytes(2 * PART_BYTES))
    return open_theme(str(folder))


def decoded(files: list[tuple[str, bytes]]) -> dict[str, Any]:
    """Key → content, and each file at the place of its key."""
    found: dict[str, Any] = {}
    for path, data in files:
        key, content = decode_shard(data)
        assert path == f"data/{key}.js"
        assert key not in found
        found[key] = content
    return found


@pytest.fixture(scope="module")
def written(store: AtlasStore, theme: Any) -> list[tuple[str, bytes]]:
    return list(ModelFiles(store, theme, PER_SHARD).files())


@pytest.fixture(scope="module")
def shards(written: list[tuple[str, bytes]]) -> dict[str, Any]:
    return decoded(written)


def joined(shards: dict[str, Any], file: dict[str, Any]) -> bytes:
    return b"".join(shards[f"{file['key']}/{part}"] for part in range(file["parts"]))


def test_the_index_is_the_manifests_with_what_is_fetched(store: AtlasStore, shards: dict[str, Any]):
    index = shards["model/index"]
    assert set(index) == set(ModelPayload.__annotations__)
    for file in index["files"]:
        assert set(file) == set(ModelFilePayload.__annotations__)
    recorded = store.manifest.browser_model
    assert {name: value for name, value in index.items() if name != "files"} == {
        name: value for name, value in recorded.items() if name != "files"
    }
    own = [{**file, "transfer": 0} for file in index["files"] if file["name"] != RUNTIME]
    assert own == recorded["files"]
    assert index["files"][-1]["name"] == RUNTIME


def test_every_file_is_the_datasets(store: AtlasStore, shards: dict[str, Any]):
    stored: dict[str, bytes] = {}
    for row in store.read("model_files").to_pylist():
        stored[row["name"]] = stored.get(row["name"], b"") + row["data"]
    for file in shards["model/index"]["files"]:
        content = joined(shards, file)
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        if file["name"] != RUNTIME:
            assert content == stored.pop(file["name"])
    assert stored == {}


def test_the_runtime_is_the_themes(shards: dict[str, Any], theme: Any):
    file = shards["model/index"]["files"][-1]
    assert joined(shards, file) == theme.find(f"dist/{RUNTIME}").read_bytes()
    assert file["parts"] == 3
    assert [len(shards[f"{file['key']}/{part}"]) for part in range(3)] == [PART_BYTES, PART_BYTES, 4]


def test_what_graphics_processors_need_comes_where_it_is_wanted(
    store: AtlasStore, theme: Any, tmp_path: Path
):
    (tmp_path / "dist").mkdir()
    (tmp_path / "theme.yaml").write_text("title: both\nextends: default\n")
    contents = {RUNTIME: b"one", "ort.webgpu.wasm": b"\0asm" + bytes(PART_BYTES), "worker.webgpu": b"'use'"}
    for name, content in contents.items():
        (tmp_path / "dist" / name).write_bytes(content)
    both = open_theme(str(tmp_path))
    model = ModelFiles(store, both, PER_SHARD, webgpu=True)
    written = list(model.files())
    shards = decoded(written)
    entries = shards["model/index"]["files"][-3:]
    assert {entry["name"]: entry["key"] for entry in entries} == {RUNTIME: "model/runtime"} | WEBGPU
    assert {entry["name"]: joined(shards, entry) for entry in entries} == contents
    assert [entry["parts"] for entry in entries] == [1, 2, 1]
    assert all(hashlib.sha256(contents[entry["name"]]).hexdigest() == entry["sha256"] for entry in entries)
    assert sorted(model.paths()) == sorted(path for path, _ in written)
    plain = ModelFiles(store, both, PER_SHARD)
    assert model.bytes() > plain.bytes()
    assert not any("webgpu" in path for path, _ in plain.files())


def test_transfer_is_what_lies_on_disk(written: list[tuple[str, bytes]], shards: dict[str, Any]):
    sizes = {path: len(data) for path, data in written}
    for file in shards["model/index"]["files"]:
        parts = (sizes[f"data/{file['key']}/{part}.js"] for part in range(file["parts"]))
        assert file["transfer"] == sum(parts)


def test_directions_are_in_the_shard_of_their_feature(toys: tuple[AtlasStore, ToyModel], shards: dict):
    _, toy = toys
    for slug in ("alpha", "beta"):
        decoder = toy.weights[f"{slug}.decoder"]
        for feature in range(FEATURES):
            rows = np.frombuffer(shards[f"{slug}/directions/{feature // PER_SHARD}"], "<f4")
            row = rows.reshape(-1, decoder.shape[1])[feature % PER_SHARD]
            np.testing.assert_array_equal(row, decoder[feature])
    assert f"alpha/directions/{-(-FEATURES // PER_SHARD)}" not in shards


def test_halves_are_written_where_weights_are(tmp_path: Path, theme: Any):
    store = make_atlas(tmp_path / "data", n_features=20)
    toy = add_toy_model(store, directions="float16")
    shards = decoded(list(ModelFiles(store, theme, PER_SHARD).files()))
    rows = np.frombuffer(shards["beta/directions/1"], "<f2").reshape(4, -1)
    np.testing.assert_array_equal(rows, toy.weights["beta.decoder"][16:].astype(np.float16))


def test_files_are_counted_exactly_and_weighed_roughly(store: AtlasStore, theme: Any, written: list):
    model = ModelFiles(store, theme, PER_SHARD)
    assert sorted(model.paths()) == sorted(path for path, _ in written)
    assert model.bytes() > 0


def test_a_dataset_without_one_adds_nothing(tmp_path: Path, theme: Any):
    model = ModelFiles(make_atlas(tmp_path / "data", n_features=4), theme, PER_SHARD)
    assert (model.paths(), model.bytes(), list(model.files())) == ([], 0, [])


def test_a_theme_without_a_runtime_is_refused(store: AtlasStore, tmp_path: Path):
    (tmp_path / "theme.yaml").write_text("title: bare\n")
    with pytest.raises(InputError, match=r"no runtime \(ort\.wasm\)") as caught:
        ModelFiles(store, open_theme(str(tmp_path)), PER_SHARD)
    assert "dist" in caught.value.where


def test_a_theme_without_the_other_runtime_is_refused_where_that_is_wanted(store: AtlasStore, tmp_path: Path):
    (tmp_path / "dist").mkdir()
    (tmp_path / "theme.yaml").write_text("title: bare\n")
    (tmp_path / "dist" / RUNTIME).write_bytes(b"one")
    assert ModelFiles(store, open_theme(str(tmp_path)), PER_SHARD).paths()
    with pytest.raises(InputError, match=r"no runtime \(ort\.webgpu\.wasm\)"):
        ModelFiles(store, open_theme(str(tmp_path)), PER_SHARD, webgpu=True)


def test_equal_datasets_give_equal_bytes(store: AtlasStore, theme: Any, written: list):
    assert list(ModelFiles(store, theme, PER_SHARD).files()) == written


def render(store: AtlasStore, folder: Path, **options: Any) -> Output:
    with Output(folder) as out:
        render_site(store, RenderConfig(**options), out, scripts=False)
    return out


@pytest.fixture(scope="module")
def with_model(store: AtlasStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    render(store, folder)
    return folder


class TestSite:
    """The files within a whole site, without scripts: the runtime is left out, all else is there."""

    def test_pages_know_of_it(self, with_model: Path):
        _, payload = decode_shard((with_model / "data/site.js").read_bytes())
        assert payload["model"] is True
        assert (with_model / "data/model/index.js").is_file()

    def test_the_plan_is_exact_in_files(self, store: AtlasStore, with_model: Path):
        plan = plan_site(store, RenderConfig(), scripts=False)
        assert plan.files == sum(1 for path in with_model.rglob("*") if path.is_file())

    def test_no_file_is_too_large_for_a_host(self, with_model: Path):
        assert max(path.stat().st_size for path in with_model.rglob("*") if path.is_file()) < 25_000_000

    def test_a_change_of_titles_rewrites_no_weight(self, store: AtlasStore, tmp_path: Path):
        folder = tmp_path / "site"
        render(store, folder)
        names = [path.relative_to(folder).as_posix() for path in (folder / "data").glob("*/files/*/*.js")]
        names += [path.relative_to(folder).as_posix() for path in (folder / "data").glob("*/directions/*.js")]
        assert len(names) > 10
        for name in names:
            os.utime(folder / name, (1, 1))
        store.update(title="Another title")
        out = render(store, folder)
        assert {int((folder / name).stat().st_mtime) for name in names} == {1}
        assert out.written < len(out.sizes) - len(names)

    def test_its_size_counts_against_the_budget(self, store: AtlasStore, with_model: Path):
        without = make_atlas_like(store, with_model.parent / "without")
        with_it, plain = (plan_site(each, RenderConfig(), scripts=False) for each in (store, without))
        assert with_it.bytes - plain.bytes > ModelFiles(store, None, PER_SHARD).bytes()
        assert with_it.least_bytes - plain.least_bytes > ModelFiles(store, None, PER_SHARD).bytes()

    def test_every_missing_file_is_named_by_the_check(self, store: AtlasStore, tmp_path: Path):
        folder = tmp_path / "site"
        render(store, folder)
        assert [line for line in check_site(folder) if "model/" in line or "directions" in line] == []
        gone = ["data/alpha/directions/1.js", "data/model/files/checks-json/0.js"]
        for name in gone:
            (folder / name).unlink()
        found = check_site(folder)
        for name in gone:
            assert f"{name}: is missing" in found

    def test_a_spoilt_index_is_named_by_the_check(self, store: AtlasStore, tmp_path: Path):
        from atlas.render.shards import encode_shard

        folder = tmp_path / "site"
        render(store, folder)
        (folder / "data/model/index.js").write_bytes(encode_shard("model/index", {"files": 3}))
        assert any(
            line.startswith("data/model/index.js: does not list the files") for line in check_site(folder)
        )


def make_atlas_like(store: AtlasStore, folder: Path) -> AtlasStore:
    """The same dataset without its model."""
    plain = make_atlas(folder, n_features=FEATURES)
    plain.update(title=store.manifest.title)
    return plain
