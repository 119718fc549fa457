"""Step 4: measure an SAE on text that the language model has not seen.

    python -m recipes.demo.figures --data work/data --model work/model --sae work/sae-l2

Only torch, transformers and safetensors: nothing of Feature Atlas or SAELens takes part, so that the figures
are an independent check of both.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recipes.demo.train_lm import sequences

TEST_TOKENS = 20_000
"""Tokens of the library's tests that are measured beside the held-out files."""

BATCH = 16

SEED = 3
"""Of the places that are measured: the same for every SAE."""


@dataclass(frozen=True)
class Figures:
    """What is reported; every mean is over all tokens but position 0 of each context."""

    tokens: int
    """Tokens measured."""
    explained_variance: float
    """1 - (squared error) / (squared distance to the batch mean)."""
    l0: float
    """Mean number of features that fire on a token."""
    loss: float
    """Cross-entropy of the model, nats per token."""
    loss_with_sae: float
    """The same with the hook's activation replaced by the SAE's reconstruction."""
    loss_with_zero: float
    """The same with the hook's activation replaced by zero."""
    loss_recovered: float
    """(zero - sae) / (zero - model)."""
    features_alive: int
    """Features that fired at least once."""


class JumpRelu:
    """A JumpReLU SAE read straight from its safetensors file."""

    def __init__(self, folder: Path) -> None:
        """Read `cfg.json` and `sae_weights.safetensors` of `folder`."""
        from safetensors.torch import load_file

        weights = load_file(folder / "sae_weights.safetensors")
        self.W_enc, self.b_enc, self.W_dec, self.b_dec, self.threshold = (
            weights[name].float() for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold")
        )
        config = json.loads((folder / "cfg.json").read_text(encoding="utf-8"))
        self.layer = int(config["metadata"]["hook_name"].split(".")[1])
        self.centred = bool(config["apply_b_dec_to_input"])

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """[…, d_in] → […, d_sae]."""
        pre = (x - self.b_dec if self.centred else x) @ self.W_enc + self.b_enc
        return torch.relu(pre) * (pre > self.threshold)

    def decode(self, activations: torch.Tensor) -> torch.Tensor:
        """[…, d_sae] → […, d_in]."""
        return activations @ self.W_dec + self.b_dec


def loss_with(
    model: Any, windows: torch.Tensor, layer: int, change: Callable[[torch.Tensor], torch.Tensor]
) -> float:
    """Cross-entropy with the residual stream before block `layer` changed everywhere but at position 0."""

    def hook(module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        del module
        stream = inputs[0]
        return (torch.cat([stream[:, :1], change(stream[:, 1:])], dim=1), *inputs[1:])

    handle = model.transformer.h[layer].register_forward_pre_hook(hook)
    try:
        logits = model(windows[:, :-1]).logits
    finally:
        handle.remove()
    return torch.nn.functional.cross_entropy(logits[:, 1:].flatten(0, 1), windows[:, 2:].flatten()).item()


@torch.no_grad()
def measure(model: Any, sae: JumpRelu, ids: np.ndarray, context: int, batches: int) -> Figures:
    """The figures over `batches` batches of windows at random places of `ids`."""
    rng = np.random.default_rng(SEED)
    losses: dict[str, list[float]] = {"model": [], "sae": [], "zero": []}
    error = spread = 0.0
    firings = torch.zeros(sae.b_enc.numel())
    tokens = 0
    for _ in range(batches):
        windows = sequences(ids, BATCH, context, rng)
        losses["model"].append(loss_with(model, windows, sae.layer, lambda x: x))
        losses["sae"].append(loss_with(model, windows, sae.layer, lambda x: sae.decode(sae.encode(x))))
        losses["zero"].append(loss_with(model, windows, sae.layer, torch.zeros_like))
        hidden = model(windows[:, :-1], output_hidden_states=True).hidden_states[sae.layer]
        x = hidden[:, 1:].reshape(-1, hidden.shape[-1])
        activations = sae.encode(x)
        error += float(((x - sae.decode(activations)) ** 2).sum())
        spread += float(((x - x.mean(0)) ** 2).sum())
        firings += (activations > 0).sum(0)
        tokens += len(x)
    loss = {name: float(np.mean(values)) for name, values in losses.items()}
    return Figures(
        tokens=tokens,
        explained_variance=1 - error / spread,
        l0=float(firings.sum()) / tokens,
        loss=loss["model"],
        loss_with_sae=loss["sae"],
        loss_with_zero=loss["zero"],
        loss_recovered=(loss["zero"] - loss["sae"]) / (loss["zero"] - loss["model"]),
        features_alive=int((firings > 0).sum()),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--sae", type=Path, required=True)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--batches", type=int, default=12)
    options = parser.parse_args(arguments)
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    held_out = np.load(options.data / "library_held_out.npy")
    ids = np.concatenate([held_out, np.load(options.data / "tests.npy")[:TEST_TOKENS]])
    figures = measure(model, JumpRelu(options.sae), ids, options.context, options.batches)
    print(json.dumps(asdict(figures), indent=1))


if __name__ == "__main__":
    main()
