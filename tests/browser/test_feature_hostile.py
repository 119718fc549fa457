"""Hostile text in every picture and under every switch of a feature page: shown to the letter, never run."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from atlas.text import badges, display_text
from tests.support.hostile import COUNTER, LONG, OWN, visible
from tests.support.synthetic import make_atlas

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor

SLUG = "alpha"
TEXTS = [text.encode("utf-8", "replace").decode() for text in (*OWN, *LONG)]
VIEWS = (
    "?examples=interval&spaces=1",
    "?examples=random&context=short&x=log&y=log",
    "?examples=counter&context=sentence",
    "?colour=loss&logits=other",
)
FEATURES = range(0, len(TEXTS), 7)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose tokens, documents, explanations and names are all hostile."""
    folder = tmp_path_factory.mktemp("hostile-feature")
    store = make_atlas(folder / "data", n_features=len(TEXTS), saes=(SLUG,), dead=(), hostile=TEXTS)
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, lambda *_: None, base=folder)
    return folder / "site"


@pytest.fixture
def armed(visit: Visitor, site: Path) -> Iterator[Visit]:
    """A page that counts executions; at the end there were none, and nothing else went wrong."""
    visited = visit()
    visited.page.context.add_init_script(COUNTER)
    yield visited
    assert int(visited.page.evaluate("window.probed")) == 0
    assert visited.record.problems(site.as_uri()) == []


def opened(visited: Visit, site: Path, feature: int, state: str = "") -> Page:
    """The drawn page of a feature; what ran on it is counted at once, before the next page forgets."""
    page = visited.open(f"{site.as_uri()}/{SLUG}/0/{feature}.html{state}")
    page.wait_for_selector("atlas-feature[data-ready]", state="attached")
    assert int(page.evaluate("window.probed")) == 0, (feature, state)
    return page


def block(text: str) -> str:
    """What preformatted places show of `text`: `visible`, with lines and tabs kept."""
    parts = (part if kind == "badge" else display_text(part, newlines=True) for kind, part in badges(text))
    return "".join(parts)


def payload(page: Page) -> dict[str, Any]:
    """What the page was drawn from."""
    return page.evaluate(
        "(({ shard, payload }) => ({ shard, payload }))(document.querySelector('atlas-feature').data)"
    )


@pytest.mark.parametrize("state", VIEWS)
def test_every_view_shows_its_text_and_runs_nothing(armed: Visit, site: Path, state: str):
    for feature in FEATURES:
        page = opened(armed, site, feature, state)
        assert page.locator("h1").text_content() == visible(TEXTS[feature])
        markup = "script, img, iframe, object, embed, base, form:not([role=search]), svg [onload]"
        assert page.locator(f"atlas-feature :is({markup})").count() == 0


def test_strips_documents_and_titles_are_exact(armed: Visit, site: Path):
    for feature in FEATURES:
        page = opened(armed, site, feature)
        data = payload(page)
        pieces, documents = data["shard"]["pieces"], data["shard"]["documents"]
        (top,) = [group["examples"] for group in data["payload"]["groups"] if group["group"] == "top"]
        texts = ["".join(pieces[piece] for piece in example["pieces"]) for example in top]
        assert page.locator(".strip").evaluate_all("(all) => all.map((one) => one.textContent)") == [
            block(text) for text in texts
        ]
        names = page.locator(".document").evaluate_all("(all) => all.map((one) => one.textContent)")
        assert names == [visible(documents[example["document"]]) for example in top]
        titles = dict(map(tuple, data["shard"]["titles"]))
        links = page.locator("#neighbours td a")
        for at in range(links.count()):
            number = int(links.nth(at).get_attribute("href").rsplit("/", 1)[1].removesuffix(".html"))
            assert links.nth(at).text_content() == visible(titles.get(number, f"feature {number}"))


def test_a_copied_text_is_the_text_of_the_corpus(armed: Visit, site: Path):
    armed.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for feature in FEATURES:
        page = opened(armed, site, feature)
        data = payload(page)
        (top,) = [group["examples"] for group in data["payload"]["groups"] if group["group"] == "top"]
        page.locator(".example-tools button").first.focus()
        page.keyboard.press("Enter")
        page.locator(".copied").get_by_text("copied").first.wait_for()
        text = "".join(data["shard"]["pieces"][piece] for piece in top[0]["pieces"])
        taken = page.evaluate("navigator.clipboard.readText()")
        # Clipboards of systems end texts at NUL, and may write line ends their own way.
        assert taken.replace("\r\n", "\n").split("\0")[0] == text.replace("\r\n", "\n").split("\0")[0]


def test_files_hold_the_exact_text_and_no_formulas(armed: Visit, site: Path, tmp_path: Path):
    page = opened(armed, site, 0)
    data = payload(page)
    for label, name in (("JSON", "f.json"), ("examples as CSV", "f.csv")):
        with page.expect_download() as waiting:
            page.locator("#data").get_by_role("button", name=label).click()
        waiting.value.save_as(tmp_path / name)
    record = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    assert record["explanation"] == TEXTS[0]
    shown = [example for group in data["payload"]["groups"] for example in group["examples"]]
    texts = ["".join(data["shard"]["pieces"][piece] for piece in example["pieces"]) for example in shown]
    assert [
        example["before"] + example["token"] + example["after"] for example in record["examples"]
    ] == texts
    with (tmp_path / "f.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert len(rows) == len(texts)
    assert all(not field.startswith(("=", "+", "@", "\t", "\r", "\n")) for row in rows for field in row)


@pytest.mark.parametrize("width", [360, 1280])
def test_texts_without_end_do_not_widen_the_page(armed: Visit, site: Path, width: int):
    armed.page.set_viewport_size({"width": width, "height": 800})
    for feature in range(len(OWN), len(TEXTS)):
        page = opened(armed, site, feature)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, TEXTS[feature][:9]
