"""Journeys of the page that steers what the model writes."""

from __future__ import annotations

import json

from tests.walk.models import follow_shared, has_model, opened, stopped
from tests.walk.walk import Walk, journey


@journey("model: steer", has_model)
def steer(walk: Walk) -> None:
    page = walk.open(walk.facts.rich.page, "atlas-feature")
    hand, feature = walk.hand, walk.facts.rich.feature_idx
    hand.press(walk.find("atlas-star .star"))
    page.locator(".star[aria-pressed=true]").wait_for()
    hand.press(walk.button("Lists ·"))
    hand.write(page.get_by_label("Name of a new list"), "Second")
    page.keyboard.press("Enter")
    page.get_by_text("1 added to Second").first.wait_for()
    walk.open("steer.html", "atlas-steer-page")
    _from_list(walk)
    with walk.step("a feature is picked"):
        field = page.get_by_role("combobox", name="Add a feature")
        hand.write(field, str(feature))
        option = page.locator("atlas-feature-picker [role=option]").first
        option.wait_for()
        if walk.by == "mouse":
            option.click()
        else:
            page.keyboard.press("ArrowDown")
            page.keyboard.press("Enter")
        page.locator(f".steered li[data-feature='{feature}']").wait_for()
        assert walk.said("f").startswith(str(feature))
    with walk.step("mode and strength"):
        mode = page.get_by_label(f"What is done to feature {feature}")
        for name, letter in (("ablate", "x"), ("clamp", "c"), ("add", "a")):
            hand.pick(mode, name)
            page.wait_for_function(
                "(start) => new URLSearchParams(location.search).get('f').startsWith(start)",
                arg=f"{feature}{letter}",
            )
        hand.write(page.get_by_label("in figures"), "3")
        page.keyboard.press("Tab")
        slider = page.get_by_label(f"Strength of feature {feature}, times its maximum", exact=True)
        page.wait_for_function("() => document.querySelector('.steered input[type=range]').value === '3'")
        if walk.by == "mouse":
            slider.click()
        else:
            hand.look(slider)
            page.keyboard.press("ArrowLeft")
        page.wait_for_function("() => document.querySelector('.steered input[type=number]').value !== '3'")
    with walk.step("prompt, length, chance"):
        hand.write(page.get_by_label("Prompt", exact=True), "def walk")
        hand.write(page.get_by_label("tokens", exact=True), "6")
        hand.pick(page.get_by_role("combobox", name="each", exact=True), "drawn")
        hand.write(page.get_by_label("seed", exact=True), "7")
        hand.write(page.get_by_label("temperature", exact=True), "0.8")
        page.keyboard.press("Tab")
        page.wait_for_function("() => ['7', '0.8'].every((value) => location.search.includes(value))")
    _runs(walk)


def _from_list(walk: Walk) -> None:
    page, hand, rich = walk.page, walk.hand, walk.facts.rich
    with walk.step("the features of a list are taken"):
        hand.pick(page.get_by_label("your list"), "Second (1)")
        hand.press(walk.button("Add its features"))
        page.locator(f".steered li[data-feature='{rich.feature_idx}']").wait_for()
    with walk.step("a steered feature opens, and is steered no more"):
        hand.press(page.locator(".steered-name a"))
        walk.leads(rich.page)
        walk.returns("atlas-steer-page")
        hand.press(walk.button("Steer feature"))
        page.locator(".steered li").wait_for(state="detached")


def _runs(walk: Walk) -> None:
    page, hand = walk.page, walk.hand

    def run() -> dict[str, object]:
        hand.press(walk.button("Run both"))
        page.wait_for_selector("atlas-model-loader[data-state=open]", timeout=120_000)
        page.wait_for_function(
            "() => document.querySelectorAll('[data-run=steered] .token').length === 6"
            " && !document.querySelector('.steer-prompt .primary').disabled",
            timeout=120_000,
        )
        hand.press(walk.button("Copy as JSON"))
        page.locator(".copied").get_by_text("copied").first.wait_for()
        return json.loads(walk.copied())

    with walk.step("a run is cancelled"):
        opened(walk)
        stopped(walk, lambda: hand.press(walk.button("Run both")), ".steer-prompt")
        assert page.locator("[data-run=steered] .token").count() == 0
    with walk.step("both continuations, the same again"):
        first = run()
        assert run() == first
        assert page.locator("[data-run=plain] .token").count() == 6
    with walk.step("probability of a token, and numbers of all"):
        token = page.locator("[data-run=steered] .token").first
        hand.look(token)
        assert page.locator(".value-card").inner_text().startswith("token 1: probability")
        hand.press(walk.find(".run-numbers summary"))
        assert page.locator(".run-numbers tbody tr").count() == 6
        hand.look(page.locator(".run-numbers .scroll"))
        hand.press(walk.button("Copy as text"))
        walk.copies("# as it is")
    with walk.step("a link with the prompt"):
        follow_shared(walk, "Copy a link with the prompt", "atlas-steer-page")
        assert page.get_by_label("Prompt", exact=True).input_value() == "def walk"
    with walk.step("the stored runs match here"):
        hand.press(walk.button("Check the reference runs"))
        page.locator(".run-checks li").first.wait_for(timeout=120_000)
        assert set(page.locator(".run-checks b").all_inner_texts()) == {"match"}
    with walk.step("no more of a feature; another SAE"):
        hand.press(walk.button("Steer feature"))
        page.locator(".steered li").wait_for(state="detached")
        if len(walk.facts.slugs) > 1:
            hand.pick(page.get_by_role("combobox", name="SAE", exact=True), walk.facts.slugs[1])
            walk.says("sae", walk.facts.slugs[1])
