"""Step 3: train an SAE on one hook of the language model, with SAELens' own runner and without any hub.

    python -m recipes.demo.train_sae --data work/data --model work/model --out work/sae-l2 \
        --hook-name blocks.2.hook_resid_pre --tokens 7000000

Trained as BatchTopK, saved by SAELens as JumpReLU with one threshold per feature.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

MODEL_NAME, DATASET_NAME = "stdlib-gpt2", "python-stdlib"
"""Written into the SAE's metadata instead of local folders, whose names mean nothing elsewhere."""

TEST_TOKENS = 600_000
"""How much of the library's tests the SAE is trained on, beside the whole library."""

BATCH_TOKENS = 2048
"""Tokens per training step."""

SPARE = 1.3
"""Rows prepared per row trained on: estimates and evaluations take some, and special tokens are dropped."""

BUFFER_BATCHES = 2
"""Batches of activations that are mixed at a time."""


def hooked_model(folder: Path) -> TransformerBridge:
    """The model of a Hugging Face folder with TransformerLens' hooks and unchanged weights."""
    from transformer_lens.model_bridge import TransformerBridge

    return TransformerBridge.boot_transformers(str(folder), device="cpu")


def contexts(folder: Path, context: int, tokens: int, seed: int) -> np.ndarray:
    """int64 [n, context] sequences in random order, BOS at position 0, at least `tokens` in all.

    Held-out files are left out. The corpus is repeated when it is too short.
    """
    parts = [np.load(folder / f"{name}.npy") for name in ("library_train", "topics")]
    ids = np.concatenate([*parts, np.load(folder / "tests.npy")[:TEST_TOKENS]])
    ids = np.tile(ids, -(-tokens // ids.size))
    body = context - 1
    rows = ids[: ids.size // body * body].reshape(-1, body).astype(np.int64)
    rows = np.concatenate([np.zeros((len(rows), 1), np.int64), rows], axis=1)
    np.random.default_rng(seed).shuffle(rows)
    return rows


def settings(options: argparse.Namespace, d_in: int, context: int, scratch: str) -> Any:
    """The runner's configuration."""
    from sae_lens import BatchTopKTrainingSAEConfig, LanguageModelSAERunnerConfig, LoggingConfig

    steps = max(1, options.tokens // BATCH_TOKENS)
    return LanguageModelSAERunnerConfig(
        sae=BatchTopKTrainingSAEConfig(
            d_in=d_in,
            d_sae=options.d_sae,
            k=float(options.k),
            normalize_activations="expected_average_only_in",
            apply_b_dec_to_input=True,
        ),
        model_name=MODEL_NAME,
        model_class_name="HookedTransformer",
        hook_name=options.hook_name,
        dataset_path=DATASET_NAME,
        is_dataset_tokenized=True,
        streaming=False,
        context_size=context,
        prepend_bos=True,
        exclude_special_tokens=True,
        training_tokens=options.tokens,
        train_batch_size_tokens=min(BATCH_TOKENS, options.tokens),
        n_batches_in_buffer=BUFFER_BATCHES * BATCH_TOKENS // context,
        store_batch_size_prompts=16,
        lr=2e-3,
        lr_warm_up_steps=min(20, steps),
        lr_decay_steps=steps // 3,
        n_batches_for_norm_estimate=4,
        dead_feature_window=300,
        feature_sampling_window=1000,
        device="cpu",
        seed=options.seed,
        n_checkpoints=0,
        checkpoint_path=f"{scratch}/checkpoints",
        output_path=str(options.out),
        n_eval_batches=1,
        verbose=False,
        logger=LoggingConfig(log_to_wandb=False, eval_every_n_wandb_logs=100_000),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write the SAE folder (`cfg.json`, `sae_weights.safetensors`)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hook-name", required=True)
    parser.add_argument("--d-sae", type=int, default=2048)
    parser.add_argument("--k", type=int, default=16, help="features that fire on an average token")
    parser.add_argument("--tokens", type=int, default=7_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", WANDB_MODE="disabled")
    from datasets import Dataset
    from sae_lens import LanguageModelSAETrainingRunner

    shape = json.loads((options.model / "config.json").read_text(encoding="utf-8"))
    context = shape["n_positions"]
    needed = int(options.tokens * SPARE) + 16 * BATCH_TOKENS
    rows = contexts(options.data, context, needed, options.seed)
    dataset = Dataset.from_dict({"input_ids": rows.tolist()})
    with tempfile.TemporaryDirectory() as scratch:
        config = settings(options, shape["n_embd"], context, scratch)
        runner = LanguageModelSAETrainingRunner(
            config, override_dataset=dataset, override_model=hooked_model(options.model)
        )
        runner.run()
    keep_weights_only(options.out)


def keep_weights_only(folder: Path) -> None:
    """Delete what the runner leaves beside the two files of an SAE (its own settings and log sparsity)."""
    for path in folder.iterdir():
        if path.name not in {"cfg.json", "sae_weights.safetensors"}:
            path.unlink()


if __name__ == "__main__":
    main()
