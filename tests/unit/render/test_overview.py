"""Pages about the whole atlas, and the lists of features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from atlas.config import RenderConfig
from atlas.render.about import about_page, citation, definitions, facts, warnings
from atlas.render.builder import Builder, SaeFiles
from atlas.render.features import Explanations
from atlas.render.frames import Frames
from atlas.render.lists import report_figures, sae_sentence
from atlas.render.maps import Places
from atlas.render.output import Output
from atlas.render.overview import FINDS, SaeSummary, choose_finds, home_page, map_page, missing_page
from atlas.render.site import SiteReport, render_site
from atlas.schema import REPORT
from atlas.store import AtlasStore, Manifest, SaeEntry
from tests.support.sites import Site
from tests.support.synthetic import make_atlas

EN = "\N{EN DASH}"


def summary(
    densities: list[float | None],
    scores: list[float | None] | None = None,
    clusters: list[int] | None = None,
    tokens: list[str] | None = None,
    texts: list[str] | None = None,
) -> SaeSummary:
    size = len(densities)
    places: Places | None = None
    if clusters is not None:
        axis = np.arange(size, dtype=np.float64)
        places = Places.of(axis, np.zeros(size), axis, np.array(clusters, np.float64))
    found = texts if texts is not None else [f"text {number}" for number in range(size)]
    explained = Explanations(found, [""] * size, scores or [None] * size, [""] * size)
    return SaeSummary("alpha", explained, densities, tokens or ["word"] * size, places, ["first", "<b>"])


class TestFinds:
    """The features that the home page begins with."""

    def test_dead_dense_and_unexplained_features_are_left_out(self):
        found = summary([0.0, 0.2, None, 0.01, 0.01], texts=["a", "b", "c", "", "e"])
        assert choose_finds(found) == [4]

    def test_no_feature_is_worth_showing(self):
        assert choose_finds(summary([0.0, None])) == []

    def test_the_best_scores_come_first(self):
        assert choose_finds(summary([0.01] * 4, scores=[0.1, 0.9, None, 0.5])) == [1, 3, 0, 2]

    def test_each_cluster_has_its_turn(self):
        found = summary([0.01] * 6, scores=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4], clusters=[0, 0, 0, 1, 1, -1])
        assert choose_finds(found)[:3] == [0, 3, 5]

    def test_words_come_before_letters_and_signs(self):
        found = summary([0.01] * 3, scores=[0.9, 0.8, 0.1], tokens=["(", "if", " raise"])
        assert choose_finds(found) == [2, 0, 1]

    def test_a_middling_density_is_preferred(self):
        assert choose_finds(summary([1e-6, 1e-3, 0.09]))[0] == 1

    def test_a_rare_feature_comes_last_however_well_explained(self):
        found = summary([1e-2, 2e-2, 1e-6], scores=[0.2, 0.3, 1.0])
        assert choose_finds(found) == [1, 0, 2]

    def test_there_are_only_a_few(self):
        assert len(choose_finds(summary([0.01] * 50))) == FINDS


def frames(**more: object) -> Frames:
    return Frames(Manifest(**more), {}, {}, has_map=True)


SAE = SaeEntry(slug="alpha", title="SAE <1>", n_features=2048)


def test_the_home_page_says_what_this_is():
    page = home_page(
        frames(
            title="T",
            model={"name": "gpt2"},
            saes=[SAE],
            stream={"n_tokens": 1234567},
            corpus={"description": "A <b> text."},
        ),
        [],
    )
    assert "Inside gpt2, a sparse autoencoder has found 2,048 features" in str(page.what)
    assert "1,234,567 tokens" in str(page.what)
    assert str(page.corpus) == "A &lt;b&gt; text."
    assert page.head.description.startswith("2,048 features of gpt2")
    assert page.ways[0].label == "Browse all features"


class TestDoubts:
    """What preflight found stands on the front page beside its SAE, and on the about page."""

    WARNINGS = ("SAE alpha: it reads <b>another</b> tensor", "SAE alpha-2: nothing fires", "SAE beta: x")

    def test_each_is_told_of_its_own_sae(self):
        manifest = frames(stream={"warnings": list(self.WARNINGS)}).manifest
        assert [str(text) for text in warnings(manifest, "alpha")] == [
            "SAE alpha: it reads &lt;b&gt;another&lt;/b&gt; tensor"
        ]
        assert len(warnings(manifest)) == 3
        assert warnings(frames().manifest) == warnings(manifest, "gamma") == ()

    def test_they_are_no_plain_fact(self):
        page = about_page(frames(stream={"n_tokens": 3, "warnings": list(self.WARNINGS)}), [], "")
        assert [fact.label for fact in page.stream] == ["Tokens counted"]
        assert len(page.warnings) == 3

    def test_the_pages_show_them(self, tmp_path: Path):
        store = make_atlas(tmp_path / "data", n_features=8)
        with store.lock():
            store.update(stream=store.manifest.stream | {"warnings": list(self.WARNINGS[::2])})
        with Output(tmp_path / "site") as out:
            render_site(store, RenderConfig(), out, scripts=False)
        site = Site(tmp_path / "site")
        home, about = site.page("index.html").source, site.page("about.html").source
        told = "A check before the run found: SAE alpha: it reads &lt;b&gt;another&lt;/b&gt; tensor"
        alpha, beta = home.index('id="sae-alpha"'), home.index('id="sae-beta"')
        assert alpha < home.index(told) < beta < home.index("found: SAE beta: x")
        assert "<h3>Doubts</h3>" in about
        assert "<li>SAE alpha: it reads &lt;b&gt;another" in about
        assert "<li>SAE beta: x</li>" in about

    def test_no_doubts_no_heading(self, rendered: tuple[Site, SiteReport]):
        site, _ = rendered
        assert "Doubt" not in site.page("index.html").source + site.page("about.html").source


def test_several_saes_are_counted_together():
    other = SaeEntry(slug="beta", title="b", n_features=2)
    assert "2 sparse autoencoders have found 2,050 features" in str(
        home_page(frames(saes=[SAE, other]), []).what
    )


def test_an_atlas_that_knows_little_still_has_a_home_page():
    page = home_page(frames(saes=[SAE]), [])
    assert str(page.heading) == "Feature Atlas"
    assert "a language model" in str(page.what)


class TestMap:
    def test_each_sae_with_places_has_a_section(self):
        known = frames(saes=[SAE])
        page = map_page(known, [summary([0.01] * 4, clusters=[0, 1, -1, 11]), summary([0.01])])
        (section,) = page.sections
        assert section.sae is known.saes["alpha"]
        assert section.note.startswith("4 features")

    def test_groups_are_listed_largest_first_with_their_best_features(self):
        found = summary([0.01] * 8, scores=[0.1, 0.9] * 4, clusters=[1, 1, 1, 1, 1, 1, 0, 5])
        first, second, third = map_page(frames(saes=[SAE]), [found]).sections[0].clusters
        assert (str(first.label), first.count, first.css) == ("&lt;b&gt;", "6", "k1")
        assert [link.href for link in first.features][:3] == [
            "alpha/0/1.html",
            "alpha/0/3.html",
            "alpha/0/5.html",
        ]
        assert len(first.features) == 5
        assert str(second.label) == "first"
        assert str(third.label) == "group 5"

    def test_saes_without_places_have_no_map(self):
        assert map_page(frames(saes=[SAE]), [summary([0.01])]).sections == ()


@pytest.mark.parametrize(
    ("base", "prefixes"),
    [
        (None, ("", "../", "../../")),
        ("https://x.org/repo", ("/repo/",)),
        ("https://x.org/a/b/", ("/a/b/",)),
        ("https://x.org", ("/",)),
    ],
)
def test_the_missing_page_knows_or_tries_its_root(base: str | None, prefixes: tuple[str, ...]):
    page = missing_page(frames(saes=[SAE], base_url=base))
    assert page.prefixes == prefixes
    assert page.root == (prefixes[0] if base else "")
    assert page.head.path == "404.html"


def test_report_figures_are_exact_and_carry_their_definition():
    rows = [
        {"metric": "n_tokens", "label": "tokens", "value": 1234567.0, "unit": "tokens", "doc": "Counted."},
        {"metric": "l0", "label": "L0", "value": 15.9412, "unit": "count", "doc": "Mean firing."},
        {"metric": "ev", "label": "", "value": 0.9031, "unit": "fraction", "doc": "Explained."},
        {"metric": "mse", "label": "MSE", "value": None, "unit": "none", "doc": "Not measured."},
    ]
    found = report_figures(pa.Table.from_pylist(rows, schema=REPORT))
    assert [(figure.label, figure.text, figure.exact) for figure in found] == [
        ("tokens", "1,234,567", "1234567"),
        ("L0", "15.94", "15.9412"),
        ("ev", "90.3\u202f%", "0.9031"),
        ("MSE", EN, EN),
    ]
    assert found[0].doc == "Counted."
    assert report_figures(None) == ()


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({}, "A sparse autoencoder, with 8 features."),
        (
            {"architecture": "topk", "hook_name": "blocks.2", "d_in": 1024},
            "A topk sparse autoencoder reading blocks.2 (1,024 dimensions), with 8 features.",
        ),
    ],
)
def test_what_an_sae_is(known: dict[str, object], sentence: str):
    assert sae_sentence(known, "8 features") == sentence


class TestAbout:
    def test_facts_are_in_a_fixed_order_and_nothing_is_dropped(self):
        found = facts(
            {
                "zebra": 1,
                "device": "cpu",
                "name": "gpt2",
                "n_layers": 12,
                "empty": "",
                "none": None,
                "flag": True,
            }
        )
        assert [(fact.label, str(fact.value)) for fact in found] == [
            ("Name", "gpt2"),
            ("Layers", "12"),
            ("Device", "cpu"),
            ("flag", "yes"),
            ("zebra", "1"),
        ]

    def test_records_are_spelled_out(self):
        (fact,) = facts({"source": {"repo": "a/b", "folder": "", "sae_id": "x"}})
        assert (str(fact.value), fact.code) == ("repo: a/b, sae_id: x", True)

    def test_a_commit_is_shown_where_there_is_one(self):
        (fact,) = facts({"commit": "a" * 40})
        assert (fact.label, fact.code) == ("Commit on the Hub", True)
        assert facts({"commit": ""}) == ()

    def test_values_are_escaped(self):
        (fact,) = facts({"name": "<script>"})
        assert str(fact.value) == "&lt;script&gt;"

    def test_every_column_is_defined_once(self, builder: Builder):
        data = [SaeFiles(builder, entry).data for entry in builder.store.manifest.saes]
        found = list(definitions(data))
        assert [definition.name for definition in found] == list(data[0].columns)
        assert all(definition.doc and definition.table for definition in found)

    def test_the_page_tells_what_was_counted(self, builder: Builder, store: AtlasStore):
        page = about_page(
            builder.frames, [SaeFiles(builder, entry).data for entry in store.manifest.saes], ""
        )
        words = " ".join(page.summary)
        assert "536 tokens" in words
        assert "Left out everywhere: special tokens." in words
        assert len(page.files) == sum(len(entries) for entries in store.manifest.tables.values())
        assert {view.sha256 for view in page.files} == {
            entry.sha256 for entries in store.manifest.tables.values() for entry in entries
        }

    def test_an_atlas_that_knows_little_still_has_an_about_page(self):
        page = about_page(frames(), [], "")
        assert page.summary == ()
        assert page.model == ()

    @pytest.mark.parametrize(
        ("manifest", "parts"),
        [
            (
                Manifest(title="A {b} c", author="Me", base_url="https://x.org/a"),
                ["title = {A (b) c}", "author = {Me}", "\\url{https://x.org/a}"],
            ),
            (Manifest(), ["title = {Feature Atlas}"]),
        ],
    )
    def test_the_citation_is_bibtex_with_the_build(self, manifest: Manifest, parts: list[str]):
        text = citation(manifest)
        assert text.startswith(f"@misc{{feature-atlas-{manifest.build_id},\n")
        assert text.count("{") == text.count("}")
        assert f"build {manifest.build_id}" in text
        for part in parts:
            assert part in text


class TestLists:
    @pytest.fixture
    def files(self, builder: Builder) -> SaeFiles:
        return SaeFiles(builder, builder.store.manifest.saes[0])

    def test_a_row_per_feature(self, files: SaeFiles, store: AtlasStore):
        page = files.lists.page(0)
        assert page.head.path == "alpha/0/index.html"
        assert [row.feature_idx for row in page.rows] == list(range(40))
        rows = store.read("features", "alpha").to_pylist()
        for shown, row in zip(page.rows, rows, strict=True):
            assert shown.href == f"{row['feature_idx']}.html"
            assert shown.dead == (row["firing_tokens"] == 0)
            assert shown.density_exact == f"{row['firing_tokens']:,} of 536"
            assert len(shown.tokens) == min(5, len(row["top_tokens"]))

    def test_the_browse_page_begins_with_the_first_features(self, files: SaeFiles):
        page = files.lists.browse(())
        assert page.head.path == "alpha/index.html"
        assert page.rows[7].href == "0/7.html"
        assert page.thousands[0] == ("0/index.html", f"0{EN}39", False)

    def test_lists_are_a_thousand_long(self, files: SaeFiles, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(files.data, "n_features", 2001)
        rows = files.lists.rows(0, 40) * 51
        monkeypatch.setattr(files.lists, "rows", lambda start, stop: rows[start:stop])
        pages = [files.lists.page(number) for number in range(3)]
        assert [page.label for page in pages] == [f"0{EN}999", f"1000{EN}1999", f"2000{EN}2000"]
        assert [page.head.path for page in pages] == [f"alpha/{number}/index.html" for number in range(3)]
        assert len(pages[0].rows) == 1000
        assert [link.current for link in pages[1].thousands] == [False, True, False]
        assert [link.href for link in pages[1].thousands] == [
            f"../{number}/index.html" for number in range(3)
        ]
