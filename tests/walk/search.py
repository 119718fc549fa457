"""Journeys of the search: the box of every page, and the page of its own."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tests.walk.walk import Walk, journey

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.walk.facts import Facts

PAGE = "atlas-search-page"

ANSWERED = """(q) => document.querySelector('atlas-search-page').dataset.answered === q
  && document.querySelector('.results')?.getAttribute('aria-busy') !== 'true'"""

TELLING = re.compile(r"[a-z]{4,}")


@cache
def token_of(facts: Facts) -> str:
    """A token of letters that the rich feature fires on, else that another one does."""
    for token in facts.rich.tokens["top_tokens"]:
        if TELLING.fullmatch(token.text.strip()):
            return token.text
    return facts.rich.tokens["top_tokens"][0].text


@cache
def word_of(facts: Facts) -> str:
    """A word of the rich feature's explanation."""
    found = TELLING.findall(facts.rich.explanation.lower())
    return found[0] if found else token_of(facts).strip()


def fires_on(facts: Facts, name: str, token: str) -> bool:
    """Whether the feature called `slug/number` fires on `token`, or has it in one of its examples."""
    slug, _, number = name.partition("/")
    feature = facts.atlas.feature(int(number), slug)
    listed = any(one.text == token for one in feature.tokens["top_tokens"])
    return listed or any(token in example.text for example in feature.examples)


def open_search(walk: Walk, typed: str = "") -> Page:
    """Open the search page, empty, and type."""
    page = walk.open("search.html", PAGE)
    if typed:
        ask(walk, typed)
    return page


def ask(walk: Walk, typed: str) -> None:
    """Type into the field of the search page and wait for the whole answer."""
    walk.hand.write(walk.find("#search-query"), typed)
    walk.says("q", typed.strip() or None)
    walk.page.wait_for_function(ANSWERED, arg=typed.strip())


def names(page: Page) -> list[str]:
    """The features found, strongest first."""
    return page.locator(".result-meta code").all_inner_texts()


@journey("search: the box of every page")
def box(walk: Walk) -> None:
    page = walk.open("index.html")
    facts, hand = walk.facts, walk.hand
    sae, number = facts.sae, facts.rich.feature_idx
    field = page.get_by_role("combobox", name="Search")

    def focus() -> None:
        if walk.by == "mouse":
            field.click()
        else:
            page.keyboard.press("/")
        page.wait_for_function("() => document.activeElement.matches('atlas-search-box input')")

    with walk.step("/ and Ctrl-K, Escape leaves"):
        for key in ("/", "Control+k"):
            page.keyboard.press(key)
            assert field.evaluate("(field) => field === document.activeElement")
            page.keyboard.press("Escape")
            page.keyboard.press("Escape")
            assert page.evaluate("document.activeElement === document.body")
    with walk.step("a number opens its feature"):
        focus()
        page.keyboard.type(f"{sae}/{number}")
        page.get_by_role("option").filter(has_text="number").first.wait_for()
        page.keyboard.press("Enter")
        walk.leads(re.escape(facts.rich.page))
    with walk.step("a token is suggested with its features"):
        walk.open("index.html")
        focus()
        page.keyboard.insert_text(json.dumps(token_of(facts)))
        option = page.get_by_role("option").nth(0)
        page.locator("[role=option] .reason").first.wait_for()
        found = int(option.locator("code").first.inner_text())
        if walk.by == "mouse":
            option.click()
        else:
            page.keyboard.press("ArrowDown")
            assert field.get_attribute("aria-activedescendant") == "search-option-0"
            page.keyboard.press("Enter")
        walk.leads(rf"/\d+/{found}\.html")
        slug = page.url.split("/")[-3]
        assert fires_on(facts, f"{slug}/{found}", token_of(facts))
    with walk.step("words lead to the search page"):
        walk.open("index.html")
        hand.write(field, f"{word_of(facts)} density<2")
        if walk.by == "mouse":
            page.locator(".option-all").click()
        else:
            page.keyboard.press("Enter")
        page.wait_for_selector(f"{PAGE}[data-ready]", state="attached")
        assert walk.said("q") == f"{word_of(facts)} density<2"


@journey("search: words, tokens, phrases, meaning")
def asking(walk: Walk) -> None:
    page = open_search(walk)
    facts = walk.facts
    word, token = word_of(facts), token_of(facts)
    with walk.step("what can be typed, to be followed"):
        links = page.locator(".syntax a")
        assert links.count() >= 6
        walk.hand.press(links.nth(2))
        page.wait_for_selector(f"{PAGE}[data-ready]", state="attached")
        page.wait_for_function(ANSWERED, arg=walk.said("q"))
        assert facts.size <= 1204 or names(page)[0].endswith("/1204")
    with walk.step("a word of explanations"):
        open_search(walk, word)
        assert names(page)
        marks = [text.lower() for text in page.locator(".result").first.locator("mark").all_inner_texts()]
        assert any(word[:4] in mark for mark in marks)
    with walk.step("exactly one token"):
        ask(walk, json.dumps(token))
        for name in names(page)[:3]:
            assert fires_on(facts, name, token), name
        assert page.locator(".reason[data-kind=token]").count()
    with walk.step("an n-gram as it stands"):
        phrase = phrase_of(facts)
        ask(walk, json.dumps(phrase))
        assert any(phrase in e.text for n in names(page)[:1] for e in examples_of(facts, n))
    with walk.step("a slip is forgiven"):
        slip = word[:-2] + word[-1] + word[-2] if word[-1] != word[-2] else word + "x"
        ask(walk, slip)
        assert names(page)
    with walk.step("conditions hold"):
        bound = float(f"{np.nanquantile(facts.strongest, 0.5):.3g}")
        ask(walk, f"{word} sae:{facts.sae} max_activation>{bound}")
        found = [int(name.rpartition("/")[2]) for name in names(page)]
        assert found
        assert all(facts.strongest[number] > bound for number in found)
        ask(walk, f"sae:{facts.sae} max_activation>{bound}")
        expected = int((facts.strongest > bound).sum())
        assert page.locator(".search-count").inner_text().startswith(f"{expected:,} feature")
    with walk.step("what is wrong is said"):
        ask(walk, "word nothing<1")
        assert "called nothing" in page.locator(".search-problem").inner_text()


def phrase_of(facts: Facts) -> str:
    """Two tokens in a row of a phrase in the index."""
    rows = facts.atlas.table("postings", columns=["field", "term"])
    fields = np.asarray(rows["field"].to_pylist())
    phrases = rows["term"].take(np.flatnonzero(fields == "phrase")[:20_000])
    found = [text for text in phrases.to_pylist() if re.fullmatch(r" ?\w{3,} \w{2,}", text)]
    return found[0] if found else str(phrases[0])


def examples_of(facts: Facts, name: str):
    slug, _, number = name.partition("/")
    return facts.atlas.feature(int(number), slug).examples


@journey("search: narrowing and walking the results")
def results(walk: Walk) -> None:
    page = open_search(walk, "the")
    hand, facts = walk.hand, walk.facts
    if not names(page):
        ask(walk, word_of(facts))
    if page.get_by_role("checkbox", name="by meaning too").count():
        with walk.step("meaning can be left out"):
            box = page.get_by_role("checkbox", name="by meaning too")
            hand.press(box)
            walk.says("meaning", "off")
            page.wait_for_function(
                "() => document.querySelectorAll('.reason[data-kind=meaning]').length === 0"
            )
            hand.press(box)
            walk.says("meaning", None)
            page.wait_for_function(ANSWERED, arg=walk.said("q"))
    if len(facts.slugs) > 1:
        with walk.step("one SAE alone"):
            hand.pick(walk.find("#search-sae"), facts.slugs[1])
            walk.says("sae", facts.slugs[1])
            page.wait_for_function(
                "(slug) => [...document.querySelectorAll('.result-meta code')].every((one) =>"
                " one.textContent.startsWith(`${slug}/`))",
                arg=facts.slugs[1],
            )
            hand.pick(walk.find("#search-sae"), "all SAEs" if walk.by == "keyboard" else "")
            walk.says("sae", None)
    ask(walk, f"sae:{facts.sae} max_activation>0")
    with walk.step("more results"):
        hand.press(walk.button("Show more"))
        walk.says("n", "40")
        found = min(40, int((facts.strongest > 0).sum()))
        page.wait_for_function("(n) => document.querySelectorAll('.result').length === n", arg=found)
    with walk.step("what is searched is said"):
        hand.press(walk.find(".coverage summary"))
        assert page.locator(".coverage dt").count() >= 4
    with walk.step("arrow keys walk, Enter or a click opens"):
        if walk.by == "keyboard":
            hand.look(walk.find("#search-query"))
            page.keyboard.press("ArrowDown")
            page.keyboard.press("ArrowDown")
            assert page.evaluate("document.activeElement === document.querySelectorAll('.result > a')[1]")
            page.keyboard.press("ArrowUp")
            target = names(page)[0]
            page.keyboard.press("Enter")
        else:
            target = names(page)[0]
            hand.press(walk.find(".result > a"))
        walk.leads(rf"/{target.rpartition('/')[2]}\.html")
