"""What the weights of each feature are like: lengths, angles, biases, thresholds, alignment with neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa

from atlas.enrich.ranking import largest
from atlas.schema import NEURON_LIST, with_kinds
from atlas.schema import WEIGHTS as WEIGHTS_TABLE
from atlas.stats.lists import struct_lists

if TYPE_CHECKING:
    import torch

    from atlas.enrich.base import EnrichContext
    from atlas.sources.saes.base import SaeWeights

TOP_NEURONS = 5
"""Dimensions listed per feature."""

FEATURES_AT_ONCE = 4096
"""Features whose float64 copies are in memory together."""


class Weights:
    """Statistics of the weights themselves: no model and no text in them."""

    name: ClassVar[str] = "weights"
    reads: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[tuple[str, ...]] = ("weights",)
    notes: ClassVar[str] = (
        "Statistics of the weights are of the weights as they are used: what is folded into them for "
        "scaled inputs is in them, and where activations are rescaled by the decoder's length, the decoder "
        "direction has length 1 and the encoder is multiplied by that length. A dimension of the residual "
        "stream is called a neuron here as the field does; only behind a nonlinearity is it one."
    )

    def run(self, context: EnrichContext) -> None:
        """Write `weights`, one row per feature."""
        weights = context.sae().weights()
        schema = table_schema(weights)
        with context.store.writer("weights", sae=context.sae_slug, schema=schema) as writer:
            for start in range(0, weights.W_dec.shape[0], FEATURES_AT_ONCE):
                stop = min(start + FEATURES_AT_ONCE, weights.W_dec.shape[0])
                writer.write(weight_statistics(weights, start, stop, schema))


def table_schema(weights: SaeWeights) -> pa.Schema:
    """`schema.WEIGHTS`, with the columns that are null for every feature of this SAE kept from pages."""
    exists = {
        "encoder_norm": weights.W_enc is not None,
        "encoder_decoder_cosine": weights.W_enc is not None
        and weights.W_enc.shape[0] == weights.W_dec.shape[1],
        "encoder_bias": weights.b_enc is not None,
        "threshold": weights.threshold is not None,
    }
    return with_kinds(WEIGHTS_TABLE, {name: "hidden" for name, there in exists.items() if not there})


def weight_statistics(weights: SaeWeights, start: int, stop: int, schema: pa.Schema) -> pa.Table:
    """The rows of features start <= f < stop, computed in float64 and stored in float32."""
    decoder = weights.W_dec[start:stop].double()
    encoder = None if weights.W_enc is None else weights.W_enc[:, start:stop].T.double()
    length = decoder.norm(dim=1)
    columns: dict[str, pa.Array] = {
        "feature_idx": pa.array(np.arange(start, stop, dtype=np.int32)),
        "encoder_norm": _numbers(None if encoder is None else encoder.norm(dim=1), stop - start),
        "decoder_norm": _numbers(length, stop - start),
        "encoder_decoder_cosine": _numbers(_cosines(encoder, decoder), stop - start),
        "encoder_bias": _numbers(_part(weights.b_enc, start, stop), stop - start),
        "threshold": _numbers(_part(weights.threshold, start, stop), stop - start),
        "neuron_alignment": _numbers(decoder.abs().amax(dim=1) / length, stop - start),
        "top_neurons": top_neurons(decoder),
    }
    return pa.table([columns[name] for name in schema.names], schema=schema)


def top_neurons(decoder: torch.Tensor) -> pa.Array:
    """`schema.NEURON_LIST` of each row of `decoder` [n, d]; equal sizes by dimension; none for a zero row."""
    size = decoder.abs()
    ranked = largest(size.masked_fill(size == 0, -np.inf), TOP_NEURONS)
    lengths = np.diff(ranked.offsets)
    row = np.repeat(np.arange(lengths.size), lengths)
    value = decoder.numpy()[row, ranked.columns]
    share = np.abs(value) / size.sum(dim=1).numpy()[row]
    parts = (ranked.columns, value.astype(np.float32), share.astype(np.float32))
    return struct_lists(NEURON_LIST, lengths, *parts)


def _cosines(encoder: torch.Tensor | None, decoder: torch.Tensor) -> torch.Tensor | None:
    """[n] cosine of each pair of rows, NaN where one is zero; None where they cannot be compared."""
    if encoder is None or encoder.shape[1] != decoder.shape[1]:
        return None
    return (encoder * decoder).sum(dim=1) / (encoder.norm(dim=1) * decoder.norm(dim=1))


def _part(values: torch.Tensor | None, start: int, stop: int) -> torch.Tensor | None:
    return None if values is None else values[start:stop]


def _numbers(values: torch.Tensor | None, count: int) -> pa.Array:
    """As a float32 column; NaN (a quotient by zero) and what does not exist are null."""
    if values is None:
        return pa.nulls(count, pa.float32())
    return pa.array(values.float().numpy(), pa.float32(), from_pandas=True)


WEIGHTS = Weights()
"""Registered under `atlas.enrichers`."""
