"""Citing, embedding, figures, print, the guide and reading offline in a real Chromium."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import axe, web
from tests.support.listed import listed_site

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.browser import Visit, Visitor

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("home", ["file", "http"], indirect=True)
HTTP = pytest.mark.parametrize("home", ["http"], indirect=True)
FEATURE = "alpha/0/5.html"
BASE = "https://example.org/some atlas/"
SVG = "{http://www.w3.org/2000/svg}"

Opener = Callable[..., "Page"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return listed_site(tmp_path_factory.mktemp("cited"))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a published address."""
    return listed_site(tmp_path_factory.mktemp("published"), BASE)


@pytest.fixture
def home(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Address of the site's root."""
    with web.published(site, getattr(request, "param", "file")) as url:
        yield url


@pytest.fixture
def visited(visit: Visitor) -> Iterator[Opener]:
    """`visited(address)` opens a page, which may be read offline or lead elsewhere; no script may fail."""
    visits: list[Visit] = []

    def start(address: str, *, width: int = 1280, **options: Any) -> Page:
        visits.append(visit(size=(width, 900), workers="allow", **options))
        page = visits[-1].open(address)
        if re.search(r"/\d+\.html", address):
            page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        return page

    yield start
    assert [line for one in visits for line in one.record.console + one.record.errors] == []


def cited_hash(page: Page) -> str:
    """The hash in the citation that the page offers."""
    page.locator("atlas-cite").get_by_role("button", name="Cite").click()
    text = page.locator(".to-copy pre").inner_text()
    page.keyboard.press("Escape")
    return re.findall(r"\?h=([0-9a-f]{18})", text)[0]


class TestCite:
    @BOTH
    def test_every_form_is_offered_and_copied(self, visited: Opener, home: str):
        page = visited(home + FEATURE, permissions=["clipboard-read", "clipboard-write"])
        page.keyboard.press("c")
        dialog = page.get_by_role("dialog")
        seen: list[str] = []
        for name in ("BibTeX", "LaTeX \\href", "Markdown", "Plain text"):
            dialog.get_by_text(name, exact=True).click()
            text = dialog.locator("pre").inner_text()
            dialog.get_by_role("button", name=f"Copy {name}").click()
            dialog.get_by_text("Copied.").wait_for()
            assert page.evaluate("navigator.clipboard.readText()") == text
            assert re.search(r"alpha/0/5\.html\?h=[0-9a-f]{18}", text.replace("\\", ""))
            seen.append(text)
        assert seen[0].startswith("@misc{atlas-alpha-5-")
        assert seen[1].startswith("\\href{")
        assert seen[2].startswith("[feature alpha/5")
        assert len(set(seen)) == 4

    def test_by_keyboard_alone(self, visited: Opener, home: str):
        page = visited(home + FEATURE)
        page.locator("atlas-cite button").first.press("Enter")
        dialog = page.get_by_role("dialog")
        dialog.wait_for()
        assert page.evaluate("document.activeElement.type") == "radio"
        page.keyboard.press("ArrowRight")
        assert dialog.locator("pre").inner_text().startswith("\\href")
        page.keyboard.press("ArrowRight")
        # The arrow was the dialog's: the page behind stays where it is.
        assert page.url.endswith(FEATURE)
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.textContent.trim()") == "Cite"

    def test_the_published_address_is_cited_from_a_disk_too(self, visited: Opener, published: Path):
        page = visited(f"{published.as_uri()}/{FEATURE}")
        page.keyboard.press("c")
        text = page.get_by_role("dialog").locator("pre").inner_text()
        assert "url          = {https://example.org/some%20atlas/alpha/0/5.html?h=" in text
        assert page.get_by_text("This copy lies on a disk").count() == 0

    def test_a_disk_without_a_published_address_says_so(self, visited: Opener, home: str):
        page = visited(home + FEATURE)
        page.keyboard.press("c")
        page.get_by_text("This copy lies on a disk").wait_for()
        assert "file:" not in page.get_by_role("dialog").locator("pre").inner_text()

    @BOTH
    def test_whoever_follows_a_citation_is_told_of_changes(self, visited: Opener, home: str):
        own = cited_hash(visited(home + FEATURE))
        parts = [own[:6], own[6:12], own[12:]]

        def told(cited: str) -> str:
            return visited(f"{home}{FEATURE}?h={cited}").locator(".cited").inner_text()

        assert told(own).startswith("Unchanged since it was cited")
        other = "".join("1" if digit == "0" else "0" for digit in own[:6])
        assert "numbers" in told(other + parts[1] + parts[2]).split(".")[0]
        assert "explanation" not in told(other + parts[1] + parts[2]).split(".")[0]
        assert "Changed since it was cited: explanation, examples and numbers." in told(other * 3)
        assert "cannot tell" in told("<script>")


class TestEmbed:
    @BOTH
    def test_the_page_alone_with_a_way_to_the_whole(self, visited: Opener, home: str):
        page = visited(f"{home}{FEATURE}?embed=true&examples=2&theme=dark")
        for gone in (".top", ".foot", ".crumbs", ".feature-tools"):
            assert page.locator(gone).first.is_hidden(), gone
        assert page.locator(".examples > li:visible").count() == 2
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
        link = page.locator(".embed-link a")
        assert link.get_attribute("href") == home + FEATURE
        with page.context.expect_page() as opened:
            link.click()
        assert opened.value.url == home + FEATURE

    @pytest.mark.parametrize(
        ("parameter", "selector"),
        [
            ("embedexplanation", "h1"),
            ("embedactivations", ".examples"),
            ("embedplots", ".margin"),
            ("embedlink", ".embed-link"),
        ],
    )
    def test_parts_are_turned_off_by_the_names_neuronpedia_gave_them(
        self, visited: Opener, home: str, parameter: str, selector: str
    ):
        on = visited(f"{home}{FEATURE}?embed=true&{parameter}=true")
        assert on.locator(selector).first.is_visible()
        off = visited(f"{home}{FEATURE}?embed=true&{parameter}=false&embedtest=false&embedsteer=false")
        assert off.locator(selector).first.is_hidden()

    @HTTP
    def test_the_snippet_works_and_the_frame_takes_the_height_of_its_page(
        self, visited: Opener, home: str, tmp_path: Path
    ):
        page = visited(home + FEATURE)
        page.locator("atlas-cite").get_by_role("button", name="Embed").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("numbers and plots").uncheck()
        dialog.locator("select").first.select_option("1")
        dialog.locator("select").last.select_option("light")
        snippet = dialog.locator("pre").first.inner_text()
        dialog.get_by_text("Fit its height").click()
        script = dialog.locator("pre").last.inner_text()
        assert "embedplots=false" in snippet
        (tmp_path / "host.html").write_text(
            f"<!doctype html><meta charset=utf-8><link rel=icon href=data:,>{snippet}{script}", "utf-8"
        )
        with web.serve_folder(tmp_path) as host:
            outer = visited(host.url("host.html"))
            frame = outer.frame_locator("iframe")
            frame.locator("atlas-feature[data-ready]").wait_for(state="attached")
            outer.wait_for_function("Math.abs(document.querySelector('iframe').height - 540) > 1")
            needed = frame.locator("html").evaluate("(html) => html.getBoundingClientRect().height")
            outer.wait_for_function(
                "(height) => Math.abs(document.querySelector('iframe').height - height) < 3", arg=needed
            )
            assert frame.locator(".examples > li:visible").count() == 1
            assert frame.locator(".margin").is_hidden()

    @pytest.mark.parametrize("width", [300, 640, 1280])
    def test_no_rule_is_broken_and_nothing_is_cut_off(self, visited: Opener, home: str, width: int):
        page = visited(f"{home}{FEATURE}?embed=true", width=width)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert axe.violations(page) == []


class TestFigures:
    @BOTH
    def test_strips_and_histograms_are_saved_as_svg(self, visited: Opener, home: str, tmp_path: Path):
        page = visited(home + FEATURE, scheme="dark")
        shown = page.locator("li.example").first.locator(".strip").inner_text()
        for kind, name in (("strip", "alpha-5-top-1.svg"), ("histogram", "alpha-5-activations.svg")):
            with page.expect_download() as caught:
                page.locator(f"[data-figure={kind}]").first.press("Enter")
            assert caught.value.suggested_filename == name
            caught.value.save_as(tmp_path / name)
        # The page keeps its own colours.
        assert page.evaluate("document.documentElement.dataset.theme") is None
        strip = ET.parse(tmp_path / "alpha-5-top-1.svg").getroot()  # noqa: S314 - as above
        texts = ["".join(node.itertext()) for node in strip.iter(f"{SVG}text")]
        assert re.sub(r"\s", "", shown) in re.sub(r"\s", "", "".join(texts))
        fills = {node.get("fill") for node in strip.iter(f"{SVG}rect")}
        assert {"#ffffff", "#e8590c"} <= fills
        histogram = ET.parse(tmp_path / "alpha-5-activations.svg").getroot()  # noqa: S314 - as above
        bars = page.locator("#activations .histogram svg rect").count()
        assert len(list(histogram.iter(f"{SVG}rect"))) == bars + 1
        for root in (strip, histogram):
            assert not [node for node in root.iter() if "href" in "".join(node.keys())]
            assert {node.tag.removeprefix(SVG) for node in root.iter()} <= {
                "svg",
                "style",
                "rect",
                "text",
                "path",
            }

    @pytest.mark.parametrize("kind", ["strip", "histogram"])
    def test_a_figure_becomes_a_pdf_of_its_size_whose_text_is_text(
        self, visited: Opener, home: str, tmp_path: Path, kind: str
    ):
        page = visited(home + FEATURE)
        with page.expect_download() as caught:
            page.locator(f"[data-figure={kind}]").first.press("Enter")
        caught.value.save_as(tmp_path / "figure.svg")
        root = ET.parse(tmp_path / "figure.svg").getroot()  # noqa: S314 - as above
        page.goto((tmp_path / "figure.svg").as_uri())
        pdf = page.pdf(prefer_css_page_size=True)
        (box,) = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
        # A point is 4/3 of a pixel, and paper is cut at whole fractions of an inch.
        assert [float(side) for side in box] == pytest.approx(
            [float(root.attrib[side]) * 3 / 4 for side in ("width", "height")], abs=1
        )
        assert b"/Font" in pdf
        assert b"/Subtype /Image" not in pdf


class TestPrint:
    @pytest.mark.parametrize("number", [0, 3, 5, 17, 39])
    @pytest.mark.parametrize("paper", ["A4", "Letter"])
    def test_one_feature_is_one_sheet(self, visited: Opener, home: str, number: int, paper: str):
        page = visited(f"{home}alpha/0/{number}.html")
        assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))) == 1

    def test_controls_stay_off_the_paper(self, visited: Opener, home: str):
        page = visited(home + FEATURE)
        page.emulate_media(media="print")
        assert page.locator("button:visible, input:visible, select:visible").all_inner_texts() == ["alpha/5"]
        assert page.locator("h1").is_visible()
        assert page.locator("#numbers").is_visible()


class TestGuide:
    @BOTH
    def test_by_mouse_from_first_to_last_page(self, visited: Opener, home: str):
        page = visited(home + FEATURE)
        button = page.get_by_role("button", name="What am I looking at?")
        assert "fresh" in (button.get_attribute("class") or "")
        button.click()
        dialog = page.get_by_role("dialog")
        titles: list[str] = []
        for _ in range(4):
            titles.append(dialog.locator("h3").inner_text())
            dialog.get_by_role("button", name="Next").click()
        assert len(set(titles)) == 4
        assert dialog.get_by_role("definition").count() >= 8
        dialog.get_by_role("button", name="Done").click()
        assert dialog.is_hidden()
        page.reload()
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        assert "quiet" in (button.get_attribute("class") or "")

    def test_by_keyboard_from_the_help(self, visited: Opener, home: str):
        page = visited(home + FEATURE)
        page.keyboard.press("?")
        page.get_by_role("dialog").get_by_role("button", name="What am I looking at?").press("Enter")
        dialog = page.get_by_role("dialog")
        assert dialog.locator(".number").inner_text() == "1 / 5"
        for _ in range(6):
            page.keyboard.press("ArrowRight")
        assert dialog.locator(".number").inner_text() == "5 / 5"
        page.keyboard.press("ArrowLeft")
        assert dialog.locator(".number").inner_text() == "4 / 5"
        assert page.url.endswith(FEATURE)
        page.keyboard.press("Escape")
        assert dialog.is_hidden()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [1280, 390])
    def test_no_dialog_breaks_a_rule(self, visited: Opener, home: str, scheme: str, width: int):
        page = visited(home + FEATURE, width=width, scheme=scheme)
        for opener in ("Cite", "Embed", "What am I looking at?"):
            page.get_by_role("button", name=opener).click()
            dialog = page.get_by_role("dialog")
            dialog.wait_for()
            assert axe.violations(page) == [], opener
            box = dialog.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            page.keyboard.press("Escape")
        page.locator(".keys-button").click()
        assert axe.violations(page) == []


class TestOffline:
    @HTTP
    def test_what_was_opened_can_be_read_without_a_network(self, visited: Opener, home: str):
        page = visited(home + FEATURE)
        page.keyboard.press("?")
        page.get_by_role("button", name="Keep pages for offline").click()
        page.get_by_text("can be read without a network").wait_for()
        for path in ("alpha/0/6.html", FEATURE):
            page.goto(home + path)
            page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        page.context.set_offline(True)
        page.goto(home + "alpha/0/6.html?examples=random")
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        assert page.locator(".examples > li").count() > 0
        page.context.set_offline(False)
        page.keyboard.press("?")
        page.get_by_role("button", name="Keep pages for offline").click()
        page.get_by_text("Nothing is kept any more").wait_for()
        assert page.evaluate("caches.keys()") == []

    def test_from_a_disk_it_is_not_offered(self, visited: Opener, home: str):
        page = visited(home + FEATURE)
        page.keyboard.press("?")
        page.get_by_role("dialog").wait_for()
        assert page.get_by_role("button", name="Keep pages for offline").count() == 0

    @HTTP
    def test_the_front_page_can_be_installed(self, visited: Opener, home: str):
        page = visited(home + "index.html")
        manifest = page.locator("link[rel=manifest]").get_attribute("href")
        assert manifest == "atlas.webmanifest"
        answer = page.context.request.get(home + manifest)
        assert answer.json()["start_url"] == "index.html"
        assert page.context.request.get(home + answer.json()["icons"][0]["src"]).ok
