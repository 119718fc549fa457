"""Everything the pass reads is in a section, and a difference is said in the user's own words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from atlas.stream import inputs
from atlas.stream.inputs import changes, digest, opened_sections, pass_sections
from tests.support.fakes import FakeEngine, FakeSae, site_config


def sections(**changed: Any) -> dict[str, Any]:
    """All sections of a pass over the fakes."""
    config = changed.pop("config", None) or site_config()
    engine, sae = FakeEngine(), FakeSae()
    engine.facts = replace(engine.facts, **changed.pop("engine", {}))
    sae.facts = replace(sae.facts, **changed.pop("sae", {}))
    fingerprint = changed.pop("text", "text")
    return pass_sections(config, Path("/nowhere"), fingerprint) | opened_sections(engine, [sae])


def corpus(**options: Any) -> dict[str, Any]:
    return {"corpus": {"kind": "text", "paths": ["x"], "context_size": 16, "tokens": 100_000, **options}}


def options(**changed: Any) -> dict[str, Any]:
    """The pass's options of the fakes, some changed."""
    plain = site_config().stream.model_dump(mode="json")
    return {"config": site_config(**{"pass": plain | changed})}


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "model weights": ({"engine": {"weights_sha256": "9" * 64}}, "the weights of the model changed"),
    "tokenizer": ({"engine": {"tokenizer_sha256": "9" * 64}}, "the tokenizer changed"),
    "SAE weights": ({"sae": {"weights_sha256": "9" * 64}}, "the weights of the SAE fake changed"),
    "a fold": ({"sae": {"folds": {"x": "times 2"}}}, 'the folds of SAE fake.x was not set, is now "times 2"'),
    "text": ({"text": "other"}, "the texts of the corpus changed"),
    "seed": ({"config": site_config(**corpus(seed=1))}, "corpus.seed was 0, is now 1"),
    "tokens": ({"config": site_config(**corpus(tokens=99))}, "corpus.tokens was 100,000, is now 99"),
    "paths": ({"config": site_config(**corpus(paths=["y"]))}, 'corpus.paths was ["x"], is now ["y"]'),
    "an option": (options(top_examples=7), "pass.top_examples was 5, is now 7"),
    "the mask": (options(mask={"first_positions": 1}), "pass.mask.first_positions was 0, is now 1"),
    "the model": (
        {"config": site_config(model={"name": "gpt2", "engine": "transformers"})},
        'model.name was "fake", is now "gpt2"',
    ),
    "an SAE": (
        {"config": site_config(saes=[{"folder": "fake", "hook_name": "blocks.0.hook_resid_pre"}])},
        'saes[0].hook_name was not set, is now "blocks.0.hook_resid_pre"',
    ),
}
"""What changed → how, and what is said of it."""


@pytest.mark.parametrize("what", CHANGES)
def test_every_change_is_said(what: str):
    changed, words = CHANGES[what]
    before, after = sections(), sections(**changed)
    assert changes(before, after) == [words]
    assert digest(before) != digest(after)
    assert changes(after, before) != []


def test_equal_inputs_are_equal():
    assert sections() == sections()
    assert changes(sections(), sections()) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"config": site_config(title="Another")},
        {"config": site_config(render={"static_examples": 3})},
        {"config": site_config(enrich={"neighbours": 3})},
        {"config": site_config(output={"data": "elsewhere"})},
        {"config": site_config(saes=[{"folder": "fake", "title": "Another"}])},
        {"config": site_config(model={"name": "fake", "engine": "transformers", "device": "cpu"})},
        options(batch_contexts=3),
        options(checkpoint_seconds=0),
    ],
    ids=str,
)
def test_what_the_pass_does_not_read(changed: dict[str, Any]):
    assert sections(**changed) == sections()


def test_software_and_device_count_for_an_unfinished_pass_only(monkeypatch: pytest.MonkeyPatch):
    engine, sae = FakeEngine(), FakeSae()
    before = opened_sections(engine, [sae])
    recorded = digest(pass_sections(site_config(), Path("/nowhere"), "text"))
    monkeypatch.setattr(inputs, "version", lambda name: "9.9" if name == "torch" else "1")
    engine.device = type(engine.device)("meta")
    found = changes(before, opened_sections(engine, [sae]))
    assert 'model.device was "cpu", is now "meta"' in found
    assert f'torch was "{before["versions"]["torch"]}", is now "9.9"' in found
    assert digest(pass_sections(site_config(), Path("/nowhere"), "text")) == recorded


def test_a_library_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inputs, "LIBRARIES", ("numpy", "no-such-distribution"))
    found = inputs.library_versions()
    assert sorted(found) == ["numpy", "python"]


class TestFiles:
    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        for folder, name in (("fake", "cfg.json"), ("fake", "sae_weights.safetensors")):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / name).write_bytes(b"one")
        return tmp_path

    def found(self, base: Path) -> dict[str, Any]:
        return pass_sections(site_config(model={"name": "elsewhere"}), base, "text")

    def test_the_file_that_changed_is_named(self, base: Path):
        before = self.found(base)
        (base / "fake" / "cfg.json").write_bytes(b"two")
        assert changes(before, self.found(base)) == ["the file of the SAE 1, cfg.json changed"]

    def test_a_new_and_a_missing_file(self, base: Path):
        before = self.found(base)
        (base / "fake" / "cfg.json").rename(base / "fake" / "cfg2.json")
        assert changes(before, self.found(base)) == [
            "the file of the SAE 1, cfg.json is gone",
            "the file of the SAE 1, cfg2.json is new",
        ]

    def test_hidden_files_do_not_count(self, base: Path):
        before = self.found(base)
        (base / "fake" / ".cache").mkdir()
        (base / "fake" / ".cache" / "x").touch()
        (base / "fake" / ".note").touch()
        assert self.found(base) == before

    def test_a_model_in_a_folder(self, base: Path):
        config = site_config(model={"name": "fake"})
        before = pass_sections(config, base, "text")
        assert "model, cfg.json" in before["files"]
        (base / "fake" / "cfg.json").write_bytes(b"two")
        assert changes(before, pass_sections(config, base, "text")) == [
            "the file of the SAE 1, cfg.json changed",
            "the file of the model, cfg.json changed",
        ]


class TestChanges:
    def test_sections_that_are_not_known_yet_are_not_compared(self):
        assert changes({"config": {"a": 1}, "weights": {"model": "x"}}, {"config": {"a": 1}}) == []

    def test_statistics_come_and_go(self):
        old, new = {"statistics": {"a": "m:A", "b": "m:B"}}, {"statistics": {"b": "n:B", "c": "m:C"}}
        assert changes(old, new) == [
            "the statistic a is gone",
            "the statistic b changed",
            "the statistic c is new",
        ]

    def test_another_method(self):
        found = changes({"method": {"method": 1, "schema": 2}}, {"method": {"method": 1, "schema": 3}})
        assert found == ["the method of the pass (schema) changed"]

    def test_one_sae_more(self):
        old, new = {"config": {"saes": [{"slug": "a"}]}}, {"config": {"saes": [{"slug": "a"}, {"slug": "b"}]}}
        assert changes(old, new) == ['saes[1].slug was not set, is now "b"']

    def test_not_set_and_not_there_are_the_same(self):
        assert changes({"config": {"a": None}}, {"config": {}}) == []
