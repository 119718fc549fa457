"""Loading a model: what transformers would forgive in silence is refused, and every refusal says why."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from atlas.config import ModelConfig
from atlas.errors import InputError
from atlas.sources.engines import loading
from atlas.sources.engines.families import FAMILIES
from atlas.sources.engines.transformer_lens import TransformerLensEngine
from atlas.sources.engines.transformers import TransformersEngine
from tests.support import models

ENGINES = [TransformersEngine, TransformerLensEngine]


@pytest.fixture
def folder(model_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of the tiny GPT-2 that a test may spoil."""
    return Path(shutil.copytree(model_folder("gpt2"), tmp_path / "model"))


def opened(folder: Path | str, **settings: Any) -> TransformersEngine:
    return TransformersEngine.open(ModelConfig(name=str(folder), device="cpu", **settings))


def refusal(folder: Path | str, engine: Any = TransformersEngine, **settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        engine.open(ModelConfig(name=str(folder), **({"device": "cpu"} | settings)))
    assert caught.value.where
    assert caught.value.fix
    return caught.value


def change(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


# --- names and folders ---------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["./nothing", "/nothing/at/all", "../x", "a/b/c"])
def test_a_path_that_is_no_folder(engine: Any, name: str):
    error = refusal(name, engine)
    assert f"no model folder {name!r}" in error.what
    assert error.where == "model.name"


def test_a_mistyped_folder_names_the_nearest(folder: Path):
    error = refusal(folder.parent / "modle")
    assert "'model'" in error.fix


@pytest.mark.parametrize("engine", ENGINES)
def test_a_hub_name_without_a_network(engine: Any):
    error = refusal("nobody/no-such-model", engine)
    assert "'nobody/no-such-model'" in error.what
    assert "network" in error.fix


def test_an_empty_folder(tmp_path: Path):
    error = refusal(tmp_path)
    assert "cannot be loaded" in error.what
    assert "config.json" in error.fix


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"model_type": "gpt2"', '{"hidden": 3}'])
def test_a_broken_configuration(folder: Path, content: str):
    (folder / "config.json").write_text(content)
    refusal(folder)


# --- architectures -------------------------------------------------------------------------------


def test_an_unknown_architecture_is_refused_before_the_weights_are_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    change(folder / "config.json", model_type="opt", hidden_size=32)
    monkeypatch.setattr(loading, "_load_weights", lambda *_: pytest.fail("the weights were read"))
    error = refusal(folder)
    assert "'opt'" in error.what
    assert all(name in error.what for name in FAMILIES)
    assert "transformer_lens" in error.fix


def test_an_architecture_nobody_knows(folder: Path):
    change(folder / "config.json", model_type="made_up")
    for engine in ENGINES:
        assert "made_up" in refusal(folder, engine).what


def test_one_that_the_bridge_does_not_know(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from transformer_lens.model_bridge import TransformerBridge

    def boot(*_: Any, **__: Any) -> Any:
        raise ValueError("Unsupported architecture: MadeUp")

    monkeypatch.setattr(TransformerBridge, "boot_transformers", boot)
    error = refusal(folder, TransformerLensEngine)
    assert "MadeUp" in error.what
    assert "gpt2" in error.fix


def test_a_model_that_is_built_otherwise(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(FAMILIES, "gpt2", FAMILIES["llama"])
    error = refusal(folder)
    assert "GPT2LMHeadModel" in error.what
    assert "transformer_lens" in error.fix


class TestSeveralParts:
    """Gemma 3 as published: a language model within a model that also sees."""

    @pytest.fixture(scope="class")
    @staticmethod
    def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("gemma3")
        models.several_parts(models.FAMILIES["gemma3_text"][1]).save_pretrained(folder)
        return models.write_tokenizer(folder)

    def test_engine_transformers_reads_the_language_part(self, both: Path):
        from transformers import AutoModelForImageTextToText

        engine = opened(both)
        ids = torch.randint(0, 300, (2, 20), generator=torch.Generator().manual_seed(0))
        model = AutoModelForImageTextToText.from_pretrained(both).eval()
        with torch.no_grad():
            states = model.model.language_model(ids, output_hidden_states=True).hidden_states
        found = engine.activations(ids, ["blocks.1.hook_resid_post", "blocks.0.hook_resid_pre"])
        torch.testing.assert_close(found["blocks.1.hook_resid_post"], states[2], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found["blocks.0.hook_resid_pre"], states[0], rtol=1e-5, atol=1e-5)
        assert (engine.facts.architecture, engine.facts.n_layers) == ("gemma3", models.LAYERS)
        assert engine.unembedding().W_U.shape == (models.D_MODEL, models.MODEL_VOCABULARY)

    def test_transformer_lens_never_gets_to_install_packages(
        self, both: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """It would run `pip install torchvision`, which replaces the installed torch."""
        import subprocess

        monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: pytest.fail(f"started {args}"))
        monkeypatch.setattr(loading, "_load_weights", lambda *_: pytest.fail("the weights were read"))
        error = refusal(both, TransformerLensEngine)
        assert "'gemma3'" in error.what
        assert "install packages" in error.what
        assert "engine: transformers" in error.fix

    def test_every_such_architecture_of_transformer_lens_is_refused(self):
        """By the one mark they share, read from the adapters that would install something."""
        import importlib
        import pkgutil

        from transformer_lens.model_bridge import supported_architectures
        from transformers import CONFIG_MAPPING

        known = {
            "gemma3_multimodal": "gemma3",
            "llama4_multimodal": "llama4",
            "qwen3_5_multimodal": "qwen3_5",
        }
        checked = []
        for module in pkgutil.iter_modules(supported_architectures.__path__):
            path = importlib.util.find_spec(f"{supported_architectures.__name__}.{module.name}").origin
            if "is_multimodal = True" not in Path(path).read_text(encoding="utf-8"):
                continue
            name = known.get(module.name, module.name)
            assert CONFIG_MAPPING[name].sub_configs, name
            checked.append(name)
        assert "gemma3" in checked
        assert len(checked) > 5


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_position_embeddings": 7}, 7),
        ({"seq_length": 9}, 9),
        ({"max_position_embeddings": None}, 2048),
        ({}, 2048),
    ],
)
def test_the_longest_context_of_any_configuration(settings: dict[str, Any], expected: int):
    assert loading._longest_context(SimpleNamespace(**settings)) == expected


# --- tokenizers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_no_tokenizer(folder: Path, engine: Any):
    """transformers 5 makes an empty tokenizer for this folder and says nothing."""
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    error = refusal(folder, engine)
    assert "fast tokenizer" in error.what
    assert "tokenizer" in error.fix


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "1.0"}'])
def test_a_broken_tokenizer(folder: Path, content: str):
    (folder / "tokenizer.json").write_text(content)
    assert "fast tokenizer" in refusal(folder).what


def test_a_tokenizer_that_is_not_fast(folder: Path, monkeypatch: pytest.MonkeyPatch):
    from transformers import AutoTokenizer

    class Slow:
        bos_token_id = 0

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: Slow())
    error = refusal(folder)
    assert "no fast tokenizer" in error.what
    assert "use_fast=True" in error.fix


def test_eos_stands_in_for_a_missing_bos(folder: Path):
    """As TransformerLens does, through which SAEs are trained (Qwen has no BOS)."""
    change(folder / "tokenizer_config.json", bos_token=None)
    tokens = opened(folder).tokens
    assert tokens.bos_token_id == tokens.eos_token_id == 0


def test_a_tokenizer_without_any_special_token(folder: Path):
    change(folder / "tokenizer_config.json", bos_token=None, eos_token=None)
    tokens = opened(folder).tokens
    assert tokens.bos_token_id is None
    assert tokens.eos_token_id is None


# --- weights -------------------------------------------------------------------------------------


def test_no_weights(folder: Path):
    (folder / "model.safetensors").unlink()
    assert "weights" in refusal(folder).what


@pytest.mark.parametrize("keep", [0, 7, 100, 5000])
def test_truncated_weights(folder: Path, keep: int):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "weights" in refusal(folder).what


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_weights_are_not_made_up(folder: Path, engine: Any):
    """transformers fills them with random numbers and prints a table."""
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name in [name for name in tensors if ".h.1." in name]:
        del tensors[name]
    save_file(tensors, path, metadata={"format": "pt"})
    error = refusal(folder, engine)
    assert "transformer.h.1." in error.what
    assert "more" in error.what


def test_weights_of_another_shape(folder: Path):
    change(folder / "config.json", n_embd=16)
    assert "weights" in refusal(folder).what


class Bomb:
    """Unpickling this leaves a folder behind."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_pickled_weights_run_no_code(folder: Path, tmp_path: Path):
    (folder / "model.safetensors").unlink()
    torch.save({"bomb": Bomb(tmp_path / "exploded")}, folder / "pytorch_model.bin")
    refusal(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    refusal(folder)
    assert not (tmp_path / "exploded").exists()


def test_plain_tensors_in_an_old_file_are_read(folder: Path):
    from safetensors.torch import load_file

    expected = opened(folder).activations(torch.tensor([[1, 2]]), ["blocks.1.hook_resid_pre"])
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    found = opened(folder).activations(torch.tensor([[1, 2]]), ["blocks.1.hook_resid_pre"])
    assert torch.equal(found["blocks.1.hook_resid_pre"], expected["blocks.1.hook_resid_pre"])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_models_own_code_is_not_run(folder: Path, tmp_path: Path, engine: Any):
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n")
    automatic = dict.fromkeys(("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer"), "evil.Evil")
    change(folder / "config.json", model_type="evil", auto_map=automatic)
    refusal(folder, engine)
    assert not (tmp_path / "ran").exists()


# --- precision and device ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_precision_of_the_forward_pass(folder: Path, dtype: str):
    engine = opened(folder, dtype=dtype)
    assert next(engine._model.parameters()).dtype == getattr(torch, dtype)
    found = engine.activations(torch.tensor([[1, 2, 3]]), ["blocks.2.hook_resid_post"])[
        "blocks.2.hook_resid_post"
    ]
    assert found.dtype == torch.float32
    assert engine.facts.dtype == dtype
    assert engine.unembedding().W_U.dtype == torch.float32
    exact = opened(folder).activations(torch.tensor([[1, 2, 3]]), ["blocks.2.hook_resid_post"])
    torch.testing.assert_close(found, exact["blocks.2.hook_resid_post"], rtol=0.1, atol=0.1)


def test_weights_stored_in_half_precision_run_in_the_one_asked_for(folder: Path):
    change(folder / "config.json", dtype="float16")
    assert next(opened(folder)._model.parameters()).dtype == torch.float32


def test_devices():
    assert loading.resolve_device("cpu") == torch.device("cpu")
    assert loading.resolve_device("auto").type in {"cpu", "cuda", "mps"}


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "", "cpu:x", "tpu"])
def test_a_device_that_is_not_there(folder: Path, name: str):
    error = refusal(folder, device=name)
    assert repr(name) in error.what
    assert error.where == "model.device"


# --- facts ---------------------------------------------------------------------------------------


def test_the_hash_of_the_weights_is_of_the_files(folder: Path):
    first = opened(folder).facts
    (folder / "README.md").write_text("not a weight")
    assert opened(folder).facts.weights_sha256 == first.weights_sha256
    models.random_model("gpt2", seed=7).save_pretrained(folder)
    second = opened(folder).facts
    assert second.weights_sha256 != first.weights_sha256
    assert second.tokenizer_sha256 == first.tokenizer_sha256


def test_the_hash_of_files_depends_on_names_and_bytes(tmp_path: Path):
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (tmp_path / name for name in "abc")
    hashes = {loading.hash_files(paths) for paths in ([a], [b], [c], [a, b], [b, a], [])}
    assert len(hashes) == 6


def test_the_hash_of_tensors_depends_on_names_shapes_and_values():
    one = {"w": torch.ones(2, 3), "b": torch.zeros(3)}
    assert loading.hash_tensors(one) == loading.hash_tensors(dict(reversed(one.items())))
    others = [
        {"w": torch.ones(3, 2), "b": torch.zeros(3)},
        {"v": torch.ones(2, 3), "b": torch.zeros(3)},
        {"w": torch.ones(2, 3), "b": torch.full((3,), 1e-30)},
        {"w": torch.ones(2, 3)},
    ]
    hashes = {loading.hash_tensors(tensors) for tensors in [one, *others]}
    assert len(hashes) == 5
    assert loading.hash_tensors({"w": torch.ones(2, 3, dtype=torch.bfloat16), "b": torch.zeros(3)}) in hashes


def test_a_model_in_the_cache_of_the_hub(
    model_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Found by its Hub name without a network, with the same hash as the folder."""
    from huggingface_hub import constants
    from transformers.utils import hub

    cache = tmp_path / "hub"
    commit = "a" * 40
    snapshot = cache / "models--someone--tiny" / "snapshots" / commit
    shutil.copytree(model_folder("gpt2"), snapshot)
    refs = cache / "models--someone--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(cache))
    engine = opened("someone/tiny")
    assert engine.facts.name == "someone/tiny"
    assert engine.facts.commit == commit
    assert opened(model_folder("gpt2")).facts.commit == ""
    assert engine.facts.weights_sha256 == opened(model_folder("gpt2")).facts.weights_sha256


def test_loading_draws_no_bars(folder: Path, capfd: pytest.CaptureFixture[str]):
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    opened(folder)
    assert "%" not in "".join(capfd.readouterr())
    assert logging.is_progress_bar_enabled() == shown
