"""Which styles a kind of page loads, and how they are packed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atlas.errors import InputError
from atlas.render.contexts import TEMPLATES
from atlas.render.styles import KINDS, STYLESHEET, minified, stylesheets
from atlas.render.themes import Theme, default_theme, open_theme
from tests.support.requirements import ROOT

SLATE = str(ROOT / "themes" / "slate")


def make(folder: Path, files: dict[str, str], yaml: str = "") -> Theme:
    for name, text in {"theme.yaml": yaml, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return open_theme(folder.name, folder.parent)


def texts(theme: Theme) -> dict[str, str]:
    return {kind: content.decode() for kind, (_, content) in stylesheets(theme).items()}


class TestWhichStyles:
    """A kind of page loads one stylesheet with all it needs."""

    def test_every_kind_has_one(self):
        assert set(stylesheets(open_theme("default"))) == set(KINDS)
        assert len(KINDS) == len(TEMPLATES)

    def test_a_theme_that_says_nothing_has_one_for_all(self, tmp_path: Path):
        theme = make(tmp_path / "mine", {"css/base.css": ".b{}", "css/map.css": ".m{}"})
        assert set(stylesheets(theme).values()) == {(STYLESHEET, b".b{}.m{}")}

    def test_base_comes_first_then_the_others_by_name_then_panels_on_feature_pages(self, tmp_path: Path):
        files = {
            "css/zebra.css": ".z{}",
            "css/base.css": ".b{}",
            "css/apple.css": ".a{}",
            "panels/p/panel.css": ".p{}",
        }
        found = texts(make(tmp_path / "mine", files))
        assert found["feature"] == ".b{}.a{}.z{}.p{}"
        assert found["map"] == ".b{}.a{}.z{}"

    def test_a_child_comes_after_all_of_its_parent_even_where_only_some_pages_load_that(self, tmp_path: Path):
        make(tmp_path / "old", {"css/base.css": ".b{}", "css/map.css": ".m{}"}, "styles: {map.css: [map]}\n")
        child = make(tmp_path / "new", {"css/base.css": ".c{}"}, "extends: ../old\n")
        found = texts(child)
        assert found["map"] == ".b{}.m{}.c{}"
        assert found["home"] == ".b{}.c{}"

    def test_a_child_limits_only_files_of_its_own(self, tmp_path: Path):
        make(tmp_path / "old", {"css/one.css": ".o{}"})
        child = make(
            tmp_path / "new", {"css/one.css": ".n{}"}, "extends: ../old\nstyles: {one.css: [home]}\n"
        )
        found = texts(child)
        assert (found["home"], found["map"]) == (".o{}.n{}", ".o{}")

    def test_kinds_that_need_the_same_share_a_file_that_is_called_after_them(self, tmp_path: Path):
        files = {"css/base.css": ".b{}", "css/lists.css": ".l{}", "css/map.css": ".m{}"}
        theme = make(tmp_path / "mine", files, "styles: {lists.css: [starred, list], map.css: [map]}\n")
        names = {kind: name for kind, (name, _) in stylesheets(theme).items()}
        assert names.pop("map") == "map.css"
        assert {names.pop("starred"), names.pop("list")} == {"starred-list.css"}
        assert set(names.values()) == {STYLESHEET}

    def test_every_file_of_the_default_theme_reaches_a_page(self):
        found = stylesheets(open_theme("default")).values()
        for path in (default_theme() / "css").glob("*.css"):
            assert any(minified(path.read_text("utf-8")) in content.decode() for _, content in found), (
                path.name
            )

    def test_a_feature_page_loads_only_what_it_shows(self):
        found = texts(open_theme("default"))
        assert len(found["feature"]) < 40_000
        assert ".steer-form" not in found["feature"]
        assert ".windowed" not in found["feature"]
        assert ".windowed" in found["browse"]

    def test_the_child_theme_reaches_every_page(self):
        assert all("#0f1720" in css for css in texts(open_theme(SLATE)).values())

    @pytest.mark.parametrize(
        ("styles", "said", "fix"),
        [
            ("{map.css: [mapp]}", "'mapp' is no kind of page", "map"),
            ("{maps.css: [map]}", "no css/maps.css", "map.css"),
            ("{../map.css: [map]}", "no css/../map.css", ""),
        ],
    )
    def test_what_does_not_exist_is_an_error_with_the_nearest(
        self, tmp_path: Path, styles: str, said: str, fix: str
    ):
        theme = make(tmp_path / "mine", {"css/map.css": ""}, f"styles: {styles}\n")
        with pytest.raises(InputError, match=re.escape(said)) as caught:
            stylesheets(theme)
        assert caught.value.where.endswith("theme.yaml")
        assert fix in caught.value.fix

    @pytest.mark.parametrize("styles", ["[map.css]", "{map.css: map}", "{map.css: {map: 1}}"])
    def test_other_shapes_are_refused_when_the_theme_is_opened(self, tmp_path: Path, styles: str):
        with pytest.raises(InputError, match="styles"):
            make(tmp_path / "mine", {"css/map.css": ""}, f"styles: {styles}\n")


CASES = [
    ("a :hover , b > c { x : y ; }", "a :hover,b>c{x :y}"),
    ("a  b\n\tc{d:e}", "a b c{d:e}"),
    ("/* a */ b { c: d /* e */ f }", "b{c:d f}"),
    ("e/**/f { g: h }", "e/**/f{g:h}"),
    ("@media (a: 1px) and (b) { c { d: e; } }", "@media (a:1px) and (b){c{d:e}}"),
    ("a { b: calc(1px + 2px) -3px }", "a{b:calc(1px + 2px) -3px}"),
    ('a::after { content: " ;  /* no */ } \\" , b" }', 'a::after{content:" ;  /* no */ } \\" , b"}'),
    ("a { b: ' { ; } ' }", "a{b:' { ; } '}"),
    ("a { b: url( data:x, y ; z ) }", "a{b:url( data:x, y ; z )}"),
    (".a\\ b , .c\\: d { e: f }", ".a\\ b,.c\\: d{e:f}"),
    ("a { b: c !important; d: e }", "a{b:c !important;d:e}"),
    ("a { --b: ; c: d }", "a{--b:;c:d}"),
    ("a { } /* open", "a{}/* open"),
    ("", ""),
]


class TestMinified:
    """What means nothing goes; strings and addresses stay."""

    @pytest.mark.parametrize(("css", "small"), CASES)
    def test_examples(self, css: str, small: str):
        assert minified(css) == small

    @given(st.text(alphabet="ab{}:;,> \n\"'\\/*()", max_size=40))
    def test_it_is_done_at_once(self, css: str):
        assert len(minified(css)) <= len(css)

    @given(
        st.lists(
            st.sampled_from(
                ["a", ":hover", " ", "\n", "{", "}", ":", ";", ",", ">", '" x  y "', "/* c */", "1px", "+"]
            )
        )
    )
    def test_nothing_but_gaps_is_taken(self, parts: list[str]):
        def without_gaps(text: str) -> str:
            return re.sub(r"/\*.*?\*/|[\s;]", "", text, flags=re.DOTALL)

        css = "".join(parts)
        assert without_gaps(minified(css)) == without_gaps(css)
        assert minified(css).count('" x  y "') == css.count('" x  y "')

    def test_many_comments_take_no_time(self):
        assert minified("/* * / */ " * 50_000) == ""

    def test_the_stylesheets_get_smaller(self):
        path = default_theme() / "css" / "base.css"
        text = path.read_text("utf-8")
        assert len(minified(text)) < 0.95 * len(text)
        assert minified(minified(text)) == minified(text)
