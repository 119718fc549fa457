"""The whole site: complete, linked, equal every time, and the same pages for hostile text."""

from __future__ import annotations

import html
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from atlas.config import RenderConfig
from atlas.errors import InputError
from atlas.render.builder import Builder
from atlas.render.choice import LEAST, Choice
from atlas.render.output import MARKER, Output
from atlas.render.site import SiteReport, plan_site, render_site
from atlas.render.strips import shown
from atlas.render.styles import stylesheets
from atlas.render.themes import open_theme
from atlas.store import AtlasStore
from tests.support.sites import PageReader, Site
from tests.support.synthetic import make_atlas

POLICY = (
    "default-src 'none';script-src 'self' 'wasm-unsafe-eval';style-src 'self';img-src 'self' data:;"
    "worker-src 'self' blob:;manifest-src 'self';base-uri 'none';form-action 'none'"
)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus='alert(1)",
    "</title></pre><b>",
    "{{ 7*7 }}{% raw %}",
    "\u202eevil\u2066",
    "a\u200db\ufeff",
    "\x00\x1b[0m",
    "--><!--",
    "]]>",
    "&lt;i&gt;",
    "document",
    "__proto__",
    "C:\\x\\y",
    "line\nbreak",
    "javascript:alert(1)",
    "%3Cscript%3E",
    "\ufffe\U0010ffff",
]


def render(store: AtlasStore, folder: Path, **options: object) -> tuple[Site, SiteReport]:
    with Output(folder) as out:
        report = render_site(store, RenderConfig(**options), out, scripts=False)
    return Site(folder), report


def test_every_file_of_the_contract_is_there(site: Site):
    sheets = stylesheets(open_theme("default")).values()
    expected = {f"assets/{name}" for name, _ in sheets} | {
        MARKER,
        ".nojekyll",
        "index.html",
        "about.html",
        "map.html",
        "search.html",
        "404.html",
        "assets/icon.svg",
        "data/site.js",
        "data/pieces.js",
        "atlas.webmanifest",
        "starred.html",
    }
    for slug in ("alpha", "beta"):
        expected |= {
            f"{slug}/index.html",
            f"{slug}/0/index.html",
            f"data/{slug}/map.js",
            f"data/{slug}/map/0.js",
            f"data/{slug}/minimap.js",
            f"data/{slug}/table.js",
            f"data/{slug}/titles/0.js",
            f"data/{slug}/texts/0.js",
        }
        expected |= {f"{slug}/0/{feature}.html" for feature in range(40)}
        expected |= {f"data/{slug}/features/{number}.js" for number in range(3)}
        n_columns = len(site.shard(f"{slug}/table")["columns"])
        expected |= {f"data/{slug}/columns/{number}/0.js" for number in range(n_columns)}
    found = {path for path in site.files if not path.startswith("data/search/")}
    assert found == expected
    assert any(path.startswith("data/search/") for path in site.files)


def test_the_report_counts_what_was_written(rendered: tuple[Site, SiteReport]):
    site, report = rendered
    assert report.files == len(site.files)
    assert report.bytes == sum(map(len, site.files.values()))
    assert report.pages == len(site.pages)
    assert report.features == 80
    features = [data for path, data in site.files.items() if re.fullmatch(r"\w+/0/\d+\.html", path)]
    assert report.page_bytes == sum(map(len, features))
    shards = [data for path, data in site.files.items() if "/features/" in path]
    assert report.shard_bytes == sum(map(len, shards))


def test_every_link_and_fragment_leads_somewhere(site: Site):
    # The page for missing addresses tries several roots; all but one lead outside on purpose.
    assert [link for link in site.broken_links() if not link.startswith("404.html: ../")] == []


def test_pages_are_well_formed(site: Site):
    for path, page in site.pages.items():
        assert page.unbalanced == [], path
        assert page.source.startswith("<!doctype html>\n<html lang=en "), path


def test_ids_are_unique(site: Site):
    for path, page in site.pages.items():
        ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
        assert len(ids) == len(set(ids)), path


def test_the_policy_stands_right_after_the_charset(site: Site):
    for path, page in site.pages.items():
        metas = page.all("meta")
        assert metas[0].attributes == {"charset": "utf-8"}, path
        assert metas[1].attributes == {"http-equiv": "Content-Security-Policy", "content": POLICY}, path
        assert sum("http-equiv" in meta.attributes for meta in metas) == 1


def test_the_policy_is_the_one_of_the_design_but_for_reading_offline(shared_dir: Path):
    design = " ".join((shared_dir / "DESIGN.md").read_text(encoding="utf-8").split())
    offline = "worker-src 'self' blob:;manifest-src 'self'"
    assert POLICY.count(offline) == 1
    assert POLICY.replace(offline, "worker-src blob:").replace(";", "; ") in design


def test_nothing_is_inline(site: Site):
    for path, page in site.pages.items():
        assert page.all("style") == [], path
        for element in page.elements:
            assert not [name for name in element.attributes if name == "style" or name.startswith("on")], path
            assert element.tag != "script", path


def test_scripts_are_classic_deferred_and_ours(
    store: AtlasStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from atlas.render import builder

    scripts = {name: tmp_path / name for name in ("site.js", "feature.js", "theme.js", "map.js")}
    for path in scripts.values():
        path.write_text("1")
    real = builder.assets
    monkeypatch.setattr(builder, "assets", lambda theme: {**real(theme), **scripts})
    with Output(tmp_path / "site") as out:
        render_site(store, RenderConfig(), out)
    site = Site(tmp_path / "site")
    found = {path: [s.attributes for s in page.all("script")] for path, page in site.pages.items()}
    theme, own, feature = found["alpha/0/7.html"]
    assert set(theme) == {"src"}
    assert theme["src"].startswith("../../assets/theme.js?")
    assert [script["src"].split("?")[0] for script in (own, feature)] == [
        "../../assets/site.js",
        "../../assets/feature.js",
    ]
    assert all("defer" in script for script in (own, feature))
    assert [script["src"].split("?")[0] for script in found["about.html"]] == [
        "assets/theme.js",
        "assets/site.js",
    ]
    assert [script["src"].split("?")[0] for script in found["404.html"]] == [
        "assets/site.js",
        "../assets/site.js",
        "../../assets/site.js",
    ]
    assert site.files["assets/site.js"] == b"1"


def test_without_scripts_rendering_is_refused(
    store: AtlasStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from atlas.render import builder

    monkeypatch.setattr(builder, "assets", lambda theme: {})
    with pytest.raises(InputError, match="not built"), Output(tmp_path / "site") as out:
        render_site(store, RenderConfig(), out)
    assert list(tmp_path.iterdir()) == []


def test_every_page_has_title_description_and_preview(site: Site):
    titles = set()
    for path, page in site.pages.items():
        titles.add(page.one("title").text)
        named = {meta.attributes.get("property"): meta.attributes.get("content") for meta in page.all("meta")}
        described = {meta.attributes.get("name"): meta.attributes.get("content") for meta in page.all("meta")}
        assert page.one("title").text.strip(), path
        assert described["description"] == named["og:description"]
        assert str(described["description"]).strip(), path
        assert str(named["og:title"]).strip(), path
    assert len(titles) == len(site.pages)


def test_canonical_links_need_a_base(tmp_path: Path):
    store = make_atlas(tmp_path / "data", n_features=4, saes=("alpha",))
    store.update(base_url="https://example.org/atlas/")
    site, _ = render(store, tmp_path / "site")
    links = [link.attributes for link in site.page("alpha/0/1.html").all("link")]
    assert {"rel": "canonical", "href": "https://example.org/atlas/alpha/0/1.html"} in links
    missing = site.page("404.html")
    assert all(
        link.attributes["href"].startswith("/atlas/assets/")
        for link in missing.all("link", "")
        if link.attributes["rel"] == "stylesheet"
    )


def test_headings_descend_without_gaps_from_one_h1(site: Site):
    for path, page in site.pages.items():
        levels = [int(element.tag[1]) for element in page.elements if re.fullmatch("h[1-6]", element.tag)]
        assert levels.count(1) == 1, path
        assert levels[0] == 1, path
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), (
            path,
            levels,
        )


def test_landmarks_and_skip_link(site: Site):
    for path, page in site.pages.items():
        assert len(page.all("main")) == len(page.all("footer")) == 1, path
        skip = page.one("a", "skip")
        assert skip.attributes["href"] == "#main"
        assert page.one("main").attributes["id"] == "main"
        assert all("aria-label" in nav.attributes for nav in page.all("nav")), path
        for figure in page.all("svg"):
            assert figure.attributes.get("aria-hidden") == "true" or figure.attributes.get("aria-label"), path


def test_pages_say_where_they_are(site: Site):
    for path, page in site.pages.items():
        html, body = page.one("html").attributes, page.one("body").attributes
        root = html["data-root"]
        assert root == ("" if path == "404.html" else "../" * path.count("/"))
        assert html["data-page"]
        if path.count("/") == 2 and not path.endswith("index.html"):
            assert (html["data-page"], body["data-sae"]) == ("feature", path.split("/")[0])
            assert body["data-feature"] == path.split("/")[2].removesuffix(".html")


def test_pages_name_the_build_but_for_features_and_lists(site: Site, store: AtlasStore):
    """Were it on every page, one changed explanation would change every page."""
    for path, page in site.pages.items():
        many = page.one("html").attributes["data-page"] in {"feature", "thousand"}
        told = page.one("html").attributes.get("data-build")
        assert told == (None if many else store.manifest.build_id), path
        assert not many or store.manifest.build_id not in page.source
    assert site.shard("site")["build_id"] == store.manifest.build_id


def test_no_page_holds_a_number_that_is_none(site: Site):
    for path, page in site.pages.items():
        for element in page.elements:
            # A token of the corpus may be the word None; its space is shown.
            if element.tag == "dd" and element.text.startswith("␣"):
                continue
            if element.tag in {"dd", "b", "figcaption", "small", "td"} or "chip" in element.classes:
                assert not re.fullmatch(r"\W*(NaN|nan|None|inf|Infinity|undefined)\W*", element.text), path


class TestWithoutJavaScript:
    """The feature page reads: everything of the contract is in the HTML."""

    def test_a_living_feature(self, site: Site, store: AtlasStore):
        page = site.page("alpha/0/7.html")
        explanations = {
            row["feature_idx"]: row["text"] for row in store.read("explanations", "alpha").to_pylist()
        }
        assert page.one("h1").text == explanations[7]
        assert page.one("atlas-feature").attributes == {}
        assert [heading.text for heading in page.all("h2")] == ["Top examples", "Neighbours", "Numbers"]
        examples = [e for e in page.all("li") if e.inside[-1] == "ol" and "nav" not in e.inside]
        assert len(examples) == len(page.all("mark")) == 4
        assert {e.attributes["rel"] for e in page.all("a") if "rel" in e.attributes} == {"prev", "next"}
        assert page.all("button") == page.all("form") == page.all("input") == []

    def test_words(self, site: Site, store: AtlasStore):
        page = site.page("alpha/0/7.html")
        groups = [e.text.strip() for e in page.all("dt") if "words" not in e.classes][:3]
        assert groups == ["Fires on", "Raises", "Lowers"]
        assert len(page.all("dd")) >= 12

    def test_a_dead_feature(self, site: Site):
        page = site.page("alpha/0/3.html")
        assert page.one("h1").text == "Feature 3, which never fired"
        assert "never fired on the 536 counted tokens" in page.one("main").text
        assert page.all("mark") == []
        assert [chip.text for chip in page.all("span", "warn")] == ["dead"]

    def test_numbers_with_their_labels(self, site: Site, store: AtlasStore):
        page = site.page("alpha/0/7.html")
        row = store.read("features", "alpha").to_pylist()[7]
        labels = [e.text.strip() for e in page.all("dt")]
        values = page.all("dd")[-(len(labels) - 3) :]
        told = dict(zip(labels[3:], [value.text.strip() for value in values], strict=True))
        assert float(told["max activation"]) == pytest.approx(row["max_activation"], rel=1e-3)

    def test_neighbours_are_links_with_their_cosine(self, site: Site, store: AtlasStore):
        page = site.page("alpha/0/7.html")
        expected = store.read("neighbours", "alpha").to_pylist()[7]["neighbours"][:5]
        links = [e for e in page.all("a") if e.inside[-2:] == ("ul", "li") and "nav" not in e.inside]
        assert [link.attributes["href"] for link in links] == [
            f"{entry['feature_idx']}.html" for entry in expected
        ]

    def test_a_page_is_small(self, site: Site):
        sizes = [len(d) for path, d in site.files.items() if re.fullmatch(r"\w+/0/\d+\.html", path)]
        assert sum(sizes) / len(sizes) < 3500

    def test_the_map_is_a_picture_and_a_list(self, site: Site):
        page = site.page("map.html")
        strokes = sum(path.attributes["d"].count("h0") for path in page.all("path"))
        assert strokes == 80
        assert len(page.all("li")) > 20
        assert len(page.all("atlas-map")) == 1

    def test_lists_lead_to_every_feature(self, site: Site):
        for slug in ("alpha", "beta"):
            page = site.page(f"{slug}/0/index.html")
            hrefs = {e.attributes["href"] for e in page.all("a") if "tbody" in e.inside}
            assert hrefs == {f"{feature}.html" for feature in range(40)}


def test_equal_inputs_give_equal_bytes(store: AtlasStore, site: Site, tmp_path: Path):
    again, _ = render(AtlasStore.open(store.path), tmp_path / "elsewhere" / "site")
    assert again.files == site.files


SCRIPT = """
import sys
from pathlib import Path
from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.store import AtlasStore
with Output(Path(sys.argv[2])) as out:
    render_site(AtlasStore.open(sys.argv[1]), RenderConfig(), out, scripts=False)
heavy = {"torch", "transformers", "sae_lens", "transformer_lens", "datasets", "umap"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_another_process_gives_the_same_bytes_and_imports_nothing_heavy(
    store: AtlasStore, site: Site, tmp_path: Path
):
    surroundings = {"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "C"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(store.path), str(tmp_path / "site")],
        env={**os.environ, **surroundings},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Site(tmp_path / "site").files == site.files


def test_the_plan_is_exact_in_pages_and_files_and_near_in_bytes(tmp_path: Path):
    store = make_atlas(tmp_path / "data", n_features=300, saes=("alpha",))
    plan = plan_site(store, RenderConfig(), scripts=False)
    _, report = render(store, tmp_path / "site")
    assert (plan.pages, plan.files) == (report.pages, report.files)
    assert plan.bytes == pytest.approx(report.bytes, rel=0.2)


def test_the_plan_of_two_saes_is_exact(store: AtlasStore, rendered: tuple[Site, SiteReport]):
    plan = plan_site(store, RenderConfig(), scripts=False)
    assert (plan.pages, plan.files) == (rendered[1].pages, rendered[1].files)


def test_a_site_over_its_budget_is_refused_with_figures_and_nothing_written(
    store: AtlasStore, tmp_path: Path
):
    with pytest.raises(InputError) as caught, Output(tmp_path / "site") as out:
        render_site(store, RenderConfig(site_budget="100kB"), out, scripts=False)
    assert "'100kB'" in caught.value.what
    assert re.search(r"about [\d,]{7,} bytes \(\d+ files\)", caught.value.what)
    assert "static_examples" in caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_site_over_its_budget_holds_less_and_says_so(store: AtlasStore, tmp_path: Path):
    plan = plan_site(store, RenderConfig(), scripts=False)
    assert plan.least_bytes < plan.bytes
    budget = plan.bytes - 1
    site, report = render(store, tmp_path / "site", site_budget=f"{budget}b")
    assert report.bytes <= budget
    choice = site.shard("site")["choice"]
    assert choice["fitted"] is True
    assert choice["budget"] == budget
    about = site.page("about.html").one("main").text
    assert f"This site holds the {choice['top']} strongest examples" in about
    for feature in site.features("alpha", 0)["features"]:
        for group in feature["groups"]:
            assert len(group["examples"]) <= choice["top" if group["group"] == "top" else "others"]
            for example in group["examples"]:
                assert example["peak"] <= choice["before"]
                assert len(example["pieces"]) <= choice["before"] + 1 + choice["after"]


@pytest.mark.parametrize(("budget", "measured"), [(None, []), ("1GB", ["everything"])])
def test_only_what_a_budget_needs_is_estimated(
    store: AtlasStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    budget: str | None,
    measured: list[str],
):
    import atlas.render.site as site_module

    seen: list[str] = []
    real = site_module._growing_bytes

    def growing(builder: Builder, choice: Choice) -> int:
        seen.append(choice.words() if choice == LEAST else "everything")
        return real(builder, choice)

    monkeypatch.setattr(site_module, "_growing_bytes", growing)
    render(store, tmp_path / "site", site_budget=budget)
    assert seen == measured


def test_a_site_within_its_budget_holds_everything(site: Site, store: AtlasStore):
    choice = site.shard("site")["choice"]
    assert (choice["fitted"], choice["top"], choice["budget"]) == (False, 20, 10**9)
    rows = store.read("examples", "alpha").to_pylist()
    shown = [f for number in range(3) for f in site.features("alpha", number)["features"]]
    assert sum(len(g["examples"]) for f in shown for g in f["groups"]) == len(rows)
    assert "keeps it below" not in site.page("about.html").source


def explained_anew(store: AtlasStore, feature: int, text: str) -> None:
    """Change one explanation of alpha."""
    table = store.read("explanations", "alpha")
    rows = table.to_pylist()
    for row in rows:
        row["text"] = text if row["feature_idx"] == feature else row["text"]
    with store.lock(), store.writer("explanations", sae="alpha", schema=table.schema) as writer:
        writer.write(pa.Table.from_pylist(rows, schema=table.schema))


def test_one_changed_explanation_rewrites_only_what_names_it(tmp_path: Path):
    store = make_atlas(tmp_path / "data", n_features=120)
    before, _ = render(store, tmp_path / "site", features_per_shard=8)
    held = before.files
    inodes = {path: (tmp_path / "site" / path).stat().st_ino for path in held}
    explained_anew(store, 77, "something else altogether")
    with Output(tmp_path / "site") as out:
        render_site(store, RenderConfig(features_per_shard=8), out, scripts=False)
    after = Site(tmp_path / "site").files
    changed = {path for path in after if after[path] != held.get(path)}
    rewritten = {path for path in after if (tmp_path / "site" / path).stat().st_ino != inodes.get(path)}
    assert rewritten == changed
    assert out.written == len(changed) - 1, "the seal is written besides"
    assert {"alpha/0/77.html", "data/alpha/features/9.js", "data/site.js", "about.html"} <= changed
    rows = store.read("neighbours", "alpha").to_pylist()
    naming = {row["feature_idx"] for row in rows if any(n["feature_idx"] == 77 for n in row["neighbours"])}
    pages = {int(Path(path).stem) for path in changed if re.fullmatch(r"alpha/0/\d+\.html", path)}
    assert pages <= naming | {77}
    assert not [path for path in changed if path.startswith(("beta/0", "data/beta/features", "assets/"))]


def test_progress_counts_pages_to_the_end(store: AtlasStore, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    with Output(tmp_path / "site") as out:
        report = render_site(
            store, RenderConfig(), out, lambda done, total: seen.append((done, total)), scripts=False
        )
    assert [done for done, _ in seen] == list(range(1, report.pages + 1))
    assert {total for _, total in seen} == {report.pages}


def test_fewer_examples_make_smaller_pages(
    store: AtlasStore, rendered: tuple[Site, SiteReport], tmp_path: Path
):
    _, small = render(store, tmp_path / "site", static_examples=1, examples_per_feature=1)
    assert small.page_bytes < rendered[1].page_bytes
    assert small.shard_bytes < rendered[1].shard_bytes


@pytest.mark.parametrize("per_shard", [1, 7, 256])
def test_shards_of_any_size_hold_every_feature(store: AtlasStore, tmp_path: Path, per_shard: int):
    site, _ = render(store, tmp_path / "site", features_per_shard=per_shard)
    found = []
    for number in range(-(-40 // per_shard)):
        found += [feature["feature_idx"] for feature in site.features("alpha", number)["features"]]
    assert found == list(range(40))
    assert site.shard("site")["features_per_shard"] == per_shard


@pytest.mark.parametrize(
    "gone", ["logits", "neighbours", "coords", "clusters", "explanations", "report", "postings"]
)
def test_a_dataset_without_a_table_still_has_a_site(tmp_path: Path, gone: str):
    store = make_atlas(tmp_path / "data", n_features=6, saes=("alpha",))
    key = gone if gone == "postings" else f"alpha/{gone}"
    store.update(tables={name: files for name, files in store.manifest.tables.items() if name != key})
    site, report = render(store, tmp_path / "site")
    plan = plan_site(store, RenderConfig(), scripts=False)
    assert (plan.pages, plan.files) == (report.pages, report.files)
    assert [link for link in site.broken_links() if not link.startswith("404.html: ../")] == []
    assert ("map.html" in site.files) == (gone != "coords")


@pytest.mark.parametrize(("n_features", "dead"), [(1, (0,)), (1, ()), (5, (0, 1, 2, 3, 4))])
def test_degenerate_atlases_have_a_site(tmp_path: Path, n_features: int, dead: tuple[int, ...]):
    store = make_atlas(tmp_path / "data", n_features=n_features, saes=("alpha",), dead=dead)
    site, _ = render(store, tmp_path / "site")
    assert [link for link in site.broken_links() if not link.startswith("404.html: ../")] == []
    for path, page in site.pages.items():
        assert not re.search(r"\b(nan|None|inf)\b", page.one("main").text), path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, AtlasStore]:
    """An atlas whose every text is hostile, and its site."""
    folder = tmp_path_factory.mktemp("hostile")
    store = make_atlas(folder / "data", n_features=len(HOSTILE), saes=("alpha",), dead=(), hostile=HOSTILE)
    return render(store, folder / "site")[0], store


class TestHostileText:
    """Every field hostile at once: the pages keep their structure and show the text."""

    def test_pages_keep_their_structure(self, hostile: tuple[Site, AtlasStore], tmp_path: Path):
        tame = make_atlas(tmp_path / "data", n_features=len(HOSTILE), saes=("alpha",), dead=())
        allowed = {
            element.tag
            for page in render(tame, tmp_path / "site")[0].pages.values()
            for element in page.elements
        }
        for path, page in hostile[0].pages.items():
            assert page.unbalanced == [], path
            assert {element.tag for element in page.elements} <= allowed, path
            for element in page.elements:
                assert not [
                    name for name in element.attributes if name.startswith("on") or name == "style"
                ], path

    def test_links_hold(self, hostile: tuple[Site, AtlasStore]):
        assert [link for link in hostile[0].broken_links() if not link.startswith("404.html: ../")] == []

    def test_explanations_are_shown_and_nothing_else(self, hostile: tuple[Site, AtlasStore]):
        site, store = hostile
        for row in store.read("explanations", "alpha").to_pylist():
            heading = site.page(f"alpha/0/{row['feature_idx']}.html").one("h1")
            assert heading.text == PageReader(f"<p>{shown(row['text'])}</p>").one("p").text
            assert heading.text == visible(row["text"])

    def test_nothing_that_html_cannot_carry_is_written(self, hostile: tuple[Site, AtlasStore]):
        for path, data in hostile[0].files.items():
            if path.endswith(".html"):
                text = data.decode("utf-8", errors="strict")
                assert not re.search(
                    r"[\x00-\x08\x0b\x0c\x0d\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff]", text
                ), path
                assert not re.search(r"&#(x0*(0|d|1b);|0*(0|13|27);)", text), path

    def test_titles_and_descriptions_are_harmless(self, hostile: tuple[Site, AtlasStore]):
        for page in hostile[0].pages.values():
            assert page.one("title").inside == ("html", "head")
            for meta in page.all("meta"):
                assert meta.inside == ("html", "head")

    def test_data_files_hold_the_exact_text(self, hostile: tuple[Site, AtlasStore]):
        site, store = hostile
        texts = [row["text"] for row in store.read("explanations", "alpha").to_pylist()]
        assert site.shard("alpha/titles/0")["explanations"] == texts
        assert site.shard("site")["title"] == store.manifest.title


def visible(text: str) -> str:
    """What a reader sees of one line of text, from the definition of the policy in atlas.text."""
    from atlas.text import badges, display_text

    return "".join(run if kind == "badge" else display_text(run) for kind, run in badges(text))


def test_escaping_is_what_html_readers_undo():
    for text in HOSTILE:
        assert PageReader(f"<p>{html.escape(text)}</p>").one("p").text.replace("\r", "\n") == text.replace(
            "\r", "\n"
        )
