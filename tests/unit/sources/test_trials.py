"""An SAE used the wrong way is found before the long run: every likely mistake, made on purpose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import SaeConfig
from atlas.errors import InputError
from atlas.sources import preflight as module
from atlas.sources.preflight import card_l0, fit_to_model, preflight
from atlas.sources.saes.saelens import open_saelens
from atlas.sources.trials import (
    as_configured,
    flipped,
    measure,
    other_ways,
    text_tokens,
    text_values,
    try_ways,
)
from tests.support import models
from tests.support.fitted import fitted

HOOK = "blocks.1.hook_resid_pre"
SIZE, COUNT = 16, 130
IDS = np.random.default_rng(0).integers(1, models.TOKENIZER_SIZE, (COUNT, SIZE)).astype(np.int32)
IDS[:, 0] = 0
"""Contexts of random tokens, each with BOS in front."""


def contexts(ids: np.ndarray = IDS) -> list[Any]:
    """All that preflight reads of a context are its tokens."""
    return [SimpleNamespace(token_ids=row) for row in ids]


def stop(engine: Any, sae: Any, ids: np.ndarray = IDS) -> InputError:
    """The refusal; with `force` the same is told, and nothing else is."""
    with pytest.raises(InputError) as caught:
        preflight(engine, [sae], contexts(ids))
    (told,) = preflight(engine, [sae], contexts(ids), force=True)
    advice = caught.value.fix.removesuffix(" (to build it as it is, with pages that say so: --force)")
    assert advice != caught.value.fix
    assert told == f"{caught.value.what}: {advice}"
    assert told.startswith(f"SAE {sae.facts.slug}: ")
    assert caught.value.where == f"saes: {sae.facts.slug}"
    return caught.value


@pytest.fixture(scope="module")
def inputs(engine_of: Callable[..., Any]) -> dict[str, np.ndarray]:
    """What the tiny GPT-2 has at every hook."""
    engine = engine_of("gpt2", "transformers")
    return {hook: found.numpy() for hook, found in text_values(engine, IDS, engine.hook_names()).items()}


def fitting(
    folder: Path,
    inputs: np.ndarray,
    hook: str = HOOK,
    *,
    targets: np.ndarray | None = None,
    architecture: str = "standard",
    **changes: Any,
) -> Any:
    """An SAE fitted to `inputs` that says it reads at `hook`."""
    metadata = {"hook_name": hook} | changes.pop("metadata", {})
    config = models.sae_config(architecture, metadata=metadata, **changes)
    weights = fitted(architecture, config, inputs[:900], None if targets is None else targets[:900])
    models.write_sae(folder, architecture, weights=weights, metadata=metadata, **changes)
    return open_saelens(SaeConfig(folder=str(folder)), "cpu")


# --- right pairs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hook", [HOOK, "blocks.2.hook_resid_mid", "blocks.0.hook_mlp_out", "blocks.2.attn.hook_z"]
)
@pytest.mark.parametrize("architecture", ["standard", "gated", "topk", "jumprelu"])
def test_a_right_pair_is_not_stopped(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path, hook: str, architecture: str
):
    sae = fitting(tmp_path, inputs[hook], hook, architecture=architecture)
    assert preflight(gpt2, [sae], contexts()) == []


@pytest.mark.parametrize("normalisation", ["layer_norm", "constant_norm_rescale"])
def test_a_right_pair_that_normalises_is_not_stopped(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path, normalisation: str
):
    sae = fitting(tmp_path, inputs[HOOK], normalize_activations=normalisation)
    assert preflight(gpt2, [sae], contexts()) == []


# --- wrong places --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "configured"),
    [
        (HOOK, "blocks.2.hook_resid_pre"),
        (HOOK, "blocks.0.hook_resid_pre"),
        (HOOK, "blocks.1.hook_resid_mid"),
        (HOOK, "blocks.1.hook_mlp_out"),
        (HOOK, "blocks.2.hook_mlp_out"),
        ("blocks.1.hook_mlp_out", "blocks.1.hook_attn_out"),
        ("blocks.2.hook_resid_post", "blocks.0.hook_resid_post"),
        ("blocks.2.attn.hook_z", "blocks.1.attn.hook_z"),
    ],
)
def test_another_hook_is_found(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path, right: str, configured: str
):
    sae = fitting(tmp_path / "moved", inputs[right], configured)
    error = stop(gpt2, sae)
    assert f"at {configured} as configured; explained variance 0." in error.what
    # The end of a block is the beginning of the next one: both are right.
    assert error.what.endswith(f" at {right}")
    assert f"is hook_name right? Try saes: hook_name: {right}" in error.fix


def test_the_figures_are_those_of_the_definition(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    sae = fitting(tmp_path / "s", inputs[HOOK], "blocks.2.hook_resid_pre")
    x = text_values(gpt2, IDS[:128], ["blocks.2.hook_resid_pre"])["blocks.2.hook_resid_pre"].double().numpy()
    config = models.sae_config("standard")
    weights = {name: value.numpy() for name, value in sae._sae.state_dict().items()}
    fires = models.encode("standard", config, weights, x)
    made = models.reconstruct("standard", config, weights, x, fires)
    explained = 1 - ((x - made) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()
    wanted = f"explained variance {explained:.3g} and L0 {(fires > 0).sum(1).mean():.1f} on {len(x):,} tokens"
    assert wanted in stop(gpt2, sae).what


# --- BOS, scale, centring ------------------------------------------------------------------------


class WithBos:
    """An engine in which everything is another tensor where contexts begin with BOS."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        shift = np.random.default_rng(5).normal(0, 1, (models.D_MODEL, models.D_MODEL))
        self._turn = torch.from_numpy(shift).float() / models.D_MODEL**0.5

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def activations(self, token_ids: torch.Tensor, hook_names: Any) -> dict[str, torch.Tensor]:
        found = self._engine.activations(token_ids, hook_names)
        begins = (token_ids[:, :1] == 0)[..., None]
        return {name: torch.where(begins, value @ self._turn, value) for name, value in found.items()}


@pytest.mark.parametrize("right", [True, False])
def test_bos_is_tried_the_other_way(gpt2: Any, tmp_path: Path, right: bool):
    engine = WithBos(gpt2)
    with_bos = IDS
    without = np.concatenate([IDS[:, 1:], IDS[:, 1:2]], axis=1)
    x = text_values(engine, with_bos if right else without, [HOOK])[HOOK].numpy()
    sae = fitting(tmp_path / "s", x, metadata={"prepend_bos": right})
    assert preflight(engine, [sae], contexts(with_bos if right else without)) == []
    wrong = fitting(tmp_path / "w", x, metadata={"prepend_bos": not right})
    error = stop(engine, wrong, without if right else with_bos)
    assert f"try saes: prepend_bos: {str(right).lower()}" in error.fix.lower()
    assert ("with BOS in front" if right else "without BOS") in error.what


def test_contexts_with_and_without_bos(gpt2: Any):
    ids = np.array([[0, 5, 6, -1], [0, 7, 0, 9]], dtype=np.int32)
    assert flipped(gpt2, ids).tolist() == [[5, 6, -1], [7, 0, 9]]
    assert flipped(gpt2, ids[:, 1:]).tolist() == [[0, 5, 6], [0, 7, 0]]
    assert flipped(gpt2, np.array([[0], [0]], dtype=np.int32)).tolist() == [[0], [0]]


@pytest.mark.parametrize("factor", [30.0, 1 / 30])
def test_inputs_on_another_scale(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path, factor: float):
    """Trained on inputs times a factor that makes their length √d_in, and used on others."""
    x = inputs[HOOK]
    fair = models.D_MODEL**0.5 / np.linalg.norm(x, axis=1).mean()
    sae = fitting(tmp_path / "scaled", x * fair)
    # The model's own activations, made larger or smaller, so that the scale matters.

    class Louder:
        def __getattr__(self, name: str) -> Any:
            return getattr(gpt2, name)

        def activations(self, token_ids: torch.Tensor, hook_names: Any) -> dict[str, torch.Tensor]:
            found = gpt2.activations(token_ids, hook_names)
            return {name: value * fair * factor for name, value in found.items()}

    error = stop(Louder(), sae)
    # √d_in / length, rescaling every input and standardising all fit.
    assert "inputs multiplied by" in error.what or "with every input" in error.what
    assert "normalize_activations" in error.fix or "norm_scaling_factor" in error.fix


def test_a_scale_that_is_folded_twice(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    """The factor's inverse is tried as well as the factor."""
    x = inputs[HOOK]
    factor = models.D_MODEL**0.5 / np.linalg.norm(x, axis=1).mean()
    sae = fitting(tmp_path / "s", x)
    values = {HOOK: torch.from_numpy(x)}
    words = [way.words for way in other_ways(gpt2, sae, values[HOOK])]
    assert f"with inputs multiplied by {factor:.4g}" in words
    assert f"with inputs multiplied by {1 / factor:.4g}" in words


def ways_of(engine: Any, sae: Any, x: torch.Tensor) -> dict[str, float]:
    """Words of a way of changing the inputs → explained variance."""
    ways = [way for way in other_ways(engine, sae, x) if way.hook_name == HOOK and not way.flip_bos]
    return {way.words: measure(sae, way, {HOOK: x}).explained_variance or 0.0 for way in ways}


def test_every_transformation_is_undone(gpt2: Any, tmp_path: Path):
    """An SAE that reconstructs anything reconstructs it in every scale."""
    eye = np.eye(models.D_MODEL, dtype=np.float32)
    weights = {
        "W_enc": np.concatenate([eye, -eye], axis=1),
        "W_dec": np.concatenate([eye, -eye]),
        "b_enc": np.zeros(2 * models.D_MODEL, np.float32),
        "b_dec": np.zeros(models.D_MODEL, np.float32),
    }
    models.write_sae(tmp_path, "standard", weights=weights, d_sae=64)
    sae = open_saelens(SaeConfig(folder=str(tmp_path)), "cpu")
    x = torch.randn(50, models.D_MODEL, generator=torch.Generator().manual_seed(0)) * 3 + 1
    found = ways_of(gpt2, sae, x)
    assert len(found) == 5
    assert found == {words: pytest.approx(1.0, abs=1e-6) for words in found}


def test_normalised_inputs_are_what_sae_lens_makes_of_them(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path
):
    """An SAE that normalises, used without, fits as well when normalised on purpose."""
    x = torch.from_numpy(inputs[HOOK])
    for name, words in (
        ("constant_norm_rescale", "with every input rescaled to length √d_in"),
        ("layer_norm", "with every input standardised"),
    ):
        right = fitting(tmp_path / name, inputs[HOOK], normalize_activations=name)
        weights = {key: value.numpy() for key, value in right._sae.state_dict().items()}
        models.write_sae(tmp_path / f"{name}-unsaid", "standard", weights=weights)
        unsaid = open_saelens(SaeConfig(folder=str(tmp_path / f"{name}-unsaid")), "cpu")
        fit = measure(right, as_configured(gpt2, right), {HOOK: x})
        assert ways_of(gpt2, unsaid, x)[words] == pytest.approx(fit.explained_variance, abs=1e-4)


def test_centring_is_tried_off_and_on(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    x = inputs[HOOK] + 40
    centred = x - x.mean(axis=1, keepdims=True)
    asked = {"metadata": {"model_from_pretrained_kwargs": {"center_writing_weights": True}}}
    values = torch.from_numpy(x)
    sae = fitting(tmp_path / "unsaid", centred)
    assert measure(sae, as_configured(gpt2, sae), {HOOK: values}).explained_variance < 0
    assert ways_of(gpt2, sae, values)["with centred inputs"] > 0.7
    wrong = fitting(tmp_path / "asked", x, **asked)
    assert "centring" in wrong.facts.folds
    assert ways_of(gpt2, wrong, values)["without centring its inputs"] > 0.7
    assert fit_to_model(gpt2, wrong) is wrong


# --- what else stops a build ---------------------------------------------------------------------


def changed(folder: Path, x: np.ndarray, change: Callable[[models.Weights], None]) -> Any:
    config = models.sae_config("standard")
    weights = fitted("standard", config, x[:900])
    change(weights)
    models.write_sae(folder, "standard", weights=weights)
    return open_saelens(SaeConfig(folder=str(folder)), "cpu")


def test_nothing_fires(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    sae = changed(tmp_path / "dead", inputs[HOOK], lambda weights: weights["b_enc"].fill(-1e4))
    assert "SAE dead: no feature fires: " in stop(gpt2, sae).what


def test_almost_everything_fires(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    sae = changed(tmp_path / "dense", inputs[HOOK], lambda weights: weights["b_enc"].fill(1e3))
    error = stop(gpt2, sae)
    assert "SAE dense: more than 50% of its features fire on a token: " in error.what
    assert "is this the model, hook and input scale" in error.fix


def test_worse_than_the_mean(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    def enlarge(weights: models.Weights) -> None:
        weights["W_dec"] *= 50

    sae = changed(tmp_path / "bad", inputs[HOOK], enlarge)
    assert "SAE bad: it reconstructs worse than the mean would: explained variance -" in stop(gpt2, sae).what


@pytest.mark.parametrize(("stated", "stops"), [(6.0, True), (20.0, False), (60, False), (80.0, True)])
def test_the_card_states_another_l0(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path, stated: float, stops: bool
):
    """The fitted SAE has an L0 of 22."""
    sae = fitting(tmp_path / "carded", inputs[HOOK])
    sae.facts = replace(sae.facts, metadata=sae.facts.metadata | {"l0": stated})
    if stops:
        assert f"SAE carded: its own card says L0 {stated:g}: " in stop(gpt2, sae).what
    else:
        assert preflight(gpt2, [sae], contexts()) == []


def test_where_an_l0_is_stated(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    facts = fitting(tmp_path, inputs[HOOK]).facts
    assert card_l0(facts) is None
    assert card_l0(replace(facts, metadata={"l0": 31})) == 31
    assert card_l0(replace(facts, metadata={"l0": "31"})) is None
    assert card_l0(replace(facts, metadata={"l0": 0})) is None
    named = {"release": "gemma-scope-2b-pt-res", "sae_id": "layer_20/width_16k/average_l0_71"}
    assert card_l0(replace(facts, source=named)) == 71


@pytest.mark.parametrize("force", [False, True])
def test_what_is_not_finite_is_an_error_even_if_forced(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path, force: bool
):
    def overflow(weights: models.Weights) -> None:
        weights["W_dec"].fill(3e38)

    sae = changed(tmp_path / "huge", inputs[HOOK], overflow)
    with pytest.raises(InputError, match="SAE huge: its reconstruction is not finite"):
        preflight(gpt2, [sae], contexts(), force=force)


# --- when it is only told ------------------------------------------------------------------------


def test_a_few_tokens_stop_nothing(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    sae = fitting(tmp_path / "moved", inputs[HOOK], "blocks.2.hook_resid_pre")
    (told,) = preflight(gpt2, [sae], contexts(IDS[:66]))
    assert told.startswith("SAE moved: it reconstructs ")
    assert "on 990 tokens" in told
    with pytest.raises(InputError, match="on 1,005 tokens"):
        preflight(gpt2, [sae], contexts(IDS[:67]))


def test_a_little_better_elsewhere_is_told(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sae = fitting(tmp_path / "moved", inputs[HOOK], "blocks.1.hook_resid_mid")
    assert "another tensor much better" in stop(gpt2, sae).what
    monkeypatch.setattr(module, "MUCH_BETTER", 0.1)
    (told,) = preflight(gpt2, [sae], contexts())
    assert told.startswith("SAE moved: explained variance 0.1")
    assert told.endswith(f"at {HOOK}: is hook_name right? Try saes: hook_name: {HOOK}")
    monkeypatch.setattr(module, "BETTER", 0.1)
    assert preflight(gpt2, [sae], contexts()) == []


def test_a_nearly_perfect_fit_is_never_called_wrong(
    gpt2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A small gain may be a large share of the little that is unexplained."""
    sae = fitting(tmp_path / "s", text_values(gpt2, IDS, [HOOK])[HOOK].numpy(), "blocks.1.hook_resid_mid")
    monkeypatch.setattr(module, "LEAST_GAIN", 0.9)
    (told,) = preflight(gpt2, [sae], contexts())
    assert "much better" not in told


def test_every_sae_is_judged_and_the_good_ones_say_nothing(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path
):
    saes = [
        fitting(tmp_path / "good", inputs[HOOK]),
        fitting(tmp_path / "bad", inputs[HOOK], "blocks.2.hook_resid_pre"),
        fitting(tmp_path / "worse", inputs[HOOK], "blocks.2.hook_mlp_out"),
    ]
    told = preflight(gpt2, saes, contexts(), force=True)
    assert [text.split(":")[0] for text in told] == ["SAE bad", "SAE worse"]
    with pytest.raises(InputError, match="SAE bad: "):
        preflight(gpt2, saes, contexts())


# --- transcoders ---------------------------------------------------------------------------------


def transcoder(folder: Path, inputs: dict[str, np.ndarray], read: str, written: str, **metadata: Any) -> Any:
    hooks = {"hook_name": read, "hook_name_out": written} | metadata
    return fitting(folder, inputs[read], targets=inputs[written], architecture="transcoder", metadata=hooks)


def test_a_transcoder_is_compared_with_what_it_writes(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path
):
    read, written = "blocks.1.hook_resid_mid", "blocks.1.hook_mlp_out"
    sae = transcoder(tmp_path / "right", inputs, read, written)
    assert preflight(gpt2, [sae], contexts()) == []
    way = as_configured(gpt2, sae)
    (fit,) = try_ways(gpt2, sae, [way], IDS)
    x, y = (torch.from_numpy(inputs[hook]) for hook in (read, written))
    rest = (y - sae.reconstruct(x, sae.encode(x))).pow(2).sum() / (y - y.mean(0)).pow(2).sum()
    assert fit.explained_variance == pytest.approx(float(1 - rest), abs=1e-5)
    assert fit.explained_variance > 0.3


def test_a_transcoder_of_another_layer(gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path):
    right = transcoder(tmp_path / "right", inputs, "blocks.1.hook_resid_mid", "blocks.1.hook_mlp_out")
    wrong = open_saelens(SaeConfig(folder=str(tmp_path / "right"), slug="moved"), "cpu")
    hooks = {"hook_name": "blocks.2.hook_resid_mid", "hook_name_out": "blocks.2.hook_mlp_out"}
    wrong.facts = replace(wrong.facts, **hooks)
    assert right.facts.hook_name != wrong.facts.hook_name
    assert "Try saes: hook_name: blocks.1.hook_resid_mid" in stop(gpt2, wrong).fix


def test_a_transcoder_whose_place_is_unknown_is_judged_by_its_l0(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path
):
    sae = transcoder(tmp_path / "s", inputs, "blocks.1.hook_resid_mid", "blocks.1.hook_mlp_out")
    for written in ("unknown", "blocks.0.hook_mlp_out"):
        sae.facts = replace(sae.facts, hook_name_out=written)
        assert preflight(gpt2, [sae], contexts()) == []
    sae.facts = replace(sae.facts, metadata={"l0": 1})
    assert "explained variance unknown and L0 " in stop(gpt2, sae).what


# --- what is measured ----------------------------------------------------------------------------


def test_only_text_is_measured(gpt2: Any):
    ids = np.array([[0, 5, 6, -1], [0, 0, -1, -1]], dtype=np.int32)
    assert text_tokens(gpt2, ids).tolist() == [[False, True, True, False], [False] * 4]
    assert text_tokens(gpt2, ids[1:]).tolist() == [[True, True, False, False]]


def test_the_model_runs_a_few_times_for_any_number_of_hooks(
    gpt2: Any, inputs: dict[str, np.ndarray], tmp_path: Path
):
    calls: list[tuple[int, int]] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(gpt2, name)

        def activations(self, token_ids: torch.Tensor, hook_names: list[str]) -> dict[str, torch.Tensor]:
            calls.append((token_ids.numel(), len(hook_names)))
            return gpt2.activations(token_ids, hook_names)

    saes = [fitting(tmp_path / name, inputs[HOOK]) for name in "ab"]
    assert preflight(Counting(), saes, contexts()) == []
    (first, hooks), *rest = calls
    assert (first, hooks) == (2048, 1)
    # The others run on few tokens: once for all places, once with BOS the other way.
    assert len(rest) == 4
    assert max(tokens for tokens, _ in rest) <= 256
