"""A graph written by hand that uses weights in every way an exported one does, and its dense reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from atlas.export.onnx.graphs import Decoder, ExportedModel, SaeGraphs, users_of

Array = np.ndarray
VOCABULARY, WIDTH, HIDDEN, FEATURES = 150, 104, 170, 67
"""No multiples of 32: blocks must be padded."""
DECODER = Decoder(n_layers=0, kv_heads=1, d_head=1, vocabulary_size=VOCABULARY, context_size=64)


def tensors(seed: int = 0) -> dict[str, Array]:
    """Token table (also the unembedding), two kernels, an encoder by rows, biases."""
    random = np.random.default_rng(seed)
    shapes = {
        "embed": (VOCABULARY, WIDTH),
        "up": (WIDTH, HIDDEN),
        "up.bias": (HIDDEN,),
        "down": (HIDDEN, WIDTH),
        "sae.W_enc": (FEATURES, WIDTH),
        "sae.b_enc": (FEATURES,),
    }
    return {name: random.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}


def lower(given: dict[str, Array], ids: Array) -> Array:
    """[batch, sequence, WIDTH] the stream at the SAE."""
    state = given["embed"][ids]
    return state + np.maximum(state @ given["up"] + given["up.bias"], 0) @ given["down"]


def activations(given: dict[str, Array], ids: Array) -> Array:
    """[batch, sequence, FEATURES] what the graph `sae.activations` gives."""
    return np.maximum(lower(given, ids) @ given["sae.W_enc"].T + given["sae.b_enc"], 0)


def steer(given: dict[str, Array], ids: Array, features: Array) -> tuple[Array, Array]:
    """What the graph `sae.steer` gives: logits [batch, sequence, VOCABULARY] and measured [.., k]."""
    state = lower(given, ids)
    return state @ given["embed"].T, state @ given["sae.W_enc"][features].T


def exported(given: dict[str, Array]) -> ExportedModel:
    """The graphs over `given`, as `export_graphs` would hand them over."""
    graphs = {"sae.activations": _activations(given), "sae.steer": _steer(given)}
    sae = SaeGraphs(
        slug="sae",
        activations="sae.activations",
        steer="sae.steer",
        hook_name="h",
        hook_name_out="h",
        d_sae=FEATURES,
        d_out=WIDTH,
    )
    return ExportedModel(graphs, given, users_of(graphs, given), (sae,), DECODER)


def run(files: Any, graph: str, feed: dict[str, Array]) -> list[Array]:
    """The outputs of `graph` of `ModelFiles`, by onnxruntime with the weight files from memory."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    names = list(files.needs[f"{graph}.onnx"])
    data = [files.contents[name] for name in names]
    options.add_external_initializers_from_files_in_memory(names, data, [len(each) for each in data])
    return onnxruntime.InferenceSession(files.contents[f"{graph}.onnx"], options).run(None, feed)


def _lower() -> list[Any]:
    from onnx.helper import make_node

    return [
        make_node("Gather", ["embed", "input_ids"], ["tokens"], axis=0),
        make_node("MatMul", ["tokens", "up"], ["raised"]),
        make_node("Add", ["raised", "up.bias"], ["hidden"]),
        make_node("Relu", ["hidden"], ["active"]),
        make_node("MatMul", ["active", "down"], ["lowered"]),
        make_node("Add", ["tokens", "lowered"], ["state"]),
    ]


def _activations(given: dict[str, Array]) -> Any:
    from onnx.helper import make_node

    nodes = [
        *_lower(),
        make_node("Transpose", ["sae.W_enc"], ["turned"], perm=[1, 0]),
        make_node("MatMul", ["state", "turned"], ["product"]),
        make_node("Add", ["product", "sae.b_enc"], ["pre"]),
        make_node("Relu", ["pre"], ["activations"]),
    ]
    return _graph(nodes, given, [], {"activations": FEATURES})


def _steer(given: dict[str, Array]) -> Any:
    from onnx.helper import make_node

    nodes = [
        *_lower(),
        make_node("Transpose", ["embed"], ["unembed"], perm=[1, 0]),
        make_node("MatMul", ["state", "unembed"], ["logits"]),
        make_node("Gather", ["sae.W_enc", "features"], ["rows"], axis=0),
        make_node("Transpose", ["rows"], ["columns"], perm=[1, 0]),
        make_node("MatMul", ["state", "columns"], ["measured"]),
    ]
    return _graph(nodes, given, ["features"], {"logits": VOCABULARY, "measured": "k"})


def _graph(nodes: list[Any], given: dict[str, Array], vectors: list[str], outputs: dict[str, Any]) -> Any:
    from onnx import TensorProto, helper

    used = {name for node in nodes for name in node.input}
    initializers: list[Any] = []
    for name in filter(used.__contains__, given):
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=given[name].shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=name)
        initializers.append(tensor)
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])]
    inputs += [helper.make_tensor_value_info(name, TensorProto.INT64, ["k"]) for name in vectors]
    shown = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", "sequence", width])
        for name, width in outputs.items()
    ]
    graph = helper.make_graph(nodes, "byhand", inputs, shown, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
