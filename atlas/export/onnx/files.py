"""The files of an exported model: a graph each, and weights in files that no graph needs only in part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.export.onnx.precision import LIMITS, Precision, StoredModel, stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto

    from atlas.export.onnx.graphs import ExportedModel

FILE_BYTES = 16_000_000
"""A weight file takes in no further tensor beyond this size; a single larger tensor is a file of its own."""

_ALIGNMENT = 64


@dataclass(frozen=True)
class ModelFiles:
    """A model in files of one precision."""

    precision: Precision
    """How its weights are stored."""
    contents: dict[str, bytes]
    """Name → bytes: the graphs `<graph>.onnx`, then the weights `weights-<n>.bin` in order of first use."""
    needs: dict[str, tuple[str, ...]]
    """Name of a graph's file → the weight files that it names."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(map(len, self.contents.values()))


def graph_file(graph: str) -> str:
    """The name of the file of `graph`."""
    return f"{graph}.onnx"


def write_files(exported: ExportedModel, precision: Precision) -> ModelFiles:
    """The files of `exported` with weights stored in `precision`.

    A graph names its weights as ONNX external data: `location` is the weight file's name.
    """
    model = stored(exported.graphs, exported.tensors, precision)
    weights: dict[str, bytes] = {}
    places: dict[str, dict[str, str]] = {}
    for number, tensors in enumerate(_shares(exported, model)):
        name = f"weights-{number}.bin"
        weights[name] = _packed(tensors, name, places)
    graphs: dict[str, bytes] = {}
    needs: dict[str, tuple[str, ...]] = {}
    for key, graph in model.graphs.items():
        used = _point(graph, places)
        graphs[graph_file(key)] = graph.SerializeToString(deterministic=True)
        needs[graph_file(key)] = tuple(name for name in weights if name in used)
    return ModelFiles(precision, graphs | weights, needs)


def fitting(exported: ExportedModel) -> ModelFiles:
    """The files of `exported` in the first precision that `auto` takes for its size."""
    for precision, limit in LIMITS.items():
        if smallest_size(exported, precision) <= limit:
            found = write_files(exported, precision)
            if found.size <= limit:
                return found
    return write_files(exported, "int8")


def smallest_size(exported: ExportedModel, precision: Precision) -> int:
    """Bytes that the weights take at least in `precision`."""
    each = {"fp32": 4, "fp16": 2, "int8": 1}[precision]
    return sum(tensor.size for tensor in exported.tensors.values() if tensor.dtype == np.float32) * each


def _shares(exported: ExportedModel, model: StoredModel) -> Iterator[dict[str, NDArray[Any]]]:
    """The stored tensors, file by file: of the same users, in the order of first use, about `FILE_BYTES`."""
    parts: dict[str, list[str]] = {}
    for part, name in model.origin.items():
        parts.setdefault(name, []).append(part)
    for group in exported.groups():
        share: dict[str, NDArray[Any]] = {}
        size = 0
        for part in (part for name in group for part in parts[name]):
            tensor = model.tensors[part]
            if share and size + tensor.nbytes > FILE_BYTES:
                yield share
                share, size = {}, 0
            share[part] = tensor
            size += tensor.nbytes
        if share:
            yield share


def _packed(tensors: Mapping[str, NDArray[Any]], file: str, places: dict[str, dict[str, str]]) -> bytes:
    """The bytes of a weight file; where each tensor lies in it goes into `places`."""
    data = bytearray()
    for name, tensor in tensors.items():
        data += bytes(-len(data) % _ALIGNMENT)
        content = np.ascontiguousarray(tensor).astype(tensor.dtype.newbyteorder("<"), copy=False).tobytes()
        places[name] = {"location": file, "offset": str(len(data)), "length": str(len(content))}
        data += content
    return bytes(data)


def _point(graph: ModelProto, places: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Make the initializers of `graph` name their place; returns the weight files they name."""
    import onnx

    used: set[str] = set()
    for tensor in graph.graph.initializer:
        place = places.get(tensor.name)
        if place is None:
            continue
        used.add(place["location"])
        tensor.data_location = onnx.TensorProto.EXTERNAL
        del tensor.external_data[:]
        for key, value in place.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    return used
