"""Hostile explanations, names, lists, texts and addresses where texts are contrasted and models steered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.hostile import COUNTER, LONG, OWN
from tests.support.model_site import model_dataset, model_site

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor

TEXTS = [text.encode("utf-8", "replace").decode() for text in (*OWN, *LONG)]
FOREIGN = (
    ":is(atlas-contrast-page, atlas-steer-page) :is(img, script, iframe, object, base, meta, link, b, i)"
)
"""Elements that no page of ours makes there (bars apart, which are SVG)."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose tokens, explanations and names are all hostile, with a model."""
    return model_site(model_dataset(tmp_path_factory.mktemp("hostile-model"), hostile=TEXTS))


@pytest.fixture
def armed(visit: Visitor, site: Path) -> Iterator[Visit]:
    """A page that counts executions; at the end there were none, and nothing else went wrong."""
    visited = visit()
    visited.page.context.add_init_script(COUNTER)
    yield visited
    calm(visited.page)
    assert visited.record.problems(site.as_uri()) == []


def calm(page: Page) -> None:
    """Nothing ran, and nothing became an element that is not ours."""
    assert int(page.evaluate("window.probed")) == 0
    assert page.locator(FOREIGN).count() == 0


def opened(visited: Visit, site: Path, name: str, query: str = "") -> Page:
    page = visited.open(f"{site.as_uri()}/{name}.html{query}")
    page.wait_for_selector(f"atlas-{name}-page[data-ready]")
    return page


def test_hostile_texts_and_explanations_are_contrasted_as_text(armed: Visit, site: Path):
    page = opened(armed, site, "contrast", "?rows=1000")
    own = [text for text in OWN if "\x00" not in text]
    page.locator("#contrast-a").fill("\n".join(own[:20]))
    page.locator("#contrast-b").fill("\n".join(own[20:]))
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("table.contrast tbody tr").nth(20).wait_for()
    page.wait_for_function("() => !document.querySelector('table.contrast').innerText.includes('…\\n')")
    calm(page)
    shown = page.locator("table.contrast").inner_text()
    assert "probe()" in shown


def test_hostile_prompts_and_tokens_are_continued_as_text(armed: Visit, site: Path):
    page = opened(armed, site, "steer", "?f=5a3,7,12c1,20x&n=6&t=1")
    for prompt in ("</script><script>probe()</script>", "<img src=x onerror=probe()>"):
        page.locator("#steer-prompt").fill(prompt)
        page.get_by_role("button", name="Run both").click()
        page.locator("[data-run=steered] .token").nth(5).wait_for()
        assert page.locator("[data-run=steered] .run-prompt").text_content() == prompt
        page.locator(".run-numbers summary").click()
        calm(page)


def test_hostile_titles_are_offered_as_text(armed: Visit, site: Path):
    page = opened(armed, site, "steer")
    field = page.get_by_role("combobox", name="Add a feature")
    for typed in ("script", "<img", "probe", '"><', "\u202e"):
        field.fill(typed)
        page.wait_for_function(
            "() => document.querySelector('atlas-feature-picker [role=option], .search-message') !== null"
        )
        calm(page)


@pytest.mark.parametrize("name", ["contrast", "steer"])
def test_hostile_addresses_change_nothing_but_what_they_may(armed: Visit, site: Path, name: str):
    for text in OWN[::3]:
        value = quote(text, safe="")
        names = ("sae", "f", "n", "t", "seed", "kind", "by", "in", "show", "densest", "sort", "rows")
        query = "&".join(f"{each}={value}" for each in names)
        page = opened(armed, site, name, f"?{query}#share={value}")
        assert page.locator("textarea").first.input_value() == ""
        assert page.get_by_role("button", name="Load the model").count() == 1
        calm(page)


def test_hostile_lists_are_offered_as_text(armed: Visit, site: Path):
    page = opened(armed, site, "steer")
    lists = [
        {
            "name": text[:60],
            "description": text,
            "features": [{"sae": "alpha", "feature_idx": at, "note": text}],
        }
        for at, text in enumerate(text for text in OWN[:12])
    ]
    page.evaluate(
        "(text) => localStorage.setItem("
        "'feature-atlas:lists:' + location.pathname.replace(/[^/]*$/, ''), text)",
        json.dumps({"format": "feature-atlas-lists", "version": 1, "lists": lists}),
    )
    page.reload()
    page.wait_for_selector("atlas-steer-page[data-ready]")
    page.get_by_role("button", name="Add its features").click()
    page.locator(".steered li").wait_for()
    calm(page)
