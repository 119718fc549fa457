"""Curated lists in a build: refused before the pass, a reason to write the site again, in any theme."""

from __future__ import annotations

from pathlib import Path

import pytest

from atlas.config import RenderConfig
from atlas.configfile import load_config
from atlas.errors import ConfigError, InputError
from atlas.pipeline import build, render_config, render_dataset
from atlas.pipeline.site import site_digest
from tests.support.fake_stages import FakeStages, make_project
from tests.support.requirements import ROOT
from tests.support.sites import PageReader
from tests.support.synthetic import make_atlas

LIST = "name: One\nfeatures:\n  - {sae: alpha, feature_idx: 5}\n"
SLATE = ROOT / "themes" / "slate"


def put(base: Path, text: str, name: str = "one.yaml") -> Path:
    (base / "lists").mkdir(exist_ok=True)
    (base / "lists" / name).write_text(text, encoding="utf-8")
    return base / "lists" / name


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def finished(config: Path) -> Path:
    """A project whose dataset is there; its configuration."""
    make_atlas(config.parent / "out/data", n_features=16)
    return config


def test_the_digest_of_a_site_counts_its_lists(tmp_path: Path):
    atlas = make_atlas(tmp_path / "data", n_features=16)
    found = {site_digest(atlas, RenderConfig(), tmp_path)}
    for text, name in ((LIST, "one.yaml"), (LIST.replace("One", "Two"), "one.yaml"), (LIST, "two.json")):
        put(tmp_path, text, name)
        found.add(site_digest(atlas, RenderConfig(), tmp_path))
    assert len(found) == 4
    put(tmp_path, "not a list", "notes.md")
    assert site_digest(atlas, RenderConfig(), tmp_path) in found


def test_a_bad_list_stops_a_build_before_the_pass(config: Path, fakes: FakeStages):
    file = put(config.parent, LIST.replace("alpha", "gamma"))
    with pytest.raises(ConfigError) as caught:
        build(load_config(config))
    assert f"{file}:3" in str(caught.value)
    assert "stream" not in fakes.calls
    file.write_text(LIST)
    assert "stream" in build(load_config(config)).ran


def test_a_changed_list_writes_the_site_again_and_nothing_else(config: Path, fakes: FakeStages):
    build(load_config(config))
    file = put(config.parent, LIST)
    assert build(load_config(config)).ran == ("render", "check")
    assert build(load_config(config)).ran == ("check",)
    file.write_text(LIST.replace("One", "Two"))
    assert build(load_config(config)).ran == ("render", "check")
    file.unlink()
    assert build(load_config(config)).ran == ("render", "check")


def test_rendering_alone_shows_the_lists_beside_the_config(finished: Path, tmp_path: Path):
    put(finished.parent, LIST)
    render_config(load_config(finished), tmp_path / "site")
    page = PageReader((tmp_path / "site/lists/one.html").read_text("utf-8"))
    assert page.one("h1").text == "One"


def test_another_theme_for_once_keeps_the_lists_of_the_config(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put(finished.parent, LIST)
    monkeypatch.chdir(SLATE.parent)
    put(tmp_path, LIST.replace("One", "Elsewhere"))
    render_config(load_config(finished), tmp_path / "site", theme="slate")
    assert "One" in (tmp_path / "site/lists/one.html").read_text("utf-8")
    assert (tmp_path / "site/assets/logo.svg").is_file()


def test_a_theme_that_is_not_there_is_named_as_typed(finished: Path, tmp_path: Path):
    with pytest.raises(InputError, match="there is no theme 'nowhere'"):
        render_config(load_config(finished), tmp_path / "site", theme="nowhere")


def test_a_dataset_alone_has_no_lists(finished: Path, tmp_path: Path):
    put(finished.parent, LIST)
    render_dataset(finished.parent / "out/data", tmp_path / "site")
    assert not (tmp_path / "site/lists").exists()
    assert (tmp_path / "site/starred.html").is_file()


def test_a_bad_list_leaves_the_old_site_alone(finished: Path, tmp_path: Path):
    site = tmp_path / "site"
    render_config(load_config(finished), site)
    before = (site / "index.html").read_bytes()
    put(finished.parent, LIST.replace("5", "16"))
    with pytest.raises(ConfigError, match="alpha has 16 features"):
        render_config(load_config(finished), site)
    assert (site / "index.html").read_bytes() == before
