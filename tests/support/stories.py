"""A real model nobody here made (stories260K), with an SAE that is trained here by SAELens itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOOK_NAME = "blocks.3.hook_resid_pre"
LAYER = 3
D_IN = 64
D_SAE = 256
CONTEXT_SIZE = 128
TOKENS = 30_000
"""Token budget of the atlas: the contexts that reach it."""


def load_model(shared: Path) -> tuple[Any, Any]:
    """The Hugging Face model in float32 and its tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = shared / "data/models/stories260K-hf"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    return model, AutoTokenizer.from_pretrained(folder)


def packed(shared: Path) -> Any:
    """int64 tensor [contexts, CONTEXT_SIZE] of the first `TOKENS` tokens, cut by SAELens' own function."""
    import torch
    from sae_lens.tokenization_and_batching import concat_and_batch_sequences

    _, tokenizer = load_model(shared)
    text = (shared / "data/corpora/tinystories_1000.json").read_text(encoding="utf-8")
    encoded = (
        torch.tensor(tokenizer(story, add_special_tokens=False)["input_ids"]) for story in json.loads(text)
    )
    bos = tokenizer.bos_token_id
    contexts = concat_and_batch_sequences(
        encoded, CONTEXT_SIZE, begin_batch_token_id=bos, sequence_separator_token_id=bos
    )
    return torch.stack([next(contexts) for _ in range(-(-TOKENS // CONTEXT_SIZE))])


def residual(shared: Path, tokens: Any) -> Any:
    """[contexts, CONTEXT_SIZE, D_IN] residual stream before block `LAYER`, from the whole model."""
    import torch

    model, _ = load_model(shared)
    with torch.no_grad():
        parts = [model(part, output_hidden_states=True).hidden_states[LAYER] for part in tokens.split(32)]
    return torch.cat(parts)


def train_sae(shared: Path, folder: Path, steps: int = 200) -> Path:
    """Train a BatchTopK SAE on the stories with SAELens' own trainer and save it for inference."""
    import torch
    from sae_lens import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, LoggingConfig
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(0)
    rows = residual(shared, packed(shared))[:, 1:].reshape(-1, D_IN)
    order = torch.Generator().manual_seed(0)
    batches = (rows[torch.randint(0, len(rows), (1024,), generator=order)] for _ in range(10**9))
    sae = BatchTopKTrainingSAE(
        BatchTopKTrainingSAEConfig(d_in=D_IN, d_sae=D_SAE, k=8, apply_b_dec_to_input=True)
    )
    settings = SAETrainerConfig(
        total_training_samples=steps * 1024,
        train_batch_size_samples=1024,
        lr=2e-3,
        lr_end=2e-4,
        lr_warm_up_steps=10,
        dead_feature_window=100,
        logger=LoggingConfig(log_to_wandb=False),
    )
    trained = SAETrainer(cfg=settings, sae=sae, data_provider=batches).fit()
    trained.cfg.metadata.model_name = "stories260K"
    trained.cfg.metadata.hook_name = HOOK_NAME
    trained.cfg.metadata.prepend_bos = True
    trained.cfg.metadata.context_size = CONTEXT_SIZE
    trained.save_inference_model(str(folder))
    return folder


def write_config(shared: Path, sae: Path, folder: Path, engine: str = "transformers") -> Path:
    """A `site_config.yaml` in `folder` for the stories; the path of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "site_config.yaml"
    path.write_text(
        f"""title: Small stories
model:
  name: {shared / "data/models/stories260K-hf"}
  engine: {engine}
  device: cpu
saes:
  - slug: stories-res-3
    title: Stories, layer 3
    folder: {sae}
corpus:
  kind: jsonl
  paths: [{shared / "data/corpora/tinystories_1000.json"}]
  tokens: {TOKENS}
""",
        encoding="utf-8",
    )
    return path
