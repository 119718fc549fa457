"""With JavaScript off every page reads: texts, numbers, lists; and nothing is promised in vain."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.store import AtlasStore
from tests.support import requirements
from tests.support.kinds import KINDS
from tests.support.synthetic import make_atlas
from tests.support.toy_model import add_toy_model

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

FEATURES = 24
LIST = "name: A first look\ndescription: Where to begin.\nfeatures:\n  - {sae: alpha, feature_idx: 5}\n"
"""A curated list."""
SCRIPTED = (
    "atlas-search-box form",
    "atlas-search-box input",
    "atlas-search-box kbd",
    "atlas-theme-toggle",
    "[data-action]",
    ".keys-button",
    "[role=tab]",
    "canvas",
    "select",
    "button",
    "input",
)
"""What only scripts can serve."""
VAIN = re.compile(r"\b(click|hover|drag|type here|press|scroll to zoom|loading|please wait)\b", re.IGNORECASE)
"""Words that ask for something, or announce something, that does not happen without scripts."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, root: Path) -> tuple[Path, AtlasStore]:
    """A site with its scripts, and the dataset it shows."""
    if not (root / "themes/default/dist/site.js").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    folder = tmp_path_factory.mktemp("no-script")
    store = make_atlas(folder / "data", n_features=FEATURES)
    add_toy_model(store)
    (folder / "lists").mkdir()
    (folder / "lists" / "first-look.yaml").write_text(LIST, encoding="utf-8")
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, base=folder)
    return folder / "site", store


@pytest.fixture
def read(built: tuple[Path, AtlasStore], visit: Visitor) -> Callable[..., Page]:
    """`read("alpha/0/5.html")` opens a page of the site with JavaScript off."""

    def start(path: str, **options: object) -> Page:
        return visit(javascript=False, **options).open(f"{built[0].as_uri()}/{path}")

    return start


@pytest.fixture
def row(built: tuple[Path, AtlasStore]) -> Callable[..., dict]:
    """`row("logits", 5)` is the row of a feature of alpha in a table."""
    return lambda table, feature: built[1].read(table, "alpha").slice(feature, 1).to_pylist()[0]


@pytest.mark.parametrize("kind", KINDS)
class TestEveryPage:
    def test_it_reads(self, read: Callable[..., Page], kind: str):
        page = read(KINDS[kind][0])
        assert page.locator("h1").is_visible()
        assert page.locator("h1").inner_text().strip()
        assert len(page.locator("main").inner_text().split()) >= 15
        assert page.locator("header nav a:visible").count() >= 3

    def test_nothing_is_shown_that_needs_scripts(self, read: Callable[..., Page], kind: str):
        page = read(KINDS[kind][0])
        shown = [selector for selector in SCRIPTED if page.locator(f"{selector} >> visible=true").count()]
        assert shown == []
        assert VAIN.findall(page.locator("body").inner_text()) == []

    def test_no_element_waits_for_its_content(self, read: Callable[..., Page], kind: str):
        page = read(KINDS[kind][0])
        for region in page.locator("main section:visible, main [role=region]:visible").all():
            assert region.inner_text().strip()

    def test_it_has_its_styles_and_fits(self, read: Callable[..., Page], kind: str):
        page = read(KINDS[kind][0], size=(390, 800))
        if kind != "missing":
            assert page.locator("main").evaluate("(main) => getComputedStyle(main).paddingTop") == "16px"
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1]


class TestFeature:
    """A page of a feature is a reading copy of a few lines of each kind; scripts draw all of it."""

    def test_examples_are_there_with_their_peak(self, read: Callable[..., Page], built: tuple):
        page = read("alpha/0/5.html")
        rows = built[1].read_features("examples", "alpha", 5, 6).to_pylist()
        top = [row for row in rows if row["group"] == "top"][:4]
        shown = page.locator("ol.brief li b").all()
        assert len(shown) == len(top) > 0
        for element, example in zip(shown, top, strict=True):
            assert float(element.inner_text()) == pytest.approx(example["activation"], rel=1e-3)
        peaks = page.locator("ol.brief mark").all()
        assert len(peaks) == len(top)
        assert all(peak.is_visible() for peak in peaks)
        assert peaks[0].evaluate("(mark) => getComputedStyle(mark).textDecorationLine") == "underline"

    def test_words(self, read: Callable[..., Page], row: Callable[..., dict], built: tuple):
        page = read("alpha/0/5.html")
        told = page.locator("dl.words").evaluate(
            "(list) => [...list.children].map(({ localName, innerText }) => [localName, innerText.trim()])"
        )
        groups: dict[str, list[str]] = {}
        for name, text in told:
            if name == "dt":
                words = groups.setdefault(text, [])
            else:
                words.append(text)
        logits = row("logits", 5)
        assert list(groups) == ["Fires on", "Raises", "Lowers"]
        assert len(groups["Raises"]) == min(5, len(logits["positive_logits"]))
        assert len(groups["Lowers"]) == min(5, len(logits["negative_logits"]))
        assert all(word for words in groups.values() for word in words)

    def test_neighbours_are_links(self, read: Callable[..., Page], row: Callable[..., dict]):
        page = read("alpha/0/5.html")
        expected = [neighbour["feature_idx"] for neighbour in row("neighbours", 5)["neighbours"]][:5]
        links = page.locator("ul.brief a[href]").all()
        assert [int(Path(str(link.get_attribute("href"))).stem) for link in links] == expected
        links[0].click()
        assert page.url.endswith(f"alpha/0/{expected[0]}.html")

    def test_numbers(self, read: Callable[..., Page], row: Callable[..., dict]):
        page = read("alpha/0/5.html")
        labels = page.locator("dl.brief dt").all_inner_texts()
        told = dict(zip(labels, page.locator("dl.brief dd").all_inner_texts(), strict=True))
        facts = row("features", 5)
        assert float(told["max activation"]) == pytest.approx(facts["max_activation"], rel=1e-3)
        assert f"{facts['firing_tokens']} of" in page.locator(".chips").inner_text()

    def test_the_next_feature_is_one_link_away(self, read: Callable[..., Page]):
        page = read("alpha/0/5.html")
        page.locator("a[rel=next]").click()
        assert page.url.endswith("alpha/0/6.html")
        page.locator("a[rel=prev]").click()
        assert page.url.endswith("alpha/0/5.html")

    def test_a_dead_feature_says_so(self, read: Callable[..., Page]):
        page = read("alpha/0/3.html")
        assert "never" in page.locator("main").inner_text().lower()
        assert page.locator("mark").count() == 0
        assert page.locator("dl.words dd:visible").count() > 0


class TestLists:
    def test_every_feature_is_reached_from_the_front_page(self, read: Callable[..., Page]):
        page = read("index.html")
        page.locator("main h2 a").first.click()
        page.locator("nav.thousands a").first.click()
        numbers = page.locator("table.features tbody td:first-child a").all_inner_texts()
        assert [int(number) for number in numbers] == list(range(FEATURES))
        page.locator("table.features tbody a").nth(7).click()
        assert page.url.endswith("alpha/0/7.html")

    def test_a_list_gives_densities(self, read: Callable[..., Page], row: Callable[..., dict]):
        page = read("alpha/0/index.html")
        facts = row("features", 5)
        line = page.locator("table.features tbody tr").nth(5)
        titles = line.locator("td[title]").evaluate_all("(all) => all.map(({ title }) => title)")
        exact = {str(facts["activation_density"]), f"{facts['firing_tokens']} of"}
        assert any(title.startswith(tuple(exact)) for title in titles), titles
        assert f"{100 * facts['activation_density']:.3g}" in line.inner_text()

    def test_the_search_page_leads_to_the_lists(self, read: Callable[..., Page]):
        page = read("search.html?q=fires")
        assert "needs JavaScript" in page.locator("main").inner_text()
        for slug in ("alpha", "beta"):
            assert page.locator(f"main a[href='{slug}/index.html']").is_visible()

    def test_the_map_is_a_picture_and_groups_of_links(self, read: Callable[..., Page], built: tuple):
        page = read("map.html")
        for slug, picture in zip(("alpha", "beta"), page.locator("svg[role=img]").all(), strict=True):
            assert picture.is_visible()
            assert picture.get_attribute("aria-label")
            groups = built[1].read("clusters", slug).num_rows
            assert page.locator(f"#sae-{slug} .clusters > li").count() == groups
            assert page.locator(f"#sae-{slug} .clusters a").count() > 0
        page.locator("#sae-alpha .clusters a").first.click()
        assert "/alpha/0/" in page.url

    def test_the_front_page_reports_the_numbers(self, read: Callable[..., Page], built: tuple):
        page = read("index.html")
        labels = built[1].read("report", "alpha")["label"].to_pylist()
        shown = page.locator("#sae-alpha .report dt").all_inner_texts()
        assert {label.lower() for label in shown} <= {label.lower() for label in labels}
        assert len(shown) >= 4
        assert all(text.strip() for text in page.locator("#sae-alpha .report dd").all_inner_texts())
