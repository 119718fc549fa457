"""Journeys on the page of one feature: its data, and how it is cited and embedded."""

from __future__ import annotations

import csv
import io
import json
import re

from tests.walk.feature import fitted, open_rich
from tests.walk.walk import Walk, journey

PARTS = {"explanation": "explanation", "examples": "activations", "link to the page": "link"}
"""Label of a switch → the part of the embedded page that it turns off."""


@journey("feature: data behind this")
def data(walk: Walk) -> None:
    page = open_rich(walk)
    feature = walk.facts.rich
    name = f"{feature.sae.slug}-{feature.feature_idx}"
    with walk.step("JSON"):
        saved, text = walk.saved(walk.button("JSON", ".downloads", exact=True))
        assert saved == f"{name}.json"
        assert json.loads(text)["feature_idx"] == feature.feature_idx
    with walk.step("numbers as CSV"):
        saved, text = walk.saved(walk.button("numbers as CSV"))
        assert saved == f"{name}.csv"
        assert str(feature["firing_tokens"]) in text
    with walk.step("examples as CSV"):
        saved, text = walk.saved(walk.button("examples as CSV"))
        assert saved == f"{name}-examples.csv"
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        stored = sum(walk.facts.groups.values())
        assert len(rows) == stored or (fitted(walk) and 0 < len(rows) < stored)
    with walk.step("line of Python"):
        walk.hand.press(walk.button("copy", ".python"))
        page.locator(".copied").get_by_text("copied").first.wait_for()
        assert walk.copied() == f'atlas.open("data").feature({feature.feature_idx}, sae="{feature.sae.slug}")'
    with walk.step("data file of the page"):
        link = page.get_by_role("link", name="data file")
        path = link.evaluate("({ href }) => href").removeprefix(walk.root)
        assert walk.facts.has(path)
        walk.hand.press(link)
        page.wait_for_url(walk.root + path)
        walk.returns("atlas-feature")
    with walk.step("the dataset is described"):
        walk.hand.press(page.get_by_role("link", name="The dataset"))
        walk.leads(r"about\.html#data")


@journey("feature: cite, embed, guide")
def cite(walk: Walk) -> None:
    page = open_rich(walk)
    hand, feature = walk.hand, walk.facts.rich
    dialog = page.get_by_role("dialog")
    found = ""
    with walk.step("every form of citation is copied"):
        hand.press(walk.button("Cite", "atlas-cite", exact=True))
        dialog.wait_for()
        for name in ("LaTeX \\href", "Markdown", "Plain text", "BibTeX"):
            hand.press(dialog.get_by_role("radio", name=name))
            hand.look(dialog.locator("pre"))
            hand.press(dialog.get_by_role("button", name=f"Copy {name}"))
            dialog.get_by_text("Copied.").wait_for()
            found = walk.copied()
            assert found == dialog.locator("pre").text_content()
            assert re.search(rf"{feature.feature_idx}\.html\?h=[0-9a-f]{{18}}", found.replace("\\", ""))
        hand.press(dialog.get_by_role("radio", name="Embed"))
        dialog.get_by_role("heading", name="Embed this feature").wait_for()
        hand.press(dialog.get_by_role("button", name="Close"))
        dialog.wait_for(state="hidden")
    with walk.step("key c opens it, Escape closes"):
        page.keyboard.press("c")
        dialog.wait_for()
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
    _embed_steps(walk)
    with walk.step("guided minute, to its end"):
        hand.press(walk.button("What am I looking at?"))
        for _ in range(4):
            hand.press(dialog.get_by_role("button", name="Next"))
        hand.press(dialog.get_by_role("button", name="Back"))
        assert dialog.locator(".number").inner_text() == "4 / 5"
        hand.press(dialog.get_by_role("button", name="Next"))
        assert dialog.get_by_role("definition").count() > 5
        hand.look(dialog.locator(".meanings"))
        hand.press(dialog.get_by_role("button", name="Done"))
        dialog.wait_for(state="hidden")
    with walk.step("from its last step to all definitions"):
        hand.press(walk.button("What am I looking at?"))
        for _ in range(4):
            hand.press(dialog.get_by_role("button", name="Next"))
        hand.press(dialog.get_by_role("link", name="about this atlas"))
        walk.leads(r"about\.html#numbers")
        assert page.locator("#numbers").is_visible()
    with walk.step("a cited link tells whether anything changed"):
        own = re.findall(r"\?h=([0-9a-f]{18})", found)[0]
        open_rich(walk, f"?h={own}")
        assert "Unchanged" in page.locator(".cited").inner_text()
        open_rich(walk, f"?h={'0' * 18 if own[0] != '0' else '1' * 18}")
        assert "Changed since it was cited" in page.locator(".cited").inner_text()


def _embed_steps(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    dialog = page.get_by_role("dialog")
    with walk.step("iframe snippet follows its switches"):
        hand.press(walk.button("Embed", "atlas-cite", exact=True))
        dialog.wait_for()
        for name, part in PARTS.items():
            for state in (False, True):
                hand.press(dialog.get_by_role("checkbox", name=name))
                dialog.locator("pre", has_text=f"embed{part}=false").wait_for(
                    state="detached" if state else "attached"
                )
        hand.press(dialog.get_by_label("numbers and plots"))
        hand.pick(dialog.locator("select").first, "1")
        hand.pick(dialog.locator("select").last, "dark")
        hand.press(dialog.get_by_role("button", name="Copy the iframe"))
        dialog.get_by_text("Copied.").wait_for()
        snippet = walk.copied().replace("&amp;", "&")
        assert all(part in snippet for part in ("embed=true", "embedplots=false", "examples=1", "theme=dark"))
        hand.press(dialog.get_by_text("Fit its height"))
        hand.press(dialog.get_by_role("button", name="Copy the script"))
        walk.copies("<script>")
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
    with walk.step("the embedded page shows what was asked for"):
        query = re.findall(r"\?embed=true[^\"]*", snippet)[0]
        open_rich(walk, query)
        assert page.locator(".margin").is_hidden()
        assert page.locator(".examples > li:visible").count() == 1
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        assert page.locator(".embed-link a").get_attribute("href").endswith(walk.facts.rich.page)
        open_rich(walk)
