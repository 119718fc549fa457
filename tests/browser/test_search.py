"""The search in a real Chromium: the box of every page and the search page, by mouse and by keyboard."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest

from atlas.config import RenderConfig
from atlas.index.search import build_postings
from atlas.index.vectors import build_vectors
from atlas.render import search
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.store import AtlasStore
from tests.support import axe, requirements
from tests.support.opened import FEATURES, Open
from tests.support.synthetic import make_atlas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
HOSTILE = ["<img src=x onerror=alert(1)>", "\u202eevil\u2066", '"; alert(1) //', "</script><b>x", "{{7*7}}"]


def indexed(folder: Path, hostile: Sequence[str] = ()) -> AtlasStore:
    """A synthetic atlas with a whole search index."""
    store = make_atlas(folder / "data", n_features=FEATURES, hostile=hostile)
    with store.lock():
        build_postings(store)
        build_vectors(store)
    return store


def rendered(store: AtlasStore, root: Path) -> Path:
    """Its site, the index cut so finely that every search needs several parts."""
    if not (root / "themes/default/dist/search.js").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    folder = store.path.parent
    with pytest.MonkeyPatch.context() as patch, Output(folder / "site") as out:
        patch.setattr(search, "KEYS_PER_BLOCK", 16)
        patch.setattr(search, "POSTINGS_PER_SHARD", 64)
        render_site(store, RenderConfig(), out, lambda *_: None, base=folder)
    return folder / "site"


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> AtlasStore:
    """The atlas of the site."""
    return indexed(tmp_path_factory.mktemp("searched"))


@pytest.fixture(scope="session")
def element_site(searched: AtlasStore, root: Path) -> Path:
    """The site."""
    return rendered(searched, root)


@pytest.fixture(scope="session")
def postings(searched: AtlasStore) -> dict[tuple[str, str], list[tuple[str, float]]]:
    """(field, term) → (address, weight) of its features, strongest first."""
    slugs = [entry.slug for entry in searched.manifest.saes]
    return {
        (row["field"], row["term"]): [
            (f"{slugs[sae]}/{feature}", weight)
            for sae, feature, weight in zip(row["sae"], row["feature_idx"], row["weight"], strict=True)
        ]
        for row in searched.read("postings").to_pylist()
    }


def settled(page: Page, expression: str, value: Any = True) -> None:
    page.wait_for_function(f"(wanted) => JSON.stringify({expression}) === JSON.stringify(wanted)", arg=value)


def ready(page: Page) -> None:
    """Wait until what is typed is answered, meaning included."""
    page.wait_for_function(
        "() => document.querySelector('atlas-search-page').dataset.answered"
        " === (new URLSearchParams(location.search).get('q') ?? '')"
        " && document.querySelector('.results')?.getAttribute('aria-busy') !== 'true'"
    )


def ask(page: Page, typed: str) -> None:
    """Type into the field of the search page and wait for the answer."""
    page.locator("#search-query").fill(typed)
    page.wait_for_function(
        "(q) => (new URLSearchParams(location.search).get('q') ?? '') === q", arg=typed.strip()
    )
    ready(page)


def look(page: Page, typed: str) -> None:
    """Open the search page with everything that is found."""
    page.goto(urljoin(page.url, f"search.html?{urlencode({'q': typed, 'n': 1000})}"))
    page.wait_for_selector("atlas-search-page[data-ready]")
    ready(page)


def addresses(page: Page) -> list[str]:
    return page.locator(".result-meta code").all_inner_texts()


def state(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


class TestSearchBox:
    @BOTH
    def test_a_feature_is_found_by_its_token(self, show: Open, postings: Any):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.type('"␣raise"')
        option = page.get_by_role("option").filter(has_text="token")
        option.first.wait_for()
        assert "␣raise" in option.first.inner_text()
        box = page.get_by_role("combobox", name="Search")
        assert box.get_attribute("aria-expanded") == "true"
        page.keyboard.press("ArrowDown")
        assert box.get_attribute("aria-activedescendant") == "search-option-0"
        page.keyboard.press("Enter")
        best = postings["token", " raise"][0][0]
        slug, number = best.split("/")
        page.wait_for_url(f"**/{slug}/0/{number}.html")

    def test_a_number_opens_the_feature_of_the_same_sae(self, show: Open):
        page = show("beta/0/5.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("17")
        page.get_by_role("option").filter(has_text="number").first.wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url("**/beta/0/17.html")

    @pytest.mark.parametrize("typed", ["alpha/23", "alpha/23 density<2", "sae:alpha 23"])
    def test_an_address_opens_its_feature(self, show: Open, typed: str):
        page = show("beta/0/5.html")
        page.keyboard.press("/")
        page.keyboard.type(typed)
        page.get_by_role("option").filter(has_text="number").first.wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url("**/alpha/0/23.html")

    @BOTH
    def test_words_lead_to_the_search_page(self, show: Open):
        page = show("alpha/0/5.html")
        page.keyboard.press("/")
        page.keyboard.type("fires raise")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=fires+raise")

    def test_a_suggestion_is_chosen_by_mouse(self, show: Open):
        page = show("index.html")
        page.get_by_role("combobox", name="Search").click()
        page.keyboard.type("raise")
        page.get_by_role("option").nth(1).wait_for()
        page.get_by_role("option").nth(1).click()
        page.wait_for_url(re.compile(r"/(alpha|beta)/0/\d+\.html$"))

    def test_a_slip_is_forgiven_and_said(self, show: Open):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.type("raize")
        page.locator(".reason-slip").first.wait_for()
        assert page.locator(".reason-slip").first.inner_text() == "≈ raize"

    def test_conditions_hold_for_suggestions_too(self, show: Open, searched: AtlasStore):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.type("raise is:dead")
        page.get_by_text("Nothing found", exact=True).first.wait_for()

    def test_escape_closes_then_leaves(self, show: Open):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.type("fires")
        page.get_by_role("option").first.wait_for()
        page.keyboard.press("Escape")
        assert page.get_by_role("option").count() == 0
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement === document.body")

    @pytest.mark.parametrize("typed", [*HOSTILE, "\\", '"', "is:<b>", "a<b", "sae:../../x", "%3Cscript%3E"])
    def test_what_is_typed_is_shown_as_text(self, show: Open, typed: str):
        page = show("index.html")
        page.keyboard.press("/")
        page.keyboard.insert_text(typed)
        page.wait_for_function(
            "() => document.querySelector('.search-message') !== null"
            " || document.querySelectorAll('[role=option]').length > 1"
        )
        assert page.locator(".search-popup").locator("img, script, b").count() == 0
        shown = page.locator(".option-all bdi").evaluate("(element) => element.textContent")
        plain = re.sub(r"[\u202e\u2066]", lambda match: f"U+{ord(match[0]):04X}", typed.strip())
        assert shown == plain


class TestSearchPage:
    @BOTH
    def test_results_say_why(self, show: Open):
        page = show("search.html?q=raise")
        ready(page)
        first = page.locator(".result").first
        assert "raise" in first.locator("mark").all_inner_texts()
        assert "token ␣raise" in first.locator(".result-why").inner_text()
        first.get_by_role("link").click()
        page.wait_for_url(re.compile(r"/(alpha|beta)/0/\d+\.html$"))

    @BOTH
    def test_a_token_finds_exactly_the_features_that_fire_on_it(self, show: Open, postings: Any):
        page = show("search.html")
        for term in (" raise", " error", "\n"):
            wanted = dict(postings.get(("token", term), []))
            if not wanted:
                continue
            look(page, json.dumps(term))
            found = addresses(page)
            both = set(wanted) | {name for name, _ in postings.get(("seen", term), [])}
            both |= {name for name, _ in postings.get(("phrase", term), [])}
            assert set(found) == both
            shown = page.locator(".reason[data-kind=token] .number").all_inner_texts()
            # Weights travel in thousandths.
            assert sorted(map(float, shown)) == pytest.approx(sorted(wanted.values()), abs=0.006)

    def test_a_phrase_is_found_as_it_stands(self, show: Open, postings: Any):
        page = show("search.html")
        phrase = next(
            term for field, term in postings if field == "phrase" and re.fullmatch(r" \w+ \w+", term)
        )
        look(page, json.dumps(phrase))
        assert set(addresses(page)) == {name for name, _ in postings["phrase", phrase]}
        look(page, phrase.strip())
        assert page.locator(".reason[data-kind=phrase]").count() > 0

    def test_another_spelling_is_offered(self, show: Open):
        page = show("search.html")
        ask(page, '"RAISE"')
        assert page.locator(".search-count").inner_text() == "0 features"
        link = page.locator(".search-others a").first
        spelled = link.inner_text().replace("␣", " ")
        link.click()
        page.wait_for_url("**/search.html?q=%22*")
        page.wait_for_selector("atlas-search-page[data-ready]")
        ready(page)
        assert state(page)["q"] == [json.dumps(spelled)]
        assert page.locator(".result").count() > 0

    def test_conditions_narrow_and_the_address_follows(self, show: Open, searched: AtlasStore):
        page = show("search.html")
        values = {
            f"{entry.slug}/{row['feature_idx']}": row["max_activation"]
            for entry in searched.manifest.saes
            for row in searched.read("features", entry.slug).to_pylist()
        }
        look(page, "fires")
        everything = addresses(page)
        look(page, "fires max_activation>10")
        assert state(page)["q"] == ["fires max_activation>10"]
        kept = [name for name in everything if (values[name] or 0) > 10]
        assert 0 < len(kept) < len(everything)
        assert sorted(addresses(page)) == sorted(kept)
        look(page, "max<=10 sae:beta")
        wanted = {
            name
            for name, value in values.items()
            if name.startswith("beta/") and value is not None and value <= 10
        }
        assert set(addresses(page)) == wanted
        ask(page, "is:dead")
        assert set(addresses(page)) == {"alpha/3", "beta/3"}

    def test_what_is_wrong_with_a_condition_is_said(self, show: Open):
        page = show("search.html")
        ask(page, "raise nothing<1 is:great sae:gamma")
        assert page.locator(".search-problem").all_inner_texts() == [
            "is:great means nothing here.",
            "There is no SAE called gamma.",
        ]
        ask(page, "raise nothing<1")
        assert page.locator(".search-problem").all_inner_texts() == [
            "No number of the table is called nothing."
        ]

    def test_one_sae_can_be_chosen(self, show: Open):
        page = show("search.html?q=fires")
        page.locator("#search-sae").select_option("beta")
        names = "[...document.querySelectorAll('.result-meta code')].map((c) => c.textContent.split('/')[0])"
        page.wait_for_function(f"() => {names}.length > 0 && {names}.every((name) => name === 'beta')")
        assert state(page)["sae"] == ["beta"]

    @BOTH
    def test_meaning_finds_more_says_so_and_can_be_left_out(self, show: Open):
        page = show("search.html?q=raise&n=1000")
        ready(page)
        with_meaning = addresses(page)
        assert page.locator(".reason[data-kind=meaning]").count() > 0
        assert re.fullmatch(
            r"meaning 0\.\d\d|meaning 1", page.locator(".reason[data-kind=meaning]").first.inner_text()
        )
        box = page.get_by_role("checkbox", name="by meaning too")
        box.focus()
        page.keyboard.press("Space")
        settled(page, "new URLSearchParams(location.search).get('meaning')", "off")
        settled(page, "document.querySelectorAll('.reason[data-kind=meaning]').length", 0)
        ready(page)
        assert set(addresses(page)) <= set(with_meaning)
        page.reload()
        page.wait_for_selector("atlas-search-page[data-ready]")
        assert not page.get_by_role("checkbox", name="by meaning too").is_checked()

    def test_more_can_be_shown_and_stays_in_the_address(self, show: Open):
        page = show("search.html?q=fires")
        assert page.locator(".result").count() == 20
        page.get_by_role("button", name="Show more").click()
        settled(page, "document.querySelectorAll('.result').length", 40)
        ready(page)
        assert state(page)["n"] == ["40"]
        page.reload()
        settled(page, "document.querySelectorAll('.result').length", 40)

    def test_arrow_keys_walk_the_results(self, show: Open):
        page = show("search.html?q=fires")
        ready(page)
        page.locator("#search-query").focus()
        where = "[...document.querySelectorAll('.result > a')].indexOf(document.activeElement)"
        for expected in (0, 1):
            page.keyboard.press("ArrowDown")
            assert page.evaluate(where) == expected
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement.id") == "search-query"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/(alpha|beta)/0/\d+\.html$"))

    def test_the_same_address_shows_the_same_results(self, show: Open):
        page = show("search.html?q=raise+error")
        ready(page)
        first = page.locator(".results").inner_text()
        page.reload()
        page.wait_for_selector("atlas-search-page[data-ready]")
        ready(page)
        assert page.locator(".results").inner_text() == first

    def test_what_is_searched_is_said(self, show: Open, searched: AtlasStore):
        page = show("search.html")
        page.get_by_text("What is searched").click()
        fields = searched.read("postings", columns=["field"])["field"].to_pylist()
        said = page.locator(".coverage dt").all_inner_texts()
        assert [line.split()[0] for line in said] == ["word", "token", "seen", "example", "phrase"]
        for line in said:
            assert f"{fields.count(line.split()[0]):,} terms" in line

    def test_a_space_stays_while_answers_come(self, show: Open):
        """The next word is still to come: what is drawn meanwhile must not take the space away."""
        page = show("search.html")
        ready(page)
        field = page.locator("#search-query")
        field.press_sequentially("raise ")
        page.evaluate(
            """async () => {
              const element = document.querySelector("atlas-search-page");
              element.requestUpdate();
              await element.updateComplete;
            }"""
        )
        assert field.input_value() == "raise "
        field.press_sequentially("is:dead")
        assert field.input_value() == "raise is:dead"

    def test_nothing_found_says_what_can_be_typed(self, show: Open):
        page = show("search.html?q=zzzzzzzz")
        ready(page)
        assert page.locator(".search-count").inner_text() == "0 features"
        assert page.locator(".syntax dt").count() > 2

    def test_every_example_of_the_syntax_can_be_followed(self, show: Open):
        page = show("search.html")
        links = page.locator(".syntax a").evaluate_all("(all) => all.map((a) => a.href)")
        assert len(links) > 4
        for link in links:
            page.goto(link)
            page.wait_for_selector("atlas-search-page[data-ready]")
            told = set(page.locator(".search-problem").all_inner_texts())
            # A column that these few synthetic ones are without.
            assert told <= {"No number of the table is called single_token."}

    def test_a_lost_part_of_the_index_is_named(self, show: Open, element_site: Path):
        page = show("search.html")
        page.route("**/data/search/terms/**", lambda route: route.abort())
        page.evaluate(
            """() => {
              const append = document.head.append.bind(document.head);
              document.head.append = (node) => {
                if (String(node.src).includes("search/terms/")) node.dispatchEvent(new Event("error"));
                else append(node);
              };
            }"""
        )
        page.locator("#search-query").fill("raise")
        alert = page.get_by_role("alert")
        alert.wait_for()
        assert re.search(r"data/search/terms/\d+\.js could not be loaded", alert.inner_text())


class TestHostile:
    """An atlas whose tokens, explanations and names are hostile."""

    @pytest.fixture(scope="class")
    @classmethod
    def element_site(cls, tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
        """Its site."""
        return rendered(indexed(tmp_path_factory.mktemp("hostile"), HOSTILE), root)

    @BOTH
    @pytest.mark.parametrize("typed", HOSTILE)
    def test_hostile_tokens_and_queries_stay_text(self, show: Open, typed: str):
        page = show("search.html?n=100")
        for query in (json.dumps(typed, ensure_ascii=False), typed):
            ask(page, query)
            assert page.locator("atlas-search-page").locator("img, script, b, iframe").count() == 0
        assert page.locator("#search-query").input_value() == typed
        ask(page, "alert")
        assert page.locator(".result").count() > 0
        assert page.locator("atlas-search-page").locator("img, script, b, iframe").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_rule_of_accessibility_is_broken(show: Open, scheme: str, width: int):
    page = show("search.html?q=raise", size=(width, 900), scheme=scheme)
    ready(page)
    page.get_by_text("What is searched").click()
    assert axe.violations(page) == []
    ask(page, '"RAISE" nothing<1')
    assert axe.violations(page) == []
    page.keyboard.press("Escape")
    page.locator("atlas-search-box input").fill("raize")
    page.get_by_role("option").first.wait_for()
    assert axe.violations(page) == []


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_page(show: Open, width: int):
    page = show("search.html?q=fires", size=(width, 800))
    ready(page)
    page.get_by_text("What is searched").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
