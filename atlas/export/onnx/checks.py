"""What a browser compares itself with: token ids, reference runs, and the activations of a text per SAE."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas.export.onnx.strings import nasty_strings
from atlas.store.model_graphs import Steering

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas.export.onnx.gate import Sample
    from atlas.export.onnx.graphs import SaeGraphs
    from atlas.export.onnx.running import Runner

RUNS = 3
"""Reference runs of an atlas; its SAEs take turns."""

PROMPT_TOKENS, NEW_TOKENS = 16, 12
"""Tokens of a run's prompt, and tokens that it goes on for."""

LOGITS = 20
"""Largest logits of a run's last step that are kept."""

CLEAR = 0.05
"""Lead in logits of the likeliest token over the next one, in every step of a run: less might be turned
over by the rounding of another machine. Of prompts without it the one with the largest lead is taken."""

TRIED_PROMPTS = 24
"""Prompts looked at for one run."""

STRONGEST = 8
"""Activations of a token that are kept."""

Directions = Callable[[str, Sequence[int]], "NDArray[np.float32]"]
"""(slug, features) → [k, d_out] directions as readers get them."""


@dataclass(frozen=True)
class _Plan:
    """One way of steering."""

    name: str
    mode: str
    count: int
    strength: float


_PLANS = (
    _Plan("add its own activation to one feature", "add", 1, 1.0),
    _Plan("set two features to their strongest", "clamp", 2, 1.0),
    _Plan("ablate two features", "clamp", 2, 0.0),
)


def checks_file(
    runs: Sequence[Mapping[str, Any]],
    activations: Sequence[Mapping[str, Any]],
    encode: Callable[[str], list[int]],
) -> bytes:
    """The file `checks.json` (`ModelChecks`): what is given, and the ids that `encode` gives nasty texts."""
    tokenizer = [[text, encode(text)] for text in nasty_strings()]
    checks = {"tokenizer": tokenizer, "runs": list(runs), "activations": list(activations)}
    return json.dumps(checks, separators=(",", ":"), allow_nan=False).encode("ascii")


def activation_checks(runner: Runner, saes: Sequence[SaeGraphs], sample: Sample) -> list[dict[str, Any]]:
    """An `ActivationCheck` for each of `saes`, on the beginning of the first context of `sample`."""
    ids = sample.token_ids[0, : _length(runner)]
    return [
        {
            "sae": sae.slug,
            "ids": ids.tolist(),
            "strongest": [_firing(row) for row in runner.activations(sae, ids[None].astype(np.int64))[0]],
        }
        for sae in saes
    ]


def _firing(values: NDArray[np.float32]) -> list[list[float]]:
    """[feature, activation] of the `STRONGEST` that fire, the lowest feature first among equals."""
    order = np.argsort(-values, kind="stable")[:STRONGEST]
    return [[int(feature), float(values[feature])] for feature in order if values[feature] > 0]


def reference_runs(
    runner: Runner, saes: Sequence[SaeGraphs], sample: Sample, directions: Directions
) -> list[dict[str, Any]]:
    """Three `ReferenceRun`s by `runner`, on beginnings of the contexts of `sample`."""
    prompts = [row[: _length(runner)].tolist() for row in sample.token_ids[:TRIED_PROMPTS]]
    found: list[dict[str, Any]] = []
    for number, plan in enumerate(_PLANS[:RUNS]):
        sae = saes[number % len(saes)]
        # Each run looks at other prompts first, so that three runs are of three texts.
        turned = prompts[number:] + prompts[:number]
        steerings = list(_steerings(runner, sae, turned, plan, directions))
        found.append(_clearest(runner, sae, plan, steerings, sample.masked))
    return found


def _length(runner: Runner) -> int:
    """Tokens of a prompt, which leave the model room to go on."""
    return min(PROMPT_TOKENS, runner.context_size // 2)


def _steerings(
    runner: Runner, sae: SaeGraphs, prompts: Sequence[list[int]], plan: _Plan, directions: Directions
) -> Iterator[tuple[list[int], Steering]]:
    """Each prompt with a steering of the features that fire most at its last token."""
    for prompt in prompts:
        values = runner.activations(sae, np.array([prompt], np.int64))[0, -1]
        count = min(plan.count, values.size)
        features = np.argsort(-values, kind="stable")[:count].astype(np.int64)
        strong = (plan.strength * np.maximum(values[features], 1)).astype(np.float32)
        nothing = np.zeros(count, np.float32)
        clamps = plan.mode == "clamp"
        yield (
            prompt,
            Steering(
                features=features,
                directions=directions(sae.slug, features.tolist()),
                add=nothing if clamps else strong,
                target=strong if clamps else nothing,
                clamp=np.full(count, float(clamps), np.float32),
            ),
        )


def _clearest(
    runner: Runner,
    sae: SaeGraphs,
    plan: _Plan,
    steerings: Sequence[tuple[list[int], Steering]],
    masked: int,
) -> dict[str, Any]:
    """The first run in which every choice is clear, else the one whose narrowest choice is clearest."""
    best: tuple[float, dict[str, Any]] = (-np.inf, {})
    for prompt, steering in steerings:
        count = min(NEW_TOKENS, runner.context_size - len(prompt))
        tokens, logits = runner.greedy(sae, prompt, steering, count, masked)
        top = np.sort(logits, axis=1)[:, -2:]
        lead = float((top[:, -1] - top[:, 0]).min())
        if lead > best[0]:
            made = {"new_tokens": tokens, "logits": _strongest(logits[-1])}
            facts = {"name": plan.name, "sae": sae.slug, "prompt_ids": prompt, "masked": masked}
            best = (lead, facts | _rows(steering) | made)
        if lead >= CLEAR:
            break
    return best[1]


def _rows(steering: Steering) -> dict[str, Any]:
    """The steering as JSON; directions are the dataset's."""
    return {name: value.tolist() for name, value in steering.inputs().items() if name != "directions"}


def _strongest(logits: NDArray[np.float32]) -> list[list[float]]:
    """[id, logit] of the `LOGITS` largest, the lowest id first among equals."""
    order = np.argsort(-logits, kind="stable")[:LOGITS]
    return [[int(token), float(logits[token])] for token in order]
