"""The page for a text of the reader's own: numbers as the model defines them, controls by mouse and key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas.store import AtlasStore
from tests.support import axe
from tests.support.browser import Visitor
from tests.support.opened import Open
from tests.support.toy_model import WINDOW, ToyModel
from tests.support.toy_texts import TEXT, Run, run, toy_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page, Route

pytestmark = pytest.mark.slow

EVERY_PLACE = pytest.mark.parametrize("address", ["file", "http"], indirect=True)
CLOSE = 1e-5
"""Relative difference of single and double precision on a few layers."""
HEAT_OF_PIECES = """
pieces => pieces.map((piece) => [piece.textContent, /\\ba(\\d)\\b/.exec(piece.className)?.[1] ?? "0"])
"""
FEATURES_OF_GROUPS = """
bodies => bodies.map((body) =>
  [...body.querySelectorAll("tr[data-feature]")].map((row) => Number(row.dataset.feature)))
"""
HALF_A_CHARACTER = """
field => { field.value = "a\\ud800b"; field.dispatchEvent(new Event("input", { bubbles: true })); }
"""
CLIPBOARD = ("clipboard-read", "clipboard-write")


@pytest.fixture(scope="module")
def toy(element_site: Path) -> ToyModel:
    return toy_of(element_site)


@pytest.fixture(scope="module")
def densities(element_site: Path) -> dict[str, np.ndarray]:
    store = AtlasStore.open(element_site.parent / "data")
    return {
        slug: store.read("features", slug, ["activation_density"])["activation_density"].to_numpy()
        for slug in WINDOW
    }


def load(page: Page) -> Page:
    """Press the button that loads the model, and wait for it."""
    page.locator("atlas-model-loader button").click()
    page.wait_for_selector("atlas-model-loader[data-state=open]")
    return page


def type_text(page: Page, text: str) -> None:
    """Put `text` into the field, and wait until it has been run."""
    page.locator("#own-text").fill(text)
    page.wait_for_selector("atlas-test-page[data-answered]")


@pytest.fixture(scope="module")
def loaded(element_site: Path, chromium: Browser) -> Iterator[Page]:
    """One page with the model of alpha open, for tests that need nothing else; they begin with `fresh`."""
    visitor = Visitor(chromium)
    visited = visitor()
    root = f"{element_site.as_uri()}/"
    yield load(visited.open(f"{root}test.html"))
    assert visited.record.problems(root) == []
    visitor.close()


def opened(show: Open, **options: Any) -> Page:
    """A page of its own with the model open and `TEXT` run, all densities listed."""
    page = load(show("test.html", **options))
    type_text(page, TEXT)
    button(page, "all").click()
    return page


def fresh(page: Page, text: str = TEXT) -> Page:
    """`text` run on the page, which is as it was when it was opened, but for all densities being listed."""
    type_text(page, text)
    page.mouse.move(2, 2)
    for name in ("max", "all", "none"):
        button(page, name).click()
    for pressed in page.get_by_role("button", pressed=True, name=re.compile("^BOS$|^Colour the")).all():
        pressed.click()
    if page.locator(".text-strip .note button").count():
        page.locator(".text-strip .note button").click()
    value = page.locator(".ranked th").nth(1)
    while value.get_attribute("aria-sort") != "descending":
        value.get_by_role("button").click()
    return page


def rows(page: Page) -> list[tuple[int, float]]:
    """(feature, exact value) of the listed features, in order."""
    found = page.locator(".ranked tr[data-feature]").evaluate_all(
        "rows => rows.map((row) => [row.dataset.feature, row.querySelector('.ranked-value').title])"
    )
    return [(int(feature), float(value)) for feature, value in found]


def all_rows(page: Page) -> list[tuple[int, float]]:
    """As `rows`, after asking for all of them."""
    more = page.locator(".text-features .search-more")
    while more.count():
        more.click()
    return rows(page)


def same_top(page: Page, joined: np.ndarray) -> None:
    """The rows on the page are the strongest features; for tests in which the pointer must stay."""
    found = rows(page)
    strongest = np.sort(joined[joined > 0])[::-1][:20]
    np.testing.assert_allclose([value for _, value in found], strongest, rtol=CLOSE, atol=CLOSE)
    np.testing.assert_allclose(joined[[feature for feature, _ in found]], strongest, rtol=CLOSE, atol=CLOSE)


def same(found: list[tuple[int, float]], joined: np.ndarray) -> None:
    """The list holds every feature that fires, with its number, the strongest first."""
    assert {feature for feature, _ in found} == set(np.flatnonzero(joined > 0))
    assert [value for _, value in found] == sorted((value for _, value in found), reverse=True)
    np.testing.assert_allclose(
        [value for _, value in found], joined[[feature for feature, _ in found]], rtol=CLOSE, atol=CLOSE
    )


def button(page: Page, name: str) -> Locator:
    """The setting called `name` of the features' controls."""
    return page.locator(".text-controls").get_by_role("button", name=name, exact=True)


def token(page: Page, text: str) -> Locator:
    """The first token that is `text`."""
    return page.locator(".pieces [role=option]").filter(has_text=re.compile(f"^{re.escape(text)}$")).first


def numbers_of(expected: Run, text: str) -> list[int]:
    """The tokens of the first piece that is `text`."""
    sought = list(text.encode())
    return next(
        list(range(at, at + len(sought)))
        for at in range(len(expected.ids))
        if expected.ids[at : at + len(sought)] == sought
    )


class TestLoading:
    @EVERY_PLACE
    def test_the_size_comes_first_and_nothing_is_fetched_before_it_is_asked_for(
        self, address: str, visit: Visitor
    ):
        visited = visit()
        page = visited.open(f"{address}test.html")
        offer = page.locator("atlas-model-loader button")
        assert re.fullmatch(r"Load the model \(\d+\.\d MB\)", offer.inner_text())
        type_text_only(page)
        heavy = [url for url in visited.record.requests if re.search(r"data/model/|assets/model", url)]
        assert [url for url in heavy if "model/index.js" not in url] == []
        load(page)
        page.wait_for_selector("atlas-test-page[data-answered]")
        assert any("data/model/runtime/" in url for url in visited.record.requests)
        assert visited.record.problems(address) == []

    def test_the_stated_size_is_that_of_the_files_it_then_fetches(self, address: str, visit: Visitor):
        visited = visit()
        page = visited.open(f"{address}test.html")
        stated = re.search(r"[\d.]+", page.locator("atlas-model-loader button").inner_text())
        load(page)
        fetched = {url.partition("?")[0] for url in visited.record.requests if "/data/model/" in url}
        size = sum(
            Path(url.removeprefix("file://")).stat().st_size for url in fetched if "index.js" not in url
        )
        assert stated
        assert float(stated[0]) == pytest.approx(size / 1e6, abs=0.051)

    def test_precision_and_agreement_are_said_before_and_after(self, show: Open):
        page = show("test.html")
        told = page.locator("atlas-model-loader .note")
        words = "fp32; agrees with the original on 4,096 tokens: top-20 overlap 0.999"
        assert words in told.inner_text()
        load(page)
        assert words in told.inner_text()
        told.get_by_role("link", name="all figures").click()
        assert page.url.endswith("#exact")
        assert page.locator("#exact").get_by_text("same next token").count() > 0

    @pytest.mark.parametrize("address", ["http"], indirect=True)
    def test_loading_shows_bytes_and_can_be_cancelled_and_begun_again(self, show: Open):
        page = show("test.html")
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/data/model/runtime/**", hold)
        offer = page.locator("atlas-model-loader button")
        offer.click()
        page.wait_for_selector("atlas-model-loader progress")
        page.wait_for_function("() => document.querySelector('atlas-model-loader progress').value > 0")
        told = page.locator(".model-progress .number").inner_text()
        assert re.fullmatch(r"[\d.]+ [kM]B of \d+\.\d MB", told)
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_selector("atlas-model-loader[data-state=offered]")
        assert page.evaluate("document.activeElement.closest('atlas-model-loader') !== null")
        assert page.locator("atlas-model-loader .problem").count() == 0
        for route in held:
            route.continue_()
        page.unroute("**/data/model/runtime/**")
        load(page)
        type_text(page, "raise")
        assert rows(page)

    @pytest.mark.parametrize("address", ["http"], indirect=True)
    def test_a_file_that_does_not_come_is_named_and_the_page_lives_on(self, address: str, visit: Visitor):
        visited = visit()
        page = visited.open(f"{address}test.html")
        page.route("**/data/model/runtime/**", lambda route: route.abort())
        page.locator("atlas-model-loader button").click()
        problem = page.locator("atlas-model-loader [role=alert]")
        problem.wait_for()
        assert "runtime" in problem.inner_text()
        page.unroute("**/data/model/runtime/**")
        again = page.locator("atlas-model-loader button")
        assert again.inner_text().startswith("Try again: Load the model")
        type_text_only(page)
        load(page)
        page.wait_for_selector("atlas-test-page[data-answered]")
        assert problem.count() == 0


def type_text_only(page: Page) -> None:
    """Put a text into the field while there is no model to run it."""
    page.locator("#own-text").fill(TEXT)


class TestNumbers:
    @pytest.mark.parametrize("joining", ["max", "sum", "mean"])
    def test_the_features_of_a_text_are_those_of_the_model(self, loaded: Page, toy: ToyModel, joining: str):
        page = fresh(loaded)
        button(page, joining).click()
        same(all_rows(page), run(toy, "alpha", TEXT).joined(joining))

    def test_bos_counts_when_it_is_asked_for(self, loaded: Page, toy: ToyModel):
        page = fresh(loaded)
        button(page, "BOS").click()
        assert "BOS included" in page.locator(".text-features [role=status]").inner_text()
        same(all_rows(page), run(toy, "alpha", TEXT).joined("max", bos=True))

    def test_another_sae_has_its_own_numbers_and_windows(self, show: Open, toy: ToyModel):
        page = opened(show)
        page.get_by_label("Features of").select_option("beta")
        load(page)
        page.wait_for_selector("atlas-test-page[data-answered]")
        assert button(page, "all").get_attribute("aria-pressed") == "true"
        assert page.locator("#own-text").input_value() == TEXT
        assert page.locator(".text-controls").get_by_role("button", name="BOS").count() == 0
        windows = -(-len(TEXT.encode()) // WINDOW["beta"])
        assert f"read in {windows} windows" in page.locator(".text-notice").inner_text()
        same(all_rows(page), run(toy, "beta", TEXT).joined("max"))
        # What the page has fetched before is no download to ask for again.
        page.get_by_label("Features of").select_option("alpha")
        page.wait_for_selector("atlas-model-loader[data-state=open]")

    def test_the_text_is_coloured_by_what_fires_strongest(self, loaded: Page, toy: ToyModel):
        page = fresh(loaded)
        expected = run(toy, "alpha", TEXT)
        told = page.locator(".pieces [role=option]").evaluate_all(
            "pieces => pieces.map((piece) => [piece.textContent, piece.dataset.tip])"
        )
        best = expected.values.argmax(1)
        at = 0
        for text, tip in told:
            size = 1 if text == "BOS" else len(text.encode())
            if text != "BOS":
                strongest = at + int(expected.values[at : at + size].max(1).argmax())
                assert tip.endswith(f"of feature {best[strongest]}"), (text, tip)
            at += size
        assert at == len(expected.ids)

    def test_a_feature_colours_the_text_on_its_own_scale(
        self, loaded: Page, toy: ToyModel, element_site: Path
    ):
        page = fresh(loaded)
        feature, _ = rows(page)[3]
        show_it = page.get_by_role("button", name=f"Colour the text by feature {feature}", exact=True)
        show_it.click()
        store = AtlasStore.open(element_site.parent / "data")
        largest = store.read("features", "alpha", ["max_activation"])["max_activation"][feature].as_py()
        expected = run(toy, "alpha", TEXT)
        heat = page.locator(".pieces [role=option]").evaluate_all(HEAT_OF_PIECES)
        at = 0
        for text, step in heat:
            size = 1 if text == "BOS" else len(text.encode())
            value = 0.0 if text == "BOS" else float(expected.values[at : at + size, feature].max())
            steps = 9 * value / largest
            assert abs(steps - np.ceil(steps)) < CLOSE or int(step) == min(9, int(np.ceil(steps)))
            at += size
        assert f"activation of feature {feature}" in page.locator(".text-strip .legend").inner_text()
        show_it.click()
        assert "strongest feature at each token" in page.locator(".text-strip .legend").inner_text()

    def test_a_row_says_what_the_dataset_says(self, loaded: Page, element_site: Path, toy: ToyModel):
        page = fresh(loaded)
        store = AtlasStore.open(element_site.parent / "data")
        texts = store.read("explanations", "alpha").to_pylist()
        titles = {row["feature_idx"]: row["text"] for row in texts}
        densities = store.read("features", "alpha", ["activation_density"])["activation_density"].to_pylist()
        page.wait_for_function("() => !document.querySelector('.ranked').textContent.includes('…')")
        for row in page.locator(".ranked tr[data-feature]").all()[:8]:
            feature = int(row.get_attribute("data-feature") or -1)
            link = row.get_by_role("link")
            assert link.get_attribute("href") == f"alpha/{feature // 1000}/{feature}.html"
            if titles.get(feature, "").isascii() and titles.get(feature):
                assert link.inner_text().strip() == titles[feature]
            shown = float(row.locator("td").nth(3).inner_text().partition("\u202f")[0])
            assert shown == pytest.approx(100 * densities[feature], rel=0.006)


class TestTokens:
    @pytest.mark.parametrize("text", ["V", "日", "🤗"])
    def test_a_click_locks_a_token_and_another_frees_it(self, loaded: Page, toy: ToyModel, text: str):
        page = fresh(loaded)
        expected = run(toy, "alpha", TEXT)
        token(page, text).click()
        same(all_rows(page), expected.joined("max", numbers_of(expected, text)))
        assert "at the locked token" in page.locator(".text-features [role=status]").inner_text()
        assert token(page, text).get_attribute("aria-selected") == "true"
        token(page, text).click()
        page.mouse.move(2, 2)
        page.locator("#own-text").focus()
        same(all_rows(page), expected.joined("max"))

    def test_the_pointer_looks_at_a_token_until_one_is_locked(self, loaded: Page, toy: ToyModel):
        page = fresh(loaded)
        expected = run(toy, "alpha", TEXT)
        status = page.locator(".text-features [role=status]")
        token(page, "V").hover()
        assert "at this token" in status.inner_text()
        same_top(page, expected.joined("max", numbers_of(expected, "V")))
        page.locator("h1").hover()
        assert "on the text" in status.inner_text()
        token(page, "日").click()
        token(page, "V").hover()
        assert "at the locked token" in status.inner_text()
        same(all_rows(page), expected.joined("max", numbers_of(expected, "日")))

    def test_keys_walk_lock_and_free(self, loaded: Page, toy: ToyModel):
        page = fresh(loaded, "raise Value")
        expected = run(toy, "alpha", "raise Value")
        page.locator("#own-text").focus()
        for _ in range(8):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.getAttribute('role')") == "option":
                break
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.textContent") == "a"
        assert "at this token" in page.locator(".text-features [role=status]").inner_text()
        same_top(page, expected.joined("max", [2]))
        page.keyboard.press("Enter")
        page.keyboard.press("ArrowRight")
        page.keyboard.press(" ")
        same(all_rows(page), expected.joined("max", [2, 3]))
        for joining in ("sum", "mean"):
            button(page, joining).press("Enter")
            same(all_rows(page), expected.joined(joining, [2, 3]))
        page.get_by_role("button", name="Unlock all 2 tokens").press("Enter")
        assert page.locator(".pieces [aria-selected=true]").count() == 0

    def test_locks_stay_with_their_tokens_while_the_text_changes(self, loaded: Page):
        page = fresh(loaded, "raise ab")
        token(page, "s").click()
        page.locator("#own-text").fill("Xraise ab!")
        page.wait_for_selector("atlas-test-page[data-answered='11']")
        locked = page.locator(".pieces [aria-selected=true]")
        page.wait_for_function("() => document.querySelectorAll('.pieces [aria-selected=true]').length < 2")
        assert locked.all_inner_texts() in (["s"], [])
        page.locator("#own-text").fill("raise abc")
        page.wait_for_selector("atlas-test-page[data-answered='10']")

    def test_a_whole_character_is_one_token_on_the_page(self, loaded: Page):
        page = fresh(loaded)
        shown = page.locator(".pieces [role=option]").all_inner_texts()
        assert "日" in shown
        assert "🤗" in shown
        assert "".join(text for text in shown if text != "BOS") == TEXT


class TestList:
    @pytest.mark.parametrize(
        ("heading", "column"),
        [("feature", 0), ("largest activation", 1), ("of its maximum", 2), ("density", 3)],
    )
    def test_every_heading_sorts_both_ways_by_mouse_and_key(self, loaded: Page, heading: str, column: int):
        page = fresh(loaded)
        sort = page.locator(".ranked thead").get_by_role("button", name=heading, exact=True)
        sort.click()
        first = page.locator(".ranked th").nth(column).get_attribute("aria-sort")
        before = [feature for feature, _ in all_rows(page)]
        sort.press("Enter")
        second = page.locator(".ranked th").nth(column).get_attribute("aria-sort")
        after = [feature for feature, _ in all_rows(page)]
        assert {first, second} == {"ascending", "descending"}
        assert before != after
        assert sorted(before) == sorted(after)
        if column == 0:
            assert sorted(before) in (before, after)

    @pytest.mark.parametrize(("name", "limit"), [("≤ 10\u202f%", 0.1), ("≤ 1\u202f%", 0.01)])
    def test_dense_features_can_be_left_out(
        self, loaded: Page, toy: ToyModel, densities: dict[str, np.ndarray], name: str, limit: float
    ):
        page = fresh(loaded)
        button(page, name).click()
        joined = run(toy, "alpha", TEXT).joined("max")
        dense = densities["alpha"] > limit
        left = int((dense & (joined > 0)).sum())
        joined[dense] = 0
        same(all_rows(page), joined)
        told = page.locator(".text-features [role=status]").inner_text()
        assert (f"{left} denser ones are left out" in told) == (left > 0)

    def test_features_are_grouped_by_the_token_where_they_are_strongest(self, loaded: Page, toy: ToyModel):
        page = fresh(loaded, "abc")
        button(page, "token").click()
        expected = run(toy, "alpha", "abc")
        # BOS, then a, b, c.
        where = expected.values[1:].argmax(0)
        groups = page.locator(".ranked tbody")
        names = page.locator(".ranked-group .token").all_inner_texts()
        assert names == ["abc"[at] for at in sorted({int(where[f]) for f, _ in all_rows(page)})]
        for at, name in enumerate(names):
            found = (
                groups.nth(at)
                .locator("tr[data-feature]")
                .evaluate_all("r => r.map((x) => x.dataset.feature)")
            )
            assert {int(where[int(feature)]) for feature in found} == {"abc".index(name)}

    def test_features_are_grouped_by_cluster(self, loaded: Page, element_site: Path):
        page = fresh(loaded)
        button(page, "cluster").click()
        all_rows(page)
        store = AtlasStore.open(element_site.parent / "data")
        cluster = dict(
            zip(
                *(store.read("coords", "alpha")[name].to_pylist() for name in ("feature_idx", "cluster")),
                strict=True,
            )
        )
        groups = page.locator(".ranked tbody").evaluate_all(FEATURES_OF_GROUPS)
        assert len(groups) > 1
        for group in groups:
            assert len({cluster.get(feature, -1) for feature in group}) == 1
        keys = [cluster.get(group[0], -1) for group in groups]
        assert len(set(keys)) == len(keys)

    def test_a_long_list_grows_step_by_step(self, loaded: Page):
        page = fresh(loaded)
        assert len(rows(page)) == 20
        page.locator(".text-features .search-more").press("Enter")
        assert len(rows(page)) == 40


class TestBadInput:
    def test_an_empty_text_is_not_run_and_says_so(self, loaded: Page):
        page = fresh(loaded)
        page.locator("#own-text").fill("")
        page.get_by_text("nothing to run").wait_for()
        assert page.locator(".pieces").count() == 0

    def test_lone_surrogates_are_replaced_and_it_is_said(self, loaded: Page, toy: ToyModel):
        page = fresh(loaded)
        page.locator("#own-text").evaluate(HALF_A_CHARACTER)
        page.wait_for_selector("atlas-test-page[data-answered]")
        assert "replaced by U+FFFD" in page.locator(".text-notice").inner_text()
        same(all_rows(page), run(toy, "alpha", "a\ufffdb").joined("max"))

    def test_a_hundred_thousand_characters_are_cut_and_the_page_stays_alive(self, loaded: Page):
        page = fresh(loaded)
        page.evaluate(
            "() => { globalThis.longest = 0; let last = performance.now();"
            " setInterval(() => { const now = performance.now();"
            " globalThis.longest = Math.max(globalThis.longest, now - last); last = now; }, 10); }"
        )
        page.locator("#own-text").fill("the quick brown fox. " * 4762)
        page.wait_for_selector("atlas-test-page[data-answered]")
        told = " ".join(page.locator(".text-notice").all_inner_texts())
        assert re.search(r"Only the first [\d,]+ tokens are shown; 95,9\d\d characters", told)
        assert page.evaluate("globalThis.longest") < 4000
        type_text(page, "short again")
        assert page.locator(".text-notice").all_inner_texts() == []

    def test_hostile_text_is_only_text(self, loaded: Page):
        page = fresh(loaded, "<img src=x onerror=alert(1)>\u202e</pre><script>alert(2)</script>")
        assert page.locator(".pieces img, .pieces script").count() == 0
        assert page.locator(".pieces .badge").first.inner_text() == "U+202E"


class TestSharing:
    @EVERY_PLACE
    def test_nothing_typed_is_in_the_address_until_it_is_shared(self, show: Open, toy: ToyModel):
        page = opened(show, permissions=CLIPBOARD)
        button(page, "sum").click()
        button(page, "≤ 10\u202f%").click()
        button(page, "token").click()
        token(page, "V").click()
        assert "#" not in page.url
        assert "?" not in page.url
        page.get_by_role("button", name="Share this text and view").click()
        page.locator("#text-link").wait_for()
        link = page.locator("#text-link").input_value()
        assert link == page.url
        assert re.search(r"test\.html#share=[\w-]+$", link)
        shown = rows(page)
        other = show("test.html")
        other.goto("about:blank")
        other.goto(link)
        other.wait_for_selector("atlas-test-page[data-ready]")
        assert other.locator("#own-text").input_value() == TEXT
        # It asks before it downloads.
        assert other.locator("atlas-model-loader").get_attribute("data-state") == "offered"
        load(other)
        other.wait_for_selector("atlas-test-page[data-answered]")
        assert rows(other) == shown
        assert token(other, "V").get_attribute("aria-selected") == "true"
        assert button(other, "sum").get_attribute("aria-pressed") == "true"
        assert other.url == link
        other.locator("#own-text").fill("mine")
        assert other.evaluate("location.hash") == ""

    def test_a_link_to_another_sae_opens_that(self, show: Open):
        page = show("test.html", permissions=CLIPBOARD)
        type_text_only(page)
        page.get_by_label("Features of").select_option("beta")
        page.get_by_role("button", name="Share this text and view").click()
        page.locator("#text-link").wait_for()
        other = show("test.html")
        other.goto("about:blank")
        other.goto(page.url)
        other.wait_for_selector("atlas-test-page[data-ready]")
        assert other.get_by_label("Features of").input_value() == "beta"

    def test_a_damaged_link_is_told_and_the_page_works(self, show: Open):
        for fragment in ("share=broken", "share=", "text=%25"):
            page = show(f"test.html#{fragment}")
            assert "cannot be read" in page.locator("atlas-test-page > [role=alert]").inner_text()
        load(page)
        type_text(page, "raise")
        assert rows(page)
        # What fires almost everywhere would fill the top of every list.
        assert button(page, "≤ 10\u202f%").get_attribute("aria-pressed") == "true"


class TestEveryReader:
    def test_it_is_accessible_and_fits(self, loaded: Page):
        page = fresh(loaded)
        token(page, "V").click()
        button(page, "token").click()
        page.locator("details.text-check summary").click()
        page.get_by_role("button", name="Share this text and view").click()
        page.locator("#text-link").wait_for()
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            for width in (390, 1280):
                page.set_viewport_size({"width": width, "height": 800})
                assert axe.violations(page) == [], (scheme, width)
        page.set_viewport_size({"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.set_viewport_size({"width": 1280, "height": 800})
        page.locator("details.text-check summary").click()

    def test_the_whole_way_by_keyboard(self, show: Open):
        page = show("test.html")
        page.locator("#own-text").focus()
        page.keyboard.type("raise")
        for _ in range(6):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('atlas-model-loader') !== null"):
                break
        page.keyboard.press("Enter")
        page.wait_for_selector("atlas-test-page[data-answered]")
        # The focus goes where one types on, and keys of the page do not take what is typed.
        assert page.evaluate("document.activeElement.id") == "own-text"
        page.keyboard.press("End")
        page.keyboard.type("/s?")
        page.wait_for_function("() => document.querySelector('.pieces')?.textContent.endsWith('/s?')")
        assert page.locator("#own-text").input_value() == "raise/s?"

    def test_the_reference_runs_are_repeated_on_request(self, show: Open):
        page = show("test.html")
        page.locator("details.text-check summary").click()
        check = page.get_by_role("button", name=re.compile("Check the reference runs"))
        assert re.search(r"\(\d+\.\d MB\)", check.inner_text())
        check.click()
        results = page.locator(".run-checks li")
        results.first.wait_for()
        told = results.all_inner_texts()
        assert told
        assert all(line.startswith("match ") for line in told), told

    def test_without_scripts_the_page_says_how_exact_the_model_is(self, element_site: Path, visit: Visitor):
        page = visit(javascript=False).open(f"{element_site.as_uri()}/test.html")
        text = page.locator("main").inner_text()
        assert "needs JavaScript" in text
        assert "top-20 overlap" in text
        assert (
            page.get_by_role("navigation", name="What to do with the model").get_by_role("link").count() == 3
        )


def test_the_menu_and_the_front_page_lead_to_it(element_site: Path):
    home = (element_site / "index.html").read_text(encoding="utf-8")
    assert "href=test.html" in home
    assert "Test a text of your own" in home
