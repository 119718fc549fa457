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

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visitor

FEATURES = 24
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
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out)
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
    def test_examples_are_there_with_their_heat(self, read: Callable[..., Page], built: tuple):
        page = read("alpha/0/5.html")
        rows = built[1].read_features("examples", "alpha", 5, 6).to_pylist()
        top = [row for row in rows if row["group"] == "top"]
        shown = page.locator(".example .activation").all()
        assert len(shown) == len(top) > 0
        for element, example in zip(shown, top, strict=True):
            assert float(element.get_attribute("title")) == pytest.approx(example["activation"], rel=1e-5)
        strips = page.locator(".example .strip")
        assert all(text.strip() for text in strips.all_inner_texts())
        peaks = page.locator(".strip .peak").all()
        assert len(peaks) == len(top)
        ground = "(token) => getComputedStyle(token).backgroundColor"
        assert peaks[0].evaluate(ground) != "rgba(0, 0, 0, 0)"

    @pytest.mark.parametrize("sign", ["positive", "negative"])
    def test_logits(self, read: Callable[..., Page], row: Callable[..., dict], sign: str):
        page = read("alpha/0/5.html")
        expected = [entry["value"] for entry in row("logits", 5)[f"{sign}_logits"]]
        shown = page.locator(f".effects.{sign} b").all()
        assert [float(element.get_attribute("title")) for element in shown] == pytest.approx(
            expected, rel=1e-5
        )
        assert all(element.is_visible() for element in shown)

    def test_neighbours_are_links(self, read: Callable[..., Page], row: Callable[..., dict]):
        page = read("alpha/0/5.html")
        expected = [neighbour["feature_idx"] for neighbour in row("neighbours", 5)["neighbours"]]
        links = page.locator("#neighbours a[href]:not(h2 a)").all()
        assert [int(Path(str(link.get_attribute("href"))).stem) for link in links] == expected
        links[0].click()
        assert page.url.endswith(f"alpha/0/{expected[0]}.html")

    def test_numbers(self, read: Callable[..., Page], row: Callable[..., dict]):
        page = read("alpha/0/5.html")
        told = dict(
            zip(
                page.locator("#numbers dt").all_inner_texts(),
                page.locator("#numbers dd").all_inner_texts(),
                strict=True,
            )
        )
        facts = row("features", 5)
        assert told["firing tokens"].split()[0] == str(facts["firing_tokens"])
        assert float(told["max activation"].split()[0]) == pytest.approx(facts["max_activation"], rel=1e-3)
        assert f"{facts['firing_tokens']} of" in page.locator(".chips").inner_text()

    def test_a_histogram_has_its_numbers(self, read: Callable[..., Page], row: Callable[..., dict]):
        page = read("alpha/0/5.html")
        part = page.locator("#activations details")
        part.locator("summary").click()
        counts = [int(line.split("\t")[1]) for line in part.locator("pre").inner_text().splitlines()[1:]]
        assert counts == [entry["count"] for entry in row("features", 5)["activation_histogram"]]

    def test_the_next_feature_is_one_link_away(self, read: Callable[..., Page]):
        page = read("alpha/0/5.html")
        page.locator("a[rel=next]").click()
        assert page.url.endswith("alpha/0/6.html")
        page.locator("a[rel=prev]").click()
        assert page.url.endswith("alpha/0/5.html")

    def test_a_dead_feature_says_so(self, read: Callable[..., Page]):
        page = read("alpha/0/3.html")
        assert "never" in page.locator("main").inner_text().lower()
        assert page.locator(".strip").count() == 0
        assert page.locator(".effects.positive b:visible").count() > 0


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

    def test_definitions_are_where_the_headings_lead(self, read: Callable[..., Page]):
        page = read("alpha/0/5.html")
        page.locator("#activations h2 a").click()
        assert page.url.endswith("about.html#c-activation_histogram")
        assert page.locator("#c-activation_histogram").is_visible()
