"""What a dataset and a site say of the model that runs in the browser, as types of JSON.

The manifest records a `ModelPayload` as `browser_model`; the site's scripts read the same thing (see
`atlas.render.payloads`), so that a name exists once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TypedDict

PART_BYTES = 2 << 20
"""Bytes of a part of a file: what a browser fetches at once, so that it can tell its progress and stop."""


class ModelFilePayload(TypedDict):
    """One file of the model for browsers."""

    name: str
    """As the graphs and this payload call it."""
    key: str
    """Its bytes are those of the byte shards `<key>/0` to `<key>/<parts - 1>`, one after the other."""
    bytes: int
    sha256: str
    """SHA-256 hex of the file."""
    parts: int
    transfer: int
    """Bytes of these shards, as they are fetched; 0 in the manifest, which knows of no site."""


def parts_of(content: bytes) -> Iterator[bytes]:
    """`content` in parts of `PART_BYTES`; one empty part of an empty file."""
    for start in range(0, max(len(content), 1), PART_BYTES):
        yield content[start : start + PART_BYTES]


def file_entry(name: str, key: str, content: bytes) -> ModelFilePayload:
    """What is said of the file `name`, whose parts are the shards `<key>/<n>`."""
    return {
        "name": name,
        "key": key,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "parts": sum(1 for _ in parts_of(content)),
        "transfer": 0,
    }


class GatePayload(TypedDict):
    """How well the exported model of one SAE agrees with the original on real text."""

    n_tokens: int
    """Tokens compared."""
    top_overlap: float
    """Mean share of each token's 20 strongest features (all, where fewer fire) that both have there."""
    relative_error: float
    """Median of |difference| / reference over the firings of the original."""
    flips: float
    """Features per token that fire in one of the two only."""
    l0: float
    """Features per token that fire in the original."""
    largest_error: float
    """Largest |difference| of an activation, divided by max(1, |reference|)."""
    logits_error: float
    """The same of the last position's logits, over the contexts compared."""
    argmax_agreement: float
    """Share of these contexts whose most likely next token is the same."""


class SaeModelPayload(TypedDict):
    """What runs one SAE in the browser. File names are those of `ModelPayload.files`."""

    slug: str
    activations: str
    """Graph: `input_ids` int64 [batch, sequence] → `activations` float32 [batch, sequence, d_sae]."""
    steer: str
    """Graph: `input_ids`, `past_key.<layer>` and `past_value.<layer>` float32 [batch, kv_heads, past,
    d_head], `features` int64 [k], `directions` float32 [k, d_out], `add`, `target`, `clamp` float32 [k],
    `mask` float32 [batch, sequence] → `logits` [batch, vocabulary], `present_key.<layer>`,
    `present_value.<layer>`, `measured` [batch, sequence, k]."""
    activation_files: list[str]
    """Weight files that the graph `activations` needs."""
    steer_files: list[str]
    """Weight files that the graph `steer` needs."""
    hook_name: str
    """Where the SAE reads."""
    hook_name_out: str
    """Where it writes, and where steering adds; empty for an SAE that writes where it reads."""
    d_sae: int
    d_out: int
    """Width of a direction."""
    prepend_bos: bool
    """Whether every window begins with BOS."""
    context_size: int
    """Tokens of a window, BOS included."""
    gate: GatePayload


class ModelShapePayload(TypedDict):
    """What a caller of the graphs must know of the model."""

    name: str
    """As configured (untrusted)."""
    vocabulary_size: int
    """Logits of a position."""
    n_layers: int
    """Layers whose keys and values are remembered."""
    kv_heads: list[int]
    """Per layer."""
    d_head: list[int]
    """Per layer."""
    context_size: int
    """Longest sequence, past included."""
    bos_token_id: int | None


class VersionPayload(TypedDict):
    """A library and its version."""

    library: str
    version: str


class ModelPayload(TypedDict):
    """Shard `model/index`: the model for browsers; in the manifest `browser_model`."""

    precision: str
    """How weights are stored: 'fp32', 'fp16' or 'int8'. All arithmetic is float32."""
    directions: str
    """Type of the numbers in the byte shards `<slug>/directions/<n>`, little-endian rows [d_out] of
    `SitePayload.features_per_shard` features each: 'float32' or 'float16'."""
    files: list[ModelFilePayload]
    """Graphs, weights, `tokenizer.json`, `checks.json`; on the site also the runtime, `ort.wasm`."""
    saes: list[SaeModelPayload]
    model: ModelShapePayload
    versions: list[VersionPayload]
    """What exported it."""


class ReferenceRun(TypedDict):
    """Steered tokens as the build computed them, greedily, with the graphs that are shipped."""

    name: str
    """For people."""
    sae: str
    """Slug."""
    prompt_ids: list[int]
    features: list[int]
    add: list[float]
    """What is added to the measured activation of each feature; in activation units."""
    target: list[float]
    clamp: list[float]
    """1: the feature's activation is set to `target`; 0: it is not."""
    masked: int
    """First positions of the prompt that are left as they are: 1 where it begins with BOS, else 0."""
    new_tokens: list[int]
    logits: list[tuple[int, float]]
    """(id, logit) of the 20 largest logits of the last step, largest first."""


class ActivationCheck(TypedDict):
    """Activations of one SAE on one window, as the build computed them with the graph that is shipped."""

    sae: str
    """Slug."""
    ids: list[int]
    """Tokens of the window, BOS included where the SAE wants one."""
    strongest: list[list[tuple[int, float]]]
    """Per token (feature, activation) of the 8 strongest that fire, strongest first."""


class ModelChecks(TypedDict):
    """The file `checks.json`: what a browser compares itself with before it shows anything."""

    tokenizer: list[tuple[str, list[int]]]
    """(text, ids without any BOS added)."""
    runs: list[ReferenceRun]
    activations: list[ActivationCheck]
    """One per SAE."""


MODEL_PAYLOADS = (
    ModelFilePayload,
    GatePayload,
    SaeModelPayload,
    ModelShapePayload,
    VersionPayload,
    ModelPayload,
    ReferenceRun,
    ActivationCheck,
    ModelChecks,
)
"""Every payload type of the model, in the order TypeScript gets them."""
