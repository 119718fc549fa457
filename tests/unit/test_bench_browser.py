"""What the benchmark of the model in the browser computes besides timing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import atlas
from bench import browser_model, browser_workload
from bench.site_browser import Fetch
from tests.support.synthetic import make_atlas
from tests.support.toy_model import add_toy_model

FIGURES = browser_model.Figures(
    cold=Fetch(2_500, 9_600_000, 17), open=2_000, line=Fetch(12_800, 9_600_000, 17), warm=Fetch(900, 0, 0),
    run=130.4, task=0, step=12.5, steer=Fetch(500, 2_100_000, 3), python=5.9, error=3.4e-6, same=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> atlas.Atlas:
    store = make_atlas(tmp_path_factory.mktemp("bench") / "data", saes=("beta",))
    add_toy_model(store)
    gate = {"n_tokens": 4096, "top_overlap": 0.9951, "relative_error": 0.0123, "flips": 0.21}
    facts = store.manifest.browser_model
    store.update(browser_model={**facts, "saes": [{**entry, "gate": gate} for entry in facts["saes"]]})
    return atlas.open(store.path)


def test_the_text_has_as_many_tokens_as_are_timed(data: atlas.Atlas):
    text = browser_model.text_of(data, "beta")
    assert len(data.activations(text, "beta").token_ids) == browser_model.TOKENS
    assert browser_model.SOURCE.startswith(text)


def test_a_difference_is_relative_to_what_is_large():
    assert browser_model.relative(np.array([0.5, 11.0]), np.array([0.25, 10.0])) == 0.25
    assert browser_model.relative(np.array([0.0, 12.0]), np.array([0.0, 10.0])) == pytest.approx(0.2)


def test_the_demo_has_its_goal(data: atlas.Atlas):
    text = browser_model.section(data, "beta", FIGURES, goals=False)
    assert "| cold, from the click to the first activation, from this machine, s | 2.50 | ≤ 3: met |" in text
    assert "| activations of 32 tokens, ms | 130.4 |  |" in text
    assert "| bytes to the first activation, MB (17 files) | 9.6 |  |" in text
    assert "| … and to steering as well, MB | 11.7 | |" in text
    assert (
        "4,096 tokens: top-20 overlap; median relative error; flips per token | 0.9951; 0.012; 0.21 |" in text
    )
    assert text.count("\n") == len(text.splitlines())
    assert {line.count("|") for line in text.splitlines()} == {4}


def test_the_large_model_has_its_goals(data: atlas.Atlas):
    text = browser_model.section(data, "beta", FIGURES, goals=True)
    assert "| activations of 32 tokens, ms | 130.4 | ≤ 120: **missed** |" in text
    assert "| bytes to the first activation, MB (17 files) | 9.6 | ≤ 100: met |" in text
    assert "this machine, s | 2.50 |  |" in text


def test_a_wrong_token_is_said(data: atlas.Atlas):
    text = browser_model.section(data, "beta", replace(FIGURES, same=False), goals=True)
    assert "| tokens and steered continuation are Python's | **no** | |" in text


def test_python_is_timed(data: atlas.Atlas):
    assert 0 < browser_model.in_python(data, "beta", "abc") < 10_000


def test_what_is_built_is_used_again(tmp_path: Path):
    site = tmp_path / "demo/build/site"
    site.mkdir(parents=True)
    (site / "index.html").write_text("", encoding="utf-8")
    assert browser_model.built(tmp_path, "demo") == (tmp_path / "demo/build/data", site)


def test_the_config_of_the_large_model_is_a_config(tmp_path: Path):
    from atlas.configfile import load_config

    for name in ("model", "sae"):
        (tmp_path / name).mkdir()
    path = tmp_path / "site_config.yaml"
    path.write_text(browser_workload.CONFIG, encoding="utf-8")
    config = load_config(path).config
    assert config.browser_model
    assert config.browser_precision == "int8"
    assert config.saes[0].slug == browser_workload.SLUG
