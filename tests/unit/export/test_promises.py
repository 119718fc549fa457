"""What `ExportedModel` says of itself, on the graphs of real exports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from atlas.export.onnx.export import export_graphs
from atlas.export.onnx.graphs import Decoder, ExportedModel, SaeGraphs, external_names
from tests.support import models
from tests.support.exported import (
    KINDS,
    MIDDLE,
    MLP_OUT,
    RESIDUAL,
    Exported,
    layers,
    nothing,
    off,
    open_engine,
    token_ids,
    write_kind,
)

ExportOf = Callable[[str], Exported]


@pytest.fixture(params=["gpt2", "gemma2"])
def exported(request: pytest.FixtureRequest, export_of: ExportOf) -> Exported:
    return export_of(request.param)


def uses(graph: Any) -> dict[str, list[tuple[Any, int]]]:
    """Value → the nodes that take it, and as which input."""
    found: dict[str, list[tuple[Any, int]]] = defaultdict(list)
    for node in graph.graph.node:
        for place, name in enumerate(node.input):
            found[name].append((node, place))
    return found


def test_two_graphs_an_sae(exported: Exported):
    made = exported.model
    assert list(made.graphs) == [f"{slug}.{kind}" for slug in KINDS for kind in ("activations", "steer")]
    assert [graphs.slug for graphs in made.saes] == list(KINDS)
    described = {graphs.slug: graphs for graphs in made.saes}
    assert described["standard"] == SaeGraphs(
        "standard", "standard.activations", "standard.steer", RESIDUAL, RESIDUAL, 40, models.D_MODEL
    )
    assert (described["transcoder"].hook_name, described["transcoder"].hook_name_out) == (MIDDLE, MLP_OUT)
    assert described["jumprelu"].d_out == exported.engine.hook_width("blocks.1.attn.hook_z")


def test_the_sizes_of_the_model(export_of: ExportOf):
    sizes = {"n_layers": 2, "vocabulary_size": 304, "context_size": 64}
    assert export_of("gpt2").model.decoder == Decoder(kv_heads=4, d_head=8, **sizes)
    assert export_of("gemma2").model.decoder == Decoder(kv_heads=2, d_head=12, **sizes)


def test_inputs_and_outputs(exported: Exported):
    for graphs in exported.model.saes:
        plain = exported.model.graphs[graphs.activations].graph
        assert [value.name for value in plain.input] == ["input_ids"]
        assert [value.name for value in plain.output] == ["activations"]
        steer = exported.model.graphs[graphs.steer].graph
        cache = [f"{what}.{layer}" for what in ("key", "value") for layer in range(2)]
        steering = ["features", "directions", "add", "target", "clamp", "mask"]
        before = [f"past_{name}" for name in cache]
        assert [value.name for value in steer.input] == ["input_ids", *before, *steering]
        after = [f"present_{name}" for name in cache]
        assert [value.name for value in steer.output] == ["logits", *after, "measured"]


def test_graphs_are_plain_onnx_without_weights(exported: Exported):
    for graph in exported.model.graphs.values():
        assert [(opset.domain, opset.version) for opset in graph.opset_import] == [("", 20)]
        assert not graph.functions
        outside = set(external_names(graph))
        for tensor in graph.graph.initializer:
            if tensor.name not in outside:
                assert np.prod(tensor.dims) <= 16
            assert tensor.name in outside or len(tensor.raw_data) <= 128
        assert len(graph.SerializeToString()) < 100_000


def test_tensors_are_those_of_the_graphs(exported: Exported):
    made = exported.model
    named: set[str] = set()
    for name, graph in made.graphs.items():
        assert set(external_names(graph)) == set(made.needs(name))
        named |= set(made.needs(name))
        for tensor in graph.graph.initializer:
            if tensor.external_data:
                value = made.tensors[tensor.name]
                assert list(tensor.dims) == list(value.shape)
                assert tensor.data_type == onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
                assert value.flags.c_contiguous
    assert named == set(made.tensors) == set(made.users)


def test_no_tensor_twice(exported: Exported):
    seen = defaultdict(list)
    for name, value in exported.model.tensors.items():
        if value.ndim > 1:
            # Also not the other way round.
            seen[np.sort(value, axis=None).tobytes()].append(name)
    assert [names for names in seen.values() if len(names) > 1] == []


def test_how_weights_are_used(exported: Exported):
    """Only as MatMul(x, T), or by rows: what whoever stores them in fewer bits relies on."""
    rows, columns = set(), set()
    for graph in exported.model.graphs.values():
        taken = uses(graph)
        assert "Gemm" not in {node.op_type for node in graph.graph.node}
        for name in external_names(graph):
            if exported.model.tensors[name].ndim != 2:
                continue
            for node, place in taken[name]:
                if (node.op_type, place) == ("MatMul", 1):
                    columns.add(name)
                    continue
                rows.add(name)
                if node.op_type == "Transpose":
                    assert list(node.attribute[0].ints) == [1, 0]
                    (user,) = taken[node.output[0]]
                    assert (user[0].op_type, user[1]) == ("MatMul", 1)
                else:
                    assert (node.op_type, place) == ("Gather", 0)
                    assert [item.i for item in node.attribute if item.name == "axis"] in ([0], [])
    assert not rows & columns
    assert {name for name in rows if name.endswith(".W_enc")} == {f"{slug}.W_enc" for slug in KINDS}
    # Both families tie the embedding: it, and GPT-2's positions.
    assert len([name for name in rows if not name.endswith(".W_enc")]) in {1, 2}
    assert len(columns) >= 8


def test_groups_have_the_same_users(exported: Exported):
    made = exported.model
    groups = list(made.groups())
    assert [name for group in groups for name in group] != []
    assert sorted(name for group in groups for name in group) == sorted(made.tensors)
    for group in groups:
        assert len({made.users[name] for name in group}) == 1
    assert len({made.users[group[0]] for group in groups}) == len(groups)
    # No graph loads what it needs only in part.
    for name in made.graphs:
        needed = set(made.needs(name))
        assert all(needed.issuperset(group) or needed.isdisjoint(group) for group in groups)


def test_an_early_sae_needs_no_later_layer(exported: Exported):
    made = exported.model
    early, late = made.needs("layer-norm.activations"), made.needs("topk.activations")
    whole = made.needs("standard.steer")
    trunk = [{name for name in names if name.startswith("model.")} for names in (early, late, whole)]
    assert trunk[0] < trunk[1] < trunk[2]
    assert not any(".1." in name for name in trunk[0])


def test_the_order_of_first_use(export_of: ExportOf):
    names = list(export_of("gpt2").model.tensors)
    layer = [name for name in names if name.startswith("model.transformer.h.")]
    assert layer == sorted(layer, key=lambda name: int(name.split(".")[3]))
    assert names[0] == "model.lm_head.weight"


def test_the_same_bytes_again(small: Exported):
    again = export_graphs(small.engine, list(small.saes.values()))
    assert {name: graph.SerializeToString() for name, graph in again.graphs.items()} == {
        name: graph.SerializeToString() for name, graph in small.model.graphs.items()
    }
    assert list(again.tensors) == list(small.model.tensors)
    assert all(np.array_equal(value, again.tensors[name]) for name, value in small.model.tensors.items())


def test_the_engine_stays_as_it_is(tmp_path: Path):
    engine = open_engine(models.write_model(tmp_path / "llama", "llama", **layers("llama")))
    sae = write_kind(tmp_path, "standard", engine)
    ids = torch.from_numpy(token_ids(2, 12))
    before, attention = engine.logits(ids), engine.model.config._attn_implementation
    threads = torch.get_num_threads()
    told: list[str] = []
    torch.set_num_threads(2)
    try:
        made = export_graphs(engine, [sae], told.append)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert isinstance(made, ExportedModel)
    assert told == ["tracing the model", "cutting out the graphs of standard"]
    assert engine.model.config._attn_implementation == attention
    assert not engine.model.training
    assert torch.equal(engine.logits(ids), before)
    # Its embedding and unembedding are not tied: both are there, each the way it is used.
    shapes = [value.shape for value in made.tensors.values()]
    assert shapes.count((304, 32)) == shapes.count((32, 304)) == 1


def test_a_model_in_half_precision_is_exported_in_single(tmp_path: Path):
    """The graphs are those of the same weights in float32."""
    folder = models.write_model(tmp_path / "gpt2", "gpt2", **layers("gpt2"))
    half = open_engine(folder, dtype="bfloat16")
    made = Exported(half, {"standard": write_kind(tmp_path, "standard", half)})
    single = half.copy_in_float32()
    assert (single.facts.dtype, single.facts.device, half.facts.dtype) == ("float32", "cpu", "bfloat16")
    assert next(half.model.parameters()).dtype == torch.bfloat16
    ids = token_ids(2, 9)
    expected = single.logits(torch.from_numpy(ids))[:, -1].numpy()
    assert off(made.steer("standard", ids, nothing(ids, models.D_MODEL))["logits"], expected) <= 1e-4
    assert {str(value.dtype) for value in made.model.tensors.values()} == {"float32"}
