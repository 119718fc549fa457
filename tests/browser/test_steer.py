"""Steering in a real Chromium: tokens and probabilities of the Python twin, every control, the address."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import axe
from tests.support.toy_model import CONTEXT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from atlas.reader import Atlas, Continuation
    from atlas.store import AtlasStore
    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("home", ["file", "http"], indirect=True)
PROMPT = "def name(self):\n    raise"
TOKENS = 10
MINE = {
    "name": "<b>Mine",
    "description": "",
    "features": [
        {"sae": sae, "feature_idx": feature, "note": ""}
        for sae, feature in (("alpha", 5), ("beta", 6), ("alpha", 8))
    ],
}
"""A list of the reader's."""
CLOSE = {"rel": 1e-3, "abs": 1e-6}
"""Between onnxruntime in a browser and in Python."""


Opener = Callable[..., "Page"]


@pytest.fixture
def show(visit_page: Opener) -> Opener:
    """`show("?f=12")` opens the page; nothing may go wrong in it."""
    return partial(visit_page, "steer.html", "atlas-steer-page")


def pick(page: Page, name: str) -> Locator:
    """The field for choosing called `name`."""
    return page.get_by_role("combobox", name=name, exact=True)


def run(page: Page, prompt: str | None = PROMPT) -> dict[str, Any]:
    """Run both continuations, and return what "Copy as JSON" copies."""
    if prompt is not None:
        page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_role("button", name="Run both").click()
    page.wait_for_function(
        "() => document.querySelector('atlas-steer-page .run-numbers') !== null &&"
        " ![...document.querySelectorAll('.steer-prompt button')]"
        ".some(({ textContent }) => textContent === 'Cancel')"
    )
    page.evaluate("navigator.clipboard.writeText('')")
    page.get_by_role("button", name="Copy as JSON").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('{')")
    return json.loads(page.evaluate("navigator.clipboard.readText()"))


def check(found: dict[str, Any], side: str, wanted: Continuation) -> None:
    tokens = found[side]["tokens"]
    assert [token["id"] for token in tokens] == list(wanted.token_ids)
    assert [token["probability"] for token in tokens] == pytest.approx(list(wanted.probabilities), **CLOSE)


def state(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


class TestContinuations:
    @BOTH
    @pytest.mark.parametrize(
        ("steered", "mode", "strengths"),
        [
            ("5a2,12a-1.5", "add", {5: 2.0, 12: -1.5}),
            ("7c0.5,40c2", "clamp", {7: 0.5, 40: 2.0}),
            ("9x,10x", "ablate", {9: 0.0, 10: 0.0}),
        ],
    )
    def test_greedy_tokens_are_the_python_twins(
        self, show: Opener, atlas: Atlas, steered: str, mode: Any, strengths: dict[int, float]
    ):
        page = show(f"?sae=alpha&f={steered}&n={TOKENS}")
        found = run(page)
        wanted = atlas.steer(PROMPT, strengths, mode=mode, sae="alpha", n_tokens=TOKENS)
        check(found, "steered", wanted)
        check(found, "unsteered", atlas.steer(PROMPT, {}, sae="alpha", n_tokens=TOKENS))
        measured = [token["measured"] for token in found["steered"]["tokens"]]
        assert measured == pytest.approx(wanted.measured, rel=1e-3, abs=1e-4)

    def test_drawn_tokens_are_the_python_twins_at_the_same_seed(self, show: Opener, atlas: Atlas):
        page = show("?sae=beta&f=5a1&n=12&t=0.8&seed=7")
        options: dict[str, Any] = {"sae": "beta", "n_tokens": 12, "temperature": 0.8}
        found = run(page)
        check(found, "steered", atlas.steer(PROMPT, {5: 1.0}, seed=7, **options))
        check(found, "unsteered", atlas.steer(PROMPT, {}, seed=7, **options))
        page.get_by_label("seed", exact=True).fill("8")
        page.get_by_label("seed", exact=True).blur()
        again = run(page, None)
        check(again, "steered", atlas.steer(PROMPT, {5: 1.0}, seed=8, **options))
        assert again["unsteered"]["text"] != found["unsteered"]["text"]

    def test_modes_can_be_mixed_and_no_feature_is_no_steering(self, show: Opener):
        page = show(f"?f=5x&n={TOKENS}")
        one = run(page)
        pick(page, "What is done to feature 5").select_option("clamp")
        page.get_by_label("Strength of feature 5 in figures, times its maximum").fill("0")
        page.get_by_label("Strength of feature 5 in figures, times its maximum").blur()
        other = run(page, None)
        assert one["steered"]["tokens"] == other["steered"]["tokens"]
        page.get_by_role("button", name="Steer feature 5 no more").press("Enter")
        nothing = run(page, None)
        assert nothing["features"] == []
        assert nothing["steered"]["text"] == nothing["unsteered"]["text"]
        assert "No feature is steered" in page.locator("[role=status]", has_text="steered").inner_text()

    def test_the_report_is_complete(self, show: Opener, store: AtlasStore):
        page = show("?sae=alpha&f=5a2,7x&n=4&t=1&seed=3")
        found = run(page)
        table = store.read("features", "alpha", columns=["feature_idx", "max_activation"]).to_pylist()
        largest = {row["feature_idx"]: row["max_activation"] for row in table}
        assert found["features"] == [
            {"feature_idx": 5, "mode": "add", "strength": 2, "activation": pytest.approx(2 * largest[5])},
            {"feature_idx": 7, "mode": "ablate", "strength": 0, "activation": 0},
        ]
        assert found["sampling"] == {"tokens": 4, "temperature": 1, "seed": 3}
        assert (found["prompt"], found["sae"], found["precision"]) == (PROMPT, "alpha", "fp32")
        assert found["build"] == store.manifest.build_id
        page.get_by_role("button", name="Copy as text").press("Enter")
        page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('# as it is')")
        text = page.evaluate("navigator.clipboard.readText()")
        assert PROMPT + found["steered"]["text"] in text
        assert "temperature 1, seed 3" in text

    def test_tokens_stream_in_and_the_same_run_gives_the_same_again(self, show: Opener):
        page = show("?f=5a2&n=30&t=1&seed=9")
        page.evaluate(
            "() => { window.counts = new Set(); new MutationObserver(() =>"
            " window.counts.add(document.querySelectorAll('[data-run=plain] .token').length))"
            ".observe(document.querySelector('atlas-steer-page'), { childList: true, subtree: true }); }"
        )
        page.get_by_label("Prompt", exact=True).fill(PROMPT)
        page.get_by_label("Prompt", exact=True).press("Control+Enter")
        page.locator(".runs + .note", has_text="differ").wait_for()
        seen = page.evaluate("[...window.counts]")
        assert len([count for count in seen if 0 < count < 30]) >= 3
        first = run(page, None)
        page.reload()
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert run(page) == first

    def test_nothing_of_the_model_is_loaded_before_it_is_asked_for(self, home: str, visit: Visitor):
        opened = visit()
        page = opened.open(f"{home}steer.html?f=5")
        page.wait_for_selector("atlas-steer-page[data-ready]")
        page.get_by_label("Prompt", exact=True).fill(PROMPT)
        page.get_by_role("button", name="Load the model").wait_for()
        asked = [url for url in opened.record.requests if "/data/model/" in url]
        assert [url for url in asked if "/data/model/index.js" not in url] == []
        assert not any("model-worker" in url for url in opened.record.requests)

    def test_a_dead_feature_is_said_to_have_no_unit(self, show: Opener):
        page = show("?f=3&n=2")
        page.locator(".steered-how", has_text="never fired").wait_for()
        found = run(page)
        assert found["features"][0]["activation"] == 0
        assert found["steered"]["text"] == found["unsteered"]["text"]


class TestReading:
    def test_probabilities_are_told_under_the_pointer_and_at_the_focus(self, show: Opener):
        page = show(f"?f=5a3&n={TOKENS}")
        found = run(page)
        tokens = page.locator("[data-run=steered] .token")
        assert tokens.count() == TOKENS
        shares = [token["probability"] for token in found["steered"]["tokens"]]
        tips = tokens.evaluate_all("(all) => all.map(({ dataset }) => dataset.tip)")
        for share, tip in zip(shares, tips, strict=True):
            shown = float(re.search(r"probability ([\d.]+)", tip)[1]) / 100
            assert shown == pytest.approx(share, rel=0.01)
        tokens.nth(1).hover()
        assert page.get_by_role("tooltip").inner_text() == tips[1]
        page.mouse.move(0, 0)
        tokens.first.focus()
        assert page.get_by_role("tooltip").inner_text() == tips[0]
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("tooltip").inner_text() == tips[1]
        page.keyboard.press("Escape")
        assert page.get_by_role("tooltip").count() == 0

    def test_the_numbers_are_in_a_table_too(self, show: Opener):
        page = show("?f=5a3,7x&n=3")
        found = run(page)
        page.locator(".run-numbers summary").press("Enter")
        rows = page.locator(".run-numbers tbody tr")
        assert rows.count() == 3
        titles = rows.evaluate_all(
            "(all) => all.map((row) => [...row.querySelectorAll('[title]')].map(({ title }) => title))"
        )
        for at, row in enumerate(titles):
            steered = found["steered"]["tokens"][at]
            numbers = [float(title) for title in row if re.fullmatch(r"[\d.e-]+", title)]
            assert numbers == [
                found["unsteered"]["tokens"][at]["probability"],
                steered["probability"],
                *steered["measured"],
            ]

    def test_the_first_token_that_differs_is_said_and_marked(self, show: Opener):
        page = show(f"?f=5a3&n={TOKENS}")
        found = run(page)
        ids = [[token["id"] for token in found[side]["tokens"]] for side in ("unsteered", "steered")]
        first = next(at for at, (one, other) in enumerate(zip(*ids, strict=True)) if one != other)
        assert f"They differ from token {first + 1} on." in page.locator(".runs + .note").inner_text()
        marked = page.locator("[data-run=steered] .token").nth(first)
        assert "first-other" in (marked.get_attribute("class") or "")

    def test_reference_runs_match(self, show: Opener):
        page = show("?sae=alpha&n=1")
        run(page, "x")
        page.get_by_role("button", name="Check the reference runs").press("Enter")
        page.locator(".run-checks li").first.wait_for()
        assert set(page.locator(".run-checks b").all_inner_texts()) == {"match"}
        assert page.locator(".run-checks .number").count() == page.locator(".run-checks li").count()


class TestChoosing:
    @BOTH
    def test_a_feature_is_found_by_number_and_by_words(self, show: Opener):
        page = show()
        field = page.get_by_role("combobox", name="Add a feature")
        field.fill("23")
        page.get_by_role("option").filter(has_text="number").first.wait_for()
        field.press("ArrowDown")
        assert field.get_attribute("aria-activedescendant") == "picker-option-0"
        field.press("Enter")
        assert state(page)["f"] == ["23a1"]
        assert field.input_value() == ""
        field.fill("raise")
        option = page.locator("atlas-feature-picker [role=option]").nth(1)
        option.wait_for()
        number = option.locator("code").first.inner_text()
        option.click()
        assert page.locator(".steered li").evaluate_all(
            "(all) => all.map(({ dataset }) => dataset.feature)"
        ) == [
            "23",
            number,
        ]

    def test_enter_takes_the_first_one_even_before_it_is_shown(self, show: Opener):
        page = show()
        field = page.get_by_role("combobox", name="Add a feature")
        field.focus()
        page.keyboard.type("7")
        page.keyboard.press("Enter")
        page.locator('.steered li[data-feature="7"]').wait_for()
        field.fill("is:nothing zzzzqqqq")
        page.get_by_text("Nothing found", exact=True).first.wait_for()
        field.press("Enter")
        field.press("Escape")
        field.press("Escape")
        assert field.input_value() == ""
        assert page.locator(".steered li").count() == 1

    def test_strength_is_set_by_slider_and_figure_and_shown_in_both_units(
        self, show: Opener, store: AtlasStore
    ):
        page = show("?f=12")
        row = page.locator('.steered li[data-feature="12"]')
        slider = page.get_by_role("slider", name="Strength of feature 12, times its maximum")
        slider.press("ArrowRight")
        assert state(page)["f"] == ["12a1.1"]
        figure = page.get_by_label("Strength of feature 12 in figures, times its maximum")
        assert figure.input_value() == "1.1"
        figure.fill("99")
        figure.blur()
        assert (figure.input_value(), slider.input_value()) == ("20", "5")
        pick(page, "What is done to feature 12").select_option("clamp")
        figure.fill("-3")
        figure.press("Enter")
        assert state(page)["f"] == ["12c0"]
        table = store.read("features", "alpha", columns=["feature_idx", "max_activation"]).to_pylist()
        largest = next(each["max_activation"] for each in table if each["feature_idx"] == 12)
        assert f"{largest:.2f}" in row.inner_text()

    def test_a_list_of_the_readers_is_added_at_once(self, show: Opener, home: str):
        page = show()
        page.evaluate(
            "(text) => localStorage.setItem("
            "'feature-atlas:lists:' + location.pathname.replace(/[^/]*$/, ''), text)",
            json.dumps({"format": "feature-atlas-lists", "version": 1, "lists": [MINE]}),
        )
        page.goto(f"{home}steer.html?f=5x")
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert pick(page, "your list").locator("option").all_inner_texts() == ["<b>Mine (2)"]
        page.get_by_role("button", name="Add its features").press("Enter")
        assert state(page)["f"] == ["5x,8a1"]

    def test_a_feature_page_leads_here_with_its_feature(self, home: str, visit: Visitor):
        opened = visit()
        page = opened.open(f"{home}beta/0/12.html")
        page.wait_for_selector("atlas-feature[data-ready]")
        page.get_by_role("link", name="Steer with this feature").press("Enter")
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert page.locator(".steered li").get_attribute("data-feature") == "12"
        assert pick(page, "SAE").input_value() == "beta"
        assert opened.record.problems(home) == []

    def test_another_sae_begins_with_no_feature(self, show: Opener):
        page = show("?f=5")
        pick(page, "SAE").select_option("beta")
        assert page.locator(".steered li").count() == 0
        assert state(page) == {"sae": ["beta"]}

    def test_a_feature_that_is_not_there_is_told(self, show: Opener):
        page = show("?f=5,99999,<b>")
        assert "alpha has no feature 99999." in page.get_by_role("alert").inner_text()
        assert page.locator(".steered li").count() == 1


class TestAddress:
    def test_the_state_is_in_the_address_and_the_prompt_only_where_asked_for(self, show: Opener):
        page = show()
        page.get_by_role("combobox", name="Add a feature").fill("5")
        page.get_by_role("combobox", name="Add a feature").press("Enter")
        page.locator(".steered li").wait_for()
        page.get_by_label("tokens", exact=True).fill("6")
        page.get_by_label("tokens", exact=True).blur()
        pick(page, "each").select_option("drawn")
        page.get_by_label("temperature", exact=True).fill("0.5")
        page.get_by_label("temperature", exact=True).press("Tab")
        page.get_by_label("Prompt", exact=True).fill(PROMPT)
        assert state(page) == {"f": ["5a1"], "n": ["6"], "t": ["0.5"]}
        assert page.evaluate("location.hash") == ""
        page.get_by_role("button", name="Copy a link with the prompt").press("Enter")
        page.locator(".copied", has_text="copied").wait_for()
        address = page.evaluate("navigator.clipboard.readText()")
        assert "def" not in urlsplit(address).query
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert page.get_by_label("Prompt", exact=True).input_value() == PROMPT
        assert page.get_by_label("temperature", exact=True).input_value() == "0.5"
        found = run(page, None)
        assert len(found["steered"]["tokens"]) == 6
        page.get_by_label("Prompt", exact=True).fill("other")
        assert page.evaluate("location.hash") == ""


class TestTrouble:
    def test_an_empty_prompt_is_told_and_nothing_is_loaded(self, show: Opener):
        page = show("?f=5")
        page.get_by_role("button", name="Run both").click()
        assert page.get_by_role("alert").inner_text() == "Type a prompt first."
        assert page.locator("atlas-model-loader").get_attribute("data-state") == "offered"

    def test_more_tokens_than_the_context_holds_are_refused_in_words(self, show: Opener):
        page = show("?f=5&n=200")
        page.get_by_label("Prompt", exact=True).fill(PROMPT)
        page.get_by_role("button", name="Run both").click()
        page.locator(".steer-prompt .problem").wait_for()
        assert str(CONTEXT) in page.locator(".steer-prompt .problem").inner_text()
        page.get_by_label("tokens", exact=True).fill("5")
        page.get_by_label("tokens", exact=True).blur()
        assert len(run(page)["steered"]["tokens"]) == 5

    def test_running_while_the_model_is_on_its_way_waits_for_it(self, show: Opener):
        page = show("?f=5&n=2")
        page.get_by_label("Prompt", exact=True).fill(PROMPT)
        page.get_by_role("button", name="Load the model").click()
        page.get_by_role("button", name="Run both").click()
        page.locator("[data-run=steered] .token").nth(1).wait_for()

    def test_a_run_is_cancelled(self, show: Opener):
        page = show("?f=5&n=60")
        page.get_by_label("Prompt", exact=True).fill("x")
        # The toy model is quick: the button is clicked by the page itself once two tokens are there.
        page.evaluate(
            "() => new MutationObserver((_, watch) => {"
            " if (document.querySelectorAll('[data-run=plain] .token').length < 2) return;"
            " watch.disconnect();"
            " [...document.querySelectorAll('.steer-prompt button')]"
            ".find(({ textContent }) => textContent === 'Cancel').click(); })"
            ".observe(document.querySelector('atlas-steer-page'), { childList: true, subtree: true })"
        )
        page.get_by_role("button", name="Run both").press("Enter")
        page.wait_for_selector("atlas-model-loader[data-state=open]")
        page.locator(".steer-prompt").get_by_role("button", name="Cancel").wait_for(state="detached")
        page.wait_for_function("() => !document.querySelector('.steer-prompt .primary').disabled")
        assert page.locator(".runs").count() == 0
        page.get_by_label("tokens", exact=True).fill("3")
        page.get_by_label("tokens", exact=True).blur()
        assert len(run(page, None)["steered"]["tokens"]) == 3

    def test_half_characters_are_told_until_something_else_is_typed(self, show: Opener):
        page = show("?f=5&n=3")
        page.get_by_label("Prompt", exact=True).evaluate(
            "(field) => { field.value = 'def ' + String.fromCharCode(0xd83e);"
            " field.dispatchEvent(new Event('input', { bubbles: true })); }"
        )
        run(page, None)
        notice = page.locator("atlas-steer-page .text-notice")
        assert notice.inner_text() == "A half character (lone surrogate) was replaced by U+FFFD."
        page.get_by_label("Prompt", exact=True).fill("def")
        notice.wait_for(state="detached")

    def test_a_refused_prompt_leaves_no_run_that_seems_to_go_on(self, show: Opener):
        page = show("?f=5&n=3")
        page.get_by_label("Prompt", exact=True).fill("raise " * 20_000)
        page.get_by_role("button", name="Run both").click()
        page.get_by_role("alert").get_by_text("longer than").wait_for()
        assert page.get_by_role("button", name="Cancel").count() == 0
        assert page.get_by_text("Token 0 of").count() == 0
        assert len(run(page)["steered"]["tokens"]) == 3

    def test_hostile_prompts_are_text(self, show: Opener):
        page = show("?f=5&n=3")
        prompt = '<img src=x onerror=alert(1)>\u202e"</script>'
        found = run(page, prompt)
        assert found["prompt"] == prompt
        assert page.locator("atlas-steer-page .run img").count() == 0
        assert page.locator(".run-prompt .badge").first.inner_text() == "U+202E"


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 390), ("dark", 1280), ("light", 1280), ("dark", 390)]
)
def test_the_page_is_accessible_and_as_wide_as_the_window(show: Opener, scheme: str, width: int):
    page = show("?f=5a2,7c1,9x&n=4&t=1", scheme=scheme, size=(width, 800))
    assert axe.violations(page) == []
    run(page)
    page.locator(".run-numbers summary").click()
    page.get_by_role("combobox", name="Add a feature").fill("raise")
    page.locator("atlas-feature-picker [role=option]").first.wait_for()
    assert axe.violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_javascript_the_page_says_what_it_needs(site: Path, visit: Visitor):
    page = visit(javascript=False).open(f"{site.as_uri()}/steer.html")
    assert "needs JavaScript" in page.locator("main").inner_text()
