"""The pass over a real model nobody here made (stories260K) and an SAE that SAELens trained on it.

Every column of every table against the definitions, over what `transformers` and sae-lens computed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import SiteConfig
from atlas.sources.open import open_corpus, open_engine, open_sae
from atlas.store import AtlasStore
from atlas.stream.run import stream_activations
from tests.support import dense, oracle, oracle_tables, stories
from tests.support.compare import differences
from tests.support.dense import Place
from tests.support.oracle import Options, Recording

pytestmark = pytest.mark.slow

SIZE, TOKENS, BATCH = 64, 1500, 8
STEPS = 150
"""Enough for an SAE that explains a good part of the activations, with features of every density."""
LLAMA = {"hook_resid_pre": Place("model.layers.{}", before=True)}
OPTIONS = Options(
    seed=3, top=4, intervals=5, per_interval=2, random=3, before=6, after=3, sample=700, counter=2
)
ROUNDING = 2e-6
SHAPES = ("std_activation", "variance_activation", "activation_skew", "activation_kurtosis")


@dataclass(frozen=True)
class Pass:
    """What the pass wrote, and the same by `transformers` and sae-lens."""

    store: AtlasStore
    recording: Recording
    inputs: torch.Tensor
    outputs: torch.Tensor
    logits: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    texts: list[list[int]]


@pytest.fixture(scope="module")
def made(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Pass:
    folder = tmp_path_factory.mktemp("stories")
    stories.train_sae(shared_dir, folder / "sae", steps=STEPS)
    store = written(shared_dir, folder)
    model, tokenizer = stories.load_model(shared_dir)
    content = (shared_dir / "data/corpora/tinystories_1000.json").read_text(encoding="utf-8")
    texts = [tokenizer(story, add_special_tokens=False)["input_ids"] for story in json.loads(content)[:40]]
    bos = tokenizer.bos_token_id
    token_ids, document_idx = dense.pack(texts, SIZE, bos=bos, separator=bos)
    count = -(-TOKENS // SIZE)
    token_ids, document_idx = token_ids[:count], document_idx[:count]
    readings = dense.read(model, token_ids, [stories.HOOK_NAME], LLAMA, BATCH)
    inputs = readings.activations[stories.HOOK_NAME]
    sae = dense.load_sae(folder / "sae")
    recording = Recording(
        activations=dense.encode(sae, inputs).numpy(),
        token_ids=token_ids,
        counted=~np.isin(token_ids, tokenizer.all_special_ids),
        document_idx=document_idx,
        options=OPTIONS,
        sources=("one",),
    )
    outputs = dense.reconstruct(sae, inputs)
    mixed = torch.where(torch.from_numpy(recording.counted)[..., None], outputs, inputs)
    logits = [
        dense.logits_with(model, token_ids, stories.HOOK_NAME, LLAMA, value)
        for value in (mixed, torch.zeros_like(inputs))
    ]
    return Pass(store, recording, inputs, outputs, (readings.logits, *logits), texts)


def written(shared: Path, folder: Path) -> AtlasStore:
    """The tables of the pass."""
    config = SiteConfig.model_validate(
        {
            "title": "Stories",
            "model": {"name": str(shared / "data/models/stories260K-hf"), "device": "cpu"},
            "saes": [{"slug": "stories", "folder": str(folder / "sae")}],
            "corpus": {
                "kind": "jsonl", "paths": [str(shared / "data/corpora/tinystories_1000.json")],
                "context_size": SIZE, "tokens": TOKENS, "seed": OPTIONS.seed,
            },
            "pass": {
                "batch_contexts": BATCH, "top_examples": OPTIONS.top, "random_examples": OPTIONS.random,
                "interval_examples": OPTIONS.per_interval, "counter_examples": OPTIONS.counter,
                "window_before": OPTIONS.before, "window_after": OPTIONS.after,
                "sample_tokens": OPTIONS.sample,
            },
        }
    )  # fmt: skip
    engine = open_engine(config.model, folder)
    saes = [open_sae(sae, folder, engine.device, engine) for sae in config.saes]
    store = AtlasStore.create(folder / "data")
    with store.lock():
        stream_activations(store, config, engine, saes, open_corpus(config.corpus, folder))
    return store


def test_the_sae_is_worth_it(made: Pass):
    report = {row["metric"]: row["value"] for row in made.store.read("report", "stories").to_pylist()}
    assert report["explained_variance"] > 0.3
    assert 2 < report["l0"] < 40
    firing = (made.recording.firing > 0).sum(axis=(0, 1))
    assert (firing > 0).sum() > 100
    assert len(made.recording.token_ids) == 24


def test_features(made: Pass):
    found = made.store.read("features", "stories").to_pydict()
    assert found.pop("feature_idx") == list(range(stories.D_SAE))
    wanted = oracle.columns(made.recording)
    assert set(found) == set(wanted)
    problems: list[str] = []
    for name, values in wanted.items():
        absolute = 1e-5 if name in SHAPES else ROUNDING
        problems += differences(found[name], values, name, absolute=absolute)
    assert problems == []


def test_examples(made: Pass):
    found = made.store.read("examples", "stories").to_pylist()
    wanted = oracle.examples(made.recording)
    assert len(wanted) > 1000
    assert {row["group"] for row in wanted} == {"top", "interval", "random", "same_token", "near_miss"}
    assert list(differences(by_place(found), by_place(wanted), absolute=ROUNDING)) == []
    ranks = [(row["feature_idx"], row["group"], row["interval"], row["rank"]) for row in found]
    assert ranks == [(row["feature_idx"], row["group"], row["interval"], row["rank"]) for row in wanted]


def by_place(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without their ranks, which two activations that differ by rounding alone may exchange."""
    key = ("feature_idx", "group", "interval", "context_idx", "position")
    bare = [{name: value for name, value in row.items() if name != "rank"} for row in rows]
    return sorted(bare, key=lambda row: [row[name] for name in key])


def test_report(made: Pass):
    recording = made.recording
    wanted: dict[str, float | None] = dict(oracle_tables.firing(recording))
    wanted |= oracle_tables.reconstruction(made.inputs.numpy(), made.outputs.numpy(), recording.counted)
    wanted |= oracle_tables.losses(*made.logits, recording.token_ids, recording.counted)
    found = {row["metric"]: row["value"] for row in made.store.read("report", "stories").to_pylist()}
    assert list(differences(found, wanted, absolute=1e-6)) == []


def test_documents_are_those_that_were_read(made: Pass):
    """The last one as far as the budget went; an inserted BOS is no token of a document."""
    documents = made.recording.document_idx
    bos = made.recording.token_ids[0, 0]
    own = [
        int(((documents == number) & (made.recording.token_ids != bos)).sum())
        for number in range(int(documents.max()) + 1)
    ]
    rows = made.store.read("documents").to_pylist()
    assert [row["n_tokens"] for row in rows] == own
    assert own[:-1] == [len(ids) for ids in made.texts[: len(own) - 1]]
    assert len({row["source"] for row in rows}) == 1
