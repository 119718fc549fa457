"""Which features are turned up or down, and a continuation of a text under it."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, get_args

import numpy as np

from atlas.errors import InputError, suggest
from atlas.reader.sampling import SEEDS, Mulberry32, choose, probability
from atlas.store.model_graphs import Steering, as_delivered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.reader.runtime import Runtime
    from atlas.store import AtlasStore, SaeEntry
    from atlas.store.browser_model import ModelShapePayload

Mode = Literal["add", "clamp", "ablate"]
"""add: the strength is added to whatever the feature does; clamp: its activation is set to the strength;
ablate: set to 0."""


@dataclass(frozen=True)
class Sampling:
    """How many tokens are made, and how each is chosen."""

    n_tokens: int
    """New tokens."""
    temperature: float
    """What logits are divided by before one token is drawn; 0 takes the likeliest."""
    seed: int
    """Seed of the draws, 0 to 2^32 - 1."""

    def check(self) -> None:
        """`InputError` for numbers that are none of these."""
        if self.n_tokens < 1:
            raise InputError(f"n_tokens is {self.n_tokens}", fix="ask for one token or more")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise InputError(f"the temperature is {self.temperature}", fix="0 is greedy, 1 the model's own")
        if not 0 <= self.seed < SEEDS:
            raise InputError(f"the seed is {self.seed}", fix=f"seeds are 0 to {SEEDS - 1}")


def steering_of(
    store: AtlasStore, runtime: Runtime, sae: SaeEntry, strengths: Mapping[Any, float], mode: Mode
) -> Steering:
    """The steering that `strengths` (feature → strength in units of its largest activation) asks for; without
    features one row that changes nothing.

    `InputError` for an unknown mode or feature, a strength that is no finite number, and a feature that never
    fired and so has no unit (it can be ablated).
    """
    if mode not in get_args(Mode):
        raise InputError(f"there is no mode {mode!r}", fix=suggest(str(mode), get_args(Mode)))
    entry = runtime.sae(sae.slug)
    numbers = [_number(feature, sae) for feature in strengths]
    strong = [
        0.0 if mode == "ablate" else _strength(store, sae, number, strength)
        for number, strength in zip(numbers, strengths.values(), strict=True)
    ]
    rows = [_direction(store, sae, number) for number in numbers]
    directions = np.array(rows, np.float32) if rows else np.zeros((1, entry["d_out"]), np.float32)
    directions = as_delivered(directions, runtime.facts["directions"])
    values = np.array(strong or [0.0], np.float32)
    nothing = np.zeros_like(values)
    added, target = (values, nothing) if mode == "add" else (nothing, values)
    clamp = np.full_like(values, float(mode != "add"))
    return Steering(np.array(numbers or [0], np.int64), directions, added, target, clamp)


@dataclass(frozen=True, eq=False)
class Generated:
    """What a steering graph made of a prompt."""

    token_ids: tuple[int, ...]
    """New tokens."""
    logits: NDArray[np.float32]
    """Logits that each was chosen from; [n_tokens, vocabulary]."""
    probabilities: NDArray[np.float64]
    """Probability of each at temperature 1; [n_tokens]."""
    measured: NDArray[np.float32]
    """Activation of each steered feature where it was chosen, before the change; [n_tokens, k]."""


def generate(
    runtime: Runtime, slug: str, prompt: list[int], steering: Steering, sampling: Sampling
) -> Generated:
    """Continue `prompt` (BOS included where the SAE wants it), which is read once; then a token a step.

    `InputError` when prompt and new tokens are more than the model's context.
    """
    shape = runtime.facts["model"]
    if len(prompt) + sampling.n_tokens > shape["context_size"]:
        raise InputError(
            f"{len(prompt)} tokens of text and {sampling.n_tokens} new ones are more than the model's"
            f" context of {shape['context_size']}",
            fix="shorten the text, or ask for fewer tokens",
        )
    session = runtime.session(slug, "steer")
    names = [output.name for output in session.get_outputs()]
    past = _empty_past(shape)
    generator = Mulberry32(sampling.seed)
    ids = prompt
    mask = np.ones((1, len(prompt)), np.float32)
    mask[0, : runtime.sae(slug)["prepend_bos"]] = 0
    steps: list[tuple[int, NDArray[np.float32], NDArray[np.float32]]] = []
    for _ in range(sampling.n_tokens):
        inputs = {"input_ids": np.array([ids], np.int64), "mask": mask, **steering.inputs(), **past}
        outputs = dict(zip(names, session.run(names, inputs), strict=True))
        past = {name: outputs[name.replace("past_", "present_", 1)] for name in past}
        logits = outputs["logits"][0]
        steps.append((choose(logits, sampling.temperature, generator), logits, outputs["measured"][0, -1]))
        ids, mask = [steps[-1][0]], np.ones((1, 1), np.float32)
    token_ids, logits, measured = zip(*steps, strict=True)
    chances = [probability(row, token) for token, row, _ in steps]
    return Generated(token_ids, np.stack(logits), np.array(chances), np.stack(measured))


def _empty_past(shape: ModelShapePayload) -> dict[str, NDArray[np.float32]]:
    """The remembered keys and values of no tokens, by name of input."""
    return {
        f"past_{kind}.{layer}": np.zeros((1, heads, 0, width), np.float32)
        for kind in ("key", "value")
        for layer, (heads, width) in enumerate(zip(shape["kv_heads"], shape["d_head"], strict=True))
    }


def _number(feature: SupportsIndex, sae: SaeEntry) -> int:
    number = operator.index(feature)
    if not 0 <= number < sae.n_features:
        raise InputError(
            f"there is no feature {number} in SAE {sae.slug!r}",
            fix=f"features are numbered 0 to {sae.n_features - 1}",
        )
    return number


def _strength(store: AtlasStore, sae: SaeEntry, number: int, strength: float) -> float:
    """The strength in activation units."""
    if not math.isfinite(strength):
        raise InputError(f"the strength of feature {number} is {strength}", fix="give a finite number")
    table = store.read_features("features", sae.slug, number, number + 1, ["max_activation"])
    largest = float(table["max_activation"][0].as_py())
    if largest <= 0:
        raise InputError(
            f"feature {number} never fired, so its largest activation is no unit for a strength",
            where=str(store.path),
            fix="choose a feature that fires",
        )
    return strength * largest


def _direction(store: AtlasStore, sae: SaeEntry, number: int) -> list[float]:
    return store.read_features("directions", sae.slug, number, number + 1, ["direction"])["direction"][
        0
    ].as_py()
