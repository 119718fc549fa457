"""What the model for browsers will weigh, before it is exported: from the sizes of model and SAEs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas.export.onnx.precision import DIRECTIONS, LIMITS
from atlas.render.model import RUNTIME_RATIO, WEIGHT_RATIO
from atlas.store.browser_model import PART_BYTES

if TYPE_CHECKING:
    from atlas.config import SiteConfig
    from atlas.export.onnx.precision import Precision
    from atlas.sources.engines.base import ModelFacts
    from atlas.sources.saes.base import SaeFacts

WEIGHT_BYTES = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0625}
"""Precision → bytes a weight, scales included."""

RUNTIME_BYTES, WEBGPU_BYTES = 14_300_000, 16_900_000
"""Sizes of the runtimes, which a site has once: the one all readers get, and the one of `render.webgpu`."""

GRAPH_BYTES = 200_000
"""Graphs and tokenizer, about."""


@dataclass(frozen=True)
class ModelSize:
    """What the model adds, in bytes and files."""

    precision: str
    """How its weights will be stored."""
    data: int
    """Bytes in the dataset: the files, and the directions of all features."""
    site: int
    """Bytes of the site, the runtime included."""
    files: int
    """Files of the site."""


NOTHING = ModelSize("", 0, 0, 0)
"""Of an atlas without the model."""


def model_size(config: SiteConfig, model: ModelFacts, saes: Sequence[SaeFacts]) -> ModelSize:
    """What the model adds under `config`; an estimate within a tenth or so, `NOTHING` without it."""
    if not config.browser_model:
        return NOTHING
    rows = sum(sae.d_sae * sae.d_in for sae in saes)
    weights = 12 * model.n_layers * model.d_model**2 + model.vocabulary_size * model.d_model + rows
    fitting: list[Precision] = [
        name for name, limit in LIMITS.items() if weights * WEIGHT_BYTES[name] <= limit
    ]
    most_exact = fitting[0] if fitting else "int8"
    precision = most_exact if config.browser_precision == "auto" else config.browser_precision
    files = round(weights * WEIGHT_BYTES[precision]) + GRAPH_BYTES
    directions = rows * np.dtype(DIRECTIONS[precision]).itemsize
    per_shard = config.render.features_per_shard
    shards = sum(-(-sae.d_sae // per_shard) for sae in saes)
    runtimes = [RUNTIME_BYTES, WEBGPU_BYTES] if config.render.webgpu else [RUNTIME_BYTES]
    return ModelSize(
        precision=precision,
        data=files + 4 * rows,
        site=round(WEIGHT_RATIO * (files + directions) + RUNTIME_RATIO * sum(runtimes)),
        files=1 + shards + sum(-(-size // PART_BYTES) for size in [files, *runtimes]),
    )
