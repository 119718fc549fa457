"""The report card against SAELens' own evals: one model, the same SAEs, the same tokens, the same figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import CorpusConfig, ModelConfig, SaeConfig, SiteConfig
from atlas.sources.open import open_corpus, open_engine, open_sae
from atlas.sources.packing import pack
from atlas.store import AtlasStore
from atlas.stream.run import stream_activations
from tests.support import models
from tests.support.fitted import fitted

MODEL = "data/models/stories260K-hf"
CONTEXT_SIZE = 64
N_CONTEXTS = 24
D_IN, D_SAE = 64, 160

NAMES = {"cosine": "cossim"}
"""Our names where they are not SAELens'."""

SHARED = (
    "l0", "l1", "l2_norm_in", "l2_norm_out", "l2_ratio", "relative_reconstruction_bias",
    "explained_variance", "mse", "cosine", "ce_loss_without_sae", "ce_loss_with_sae",
    "ce_loss_with_ablation", "ce_loss_score", "kl_div_with_sae", "kl_div_with_ablation", "kl_div_score",
)  # fmt: skip
"""What both have, whatever the batches."""

TOLERANCE = {"rel": 1e-4, "abs": 1e-4}


@dataclass(frozen=True)
class Case:
    """One SAE."""

    architecture: str
    hook_name: str = "blocks.2.hook_resid_pre"
    changes: tuple[tuple[str, Any], ...] = ()


CASES = {
    "standard": Case("standard"),
    "gated": Case("gated", "blocks.3.hook_resid_post"),
    "topk": Case("topk"),
    "topk-rescaled": Case("topk", changes=(("rescale_acts_by_decoder_norm", True),)),
    "jumprelu": Case("jumprelu", "blocks.1.hook_mlp_out"),
    "matching-pursuit": Case("matching_pursuit"),
    "layer-norm": Case("standard", changes=(("normalize_activations", "layer_norm"),)),
    "constant-norm": Case("jumprelu", changes=(("normalize_activations", "constant_norm_rescale"),)),
    "heads": Case("standard", "blocks.2.attn.hook_z"),
}


@dataclass
class Compared:
    """Both sides, ready."""

    ours: dict[str, dict[str, dict[str, Any]]]
    """Slug → metric → row."""
    token_ids: torch.Tensor
    """[contexts, size]"""
    bridge: Any
    """The model through TransformerLens."""
    special: list[int]
    folder: Path

    def theirs(self, slug: str, batch: int) -> dict[str, float]:
        """SAELens' evals with `batch` contexts a batch."""
        from sae_lens import SAE
        from sae_lens.evals import get_eval_everything_config, run_evals
        from sae_lens.training.activation_scaler import ActivationScaler

        batches = self.token_ids.split(batch)
        # One reading for each of its two measurements.
        queue = iter([*batches, *batches])
        store: Any = SimpleNamespace(
            get_batch_tokens=lambda _size: next(queue),
            reset_input_dataset=lambda: None,
            store_batch_size_prompts=batch,
            context_size=CONTEXT_SIZE,
        )
        found, _ = run_evals(
            SAE.load_from_disk(self.folder / slug),
            store,
            self.bridge,
            ActivationScaler(),
            get_eval_everything_config(batch, len(batches), len(batches)),
            exclude_special_tokens=self.special,
        )
        return {name: value for group in found.values() for name, value in group.items()}


@pytest.fixture(scope="module")
def compared(shared_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("evals")
    engine = open_engine(ModelConfig(name=MODEL, device="cpu"), shared_dir)
    corpus = CorpusConfig(
        kind="jsonl",
        paths=["data/corpora/tinystories_1000.json"],
        tokens=N_CONTEXTS * CONTEXT_SIZE,
        context_size=CONTEXT_SIZE,
    )
    packed = pack(
        open_corpus(corpus, shared_dir),
        engine.tokens,
        context_size=CONTEXT_SIZE,
        prepend_bos=True,
        token_budget=corpus.tokens,
    )
    token_ids = torch.from_numpy(np.stack([context.token_ids for context in packed])).long()
    assert token_ids.shape == (N_CONTEXTS, CONTEXT_SIZE)
    special = sorted(engine.tokens.special_ids)
    text = ~torch.isin(token_ids, torch.tensor(special))
    assert text.sum() < token_ids.numel() - N_CONTEXTS, "documents end inside contexts"
    read = engine.activations(token_ids, [case.hook_name for case in CASES.values()])
    for slug, case in CASES.items():
        metadata = {"hook_name": case.hook_name, "model_from_pretrained_kwargs": None}
        changes = {**dict(case.changes), "metadata": metadata}
        config = models.sae_config(case.architecture, D_IN, D_SAE, **changes)
        weights = fitted(case.architecture, config, read[case.hook_name][text].numpy())
        models.write_sae(folder / slug, case.architecture, weights=weights, d_in=D_IN, d_sae=D_SAE, **changes)
    saes = [SaeConfig(folder=slug) for slug in CASES]
    config = SiteConfig(title="t", model=ModelConfig(name=MODEL), saes=saes, corpus=corpus)
    store = AtlasStore.create(folder / "data")
    with store.lock():
        opened = [open_sae(sae, folder, "cpu", engine) for sae in saes]
        stream_activations(store, config, engine, opened, open_corpus(corpus, shared_dir))
    ours = {slug: {row["metric"]: row for row in store.read("report", slug).to_pylist()} for slug in CASES}
    path = shared_dir / MODEL
    bridge = TransformerBridge.boot_transformers(
        str(path),
        device="cpu",
        hf_model=AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval(),
        tokenizer=AutoTokenizer.from_pretrained(path),
    )
    return Compared(ours, token_ids, bridge, special, folder)


@pytest.mark.parametrize("slug", CASES)
def test_every_shared_figure_is_that_of_sae_lens(compared: Compared, slug: str):
    theirs = compared.theirs(slug, N_CONTEXTS)
    ours = {name: row["value"] for name, row in compared.ours[slug].items()}
    assert {name: ours[name] for name in SHARED} == {
        name: pytest.approx(theirs[NAMES.get(name, name)], **TOLERANCE) for name in SHARED
    }
    # The figures are worth comparing.
    assert 0.2 < ours["explained_variance"] < 0.999
    assert ours["ce_loss_without_sae"] < ours["ce_loss_with_sae"] < ours["ce_loss_with_ablation"]
    assert 2 < ours["l0"] < D_SAE / 2


@pytest.mark.parametrize("slug", ["standard", "topk", "jumprelu"])
def test_the_old_explained_variance_is_theirs_context_by_context(compared: Compared, slug: str):
    theirs = compared.theirs(slug, 1)
    found = compared.ours[slug]["explained_variance_legacy"]["value"]
    # They average tokens, we average tokens; only the batch whose mean is subtracted is another.
    assert found == pytest.approx(theirs["explained_variance_legacy"], **TOLERANCE)
    assert found != pytest.approx(compared.ours[slug]["explained_variance"]["value"], abs=1e-3)


def test_rows_name_sae_lens_and_the_tokens(compared: Compared):
    text = int((~torch.isin(compared.token_ids, torch.tensor(compared.special))).sum())
    rows = compared.ours["standard"]
    for name in SHARED:
        assert f"SAELens: {NAMES.get(name, name)})" in rows[name]["doc"]
        counted = f"{text:,} counted tokens" in rows[name]["doc"]
        assert counted or (name.startswith("ce_loss") and "with a next token" in rows[name]["doc"]), name
