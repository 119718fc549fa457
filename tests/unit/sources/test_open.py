"""The three doors: paths against the config's folder, names as typed, plugins, cost of importing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from atlas import plugins
from atlas.config import CorpusConfig, ModelConfig, SaeConfig
from atlas.errors import InputError
from atlas.sources.open import open_corpus, open_engine, open_sae
from tests.support import models


@pytest.fixture
def base(model_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """A config's folder with a model, an SAE and a text beside it."""
    shutil.copytree(model_folder("gpt2"), tmp_path / "my" / "model")
    models.write_sae(tmp_path / "my" / "sae", "jumprelu")
    (tmp_path / "text.txt").write_text("A text.")
    return tmp_path


# --- engines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["my/model", "./my/model", "my/../my/model"])
def test_a_model_folder_is_found_from_the_configs_folder(base: Path, name: str):
    engine = open_engine(ModelConfig(name=name, device="cpu"), base)
    assert engine.facts.name == name
    assert engine.facts.architecture == "gpt2"


def test_an_absolute_model_folder(base: Path):
    name = str(base / "my" / "model")
    assert open_engine(ModelConfig(name=name, device="cpu"), Path("/")).facts.name == name


def test_a_home_folder(base: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(base))
    assert open_engine(ModelConfig(name="~/my/model", device="cpu"), Path("/")).facts.name == "~/my/model"


def test_the_engine_is_chosen_by_name(base: Path):
    engine = open_engine(ModelConfig(name="my/model", engine="transformer_lens", device="cpu"), base)
    assert engine.facts.engine == engine.name == "transformer_lens"
    assert engine.facts.name == "my/model"


def test_an_unknown_engine(base: Path):
    with pytest.raises(InputError, match="'tranformers'") as caught:
        open_engine(ModelConfig(name="my/model", engine="tranformers"), base)
    assert "'transformers'" in caught.value.fix
    assert caught.value.where == "model.engine"


def test_a_relative_folder_that_is_missing_is_not_asked_of_the_hub(base: Path):
    with pytest.raises(InputError, match="no model folder"):
        open_engine(ModelConfig(name="./your/model"), base)


# --- SAEs ----------------------------------------------------------------------------------------


def test_an_sae_folder_is_found_from_the_configs_folder(base: Path):
    sae = open_sae(SaeConfig(folder="my/sae"), base, "cpu")
    assert sae.facts.source == {"folder": "my/sae"}
    assert (sae.facts.title, sae.facts.slug) == ("sae", "sae")


def test_the_machine_is_not_in_the_facts(base: Path):
    sae = open_sae(SaeConfig(folder="my/sae"), base, "cpu")
    engine = open_engine(ModelConfig(name="my/model", device="cpu"), base)
    assert str(base) not in repr(sae.facts)
    assert str(base) not in repr(engine.facts)


def test_a_missing_sae_folder_is_named_as_typed(base: Path):
    with pytest.raises(InputError) as caught:
        open_sae(SaeConfig(folder="my/sea"), base, "cpu")
    assert "my/sea" in caught.value.what


def test_an_unknown_format(base: Path):
    with pytest.raises(InputError, match="'sealens'") as caught:
        open_sae(SaeConfig(folder="my/sae", format="sealens"), base, "cpu")
    assert "'saelens'" in caught.value.fix


def test_with_an_engine_the_pair_is_checked(base: Path, gpt2: Any):
    assert open_sae(SaeConfig(folder="my/sae"), base, gpt2.device, gpt2).facts.d_in == models.D_MODEL
    with pytest.raises(InputError, match=r"blocks\.7\.hook_resid_pre"):
        open_sae(SaeConfig(folder="my/sae", hook_name="blocks.7.hook_resid_pre"), base, "cpu", gpt2)


CENTRED = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}


@pytest.mark.parametrize(("family", "centred"), [("gpt2", True), ("gpt_neox", True), ("llama", False)])
def test_centring_only_where_transformer_lens_could_centre(
    tmp_path: Path, engine_of: Callable[[str], Any], family: str, centred: bool
):
    models.write_sae(tmp_path / "sae", "standard", metadata=CENTRED)
    engine = engine_of(family)
    sae = open_sae(SaeConfig(folder="sae"), tmp_path, "cpu", engine)
    assert ("centring" in sae.facts.folds) is centred
    assert sae.facts.source == {"folder": "sae"}
    x = torch.randn(4, models.D_MODEL, generator=torch.Generator().manual_seed(0))
    same = torch.allclose(sae.encode(x), sae.encode(x + 2.0), atol=1e-4)
    assert same is centred


def test_a_reader_from_outside(base: Path, gpt2: Any, monkeypatch: pytest.MonkeyPatch):
    class Own:
        """What another package may provide."""

        def __init__(self, config: SaeConfig, device: Any) -> None:
            self.facts = open_sae(SaeConfig(folder=config.folder), base, device).facts
            self.device = device

    monkeypatch.setattr(plugins, "load", _only("atlas.saes", "own", Own, plugins.load))
    sae = open_sae(SaeConfig(folder="my/sae", format="own"), base, gpt2.device, gpt2)
    assert isinstance(sae, Own)
    assert sae.facts.source == {"folder": "my/sae"}


def _only(group: str, name: str, thing: Any, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    def load(asked: str, wanted: str, *, where: str = "") -> Any:
        return thing if (asked, wanted) == (group, name) else otherwise(asked, wanted, where=where)

    return load


# --- corpora -------------------------------------------------------------------------------------


def test_corpora_by_kind(base: Path):
    corpus = open_corpus(CorpusConfig(kind="text", paths=["text.txt"]), base)
    assert [document.text for document in corpus.documents()] == ["A text."]
    assert open_corpus(CorpusConfig(kind="python_stdlib"), base).description.startswith(
        "The standard library"
    )


def test_an_unknown_kind(base: Path):
    with pytest.raises(InputError, match="'texts'") as caught:
        open_corpus(CorpusConfig(kind="texts"), base)
    assert "'text'" in caught.value.fix
    assert caught.value.where == "corpus.kind"


# --- cost of importing ---------------------------------------------------------------------------

HEAVY = [
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "transformer_lens",
    "sae_lens",
    "datasets",
    "huggingface_hub",
]


@pytest.mark.parametrize(
    "module",
    [
        "open", "preflight", "packing", "tokens", "engines.transformers", "engines.transformer_lens",
        "engines.loading", "saes.saelens", "saes.coder", "corpora.huggingface", "corpora.python_stdlib",
    ],
)  # fmt: skip
def test_importing_a_module_imports_nothing_heavy(module: str):
    script = (
        f"import sys, atlas.sources.{module};"
        f"print([name for name in {HEAVY} if name in sys.modules and sys.modules[name] is not None])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
