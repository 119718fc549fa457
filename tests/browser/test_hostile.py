"""Hostile text in every field is shown exactly and executed never, over http and from the folder.

More than five hundred strings (`tests.support.hostile.CORPUS`), four to a feature, stand in every field of
the dataset, in curated lists and readers' notes, and are typed wherever something can be typed.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error

from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support.hostile import CORPUS, COUNTER, FAMILIES, OWN, visible
from tests.support.hostile_atlas import SLUG, hostile_atlas, packs, piece, title
from tests.support.synthetic import clean
from tests.support.web import published

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor

pytestmark = pytest.mark.slow

PACKS = packs(CORPUS)
NAMES = [" ".join(clean(text).split())[:100] for text in FAMILIES["events"] + FAMILIES["templates"]]
"""Names of lists: one line each."""

WHOLE = """() => {
  const texts = (selector) => [...document.querySelectorAll(selector)].map(({ textContent }) => textContent);
  const { payload, shard } = document.querySelector("atlas-feature").data;
  return {
    title: payload.title, method: payload.method, score_name: payload.score_name,
    pieces: shard.pieces, documents: shard.documents,
    h1: texts("atlas-feature h1"), strips: texts("atlas-feature .strip"),
    shown_documents: texts("atlas-feature .document"), cards: texts("atlas-feature .card"),
    elements: document.querySelectorAll("atlas-feature *").length,
    probed: window.probed,
  };
}"""
"""What the data of a feature page says and what the page shows of it."""


def noted(text: str) -> str:
    """What a note says of `text`: notes hold 4,000 characters, for four strings."""
    return clean(text)[:900]


def lists_file() -> dict[str, Any]:
    """A list that names every feature, each with all its strings as the note."""
    features = [
        {"sae": SLUG, "feature_idx": number, "note": "\n".join(map(noted, pack))}
        for number, pack in enumerate(PACKS)
    ]
    return {"name": NAMES[3], "description": "\n".join(NAMES[:20]), "features": features}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    store = hostile_atlas(folder / "data", CORPUS)
    (folder / "lists").mkdir()
    (folder / "lists" / "all.json").write_text(json.dumps(lists_file()), encoding="utf-8")
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(site_budget=None), out, lambda *_: None, base=folder)
    return folder / "site"


@pytest.fixture(params=["file", "http"])
def root(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Address of the site's root."""
    with published(site, request.param) as url:
        yield url


@pytest.fixture
def visited(visit: Visitor, root: str) -> Iterator[Visit]:
    """A page that counts executions; in the end nothing may have run, and nothing else gone wrong."""
    found = armed(visit)
    yield found
    assert executed(found) == 0
    assert found.record.problems(root) == []


def executed(visited: Visit) -> int:
    """How often hostile code ran on the current page."""
    return int(visited.page.evaluate("window.probed")) + len(visited.record.dialogs)


def armed(visit: Visitor) -> Visit:
    """A page that counts executions."""
    visited = visit()
    visited.page.context.add_init_script(COUNTER)
    return visited


@cache
def squashed(text: str) -> str:
    """`text` without white space and without the marks that stand for it."""
    return re.sub(r"[\s␣␉\u200b]", "", text)


@cache
def drawn(text: str) -> str:
    """What a page shows of a token of this text."""
    return visible(piece(text))


def test_the_corpus_is_large_and_of_many_kinds():
    assert len(set(CORPUS)) == len(CORPUS) >= 500
    assert len(FAMILIES) >= 15
    assert all(len(family) >= 8 for family in FAMILIES.values())
    assert sum("probe()" in text for text in CORPUS) >= 200
    assert {text for pack in PACKS for text in pack} == set(CORPUS)


def test_every_feature_page_shows_its_strings_in_every_field(visited: Visit, root: str) -> None:
    for feature, pack in enumerate(PACKS):
        group = ("top", "interval", "random", "counter")[feature % 4]
        visited.page.goto(f"{root}{SLUG}/0/{feature}.html?examples={group}")
        visited.page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        page = visited.page.evaluate(WHOLE)
        assert page["probed"] == 0, pack
        # The data holds the exact text …
        assert page["title"] == title(pack), feature
        assert (page["method"], page["score_name"]) == (clean(pack[0]), clean(pack[-1]))
        assert {piece(text) for text in pack} <= set(page["pieces"]), feature
        assert {clean(text) for text in pack} <= set(page["documents"]), feature
        # … and the page shows it, what cannot be seen as badges.
        assert page["h1"] == [visible(title(pack))], feature
        assert len(page["strips"]) >= len(pack)
        whole = squashed("".join(drawn(text) for text in pack))
        for strip in page["strips"]:
            assert squashed(strip) == whole, feature
        documents = {squashed(text) for text in page["shown_documents"]}
        assert {squashed(visible(clean(text))) for text in pack} <= documents
        cards = squashed("\n".join(page["cards"]))
        for text in pack:
            # Both ends of the logits and the tokens it fires on, and the sources by name.
            assert cards.count(squashed(drawn(text))) >= 3, (feature, text)
            assert squashed(visible(clean(text))) in cards, (feature, text)


def test_pages_without_their_scripts_show_the_titles(visit: Visitor, site: Path) -> None:
    page = visit(javascript=False).page
    for feature in range(0, len(PACKS), 7):
        page.goto(f"{site.as_uri()}/{SLUG}/0/{feature}.html")
        assert page.locator("h1").text_content() == visible(title(PACKS[feature]))
        text = squashed(page.locator("main").text_content() or "")
        for one in PACKS[feature]:
            assert squashed(drawn(one)) in text, (feature, one)


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("index.html", "h1"),
        ("about.html", "h1"),
        (f"{SLUG}/index.html", "atlas-feature-table[data-ready]"),
        ("map.html", "atlas-map[data-ready]"),
        ("search.html?q=script", "atlas-search-page[data-ready]"),
        (f"{SLUG}/0/5.html?embed=true", "atlas-feature[data-ready]"),
        ("starred.html", "atlas-lists-page[data-ready]"),
        ("404.html", "h1"),
    ],
)
def test_other_pages_run_nothing(visit: Visitor, site: Path, path: str, ready: str) -> None:
    visited = armed(visit)
    page = visited.open(f"{site.as_uri()}/{path}")
    page.wait_for_selector(ready, state="attached")
    page.evaluate("() => document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert executed(visited) == 0
    # The page for missing addresses looks for its files in several places.
    problems = visited.record.problems(site.as_uri()) if path != "404.html" else visited.record.errors
    assert problems == []


def test_the_lists_of_pages_show_every_title(visited: Visit, root: str) -> None:
    page = visited.page
    page.goto(f"{root}{SLUG}/0/index.html")
    shown = page.locator("table.features bdi").all_text_contents()
    assert shown == [visible(title(pack)) for pack in PACKS]
    page.goto(f"{root}lists/all.html")
    page.wait_for_selector("atlas-curated-list[data-ready]", state="attached")
    assert page.locator(".listed-title").all_text_contents() == shown
    assert page.locator("h1").text_content() == visible(NAMES[3])
    # A line of a note is a paragraph: its end is not written.
    ends = str.maketrans("", "", "␍↵")
    notes = squashed("".join(page.locator(".listed-note").all_text_contents())).translate(ends)
    for pack in PACKS:
        for text in pack:
            assert squashed(visible(noted(text))).translate(ends) in notes, text


def test_the_table_shows_every_title(visited: Visit, root: str) -> None:
    page = visited.page
    page.goto(f"{root}{SLUG}/index.html")
    page.wait_for_selector("atlas-feature-table[data-ready]")
    seen: set[str] = set()
    for _ in range(60):
        seen |= {squashed(text) for text in page.locator("tr[aria-rowindex]").all_text_contents()}
        last = page.evaluate(SCROLL, len(PACKS) + 1)
        page.wait_for_selector("atlas-feature-table[data-ready]")
        if last:
            break
    seen |= {squashed(text) for text in page.locator("tr[aria-rowindex]").all_text_contents()}
    for pack in PACKS:
        assert any(squashed(visible(title(pack)))[:80] in row for row in seen), pack


SCROLL = """async (last) => {
  let box = document.querySelector(".windowed");
  const hidden = (one) => one.scrollHeight > one.clientHeight + 1;
  const scrolls = (one) => hidden(one) && getComputedStyle(one).overflowY !== "visible";
  while (box.parentElement !== null && !scrolls(box)) box = box.parentElement;
  box.scrollTop += box.clientHeight / 2;
  // The table hears of it with the next frame.
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return document.querySelector(`tr[aria-rowindex="${last}"]`) !== null;
}"""
"""Half a window further down the table; whether its last row is there."""


TYPE = """async ([selector, texts]) => {
  const field = document.querySelector(selector);
  const wrong = [];
  for (const text of texts) {
    field.value = text;
    const kept = field.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => setTimeout(done, 5));
    if (field.value.trim() !== kept.trim()) wrong.push([text, field.value]);
  }
  await new Promise((done) => setTimeout(done, 500));
  return [wrong, window.probed];
}"""
"""Types every text into a field, faster than anybody could; tells where the field's own text changed."""


@pytest.mark.parametrize(
    ("path", "ready", "field"),
    [
        ("index.html", "atlas-search-box input", "atlas-search-box input"),
        ("search.html", "atlas-search-page[data-ready]", "#search-query"),
        (f"{SLUG}/index.html", "atlas-feature-table[data-ready]", "#table-filter"),
        ("map.html", "atlas-map[data-ready]", "atlas-map input[type=search]"),
    ],
)
def test_whatever_is_typed_runs_nothing(visited: Visit, root: str, path: str, ready: str, field: str) -> None:
    page = visited.open(root + path)
    page.wait_for_selector(ready, state="attached")
    wrong, probed = page.evaluate(TYPE, [field, [clean(text) for text in CORPUS]])
    assert wrong == []
    assert probed == 0


@pytest.mark.parametrize(
    "path",
    [
        "search.html?q={}",
        "search.html?sae={}&q=script",
        f"{SLUG}/index.html?q={{}}",
        f"{SLUG}/index.html?sort={{}}&columns={{}}",
        "map.html?q={}&sae={}",
        "map.html?colour={}&f={}&x={}",
        f"{SLUG}/0/5.html?examples={{}}&context={{}}&h={{}}",
        f"{SLUG}/0/5.html?embed={{}}&theme={{}}",
        "starred.html?list={}",
        "starred.html#list={}",
        "404.html?{}",
    ],
)
def test_whatever_stands_in_an_address_runs_nothing(visit: Visitor, site: Path, path: str) -> None:
    from urllib.parse import quote

    visited = armed(visit)
    for text in (
        "<img src=x onerror=probe()>",
        '"><script>probe()</script>',
        "javascript:probe()",
        "__proto__",
    ):
        visited.open(f"{site.as_uri()}/{path.replace('{}', quote(text, safe=''))}")
        visited.page.wait_for_timeout(150)
        assert executed(visited) == 0, text
    # The page for missing addresses looks for its files in several places.
    root = "file:///" if path.startswith("404") else site.as_uri()
    assert [line for line in visited.record.problems(root) if "net::ERR_" not in line] == []


def imported(page: Page, root: str, content: dict[str, Any]) -> None:
    """Open the page of the reader's lists and import a file."""
    page.goto(f"{root}starred.html")
    page.wait_for_selector("atlas-lists-page[data-ready]", state="attached")
    page.locator("atlas-lists-page input[type=file]").first.set_input_files(
        {"name": "lists.json", "mimeType": "application/json", "buffer": json.dumps(content).encode()}
    )


SAID = """() => {
  const fields = [...document.querySelectorAll("main textarea, main input, main option")];
  return document.querySelector("main").textContent + fields.map(({ value }) => value).join(" ");
}"""
"""All text of the page, that of its fields too."""


def test_notes_and_names_of_lists_are_text(visited: Visit, root: str) -> None:
    many = [
        {"name": name, "description": name, "features": [{"sae": SLUG, "feature_idx": 1, "note": name}]}
        for name in NAMES
    ]
    imported(visited.page, root, {"lists": [lists_file(), *many]})
    page = visited.page
    page.locator("atlas-lists-page .listed").nth(100).wait_for(state="attached")
    text = squashed(page.evaluate(SAID))
    for name in NAMES:
        assert squashed(visible(name)) in text or squashed(name) in text, name
    assert executed(visited) == 0


def test_citations_are_text(visited: Visit, root: str) -> None:
    page = visited.page
    for feature in range(0, len(PACKS), 25):
        page.goto(f"{root}{SLUG}/0/{feature}.html")
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        page.locator("atlas-cite button").first.click()
        page.get_by_role("dialog").wait_for()
        assert executed(visited) == 0
        page.keyboard.press("Escape")


def test_the_same_harness_reports_pages_that_do_not_escape(
    visit: Visitor, site: Path, tmp_path: Path
) -> None:
    """The control: the very same pages, escaping and policy undone."""
    caught = 0
    visited = armed(visit)
    for feature in range(0, len(PACKS), 3):
        page = (site / SLUG / "0" / f"{feature}.html").read_text(encoding="utf-8")
        control = tmp_path / f"{feature}.html"
        control.write_text(
            html.unescape(re.sub(r"<meta http-equiv=[^>]*>", "", page, count=1)), encoding="utf-8"
        )
        try:
            visited.page.goto(control.as_uri(), wait_until="domcontentloaded")
            caught += executed(visited) > 0
        except Error:  # the page navigated itself away
            caught += 1
            visited = armed(visit)
        visited.record.dialogs.clear()
    assert caught >= 20
    assert len(OWN) > 30
