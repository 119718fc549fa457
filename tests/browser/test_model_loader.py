"""Loading the model, as a page shows it: every state it can be in, and what readers can do in each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support import axe
from tests.support.toy_texts import TEXT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

    from tests.support.browser import Visitor
    from tests.support.opened import Open

HTTP = pytest.mark.parametrize("address", ["http"], indirect=True)
RUNTIME = "**/data/model/runtime/**"
NO_WORKERS = """
globalThis.Worker = class { constructor() { throw new Error("workers are switched off"); } };
"""
LISTEN = """
() => {
  globalThis.told = [];
  for (const type of ["atlas-model-open", "atlas-model-close"])
    document.addEventListener(type, ({ detail }) => globalThis.told.push([type, detail?.sae.slug ?? null]));
}
"""


class Held:
    """Requests for the runtime that the test keeps waiting."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._routes: list[Route] = []
        page.route(RUNTIME, self._hold)

    def _hold(self, route: Route) -> None:
        self._routes.append(route)

    def let_go(self) -> None:
        """Answer what waits, and hold nothing any more."""
        for route in self._routes:
            route.continue_()
        self._page.unroute(RUNTIME)


def loader(page: Page) -> Locator:
    return page.locator("atlas-model-loader")


def state(page: Page) -> str:
    return loader(page).get_attribute("data-state") or ""


def wait_for(page: Page, name: str) -> None:
    page.wait_for_selector(f"atlas-model-loader[data-state={name}]")


def megabytes(text: str) -> float:
    found = re.search(r"([\d.]+) MB", text)
    assert found is not None, text
    return float(found[1])


@HTTP
def test_the_bar_grows_in_bytes_up_to_the_stated_size(show: Open):
    page = show("test.html")
    stated = megabytes(loader(page).locator("button").inner_text())
    held = Held(page)
    loader(page).locator("button").click()
    page.wait_for_function("() => document.querySelector('atlas-model-loader progress')?.value > 0")
    told = loader(page).locator(".number").inner_text()
    assert megabytes(told.partition(" of ")[2]) == stated
    share = page.locator("atlas-model-loader progress").evaluate("(bar) => bar.value / bar.max")
    assert 0 < share < 1
    assert loader(page).locator("[role=status]").inner_text() != ""
    assert axe.violations(page) == []
    held.let_go()
    wait_for(page, "open")
    assert loader(page).locator("progress").count() == 0


@HTTP
def test_it_can_be_cancelled_by_key_and_loads_no_more(address: str, visit: Visitor):
    visited = visit()
    page = visited.open(f"{address}test.html")
    held = Held(page)
    loader(page).locator("button").focus()
    page.keyboard.press("Enter")
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()
    page.keyboard.press("Enter")
    wait_for(page, "offered")
    # The focus is not lost: Enter would begin again.
    assert page.evaluate("document.activeElement.textContent").strip().startswith("Load the model")
    before = len(visited.record.requests)
    held.let_go()
    page.wait_for_timeout(400)
    assert state(page) == "offered"
    later = [url for url in visited.record.requests[before:] if "/data/model/" in url]
    assert later == []
    page.keyboard.press("Enter")
    wait_for(page, "open")


@HTTP
def test_another_sae_while_one_is_on_its_way_ends_that(show: Open):
    page = show("test.html")
    page.evaluate(LISTEN)
    held = Held(page)
    loader(page).locator("button").click()
    page.wait_for_selector("atlas-model-loader progress")
    page.get_by_label("Features of").select_option("beta")
    wait_for(page, "offered")
    held.let_go()
    page.wait_for_timeout(300)
    assert state(page) == "offered"
    assert page.evaluate("globalThis.told") == []
    loader(page).locator("button").click()
    wait_for(page, "open")
    assert page.evaluate("globalThis.told") == [["atlas-model-open", "beta"]]


def test_pages_are_told_when_a_model_opens_and_closes(show: Open):
    page = show("test.html")
    page.evaluate(LISTEN)
    loader(page).locator("button").click()
    wait_for(page, "open")
    page.get_by_label("Features of").select_option("beta")
    wait_for(page, "offered")
    # The trunk is here already: there is less to load than at first.
    assert page.evaluate("globalThis.told") == [["atlas-model-open", "alpha"], ["atlas-model-close", None]]
    offer = loader(page).locator("button").inner_text()
    assert re.search(r"\(\d+ kB\)|\(0\.\d MB\)", offer), offer
    loader(page).locator("button").click()
    wait_for(page, "open")
    page.get_by_label("Features of").select_option("alpha")
    # Nothing of it is left to fetch, so nobody has to be asked.
    page.wait_for_function("() => globalThis.told.at(-1)?.[1] === 'alpha'")
    assert state(page) == "open"


def test_a_browser_without_workers_is_told_and_the_page_lives_on(address: str, visit: Visitor):
    visited = visit()
    page = visited.page
    page.add_init_script(NO_WORKERS)
    visited.open(f"{address}test.html")
    loader(page).locator("button").click()
    wait_for(page, "failed")
    problem = loader(page).locator("[role=alert]").inner_text()
    assert problem
    assert "undefined" not in problem
    assert loader(page).locator("button").inner_text().startswith("Try again")
    page.locator("#own-text").fill(TEXT)
    assert page.get_by_role("button", name="Share this text and view").is_enabled()
    assert page.locator("#exact").is_visible()
    assert axe.violations(page) == []
    assert visited.record.errors == []


@HTTP
@pytest.mark.parametrize("lost", ["model/index", "model/runtime/0", "model/files/tokenizer-json/0"])
def test_a_lost_file_is_named(address: str, visit: Visitor, lost: str):
    visited = visit()
    page = visited.page
    page.route(f"**/data/{lost}.js*", lambda route: route.abort())
    page.goto(f"{address}test.html")
    if lost != "model/index":
        loader(page).locator("button").click()
    problem = page.locator("atlas-test-page [role=alert]").first
    problem.wait_for()
    assert lost.rpartition("/")[0].split("/")[-1] in problem.inner_text()
    assert visited.record.errors == []


def test_leaving_while_it_loads_is_quiet(address: str, visit: Visitor):
    visited = visit()
    page = visited.open(f"{address}test.html")
    loader(page).locator("button").click()
    page.wait_for_selector("atlas-model-loader progress")
    page.goto(f"{address}index.html")
    page.wait_for_load_state()
    assert visited.record.problems(address) == []


@pytest.mark.parametrize("path", ["test.html", "contrast.html", "steer.html"])
def test_every_page_of_the_model_offers_it_alike(show: Open, path: str):
    page = show(path)
    offer = loader(page).first
    offer.locator("button").wait_for()
    assert megabytes(offer.locator("button").first.inner_text()) > 0
    assert "agrees with the original" in offer.inner_text()


@HTTP
def test_the_reference_runs_can_be_cancelled_and_a_failure_is_told(address: str, visit: Visitor):
    visited = visit()
    page = visited.open(f"{address}test.html")
    held = Held(page)
    page.locator("details.text-check summary").click()
    check = page.get_by_role("button", name=re.compile("Check the reference runs"))
    check.click()
    page.locator("atlas-run-check .number").wait_for()
    page.locator("atlas-run-check").get_by_role("button", name="Cancel").click()
    check.wait_for()
    assert page.locator("atlas-run-check [role=alert]").count() == 0
    held.let_go()
    page.route(RUNTIME, lambda route: route.abort())
    check.click()
    page.locator("atlas-run-check [role=alert]").wait_for()
    page.unroute(RUNTIME)
    check.click()
    page.locator(".run-checks li").first.wait_for()
    assert visited.record.errors == []
