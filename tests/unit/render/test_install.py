"""The web-app manifest, the service worker's place, and the policy that lets both work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from atlas.check.page import policy_problems
from atlas.config import RenderConfig
from atlas.render.builder import Builder
from atlas.render.frames import ICON, WORKER_SCRIPT, asset_path, asset_url
from atlas.render.install import WEB_MANIFEST, web_manifest
from tests.support.sites import PageReader
from tests.support.synthetic import make_atlas


def files(tmp_path: Path, **facts: str) -> dict[str, bytes]:
    store = make_atlas(tmp_path / "data", n_features=8, saes=("alpha",))
    store.update(**facts)
    return dict(Builder(store, RenderConfig(), tmp_path, scripts=False).files())


def test_a_worker_lies_at_the_root_which_it_rules_and_all_else_in_one_folder():
    assert asset_path(WORKER_SCRIPT) == "sw.js"
    assert asset_path("site.js") == "assets/site.js"
    assert re.fullmatch(r"assets/site\.js\?[0-9a-f]{6}", asset_url("site.js", b"x"))
    assert asset_url("site.js", b"x") != asset_url("site.js", b"y")


def test_the_manifest_works_at_any_address(tmp_path: Path):
    found = files(tmp_path)
    manifest = json.loads(found[WEB_MANIFEST])
    for address in (manifest["start_url"], manifest["icons"][0]["src"]):
        assert "://" not in address
        assert not address.startswith("/")
        assert address in found
    assert manifest["icons"][0]["src"] == f"assets/{ICON}"
    assert manifest["scope"] == "./"


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("Reader", "Reader"),
        ("A name that is longer than a label takes", "A name that is longer t…"),
        ("日本語のアトラス", "日本語のアトラス"),
        ("</script><b>\u202e", "</script><b>[U+202E]"),
    ],
)
def test_the_manifest_has_the_name_of_the_atlas(tmp_path: Path, title: str, short: str):
    manifest = json.loads(files(tmp_path, title=title)[WEB_MANIFEST])
    assert manifest["short_name"] == short
    assert len(manifest["short_name"]) <= 24


def test_a_lone_surrogate_in_the_title_stops_nothing(tmp_path: Path):
    builder = Builder(make_atlas(tmp_path / "data", n_features=8), RenderConfig(), tmp_path, scripts=False)
    builder.frames.name = "a\ud800b"
    assert json.loads(web_manifest(builder.frames))["name"] == "a?b"


def test_the_policy_allows_manifest_and_worker_of_the_own_site_and_nothing_more(tmp_path: Path):
    found = files(tmp_path)
    for path in ("index.html", "alpha/0/5.html", "starred.html"):
        page = PageReader(found[path].decode())
        policy = next(
            meta.attributes["content"]
            for meta in page.all("meta")
            if meta.attributes.get("http-equiv") == "Content-Security-Policy"
        )
        assert policy_problems(policy) == []
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["manifest-src"] == "'self'"
        assert rules["worker-src"].split() == ["'self'", "blob:"]
        assert "connect-src" not in rules


def test_no_page_names_the_manifest_itself(tmp_path: Path):
    """From a disk browsers refuse to read it and say so; the script adds the link over http."""
    for path, content in files(tmp_path).items():
        if path.endswith(".html"):
            assert b"webmanifest" not in content, path
