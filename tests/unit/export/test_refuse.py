"""What cannot be exported is refused by name, before anything slow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from atlas.errors import InputError
from atlas.export.onnx import export, refuse
from atlas.export.onnx.encoder import Encoder
from atlas.export.onnx.refuse import refuse_missing_libraries, refuse_unexportable
from atlas.sources.engines.base import ModelFacts
from tests.support import models
from tests.support.exported import RESIDUAL, Exported, open_sae

FACTS = ModelFacts("tiny", "transformers", "gpt2", 2, 32, 304, 64, "float32", "cpu", "", "")
HOOKS = ["blocks.0.hook_resid_pre", "blocks.0.hook_mlp_out", RESIDUAL, "blocks.1.hook_mlp_out"]


@dataclass
class FakeEngine:
    facts: ModelFacts = FACTS
    hooks: list[str] = field(default_factory=lambda: HOOKS)

    def hook_names(self) -> list[str]:
        return self.hooks

    def hook_width(self, _hook: str) -> int:
        return 32


def refused(engine: Any, saes: list[Any], monkeypatch: pytest.MonkeyPatch) -> InputError:
    """The error of both functions, none of them having traced anything."""
    monkeypatch.setattr(export, "trace", lambda *_: pytest.fail("the model was traced"))
    with pytest.raises(InputError) as first:
        refuse_unexportable(engine, saes)
    with pytest.raises(InputError) as second:
        export.export_graphs(engine, saes)
    assert str(first.value) == str(second.value)
    return first.value


def test_what_can_be_exported_passes(small: Exported):
    refuse_unexportable(small.engine, list(small.saes.values()))
    refuse_unexportable(FakeEngine(), [])


def test_another_engine(monkeypatch: pytest.MonkeyPatch):
    engine = FakeEngine(replace(FACTS, engine="transformer_lens"))
    error = refused(engine, [], monkeypatch)
    assert error.what == "a model of engine transformer_lens cannot be exported to ONNX"
    assert (error.where, error.exit_code) == ("model.engine", 2)
    assert error.fix == "set engine: transformers, or set browser_model: false"


def test_another_architecture(monkeypatch: pytest.MonkeyPatch):
    error = refused(FakeEngine(replace(FACTS, architecture="mamba")), [], monkeypatch)
    assert error.what.startswith(
        "architecture 'mamba' cannot be exported to ONNX; what can is gemma, gemma2,"
    )
    assert error.where == "model.name"


def test_matching_pursuit(tmp_path: Path, small: Exported, monkeypatch: pytest.MonkeyPatch):
    models.write_sae(tmp_path / "mp", "matching_pursuit", d_sae=20)
    sae = open_sae(tmp_path / "mp", "greedy", small.engine)
    error = refused(FakeEngine(), [small.saes["standard"], sae], monkeypatch)
    assert "SAE 'greedy' cannot be exported" in error.what
    assert "matching_pursuit" in error.what
    assert error.where == "saes: greedy"
    assert error.fix == "leave this SAE out, or set browser_model: false"
    with pytest.raises(ValueError, match="'greedy' has no encoder"):
        Encoder.of("greedy", sae.weights(), sae.steps())


def test_an_sae_of_another_library(small: Exported, monkeypatch: pytest.MonkeyPatch):
    """One that gives activations but not the steps to them."""

    class Foreign:
        facts = replace(small.saes["standard"].facts, slug="foreign", architecture="own")

        def encode(self, activations: Any) -> Any:
            return activations

    error = refused(FakeEngine(), [Foreign()], monkeypatch)
    assert "SAE 'foreign' cannot be exported" in error.what
    assert "own is no formula" in error.what


def test_a_transcoder_that_writes_before_it_reads(
    tmp_path: Path, small: Exported, monkeypatch: pytest.MonkeyPatch
):
    metadata = {"hook_name": RESIDUAL, "hook_name_out": "blocks.0.hook_mlp_out"}
    models.write_sae(tmp_path / "back", "transcoder", metadata=metadata)
    sae = open_sae(tmp_path / "back", "back", small.engine)
    error = refused(FakeEngine(), [sae], monkeypatch)
    assert (
        error.what == "SAE 'back' writes at blocks.0.hook_mlp_out, before it reads at blocks.1.hook_resid_pre"
    )


@pytest.mark.parametrize(
    ("missing", "said"), [({"onnx"}, "onnx"), ({"onnx", "onnxscript"}, "onnx and onnxscript")]
)
def test_missing_libraries(missing: set[str], said: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(refuse, "find_spec", lambda name: None if name in missing else object())
    with pytest.raises(InputError) as raised:
        refuse_missing_libraries()
    assert raised.value.what == f"exporting a model to ONNX needs {said}"
    assert "pip install 'feature-atlas[onnx]'" in raised.value.fix
    assert str(refused(FakeEngine(), [], monkeypatch)) == str(raised.value)
