"""A model of two layers for the synthetic dataset: graphs written by hand, and a dense reference.

The graphs have the inputs and outputs of exported ones. `ToyModel` computes the same from the definitions in
numpy, double precision, the whole sequence at once and without a cache: an oracle that shares no line with
the reader.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from atlas import schema
from atlas.sources.tokens import byte_alphabet
from atlas.store import AtlasStore
from tests.support.synthetic import BOS, SPECIAL

WIDTH, HEADS, HEAD, LAYERS, CONTEXT = 8, 2, 4, 2, 64
"""d_model, heads, their width, layers, and the model's context."""
WINDOW = {"alpha": 12, "beta": 7}
"""Context size of each SAE; alpha's windows begin with BOS, beta's do not."""
HOOK = 1
"""The layer in front of which both SAEs read and write."""
NEW_TOKENS = 12
"""Length of a reference run."""
PART = 700
"""Bytes of a part of a file, so small that every file has several."""
GATE = {
    "n_tokens": 4096,
    "top_overlap": 0.9987,
    "relative_error": 2e-5,
    "flips": 0.004,
    "l0": 21.5,
    "largest_error": 3e-4,
    "logits_error": 5e-5,
    "argmax_agreement": 1.0,
}
"""Figures of the gate, invented: pages only show them."""
SELF_TEST = ["", "plain", "naïve café", "日本語 🤗", f"a{SPECIAL}b", "\x00\u202e\ufffd"]
"""Texts whose tokens are stored for the tokenizer's self-test."""


@dataclass(eq=False)
class ToyModel:
    """The weights, and everything that follows from them."""

    weights: dict[str, np.ndarray]
    """`embed`, `unembed`, `query.0` … `out.1`, and `<slug>.encoder`, `.bias`, `.decoder`."""

    def states(self, ids: list[int], layers: range, start: np.ndarray | None = None) -> np.ndarray:
        """The residual stream [n, WIDTH] after `layers`, from the embedding or from `start`."""
        state = self.weights["embed"][ids].astype(np.float64) if start is None else start
        for layer in layers:
            query, key, value = (
                (state @ self.weights[f"{name}.{layer}"].astype(np.float64)).reshape(-1, HEADS, HEAD)
                for name in ("query", "key", "value")
            )
            scores = np.einsum("ihd,jhd->hij", query, key) / np.sqrt(HEAD)
            scores[:, np.triu(np.ones(scores.shape[1:], bool), 1)] = -np.inf
            chances = np.exp(scores - scores.max(-1, keepdims=True))
            mixed = np.einsum("hij,jhd->ihd", chances / chances.sum(-1, keepdims=True), value)
            state = state + mixed.reshape(-1, WIDTH) @ self.weights[f"out.{layer}"].astype(np.float64)
        return state

    def encode(self, slug: str, state: np.ndarray) -> np.ndarray:
        """Activations [n, d_sae] of the residual stream at the hook."""
        kernel, bias = self.weights[f"{slug}.encoder"], self.weights[f"{slug}.bias"]
        return np.maximum(state @ kernel.astype(np.float64) + bias, 0)

    def activations(self, slug: str, ids: list[int]) -> np.ndarray:
        """Activations [n, d_sae] of one window."""
        return self.encode(slug, self.states(ids, range(HOOK)))

    def logits(
        self, slug: str, ids: list[int], mode: str, strong: dict[int, float], masked: int
    ) -> np.ndarray:
        """Logits [n, vocabulary], features at `strong` (activation units), `masked` first ones as is."""
        state = self.states(ids, range(HOOK))
        now = self.encode(slug, state)
        change = np.zeros_like(state)
        for feature, strength in strong.items():
            goal = {"add": now[:, feature] + strength, "clamp": strength, "ablate": 0.0}[mode]
            delta = goal - now[:, feature]
            change += np.outer(delta, self.weights[f"{slug}.decoder"][feature].astype(np.float64))
        change[:masked] = 0
        return self.states(ids, range(HOOK, LAYERS), state + change) @ self.weights["unembed"].astype(
            np.float64
        )


def make_toy(vocabulary: int, d_sae: int, seed: int = 0) -> ToyModel:
    """A random toy model for `vocabulary` tokens and SAEs of `d_sae` features."""
    rng = np.random.default_rng(seed)

    def random(*shape: int, scale: float = 0.5) -> np.ndarray:
        return rng.normal(0, scale, shape).astype(np.float32)

    weights = {"embed": random(vocabulary, WIDTH, scale=1.0)}
    for layer in range(LAYERS):
        weights |= {f"{name}.{layer}": random(WIDTH, WIDTH) for name in ("query", "key", "value", "out")}
    weights["unembed"] = random(WIDTH, vocabulary, scale=0.4)
    for slug in WINDOW:
        weights[f"{slug}.encoder"] = random(WIDTH, d_sae)
        weights[f"{slug}.bias"] = random(d_sae) - np.float32(0.5)
        weights[f"{slug}.decoder"] = random(d_sae, WIDTH, scale=0.1)
    return ToyModel(weights)


class Nodes:
    """The nodes of a graph in the making: `nodes("MatMul", a, b)` adds one and gives its output's name."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def __call__(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = name or f"{kind.lower()}_{len(self.made)}"
        self.made.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        from onnx import numpy_helper

        return self("Constant", value=numpy_helper.from_array(np.asarray(value)))

    def heads(self, state: str, weight: str) -> str:
        """`state` times `weight`, as [batch, heads, sequence, head]."""
        cut = self("Reshape", self("MatMul", state, weight), self.constant(np.array([0, 0, HEADS, HEAD])))
        return self("Transpose", cut, perm=[0, 2, 1, 3])

    def layer(self, state: str, layer: int, past: tuple[str, str] | None) -> str:
        """The residual stream behind one layer; with `past` keys and values are remembered."""
        query, key, value = (self.heads(state, f"{name}.{layer}") for name in ("query", "key", "value"))
        if past:
            key = self("Concat", past[0], key, name=f"present_key.{layer}", axis=2)
            value = self("Concat", past[1], value, name=f"present_value.{layer}", axis=2)
        scores = self("MatMul", query, self("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self("Div", scores, self.constant(np.float32(np.sqrt(HEAD))))
        mixed = self("MatMul", self("Softmax", self.causal(scores), axis=-1), value)
        joined = self(
            "Reshape", self("Transpose", mixed, perm=[0, 2, 1, 3]), self.constant(np.array([0, 0, WIDTH]))
        )
        return self("Add", state, self("MatMul", joined, f"out.{layer}"))

    def causal(self, scores: str) -> str:
        """`scores` [batch, heads, sequence, past + sequence] without what lies ahead."""
        shape = self("Shape", scores)
        long, whole = (self("Gather", shape, self.constant(np.int64(axis))) for axis in (2, 3))
        one, zero = self.constant(np.int64(1)), self.constant(np.int64(0))
        rows = self("Range", self("Sub", whole, long), whole, one)
        columns = self("Range", zero, whole, one)
        ahead = self("Greater", columns, self("Unsqueeze", rows, self.constant(np.array([1]))))
        return self("Where", ahead, self.constant(np.float32(-1e30)), scores)

    def encode(self, state: str, slug: str, name: str = "") -> str:
        """Activations of the SAE."""
        return self("Relu", self("Add", self("MatMul", state, f"{slug}.encoder"), f"{slug}.bias"), name=name)


def activations_graph(toy: ToyModel, slug: str) -> bytes:
    """The serialised graph tokens → activations."""
    nodes = Nodes()
    state = nodes("Gather", "embed", "input_ids", axis=0)
    for layer in range(HOOK):
        state = nodes.layer(state, layer, None)
    nodes.encode(state, slug, "activations")
    inputs = [("input_ids", "INT64", ["batch", "sequence"])]
    return _model(toy, slug, nodes, inputs, [("activations", "FLOAT", ["batch", "sequence", None])])


def steer_graph(toy: ToyModel, slug: str) -> bytes:
    """The serialised graph tokens and steering → logits."""
    nodes = Nodes()
    state = nodes("Gather", "embed", "input_ids", axis=0)
    for layer in range(LAYERS):
        if layer == HOOK:
            found = nodes("Gather", nodes.encode(state, slug), "features", axis=2, name="measured")
            delta = nodes("Add", nodes("Mul", "clamp", nodes("Sub", "target", found)), "add")
            there = nodes("Unsqueeze", "mask", nodes.constant(np.array([2])))
            state = nodes("Add", state, nodes("Mul", there, nodes("MatMul", delta, "directions")))
        state = nodes.layer(state, layer, (f"past_key.{layer}", f"past_value.{layer}"))
    last = nodes("Gather", state, nodes.constant(np.int64(-1)), axis=1)
    nodes("MatMul", last, "unembed", name="logits")
    cache = [f"{kind}.{layer}" for kind in ("key", "value") for layer in range(LAYERS)]
    rows = [("input_ids", "INT64", ["batch", "sequence"]), ("features", "INT64", ["k"])]
    rows += [("directions", "FLOAT", ["k", WIDTH]), ("mask", "FLOAT", ["batch", "sequence"])]
    rows += [(name, "FLOAT", ["k"]) for name in ("add", "target", "clamp")]
    rows += [(f"past_{name}", "FLOAT", ["batch", HEADS, "past", HEAD]) for name in cache]
    outputs = [("logits", "FLOAT", ["batch", None]), ("measured", "FLOAT", ["batch", "sequence", "k"])]
    outputs += [(f"present_{name}", "FLOAT", ["batch", HEADS, "whole", HEAD]) for name in cache]
    return _model(toy, slug, nodes, rows, outputs)


def _home(name: str) -> str:
    """The weight file of a tensor."""
    slug = name.partition(".")[0]
    if slug in WINDOW:
        return f"{slug}.weights"
    return "trunk.1" if name.endswith(f".{HOOK}") or name == "unembed" else "trunk.0"


def weight_files(toy: ToyModel) -> tuple[dict[str, bytes], dict[str, int]]:
    """File → its bytes, and tensor → where it begins in its file."""
    files: dict[str, bytes] = {}
    offsets: dict[str, int] = {}
    for name, values in toy.weights.items():
        if not name.endswith("decoder"):
            before = files.get(_home(name), b"")
            offsets[name] = len(before)
            files[_home(name)] = before + values.tobytes()
    return files, offsets


def _model(toy: ToyModel, slug: str, nodes: Nodes, inputs: list[Any], outputs: list[Any]) -> bytes:
    from onnx import TensorProto, helper

    _, offsets = weight_files(toy)
    used = {name for node in nodes.made for name in node.input} & set(toy.weights)
    initializers = []
    for name in sorted(used):
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=toy.weights[name].shape)
        tensor.data_location = TensorProto.EXTERNAL
        facts = {"location": _home(name), "offset": offsets[name], "length": toy.weights[name].nbytes}
        for key, value in facts.items():
            tensor.external_data.add(key=key, value=str(value))
        initializers.append(tensor)

    def infos(rows: list[Any]) -> list[Any]:
        return [
            helper.make_tensor_value_info(n, getattr(TensorProto, kind), shape) for n, kind, shape in rows
        ]

    graph = helper.make_graph(nodes.made, slug, infos(inputs), infos(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return model.SerializeToString(deterministic=True)


def byte_tokenizer() -> Any:
    """A tokenizer whose ids 0 to 255 are the bytes and 256 is `SPECIAL`, as in the synthetic vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=byte_alphabet(), merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(SPECIAL, special=True)])
    assert tokenizer.token_to_id(SPECIAL) == BOS
    return tokenizer


def add_toy_model(store: AtlasStore, *, directions: str = "float32", bad_test: bool = False) -> ToyModel:
    """Give the dataset of `store` (SAEs of `WINDOW`, or some of them) a toy model; returns its reference.

    `bad_test` stores ids that the tokenizer does not give.
    """
    slugs = [entry.slug for entry in store.manifest.saes]
    d_sae = store.manifest.saes[0].n_features
    vocabulary = int(store.manifest.model["vocabulary_size"])
    toy = make_toy(vocabulary, d_sae)
    tokenizer = byte_tokenizer()
    tests = [
        (text, tokenizer.encode(text, add_special_tokens=False).ids + [1] * bad_test) for text in SELF_TEST
    ]
    files = weight_files(toy)[0] | {
        "tokenizer.json": tokenizer.to_str().encode(),
    }
    checks = {"tokenizer": tests, "runs": list(_runs(toy, slugs)), "activations": _activations(toy, slugs)}
    files["checks.json"] = json.dumps(checks).encode()
    for slug in slugs:
        files[f"{slug}.activations.onnx"] = activations_graph(toy, slug)
        files[f"{slug}.steer.onnx"] = steer_graph(toy, slug)
        rows = [
            {"feature_idx": number, "direction": row.tolist()}
            for number, row in enumerate(toy.weights[f"{slug}.decoder"])
        ]
        with store.writer("directions", sae=slug, schema=schema.DIRECTIONS) as writer:
            writer.write(pa.Table.from_pylist(rows, schema=schema.DIRECTIONS))
    with store.writer("model_files", schema=schema.MODEL_FILES) as writer:
        writer.write(pa.Table.from_pylist(list(_parts(files)), schema=schema.MODEL_FILES))
    store.update(browser_model=_facts(files, slugs, vocabulary, d_sae, directions))
    return toy


def _runs(toy: ToyModel, slugs: list[str]) -> Iterator[dict[str, Any]]:
    """Three greedy runs per SAE by the dense reference, as `atlas.store.browser_model.ReferenceRun`."""
    for slug in slugs:
        masked = int(slug == "alpha")
        prompt = [BOS] * masked + list(b"def ")
        for mode, feature, strength in (("add", 0, 0.0), ("add", 5, 9.0), ("clamp", 7, 6.0)):
            ids, last = list(prompt), np.zeros(0)
            for _ in range(NEW_TOKENS):
                last = toy.logits(slug, ids, mode, {feature: strength}, masked)[-1]
                ids.append(int(np.argmax(last)))
            clamped = mode == "clamp"
            yield {
                "name": f"{slug} {mode} {feature}",
                "sae": slug,
                "prompt_ids": prompt,
                "features": [feature],
                "add": [0.0 if clamped else strength],
                "target": [strength if clamped else 0.0],
                "clamp": [float(clamped)],
                "masked": masked,
                "new_tokens": ids[len(prompt) :],
                "logits": [[int(each), float(last[each])] for each in np.argsort(-last, kind="stable")[:20]],
            }


def _activations(toy: ToyModel, slugs: list[str]) -> list[dict[str, Any]]:
    """The eight strongest by the dense reference, as `atlas.store.browser_model.ActivationCheck`."""
    found: list[dict[str, Any]] = []
    for slug in slugs:
        ids = [BOS] * (slug == "alpha") + list(b"return")
        rows = [
            [[int(each), float(row[each])] for each in np.argsort(-row, kind="stable")[:8] if row[each] > 0]
            for row in toy.activations(slug, ids)
        ]
        found.append({"sae": slug, "ids": ids, "strongest": rows})
    return found


def _parts(files: dict[str, bytes]) -> Iterator[dict[str, Any]]:
    for name, data in files.items():
        for part, start in enumerate(range(0, len(data), PART)):
            yield {"name": name, "part": part, "data": data[start : start + PART]}


def _facts(
    files: dict[str, bytes], slugs: list[str], vocabulary: int, d_sae: int, directions: str
) -> dict[str, Any]:
    """`atlas.store.browser_model.ModelPayload`."""
    return {
        "precision": "fp32",
        "directions": directions,
        "files": [
            {
                "name": name,
                "key": f"model/files/{name.replace('.', '-')}",
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "parts": -(-len(data) // PART),
                "transfer": 0,
            }
            for name, data in files.items()
        ],
        "saes": [
            {
                "slug": slug,
                "activations": f"{slug}.activations.onnx",
                "steer": f"{slug}.steer.onnx",
                "activation_files": ["trunk.0", f"{slug}.weights"],
                "steer_files": ["trunk.0", f"{slug}.weights", "trunk.1"],
                "hook_name": f"blocks.{HOOK}.hook_resid_pre",
                "hook_name_out": "",
                "d_sae": d_sae,
                "d_out": WIDTH,
                "prepend_bos": slug == "alpha",
                "context_size": WINDOW[slug],
                "gate": GATE,
            }
            for slug in slugs
        ],
        "model": {
            "name": "toy",
            "vocabulary_size": vocabulary,
            "n_layers": LAYERS,
            "kv_heads": [HEADS] * LAYERS,
            "d_head": [HEAD] * LAYERS,
            "context_size": CONTEXT,
            "bos_token_id": BOS,
        },
        "versions": [],
    }
