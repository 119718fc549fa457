"""The page of one feature in a real Chromium: every control by mouse and by keyboard, file:// and http."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atlas.config import RenderConfig
from atlas.render.output import Output
from atlas.render.site import render_site
from tests.support import axe, requirements
from tests.support.rich import DENSE, SINGLE, SLUG, TWIN, UNEXPLAINED, make_rich_atlas
from tests.support.web import published

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.support.browser import Visit, Visitor

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("root", ["file", "http"], indirect=True)
HANDS = pytest.mark.parametrize("use", ["mouse", "keyboard"])
Show = Callable[..., "Page"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose feature pages hold every picture."""
    root = requirements.ROOT
    if not (root / "themes/default/dist/feature.js").is_file():
        requirements.missing(
            "the scripts are not bundled", fix="cd themes/default && npm ci && npm run build"
        )
    folder = tmp_path_factory.mktemp("rich")
    store = make_rich_atlas(folder / "data")
    with Output(folder / "site") as out:
        render_site(store, RenderConfig(), out, lambda *_: None, base=folder)
    return folder / "site"


@pytest.fixture
def root(request: pytest.FixtureRequest, site: Path) -> Iterator[str]:
    """Address of the site: the folder, or ("http") a base path of a host."""
    with published(site, getattr(request, "param", "file")) as url:
        yield url


@pytest.fixture
def show(root: str, visit: Visitor) -> Iterator[Show]:
    """`show(7, "?examples=random")` opens a feature drawn by its script; nothing may go wrong meanwhile."""
    visits: list[Visit] = []

    def start(feature: int = 7, state: str = "", **options: Any) -> Page:
        visits.append(visit(**options))
        visits[-1].page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visits[-1].open(f"{root}{SLUG}/0/{feature}.html{state}")
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        return page

    yield start
    assert [line for visited in visits for line in visited.record.problems(root)] == []


def activate(control: Locator, use: str) -> None:
    """Click a control, or focus it and press Enter."""
    if use == "mouse":
        control.click()
        return
    control.focus()
    control.press("Enter")


def card(page: Page, name: str) -> Locator:
    """The card with that id."""
    return page.locator(f".card#{name}")


def strips(page: Page) -> list[str]:
    """The texts of all strips."""
    return page.locator(".strip").all_inner_texts()


def copied(page: Page) -> str:
    """What the page has put on the clipboard, once it says so."""
    page.locator(".copied").get_by_text("copied").first.wait_for()
    return page.evaluate("navigator.clipboard.readText()")


class TestHeader:
    def test_it_has_explanation_source_score_and_counts_with_their_interval(self, show: Show):
        page = show(7)
        assert page.locator("h1").inner_text().startswith("fires on")
        chips = page.locator(".chips").inner_text()
        assert "made up · held-out F1 0.91" in chips
        assert re.search(r"fires on 1 in [\d.]+ tokens", chips)
        assert re.search(r"\d+ of [\d,]+ tokens, 95\s% interval 1 in [\d.]+\u2013[\d.]+", chips)

    def test_the_headline_does_not_change_when_the_script_draws_it(
        self, show: Show, root: str, visit: Visitor
    ):
        for feature in (3, DENSE, 7, UNEXPLAINED):
            plain = visit(javascript=False).open(f"{root}{SLUG}/0/{feature}.html")
            expected = plain.locator("h1").inner_text()
            chips = [chip.inner_text().replace(":", "") for chip in plain.locator(".chips > *").all()]
            page = show(feature)
            assert page.locator("h1").inner_text() == expected
            assert page.locator("h1").count() == 1
            drawn = page.locator(".chips").inner_text()
            assert [chip for chip in chips if chip not in drawn.replace("\n", " ")] == []

    @pytest.mark.parametrize(
        ("feature", "badge"),
        [(3, "dead"), (DENSE, "dense"), (SINGLE, "single-token"), (TWIN, "duplicate of 7")],
    )
    def test_badges(self, show: Show, feature: int, badge: str):
        page = show(feature)
        assert page.locator(".chip.warn").all_inner_texts() == [badge]
        page.locator(".chip.warn").focus()
        assert page.locator(".value-card").is_visible()

    def test_a_duplicate_is_a_link(self, show: Show):
        page = show(TWIN)
        page.get_by_role("link", name="duplicate of 7").click()
        page.wait_for_url(f"**/{SLUG}/0/7.html")

    @HANDS
    def test_the_id_can_be_copied(self, show: Show, use: str):
        page = show(7)
        activate(page.get_by_role("button", name=f"{SLUG}/7"), use)
        assert copied(page) == f"{SLUG}/7"

    def test_contexts_have_an_interval_of_their_own(self, show: Show):
        page = show(7)
        page.locator(".chip[data-tip]").first.focus()
        assert "contexts" in page.locator(".value-card").inner_text()

    @HANDS
    def test_next_previous_random(self, show: Show, use: str):
        page = show(7)
        activate(page.get_by_role("link", name="8 →"), use)
        page.wait_for_url(f"**/{SLUG}/0/8.html")
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        activate(page.get_by_role("link", name="← 7"), use)
        page.wait_for_url(f"**/{SLUG}/0/7.html")
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        with page.expect_navigation():
            activate(page.get_by_role("button", name="random"), use)
        page.locator(".activation").first.wait_for()

    def test_without_an_explanation_the_number_is_the_headline(self, show: Show):
        page = show(UNEXPLAINED)
        assert page.locator("h1").inner_text() == f"Feature {UNEXPLAINED}"
        assert "no explanation" in page.locator(".chips").inner_text()

    def test_there_is_room_for_tools(self, show: Show):
        assert show(7).locator(".feature-tools").count() == 1


class TestExamples:
    @BOTH
    @HANDS
    def test_tabs(self, show: Show, use: str):
        page = show(7)
        seen = {"top": strips(page)}
        for label, state in (
            ("By strength", "interval"),
            ("Random firings", "random"),
            ("Counter-examples", "counter"),
        ):
            activate(page.get_by_role("tab", name=label), use)
            assert page.get_by_role("tab", selected=True).inner_text() == label
            assert f"examples={state}" in page.url
            seen[state] = strips(page)
            again = show(7, f"?examples={state}")
            assert strips(again) == seen[state]
        assert all(seen.values())

    def test_counter_examples_do_not_fire_and_say_so(self, show: Show):
        page = show(7, "?examples=counter")
        headings = page.locator("#examples-panel h3").all_inner_texts()
        assert headings == ["Same token, silent", "Near misses"]
        assert set(page.locator(".example .activation").all_inner_texts()) == {"silent"}
        page.locator(".strip .peak").first.focus()
        assert page.locator(".value-card").inner_text() == "does not fire here"
        colours = page.locator(".strip .peak").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).backgroundColor)"
        )
        assert set(colours) == {"rgba(0, 0, 0, 0)"}
        lines = page.locator(".strip .peak").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).textDecorationStyle)"
        )
        assert set(lines) == {"dashed"}

    @HANDS
    def test_one_interval_alone(self, show: Show, use: str):
        page = show(7, "?examples=interval")
        every = page.locator("#examples-panel h3").all_inner_texts()
        buttons = page.locator(".intervals button")
        assert buttons.count() == len(every) + 1
        activate(buttons.nth(1), use)
        assert page.locator("#examples-panel h3").all_inner_texts() == every[:1]
        assert f"interval={len(every) - 1}" in page.url
        activate(buttons.first, use)
        assert page.locator("#examples-panel h3").all_inner_texts() == every
        assert "interval=" not in page.url.replace("examples=interval", "")

    @HANDS
    def test_context_short_sentence_full(self, show: Show, use: str):
        page = show(7)
        full = strips(page)
        for name in ("short", "sentence"):
            activate(page.get_by_role("button", name=name, exact=True), use)
            assert f"context={name}" in page.url
            parts = strips(page)
            assert all(part.strip("…") in whole for part, whole in zip(parts, full, strict=True))
            assert parts == strips(show(7, f"?context={name}"))
        activate(page.get_by_role("button", name="full", exact=True), use)
        assert strips(page) == full
        assert "context=" not in page.url

    @HANDS
    def test_spaces_on_demand(self, show: Show, use: str):
        page = show(7)
        before = strips(page)
        activate(page.get_by_role("button", name="show spaces"), use)
        assert "spaces=1" in page.url
        shown = strips(page)
        assert "·" in "".join(shown)
        assert [text.replace("·\u200b", " ").replace("→\t", "\t") for text in shown] == before

    def test_values_on_hover_and_on_focus_with_arrow_keys(self, show: Show):
        page = show(7)
        tip = page.locator(".value-card")
        strongest = page.locator(".activation").first.inner_text()
        page.locator(".strip .peak").first.hover()
        assert tip.inner_text() == f"{strongest} · 100\u202f% of the maximum"
        page.mouse.move(5, 5)
        assert tip.is_hidden()
        strip = page.locator(".strip").filter(has=page.locator(".token[tabindex='-1']")).first
        strip.locator(".peak").focus()
        page.keyboard.press("Home")
        first = tip.inner_text()
        page.keyboard.press("End")
        assert tip.inner_text() != first
        assert page.evaluate("document.activeElement.closest('.strip') !== null")
        page.keyboard.press("Escape")
        assert tip.is_hidden()
        assert page.url.endswith("7.html")

    def test_the_tip_can_be_pointed_at(self, show: Show):
        page = show(7)
        page.locator(".scalars a").first.hover()
        box = page.locator(".value-card").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
        assert page.locator(".value-card").is_visible()
        page.mouse.move(5, 5)
        assert page.locator(".value-card").is_hidden()

    def test_escape_closes_the_tip_wherever_the_focus_is(self, show: Show):
        page = show(7)
        page.locator(".strip .peak").first.hover()
        assert page.locator(".value-card").is_visible()
        page.keyboard.press("Escape")
        assert page.locator(".value-card").is_hidden()

    @HANDS
    def test_a_text_can_be_copied_as_it_is(self, show: Show, use: str):
        page = show(7)
        page.locator(".example").first.hover()
        activate(page.locator(".example-tools button[title='Copy this text']").first, use)
        text = copied(page).replace("\r\n", "\n")
        assert text.replace("\n", "↵\n").rstrip("\n") == strips(page)[0].rstrip("\n")

    def test_equal_texts_are_counted(self, show: Show):
        page = show(7)
        assert page.locator(".copies").first.inner_text() == "and 1 equal text"

    def test_ends_of_documents_are_marked(self, show: Show):
        page = show(7)
        marks = page.locator(".strip .edge").evaluate_all("(all) => all.map((one) => one.ariaLabel)")
        assert marks
        assert {re.sub(r"\b(document|context)\b.*", "", mark) for mark in marks} <= {"The "}

    def test_the_legend_has_ten_steps(self, show: Show):
        page = show(7)
        colours = page.locator(".scale i").evaluate_all(
            "(all) => all.map((one) => getComputedStyle(one).backgroundColor)"
        )
        assert len(colours) == len(set(colours)) == 10


class TestLoss:
    @HANDS
    def test_strips_are_coloured_by_loss_effect(self, show: Show, use: str):
        page = show(7)
        assert page.locator(".helps5").count() == 0
        activate(page.get_by_role("button", name="loss effect"), use)
        assert "colour=loss" in page.url
        assert page.locator(".example").count() == 1
        assert page.locator(".strip .helps5").count() > 0
        assert "nats" in page.locator(".legend").inner_text()
        page.locator(".strip .peak").focus()
        assert page.locator(".value-card").inner_text() == "+0.25 nats · the feature helps to predict it"
        activate(page.get_by_role("button", name="activation", exact=True).first, use)
        assert page.locator(".example").count() > 1

    @HANDS
    def test_logits_are_measured_beside_direct(self, show: Show, use: str):
        page = show(7, "?colour=loss")
        tables = page.locator(".changes table")
        assert tables.count() == 2
        activate(page.locator(".changes summary"), use)
        assert not tables.first.is_visible()
        activate(page.locator(".changes summary"), use)
        assert tables.first.locator("th").all_inner_texts() == ["Raised", "measured", "direct"]
        assert tables.first.locator("tbody tr").first.locator("td").nth(1).inner_text() == "+0.50"
        assert tables.last.locator("tbody tr").first.locator("td").nth(2).inner_text() == "\u2013"


class TestHistogram:
    @BOTH
    @HANDS
    def test_a_bar_shows_the_examples_of_its_strength(self, show: Show, use: str):
        page = show(7)
        bars = card(page, "activations").locator(".stops button")
        last = bars.last
        if use == "mouse":
            last.click()
        else:
            card(page, "activations").locator(".stops [tabindex='0']").focus()
            page.keyboard.press("End")
            page.keyboard.press("Enter")
        assert page.get_by_role("tab", selected=True).inner_text() == "By strength"
        assert "examples=interval&interval=" in page.url
        assert "By strength, activation" in page.locator(".reading [role=status]").text_content()
        assert page.locator("#examples-panel h3").count() == 1
        upper = float(page.locator("#examples-panel h3").inner_text().split("\u2013")[1])
        assert upper >= max(float(text) for text in page.locator(".activation").all_inner_texts())
        assert card(page, "activations").locator("rect.marked").count() > 0

    @HANDS
    def test_both_axes_can_be_logarithmic(self, show: Show, use: str):
        page = show(7)
        figure = card(page, "activations")
        shape = (
            "(svg) => [...svg.children].map((bar) => bar.getBBox()).map((b) => b.x + ' ' + b.height).join()"
        )
        shapes = [figure.locator("svg").first.evaluate(shape)]
        for axis, state in (("activation", "x=log"), ("count", "y=log")):
            activate(figure.get_by_role("group", name=axis).get_by_role("button", name="log"), use)
            assert state in page.url
            shapes.append(figure.locator("svg").first.evaluate(shape))
        assert len(set(map(str, shapes))) == 3
        again = show(7, "?x=log&y=log")
        assert card(again, "activations").locator("svg").first.evaluate(shape) == shapes[-1]

    def test_every_bar_has_its_numbers_on_hover_on_focus_and_in_a_table(self, show: Show):
        page = show(7)
        figure = card(page, "activations")
        figure.locator("summary").click()
        rows = figure.locator("details tbody tr").all_inner_texts()
        bars = figure.locator(".stops [data-tip]")
        assert bars.count() == len(rows)
        for number, row in enumerate(rows):
            lower, upper, count = row.split("\t")
            bars.nth(number).hover()
            told = page.locator(".value-card").inner_text()
            assert re.fullmatch(rf"{re.escape(lower)} to {re.escape(upper)}: {count} firings?", told)

    def test_positions_and_logits_have_histograms_too(self, show: Show):
        page = show(7)
        assert card(page, "c-position_profile").locator("rect").count() == 2
        assert card(page, "logits").locator("rect.positive").count() > 0
        assert card(page, "logits").locator("rect.negative").count() > 0
        card(page, "logits").locator(".stops [tabindex='0']").focus()
        assert "tokens" in page.locator(".value-card").inner_text()


class TestCards:
    @HANDS
    def test_raw_logits_on_demand(self, show: Show, use: str):
        page = show(7)
        logits = card(page, "logits")
        first = logits.locator(".effects.positive b").first.inner_text()
        activate(logits.get_by_role("button", name="raw"), use)
        assert "logits=other" in page.url
        assert "Shown raw" in logits.inner_text()
        raw = logits.locator(".effects.positive b").first.inner_text()
        assert float(raw) == pytest.approx(float(first) + 2, abs=0.02)
        activate(logits.get_by_role("button", name="final norm folded in"), use)
        assert logits.locator(".effects.positive b").first.inner_text() == first

    @HANDS
    def test_tokens_on_before_after(self, show: Show, use: str):
        page = show(7)
        tokens = card(page, "tokens")
        assert "Counted in 1 of 4 contexts" in tokens.inner_text()
        for name, state in (("just before", "before"), ("just after", "after")):
            activate(tokens.get_by_role("button", name=name), use)
            assert f"tokens={state}" in page.url
            assert tokens.locator(".effects li").count() > 0
        activate(tokens.get_by_role("button", name="fires on"), use)
        assert "tokens=" not in page.url

    def test_neighbours_by_decoder_and_by_coactivation(self, show: Show):
        page = show(7)
        tables = card(page, "neighbours").locator("table")
        assert tables.first.locator("th").last.inner_text() == "cosine"
        assert tables.last.locator("th").all_inner_texts()[1:] == ["phi", "tokens", "PMI"]
        assert tables.last.locator("tbody td.number").all_inner_texts()[:3] == ["0.50", "12", "2.3"]
        assert "sample of 200 tokens" in card(page, "neighbours").inner_text()
        tables.last.get_by_role("link").nth(1).click()
        page.wait_for_url(re.compile(rf"/{SLUG}/0/[12]\.html$"))

    def test_sources_neurons_map(self, show: Show):
        page = show(7)
        assert card(page, "c-sources").locator("li").count() > 0
        assert card(page, "neurons").locator("tbody tr").count() == 1
        page.locator("atlas-minimap").scroll_into_view_if_needed()
        page.wait_for_selector("atlas-minimap[data-ready]", state="attached")
        page.get_by_role("link", name="Open the map").click()
        page.wait_for_url(f"**/map.html?sae={SLUG}&f=7")

    def test_every_number_has_its_definition_on_focus_and_a_link_to_it(self, show: Show, site: Path):
        page = show(7)
        labels = card(page, "numbers").locator("dt a")
        about = (site / "about.html").read_text(encoding="utf-8")
        assert labels.count() > 10
        for number in range(labels.count()):
            labels.nth(number).focus()
            assert page.locator(".value-card").inner_text().endswith((".", ")"))
            anchor = labels.nth(number).get_attribute("href").split("#")[1]
            assert f'id="{anchor}"' in about


class TestData:
    @BOTH
    @HANDS
    def test_the_feature_as_json(self, show: Show, tmp_path: Path, use: str):
        page = show(7)
        with page.expect_download() as waiting:
            activate(card(page, "data").get_by_role("button", name="JSON"), use)
        assert waiting.value.suggested_filename == f"{SLUG}-7.json"
        waiting.value.save_as(tmp_path / "f.json")
        record = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
        assert record["feature_idx"] == 7
        assert record["columns"]["tokens_after"][0]["token"] != ""
        groups = {example["group"] for example in record["examples"]}
        assert groups == {"top", "interval", "random", "same_token", "near_miss"}
        assert record["effects"][0]["raised"][0]["measured"] == 0.5
        assert record["definitions"]["max_activation"]["unit"] == "activation"

    @BOTH
    @HANDS
    def test_numbers_and_examples_as_csv(self, show: Show, tmp_path: Path, use: str):
        page = show(7)
        read: dict[str, list[list[str]]] = {}
        for label in ("numbers as CSV", "examples as CSV"):
            with page.expect_download() as waiting:
                activate(card(page, "data").get_by_role("button", name=label), use)
            waiting.value.save_as(tmp_path / "f.csv")
            with (tmp_path / "f.csv").open(encoding="utf-8", newline="") as file:
                read[label] = list(csv.reader(file))
        assert ["firing_tokens", "", ""] in [row[:3] for row in read["numbers as CSV"]]
        examples = read["examples as CSV"]
        assert len(examples) - 1 > page.locator(".example").count()
        assert {len(row) for row in examples} == {len(examples[0])}

    @HANDS
    def test_the_line_of_python(self, show: Show, use: str):
        page = show(7)
        activate(card(page, "data").get_by_role("button", name="copy"), use)
        assert copied(page) == f'atlas.open("data").feature(7, sae="{SLUG}")'


class TestOdd:
    def test_a_dead_feature_says_so_and_shows_what_weights_tell(self, show: Show):
        page = show(3)
        assert "never fired" in page.locator(".nothing").inner_text()
        assert page.locator(".example").count() == 0
        assert card(page, "activations").count() == 0
        assert card(page, "logits").is_visible()

    @BOTH
    def test_without_its_data_the_reading_copy_stays_and_the_problem_is_named(
        self, root: str, visit: Visitor
    ):
        visited = visit()
        visited.page.route("**/data/alpha/features/**", lambda route: route.abort())
        page = visited.open(f"{root}{SLUG}/0/7.html")
        page.get_by_role("alert").wait_for()
        assert f"data/{SLUG}/features/0.js could not be loaded" in page.get_by_role("alert").inner_text()
        assert page.locator(".brief mark").count() > 0
        assert page.locator("h1").is_visible()
        assert page.get_by_role("link", name="8 →").is_visible()

    def test_an_address_can_name_a_card(self, show: Show):
        page = show(7, "#numbers", size=(390, 800))
        assert card(page, "numbers").bounding_box()["y"] < 100

    def test_an_address_of_nonsense_shows_the_plain_page(self, show: Show):
        page = show(7, "?examples=x&interval=x&context=%3Cb%3E&x=y&colour=red&tokens=q")
        assert strips(page) == strips(show(7))

    def test_what_a_child_theme_draws_is_kept(self, tmp_path: Path, visit: Visitor):
        store = make_rich_atlas(tmp_path / "data")
        with Output(tmp_path / "site") as out:
            render_site(
                store,
                RenderConfig(theme=str(requirements.ROOT / "themes" / "slate")),
                out,
                lambda *_: None,
                base=tmp_path,
            )
        page = visit().open(f"{(tmp_path / 'site').as_uri()}/{SLUG}/0/7.html")
        page.wait_for_selector("atlas-feature[data-ready]", state="attached")
        ids = page.locator(".margin .card").evaluate_all("(all) => all.map(({ id }) => id)")
        assert ids.index("cite") == ids.index("data") - 1
        assert f"{SLUG}/7" in card(page, "cite").inner_text()


class TestEveryone:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [390, 1280])
    @pytest.mark.parametrize(
        ("feature", "state"),
        [
            (7, ""),
            (7, "?examples=counter&context=sentence&x=log&y=log"),
            (7, "?colour=loss&logits=other&tokens=after"),
            (7, "?examples=interval&interval=1&spaces=1"),
            (3, ""),
            (UNEXPLAINED, "?examples=random"),
        ],
    )
    def test_no_rule_is_broken(self, show: Show, feature: int, state: str, width: int, scheme: str):
        page = show(feature, state, size=(width, 800), scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        stop = page.locator(".strip .peak, .scalars a").first
        stop.focus()
        assert axe.violations(page) == []

    @pytest.mark.parametrize("width", [320, 360, 900, 901, 3840])
    def test_nothing_sticks_out(self, show: Show, width: int):
        page = show(7, "?colour=loss", size=(width, 800))
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    def test_every_strip_and_every_histogram_is_one_stop(self, show: Show):
        page = show(7)
        parts = page.locator("[data-rove]").all()
        assert [part.locator("[tabindex='0']").count() for part in parts] == [1] * len(parts)
