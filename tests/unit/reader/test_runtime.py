"""What running the model takes: a dataset that holds one, two libraries, and none that made it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import atlas
from atlas import schema
from atlas.errors import InputError
from atlas.reader.runtime import LIBRARIES, Runtime
from atlas.store import AtlasStore
from tests.support.requirements import ROOT
from tests.support.synthetic import make_atlas
from tests.support.toy_model import add_toy_model
from tests.unit.reader.conftest import Toy

MAKERS = {
    "torch", "transformers", "onnx", "onnxscript", "onnx_ir", "safetensors", "sae_lens", "transformer_lens",
    "datasets", "scipy", "jinja2",
}  # fmt: skip
"""Libraries that a dataset is made with; running its model takes none of them."""


def in_a_fresh_interpreter(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture
def bare(tmp_path: Path) -> AtlasStore:
    """A dataset with a toy model that a test may spoil."""
    store = make_atlas(tmp_path / "data", saes=("alpha",))
    add_toy_model(store)
    return store


class TestLibraries:
    def test_the_libraries_that_made_it_are_not_loaded(self, toy: Toy):
        code = (
            "import json, sys, atlas\n"
            f"data = atlas.open({str(toy.data.store.path)!r})\n"
            "repr(data.activations('abc', 'alpha')); data.steer('abc', {5: 1}, sae='beta')._repr_html_()\n"
            "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
        )
        done = in_a_fresh_interpreter(code)
        assert done.returncode == 0, done.stderr
        loaded = set(json.loads(done.stdout))
        assert loaded & MAKERS == set()
        assert set(LIBRARIES) <= loaded

    def test_reading_a_dataset_loads_none_of_them(self, toy: Toy):
        code = (
            "import sys, atlas\n"
            f"repr(atlas.open({str(toy.data.store.path)!r}).feature(1, 'alpha'))\n"
            "print(sorted({'onnxruntime', 'tokenizers'} & set(sys.modules)))"
        )
        assert in_a_fresh_interpreter(code).stdout.strip() == "[]"

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_a_missing_one_is_named(self, toy: Toy, library: str, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setitem(sys.modules, library, None)
        with pytest.raises(InputError, match=f"needs {library}") as caught:
            atlas.open(toy.data.store.path).activations("abc", "alpha")
        assert "feature-atlas[run]" in caught.value.fix

    def test_an_onnxruntime_that_cannot_load_the_graph(
        self, bare: AtlasStore, monkeypatch: pytest.MonkeyPatch
    ):
        import onnxruntime

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("unsupported opset")

        monkeypatch.setattr(onnxruntime, "InferenceSession", fail)
        with pytest.raises(InputError, match=r"cannot load 'alpha.activations.onnx': unsupported opset"):
            atlas.open(bare.path).activations("abc")


class TestDataset:
    def test_without_a_model(self, tmp_path: Path):
        data = atlas.open(make_atlas(tmp_path / "data", saes=("alpha",)).path)
        for call in (lambda: data.activations("abc"), lambda: data.steer("abc", {})):
            with pytest.raises(InputError, match="holds no model to run") as caught:
                call()
            assert "browser_model: true" in caught.value.fix
            assert caught.value.where == str(data.store.path)

    def test_an_sae_that_was_not_exported(self, bare: AtlasStore):
        facts = bare.manifest.browser_model
        bare.update(browser_model={**facts, "saes": []})
        with pytest.raises(InputError, match="SAE 'alpha' was not exported"):
            atlas.open(bare.path).activations("abc")

    def test_a_tokenizer_that_cuts_otherwise(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", saes=("alpha",))
        add_toy_model(store, bad_test=True)
        with pytest.raises(InputError, match="into other tokens than the build did") as caught:
            atlas.open(store.path).activations("abc")
        assert "tokenizers" in caught.value.fix

    def test_a_file_that_is_not_there(self, bare: AtlasStore):
        table = bare.read("model_files")
        kept = table.filter(pa.compute.not_equal(table["name"], "trunk.1"))
        with bare.writer("model_files", schema=schema.MODEL_FILES) as writer:
            writer.write(kept)
        data = atlas.open(bare.path)
        assert data.activations("abc").windows == 1
        with pytest.raises(InputError, match=r"lacks its file 'trunk.1'"):
            data.steer("abc", {})

    def test_a_damaged_file_is_an_error_that_names_it(self, bare: AtlasStore):
        path = bare.path / bare.manifest.tables["model_files"][0].path
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(InputError) as caught:
            atlas.open(bare.path).activations("abc")
        assert path.name in str(caught.value)


class TestFiles:
    def test_parts_are_joined_in_order(self, bare: AtlasStore):
        table = bare.read("model_files")
        assert max(table["part"].to_pylist()) > 3
        with bare.writer("model_files", schema=schema.MODEL_FILES) as writer:
            writer.write(table.take(list(range(table.num_rows))[::-1]))
        sizes = {entry["name"]: entry["bytes"] for entry in bare.manifest.browser_model["files"]}
        files = Runtime(AtlasStore.open(bare.path)).files(list(sizes))
        assert {name: len(data) for name, data in files.items()} == sizes
        assert json.loads(files["tokenizer.json"])["model"]["type"] == "BPE"

    def test_a_session_is_made_once(self, bare: AtlasStore):
        runtime = Runtime(bare)
        assert runtime.session("alpha", "steer") is runtime.session("alpha", "steer")
        assert runtime.session("alpha", "steer") is not runtime.session("alpha", "activations")

    def test_sessions_have_one_thread(self, bare: AtlasStore):
        options = Runtime(bare).session("alpha", "steer").get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
        assert options.use_deterministic_compute
