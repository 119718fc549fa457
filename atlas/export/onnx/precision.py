"""How weights are stored: as they are (fp32), as halves (fp16), or as bytes in blocks of 32 (int8).

Arithmetic stays float32. A stored matrix becomes one of float32 by standard operators on constants (Cast for
halves; Cast, Mul by the block's scale and Reshape for bytes), which onnxruntime works out once, when it opens
the graph; only a table of which rows are picked is picked first. onnxruntime's own `MatMulNBits` would keep
the bytes in memory, but in a browser it unpacks all weights for every token (measured: 26 times as slow a
token), and with `accuracy_level` its results differ from those of other machines.

A block is 32 neighbouring weights of one input (of one row of a table); its scale, a half, is its largest
magnitude over 127. So is `Q8_0` of llama.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto, TensorProto

Precision = Literal["fp32", "fp16", "int8"]
"""How weights are stored."""

BLOCK = 32
"""Weights that share a scale."""

STEPS = 127
"""Steps from zero to a block's largest magnitude."""

LIMITS: dict[Precision, int] = {"fp32": 32_000_000, "fp16": 100_000_000}
"""`auto` takes the first precision in which all files together are no larger than this; else int8."""

DIRECTIONS: dict[Precision, str] = {"fp32": "float32", "fp16": "float16", "int8": "float16"}
"""Precision → type in which sites store the directions."""

_LARGEST_HALF = 65504.0
_SMALLEST_HALF = 2.0**-24
_WIDTH = "stored.width."


@dataclass(frozen=True)
class StoredModel:
    """Graphs and the tensors they name, as they are stored."""

    graphs: dict[str, ModelProto]
    """Name → graph. Initializers without data are named like their tensor."""
    tensors: dict[str, NDArray[Any]]
    """Name → tensor of a type that is stored."""
    origin: dict[str, str]
    """Stored tensor → the tensor of the exported model that it is (a part) of."""


def stored(
    graphs: Mapping[str, ModelProto], tensors: Mapping[str, NDArray[Any]], precision: Precision
) -> StoredModel:
    """`graphs`, whose initializers name `tensors`, with matrices stored in `precision`.

    Vectors (biases, thresholds, norms) and whole numbers stay as they are.
    """
    matrices = {name for name, tensor in tensors.items() if precision != "fp32" and _is_matrix(tensor)}
    tables = _tables(graphs.values(), matrices)
    parts: dict[str, dict[str, NDArray[Any]]] = {}
    for name, tensor in tensors.items():
        if name not in matrices:
            parts[name] = {name: tensor}
        elif precision == "fp16":
            parts[name] = {f"{name}.half": tensor.astype(np.float16)}
        else:
            codes, scales = quantise(tensor if name in tables else tensor.T)
            if name not in tables:
                codes, scales = np.moveaxis(codes, 0, 2), np.moveaxis(scales, 0, 2)
            parts[name] = {f"{name}.bytes": np.ascontiguousarray(codes)}
            parts[name][f"{name}.scales"] = np.ascontiguousarray(scales)
    shapes = {name: tensors[name].shape for name in matrices}
    return StoredModel(
        {key: _Rewriter(graph, parts, shapes).run() for key, graph in graphs.items()},
        {part: tensor for stored in parts.values() for part, tensor in stored.items()},
        {part: name for name, stored in parts.items() for part in stored},
    )


def quantise(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Bytes [n, blocks, 32] and scales [n, blocks, 1] of `rows` [n, k], padded with zeros to whole blocks.

    A scale is rounded up to a half, so that no weight of its block is cut off.
    """
    n, k = rows.shape
    blocks = -(-k // BLOCK)
    padded = np.zeros((n, blocks * BLOCK), np.float32)
    padded[:, :k] = rows
    cut = padded.reshape(n, blocks, BLOCK)
    wanted = np.maximum(np.abs(cut).max(axis=2, keepdims=True) / np.float32(STEPS), _SMALLEST_HALF)
    scales = wanted.astype(np.float16)
    low = scales.astype(np.float32) < wanted
    scales[low] = np.nextafter(scales[low], np.float16(np.inf))
    return np.rint(cut / scales.astype(np.float32)).astype(np.int8), scales


def dequantised(codes: NDArray[np.int8], scales: NDArray[np.float16], k: int) -> NDArray[np.float32]:
    """The rows [n, k] that `quantise` stored."""
    return (codes * scales.astype(np.float32)).reshape(len(codes), -1)[:, :k]


def _is_matrix(tensor: NDArray[Any]) -> bool:
    """Whether a tensor may be stored in fewer bits: a float32 matrix whose values a half can hold."""
    if tensor.dtype != np.float32 or tensor.ndim != 2 or not tensor.size:  # noqa: PLR2004 - rows and columns
        return False
    return float(np.abs(tensor).max()) <= _LARGEST_HALF


def _tables(graphs: Iterable[ModelProto], matrices: set[str]) -> set[str]:
    """The matrices of which some graph picks or multiplies by rows: their blocks lie along rows."""
    return {
        node.input[0]
        for model in graphs
        for node in model.graph.node
        if _picks_rows(node) or node.op_type == "Transpose"
        if node.input[0] in matrices
    }


def _picks_rows(node: NodeProto) -> bool:
    axis = next((int(each.i) for each in node.attribute if each.name == "axis"), 0)
    return node.op_type == "Gather" and axis == 0


class _Rewriter:
    """One graph, reading what is stored instead of float32 matrices."""

    def __init__(
        self,
        model: ModelProto,
        parts: Mapping[str, Mapping[str, NDArray[Any]]],
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        import onnx

        self._onnx = onnx
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._parts = parts
        self._shapes = shapes
        self._made: set[str] = set()

    def run(self) -> ModelProto:
        graph = self._model.graph
        nodes = [made for node in graph.node for made in self._replaced(node)]
        used = {name for node in nodes for name in node.input}
        plain = [each for each in graph.initializer if each.name not in self._shapes]
        del graph.initializer[:], graph.node[:]
        graph.initializer.extend([*plain, *self._initializers(used)])
        graph.node.extend(nodes)
        return self._model

    def _initializers(self, used: set[str]) -> Iterator[TensorProto]:
        """Entries without data for the stored parts in `used`, and the constants beside them."""
        helper = self._onnx.helper
        for name in self._shapes:
            for part, tensor in self._parts[name].items():
                if part in used:
                    kind = helper.np_dtype_to_tensor_dtype(tensor.dtype)
                    yield self._onnx.TensorProto(name=part, data_type=kind, dims=tensor.shape)
        for name in sorted(each for each in used if each.startswith(_WIDTH)):
            numbers = [int(number) for number in name.removeprefix(_WIDTH).split("x")]
            yield helper.make_tensor(name, self._onnx.TensorProto.INT64, [len(numbers)], numbers)

    def _replaced(self, node: NodeProto) -> Iterator[NodeProto]:
        """What stands for `node`: matrices are made before their first use, rows of a table once picked."""
        if _picks_rows(node) and node.input[0] in self._shapes:
            yield from self._picked(node)
            return
        for name in dict.fromkeys(node.input):
            if name in self._shapes and name not in self._made:
                self._made.add(name)
                yield from self._matrix(name)
        yield node

    def _cast(self, value: str, result: str) -> NodeProto:
        return self._onnx.helper.make_node("Cast", [value], [result], to=self._onnx.TensorProto.FLOAT)

    def _matrix(self, name: str) -> Iterator[NodeProto]:
        """The float32 matrix `name` from its stored parts."""
        if f"{name}.half" in self._parts[name]:
            yield self._cast(f"{name}.half", name)
            return
        make = self._onnx.helper.make_node
        yield self._cast(f"{name}.bytes", f"{name}.steps")
        yield self._cast(f"{name}.scales", f"{name}.scale")
        yield make("Mul", [f"{name}.steps", f"{name}.scale"], [f"{name}.blocks"])
        shape = self._parts[name][f"{name}.bytes"].shape
        if shape[2] == BLOCK and self._parts[name][f"{name}.scales"].shape[2] == 1:
            padded, axis = (shape[0], shape[1] * BLOCK), 1
        else:
            padded, axis = (shape[0] * BLOCK, shape[2]), 0
        whole = padded == self._shapes[name]
        joined = name if whole else f"{name}.padded"
        yield make("Reshape", [f"{name}.blocks", f"{_WIDTH}{padded[0]}x{padded[1]}"], [joined])
        if not whole:
            yield self._cut(joined, name, self._shapes[name][axis], axis)

    def _cut(self, value: str, result: str, width: int, axis: int) -> NodeProto:
        """The first `width` entries of `value` along `axis`."""
        bounds = [f"{_WIDTH}{number}" for number in (0, width, axis)]
        return self._onnx.helper.make_node("Slice", [value, *bounds], [result])

    def _picked(self, node: NodeProto) -> Iterator[NodeProto]:
        """Rows of a stored table, cast after they were picked."""
        make = self._onnx.helper.make_node
        name, ids, out = node.input[0], node.input[1], node.output[0]
        if f"{name}.half" in self._parts[name]:
            yield make("Gather", [f"{name}.half", ids], [f"{out}.half"], axis=0)
            yield self._cast(f"{out}.half", out)
            return
        for part, value in ((f"{name}.bytes", f"{out}.steps"), (f"{name}.scales", f"{out}.scale")):
            yield make("Gather", [part, ids], [f"{value}.stored"], axis=0)
            yield self._cast(f"{value}.stored", value)
        yield make("Mul", [f"{out}.steps", f"{out}.scale"], [f"{out}.blocks"])
        width = self._shapes[name][1]
        padded = -(-width // BLOCK) * BLOCK
        joined = out if padded == width else f"{out}.padded"
        yield make("Shape", [ids], [f"{out}.ids"])
        yield make("Concat", [f"{out}.ids", f"{_WIDTH}{padded}"], [f"{out}.shape"], axis=0)
        yield make("Reshape", [f"{out}.blocks", f"{out}.shape"], [joined])
        if padded != width:
            yield self._cut(joined, out, width, -1)
