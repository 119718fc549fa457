"""Digests: equal for equal inputs, different for each that changes a result, indifferent to the rest."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.config import RenderConfig
from atlas.configfile import load_config
from atlas.pipeline import digests
from atlas.render.themes import open_theme, theme_hash
from atlas.store import Manifest
from atlas.stream import inputs
from tests.support.fake_stages import CONFIG, make_project


@pytest.fixture
def project(tmp_path):
    return make_project(tmp_path / "project")


def stream(project, text="text"):
    loaded = load_config(project)
    return inputs.digest(inputs.pass_sections(loaded.config, loaded.base, text))


def test_a_digest_is_the_hash_of_the_canonical_json():
    value = {"b": [1, None, "é"], "a": True}
    text = '{"a":true,"b":[1,null,"\\u00e9"]}'
    assert inputs.digest(value) == hashlib.sha256(text.encode()).hexdigest()
    assert json.loads(text) == value


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(value):
    backwards = dict(reversed(value.items()))
    assert inputs.digest(value) == inputs.digest(backwards)


def test_a_folder_counts_by_names_and_bytes(tmp_path):
    def folder(name, files):
        for file, data in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return inputs.folder_hashes(tmp_path / name)

    first = folder("a", {"x": b"1", "sub/y": b"2"})
    assert first == folder("b", {"sub/y": b"2", "x": b"1"})
    assert first == folder("c", {"x": b"1", "sub/y": b"2", ".git/z": b"3", "sub/.cache": b"4"})
    others = [
        folder("d", {"x": b"1", "sub/y": b"3"}),
        folder("e", {"x": b"1", "y": b"2"}),
        folder("f", {"x": b"1"}),
        folder("g", {"x": b"12", "sub/y": b""}),
    ]
    assert len({inputs.digest(found) for found in (first, *others)}) == 5
    assert first == {"sub/y": hashlib.sha256(b"2").hexdigest(), "x": hashlib.sha256(b"1").hexdigest()}
    assert inputs.folder_hashes(tmp_path / "nothing") == {}


def test_the_pass_depends_on_everything_it_reads(project):
    text = project.read_text()
    changes = [
        ("tokens: 1000", "tokens: 1001"),
        ("  name: model", "  name: model\n  engine: transformer_lens"),
        ("  name: model", "  name: openai-community/gpt2"),
        ("  name: model", "  name: model\n  revision: abc"),
        ("slug: beta", "slug: gamma"),
        ("    folder: sae-b", "    folder: sae-b\n    hook_name: blocks.0.hook_resid_pre"),
        ("enrich:", "pass:\n  top_examples: 21\nenrich:"),
        ("enrich:", "pass:\n  mask:\n    special_tokens: false\nenrich:"),
    ]
    found = {stream(project), stream(project, "other text")}
    for old, new in changes:
        project.write_text(text.replace(old, new))
        found.add(stream(project))
    assert len(found) == len(changes) + 2


def test_the_pass_depends_on_nothing_else(project):
    text = project.read_text()
    before = stream(project)
    for old, new in [
        ("title: Test atlas", "title: Other"),
        ("    folder: sae-b", "    folder: sae-b\n    title: Other"),
        ("  name: model", "  name: model\n  device: cpu"),
        ("neighbours: 10", "neighbours: 3"),
        ("static_examples: 5", "static_examples: 6"),
        ("out/data", "elsewhere/data"),
        ("enrich:", "pass:\n  batch_contexts: 3\n  checkpoint_seconds: 0\nenrich:"),
        ("title:", "# comment\ntitle:"),
    ]:
        project.write_text(text.replace(old, new))
        assert stream(project) == before, new


def test_a_new_statistic_or_a_new_method_runs_the_pass_again(project, monkeypatch):
    before = stream(project)
    monkeypatch.setattr(inputs, "METHOD", 99)
    assert stream(project) != before
    monkeypatch.undo()
    from atlas.plugins import available

    entries = dict(available("atlas.statistics"))
    extra = next(iter(entries.values()))
    monkeypatch.setattr(inputs.plugins, "available", lambda group: {**entries, "more": extra})
    assert stream(project) != before


def test_stages_depend_on_the_stage_before(project):
    loaded = load_config(project)
    assert digests.enrich_digest(loaded, "a") != digests.enrich_digest(loaded, "b")
    assert digests.index_digest("a") != digests.index_digest("b")


def test_explanations_count_by_their_content(tmp_path):
    project = make_project(tmp_path / "p", CONFIG.replace("neighbours: 10", "explanations: own.jsonl"))
    own = project.parent / "own.jsonl"
    own.write_text("{}")
    first = digests.enrich_digest(load_config(project), "a")
    own.write_text("{ }")
    assert digests.enrich_digest(load_config(project), "a") != first


def test_a_site_depends_on_dataset_options_theme_and_lists(source, tmp_path):
    theme = tmp_path / "theme"
    (theme / "templates").mkdir(parents=True)
    (theme / "theme.yaml").write_text("title: t")
    (theme / "templates/a.html").write_text("a")
    (theme / "src").mkdir()
    lists = []

    def hashed():
        return theme_hash(open_theme("theme", tmp_path))

    def digest(**options):
        return digests.render_digest(source.manifest, RenderConfig(**options), hashed(), lists)

    first = digest()
    (theme / "src/a.ts").write_text("sources do not count, bundles do")
    assert digest() == first
    found = {first, digest(static_examples=3)}
    (theme / "templates/a.html").write_text("b")
    found.add(digest())
    (theme / "dist").mkdir()
    (theme / "dist/site.js").write_text("1")
    found.add(digest())
    (theme / "theme.yaml").write_text("title: u")
    found.add(digest())
    other = Manifest.model_validate({**source.manifest.model_dump(), "title": "other"})
    found.add(digests.render_digest(other, RenderConfig(), hashed(), []))
    lists.append(tmp_path / "mine.yaml")
    lists[0].write_text("name: one")
    found.add(digest())
    lists[0].write_text("name: two")
    found.add(digest())
    assert len(found) == 8
