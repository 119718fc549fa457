"""The whole export: graphs and weights in files of one precision, gated, with what a browser checks first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from atlas.export.onnx.checks import activation_checks, checks_file, reference_runs
from atlas.export.onnx.files import ModelFiles, fitting, graph_file, write_files
from atlas.export.onnx.gate import Figures, Sample, measure, refuse_below
from atlas.export.onnx.precision import DIRECTIONS
from atlas.export.onnx.running import Runner
from atlas.store.browser_model import file_entry
from atlas.store.model_graphs import as_delivered
from atlas.stream.inputs import versions_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.export.onnx.graphs import Decoder, SaeGraphs
    from atlas.export.onnx.precision import Precision
    from atlas.sources.engines.base import Engine
    from atlas.sources.saes.base import SparseCoder

LIBRARIES = ("feature-atlas", "torch", "transformers", "tokenizers", "onnx", "onnxscript", "onnxruntime")
"""Distributions whose version decides an export; recorded with it."""

TOKENIZER, CHECKS = "tokenizer.json", "checks.json"

Asked = Literal["auto", "fp32", "fp16", "int8"]
"""A precision as configured."""

Report = Callable[[str, int, int], None]
"""Called with what comes next, steps done and steps in all."""


@dataclass(frozen=True)
class Use:
    """How the atlas reads text."""

    context_size: int
    """Tokens of a window, BOS included."""
    prepend_bos: bool
    """Whether every window begins with BOS."""


@dataclass(frozen=True)
class Bundle:
    """A model for browsers."""

    contents: dict[str, bytes]
    """File name → bytes: graphs, weights, `tokenizer.json`, `checks.json`."""
    payload: dict[str, Any]
    """`atlas.store.browser_model.ModelPayload` as JSON."""
    figures: dict[str, Figures]
    """SAE → how well it agrees with torch."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.contents.values()))


def make_bundle(
    engine: Engine,
    saes: Sequence[SparseCoder],
    sample: Sample,
    use: Use,
    *,
    precision: Asked = "auto",
    report: Report = lambda *_: None,
) -> Bundle:
    """Export `engine` and its `saes`, gated on `sample`.

    `InputError` for a model or an SAE that has no graph, and, with the figures, where the stored model misses
    the gate of its precision.
    """
    from atlas.export.onnx.export import export_graphs

    steps = len(saes) + 3
    report("writing graphs", 0, steps)
    exported = export_graphs(engine, saes)
    report("storing weights", 1, steps)
    files = fitting(exported) if precision == "auto" else write_files(exported, precision)
    runner = Runner(files, exported.decoder)
    figures: dict[str, Figures] = {}
    for number, (sae, graphs) in enumerate(zip(saes, exported.saes, strict=True)):
        report(f"{graphs.slug}: comparing with torch", 2 + number, steps)
        figures[graphs.slug] = measure(engine, sae, graphs, runner, sample)
    refuse_below(files.precision, figures)
    report("reference runs", steps - 1, steps)
    runs = reference_runs(runner, exported.saes, sample, _directions(saes, files))
    activations = activation_checks(runner, exported.saes, sample)
    contents = {
        **files.contents,
        TOKENIZER: engine.tokens.to_json().encode("utf-8"),
        CHECKS: checks_file(runs, activations, engine.tokens.encode),
    }
    report("", steps, steps)
    entries = [_sae_entry(graphs, files, figures[graphs.slug], use) for graphs in exported.saes]
    payload = _payload(engine, exported.decoder, files.precision, contents, entries)
    return Bundle(contents, payload, figures)


def key_of(name: str) -> str:
    """The shards of the file `name`: where its parts lie on a site."""
    return f"model/files/{name.replace('.', '-')}"


def _directions(saes: Sequence[SparseCoder], files: ModelFiles) -> Callable[..., NDArray[np.float32]]:
    """The directions as readers get them."""
    rows = {sae.facts.slug: sae.weights().W_dec.cpu().numpy().astype(np.float32) for sae in saes}

    def directions(slug: str, features: Sequence[int]) -> NDArray[np.float32]:
        return as_delivered(rows[slug][list(features)], DIRECTIONS[files.precision])

    return directions


def _payload(
    engine: Engine,
    decoder: Decoder,
    precision: Precision,
    contents: Mapping[str, bytes],
    saes: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "precision": precision,
        "directions": DIRECTIONS[precision],
        "files": [file_entry(name, key_of(name), content) for name, content in contents.items()],
        "saes": list(saes),
        "model": _shape(engine, decoder),
        "versions": [
            {"library": name, "version": version} for name, version in versions_of(LIBRARIES).items()
        ],
    }


def _sae_entry(graphs: SaeGraphs, files: ModelFiles, figures: Figures, use: Use) -> dict[str, Any]:
    activations, steer = graph_file(graphs.activations), graph_file(graphs.steer)
    written = "" if graphs.hook_name_out == graphs.hook_name else graphs.hook_name_out
    return {
        "slug": graphs.slug,
        "activations": activations,
        "steer": steer,
        "activation_files": list(files.needs[activations]),
        "steer_files": list(files.needs[steer]),
        "hook_name": graphs.hook_name,
        "hook_name_out": written,
        "d_sae": graphs.d_sae,
        "d_out": graphs.d_out,
        "prepend_bos": use.prepend_bos,
        "context_size": use.context_size,
        "gate": figures.as_json(),
    }


def _shape(engine: Engine, decoder: Decoder) -> dict[str, Any]:
    return {
        "name": engine.facts.name,
        "vocabulary_size": decoder.vocabulary_size,
        "n_layers": decoder.n_layers,
        "kv_heads": [decoder.kv_heads] * decoder.n_layers,
        "d_head": [decoder.d_head] * decoder.n_layers,
        "context_size": decoder.context_size,
        "bos_token_id": engine.tokens.bos_token_id,
    }
