"""The whole model as one ONNX graph, traced by torch: with a cache, and an input that edits each hook."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from atlas.export.onnx.graphs import TOKEN_IDS, Decoder, cache_names

if TYPE_CHECKING:
    import torch

    from atlas.sources.engines.transformers import TransformersEngine

OPSET = 20
"""The ONNX operator set of every graph."""

Masks = Literal["full", "sliding", "by layer"]

MASKS: dict[str, Masks] = {
    "gpt2": "full",
    "gpt_neo": "full",
    "gpt_neox": "full",
    "llama": "full",
    "mistral": "sliding",
    "qwen2": "by layer",
    "qwen3": "by layer",
    "gemma": "full",
    "gemma2": "by layer",
    "gemma3": "by layer",
    "gemma3_text": "by layer",
}
"""Architecture (Hugging Face `model_type`) that can be exported → the attention masks its model takes."""

FEW = 16
"""Values of a constant that stays in a graph; anything larger is a tensor outside."""

_BATCH, _SEQUENCE, _PAST = 2, 5, 3
"""Sizes of the example that is traced: unequal, and neither 0 nor 1, which torch takes for fixed."""


@dataclass(frozen=True)
class Trunk:
    """The traced model."""

    graph: Any
    """onnx_ir.Model. Inputs `input_ids`, the cache as `past_…`, and for each hook `edit.<hook>` float32
    [batch, sequence, d], which is added to the tensor there. Outputs `logits` [batch, vocabulary] of the last
    position, the cache as `present_…`, and for each hook `hook.<hook>`, the tensor there before the edit."""
    hooks: tuple[str, ...]
    """The hooks, as asked for."""
    decoder: Decoder
    """The model's sizes."""


def edit_name(hook_name: str) -> str:
    """The input of the traced model that is added at a hook."""
    return f"edit.{hook_name}"


def tensor_name(hook_name: str) -> str:
    """The output of the traced model that is the tensor at a hook."""
    return f"hook.{hook_name}"


def sizes(engine: TransformersEngine) -> Decoder:
    """The sizes of the engine's model."""
    config = engine.model.config.get_text_config()
    heads = int(config.num_attention_heads)
    return Decoder(
        n_layers=engine.facts.n_layers,
        kv_heads=int(getattr(config, "num_key_value_heads", None) or heads),
        d_head=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
        vocabulary_size=engine.facts.vocabulary_size,
        context_size=engine.facts.context_size,
    )


def trace(engine: TransformersEngine, hook_names: Sequence[str]) -> Trunk:
    """Trace a copy of the engine's model in float32; takes seconds to minutes, by the number of layers."""
    import torch
    from onnxscript import optimizer

    decoder = sizes(engine)
    layers, hooks = decoder.n_layers, tuple(hook_names)
    with _one_thread(), _quiet(), torch.no_grad():
        program = torch.export.export(
            _whole_model(engine.copy_in_float32(), hooks),
            (),
            kwargs=_example(engine, hooks, decoder),
            dynamic_shapes=_dynamic(hooks, decoder),
            strict=False,
        )
        traced = torch.onnx.export(
            program,
            kwargs=_example(engine, hooks, decoder),
            dynamo=True,
            optimize=False,
            verbose=False,
            opset_version=OPSET,
            input_names=[TOKEN_IDS, *cache_names(layers, "past"), *map(edit_name, hooks)],
            output_names=["logits", *cache_names(layers, "present"), *map(tensor_name, hooks)],
        )
        if traced is None:
            raise TypeError("torch.onnx.export gave no graph")
        optimizer.optimize_ir(traced.model, output_size_limit=FEW, should_fold=_of_few)
    return Trunk(traced.model, hooks, decoder)


def _of_few(node: Any) -> bool | None:
    """False keeps a node from being worked out in advance: weights stay as the model has them."""
    held = (getattr(value, "const_value", None) for value in node.inputs)
    return False if any(value is not None and value.size > FEW for value in held) else None


def _example(engine: TransformersEngine, hooks: Sequence[str], decoder: Decoder) -> dict[str, Any]:
    import torch

    cached = (_BATCH, decoder.kv_heads, _PAST, decoder.d_head)
    return {
        "input_ids": torch.zeros((_BATCH, _SEQUENCE), dtype=torch.int64),
        "keys": [torch.zeros(cached) for _ in range(decoder.n_layers)],
        "values": [torch.zeros(cached) for _ in range(decoder.n_layers)],
        "edits": [torch.zeros(_BATCH, _SEQUENCE, engine.hook_width(hook)) for hook in hooks],
    }


def _dynamic(hooks: Sequence[str], decoder: Decoder) -> dict[str, Any]:
    import torch

    n_layers = decoder.n_layers
    batch = torch.export.Dim("batch")
    # GPT-Neo looks its masks up in a table as long as the context, so torch wants to know.
    longest = decoder.context_size - 2
    sequence, past = (torch.export.Dim(name, max=longest) for name in ("sequence", "past"))
    return {
        "input_ids": {0: batch, 1: sequence},
        "keys": [{0: batch, 2: past}] * n_layers,
        "values": [{0: batch, 2: past}] * n_layers,
        "edits": [{0: batch, 1: sequence}] * len(hooks),
    }


def _whole_model(engine: TransformersEngine, hooks: Sequence[str]) -> Any:
    """A torch module from the inputs of the traced model to its outputs."""
    import torch

    # The other implementations of attention build masks of their own.
    engine.model.set_attn_implementation("eager")

    class WholeModel(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = engine.model

        def forward(
            self,
            input_ids: torch.Tensor,
            keys: list[torch.Tensor],
            values: list[torch.Tensor],
            edits: list[torch.Tensor],
        ) -> tuple[Any, ...]:
            cache = _cache(keys, values)
            past, length = keys[0].shape[2], input_ids.shape[1]
            positions = torch.arange(length) + past
            seen: dict[str, torch.Tensor] = {}
            touches = {hook: _editing(hook, edit, seen) for hook, edit in zip(hooks, edits, strict=True)}
            with engine.attached(touches):
                logits = self.model(
                    input_ids=input_ids,
                    past_key_values=cache,
                    attention_mask=_masks(engine, positions, torch.arange(past + length)),
                    position_ids=positions[None],
                    use_cache=True,
                    logits_to_keep=1,
                ).logits[:, -1]
            return (
                logits,
                [layer.keys for layer in cache.layers],
                [layer.values for layer in cache.layers],
                [seen[hook] for hook in hooks],
            )

    return WholeModel().eval()


def _editing(
    hook_name: str, edit: torch.Tensor, seen: dict[str, torch.Tensor]
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Keeps the tensor at a hook in `seen` and gives it back with `edit` added."""

    def touch(value: torch.Tensor) -> torch.Tensor:
        seen[hook_name] = value.clone()
        # In place, for the residual stream goes around the norm whose input is hooked at hook_resid_mid.
        return value.add_(edit) if hook_name.endswith("hook_resid_mid") else value + edit

    return touch


def _cache(keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor]) -> Any:
    """A cache of transformers that holds these tensors: every position, in sliding layers too."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    cache = DynamicCache()
    for key, value in zip(keys, values, strict=True):
        layer = DynamicLayer()
        layer.dtype, layer.device = key.dtype, key.device
        layer.keys, layer.values, layer.is_initialized = key, value, True
        cache.layers.append(layer)
    return cache


def _masks(engine: TransformersEngine, positions: torch.Tensor, seen: torch.Tensor) -> Any:
    """What is added to attention scores, [1, 1, sequence, past + sequence], as this model takes it."""
    import torch

    config = engine.model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    back = positions[:, None] - seen[None, :]

    def mask(allowed: torch.Tensor) -> torch.Tensor:
        return torch.where(allowed, 0.0, torch.finfo(torch.float32).min)[None, None]

    full = mask(back >= 0)
    sliding = full if window is None else mask((back >= 0) & (back < window))
    kind = MASKS[engine.facts.architecture]
    if kind == "by layer":
        return {"full_attention": full, "sliding_attention": sliding}
    return sliding if kind == "sliding" else full


@contextmanager
def _one_thread() -> Iterator[None]:
    """With more, atlas cuts activation functions into parts, by sizes that a trace does not know."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's notes about its own inner matters from the user."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.__trace")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
