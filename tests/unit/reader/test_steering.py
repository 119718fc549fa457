"""Continuations against an oracle that reads the whole sequence anew for every token, without a cache."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import atlas
from atlas.errors import InputError
from tests.support.synthetic import BOS
from tests.support.toy_model import CONTEXT, WIDTH
from tests.unit.reader.conftest import Toy
from tests.unit.reader.test_sampling import published, slow_choice

PROMPT = "def parse(é"
STRONG = {5: 1.5, 7: -0.8, 41: 0.3}


def oracle(
    toy: Toy,
    slug: str,
    text: str,
    strengths: dict[int, float],
    mode: str,
    temperature: float,
    seed: int,
    n: int,
) -> tuple[list[int], np.ndarray, list[float], np.ndarray]:
    """Ids, logits, probabilities and measured activations of `n` new tokens, from the definitions."""
    ids = ([BOS] if slug == "alpha" else []) + list(text.encode())
    strong = toy.strong(slug, strengths)
    numbers = published(seed, n)
    rows, chances, measured, prompt = [], [], [], len(ids)
    for step in range(n):
        row = toy.model.logits(slug, ids, mode, strong, int(slug == "alpha"))[-1]
        measured.append(toy.model.activations(slug, ids)[-1, list(strengths)])
        chosen = slow_choice([float(value) for value in row], temperature, numbers[step])
        weights = [math.exp(value - max(row)) for value in row]
        rows.append(row)
        chances.append(weights[chosen] / math.fsum(weights))
        ids.append(chosen)
    return ids[prompt:], np.stack(rows), chances, np.stack(measured)


class TestAgainstTheOracle:
    @pytest.mark.parametrize("slug", ["alpha", "beta"])
    @pytest.mark.parametrize("mode", ["add", "clamp", "ablate"])
    @pytest.mark.parametrize(("temperature", "seed"), [(0.0, 0), (1.0, 11), (0.6, 2**32 - 1)])
    def test_every_mode(self, toy: Toy, slug: str, mode: Any, temperature: float, seed: int):
        made = toy.data.steer(
            PROMPT, STRONG, mode=mode, sae=slug, n_tokens=12, temperature=temperature, seed=seed
        )
        ids, logits, chances, measured = oracle(toy, slug, PROMPT, STRONG, mode, temperature, seed, 12)
        assert list(made.token_ids) == ids
        np.testing.assert_allclose(made.logits, logits, atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(made.probabilities, chances, rtol=1e-4)
        np.testing.assert_allclose(made.measured, measured, atol=1e-4, rtol=1e-4)

    @pytest.mark.parametrize("slug", ["alpha", "beta"])
    def test_without_features(self, toy: Toy, slug: str):
        made = toy.data.steer(PROMPT, {}, sae=slug, n_tokens=8, temperature=1, seed=3)
        ids, logits, _, _ = oracle(toy, slug, PROMPT, {}, "add", 1, 3, 8)
        assert list(made.token_ids) == ids
        np.testing.assert_allclose(made.logits, logits, atol=1e-4, rtol=1e-4)
        assert made.measured.shape == (8, 0)

    @pytest.mark.parametrize("mode", ["clamp", "ablate"])
    def test_no_feature_is_clamped_where_none_is_named(self, toy: Toy, mode: Any):
        made = toy.data.steer(PROMPT, {}, mode=mode, sae="alpha", n_tokens=3)
        assert made.logits.tobytes() == toy.data.steer(PROMPT, {}, sae="alpha", n_tokens=3).logits.tobytes()

    def test_the_oracle_sees_bos_steered(self, toy: Toy):
        strong = toy.strong("alpha", STRONG)
        ids = [BOS, *PROMPT.encode()]
        masked, unmasked = (toy.model.logits("alpha", ids, "add", strong, n)[-1] for n in (1, 0))
        assert np.abs(masked - unmasked).max() > 1e-3

    def test_a_zero_strength_changes_nothing(self, toy: Toy):
        nothing = toy.data.steer(PROMPT, {}, sae="alpha", n_tokens=4)
        zero = toy.data.steer(PROMPT, {5: 0.0}, sae="alpha", n_tokens=4)
        np.testing.assert_allclose(zero.logits, nothing.logits, atol=1e-6)

    def test_clamping_to_zero_is_ablating(self, toy: Toy):
        clamped = toy.data.steer(PROMPT, {5: 0.0}, mode="clamp", sae="alpha", n_tokens=4)
        ablated = toy.data.steer(PROMPT, {5: 3.0}, mode="ablate", sae="alpha", n_tokens=4)
        assert clamped.logits.tobytes() == ablated.logits.tobytes()

    def test_the_order_of_features_is_that_of_measured(self, toy: Toy):
        forward = toy.data.steer(PROMPT, {5: 1.0, 7: 1.0}, sae="alpha", n_tokens=3)
        backward = toy.data.steer(PROMPT, {7: 1.0, 5: 1.0}, sae="alpha", n_tokens=3)
        np.testing.assert_allclose(forward.measured, backward.measured[:, ::-1], atol=1e-5)


class TestLaws:
    def test_one_seed_one_continuation(self, toy: Toy):
        def ids(seed: int) -> tuple[int, ...]:
            return toy.data.steer(PROMPT, STRONG, sae="beta", temperature=1, seed=seed).token_ids

        assert ids(1) == ids(1)
        assert len({ids(seed) for seed in range(6)}) == 6

    def test_greedy_ignores_the_seed(self, toy: Toy):
        first, second = (toy.data.steer(PROMPT, {}, sae="beta", seed=seed) for seed in (1, 2))
        assert first.token_ids == second.token_ids
        assert len(first.token_ids) == 20

    def test_more_tokens_begin_with_the_fewer(self, toy: Toy):
        few, many = (
            toy.data.steer(PROMPT, STRONG, sae="alpha", n_tokens=n, temperature=1, seed=9) for n in (4, 9)
        )
        assert many.token_ids[:4] == few.token_ids
        assert many.logits[:4].tobytes() == few.logits.tobytes()

    def test_the_whole_context_can_be_used(self, toy: Toy):
        made = toy.data.steer("a" * 10, {}, sae="beta", n_tokens=CONTEXT - 10)
        assert len(made.token_ids) == CONTEXT - 10

    def test_the_text_is_the_tokens(self, toy: Toy):
        made = toy.data.steer(PROMPT, STRONG, sae="alpha", temperature=1, seed=4)
        assert made.text == toy.data.text(made.token_ids)
        assert made.prompt == PROMPT
        assert [p.start for p in made.pieces] == [0, *(p.stop for p in made.pieces[:-1])]
        assert made.pieces[-1].stop == 20

    def test_lone_surrogates_in_the_prompt(self, toy: Toy):
        made = toy.data.steer("a\ud800", {}, sae="beta", n_tokens=3)
        assert made.prompt == "a\ufffd"
        assert made.token_ids == toy.data.steer("a\ufffd", {}, sae="beta", n_tokens=3).token_ids

    def test_numbers_of_numpy(self, toy: Toy):
        made = toy.data.steer("a", {np.int64(5): np.float32(0.5)}, sae="beta", n_tokens=2)
        assert made.token_ids == toy.data.steer("a", {5: 0.5}, sae="beta", n_tokens=2).token_ids


class TestHalves:
    """Where the site stores directions as halves, the vector that is added is the rounded one."""

    def test_directions_are_rounded(self, alone: atlas.Atlas, toy: Toy):
        rounded = alone.steer("abc", {5: 2.0}, n_tokens=1).logits[0]
        exact = toy.model.weights["alpha.decoder"][5]
        strong = 2.0 * alone.feature(5)["max_activation"]
        reference = []
        for row in (exact, exact.astype(np.float16).astype(np.float32)):
            weights = {**toy.model.weights, "alpha.decoder": np.tile(row, (48, 1)).reshape(48, WIDTH)}
            other = type(toy.model)(weights)
            reference.append(other.logits("alpha", [BOS, *b"abc"], "add", {5: strong}, 1)[-1])
        assert np.abs(rounded - reference[1]).max() < 1e-5
        assert np.abs(rounded - reference[0]).max() > 2 * np.abs(rounded - reference[1]).max()


class TestMistakes:
    @pytest.mark.parametrize(
        ("arguments", "what", "fix"),
        [
            ({"strengths": {48: 1}}, "no feature 48 in SAE 'alpha'", "0 to 47"),
            ({"strengths": {-1: 1}}, "no feature -1", "0 to 47"),
            ({"strengths": {5: math.nan}}, "strength of feature 5 is nan", "finite"),
            ({"strengths": {5: math.inf}}, "strength of feature 5 is inf", "finite"),
            ({"strengths": {3: 1}}, "feature 3 never fired", "a feature that fires"),
            ({"mode": "clmp"}, "no mode 'clmp'", "'clamp'"),
            ({"n_tokens": 0}, "n_tokens is 0", "one token or more"),
            ({"temperature": -1}, "temperature is -1", "0 is greedy"),
            ({"temperature": math.nan}, "temperature is nan", "0 is greedy"),
            ({"seed": -1}, "seed is -1", "4294967295"),
            ({"seed": 2**32}, "seed is 4294967296", "4294967295"),
            ({"text": ""}, "the text is empty", "a text to continue"),
            ({"n_tokens": CONTEXT}, "2 tokens of text and 64 new ones", "fewer tokens"),
            ({"sae": "gamma"}, "no SAE 'gamma'", "'alpha'"),
            ({"sae": None}, "the atlas has 2 SAEs", "sae='alpha' or sae='beta'"),
        ],
    )
    def test_each_is_named(self, toy: Toy, arguments: dict[str, Any], what: str, fix: str):
        given = {"text": "a", "strengths": {5: 1.0}, "sae": "alpha", **arguments}
        with pytest.raises(InputError, match=what) as caught:
            toy.data.steer(**given)
        assert fix in caught.value.fix

    def test_a_feature_that_never_fired_can_be_ablated(self, toy: Toy):
        made = toy.data.steer("abc", {3: 0}, mode="ablate", sae="alpha", n_tokens=2)
        assert made.measured.shape == (2, 1)

    def test_a_feature_is_a_number(self, toy: Toy):
        with pytest.raises(TypeError):
            toy.data.steer("abc", {5.5: 1}, sae="alpha")  # type: ignore[dict-item]
