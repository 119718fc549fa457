"""Themes: a chain of folders; mistakes in one are the user's to fix and are named."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from atlas.config import RenderConfig
from atlas.errors import InputError
from atlas.render import themes
from atlas.render.builder import Builder
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.render.styles import stylesheets
from atlas.render.themes import Templates, assets, default_theme, open_theme, require_scripts
from atlas.store import AtlasStore
from tests.support.sites import PageReader

REPOSITORY = Path(__file__).parents[3]
SLATE = REPOSITORY / "themes" / "slate"


class Shouting(str):
    """Text that is no markup, of a type of its own."""

    __slots__ = ()


def make_theme(folder: Path, files: dict[str, str], yaml: str = "extends: default\n") -> Path:
    for name, text in {"theme.yaml": yaml, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def feature_page(store: AtlasStore, theme: Path, feature: int = 7) -> str:
    """The text of one feature page in `theme`."""
    from atlas.render.builder import SaeFiles

    builder = Builder(store, RenderConfig(theme=str(theme)), Path(), scripts=False)
    files = SaeFiles(builder, store.manifest.saes[0])
    page = files.pages.page(files.data.block(0, 16), feature)
    return builder.page(page)[1].decode()


def test_the_default_theme_is_found_beside_the_package():
    assert default_theme() == REPOSITORY / "themes" / "default"


def test_the_default_theme_is_found_inside_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    inside = tmp_path / "atlas" / "themes" / "default"
    inside.mkdir(parents=True)
    monkeypatch.setattr(themes, "__file__", str(tmp_path / "atlas" / "render" / "themes.py"))
    assert default_theme() == inside


def test_a_theme_is_opened_by_installed_name():
    theme = open_theme("default")
    assert theme.name == "default"
    assert theme.parent is None


def test_a_theme_is_opened_by_folder_seen_from_the_config(tmp_path: Path):
    make_theme(tmp_path / "mine", {})
    theme = open_theme("mine", tmp_path)
    assert [each.name for each in theme.chain] == ["mine", "default"]


@pytest.mark.parametrize("name", ["defualt", "nowhere/at/all", ".", "../.."])
def test_an_unknown_theme_is_refused_with_what_exists(tmp_path: Path, name: str):
    with pytest.raises(InputError) as caught:
        open_theme(name, tmp_path / "a" / "b")
    assert "'default'" in caught.value.fix
    assert "theme.yaml" in caught.value.fix


def test_a_theme_that_extends_itself_is_refused(tmp_path: Path):
    make_theme(tmp_path / "a", {}, "extends: ../b\n")
    make_theme(tmp_path / "b", {}, "extends: ../a\n")
    with pytest.raises(InputError, match="extends itself"):
        open_theme("a", tmp_path)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("colour: red\n", "colour"),
        ("cards: 3\n", "cards"),
        ("cards: [{id: Not An Id}]\n", "id"),
        ("cards: [{id: a, colums: [x]}]\n", "colums"),
        ("a: [\n", "not YAML"),
        ("- 1\n", "theme.yaml"),
        ("x: !!python/object:os.system {}\n", "not YAML"),
    ],
)
def test_a_wrong_theme_file_is_named(tmp_path: Path, yaml: str, message: str):
    make_theme(tmp_path / "mine", {}, yaml)
    with pytest.raises(InputError) as caught:
        open_theme("mine", tmp_path)
    assert message in str(caught.value)
    assert "theme.yaml" in str(caught.value)


def test_a_theme_file_that_is_not_text_is_refused(tmp_path: Path):
    make_theme(tmp_path / "mine", {})
    (tmp_path / "mine" / "theme.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not YAML"):
        open_theme("mine", tmp_path)


def test_a_huge_theme_file_is_refused(tmp_path: Path):
    make_theme(tmp_path / "mine", {}, "#" * 100_000)
    with pytest.raises(InputError, match="larger"):
        open_theme("mine", tmp_path)


def test_cards_of_a_child_replace_precede_or_follow(tmp_path: Path):
    yaml = (
        "extends: default\ncards:\n- {id: neighbours, title: Alike, columns: [neighbours]}\n"
        "- {id: early, panel: cite, before: logits}\n- {id: late, panel: cite}\n"
    )
    make_theme(tmp_path / "mine", {}, yaml)
    ids = [card.id for card in open_theme("mine", tmp_path).cards]
    parents = [card.id for card in open_theme("default").cards]
    at = parents.index("logits")
    assert ids == [*parents[:at], "early", *parents[at:], "late"]
    assert (
        next(card.title for card in open_theme("mine", tmp_path).cards if card.id == "neighbours") == "Alike"
    )


def test_one_block_of_a_parent_template_can_be_replaced(tmp_path: Path, store: AtlasStore):
    child = '{% extends "default:feature.html" %}{% block heading %}<h1>mine</h1>{{ super() }}{% endblock %}'
    page = feature_page(store, make_theme(tmp_path / "mine", {"templates/feature.html": child}))
    assert "<h1>mine</h1>" in page
    assert "class=chips" in page
    assert "<h2>Top examples</h2>" in page


def test_a_child_frame_is_used_by_the_parents_pages(tmp_path: Path, store: AtlasStore):
    child = '{% extends "default:base.html" %}{% block footer %}<span>ours</span>{% endblock %}'
    page = feature_page(store, make_theme(tmp_path / "mine", {"templates/base.html": child}))
    assert "<span>ours</span>" in page


def test_a_template_can_draw_a_kind_or_a_column(tmp_path: Path, store: AtlasStore):
    files = {
        "panels/token_list/panel.html": (
            "{% for c in panel.columns %}<p>tokens of {{ c.info.label }}</p>{% endfor %}"
        ),
        "panels/positive_logits/panel.html": (
            "{% for c in panel.columns %}<p>only these {{ c.value|length }}</p>{% endfor %}"
        ),
    }
    page = feature_page(store, make_theme(tmp_path / "mine", files))
    assert "<section class=card id=logits data-keep>" in page
    assert "<p>only these 10</p>" in page
    assert "<p>tokens of negative logits</p>" in page
    assert "<p>tokens of positive logits</p>" not in page


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ page.nothing_like_this }}", "nothing_like_this"),
        ("{{ colour }}", "colour"),
        ("{% for %}", "Expected"),
        ("{{ page.heading | safe }}", "safe"),
        ('{% include "absent.html" %}', "absent.html"),
        ('{% extends "nobody:base.html" %}', "nobody:base.html"),
        ('{% include "../theme.yaml" %}', "theme.yaml"),
        ('{% include "panels/../../x" %}', "x"),
    ],
)
def test_mistakes_in_a_template_are_input_errors_with_their_place(
    tmp_path: Path, store: AtlasStore, template: str, message: str
):
    theme = make_theme(tmp_path / "mine", {"templates/feature.html": f"first line\n{template}"})
    with pytest.raises(InputError) as caught:
        feature_page(store, theme)
    assert message in caught.value.what
    assert "feature.html" in caught.value.where
    assert caught.value.where.endswith(":2") or "safe" in message
    assert caught.value.exit_code == 2


def test_every_template_escapes_by_default(tmp_path: Path, store: AtlasStore):
    theme = make_theme(tmp_path / "mine", {"templates/feature.html": "{{ '<script>' }}{{ page.head.title }}"})
    assert "<script>" not in feature_page(store, theme)


def test_templates_are_compiled_once(monkeypatch: pytest.MonkeyPatch, store: AtlasStore):
    compiled: list[str] = []
    real = jinja2.Environment.compile

    def count(self: jinja2.Environment, source, name=None, filename=None, **more):
        compiled.append(str(name))
        return real(self, source, name, filename, **more)

    monkeypatch.setattr(jinja2.Environment, "compile", count)
    builder = Builder(store, RenderConfig(), Path(), scripts=False)
    from atlas.render.builder import SaeFiles

    files = SaeFiles(builder, store.manifest.saes[0])
    block = files.data.block(0, 8)
    for feature in range(8):
        builder.page(files.pages.page(block, feature))
    assert len(compiled) == len(set(compiled)) < 15


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("<&\"'>", "&lt;&amp;&#34;&#39;&gt;"),
        (Markup("<b>made</b>"), "<b>made</b>"),
        (Shouting("<i>"), "&lt;i&gt;"),
        (7, "7"),
        (None, "None"),
    ],
)
def test_everything_is_escaped_but_markup(tmp_path: Path, value: object, printed: str):
    text = "{{ page }}|{% set drawn %}{{ page }}{% endset %}{{ drawn }}|{{ page ~ '<' }}"
    theme = open_theme("mine", make_theme(tmp_path / "mine", {"templates/home.html": text}).parent)
    made: Any = value
    site: Any = None
    first, second, third = Templates(theme).render("home.html", site, made).decode().split("|")
    assert first == second == printed
    assert third == f"{printed}&lt;"


def test_panels_of_the_chain_are_known(tmp_path: Path):
    theme = open_theme("mine", make_theme(tmp_path / "mine", {"panels/extra/panel.html": ""}).parent)
    templates = Templates(theme)
    assert templates.has_panel("extra")
    assert not templates.has_panel("sparkline")


def test_assets_come_from_the_nearest_theme(tmp_path: Path):
    files = {"assets/icon.svg": "<svg/>", "dist/site.js": "1", "assets/UPPER.svg": "x", "assets/.hidden": "x"}
    found = assets(open_theme("mine", make_theme(tmp_path / "mine", files).parent))
    assert found["icon.svg"].read_text() == "<svg/>"
    assert found["site.js"].read_text() == "1"
    assert "UPPER.svg" not in found
    assert ".hidden" not in found


def test_unbuilt_scripts_are_an_error_that_says_how_to_build_them(tmp_path: Path):
    make_theme(tmp_path / "bare", {}, "title: Bare\n")
    theme = open_theme("bare", tmp_path)
    with pytest.raises(InputError, match="not built") as caught:
        require_scripts(theme, assets(theme))
    assert "make" in caught.value.fix


class TestSlate:
    """The child theme in the repository: small, and every kind of change in it shows."""

    def test_it_is_small(self):
        lines = [
            len(path.read_text(encoding="utf-8").splitlines()) for path in SLATE.rglob("*") if path.is_file()
        ]
        assert sum(lines) < 60

    def test_its_colours_block_and_panel_are_used(self, store: AtlasStore):
        theme = open_theme(str(SLATE))
        assert all(b"#0f1720" in content for _, content in stylesheets(theme).values())
        page = feature_page(store, SLATE)
        assert ", in slate</span>" in page
        assert "<section class=card id=cite data-keep><h2>Cite this feature</h2>" in page
        assert f"build <code>{store.manifest.build_id}</code>" in page

    def test_its_logo_stands_before_the_name_on_every_page(self, store: AtlasStore, tmp_path: Path):
        with Output(tmp_path / "site") as out:
            render_site(store, RenderConfig(theme=str(SLATE)), out, scripts=False)
        assert (tmp_path / "site/assets/logo.svg").is_file()
        for path, root in (("index.html", ""), ("alpha/index.html", "../"), ("alpha/0/5.html", "../../")):
            page = PageReader((tmp_path / "site" / path).read_text("utf-8"))
            logos = [img for img in page.all("img") if img.attributes["src"] == f"{root}assets/logo.svg"]
            assert len(logos) == 1
            assert logos[0].inside[-1] == "a"

    def test_the_rest_is_the_default(self, store: AtlasStore):
        ours, theirs = feature_page(store, SLATE), feature_page(store, default_theme())
        start, end = "<h1>", "<section class=card"
        theirs = theirs[theirs.index(start) : theirs.index("</atlas-feature>")]
        assert ours[ours.index(start) : ours.index(end)] == theirs


def test_a_theme_in_an_archive_is_no_folder(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "theme.zip", "w") as archive:
        archive.writestr("theme.yaml", "extends: default\n")
    with pytest.raises(InputError):
        open_theme("theme.zip", tmp_path)
