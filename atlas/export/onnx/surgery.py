"""Cutting graphs out of the traced model, on ONNX's own records (NodeProto and the like)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from atlas.export.onnx.graphs import TOKEN_IDS
from atlas.export.onnx.trunk import FEW, OPSET, edit_name

if TYPE_CHECKING:
    import numpy as np

_IR_VERSION = 10
"""What opset 20 goes with; every onnxruntime of the last years reads it."""

_READ_FROM = {"batch": (TOKEN_IDS, 0), "sequence": (TOKEN_IDS, 1), "past": ("past_key.0", 2)}
"""The sizes that vary → the input and the axis a graph reads each from."""


@dataclass(frozen=True)
class Port:
    """An input or output of a graph."""

    name: str
    """Its name."""
    dims: tuple[str | int, ...]
    """Its shape; a size that varies by name."""
    dtype: str = "float32"
    """Its type."""


@dataclass
class Draft:
    """Nodes and what they are given, before they become a graph."""

    nodes: list[Any] = field(default_factory=list[Any])
    """onnx.NodeProto, in any order."""
    constants: dict[str, np.ndarray] = field(default_factory=dict[str, "np.ndarray"])
    """Small values by name: they go into the graph."""
    tensors: dict[str, np.ndarray] = field(default_factory=dict[str, "np.ndarray"])
    """Weights by name: they stay outside."""

    def add(self, kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its first output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), **attributes))
        return outputs[0]

    def constant(self, name: str, value: Any, dtype: str = "int64") -> str:
        """Add a small constant and return its name."""
        import numpy as np

        self.constants[name] = np.asarray(value, dtype)
        return name

    def joined(self, other: Draft) -> Draft:
        """Both together; neither changes."""
        return Draft(self.nodes + other.nodes, self.constants | other.constants, self.tensors | other.tensors)


def draft_of(traced: Any) -> Draft:
    """The traced model (an onnx_ir.Model, which loses its weights) as it will be used.

    Sizes are read in one way, there is no Gemm, and weights lie as `ExportedModel` says.
    """
    import onnx_ir

    draft = Draft()
    for name, value in traced.graph.initializers.items():
        held = value.const_value
        (draft.constants if held.size <= FEW else draft.tensors)[name] = held.numpy()
        # Written out in one piece, weights of more than 2 GB would be refused.
        value.const_value = onnx_ir.tensor([0], name=name)
    graph = onnx_ir.to_proto(traced).graph
    draft.nodes = list(graph.node)
    _read_sizes_once(draft, {value.name for value in graph.input})
    _share_tables(draft)
    _split_gemms(draft)
    _turn_weights(draft)
    return draft


def _read_sizes_once(draft: Draft, inputs: Collection[str]) -> None:
    """Read each size that varies off one input: torch takes any input that has it, edits too."""
    names: dict[str, str] = {}
    for node in [node for node in draft.nodes if node.op_type == "Shape" and node.input[0] in inputs]:
        span = {item.name: item.i for item in node.attribute}
        if span.get("end") != span.get("start", 0) + 1:
            raise ValueError(f"{node.input[0]}: several sizes are read at once")
        names[node.output[0]] = _size_name(node.input[0], span.get("start", 0))
        draft.nodes.remove(node)
    for size, (name, axis) in _READ_FROM.items():
        draft.add("Shape", [name], f"size.{size}", start=axis, end=axis + 1)
    _rename(draft.nodes, names)


def _size_name(input_name: str, axis: int) -> str:
    if axis == 0:
        return "size.batch"
    return "size.past" if input_name.startswith("past_") else "size.sequence"


def _share_tables(draft: Draft) -> None:
    """Keep one of several equal tables: GPT-Neo has masks as long and wide as the context in each layer."""
    first: dict[tuple[Any, ...], str] = {}
    names: dict[str, str] = {}
    for name, value in list(draft.tensors.items()):
        if value.ndim > 2:  # noqa: PLR2004 - a matrix is a weight
            same = (value.dtype.str, value.shape, sha256(value.tobytes()).digest())
            if first.setdefault(same, name) != name:
                names[name] = first[same]
                del draft.tensors[name]
    _rename(draft.nodes, names)


def _split_gemms(draft: Draft) -> None:
    """Gemm → MatMul and Add, which are what can be quantised."""
    for node in [node for node in draft.nodes if node.op_type == "Gemm"]:
        settings = {item.name: item.i or item.f for item in node.attribute}
        if settings.get("transA", 0) or settings.get("alpha", 1) != 1 or settings.get("beta", 1) != 1:
            raise ValueError(f"{node.output[0]}: a Gemm that is more than x @ W + b")
        weight, output = node.input[1], node.output[0]
        if settings.get("transB", 0):
            weight = draft.add("Transpose", [weight], f"{output}.turned", perm=[1, 0])
        bias = node.input[2:]
        product = draft.add("MatMul", [node.input[0], weight], f"{output}.product" if bias else output)
        if bias:
            draft.add("Add", [product, *bias], output)
        draft.nodes.remove(node)


def _turn_weights(draft: Draft) -> None:
    """Transpose once and for all what is used only transposed; what is used by its rows too stays."""
    uses = Counter(name for node in draft.nodes for name in node.input)
    names: dict[str, str] = {}
    for node in list(draft.nodes):
        weight = node.input[0] if node.op_type == "Transpose" else ""
        if weight in draft.tensors and uses[weight] == 1:
            draft.tensors[weight] = draft.tensors[weight].T.copy()
            names[node.output[0]] = weight
            draft.nodes.remove(node)
    _rename(draft.nodes, names)


def without_edits(draft: Draft, kept: Collection[str], hooks: Sequence[str]) -> Draft:
    """The draft with nothing added at the `hooks`, but for those `kept`."""
    gone = {edit_name(hook) for hook in hooks if hook not in kept}
    return _passing_on(draft, gone)


def without_cache(draft: Draft) -> Draft:
    """The draft as it is at position 0: nothing came before."""
    past = {name for node in draft.nodes for name in node.input if name.startswith("past_")}
    found = _passing_on(draft, past)
    found.constant("size.past", [0])
    return found


def _passing_on(draft: Draft, gone: set[str]) -> Draft:
    """The draft where a node that joins or adds two values passes one on, the other being `gone`."""
    found = Draft([], dict(draft.constants), draft.tensors)
    for node in draft.nodes:
        if gone.isdisjoint(node.input):
            found.nodes.append(node)
        elif node.op_type != "Shape":
            (left,) = set(node.input) - gone
            found.add("Identity", [left], node.output[0])
    return found


def finished(draft: Draft, inputs: Sequence[Port], outputs: Sequence[Port], name: str) -> Any:
    """The onnx.ModelProto of `draft`: what the outputs need, in order, with its tensors left outside."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = _needed(draft.nodes, [port.name for port in outputs])
    nodes = _without_identities(nodes, {port.name for port in outputs})
    used = {value for node in nodes for value in node.input}
    constants = [numpy_helper.from_array(value, key) for key, value in draft.constants.items() if key in used]
    order = dict.fromkeys(value for node in nodes for value in node.input if value in draft.tensors)
    outside = [_outside(key, draft.tensors[key]) for key in order]
    given = {port.name for port in (*inputs, *outputs)} | draft.constants.keys() | draft.tensors.keys()
    numbered: dict[str, str] = {"": ""}
    for node in nodes:
        for values in (node.input, node.output):
            values[:] = [
                value if value in given else numbered.setdefault(value, f"v{len(numbered)}")
                for value in values
            ]
    types = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}
    ports = [
        [helper.make_tensor_value_info(port.name, types[port.dtype], list(port.dims)) for port in side]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(nodes, name, *ports, initializer=[*constants, *outside])
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, ir_version=_IR_VERSION, opset_imports=opsets, producer_name="atlas")


def _needed(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    """Copies of the nodes that `outputs` depend on, each after those it depends on."""
    maker = {value: node for node in nodes for value in node.output}
    done: set[str] = set()
    found: list[Any] = []
    waiting = [(name, False) for name in reversed(outputs)]
    while waiting:
        name, ready = waiting.pop()
        if name in done or name not in maker:
            continue
        node = maker[name]
        if ready:
            found.append(_copied(node))
            done.update(node.output)
        else:
            waiting.append((name, True))
            waiting += [(value, False) for value in reversed(node.input) if value not in done]
    return found


def _without_identities(nodes: Sequence[Any], outputs: Collection[str]) -> list[Any]:
    """The nodes without those that change nothing and name no output."""
    idle = [node for node in nodes if node.op_type == "Identity" and node.output[0] not in outputs]
    kept = [node for node in nodes if node not in idle]
    _rename(kept, {node.output[0]: node.input[0] for node in idle})
    return kept


def _outside(name: str, value: np.ndarray) -> Any:
    """An initializer whose data lie elsewhere."""
    from onnx import TensorProto, helper

    tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(value.dtype), dims=value.shape)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=name)
    return tensor


def _copied(node: Any) -> Any:
    """The node alone: no name, no note of which line of torch it came from."""
    from onnx import NodeProto

    return NodeProto(
        op_type=node.op_type,
        domain=node.domain,
        input=node.input,
        output=node.output,
        attribute=node.attribute,
    )


def _rename(nodes: Sequence[Any], names: Mapping[str, str]) -> None:
    """Let every input named in `names` be what it stands for, step by step."""

    def final(name: str) -> str:
        while name in names:
            name = names[name]
        return name

    for node in nodes:
        node.input[:] = [final(name) for name in node.input]
