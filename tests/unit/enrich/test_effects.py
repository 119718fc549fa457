from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from atlas import schema
from atlas.check import check_dataset
from atlas.config import EnrichConfig, ModelConfig, SaeConfig
from atlas.enrich import effects as module
from atlas.enrich.ablation import Ablation
from atlas.enrich.base import EnrichContext
from atlas.enrich.cases import Budget
from atlas.enrich.effects import (
    CPU_PARAMETERS,
    DEVICE_PARAMETERS,
    EFFECTS,
    Contexts,
    examples_of,
    left_out,
    parameters,
)
from atlas.errors import InputError
from atlas.sources.engines.base import ModelFacts
from atlas.sources.engines.transformers import TransformersEngine
from atlas.sources.saes.saelens import open_saelens
from atlas.store import AtlasStore
from tests.support import models

N_FEATURES = 80
LENGTH = 20
BEFORE, AFTER = 6, 4


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    folder = models.write_model(tmp_path_factory.mktemp("model"), "gpt2")
    return TransformersEngine.open(ModelConfig(name=str(folder), device="cpu"))


@pytest.fixture(scope="module")
def sae(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = models.write_sae(tmp_path_factory.mktemp("sae"), "jumprelu", seed=3)
    return open_saelens(SaeConfig(folder=str(folder), slug="one"), "cpu")


def token_ids() -> np.ndarray:
    """[6, LENGTH]; the last context is shorter, padded with -1."""
    ids = np.random.default_rng(4).integers(1, models.TOKENIZER_SIZE, (6, LENGTH)).astype(np.int32)
    ids[5, 12:] = -1
    return ids


def activations(engine: Any, sae: Any, ids: np.ndarray) -> np.ndarray:
    """[6, LENGTH, N_FEATURES], 0 at padding."""
    hook = sae.facts.hook_name
    inputs = engine.activations(torch.from_numpy(ids.astype(np.int64)), [hook])[hook]
    dense = sae.encode(inputs.flatten(0, 1)).reshape(*ids.shape, -1).numpy().copy()
    dense[ids < 0] = 0
    return dense


def example_rows(ids: np.ndarray, dense: np.ndarray, kept: int = 3) -> list[dict[str, Any]]:
    """The top examples of every feature that fires, as the pass would write them, and others after them."""
    rows: list[dict[str, Any]] = []
    for feature in range(dense.shape[2]):
        best = dense[:, :, feature].max(axis=1)
        order = [c for c in np.argsort(-best, kind="stable").tolist() if best[c] > 0][:kept]
        for group in ("top", "random"):
            rows += [
                _example(ids, dense, feature, group, rank, context) for rank, context in enumerate(order)
            ]
    return rows


def _example(
    ids: np.ndarray, dense: np.ndarray, feature: int, group: str, rank: int, context: int
) -> dict[str, Any]:
    strengths = dense[context, :, feature]
    position = int(strengths.argmax())
    end = int((ids[context] >= 0).sum())
    low, high = max(position - BEFORE, 0), min(position + AFTER + 1, end)
    return {
        "feature_idx": feature, "group": group, "interval": -1, "interval_lower": 0.0, "interval_upper": 0.0,
        "rank": rank, "activation": float(strengths[position]), "context_idx": context * 10, "copies": 1,
        "position": position, "document_idx": 0, "peak": position - low,
        "token_ids": ids[context, low:high].tolist(), "activations": strengths[low:high].tolist(),
    }  # fmt: skip


def write(store: AtlasStore, name: str, rows: list[dict[str, Any]], sae: str | None = None) -> None:
    known = (schema.SHARED_TABLES if sae is None else schema.SAE_TABLES)[name]
    with store.writer(name, sae=sae, schema=known) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=known))


@pytest.fixture
def store(tmp_path: Path, engine: Any, sae: Any) -> AtlasStore:
    """What the pass would have written of it."""
    ids = token_ids()
    made = AtlasStore.create(tmp_path / "data")
    made.update(saes=[{"slug": "one", "title": "one", "n_features": N_FEATURES}])
    write(made, "examples", example_rows(ids, activations(engine, sae, ids)), "one")
    whole = [{"context_idx": 10 * c, "token_ids": row[row >= 0].tolist()} for c, row in enumerate(ids)]
    write(made, "contexts", whole)
    vocabulary = [
        {"token_id": i, "bytes": b"x", "special": False, "piece": ""} for i in range(models.TOKENIZER_SIZE)
    ]
    write(made, "vocabulary", vocabulary)
    return made


def run(store: AtlasStore, engine: Any, sae: Any, **options: Any) -> list[str]:
    notes: list[str] = []
    config = EnrichConfig(**{"effect_examples": 2, **options})
    EFFECTS.run(EnrichContext(store, "one", config, 0, lambda: engine, lambda: sae, notes.append))
    return notes


# ---- the table


def test_a_row_for_each_of_the_strongest_examples(store, engine, sae):
    notes = run(store, engine, sae)
    assert notes == ["Measured on the 2 strongest examples of each feature."]
    examples = [
        row for row in store.read("examples", "one").to_pylist() if row["group"] == "top" and row["rank"] < 2
    ]
    rows = store.read("effects", "one").to_pylist()
    assert 40 < len(rows) == len(examples)
    for row, example in zip(rows, examples, strict=True):
        assert (row["feature_idx"], row["rank"]) == (example["feature_idx"], example["rank"])
        assert len(row["effects"]) == len(example["token_ids"])
        starts = example["position"] == example["peak"]
        assert [value is None for value in row["effects"]] == [starts] + [False] * (len(row["effects"]) - 1)
        for entries, sign in ((row["raised"], 1), (row["lowered"], -1)):
            values = [sign * entry["measured"] for entry in entries]
            assert values == sorted(values, reverse=True)
            assert min(values) > 0
            assert len(values) == 10
    assert max(abs(value) for row in rows for value in row["effects"] if value) > 0.01
    assert store.verify() == []


def test_the_rows_are_those_of_the_ablation(store, engine, sae):
    run(store, engine, sae, logit_effects=4)
    top = module.strongest(store.read("examples", "one"), 2)
    shown = examples_of(top, Contexts(store))
    ids = np.arange(models.TOKENIZER_SIZE, dtype=np.int32)
    expected = dict(Ablation(engine, sae, ids, n_tokens=4, budget=Budget.of("cpu")).run(shown))
    for number, row in enumerate(store.read("effects", "one").to_pylist()):
        effect = expected[number]
        found = [np.nan if value is None else value for value in row["effects"]]
        np.testing.assert_array_equal(found, effect.loss)
        for name, lists in (("raised", effect.raised), ("lowered", effect.lowered)):
            for part, values in zip(("token_id", "measured", "direct"), lists, strict=True):
                np.testing.assert_array_equal([entry[part] for entry in row[name]], values)


def test_examples_are_found_in_their_contexts(store, engine, sae):
    top = module.strongest(store.read("examples", "one"), 3)
    for row, one in zip(top.to_pylist(), examples_of(top, Contexts(store)), strict=True):
        assert one.context[one.first : one.stop].tolist() == row["token_ids"]
        assert one.peak == row["position"]
        assert one.context[one.peak] == row["token_ids"][row["peak"]]


def test_the_feature_fires_as_the_pass_saw_it(store, engine, sae):
    """What is ablated is computed anew; it is what the windows show."""
    top = module.strongest(store.read("examples", "one"), 2)
    shown = examples_of(top, Contexts(store))
    ablation = Ablation(
        engine, sae, np.arange(300, dtype=np.int32), n_tokens=1, budget=Budget(tokens=50, logit_bytes=1 << 20)
    )
    cases = list(ablation._unchanged(shown, range(len(shown))))
    assert len(cases) == len(shown)
    for case in cases:
        stored = top["activations"][case.number].as_py()[: case.shown.needed - case.shown.first]
        added = case.added[case.shown.first :].numpy()[: len(stored)]
        np.testing.assert_allclose(added, stored, rtol=1e-5, atol=1e-5)


def test_dead_features_have_no_row(store, engine, sae):
    run(store, engine, sae)
    fired = set(store.read("examples", "one")["feature_idx"].to_pylist())
    assert set(store.read("effects", "one")["feature_idx"].to_pylist()) == fired
    assert len(fired) < N_FEATURES or fired == set(range(N_FEATURES))


def test_features_read_in_parts_change_rounding_only(store, engine, sae, monkeypatch):
    run(store, engine, sae)
    expected = store.read("effects", "one").to_pylist()
    monkeypatch.setattr(module, "FEATURES_AT_ONCE", 7)
    run(store, engine, sae)
    for row, other in zip(store.read("effects", "one").to_pylist(), expected, strict=True):
        assert (row["feature_idx"], row["rank"]) == (other["feature_idx"], other["rank"])
        mine, theirs = (np.array([value or 0 for value in one["effects"]]) for one in (row, other))
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


def test_twice_gives_the_same_bytes(store, engine, sae):
    digests = []
    for _ in range(2):
        run(store, engine, sae)
        digests.append([file.sha256 for file in store.manifest.tables["one/effects"]])
    assert digests[0] == digests[1]


def test_where_the_hook_has_no_logit_effects_nothing_stands_beside(store, engine, tmp_path):
    metadata = {"hook_name": "blocks.1.attn.hook_z"}
    other = open_saelens(
        SaeConfig(folder=str(models.write_sae(tmp_path / "z", "jumprelu", seed=3, metadata=metadata))), "cpu"
    )
    run(store, engine, other)
    rows = store.read("effects", "one").to_pylist()
    directs = [entry["direct"] for row in rows for entry in row["raised"] + row["lowered"]]
    assert directs
    assert set(directs) == {None}


def test_an_sae_without_examples_has_an_empty_table(store, engine, sae):
    write(store, "examples", [], "one")
    run(store, engine, sae)
    assert store.read("effects", "one").num_rows == 0


def test_a_context_that_is_missing_is_named(store, engine, sae):
    rows = store.read("contexts").to_pylist()
    write(store, "contexts", rows[1:])
    with pytest.raises(InputError, match="lacks context 0 of an example"):
        run(store, engine, sae)


# ---- whether it is computed


def facts(device: str = "cpu", **sizes: int) -> ModelFacts:
    known = {"n_layers": 12, "d_model": 768, "vocabulary_size": 50257} | sizes
    return ModelFacts(
        "m", "transformers", "gpt2", known["n_layers"], known["d_model"], known["vocabulary_size"], 64,
        "float32", device, "0", "0",
    )  # fmt: skip


def test_the_size_of_known_models():
    assert parameters(facts()) == pytest.approx(124e6, rel=0.01)
    medium = parameters(facts(n_layers=24, d_model=1024))
    assert medium == pytest.approx(355e6, rel=0.02)


@pytest.mark.parametrize(
    ("option", "size", "device", "computed"),
    [
        ("auto", CPU_PARAMETERS, "cpu", True),
        ("auto", CPU_PARAMETERS + 1, "cpu", False),
        ("auto", CPU_PARAMETERS + 1, "cuda", True),
        ("auto", DEVICE_PARAMETERS + 1, "cuda", False),
        ("on", DEVICE_PARAMETERS + 1, "cpu", True),
        ("off", 10, "cuda", False),
    ],
)
def test_when_effects_are_computed(option, size, device, computed):
    # One dimension and no layers: as many parameters as tokens.
    made = facts(device, n_layers=0, d_model=1, vocabulary_size=size)
    assert (left_out(option, made) == "") is computed


def test_the_documented_limits_are_those_that_hold():
    text = EnrichConfig.model_fields["effects"].description or ""
    assert f"{CPU_PARAMETERS // 10**6} million parameters on a CPU" in text
    assert f"{DEVICE_PARAMETERS // 10**9} billion elsewhere" in text


def test_the_examples_asked_for_have_their_contexts():
    limits = [
        entry.le for entry in EnrichConfig.model_fields["effect_examples"].metadata if hasattr(entry, "le")
    ]
    assert limits == [schema.WHOLE_CONTEXTS]


def bigger(engine: Any) -> Any:
    """The same engine, of a model that says it is large."""
    made = object.__new__(type(engine))
    made.__dict__.update(engine.__dict__, facts=replace(engine.facts, vocabulary_size=10**9))
    return made


def test_a_large_model_is_left_out_and_the_note_says_how_to_have_it(store, engine, sae):
    (note,) = run(store, bigger(engine), sae)
    assert note.startswith("Not available: ")
    assert "enrich.effects: on" in note
    assert "50 million" in note
    assert not store.has("effects", "one")


def test_switched_off(store, engine, sae):
    assert run(store, engine, sae, effects="off") == ["Not available: switched off by enrich.effects: off."]
    assert not store.has("effects", "one")


def test_an_unknown_hook_is_not_available(store, engine, tmp_path):
    folder = models.write_sae(
        tmp_path / "t", "transcoder", metadata={"hook_name_out": "blocks.1.ln2.hook_scale"}
    )
    other = open_saelens(SaeConfig(folder=str(folder)), "cpu")
    (note,) = run(store, engine, other)
    assert note.startswith("Not available: hook 'blocks.1.ln2.hook_scale'")


# ---- what atlas check finds


def test_a_whole_table_has_no_problems(store, engine, sae):
    run(store, engine, sae)
    assert not [line for line in check_dataset(store.path) if "effects" in line or "contexts" in line]


def broken(rows: list[dict[str, Any]], change: Sequence[Any]) -> list[dict[str, Any]]:
    name, make = change
    rows[3][name] = make(rows[3][name])
    return rows


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("effects", lambda values: values[:-1]), "1 rows do not belong to a top example"),
        (("rank", lambda _: 30), "1 rows do not belong to a top example"),
        (("effects", lambda values: [*values[:-1], float("nan")]), "an effect is not a finite number"),
        (("raised", lambda v: [{**v[0], "token_id": 9999}]), "raised.token_id: 1 values are not in 0..299"),
        (("lowered", lambda v: [{**v[0], "direct": float("inf")}]), "lowered.direct: not always a finite"),
    ],
)
def test_what_does_not_fit_the_examples_is_found(store, engine, sae, change, problem):
    run(store, engine, sae)
    write(store, "effects", broken(store.read("effects", "one").to_pylist(), change), "one")
    assert any(line.startswith(f"one/effects: {problem}") for line in check_dataset(store.path))


def test_contexts_out_of_order_are_found(store):
    rows = store.read("contexts").to_pylist()
    rows[2]["token_ids"][0] = 5000
    write(store, "contexts", rows[::-1])
    found = [line for line in check_dataset(store.path) if line.startswith("contexts")]
    assert found == ["contexts: context_idx does not rise", "contexts: token_ids: 1 values are not in 0..299"]
