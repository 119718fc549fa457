"""Preflight: pairs that do not belong together are found before the long run, doubtful ones are named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from atlas.config import SaeConfig
from atlas.errors import InputError
from atlas.sources.corpora.base import Document
from atlas.sources.packing import PackedContext, pack
from atlas.sources.preflight import check_pair, preflight
from atlas.sources.saes.coder import SaeLensCoder
from atlas.sources.saes.saelens import open_saelens
from atlas.sources.tokens import TokenBytes
from tests.support import models


class Story:
    """A corpus of one text."""

    description = "One text."

    def documents(self) -> Iterator[Document]:
        yield Document("story", " ".join(models.SENTENCES))

    def fingerprint(self) -> str:
        return ""


def contexts(engine: Any, size: int = 16, budget: int = 10**6) -> Any:
    return pack(Story(), engine.tokens, context_size=size, prepend_bos=True, token_budget=budget)


def identity_sae(folder: Path, scale: float = 1.0, **metadata: Any) -> SaeLensCoder:
    """An SAE that reconstructs its input exactly (times `scale`): d_sae = 2 d_in, plus and minus."""
    size = models.D_MODEL
    eye = np.eye(size, dtype=np.float32)
    weights = {
        "W_enc": np.concatenate([eye, -eye], axis=1),
        "W_dec": np.concatenate([eye, -eye]) * np.float32(scale),
        "b_enc": np.zeros(2 * size, np.float32),
        "b_dec": np.zeros(size, np.float32),
    }
    models.write_sae(folder, "standard", weights=weights, d_sae=2 * size, metadata=metadata)
    return open_saelens(SaeConfig(folder=str(folder)), "cpu")


def sae(folder: Path, architecture: str = "standard", **changes: Any) -> SaeLensCoder:
    return open_saelens(SaeConfig(folder=str(models.write_sae(folder, architecture, **changes))), "cpu")


def refusal(engine: Any, saes: list[Any], sample: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        preflight(engine, saes, sample)
    assert caught.value.where
    assert caught.value.fix
    return caught.value


def test_a_good_pair_raises_nothing_and_has_no_notes(gpt2: Any, tmp_path: Path):
    assert preflight(gpt2, [identity_sae(tmp_path)], contexts(gpt2)) == []


def test_only_the_first_contexts_are_read(gpt2: Any, tmp_path: Path):
    """2,048 tokens of them, the last one whole."""
    for size, count in ((16, 128), (30, 69)):
        sample = iter([context(list(range(size)))] * 200)
        preflight(gpt2, [identity_sae(tmp_path / str(size))], sample)
        assert len(list(sample)) == 200 - count


def test_without_contexts_only_the_pair_is_checked(gpt2: Any, tmp_path: Path):
    assert preflight(gpt2, [identity_sae(tmp_path)], []) == []


# --- hook and width ------------------------------------------------------------------------------


def test_a_hook_the_model_lacks(gpt2: Any, tmp_path: Path):
    coder = identity_sae(tmp_path, hook_name="blocks.5.hook_resid_pre")
    error = refusal(gpt2, [coder], contexts(gpt2))
    assert "'blocks.5.hook_resid_pre'" in error.what
    assert "blocks.2.hook_resid_pre" in error.fix


def test_a_width_that_no_hook_has(gpt2: Any, tmp_path: Path):
    coder = sae(tmp_path, d_in=20, metadata={"model_name": "other-model"})
    error = refusal(gpt2, [coder], contexts(gpt2))
    assert "20" in error.what
    assert "32" in error.what
    assert "other-model" in error.fix


def test_a_width_that_other_hooks_have_names_three_of_them(engine_of: Any, tmp_path: Path):
    engine = engine_of("gemma2")
    coder = sae(tmp_path, d_in=48)
    error = refusal(engine, [coder], [])
    assert "d_in 48" in error.what
    assert "gives 32" in error.what
    assert error.fix == "hooks with 48: blocks.0.attn.hook_z, blocks.1.attn.hook_z, blocks.2.attn.hook_z"


def test_hooks_of_the_same_kind_are_named_first(engine_of: Any, tmp_path: Path):
    engine = engine_of("gemma2")
    coder = sae(tmp_path, metadata={"hook_name": "blocks.1.attn.hook_z"})
    assert "hooks with 32: blocks.0.hook_resid_pre" in refusal(engine, [coder], []).fix


def test_check_pair_alone(gpt2: Any, tmp_path: Path):
    check_pair(gpt2, identity_sae(tmp_path))
    with pytest.raises(InputError):
        check_pair(gpt2, sae(tmp_path / "b", d_in=20))


def test_two_saes_with_one_address(gpt2: Any, tmp_path: Path):
    error = refusal(gpt2, [identity_sae(tmp_path / "a" / "x"), identity_sae(tmp_path / "b" / "x")], [])
    assert "'x'" in error.what
    assert error.where == "saes: slug"


# --- tokenizer, vocabulary, length ---------------------------------------------------------------


class Spoilt:
    """An engine with something replaced."""

    def __init__(self, engine: Any, **changes: Any) -> None:
        self._engine = engine
        self.__dict__.update(changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_a_tokenizer_of_another_model(gpt2: Any, tmp_path: Path):
    small = Spoilt(gpt2, facts=replace(gpt2.facts, vocabulary_size=250))
    error = refusal(small, [identity_sae(tmp_path)], [])
    assert "300" in error.what
    assert "250" in error.what


def context(ids: list[int]) -> PackedContext:
    array = np.array(ids, dtype=np.int32)
    return PackedContext(0, array, np.zeros_like(array), np.zeros_like(array), np.zeros(array.size, np.int16))


def test_token_ids_beyond_the_model(gpt2: Any, tmp_path: Path):
    error = refusal(gpt2, [identity_sae(tmp_path)], [context([1, 2, 304])])
    assert "304" in error.what
    assert preflight(gpt2, [identity_sae(tmp_path / "b")], [context([1, 2, 303, -1])]) == []


def test_contexts_longer_than_the_model_takes(gpt2: Any, tmp_path: Path):
    assert preflight(gpt2, [identity_sae(tmp_path)], contexts(gpt2, size=64)) == []
    error = refusal(gpt2, [identity_sae(tmp_path)], contexts(gpt2, size=65))
    assert "65" in error.what
    assert "64" in error.fix
    assert error.where == "corpus.context_size"


# --- numbers -------------------------------------------------------------------------------------


def test_activations_that_are_not_finite(gpt2: Any, tmp_path: Path):
    def broken(token_ids: torch.Tensor, hooks: list[str]) -> dict[str, torch.Tensor]:
        found = gpt2.activations(token_ids, hooks)
        found[hooks[0]][1, 3, 5] = float("inf")
        return found

    coder = identity_sae(tmp_path)
    half = Spoilt(gpt2, activations=broken, facts=replace(gpt2.facts, dtype="float16"))
    error = refusal(half, [coder], contexts(gpt2))
    assert "blocks.1.hook_resid_pre" in error.what
    assert error.fix == "set dtype: float32"
    assert "damaged" in refusal(Spoilt(gpt2, activations=broken), [coder], contexts(gpt2)).fix


def test_what_padding_gives_does_not_matter(gpt2: Any, tmp_path: Path):
    def broken(token_ids: torch.Tensor, hooks: list[str]) -> dict[str, torch.Tensor]:
        found = gpt2.activations(token_ids, hooks)
        for value in found.values():
            value[token_ids < 0] = float("nan")
        return found

    sample = [context([0, 5, 6, -1, -1]), context([0, 7, 8, 9, 10])]
    assert preflight(Spoilt(gpt2, activations=broken), [identity_sae(tmp_path)], sample) == []


def test_an_sae_in_which_nothing_fires_is_noted(gpt2: Any, tmp_path: Path):
    weights = models.sae_weights("standard")
    weights["b_enc"][:] = -1000
    coder = sae(tmp_path / "silent", weights=weights)
    (note,) = preflight(gpt2, [coder], list(contexts(gpt2))[:4])
    assert note.startswith("SAE silent: no feature fires: explained variance -")
    assert "and L0 0.0 on 60 tokens" in note


def test_a_reconstruction_worse_than_the_mean_is_noted(gpt2: Any, tmp_path: Path):
    good, bad = identity_sae(tmp_path / "good"), identity_sae(tmp_path / "bad", scale=9.0)
    (note,) = preflight(gpt2, [good, bad], list(contexts(gpt2))[:4])
    assert note.startswith("SAE bad: it reconstructs worse than the mean would: explained variance -")
    assert "on 60 tokens at blocks.1.hook_resid_pre as configured" in note


def test_bos_does_not_decide_the_figures(gpt2: Any, tmp_path: Path):
    """Its activations are huge in many models: an SAE that ignores it is no worse for that."""

    def sunk(token_ids: torch.Tensor, hooks: list[str]) -> dict[str, torch.Tensor]:
        found = gpt2.activations(token_ids, hooks)
        for value in found.values():
            value[token_ids == 0] = 1e6
        return found

    class Clipped:
        """Reconstructs everything but the huge."""

        facts = identity_sae(tmp_path).facts
        encode = staticmethod(torch.abs)
        reconstruct = staticmethod(lambda inputs, _activations: inputs.clamp(-100, 100))

    assert preflight(Spoilt(gpt2, activations=sunk), [Clipped()], contexts(gpt2)) == []
    # A text of nothing but BOS is no crash.
    assert preflight(gpt2, [identity_sae(tmp_path / "b")], [context([0, 0, -1])]) == []


def test_a_transcoder_of_another_width_than_where_it_writes(gpt2: Any, tmp_path: Path):
    coder = sae(tmp_path / "wide", "transcoder", d_out=20)
    error = refusal(gpt2, [coder], contexts(gpt2))
    assert "SAE wide writes vectors of 20, but blocks.1.hook_mlp_out of model" in error.what
    assert error.what.endswith("has 32")
    assert "hook_name_out" in error.fix


def test_constant_activations_are_no_crash(gpt2: Any, tmp_path: Path):
    def constant(token_ids: torch.Tensor, hooks: list[str]) -> dict[str, torch.Tensor]:
        return {hook: torch.ones(*token_ids.shape, models.D_MODEL) for hook in hooks}

    assert preflight(Spoilt(gpt2, activations=constant), [identity_sae(tmp_path)], contexts(gpt2)) == []


def test_a_vocabulary_smaller_than_the_model_is_fine(gpt2: Any):
    assert TokenBytes(models.byte_tokenizer()).tokenizer_size < gpt2.facts.vocabulary_size
    assert preflight(gpt2, [], contexts(gpt2)) == []
