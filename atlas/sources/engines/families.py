"""Where each TransformerLens hook lies in the modules of each Hugging Face model family.

Meaning of the hooks (TransformerLens): `hook_resid_pre` is the residual stream before a block,
`hook_resid_mid` between attention and MLP, `hook_resid_post` after the block; `hook_attn_out` and
`hook_mlp_out` are what attention and MLP add to it (in Gemma 2 and 3 after their post-norms);
`attn.hook_z` is the input of the attention's output projection, heads side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from atlas.errors import InputError, nearest

Side = Literal["input", "output"]


@dataclass(frozen=True)
class Tap:
    """One place in a block where a tensor can be read."""

    module: str
    """Dotted path below the block; empty for the block itself."""
    side: Side
    """Whether the tensor is the module's first input or its (first) output."""


@dataclass(frozen=True)
class Family:
    """One kind of decoder."""

    body: tuple[str, ...]
    """Dotted paths below the causal model at which the decoder may lie, first match wins."""
    layers: str
    """The list of blocks below the body."""
    norm: str
    """The final norm below the body."""
    norm_kind: Literal["layer_norm", "rms_norm"]
    """What the final norm is."""
    norm_offset: float
    """Added to the norm's weight to give its scale (Gemma stores scale - 1)."""
    taps: dict[str, Tap]
    """Hook name without `blocks.N.` → where; in the order in which a block computes them."""


def _taps(attention: str, projection: str, middle: str, mlp: str, attention_side: str = "") -> dict[str, Tap]:
    """The six hooks of a sequential block; `attention_side` is the post-attention norm, if any."""
    return {
        "hook_resid_pre": Tap("", "input"),
        "attn.hook_z": Tap(projection, "input"),
        "hook_attn_out": Tap(attention_side or attention, "output"),
        "hook_resid_mid": Tap(middle, "input"),
        "hook_mlp_out": Tap(mlp, "output"),
        "hook_resid_post": Tap("", "output"),
    }


_GPT2 = Family(("transformer",), "h", "ln_f", "layer_norm", 0.0, _taps("attn", "attn.c_proj", "ln_2", "mlp"))
_GPT_NEO = Family(
    ("transformer",), "h", "ln_f", "layer_norm", 0.0, _taps("attn", "attn.attention.out_proj", "ln_2", "mlp")
)
_GPT_NEOX = Family(
    ("gpt_neox",),
    "layers",
    "final_layer_norm",
    "layer_norm",
    0.0,
    _taps("attention", "attention.dense", "post_attention_layernorm", "mlp"),
)
_LLAMA_TAPS = _taps("self_attn", "self_attn.o_proj", "post_attention_layernorm", "mlp")
_LLAMA = Family(("model",), "layers", "norm", "rms_norm", 0.0, _LLAMA_TAPS)
_GEMMA = Family(("model",), "layers", "norm", "rms_norm", 1.0, _LLAMA_TAPS)
_GEMMA_2 = Family(
    ("model.language_model", "model"),
    "layers",
    "norm",
    "rms_norm",
    1.0,
    _taps(
        "self_attn",
        "self_attn.o_proj",
        "pre_feedforward_layernorm",
        "post_feedforward_layernorm",
        "post_attention_layernorm",
    ),
)

FAMILIES: dict[str, Family] = {
    "gpt2": _GPT2,
    "gpt_neo": _GPT_NEO,
    "gpt_neox": _GPT_NEOX,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma": _GEMMA,
    "gemma2": _GEMMA_2,
    "gemma3_text": _GEMMA_2,
    "gemma3": _GEMMA_2,
}
"""Hugging Face `model_type` → family."""


def family_of(model_type: str) -> Family:
    """The family of a Hugging Face `model_type`; `InputError` listing the known ones."""
    if model_type not in FAMILIES:
        raise InputError(
            f"engine transformers does not know where to read in architecture {model_type!r};"
            f" it knows {', '.join(sorted(FAMILIES))}",
            where="model.engine",
            fix="set engine: transformer_lens, which knows many more",
        )
    return FAMILIES[model_type]


def hook_kinds(family: Family, config: Any) -> list[str]:
    """The hooks one block really has: with parallel attention and MLP there is no `hook_resid_mid`."""
    parallel = bool(getattr(config, "use_parallel_residual", False))
    return [kind for kind in family.taps if not (parallel and kind == "hook_resid_mid")]


def split_hook(hook_name: str) -> tuple[int, str] | None:
    """(layer, hook within the block) of `blocks.N.…`; None for any other spelling."""
    parts = hook_name.split(".", 2)
    if len(parts) != 3 or parts[0] != "blocks" or not parts[1].isdecimal():  # noqa: PLR2004
        return None
    return int(parts[1]), parts[2]


def unknown_hook(hook_name: str, known: list[str]) -> InputError:
    """The error for a hook the model does not have, with the three nearest it has."""
    return InputError(
        f"hook {hook_name!r} is not in the model",
        where="hook_name",
        fix=f"the nearest are {', '.join(_nearest_hooks(hook_name, known))}",
    )


def _nearest_hooks(hook_name: str, known: list[str], count: int = 3) -> list[str]:
    """The same hook in the nearest layers, then the most similar names."""
    asked = split_hook(hook_name)
    ranked: list[str] = []
    if asked is not None:
        layer, kind = asked
        same = [
            (abs(found[0] - layer), name)
            for name in known
            if (found := split_hook(name)) and found[1] == kind
        ]
        ranked = [name for _, name in sorted(same)]
        if not ranked:
            ranked = nearest(
                hook_name, [name for name in known if name.startswith(f"blocks.{layer}.")], count
            )
    ranked += [name for name in (*nearest(hook_name, known, count), *known) if name not in ranked]
    return ranked[:count]
