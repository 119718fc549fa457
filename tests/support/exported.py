"""Exported graphs run by onnxruntime, with their weights handed over from memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas import plugins
from atlas.config import ModelConfig, SaeConfig
from atlas.export.onnx.export import export_graphs
from atlas.export.onnx.graphs import ExportedModel, SaeGraphs, cache_names, external_names
from atlas.export.onnx.surgery import Draft, Port, finished
from atlas.sources.preflight import fit_to_model
from tests.support import models

if TYPE_CHECKING:
    from onnx import ModelProto

Array = np.ndarray
LAYERS = 2

FAMILIES = ("gpt2", "gpt_neox", "llama", "gemma2", "qwen2")
"""The five that are tried with every kind of SAE."""

RESIDUAL = "blocks.1.hook_resid_pre"
MIDDLE = "blocks.1.hook_resid_mid"
MLP_OUT = "blocks.1.hook_mlp_out"

KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "standard": ("standard", RESIDUAL, {}),
    "layer-norm": ("standard", "blocks.0.hook_resid_post", {"normalize_activations": "layer_norm"}),
    "constant-norm": ("standard", MLP_OUT, {"normalize_activations": "constant_norm_rescale"}),
    "centred": (
        "standard",
        RESIDUAL,
        {"metadata": {"model_from_pretrained_kwargs": {"center_writing_weights": True}}},
    ),
    "undecoded": ("standard", "blocks.0.hook_attn_out", {"apply_b_dec_to_input": False}),
    "gated": ("gated", "blocks.1.hook_attn_out", {}),
    "topk": ("topk", "blocks.1.hook_resid_post", {}),
    "topk-norms": ("topk", RESIDUAL, {"rescale_acts_by_decoder_norm": True}),
    "jumprelu": ("jumprelu", "blocks.1.attn.hook_z", {}),
    "normed-jumprelu": ("jumprelu", MIDDLE, {"normalize_activations": "layer_norm"}),
    "transcoder": ("transcoder", MIDDLE, {}),
    "skip-transcoder": ("skip_transcoder", MIDDLE, {}),
    "jumprelu-transcoder": ("jumprelu_transcoder", MIDDLE, {"normalize_activations": "layer_norm"}),
    "jumprelu-skip-transcoder": ("jumprelu_skip_transcoder", RESIDUAL, {}),
}
"""Slug → (architecture, hook, changes to cfg.json). The transcoders write at `MLP_OUT`."""


def layers(family: str) -> dict[str, Any]:
    """What makes a model of the family have `LAYERS` layers."""
    if family == "gpt_neo":
        return {"num_layers": LAYERS, "attention_types": [[["global", "local"], 1]]}
    return {"n_layer" if family == "gpt2" else "num_hidden_layers": LAYERS}


def open_engine(folder: Path, **settings: Any) -> Any:
    """Engine transformers on the model in `folder`."""
    config = ModelConfig(name=str(folder), engine="transformers", device="cpu", **settings)
    return plugins.load("atlas.engines", "transformers").open(config)


def open_sae(folder: Path, slug: str, engine: Any) -> Any:
    """The SAE in `folder` as it is used with the engine's model."""
    sae = plugins.load("atlas.saes", "saelens")(SaeConfig(folder=str(folder), slug=slug), "cpu")
    return fit_to_model(engine, sae)


def write_kind(folder: Path, slug: str, engine: Any) -> Any:
    """The SAE `slug` of `KINDS`, written for the engine's model and opened."""
    architecture, hook, changes = KINDS[slug]
    if hook not in engine.hook_names():
        # With parallel attention and MLP there is nothing in the middle.
        hook = RESIDUAL
    metadata = {"hook_name": hook} | changes.get("metadata", {})
    changes = changes | {"metadata": metadata, "d_in": engine.hook_width(hook), "d_sae": 40}
    if models.is_transcoder(architecture):
        metadata["hook_name_out"] = MLP_OUT
    seed = list(KINDS).index(slug)
    models.write_sae(folder / slug, architecture, seed=seed, **changes)
    return open_sae(folder / slug, slug, engine)


@dataclass
class Exported:
    """A model, its SAEs, and the graphs made of them."""

    engine: Any
    saes: dict[str, Any]

    @cached_property
    def model(self) -> ExportedModel:
        """The export."""
        return export_graphs(self.engine, list(self.saes.values()))

    @cached_property
    def sessions(self) -> dict[str, Any]:
        """Graph → what runs it, those opened so far."""
        return {}

    def graphs(self, slug: str) -> SaeGraphs:
        """The names of an SAE's graphs."""
        return next(graphs for graphs in self.model.saes if graphs.slug == slug)

    def run(self, graph: str, feed: dict[str, Any]) -> dict[str, Array]:
        """Output name → value."""
        if graph not in self.sessions:
            self.sessions[graph] = session(self.model, graph)
        opened = self.sessions[graph]
        names = [output.name for output in opened.get_outputs()]
        return dict(zip(names, opened.run(names, feed), strict=True))

    def activations(self, slug: str, ids: Array) -> Array:
        """[batch, sequence, d_sae] by the graph of `slug`."""
        return self.run(self.graphs(slug).activations, {"input_ids": ids})["activations"]

    def steer(
        self, slug: str, ids: Array, steering: dict[str, Array], past: dict[str, Array] | None = None
    ) -> dict[str, Array]:
        """All outputs of the steering graph of `slug`; `past` are the outputs of the call before."""
        decoder = self.model.decoder
        before, after = (cache_names(decoder.n_layers, when) for when in ("past", "present"))
        none = np.zeros((len(ids), decoder.kv_heads, 0, decoder.d_head), np.float32)
        cache = {name: none if past is None else past[key] for name, key in zip(before, after, strict=True)}
        return self.run(self.graphs(slug).steer, {"input_ids": ids, **cache, **steering})


def session(model: ExportedModel, graph: str) -> Any:
    """An onnxruntime session on one graph."""
    return opened(model.graphs[graph], model.tensors)


def opened(graph: ModelProto, tensors: Mapping[str, Array]) -> Any:
    """An onnxruntime session on `graph`, whose weights are those of `tensors` that it names."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    names = external_names(graph)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensors[name]) for name in names]
    options.add_external_initializers(names, values)
    return onnxruntime.InferenceSession(graph.SerializeToString(), options)


def run_draft(draft: Draft, inputs: list[Port], outputs: list[Port], feed: dict[str, Array]) -> list[Array]:
    """What a draft with these `inputs` gives as `outputs` for `feed`."""
    session = opened(finished(draft, inputs, outputs, "alone"), draft.tensors)
    return session.run([port.name for port in outputs], feed)


def token_ids(rows: int, length: int, seed: int = 0) -> Array:
    """int64 [rows, length]"""
    return np.random.default_rng(seed).integers(0, models.TOKENIZER_SIZE, (rows, length))


def nothing(ids: Array, d_out: int) -> dict[str, Array]:
    """Inputs that steer nothing."""
    return steering_of(ids, [0], np.zeros((1, d_out)))


def steering_of(
    ids: Array,
    features: list[int],
    directions: Array,
    *,
    add: Any = 0.0,
    target: Any = 0.0,
    clamp: Any = 0.0,
    mask: Any = 1.0,
) -> dict[str, Array]:
    """The steering inputs for `features` and their `directions`; scalars hold for all."""
    one = np.ones(len(features), np.float32)
    return {
        "features": np.array(features, np.int64),
        "directions": np.asarray(directions, np.float32),
        **{
            name: (one * value).astype(np.float32)
            for name, value in (("add", add), ("target", target), ("clamp", clamp))
        },
        "mask": (np.ones(ids.shape) * mask).astype(np.float32),
    }


def off(found: Array, expected: Array) -> float:
    """The largest difference, relative where the expected value is above 1."""
    return float(np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected)), initial=0))


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums have one order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
