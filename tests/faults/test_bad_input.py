"""Bad input, through the real command line: one clear error, exit code 2, and nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from atlas.cli import main
from atlas.errors import EXIT_INPUT
from atlas.store import AtlasStore
from tests.support import models

Edit = Callable[[Path, dict[str, Any]], None]
"""Breaks a good folder and its configuration in one place."""


@dataclass(frozen=True)
class Case:
    """One mistake."""

    edit: Edit
    says: tuple[str, ...]
    """What the message must hold: the value as typed, the place, the way out."""


def missing_model(folder: Path, config: dict[str, Any]) -> None:
    del folder
    config["model"]["name"] = "./no-such-model"


def missing_sae(folder: Path, config: dict[str, Any]) -> None:
    del folder
    config["saes"][0]["folder"] = "no-such-sae"


def missing_corpus(folder: Path, config: dict[str, Any]) -> None:
    del folder
    config["corpus"]["paths"] = ["no-such-text.txt"]


def wrong_key(folder: Path, config: dict[str, Any]) -> None:
    del folder
    config["corpus"]["tokenz"] = 5000


def wrong_hook(folder: Path, config: dict[str, Any]) -> None:
    del folder
    config["saes"][0]["hook_name"] = "blocks.1.hook_resid_prae"


def wrong_d_in(folder: Path, config: dict[str, Any]) -> None:
    del config
    shutil.rmtree(folder / "sae")
    models.write_sae(folder / "sae", "jumprelu", d_in=models.D_MODEL * 2)


def empty_corpus(folder: Path, config: dict[str, Any]) -> None:
    del config
    (folder / "text.txt").write_text("", encoding="utf-8")


def nan_weights(folder: Path, config: dict[str, Any]) -> None:
    del config
    path = folder / "sae/sae_weights.safetensors"
    weights = load_file(path)
    weights["W_enc"] = weights["W_enc"].copy()
    weights["W_enc"][3, 5] = np.nan
    save_file(weights, path)


def no_fast_tokenizer(folder: Path, config: dict[str, Any]) -> None:
    del config
    (folder / "model/tokenizer.json").unlink()


def foreign_output(folder: Path, config: dict[str, Any]) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/thesis.tex").write_text("years of work", encoding="utf-8")
    config["output"] = {"site": "mine"}


def enough_to_judge(folder: Path, config: dict[str, Any]) -> None:
    """The SAE is random: on more tokens than the other cases read, preflight says so."""
    config["corpus"]["tokens"] = 2000


CASES = {
    "missing model": Case(missing_model, ("no-such-model",)),
    "missing SAE": Case(missing_sae, ("no-such-sae",)),
    "missing corpus": Case(missing_corpus, ("no-such-text.txt",)),
    "wrong key": Case(wrong_key, ("tokenz", "site_config.yaml:", "tokens")),
    "wrong hook": Case(wrong_hook, ("blocks.1.hook_resid_prae", "blocks.1.hook_resid_pre")),
    "wrong d_in": Case(wrong_d_in, (str(models.D_MODEL), str(models.D_MODEL * 2), "hook")),
    "empty corpus": Case(empty_corpus, ("text",)),
    "an SAE that fits nothing": Case(enough_to_judge, ("SAE tiny", "worse than the mean", "--force")),
    "NaN weights": Case(nan_weights, ("W_enc", "NaN")),
    "no fast tokenizer": Case(no_fast_tokenizer, ("tokenizer",)),
    "output folder of somebody": Case(foreign_output, ("mine",)),
}


@pytest.fixture
def good(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder that builds, and its configuration."""
    folder = tmp_path / "work"
    models.write_model(folder / "model", "gpt2")
    models.write_sae(folder / "sae", "jumprelu")
    (folder / "text.txt").write_text("\n".join(models.SENTENCES * 20), encoding="utf-8")
    config: dict[str, Any] = {
        "title": "Broken on purpose",
        "model": {"name": "model", "device": "cpu"},
        "saes": [{"slug": "tiny", "folder": "sae"}],
        "corpus": {"kind": "text", "paths": ["text.txt"], "context_size": 32, "tokens": 900},
    }
    return folder, config


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_ends_in_one_clear_error(
    name: str, good: tuple[Path, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    folder, config = good
    CASES[name].edit(folder, config)
    path = folder / "site_config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    before = tree(folder)
    folders = sorted(p for p in folder.rglob("*") if p.is_dir())
    code = main(["build", str(path)])
    said = capfd.readouterr()
    assert code == EXIT_INPUT, said.err
    for word in CASES[name].says:
        assert word in said.err, said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert tree(folder) == before
    assert sorted(p for p in folder.rglob("*") if p.is_dir()) == folders


def test_the_same_folder_unbroken_builds(
    good: tuple[Path, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    """The control: what the cases above refuse is the one mistake, not the folder."""
    folder, config = good
    path = folder / "site_config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert main(["build", str(path)]) == 0, capfd.readouterr().err
    assert (folder / "build/site/tiny/0/0.html").is_file()


def test_an_sae_that_fits_nothing_is_built_when_forced(
    good: tuple[Path, dict[str, Any]], capfd: pytest.CaptureFixture[str]
) -> None:
    """The user is told at the end, the dataset keeps it, and the pages say it."""
    folder, config = good
    enough_to_judge(folder, config)
    path = folder / "site_config.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    assert main(["build", str(path), "--force"]) == 0
    told = "SAE tiny: it reconstructs worse than the mean would: explained variance -"
    assert told in " ".join(capfd.readouterr().err.split())
    (warning,) = AtlasStore.open(folder / "build/data").manifest.stream["warnings"]
    assert warning.startswith(told)
    for page in ("index.html", "about.html"):
        assert told in (folder / "build/site" / page).read_text(encoding="utf-8")
    # Once built, it needs no force to be rendered again, and the pages still say so.
    assert main(["build", str(path)]) == 0
    assert told in (folder / "build/site/index.html").read_text(encoding="utf-8")
