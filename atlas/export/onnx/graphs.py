"""What the export gives: two graphs an SAE, and the weights that all of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ACTIVATIONS = "activations"
STEER = "steer"

TOKEN_IDS = "input_ids"  # noqa: S105 - the name of an input
"""Input of every graph: int64 [batch, sequence]."""


@dataclass(frozen=True)
class Decoder:
    """The sizes of the model that whoever runs its graphs must know."""

    n_layers: int
    """Blocks, each with its own keys and values."""
    kv_heads: int
    """Heads of the keys and values of one block."""
    d_head: int
    """Width of one head of the keys and values."""
    vocabulary_size: int
    """Columns of the logits."""
    context_size: int
    """Longest sequence the model takes, what is in the cache included."""


@dataclass(frozen=True)
class SaeGraphs:
    """Which graphs belong to an SAE, and where they read and write."""

    slug: str
    """The SAE's address."""
    activations: str
    """Its graph *tokens → activations*: `<slug>.activations`. Input `input_ids` int64 [batch, sequence];
    output `activations` float32 [batch, sequence, d_sae]. It begins at position 0 and has no cache."""
    steer: str
    """Its graph *tokens and steering → logits of the next token*: `<slug>.steer`. Inputs, in this order:
    `input_ids` int64 [batch, sequence]; `past_key.<layer>` and `past_value.<layer>` float32 [batch,
    kv_heads, past, d_head], what came before (`past` may be 0); `features` int64 [k]; `directions` float32
    [k, d_out]; `add`, `target` and `clamp` float32 [k]; `mask` float32 [batch, sequence]. k >= 1. At
    `hook_name_out` the tensor x becomes x + mask * scale(x) * sum over k of
    ((clamp * (target - measured) + add) * direction), so `clamp` 1 sets a feature to `target` and 0 only
    adds `add`; what the SAE does not explain of x is kept. Outputs: `logits` float32 [batch, vocabulary]
    of the last position; `present_key.<layer>` and `present_value.<layer>` [batch, kv_heads, past +
    sequence, d_head]; `measured` float32 [batch, sequence, k], their activations before the change."""
    hook_name: str
    """Where the activations are read."""
    hook_name_out: str
    """Where directions are written: `hook_name`, for a transcoder where it writes."""
    d_sae: int
    """Number of features."""
    d_out: int
    """Width of a direction."""


@dataclass(frozen=True)
class ExportedModel:
    """fp32 graphs of a model and its SAEs. Nothing here is written to disk yet.

    **Weights.** A graph holds none: what has more than 16 values is an initializer whose data lie
    elsewhere (`data_location` EXTERNAL, its one `external_data` entry `location` = the tensor's name), with
    its type and shape. The same tensor has the same name in every graph and is in `tensors` once; small
    constants are in the graphs.

    **How weights are used**, for whoever stores them in fewer bits. A float32 tensor with two dimensions
    is used only as `MatMul(x, T)` with T [d_in, d_out] (its second input), or by its rows: T [rows, d],
    as `Gather(T, ids)` on axis 0, and as `MatMul(x, Transpose(T))` (perm [1, 0]), or only one of the two.
    By rows go the token embedding (one with the unembedding where the model ties them), the positions,
    and W_enc of every SAE ([d_sae, d_in] here). There is no Gemm. All else (biases, norms) is small.
    """

    graphs: dict[str, Any]
    """Name → onnx.ModelProto, opset 20: for each SAE in turn its `activations`, then its `steer`."""
    tensors: dict[str, np.ndarray]
    """Name → values, as the graphs' initializers name them, in the order of first use: from the embedding up,
    then the SAEs' own."""
    users: dict[str, tuple[str, ...]]
    """Name of a tensor → the graphs that use it. Tensors with the same users belong in the same files, for
    then no graph loads a file that it needs only in part."""
    saes: tuple[SaeGraphs, ...]
    """In the order given."""
    decoder: Decoder
    """The model's sizes."""

    def needs(self, graph: str) -> tuple[str, ...]:
        """The names of the tensors that `graph` uses, in the order of first use."""
        return tuple(name for name, users in self.users.items() if graph in users)

    def groups(self) -> Iterator[tuple[str, ...]]:
        """The names of all tensors, cut so that in each group all have the same users; in order."""
        found: dict[tuple[str, ...], list[str]] = {}
        for name, users in self.users.items():
            found.setdefault(users, []).append(name)
        return (tuple(names) for names in found.values())


def cache_names(n_layers: int, when: str) -> list[str]:
    """Names of the cache as the steering graphs take (`when` = "past") or give it ("present"), in order."""
    return [f"{when}_{what}.{layer}" for what in ("key", "value") for layer in range(n_layers)]


def external_names(graph: Any) -> list[str]:
    """Names of the tensors that a graph (onnx.ModelProto) leaves out, in its own order."""
    return [tensor.name for tensor in graph.graph.initializer if tensor.external_data]


def users_of(graphs: dict[str, Any], order: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Tensor name, in `order` → the names of the `graphs` that use it."""
    needed = {name: set(external_names(graph)) for name, graph in graphs.items()}
    return {tensor: tuple(name for name, names in needed.items() if tensor in names) for tensor in order}
