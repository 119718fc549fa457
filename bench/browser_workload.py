"""A random model of GPT-2 small's shape, its tokenizer and SAEs, as folders for `atlas build`; by seed.

The SAEs are made so that storing weights in fewer bits harms them about as much as it harms trained ones.
Random directions would not do: what they fire on barely stands out, and any rounding makes them fire
elsewhere. Here each feature answers to a few kinds of tokens. Its direction, the same to read and to write,
is the mean direction in which the residual stream leaves its centre at those tokens; its threshold is the
quantile of what is measured along it that lets it fire as often as they occur. All features together fire
`L0` times a token.
"""

from __future__ import annotations

import json
import platform
import sysconfig
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch

from atlas.sources.corpora.python_stdlib import PythonStdlibCorpus
from bench.workload import thresholds

LAYERS, WIDTH, VOCABULARY, CONTEXT = 12, 768, 50_257, 1024
"""Blocks of the model, d_model, tokens, longest sequence."""

FEATURES, L0 = 24_576, 40.0
"""Features of each SAE, and how many of them fire on a token on average."""

KINDS = 4
"""Kinds of tokens that a feature answers to."""

WINDOW, TOKENS = 128, 6_000
"""Tokens of a context of the atlas, and of its whole corpus: as few as the gate is content with."""

END = "<|endoftext|>"

_CALIBRATION_CONTEXTS = 128
"""Contexts that the SAEs are made on: the beginning of the corpus, the part that is read included."""


def slug_of(hook: int) -> str:
    """The SAE in front of block `hook`."""
    return f"layer-{hook}"


_CONFIG = """\
title: A random model of GPT-2 small's shape
model:
  name: model
  device: cpu
saes:
{saes}\
corpus:
  kind: python_stdlib
  context_size: {window}
  tokens: {tokens}
pass:
  loss_tokens: 0
  top_examples: 2
enrich:
  effects: "off"
browser_model: true
browser_precision: int8
"""


def make(folder: Path, hooks: Sequence[int], seed: int = 0) -> Path:
    """Write model, tokenizer, an SAE in front of each block of `hooks`, and config into `folder`;
    the config's path.
    """
    torch.manual_seed(seed)
    model = _model(folder / "model")
    ids = _tokens(folder / "model")
    kinds = ids[:, 1:].flatten()
    for hook, inputs in zip(hooks, _inputs(model, ids, hooks), strict=True):
        write_sae(folder / f"sae-{hook}", hook, inputs, kinds)
    path = folder / "site_config.yaml"
    path.write_text(config(hooks), encoding="utf-8")
    return path


def config(hooks: Sequence[int]) -> str:
    """The `site_config.yaml` of an atlas of the model with these SAEs."""
    saes = (f"  - slug: {slug_of(hook)}\n    title: Layer {hook}\n    folder: sae-{hook}\n" for hook in hooks)
    return _CONFIG.format(saes="".join(saes), window=WINDOW, tokens=TOKENS)


def _texts() -> Iterator[str]:
    """The corpus of the atlas, document by document."""
    corpus = PythonStdlibCorpus(Path(sysconfig.get_paths()["stdlib"]), platform.python_version())
    return (document.text for document in corpus.documents())


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
    """[contexts, WINDOW] the first tokens of the corpus, BOS first."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = (idx for text in _texts() for idx in tokenizer.encode(text).ids)
    rows = torch.tensor(list(islice(ids, _CALIBRATION_CONTEXTS * (WINDOW - 1)))).reshape(-1, WINDOW - 1)
    return torch.nn.functional.pad(rows, (1, 0), value=0)


def _inputs(model: Any, ids: torch.Tensor, hooks: Sequence[int]) -> list[torch.Tensor]:
    """For each of `hooks` the residual stream [tokens, WIDTH] at `ids`, BOS left out."""
    read: list[tuple[torch.Tensor, ...]] = []
    with torch.inference_mode():
        for rows in ids.split(8):
            found = model.transformer(rows, output_hidden_states=True).hidden_states
            read.append(tuple(found[hook][:, 1:].flatten(0, 1) for hook in hooks))
    return [torch.cat(parts) for parts in zip(*read, strict=True)]


def write_sae(folder: Path, hook: int, inputs: torch.Tensor, kinds: torch.Tensor) -> None:
    """The SAE in front of block `hook`, from `inputs` [tokens, WIDTH] at tokens of `kinds` [tokens]."""
    from safetensors.torch import save_file

    centre = inputs.mean(dim=0)
    directions, density = features(inputs - centre, kinds)
    bias = -thresholds(inputs - centre, directions, density.numpy())
    folder.mkdir(parents=True)
    weights = {"W_enc": directions.T.contiguous(), "W_dec": directions, "b_enc": bias, "b_dec": centre}
    save_file(weights, folder / "sae_weights.safetensors")
    facts = {
        "architecture": "standard", "d_in": WIDTH, "d_sae": FEATURES, "dtype": "float32", "device": "cpu",
        "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": version("sae-lens"), "model_name": "random", "prepend_bos": True,
            "hook_name": f"blocks.{hook}.hook_resid_pre", "context_size": WINDOW,
        },
    }  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(facts), encoding="utf-8")


def features(inputs: torch.Tensor, kinds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """([FEATURES, WIDTH] unit directions, [FEATURES] how often each shall fire), from centred `inputs`."""
    _, kind_of, counts = torch.unique(kinds, return_inverse=True, return_counts=True)
    means = torch.zeros(len(counts), WIDTH).index_add_(0, kind_of, inputs) / counts[:, None]
    units = torch.nn.functional.normalize(means, dim=1)
    drawn = torch.randint(len(counts), (FEATURES, KINDS))
    density = counts[drawn].double().sum(dim=1)
    return torch.nn.functional.normalize(units[drawn].sum(dim=1), dim=1), density * (L0 / density.sum())
