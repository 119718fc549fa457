"""SAEs from the Hub and from SAELens' registry, out of a hand-made cache: no network is there to be asked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import SaeConfig
from atlas.errors import InputError
from atlas.sources.preflight import card_l0
from atlas.sources.saes.saelens import open_saelens
from tests.support import models

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REGISTERED = ("gpt2-small-res-jb", "jbloom/GPT2-Small-SAEs-Reformatted", "blocks.8.hook_resid_pre")
"""(release, its repository, one sae_id): the most used SAEs of all."""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache; `cached` fills it."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache


def cached(hub: Path, repo: str) -> Path:
    """The snapshot folder of `repo` in the cache, with its branch `main` pointing at it."""
    folder = hub / f"models--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True, exist_ok=True)
    return snapshot


def opened(**settings: Any) -> Any:
    return open_saelens(SaeConfig(**settings), "cpu")


def refusal(**settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        opened(**settings)
    return caught.value


class TestRepository:
    def test_an_sae_below_a_path(self, hub: Path):
        snapshot = cached(hub, "someone/my-saes")
        models.write_sae(snapshot / "layer_1" / "width_80", "jumprelu", seed=1)
        models.write_sae(snapshot / "layer_2", "standard", seed=2)
        facts = opened(repo="someone/my-saes", sae_id="layer_1/width_80").facts
        assert (facts.architecture, facts.title, facts.slug) == (
            "jumprelu",
            "layer_1/width_80",
            "layer-1-width-80",
        )
        assert facts.source == {"repo": "someone/my-saes", "commit": COMMIT, "sae_id": "layer_1/width_80"}

    def test_a_revision_is_read_and_recorded(self, hub: Path):
        models.write_sae(cached(hub, "someone/my-saes"), "standard", seed=1)
        tagged = cached(hub, "someone/my-saes").parent / ("f" * 40)
        models.write_sae(tagged, "standard", seed=2)
        (tagged.parents[1] / "refs" / "v2").write_text(tagged.name)
        latest = opened(repo="someone/my-saes").facts
        for revision in ("v2", tagged.name):
            facts = opened(repo="someone/my-saes", revision=revision).facts
            assert facts.source == {"repo": "someone/my-saes", "commit": tagged.name}
            assert facts.weights_sha256 != latest.weights_sha256
        assert latest.source["commit"] == COMMIT

    def test_an_unknown_revision(self, hub: Path):
        models.write_sae(cached(hub, "someone/my-saes"), "standard")
        assert "revision" in refusal(repo="someone/my-saes", revision="v3").fix

    def test_an_sae_at_the_top(self, hub: Path):
        models.write_sae(cached(hub, "someone/one-sae"), "topk")
        facts = opened(repo="someone/one-sae").facts
        assert (facts.title, facts.slug) == ("one-sae", "one-sae")
        assert facts.source == {"repo": "someone/one-sae", "commit": COMMIT}

    def test_the_numbers_are_those_of_the_folder(self, hub: Path, tmp_path: Path):
        local = models.write_sae(tmp_path / "local", "gated", seed=3)
        shutil.copytree(local, cached(hub, "someone/gated"), dirs_exist_ok=True)
        x = torch.randn(5, models.D_MODEL, generator=torch.Generator().manual_seed(0))
        remote = opened(repo="someone/gated")
        here = opened(folder=str(local))
        assert torch.equal(remote.encode(x), here.encode(x))
        assert remote.facts.weights_sha256 == here.facts.weights_sha256

    def test_the_traps_are_the_same(self, hub: Path):
        snapshot = cached(hub, "someone/scaled")
        models.write_sae(snapshot, "standard", normalize_activations="expected_average_only_in")
        error = refusal(repo="someone/scaled")
        assert "expected_average_only_in" in error.what
        assert error.where == "someone/scaled"
        assert opened(repo="someone/scaled", norm_scaling_factor=2.0).facts.folds

    def test_one_that_is_not_there(self, hub: Path):
        error = refusal(repo="someone/nothing")
        assert "'someone/nothing'" in error.what
        assert "network" in error.fix

    def test_a_path_that_is_not_there(self, hub: Path):
        models.write_sae(cached(hub, "someone/my-saes") / "layer_1", "standard")
        assert "layer_7" in str(refusal(repo="someone/my-saes", sae_id="layer_7"))

    def test_saes_that_need_the_registry_are_refused_by_repository(self, hub: Path):
        """Without its settings this SAE would be fed residuals that are not centred."""
        release, repo, sae_id = REGISTERED
        models.write_sae(cached(hub, repo) / sae_id, "standard")
        error = refusal(repo=repo, sae_id=sae_id)
        assert "registry" in error.what
        assert f"release: {release}" in error.fix


class TestRelease:
    def write(self, hub: Path, **changes: Any) -> models.Weights:
        _, repo, sae_id = REGISTERED
        weights = models.sae_weights("standard", seed=4)
        models.write_sae(
            cached(hub, repo) / sae_id,
            "standard",
            weights=weights,
            metadata={"hook_name": sae_id, "sae_lens_version": None, "context_size": 128},
            **changes,
        )
        # The cache knows that the repository has no sparsity file, as after a first download.
        no_exist = cached(hub, repo).parents[1] / ".no_exist" / COMMIT / sae_id
        no_exist.mkdir(parents=True)
        (no_exist / "sparsity.safetensors").touch()
        return weights

    def test_the_registry_settings_are_applied(self, hub: Path):
        release, repo, sae_id = REGISTERED
        weights = self.write(hub, hook_name=sae_id, model_name="gpt2-small")
        coder = opened(release=release, sae_id=sae_id)
        assert coder.facts.hook_name == sae_id
        assert coder.facts.source == {"release": release, "sae_id": sae_id, "repo": repo}
        assert set(coder.facts.folds) == {"centring"}
        x = np.random.default_rng(0).normal(1, 1, (5, models.D_MODEL)).astype(np.float32)
        expected = models.encode(
            "standard", models.sae_config("standard"), weights, x - x.mean(-1, keepdims=True)
        )
        np.testing.assert_allclose(coder.encode(torch.from_numpy(x)).numpy(), expected, rtol=1e-4, atol=1e-5)

    def test_a_scale_the_registry_does_not_know_is_refused(self, hub: Path):
        release, _, sae_id = REGISTERED
        self.write(hub, hook_name=sae_id, normalize_activations="expected_average_only_in")
        assert "norm_scaling_factor" in refusal(release=release, sae_id=sae_id).fix

    def test_a_scale_the_registry_knows_is_folded_and_recorded(
        self, hub: Path, monkeypatch: pytest.MonkeyPatch
    ):
        from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

        release, _, sae_id = REGISTERED
        weights = self.write(hub, hook_name=sae_id, normalize_activations="expected_average_only_in")
        entry = get_pretrained_saes_directory()[release]
        monkeypatch.setattr(entry, "norm_scaling_factor", {sae_id: 4.0})
        coder = opened(release=release, sae_id=sae_id)
        assert "4" in coder.facts.folds["input_scale"]
        assert "registry" in coder.facts.folds["input_scale"]
        x = np.random.default_rng(0).normal(0, 1, (5, models.D_MODEL)).astype(np.float32)
        centred = x - x.mean(-1, keepdims=True)
        expected = models.encode("standard", models.sae_config("standard"), weights, 4.0 * centred)
        np.testing.assert_allclose(coder.encode(torch.from_numpy(x)).numpy(), expected, rtol=1e-4, atol=1e-4)

    @pytest.mark.parametrize(("stated", "known"), [(71.5, 71.5), (0.0, None)])
    def test_the_l0_of_the_registry_is_kept_for_preflight(
        self, hub: Path, monkeypatch: pytest.MonkeyPatch, stated: float, known: float | None
    ):
        from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

        release, _, sae_id = REGISTERED
        self.write(hub, hook_name=sae_id)
        monkeypatch.setattr(get_pretrained_saes_directory()[release], "expected_l0", {sae_id: stated})
        facts = opened(release=release, sae_id=sae_id).facts
        assert facts.metadata.get("l0") == card_l0(facts) == known

    def test_an_unknown_release_names_the_nearest(self):
        error = refusal(release="gpt2-small-res-jbb", sae_id="blocks.8.hook_resid_pre")
        assert "gpt2-small-res-jb" in error.fix

    def test_an_unknown_id_names_the_nearest(self):
        error = refusal(release=REGISTERED[0], sae_id="blocks.8.hook_resid_prx")
        assert "'blocks.8.hook_resid_pre'" in error.fix

    def test_without_a_network_the_error_says_so(self, hub: Path):
        error = refusal(release=REGISTERED[0], sae_id=REGISTERED[2])
        assert "cannot be loaded" in error.what
        assert "network" in error.fix
