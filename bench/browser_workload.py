"""A random model of GPT-2 small's shape, its tokenizer and an SAE, as folders for `atlas build`; by seed."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from bench.workload import densities, thresholds

LAYERS, LAYER, WIDTH, VOCABULARY, CONTEXT = 12, 8, 768, 50_257, 1024
"""Blocks of the model, the one that the SAE stands in front of, d_model, tokens, longest sequence."""

FEATURES, L0 = 24_576, 40.0
"""Features of the SAE, and how many of them fire on a token on average."""

WINDOW, TOKENS = 128, 6_000
"""Tokens of a context of the atlas, and of its whole corpus: as few as the gate is content with."""

SLUG = "layer-8"
END = "<|endoftext|>"

_CALIBRATION_CONTEXTS = 64

CONFIG = f"""\
title: A random model of GPT-2 small's shape
model:
  name: model
  device: cpu
saes:
  - slug: {SLUG}
    title: Layer {LAYER}
    folder: sae
corpus:
  kind: python_stdlib
  context_size: {WINDOW}
  tokens: {TOKENS}
pass:
  loss_tokens: 0
  top_examples: 2
enrich:
  effects: "off"
browser_model: true
browser_precision: int8
"""


def make(folder: Path, seed: int = 0) -> Path:
    """Write model, tokenizer, SAE and config into `folder`; the config's path."""
    torch.manual_seed(seed)
    model = _model(folder / "model")
    _sae(folder / "sae", model, _tokens(folder / "model"), seed)
    config = folder / "site_config.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def _sources() -> list[Path]:
    """Files of the standard library, in order of name."""
    return sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))


def _texts() -> Iterator[str]:
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        yield path.read_text(encoding="utf-8", errors="replace")


def _model(folder: Path) -> Any:
    """The model, saved with a byte-level BPE of the standard library."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END).save_pretrained(folder)
    config = GPT2Config(
        n_layer=LAYERS, n_embd=WIDTH, n_head=WIDTH // 64, vocab_size=VOCABULARY, n_positions=CONTEXT,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = cast("Any", GPT2LMHeadModel)(config).eval()
    model.save_pretrained(folder)
    return model


def _tokens(folder: Path) -> torch.Tensor:
    """[contexts, WINDOW] tokens of the standard library, BOS first."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids: list[int] = []
    for path in _sources():
        ids += tokenizer.encode(path.read_text(encoding="utf-8", errors="replace")).ids
        if len(ids) >= _CALIBRATION_CONTEXTS * WINDOW:
            break
    rows = torch.tensor(ids[: _CALIBRATION_CONTEXTS * (WINDOW - 1)]).reshape(-1, WINDOW - 1)
    return torch.nn.functional.pad(rows, (1, 0), value=0)


def _sae(folder: Path, model: Any, tokens: torch.Tensor, seed: int) -> None:
    """Random directions whose thresholds give realistic densities on `tokens`."""
    from safetensors.torch import save_file

    with torch.inference_mode():
        read = [model(rows, output_hidden_states=True).hidden_states[LAYER] for rows in tokens.split(8)]
        inputs = torch.cat(read)[:, 1:].reshape(-1, WIDTH)
        centre = inputs.mean(dim=0)
        directions = torch.nn.functional.normalize(torch.randn(FEATURES, WIDTH), dim=1)
        wanted = densities(FEATURES, L0, np.random.default_rng(seed))
        bias = -thresholds(inputs - centre, directions, wanted)
    folder.mkdir(parents=True)
    weights = {"W_enc": directions.T.contiguous(), "W_dec": directions, "b_enc": bias, "b_dec": centre}
    save_file(weights, folder / "sae_weights.safetensors")
    facts = {
        "architecture": "standard", "d_in": WIDTH, "d_sae": FEATURES, "dtype": "float32", "device": "cpu",
        "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": version("sae-lens"), "model_name": "random", "prepend_bos": True,
            "hook_name": f"blocks.{LAYER}.hook_resid_pre", "context_size": WINDOW,
        },
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(facts), encoding="utf-8")
