"""Every activation of a model, read by `transformers` and sae-lens alone: what the oracle is fed with.

Nothing of ours is used: the packing rule is written down again, the model is the whole Hugging Face model
with plain PyTorch hooks, the encoder is sae-lens' own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch


def pack(
    documents: Sequence[Sequence[int]], size: int, *, bos: int | None = None, separator: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(token_ids, document_idx), both int64 [contexts, size], padded with -1; empty documents are none.

    A context begins with `bos`; a document that begins inside a context has `separator` in front. Neither is
    doubled where the text has it already, and both belong to the document after them.
    """
    rows: list[list[tuple[int, int]]] = [[]]
    for number, ids in enumerate(ids for ids in documents if len(ids)):
        for place, token in enumerate(ids):
            if len(rows[-1]) == size:
                rows.append([])
            opening = bos if not rows[-1] else separator if place == 0 else None
            if opening is not None and token != opening:
                rows[-1].append((opening, number))
                if len(rows[-1]) == size:
                    rows.append([(bos, number)] if bos is not None and token != bos else [])
            rows[-1].append((token, number))
    rows[-1] += [(-1, -1)] * (size - len(rows[-1]))
    return np.array([[t for t, _ in row] for row in rows]), np.array([[d for _, d in row] for row in rows])


@dataclass(frozen=True)
class Place:
    """Where in a Hugging Face model a hook of TransformerLens' name is."""

    module: str
    """Name of the submodule, the layer as `{}`."""
    before: bool = False
    """What goes into it, instead of what comes out of it."""


GPT2 = {
    "hook_resid_pre": Place("transformer.h.{}", before=True),
    "hook_resid_mid": Place("transformer.h.{}.ln_2", before=True),
    "hook_resid_post": Place("transformer.h.{}"),
    "hook_attn_out": Place("transformer.h.{}.attn"),
    "hook_mlp_out": Place("transformer.h.{}.mlp"),
    "attn.hook_z": Place("transformer.h.{}.attn.c_proj", before=True),
    "mlp.hook_post": Place("transformer.h.{}.mlp.c_proj", before=True),
    "mlp.hook_pre": Place("transformer.h.{}.mlp.c_fc"),
}
"""Hook → place, for GPT-2."""


@dataclass
class Readings:
    """What a model computed on a corpus."""

    activations: dict[str, torch.Tensor]
    """Hook name → float32 [contexts, size, width]."""
    logits: torch.Tensor
    """float32 [contexts, size, vocabulary]."""


def read(
    model: Any, token_ids: np.ndarray, hook_names: Sequence[str], places: dict[str, Place], batch: int = 8
) -> Readings:
    """Run the whole `model` on `token_ids` (-1 is read as token 0), `batch` contexts at a time."""
    found: dict[str, list[torch.Tensor]] = {name: [] for name in hook_names}
    handles = [listen(model, name, places, found[name].append) for name in hook_names]
    ids = torch.from_numpy(np.maximum(token_ids, 0).astype(np.int64))
    missing = -len(ids) % batch
    padded = torch.cat([ids, torch.zeros(missing, ids.shape[1], dtype=torch.int64)])
    try:
        with torch.no_grad():
            logits = [model(part).logits.float() for part in padded.split(batch)]
    finally:
        for handle in handles:
            handle.remove()
    activations = {name: torch.cat(parts)[: len(ids)].float() for name, parts in found.items()}
    return Readings(activations, torch.cat(logits)[: len(ids)])


def logits_with(
    model: Any, token_ids: np.ndarray, hook_name: str, places: dict[str, Place], value: torch.Tensor
) -> torch.Tensor:
    """Logits [contexts, size, vocabulary] with `value` in place of the whole tensor at `hook_name`.

    Not for `hook_resid_mid`, which no module of Hugging Face's reads alone: it is what attention adds to
    `hook_resid_pre`.
    """
    _, layer, point = hook_name.split(".", 2)
    place = places[point]
    module = model.get_submodule(place.module.format(layer))

    def after(_: Any, __: Any, output: Any) -> Any:
        return (value, *output[1:]) if isinstance(output, tuple) else value

    handle = (
        module.register_forward_pre_hook(lambda _, args: (value, *args[1:]))
        if place.before
        else module.register_forward_hook(after)
    )
    try:
        with torch.no_grad():
            return model(torch.from_numpy(np.maximum(token_ids, 0).astype(np.int64))).logits.float()
    finally:
        handle.remove()


def listen(model: Any, hook_name: str, places: dict[str, Place], take: Callable[[torch.Tensor], None]) -> Any:
    """Hand `take` the tensor at `hook_name` of every forward pass; the handle removes it again."""
    _, layer, point = hook_name.split(".", 2)
    place = places[point]
    module = model.get_submodule(place.module.format(layer))
    if place.before:
        return module.register_forward_pre_hook(lambda _, args: take(args[0].detach().clone()))
    return module.register_forward_hook(lambda _, args, out: take(_tensor(out).detach().clone()))


def _tensor(output: Any) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output


def load_sae(folder: Path) -> Any:
    """The SAE as sae-lens loads it, in float32 on the CPU."""
    from sae_lens import SAE

    with warnings.catch_warnings():
        # Advice on how to load the model, which for these models changes nothing.
        warnings.simplefilter("ignore", UserWarning)
        return SAE.load_from_disk(folder, device="cpu", dtype="float32")


def encode(sae: Any, inputs: torch.Tensor) -> torch.Tensor:
    """[contexts, size, d_in] → [contexts, size, d_sae], by sae-lens, context by context."""
    with torch.no_grad():
        return torch.stack([sae.encode(context) for context in inputs])


def reconstruct(sae: Any, inputs: torch.Tensor) -> torch.Tensor:
    """[contexts, size, d_in] → sae-lens' whole forward pass over them, context by context."""
    with torch.no_grad():
        return torch.stack([sae(context) for context in inputs])
