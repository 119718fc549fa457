"""The whole export: files that belong together, described completely, the same every time."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from atlas.errors import InputError
from atlas.export.onnx import bundle as module
from atlas.export.onnx.bundle import CHECKS, TOKENIZER, Bundle, Use, key_of, make_bundle
from atlas.export.onnx.gate import Figures, Sample
from atlas.store.browser_model import (
    PART_BYTES,
    ModelFilePayload,
    ModelPayload,
    ModelShapePayload,
    SaeModelPayload,
    file_entry,
    parts_of,
)
from tests.support import models
from tests.support.exported import Exported, token_ids

pytestmark = pytest.mark.slow

USE = Use(context_size=24, prepend_bos=True)


def sample() -> Sample:
    ids = token_ids(3, 24, seed=5)
    return Sample(ids, np.ones(ids.shape, bool), masked=1)


def make(small: Exported, **options) -> Bundle:
    return make_bundle(small.engine, list(small.saes.values()), sample(), USE, **options)


@pytest.fixture(scope="module")
def bundle(small: Exported) -> Bundle:
    return make(small)


@pytest.fixture(scope="module")
def halves(small: Exported) -> Bundle:
    return make(small, precision="fp16")


@pytest.fixture(params=["bundle", "halves"])
def each(request: pytest.FixtureRequest) -> Bundle:
    return request.getfixturevalue(request.param)


def test_the_payload_has_every_field_and_no_other(each: Bundle):
    payload = each.payload
    assert set(payload) == set(ModelPayload.__annotations__)
    assert set(payload["model"]) == set(ModelShapePayload.__annotations__)
    for sae in payload["saes"]:
        assert set(sae) == set(SaeModelPayload.__annotations__)
    for file in payload["files"]:
        assert set(file) == set(ModelFilePayload.__annotations__)
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload


def test_the_files_are_those_described(each: Bundle):
    listed = {file["name"]: file for file in each.payload["files"]}
    assert list(listed) == list(each.contents)
    for name, content in each.contents.items():
        assert listed[name]["bytes"] == len(content)
        assert listed[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert listed[name]["parts"] == len(list(parts_of(content)))
    keys = [file["key"] for file in each.payload["files"]]
    assert len(set(keys)) == len(keys)
    assert all(set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789/-") for key in keys)
    assert each.size == sum(map(len, each.contents.values()))


def test_every_sae_has_its_graphs_and_their_weights(each: Bundle, small: Exported):
    for sae in each.payload["saes"]:
        facts = small.saes[sae["slug"]].facts
        assert (sae["d_sae"], sae["hook_name"]) == (facts.d_sae, facts.hook_name)
        assert sae["hook_name_out"] == facts.hook_name_out
        assert sae["d_out"] == small.saes[sae["slug"]].weights().W_dec.shape[1]
        assert (sae["context_size"], sae["prepend_bos"]) == (24, True)
        named = {sae["activations"], sae["steer"], *sae["activation_files"], *sae["steer_files"]}
        assert named <= set(each.contents)
        assert sae["gate"]["n_tokens"] == 72
        assert sae["gate"] == each.figures[sae["slug"]].as_json()


def test_the_model_is_described(bundle: Bundle, small: Exported):
    shape = bundle.payload["model"]
    assert shape["vocabulary_size"] == models.MODEL_VOCABULARY
    assert (shape["n_layers"], shape["context_size"]) == (2, models.CONTEXT_SIZE)
    assert shape["kv_heads"] == [models.HEADS] * 2
    assert shape["d_head"] == [models.D_MODEL // models.HEADS] * 2
    assert shape["bos_token_id"] == small.engine.tokens.bos_token_id
    versions = {row["library"]: row["version"] for row in bundle.payload["versions"]}
    assert {"torch", "onnx", "onnxscript", "onnxruntime", "transformers"} <= set(versions)


def test_what_directions_are_stored_as_follows_the_precision(bundle: Bundle, halves: Bundle):
    assert (bundle.payload["precision"], bundle.payload["directions"]) == ("fp32", "float32")
    assert (halves.payload["precision"], halves.payload["directions"]) == ("fp16", "float16")
    assert halves.size < bundle.size


def test_the_tokenizer_gives_the_ids_that_are_checked(each: Bundle, small: Exported):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(each.contents[TOKENIZER].decode("utf-8"))
    checks = json.loads(each.contents[CHECKS])
    for text, ids in checks["tokenizer"]:
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids
        assert small.engine.tokens.encode(text) == ids


def test_reference_runs_steer_with_the_directions_that_readers_get(halves: Bundle, small: Exported):
    """Halves where the site has halves: else a page could not repeat them to the last digits."""
    from atlas.export.onnx.files import write_files
    from atlas.export.onnx.running import Runner, Steering

    files = write_files(small.model, "fp16")
    runner = Runner(files, small.model.decoder)
    for run in json.loads(halves.contents[CHECKS])["runs"]:
        rows = small.saes[run["sae"]].weights().W_dec[run["features"]].numpy().astype(np.float16)
        steering = Steering(
            np.array(run["features"]),
            rows.astype(np.float32),
            *(np.array(run[name], np.float32) for name in ("add", "target", "clamp")),
        )
        tokens, logits = runner.greedy(
            small.graphs(run["sae"]), run["prompt_ids"], steering, len(run["new_tokens"]), run["masked"]
        )
        assert tokens == run["new_tokens"]
        for token, value in run["logits"]:
            assert logits[-1, token] == pytest.approx(value, abs=1e-6)


def test_a_second_export_has_the_same_bytes(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory):
    """Another process's model: opened anew, traced anew."""
    from tests.support.exported import layers, open_engine, write_kind

    root = tmp_path_factory.mktemp("again")
    engine = open_engine(models.write_model(root / "gpt2", "gpt2", **layers("gpt2")))
    again = Exported(engine, {slug: write_kind(root, slug, engine) for slug in ("standard", "transcoder")})
    other = make(again)
    assert {name for name in other.contents if other.contents[name] != bundle.contents[name]} == set()
    named = bundle.payload["model"] | {"name": other.payload["model"]["name"]}
    assert other.payload == {**bundle.payload, "model": named}


def test_progress_is_told_step_by_step(small: Exported):
    told: list[tuple[str, int, int]] = []
    make(small, report=lambda *step: told.append(step))
    assert [done for _, done, _ in told] == list(range(len(told)))
    assert {total for *_, total in told} == {len(told) - 1}
    assert any("standard" in words for words, *_ in told)


def test_nothing_comes_of_a_model_below_the_gate(small: Exported, monkeypatch: pytest.MonkeyPatch):
    bad = Figures(100, 0.5, 0.2, 3.0, 20.0, 1.0, 1.0, 0.4)
    monkeypatch.setattr(module, "measure", lambda *_: bad)
    for precision, fix in (("int8", "fp16"), ("fp16", "fp32")):
        with pytest.raises(InputError, match="overlap below") as caught:
            make(small, precision=precision)
        assert bad.words() in str(caught.value)
        assert caught.value.fix == f"browser_precision: {fix}"


class TestParts:
    def test_they_are_the_file(self):
        content = bytes(range(256)) * (PART_BYTES // 128)
        parts = list(parts_of(content))
        assert b"".join(parts) == content
        assert [len(part) for part in parts] == [PART_BYTES, PART_BYTES]
        assert list(parts_of(content + b"x"))[-1] == b"x"

    def test_an_empty_file_has_one(self):
        assert list(parts_of(b"")) == [b""]
        assert file_entry("a.bin", "model/a", b"")["parts"] == 1

    def test_a_key_has_no_dots(self):
        assert key_of("one.steer.onnx") == "model/files/one-steer-onnx"
