"""Journeys of what all pages share: menu, theme, help, random, reading offline, the front page."""

from __future__ import annotations

import re

from tests.walk.walk import Walk, journey

TOP = ("about", "map", "search", "starred", "test", "contrast", "steer")
"""Pages beside the front page; not every site has all of them."""

SCHEME = "document.documentElement.dataset.theme ?? 'auto'"


@journey("frame: menu, theme, help, guide")
def frame(walk: Walk) -> None:
    page = walk.open("index.html")
    hand = walk.hand
    with walk.step("theme goes round and is remembered"):
        seen: list[str] = []
        for _ in range(3):
            hand.press(walk.find(".theme-button"))
            seen.append(page.evaluate(SCHEME))
        assert sorted(seen) == ["auto", "dark", "light"]
        hand.press(walk.find(".theme-button"))
        kept = page.evaluate(SCHEME)
        walk.open("about.html")
        assert page.evaluate(SCHEME) == kept
    with walk.step("every entry of the menu"):
        count = page.locator("header nav a").count()
        assert count >= 3
        for number in range(count):
            entry = page.locator("header nav a").nth(number)
            target = entry.evaluate("({ href }) => href")
            hand.press(entry)
            page.wait_for_url(target + "**" if "#" not in target else target)
            assert page.locator("h1").first.is_visible()
        hand.press(walk.find(".brand"))
        walk.leads(r"index\.html")
        hand.press(page.locator("header nav a").first)
        walk.leads(r"index\.html#saes" if len(walk.facts.slugs) > 1 else rf"{walk.facts.sae}/index\.html")
    with walk.step("skip to the content"):
        if walk.by == "keyboard":
            hand.press(walk.find(".skip"))
            assert page.evaluate("document.activeElement.id") == "main"
    with walk.step("help by ? and by its button, and the guide behind it"):
        dialog = page.get_by_role("dialog")
        page.keyboard.press("?")
        dialog.get_by_text("a random feature").wait_for()
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        hand.press(walk.find(".keys-button"))
        hand.press(dialog.get_by_role("button", name="What am I looking at?"))
        assert dialog.locator(".number").inner_text() == "1 / 5"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
    _about(walk)


def _about(walk: Walk) -> None:
    page, hand = walk.page, walk.hand
    with walk.step("the build is told"):
        hand.press(walk.find("footer a"))
        walk.leads(r"about\.html#verify")
        assert page.locator("#verify").count() == 1
        hand.press(walk.find("footer a"))
        walk.leads(r"about\.html#verify")
        for summary in page.locator("main summary").all():
            hand.press(summary)
        assert page.locator("main details:not([open])").count() == 0
    with walk.step("contents of the page, and from it to each SAE"):
        for entry in page.locator("nav.contents a").all():
            hand.press(entry)
            target = entry.evaluate("({ hash }) => hash")
            walk.leads(rf"about\.html{target}")
            assert page.locator(target).count() == 1
        hand.press(page.locator("main h3 a").first)
        walk.leads(rf"{walk.facts.sae}/index\.html")


@journey("front page: ways in")
def home(walk: Walk) -> None:
    page = walk.open("index.html")
    hand = walk.hand
    with walk.step("a random feature"):
        hand.press(walk.find(".hero [data-action=random]"))
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
    with walk.step("definitions unfold"):
        walk.open("index.html")
        if page.locator("main summary").count():
            hand.press(walk.find("main summary"))
            assert page.locator("main details[open] dt").count() > 3
    with walk.step("ways into the atlas"):
        for number in range(page.locator(".ways a").count()):
            walk.open("index.html")
            way = page.locator(".ways a").nth(number)
            target = way.evaluate("({ href }) => href")
            hand.press(way)
            page.wait_for_url(re.compile(re.escape(target)))
    with walk.step("a find, and an SAE"):
        walk.open("index.html")
        if page.locator(".find a").count():
            hand.press(walk.find(".find a"))
            page.wait_for_selector("atlas-feature[data-ready]", state="attached")
            walk.open("index.html")
        lists = page.locator("main a[href^='lists/']")
        if lists.count():
            hand.press(lists.first)
            page.wait_for_selector("atlas-curated-list[data-ready]")
            walk.open("index.html")
        hand.press(walk.find("#saes h2 a"))
        walk.leads(rf"{walk.facts.sae}/index\.html")
        page.wait_for_selector("atlas-feature-table[data-ready]")
        summary = page.locator("main summary")
        if summary.count():
            hand.press(summary.first)


@journey("crumbs lead up")
def crumbs(walk: Walk) -> None:
    facts = walk.facts
    pages = [f"{facts.sae}/index.html", f"{facts.sae}/0/index.html", *facts.curated[:1]]
    for path in pages + [f"{name}.html" for name in TOP if facts.has(f"{name}.html")]:
        with walk.step(f"from {path}"):
            ready = "atlas-feature-table" if path == pages[0] else ""
            for number in range(walk.open(path, ready).locator(".crumbs a").count()):
                crumb = walk.open(path, ready).locator(".crumbs a").nth(number)
                target = crumb.evaluate("({ href }) => href")
                walk.hand.press(crumb)
                walk.page.wait_for_url(f"{target}*")
                assert walk.page.locator("h1").first.is_visible()


@journey("what is wider than a narrow screen is moved")
def narrow(walk: Walk) -> None:
    facts = walk.facts
    for path in ("about.html", f"{facts.sae}/0/index.html"):
        page = walk.open(path, size=(390, 800))
        for summary in page.locator("main summary").all():
            walk.hand.press(summary)
        for region in page.locator("main .scroll").all():
            label = region.get_attribute("aria-label")
            with walk.step(f"{path}: {label}"):
                walk.hand.look(region)
                if not region.evaluate("(one) => one.scrollWidth > one.clientWidth"):
                    continue
                if walk.by == "mouse":
                    page.mouse.wheel(200, 0)
                else:
                    page.keyboard.press("ArrowRight")
                page.wait_for_function("(one) => one.scrollLeft > 0", arg=region.element_handle())


@journey("offline reading", hosted=True)
def offline(walk: Walk) -> None:
    feature = walk.facts.rich
    page = walk.open(feature.page, "atlas-feature", workers="allow")
    hand = walk.hand
    with walk.step("pages are kept"):
        page.keyboard.press("?")
        hand.press(walk.button("Keep pages for offline"))
        page.get_by_text("can be read without a network").wait_for()
        walk.open(feature.page, "atlas-feature")
    with walk.step("and read without a network"):
        page.context.set_offline(offline=True)
        walk.open(feature.page, "atlas-feature")
        assert page.locator("li.example").count() > 0
        page.context.set_offline(offline=False)
    with walk.step("until that is ended"):
        page.keyboard.press("?")
        hand.press(walk.button("Keep pages for offline"))
        page.get_by_text("Nothing is kept any more").wait_for()
        assert page.evaluate("caches.keys()") == []


@journey("missing address", hosted=True)
def missing(walk: Walk) -> None:
    walk.open("index.html")
    page, last = walk.page, walk.facts.size - 1
    lost = f"{walk.root}{walk.facts.sae}/{last}"
    with walk.step("leads to the feature that was meant"):
        page.goto(lost)
        walk.hand.press(page.get_by_role("link", name=f"{walk.facts.sae}/{last // 1000}/{last}.html"))
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
    with walk.step("its menu leads where it does from everywhere"):
        for name in ("To the front page", "Search", "About"):
            page.goto(lost)
            page.get_by_role("link", name=f"{last}.html").wait_for()
            walk.hand.press(page.locator("body").get_by_role("link", name=name).first)
            page.wait_for_selector("body:not([data-page=missing])")
            assert page.url.startswith(walk.root)
            assert page.url.count("/") == walk.root.count("/")
    # The missing address itself is a 404, and its page guesses where the site's assets lie.
    record = walk.record
    record.failed = [line for line in record.failed if not line.endswith(": 404")]
    record.console = [line for line in record.console if "404" not in line]
    record.requests = [url for url in record.requests if "/assets/" not in url]
