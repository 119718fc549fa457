"""How graphs of a model for browsers are called: by the export that gates them, and by readers in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Steering:
    """The steering inputs of a graph, one row a feature; k >= 1."""

    features: NDArray[np.int64]
    """[k] number of each feature."""
    directions: NDArray[np.float32]
    """[k, d_out] what one unit of its activation writes."""
    add: NDArray[np.float32]
    """[k] what is added, in activation units."""
    target: NDArray[np.float32]
    """[k] what a clamped activation is set to, in activation units."""
    clamp: NDArray[np.float32]
    """[k] 1 where the activation is clamped, else 0."""

    def inputs(self) -> dict[str, NDArray[Any]]:
        """The graph's inputs by name."""
        return {name: getattr(self, name) for name in ("features", "directions", "add", "target", "clamp")}


def as_delivered(directions: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """`directions` as a site stores them in `dtype` (`ModelPayload.directions`): all readers add the same."""
    return directions.astype(dtype).astype(np.float32)


def open_session(onnxruntime: Any, graph: bytes, weights: Mapping[str, bytes]) -> Any:
    """A session of `graph` by the library `onnxruntime`, with its weight files (name → bytes) from memory.

    On one thread, so that equal inputs give equal bits. Whatever onnxruntime raises goes on.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    buffers = list(weights.values())
    options.add_external_initializers_from_files_in_memory(list(weights), buffers, list(map(len, buffers)))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
