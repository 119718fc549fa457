"""A real build's model in the notebook against torch: activations, steering, tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import atlas
from tests.support.runnable import Runnable, Torch, small_demo
from tests.unit.reader.test_sampling import published, slow_choice

pytestmark = pytest.mark.slow

TEXTS = [
    "def parse(text):\n    return json.loads(text)\n",
    "class Reader:\n    def __init__(self, path: str) -> None:\n        self.path = path\n" * 8,
    "naïve café, 日本語の文章と絵文字 🤗🏳️‍🌈, שלום, \x00\x1b\u202e",
    " ",
    "x" * 300,
]
SLUGS = ["layer-2", "layer-3"]
PROMPT = "def parse(text):\n    if not "


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, demo_dir: Path) -> Runnable:
    return small_demo(demo_dir, tmp_path_factory)


@pytest.fixture(scope="module")
def data(built: Runnable) -> atlas.Atlas:
    return atlas.open(built.data)


@pytest.fixture(scope="module")
def torch(built: Runnable) -> Torch:
    return Torch(built)


def strengths_for(data: atlas.Atlas, slug: str) -> dict[int, float]:
    """Two features that fire in the prompt and one that does not, with strengths of both signs."""
    found = data.activations(PROMPT, slug)
    strong = [top.feature_idx for top in found.top(2)]
    largest = data.table("features", slug)["max_activation"].to_numpy()
    own = found.values.max(axis=0)
    silent = next(f for f in range(len(largest)) if largest[f] > 0 and own[f] == 0)
    return {strong[0]: 0.8, silent: 1.5, strong[1]: -0.5}


class TestActivations:
    @pytest.mark.parametrize("slug", SLUGS)
    @pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
    def test_they_are_those_of_torch(self, data: atlas.Atlas, torch: Torch, slug: str, text: str):
        found, expected = data.activations(text, slug), torch.activations(slug, text)
        assert list(found.token_ids) == [number for window in torch.windows(text) for number in window]
        assert found.values.shape == expected.shape
        error = np.abs(found.values - expected) / np.maximum(1, np.abs(expected))
        assert error.max() <= 1e-4
        assert ((found.values > 0) == (expected > 0)).all()

    @pytest.mark.parametrize("slug", SLUGS)
    def test_something_fires(self, torch: Torch, slug: str):
        assert (torch.activations(slug, TEXTS[1]) > 0).sum() > 50

    def test_the_corpus_says_the_same(self, data: atlas.Atlas):
        """Examples of the atlas hold the activations that the twin finds on the same context."""
        contexts = {row["context_idx"]: row["token_ids"] for row in data.table("contexts").to_pylist()}
        seen = 0
        for feature in range(0, 256, 16):
            for example in data.feature(feature, "layer-2").examples[:2]:
                ids = contexts.get(example.context_idx)
                if ids is None or len(ids) < 64:
                    continue
                values = data._model._runtime.session("layer-2", "activations").run(
                    None, {"input_ids": np.array([ids])}
                )
                assert values[0][0, example.position, feature] == pytest.approx(example.activation, rel=1e-4)
                seen += 1
        assert seen > 5


class TestSteering:
    @pytest.mark.parametrize("slug", SLUGS)
    @pytest.mark.parametrize("mode", ["add", "clamp", "ablate"])
    @pytest.mark.parametrize(("temperature", "seed"), [(0.0, 0), (1.0, 7)])
    def test_it_is_that_of_torch(
        self, data: atlas.Atlas, torch: Torch, slug: str, mode: Any, temperature: float, seed: int
    ):
        strengths = strengths_for(data, slug)
        largest = data.table("features", slug)["max_activation"].to_pylist()
        factor = 0 if mode == "ablate" else 1
        strong = {feature: factor * s * largest[feature] for feature, s in strengths.items()}
        made = data.steer(
            PROMPT, strengths, mode=mode, sae=slug, n_tokens=10, temperature=temperature, seed=seed
        )
        ids, numbers = [torch.bos, *torch.ids(PROMPT)], published(seed, 10)
        for step, token in enumerate(made.token_ids):
            logits, measured = torch.logits(slug, ids, strong, "add" if mode == "add" else "clamp")
            error = np.abs(made.logits[step] - logits) / np.maximum(1, np.abs(logits))
            assert error.max() <= 1e-4
            np.testing.assert_allclose(made.measured[step], measured, atol=1e-3, rtol=1e-4)
            assert token == slow_choice([float(v) for v in logits], temperature, numbers[step])
            ids.append(token)

    def test_it_changes_what_is_said(self, data: atlas.Atlas):
        steered = data.steer(PROMPT, strengths_for(data, "layer-2"), sae="layer-2").text
        assert steered != data.steer(PROMPT, {}, sae="layer-2").text

    def test_nothing_steered_is_the_plain_model(self, data: atlas.Atlas, torch: Torch):
        made = data.steer(PROMPT, {}, sae="layer-3", n_tokens=8)
        ids = [torch.bos, *torch.ids(PROMPT)]
        for token in made.token_ids:
            with torch.torch.no_grad():
                logits = torch.model(torch.torch.tensor([ids]), use_cache=False).logits[0, -1]
            assert token == int(logits.argmax())
            ids.append(token)


class TestTokens:
    def test_the_hostile_strings_of_others(self, data: atlas.Atlas, torch: Torch, shared_dir: Path):
        strings = json.loads((shared_dir / "data/nasty/blns_even.json").read_text(encoding="utf-8"))
        runtime = data._model._runtime
        for text in strings:
            assert runtime.encode(text) == torch.ids(text)

    def test_the_reference_runs_come_out_again(self, data: atlas.Atlas):
        """What the build stored for browsers is what the twin says of the same texts."""
        runtime = data._model._runtime
        runs = json.loads(runtime.files(["checks.json"])["checks.json"])["runs"]
        assert len(runs) == 3
        for run in runs:
            text = data.text(run["prompt_ids"][run["masked"] :])
            largest = data.table("features", run["sae"])["max_activation"].to_pylist()
            mode: Any = "clamp" if any(run["clamp"]) else "add"
            values = run["target"] if mode == "clamp" else run["add"]
            pairs = [(f, v) for f, v in zip(run["features"], values, strict=True) if largest[f] > 0]
            strengths = {feature: value / largest[feature] for feature, value in pairs}
            made = data.steer(text, strengths, mode=mode, sae=run["sae"], n_tokens=len(run["new_tokens"]))
            assert list(made.token_ids) == run["new_tokens"]
            for token_id, logit in run["logits"]:
                assert made.logits[-1, token_id] == pytest.approx(logit, abs=1e-3, rel=1e-4)
