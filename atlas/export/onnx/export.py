"""From an opened model and its SAEs to their graphs: the model is traced once, all else is cut out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from atlas.export.onnx.encoder import Encoder
from atlas.export.onnx.graphs import (
    ACTIVATIONS,
    STEER,
    TOKEN_IDS,
    Decoder,
    ExportedModel,
    SaeGraphs,
    cache_names,
    external_names,
    users_of,
)
from atlas.export.onnx.refuse import refuse_unexportable
from atlas.export.onnx.steer import MEASURED, steering, steering_inputs
from atlas.export.onnx.surgery import Draft, Port, draft_of, finished, without_cache, without_edits
from atlas.export.onnx.trunk import edit_name, tensor_name, trace

if TYPE_CHECKING:
    from atlas.sources.engines.base import Engine
    from atlas.sources.engines.transformers import TransformersEngine
    from atlas.sources.saes.base import Portable, SparseCoder

Progress = Callable[[str], None]
"""Told in words what comes next."""


def export_graphs(
    engine: Engine, saes: Sequence[SparseCoder], progress: Progress | None = None
) -> ExportedModel:
    """fp32 graphs of the engine's model with each of `saes`; they and the engine stay as they are.

    Seconds for a tiny model, a minute or two for one of GPT-2's size, almost all of it torch's trace of the
    model. `InputError` as `refuse_unexportable` says.
    """
    refuse_unexportable(engine, saes)
    tell = progress or (lambda _words: None)
    described = [_described(engine, sae) for sae in saes]
    asked = {name for facts in described for name in (facts.hook_name, facts.hook_name_out)}
    hooks = sorted(asked, key=engine.hook_names().index)
    tell("tracing the model")
    trunk = trace(cast("TransformersEngine", engine), hooks)
    whole = draft_of(trunk.graph)
    graphs: dict[str, Any] = {}
    tensors = dict(whole.tensors)
    for sae, facts in zip(saes, described, strict=True):
        tell(f"cutting out the graphs of {facts.slug}")
        encoder = Encoder.of(facts.slug, sae.weights(), cast("Portable", sae).steps())
        graphs[facts.activations] = _activations(whole, hooks, encoder, facts)
        graphs[facts.steer] = _steer(whole, hooks, encoder, facts, trunk.decoder)
        tensors |= encoder.named_tensors()
    order = dict.fromkeys(name for graph in graphs.values() for name in external_names(graph))
    return ExportedModel(
        graphs=graphs,
        tensors={name: tensors[name] for name in order},
        users=users_of(graphs, order),
        saes=tuple(described),
        decoder=trunk.decoder,
    )


def _described(engine: Engine, sae: SparseCoder) -> SaeGraphs:
    facts = sae.facts
    written = facts.hook_name_out or facts.hook_name
    return SaeGraphs(
        slug=facts.slug,
        activations=f"{facts.slug}.{ACTIVATIONS}",
        steer=f"{facts.slug}.{STEER}",
        hook_name=facts.hook_name,
        hook_name_out=written,
        d_sae=facts.d_sae,
        d_out=engine.hook_width(written),
    )


def _activations(whole: Draft, hooks: Sequence[str], encoder: Encoder, facts: SaeGraphs) -> Any:
    """The graph tokens → activations."""
    coded = Draft()
    prepared = encoder.prepare(coded, tensor_name(facts.hook_name))
    encoder.all_features(coded, prepared.inputs, ACTIVATIONS)
    below = without_cache(without_edits(whole, (), hooks))
    return finished(
        below.joined(coded),
        [_TOKENS],
        [Port(ACTIVATIONS, ("batch", "sequence", facts.d_sae))],
        facts.activations,
    )


def _steer(whole: Draft, hooks: Sequence[str], encoder: Encoder, facts: SaeGraphs, decoder: Decoder) -> Any:
    """The graph tokens and steering → logits of the next token."""
    steered = steering(encoder, tensor_name(facts.hook_name), edit_name(facts.hook_name_out))
    return finished(
        without_edits(whole, (facts.hook_name_out,), hooks).joined(steered),
        [_TOKENS, *_cache(decoder, "past", "past"), *steering_inputs(facts.d_out)],
        [
            Port("logits", ("batch", decoder.vocabulary_size)),
            *_cache(decoder, "present", "past + sequence"),
            Port(MEASURED, ("batch", "sequence", "k")),
        ],
        facts.steer,
    )


def _cache(decoder: Decoder, when: str, length: str) -> list[Port]:
    shape = ("batch", decoder.kv_heads, length, decoder.d_head)
    return [Port(name, shape) for name in cache_names(decoder.n_layers, when)]


_TOKENS = Port(TOKEN_IDS, ("batch", "sequence"), "int64")
