"""The pass over the bundled model and SAE equals plain transformers, numpy and the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.config import SiteConfig
from atlas.sources.open import open_corpus, open_engine, open_sae
from atlas.store import AtlasStore
from atlas.stream.run import stream_activations
from tests.support import oracle
from tests.support.oracle import Options, Recording

SIZE = 64
TEXTS = {
    "parser.txt": (
        "def parse(text):\n    if not text:\n        raise ValueError('empty text')\n"
        "    return json.loads(text)\n" * 6
    ),
    "reader.txt": (
        'class Reader:\n    """Read lines from a file."""\n\n    def __init__(self, path):\n'
        "        self.path = path\n" * 6
    ),
    "prose.txt": "The full stop ends a sentence. The colon opens a block: so it goes on. " * 12,
    "unicode.txt": "naïve café, 日本語 🤗, and “quotes”. " * 8,
}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory, demo_dir: Path) -> AtlasStore:
    """The tables of `TEXTS`."""
    folder = tmp_path_factory.mktemp("pass")
    for name, text in TEXTS.items():
        (folder / "texts").mkdir(exist_ok=True)
        (folder / "texts" / name).write_text(text, encoding="utf-8")
    config = SiteConfig.model_validate(
        {
            "title": "Demo",
            "model": {"name": str(demo_dir / "model")},
            "saes": [{"folder": str(demo_dir / "sae-l2")}],
            "corpus": {"kind": "text", "paths": ["texts"], "context_size": SIZE, "tokens": 10_000},
            "pass": {"batch_contexts": 8, "top_examples": 6, "window_before": 8, "window_after": 5},
        }
    )
    engine = open_engine(config.model, folder)
    saes = [open_sae(sae, folder, engine.device, engine) for sae in config.saes]
    store = AtlasStore.create(folder / "data")
    with store.lock():
        stream_activations(store, config, engine, saes, open_corpus(config.corpus, folder))
    return store


@pytest.fixture(scope="module")
def recording(demo_dir: Path) -> Recording:
    """Dense activations by `transformers` and numpy alone."""
    import torch
    from safetensors.numpy import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(demo_dir / "model")
    model = AutoModelForCausalLM.from_pretrained(demo_dir / "model", dtype="float32").eval()
    bos = tokenizer.bos_token_id
    token_ids, document_idx = packed([tokenizer(TEXTS[name])["input_ids"] for name in sorted(TEXTS)], bos)
    with torch.no_grad():
        ids = torch.from_numpy(np.maximum(token_ids, 0))
        hidden = model(ids, output_hidden_states=True).hidden_states[2].numpy().astype(np.float64)
    weights = {name: array.astype(np.float64) for name, array in load_file(
        demo_dir / "sae-l2" / "sae_weights.safetensors").items()}  # fmt: skip
    before = (hidden - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    dense = np.where(before > np.maximum(weights["threshold"], 0), before, 0)
    return Recording(
        activations=dense.astype(np.float32),
        token_ids=token_ids,
        counted=(token_ids >= 0) & (token_ids != bos),
        document_idx=document_idx,
        options=Options(seed=0, top=6, before=8, after=5),
    )


def packed(documents: list[list[int]], bos: int) -> tuple[np.ndarray, np.ndarray]:
    """(token_ids, document_idx): BOS before every document, and at the head of every context."""
    rows: list[list[tuple[int, int]]] = [[]]
    for number, ids in enumerate(documents):
        opening = [bos] if rows[-1] and len(rows[-1]) < SIZE else []
        for token in [*opening, *ids]:
            if len(rows[-1]) == SIZE:
                rows.append([])
            if not rows[-1] and token != bos:
                rows[-1].append((bos, number))
            rows[-1].append((token, number))
    rows[-1] += [(-1, -1)] * (SIZE - len(rows[-1]))
    return np.array([[t for t, _ in row] for row in rows]), np.array([[d for _, d in row] for row in rows])


def test_the_text_was_read(atlas: AtlasStore, recording: Recording):
    assert atlas.manifest.corpus["n_tokens_read"] == (recording.token_ids >= 0).sum()
    assert atlas.manifest.stream["n_tokens"] == recording.counted.sum()
    assert [Path(name).name for name in atlas.read("documents")["name"].to_pylist()] == sorted(TEXTS)


def test_counts_and_moments(atlas: AtlasStore, recording: Recording):
    found = atlas.read("features", "sae-l2").to_pydict()
    wanted = oracle.columns(recording)
    assert sum(count > 0 for count in wanted["firing_tokens"]) > 300
    for name in ("firing_tokens", "firing_contexts"):
        assert found[name] == wanted[name]
    for name in ("activation_density", "density_lower", "density_upper", "max_activation", "mean_activation"):
        for mine, theirs in zip(found[name], wanted[name], strict=True):
            assert mine == (None if theirs is None else pytest.approx(theirs, rel=1e-4, abs=1e-6)), name
    for mine, theirs in zip(found["top_tokens"], wanted["top_tokens"], strict=True):
        assert {entry["token_id"]: entry["count"] for entry in mine[:3]}.items() <= {
            entry["token_id"]: entry["count"] for entry in theirs
        }.items()


def test_top_examples(atlas: AtlasStore, recording: Recording):
    """Where two contexts peak alike to 1e-4, rounding decides which comes first: those are left out."""
    rows = [row for row in atlas.read("examples", "sae-l2").to_pylist() if row["group"] == "top"]
    wanted = [row for row in oracle.examples(recording) if row["group"] == "top"]
    assert len(rows) == len(wanted) > 1000
    clear = 0
    for mine, theirs in zip(rows, wanted, strict=True):
        assert mine["activation"] == pytest.approx(theirs["activation"], rel=1e-4)
        if place(mine) != place(theirs):
            continue
        clear += 1
        for name in ("token_ids", "peak", "document_idx", "rank"):
            assert mine[name] == theirs[name]
        assert mine["activations"] == pytest.approx(theirs["activations"], rel=1e-3, abs=1e-3)
    assert clear > 0.7 * len(rows)


def place(row: dict[str, Any]) -> tuple[int, int, int]:
    return row["feature_idx"], row["context_idx"], row["position"]


def test_the_report(atlas: AtlasStore, recording: Recording):
    rows = {row["metric"]: row["value"] for row in atlas.read("report", "sae-l2").to_pylist()}
    firing = (recording.firing > 0).sum(axis=(0, 1))
    assert rows["l0"] == pytest.approx(firing.sum() / recording.counted.sum(), rel=1e-12)
    assert rows["alive"] == (firing > 0).sum()
    assert 0.5 < rows["explained_variance"] < 1
