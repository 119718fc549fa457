"""Heads of pages: addresses, titles, menus."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.render.contexts import Page
from atlas.render.frames import Frames, asset_url, brief, feature_href, feature_path, model_phrase
from atlas.store import Manifest, SaeEntry

URLS = {
    "atlas.css": "assets/atlas.css?1",
    "site.js": "assets/site.js?2",
    "feature.js": "assets/feature.js?3",
    "theme.js": "assets/theme.js?4",
    "icon.svg": "assets/icon.svg?5",
    "feature.css": "assets/feature.css?6",
}
STYLES = {"home": "atlas.css", "feature": "feature.css"}


def frames(
    *, base_url: str | None = None, slugs: tuple[str, ...] = ("alpha",), has_map: bool = True, **more: object
):
    saes = [
        SaeEntry(slug=slug, title=f"SAE {slug}", n_features=2048, facts={"hook_name": "blocks.0"})
        for slug in slugs
    ]
    manifest = Manifest(title="My atlas", base_url=base_url, saes=saes, **more)
    return Frames(manifest, URLS, STYLES, has_map=has_map)


@pytest.mark.parametrize(
    ("feature", "path"),
    [(0, "a/0/0.html"), (999, "a/0/999.html"), (1000, "a/1/1000.html"), (131071, "a/131/131071.html")],
)
def test_a_feature_has_one_path_for_ever(feature: int, path: str):
    assert feature_path("a", feature) == path


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_features_find_each_other(here: int, there: int):
    folder = posixpath.dirname(feature_path("s", here))
    assert posixpath.normpath(posixpath.join(folder, feature_href(here, there))) == feature_path("s", there)


def test_the_root_is_as_far_as_the_path_is_deep():
    found = frames()
    assert found.head("home", "index.html", "", "").root == ""
    assert found.head("browse", "alpha/index.html", "x", "y").root == "../"
    assert found.head("feature", "alpha/0/1.html", "x", "y").root == "../../"


@pytest.mark.parametrize(
    ("base_url", "path", "canonical"),
    [
        (None, "alpha/0/1.html", ""),
        ("https://x.org/a", "alpha/0/1.html", "https://x.org/a/alpha/0/1.html"),
        ("https://x.org/a/", "index.html", "https://x.org/a/"),
        ("https://x.org", "alpha/index.html", "https://x.org/alpha/"),
    ],
)
def test_canonical_addresses_need_a_base(base_url: str | None, path: str, canonical: str):
    assert frames(base_url=base_url).head("feature", path, "x", "y").canonical == canonical


def test_each_kind_of_page_loads_the_scripts_it_needs():
    found = frames()
    assert found.head("feature", "a/0/1.html", "x", "y").scripts == (
        "assets/site.js?2",
        "assets/feature.js?3",
    )
    assert found.head("about", "about.html", "x", "y").scripts == ("assets/site.js?2",)
    assert found.site.theme_script == "assets/theme.js?4"


def test_titles_name_the_site_and_headlines_do_not():
    head = frames().head("thousand", "a/0/index.html", "Features", "Feature 1.")
    assert (head.title, head.headline) == ("Features · My atlas", "Features")
    assert frames().head("home", "index.html", "My atlas", "").title == "My atlas"


def test_features_are_too_many_to_repeat_the_name_of_the_site():
    head = frames().head("feature", "a/0/1.html", "raise · a/1", "Feature 1.", headline="raise")
    assert (head.title, head.headline) == ("raise · a/1", "raise")


def test_a_description_is_never_empty():
    assert frames().head("home", "index.html", "My atlas", "  \n ").description == "My atlas"


def menu(**more: object) -> dict[str, str]:
    return {link.label: link.href for link in frames(**more).head("home", "index.html", "x", "y").menu}


def test_the_menu_leads_to_the_only_sae_or_to_all():
    assert menu()["Browse"] == "alpha/index.html"
    assert menu(slugs=("a", "b"))["Browse"] == "index.html#saes"
    head = frames(slugs=("a", "b")).head("feature", "b/0/1.html", "x", "y", sae_slug="b")
    assert {link.label: link.href for link in head.menu}["Browse"] == "b/index.html"


def test_the_menu_has_no_map_without_one():
    assert "Map" in menu()
    assert "Map" not in menu(has_map=False)


def test_the_menu_marks_the_page_itself():
    head = frames().head("about", "about.html", "About", "y")
    assert [link.label for link in head.menu if link.current] == ["About"]


@given(st.text())
def test_a_brief_text_is_one_visible_line(text: str):
    line = brief(text)
    assert len(line) <= 160
    assert "\n" not in line
    assert not any(ord(character) < 32 for character in line)
    assert "\u202e" not in line


def test_addresses_of_assets_change_with_their_content():
    assert asset_url("a.js", b"1") == asset_url("a.js", b"1")
    assert asset_url("a.js", b"1") != asset_url("a.js", b"2")
    assert asset_url("a.js", b"1").startswith("assets/a.js?")


@pytest.mark.parametrize(
    ("model", "phrase"),
    [
        ({"name": "gpt2"}, "gpt2"),
        ({"name": "openai-community/gpt2"}, "openai-community/gpt2"),
        (
            {"name": "/home/someone/models/x", "architecture": "gpt2", "n_layers": 4},
            "a 4-layer gpt2 language model",
        ),
        ({"name": "./model", "architecture": "llama"}, "a llama language model"),
        ({"name": "a/b/c"}, "a language model"),
        ({"name": "C:\\models\\x", "architecture": "gpt2"}, "a gpt2 language model"),
        ({}, "a language model"),
    ],
)
def test_a_model_from_a_folder_is_described_not_named(model: dict[str, object], phrase: str):
    assert model_phrase(Manifest(model=model)) == phrase


def test_a_hostile_title_is_made_harmless():
    found = Frames(Manifest(title="<script>\u202e", saes=[]), URLS, STYLES, has_map=False)
    assert "<script>" not in str(found.site.title)
    assert "\u202e" not in found.name


@pytest.mark.parametrize(
    ("here", "root", "there", "near"),
    [
        ("alpha/1/1000.html", None, "alpha/index.html", "../index.html"),
        ("alpha/1/1000.html", None, "alphabet/index.html", "../../alphabet/index.html"),
        ("alpha/1/1000.html", None, "map.html", "../../map.html"),
        ("alpha/index.html", None, "alpha/index.html", "index.html"),
        ("index.html", None, "alpha/index.html", "alpha/index.html"),
        ("404.html", "/base/", "alpha/index.html", "/base/alpha/index.html"),
    ],
)
def test_the_way_to_a_page_is_short_within_its_own_folder(here, root, there, near):
    page = Page(head=frames().head("feature", here, "x", "y", root=root))
    assert page.near(there) == near
    if root is None:
        assert posixpath.normpath(posixpath.join(posixpath.dirname(here), near)) == there


def test_a_page_names_the_stylesheet_of_its_kind():
    found = frames()
    assert found.head("home", "index.html", "", "").stylesheet == "assets/atlas.css?1"
    assert found.head("feature", "a/0/1.html", "x", "y").stylesheet == "assets/feature.css?6"
    assert found.head("map", "map.html", "x", "y").stylesheet == ""
