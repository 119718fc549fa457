"""Two small atlases that bring their model, built as a user builds them, and the same numbers from torch.

The references are written with transformers and torch alone: no line of atlas computes them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import stories
from tests.support.once import once

FEATURES = 256
"""Features of each SAE of the small demo: the first so many of the bundled one."""

DEMO = """\
title: A small demo
model:
  name: {model}
  device: cpu
saes:
  - slug: layer-2
    title: Layer 2
    folder: sae-l2
  - slug: layer-3
    title: Layer 3
    folder: sae-l3
corpus:
  kind: python_stdlib
  context_size: 64
  tokens: 12000
pass:
  loss_tokens: 0
enrich:
  effects: "off"
browser_model: true
browser_precision: {precision}
"""


@dataclass(frozen=True)
class Runnable:
    """A finished build."""

    data: Path
    site: Path
    model: Path
    """Folder of the Hugging Face model."""
    saes: dict[str, tuple[int, Path]]
    """Slug → the block in front of which the SAE reads and writes, and its folder."""
    context_size: int


def build(config: Path) -> None:
    """Run `atlas build` as a user does; forced, for a cut SAE reconstructs badly."""
    command = [sys.executable, "-m", "atlas", "build", str(config), "--force"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def sliced_sae(source: Path, target: Path, features: int) -> Path:
    """The first `features` features of the SAE in `source`, saved to `target`."""
    from safetensors.numpy import load_file, save_file

    target.mkdir(parents=True)
    tensors = load_file(source / "sae_weights.safetensors")
    cut = {name: values[..., :features] for name, values in tensors.items()}
    cut["W_dec"], cut["b_dec"] = tensors["W_dec"][:features], tensors["b_dec"]
    save_file({name: np.ascontiguousarray(v) for name, v in cut.items()}, target / "sae_weights.safetensors")
    facts = json.loads((source / "cfg.json").read_text(encoding="utf-8"))
    (target / "cfg.json").write_text(json.dumps({**facts, "d_sae": features}), encoding="utf-8")
    return target


def small_demo(demo: Path, factory: pytest.TempPathFactory, precision: str = "fp32") -> Runnable:
    """The bundled model with two SAEs of `FEATURES` features; its site is in windows of 64 tokens."""

    def make(folder: Path) -> None:
        for name in ("sae-l2", "sae-l3"):
            sliced_sae(demo / name, folder / name, FEATURES)
        config = folder / "site_config.yaml"
        config.write_text(DEMO.format(model=demo / "model", precision=precision), encoding="utf-8")
        build(config)

    folder = once(factory, f"demo-{precision}", make)
    entries = {"layer-2": (2, folder / "sae-l2"), "layer-3": (3, folder / "sae-l3")}
    return Runnable(folder / "build/data", folder / "build/site", demo / "model", entries, 64)


def small_stories(shared: Path, folder: Path) -> Runnable:
    """stories260K, a Llama that nobody here made, with an SAE trained here by SAELens."""
    sae = stories.train_sae(shared, folder / "sae", steps=60)
    config = stories.write_config(shared, sae, folder)
    text = config.read_text(encoding="utf-8")
    small = text.replace(f"tokens: {stories.TOKENS}", "tokens: 8000")
    config.write_text(f'{small}browser_model: true\nenrich:\n  effects: "off"\n', encoding="utf-8")
    build(config)
    entries = {"stories-res-3": (stories.LAYER, sae)}
    model = shared / "data/models/stories260K-hf"
    return Runnable(folder / "build/data", folder / "build/site", model, entries, stories.CONTEXT_SIZE)


class Torch:
    """The model and the SAEs of a `Runnable` in torch, float32, whole sequences at once."""

    def __init__(self, built: Runnable) -> None:
        import torch
        from safetensors.torch import load_file
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(built.model, dtype="float32").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(built.model)
        self.layers = {slug: layer for slug, (layer, _) in built.saes.items()}
        self.saes = {
            slug: load_file(path / "sae_weights.safetensors") for slug, (_, path) in built.saes.items()
        }
        self.bos = self.tokenizer.bos_token_id
        self.context_size = built.context_size

    def ids(self, text: str) -> list[int]:
        """Tokens of `text`, nothing added."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def windows(self, text: str) -> list[list[int]]:
        """The windows of `text`, each with BOS in front."""
        ids, room = self.ids(text), self.context_size - 1
        return [[self.bos, *ids[start : start + room]] for start in range(0, len(ids), room)]

    def encode(self, slug: str, state: Any) -> Any:
        """JumpReLU activations of the residual stream `state` [..., d], as SAELens defines them."""
        sae = self.saes[slug]
        before = (state - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"]
        return self.torch.relu(before) * (before > sae["threshold"])

    def activations(self, slug: str, text: str) -> np.ndarray:
        """Activations of all windows of `text`, [n tokens, d_sae]."""
        with self.torch.no_grad():
            parts = [
                self.encode(
                    slug,
                    self.model(self.torch.tensor([window]), output_hidden_states=True).hidden_states[
                        self.layers[slug]
                    ],
                )[0]
                for window in self.windows(text)
            ]
        return self.torch.cat(parts).numpy()

    def logits(self, slug: str, ids: list[int], strong: dict[int, float], mode: str) -> tuple[Any, Any]:
        """Logits [vocabulary] behind `ids`, and the features' activations there before the change.

        `strong`: feature → strength in activation units; BOS at position 0 is left as it is.
        """
        measured: list[Any] = []

        def change(_: Any, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
            state = inputs[0] if inputs else keywords["hidden_states"]
            now = self.encode(slug, state)
            measured.append(now[0, -1, list(strong)].numpy())
            goal = {f: now[..., f] + s if mode == "add" else self.torch.full_like(now[..., f], s)
                    for f, s in strong.items()}  # fmt: skip
            delta = self.torch.zeros_like(state)
            for feature, value in goal.items():
                delta += (value - now[..., feature])[..., None] * self.saes[slug]["W_dec"][feature]
            delta[:, 0] = 0
            changed = state + delta
            return (
                ((changed, *inputs[1:]), keywords)
                if inputs
                else (inputs, {**keywords, "hidden_states": changed})
            )

        blocks = getattr(self.model, "transformer", None) or self.model.model
        block = (blocks.h if hasattr(blocks, "h") else blocks.layers)[self.layers[slug]]
        handle = block.register_forward_pre_hook(change, with_kwargs=True)
        try:
            with self.torch.no_grad():
                logits = self.model(self.torch.tensor([ids]), use_cache=False).logits[0, -1].numpy()
        finally:
            handle.remove()
        return logits, measured[0]
