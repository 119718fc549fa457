"""Contrasting two texts in a real Chromium: the twin's numbers, p-values by brute force, every control."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tests.support import axe
from tests.support.listed import listed_site

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Locator, Page

    from atlas.reader import Atlas
    from atlas.store import AtlasStore
    from tests.support.browser import Visitor

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("home", ["file", "http"], indirect=True)
CLOSE = {"rel": 1e-4, "abs": 1e-5}
"""Between onnxruntime in a browser and in Python."""
A, B = "raise ValueError(name)", "return self.value + 1"
LINES_A = "raise x\n\nraise KeyError\nraise y"
LINES_B = "return 1\nprint(2)\n   \nx = y\nfor z in w"
HOSTILE = '<img src=x onerror=alert(1)>\u202e"\x00\ud83e'


Opener = Callable[..., "Page"]


@pytest.fixture
def show(visit_page: Opener) -> Opener:
    """`show("?kind=lines")` opens the page; nothing may go wrong in it."""
    return partial(visit_page, "contrast.html", "atlas-contrast-page")


def fill(page: Page, a: str, b: str) -> None:
    page.get_by_role("textbox", name=re.compile("^(Text|Set) A$")).fill(a)
    page.get_by_role("textbox", name=re.compile("^(Text|Set) B$")).fill(b)


def pick(page: Page, name: str) -> Locator:
    """The field for choosing called `name`."""
    return page.get_by_role("combobox", name=name, exact=True)


def idle(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('atlas-contrast-page progress') === null")


def compare(page: Page, a: str = A, b: str = B) -> None:
    fill(page, a, b)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("table.contrast").wait_for()
    idle(page)


def exact(page: Page) -> dict[int, dict[str, float]]:
    """Feature → its exact numbers: every cell with a title, by its heading."""
    rows: list[list[str]] = page.locator("table.contrast tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [...row.children].map((cell) => cell.title || cell.innerText.trim()))"
    )
    return {
        int(row[0]): {"difference": float(row[2]), "a": float(row[3]), "b": float(row[4])}
        | ({"p": p_of(row[6], 0), "q": p_of(row[6], 1)} if row[6].startswith("p ") else {})
        for row in rows
    }


def p_of(title: str, place: int) -> float:
    """Number `place` of `p 0.1, q 0.5`."""
    return float(re.findall(r"[pq] ([\d.e+-]+)", title)[place])


def features(page: Page) -> list[int]:
    return [int(text) for text in page.locator("table.contrast tbody th").all_inner_texts()]


def counted(
    atlas: Atlas, text: str, measure: str, sae: str = "alpha", *, bos: bool = False
) -> NDArray[np.float64]:
    """What counts of each feature on `text`, by the twin: BOS left out, unless `bos`."""
    found = atlas.activations(text, sae=sae)
    values = found.values[bos | ~np.asarray(found.bos)].astype(np.float64)
    return {"max": values.max, "mean": values.mean, "sum": values.sum}[measure](axis=0)


def state(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


class TestTexts:
    @BOTH
    def test_every_number_is_the_python_twins(self, show: Opener, atlas: Atlas):
        page = show("?rows=1000")
        compare(page)
        for measure in ("max", "mean", "sum"):
            pick(page, "by").select_option(measure)
            a, b = (counted(atlas, text, measure) for text in (A, B))
            found = exact(page)
            assert set(found) == set(np.flatnonzero((a > 0) | (b > 0)).tolist())
            for feature, row in found.items():
                assert row["a"] == pytest.approx(a[feature], **CLOSE)
                assert row["b"] == pytest.approx(b[feature], **CLOSE)
                assert row["difference"] == pytest.approx(a[feature] - b[feature], **CLOSE)

    def test_bos_can_be_counted_by_keyboard_and_the_address_keeps_it(self, show: Opener, atlas: Atlas):
        page = show("?rows=1000&by=mean")
        compare(page)
        assert page.get_by_text("BOS, the same in every text, is left out.").count() == 1
        left_out = exact(page)
        pick(page, "BOS").focus()
        page.keyboard.press("ArrowDown")
        page.get_by_text("BOS, which begins every window, counts.").wait_for()
        assert state(page)["bos"] == ["1"]
        a, b = (counted(atlas, text, "mean", bos=True) for text in (A, B))
        found = exact(page)
        assert set(found) == set(np.flatnonzero((a > 0) | (b > 0)).tolist())
        for feature, row in found.items():
            assert row["a"] == pytest.approx(a[feature], **CLOSE)
            assert row["b"] == pytest.approx(b[feature], **CLOSE)
        assert found != left_out
        page.reload()
        page.wait_for_selector("atlas-contrast-page[data-ready]")
        compare(page)
        assert exact(page) == found
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as CSV").click()
        header = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()[0]
        assert ",mean_with_bos_a,mean_with_bos_b," in header
        pick(page, "BOS").select_option("")
        assert exact(page) == left_out
        assert "bos" not in state(page)

    def test_values_can_be_shares_of_each_maximum(self, show: Opener, atlas: Atlas, store: AtlasStore):
        page = show("?rows=1000&in=share&by=mean")
        compare(page)
        table = store.read("features", "alpha", columns=["feature_idx", "max_activation"]).to_pylist()
        largest = {row["feature_idx"]: row["max_activation"] for row in table}
        a, b = (counted(atlas, text, "mean") for text in (A, B))
        cells = page.locator("table.contrast tbody tr").evaluate_all(
            "(rows) => rows.map(({ children }) => [children[0], children[3], children[4]]"
            ".map((cell) => cell.title || cell.innerText))"
        )
        shares = {int(feature): (x, y) for feature, x, y in cells}
        assert len(shares) > 50
        for feature, (x, y) in shares.items():
            if largest[feature] > 0:
                assert float(x) == pytest.approx(a[feature] / largest[feature], **CLOSE)
                assert float(y) == pytest.approx(b[feature] / largest[feature], **CLOSE)
            else:
                assert (x, y) == ("no value", "no value")
        pick(page, "in").select_option("activation")
        assert exact(page)[5]["a"] == pytest.approx(a[5], **CLOSE)

    def test_nothing_of_the_model_is_loaded_before_it_is_asked_for(self, home: str, visit: Visitor):
        opened = visit()
        page = opened.open(f"{home}contrast.html")
        page.wait_for_selector("atlas-contrast-page[data-ready]")
        fill(page, A, B)
        page.get_by_role("button", name="Load the model").wait_for()
        asked = [url for url in opened.record.requests if "/data/model/" in url]
        assert [url for url in asked if "/data/model/index.js" not in url] == []
        assert not any("model-worker" in url for url in opened.record.requests)

    def test_the_keyboard_alone_is_enough(self, show: Opener):
        page = show()
        page.get_by_label("Text A").focus()
        page.keyboard.type("raise")
        page.keyboard.press("Tab")
        page.keyboard.type("return")
        page.keyboard.press("Control+Enter")
        page.locator("table.contrast").wait_for()
        idle(page)
        heading = page.get_by_role("columnheader", name="#").get_by_role("button")
        for _ in range(40):
            page.keyboard.press("Tab")
            if heading.evaluate("(button) => button === document.activeElement"):
                break
        page.keyboard.press("Enter")
        assert features(page) == sorted(features(page), reverse=features(page)[0] > features(page)[-1])
        assert state(page)["sort"] in (["feature"], ["-feature"])

    def test_another_sae_is_run_where_it_is_chosen(self, show: Opener, atlas: Atlas):
        page = show("?rows=1000")
        pick(page, "SAE").select_option("beta")
        compare(page)
        a = counted(atlas, A, "max", "beta")
        for feature, row in exact(page).items():
            assert row["a"] == pytest.approx(a[feature], **CLOSE)
        assert state(page)["sae"] == ["beta"]
        assert page.locator("table.contrast tbody a").first.get_attribute("href").startswith("beta/0/")

    def test_only_on_one_side_is_what_never_fires_on_the_other(self, show: Opener, atlas: Atlas):
        page = show("?rows=1000")
        compare(page, "raise", "x")
        a, b = counted(atlas, "raise", "max"), counted(atlas, "x", "max")
        page.get_by_role("button", name=re.compile("^only in A")).click()
        assert set(features(page)) == set(np.flatnonzero((a > 0) & (b <= 0)).tolist())
        assert set(page.locator("td .only").all_inner_texts()) == {"only A"}
        page.get_by_role("button", name=re.compile("^stronger in B")).press("Enter")
        assert set(features(page)) == set(np.flatnonzero(b > a).tolist())
        assert state(page)["show"] == ["b"]

    def test_headings_sort_by_mouse_and_keyboard(self, show: Opener):
        page = show("?rows=1000")
        compare(page)

        def column(name: str) -> list[float]:
            return [row[name] for row in exact(page).values()]

        assert sorted(map(abs, column("difference")), reverse=True) == list(map(abs, column("difference")))
        heading = page.get_by_role("columnheader", name="A \u2212 B")
        assert heading.get_attribute("aria-sort") == "other"
        heading.get_by_role("button").click()
        assert column("difference") == sorted(column("difference"), reverse=True)
        heading.get_by_role("button").press("Enter")
        assert column("difference") == sorted(column("difference"))
        assert (heading.get_attribute("aria-sort"), state(page)["sort"]) == ("ascending", ["difference"])
        page.get_by_role("button", name="B", exact=True).press("Space")
        assert column("b") == sorted(column("b"), reverse=True)
        page.get_by_role("button", name="#", exact=True).click()
        assert features(page) == sorted(features(page))

    def test_dense_features_can_be_left_out(self, show: Opener, store: AtlasStore):
        page = show("?rows=1000")
        compare(page)
        table = store.read("features", "alpha", columns=["feature_idx", "activation_density"]).to_pylist()
        density = {row["feature_idx"]: row["activation_density"] for row in table}
        before = features(page)
        pick(page, "density").select_option("0.01")
        after = features(page)
        assert set(after) == {feature for feature in before if density[feature] <= 0.01}
        assert 0 < len(after) < len(before)

    def test_rows_come_in_steps_with_titles_that_lead_on(self, show: Opener, atlas: Atlas):
        page = show()
        compare(page)
        assert len(features(page)) == 50
        page.get_by_role("button", name="Show more").press("Enter")
        assert len(features(page)) == 100
        feature = features(page)[0]
        title = atlas.feature(feature, sae="alpha").explanation
        page.locator("table.contrast tbody bdi", has_not_text="…").first.wait_for()
        assert title is None or page.locator("table.contrast tbody bdi").first.inner_text() != ""
        page.get_by_role("link", name=f"Steer with feature {feature}", exact=True).click()
        page.wait_for_selector("atlas-steer-page[data-ready]")
        assert page.locator(".steered li").get_attribute("data-feature") == str(feature)

    def test_a_long_text_is_read_in_windows_and_that_is_said(self, show: Opener):
        page = show()
        compare(page, "raise ValueError(name) " * 3, B)
        assert re.search(
            r"read in \d+ windows", page.locator(".contrast-switches ~ .note").first.inner_text()
        )

    @pytest.mark.parametrize(("a", "b", "said"), [("", B, "Side A"), (A, "", "Side B"), ("", "", "Side B")])
    def test_an_empty_side_is_told_and_nothing_is_run(self, show: Opener, a: str, b: str, said: str):
        page = show()
        fill(page, a, b)
        page.get_by_role("button", name="Compare", exact=True).click()
        assert f"{said} holds no text." in page.get_by_role("alert").inner_text()
        assert page.locator("atlas-model-loader").get_attribute("data-state") == "offered"

    def test_hostile_text_is_text(self, show: Opener):
        page = show()
        compare(page, "x", "y")
        page.evaluate(
            "(text) => { const field = document.querySelector('#contrast-a'); field.value = text;"
            " field.dispatchEvent(new Event('input', { bubbles: true })); }",
            HOSTILE,
        )
        assert "changed since" in page.locator(".contrast-switches ~ .note").first.inner_text()
        page.get_by_role("button", name="Compare", exact=True).click()
        page.locator(".contrast-switches ~ .note", has_text="U+FFFD").wait_for()
        assert page.locator("atlas-contrast-page img, atlas-contrast-page b").count() == 0

    def test_the_file_holds_what_is_listed(self, show: Opener, tmp_path: Path):
        page = show("?rows=1000&sort=feature")
        compare(page)
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Save as CSV").click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
        found = exact(page)
        assert path.name == "contrast-alpha.csv"
        assert [int(row["feature_idx"]) for row in rows] == features(page)
        for row in rows:
            shown = found[int(row["feature_idx"])]
            assert [float(row[name]) for name in ("max_a", "max_b", "difference")] == [
                shown[name] for name in ("a", "b", "difference")
            ]
        assert any(row["explanation"] for row in rows)


class TestAddress:
    @BOTH
    def test_texts_are_in_the_address_only_where_asked_for_and_never_in_the_query(self, show: Opener):
        page = show("?kind=lines")
        fill(page, LINES_A, LINES_B)
        page.get_by_label("Set A").blur()
        assert "#" not in page.url
        assert "raise" not in page.url
        page.get_by_role("button", name="Copy a link with the texts").press("Enter")
        page.locator(".copied", has_text="copied").wait_for()
        address = page.evaluate("navigator.clipboard.readText()")
        assert address == page.url
        assert "share" not in urlsplit(address).query
        page.goto("about:blank")
        page.goto(address)
        page.wait_for_selector("atlas-contrast-page[data-ready]")
        assert page.get_by_label("Set A").input_value() == LINES_A
        assert page.get_by_label("Set B").input_value() == LINES_B
        page.get_by_label("Set B").fill("other")
        assert page.evaluate("location.hash") == ""

    @pytest.mark.parametrize("fragment", ["#share=!!!", "#share=eNp", "#share="])
    def test_a_damaged_address_is_told(self, show: Opener, fragment: str):
        page = show(fragment)
        assert page.get_by_label("Text A").input_value() == ""
        if fragment != "#share=":
            assert "cannot be read" in page.get_by_role("alert").inner_text()

    def test_the_view_survives_a_reload(self, show: Opener):
        page = show("?rows=1000")
        compare(page)
        pick(page, "by").select_option("sum")
        page.get_by_role("button", name=re.compile("^stronger in A")).click()
        page.get_by_role("button", name="A", exact=True).click()
        before = exact(page)
        page.get_by_role("button", name="Copy a link with the texts").click()
        page.reload()
        page.wait_for_selector("atlas-contrast-page[data-ready]")
        compare(page)
        assert list(exact(page).items()) == list(before.items())


def brute_force(values: Sequence[float], n_a: int) -> float:
    """Two-sided p of the difference of means over every relabelling."""
    whole = np.asarray(values)

    def gap(chosen: tuple[int, ...]) -> float:
        inside = np.zeros(len(whole), dtype=bool)
        inside[list(chosen)] = True
        return abs(whole[inside].mean() - whole[~inside].mean())

    observed = gap(tuple(range(n_a)))
    gaps = [gap(chosen) for chosen in itertools.combinations(range(len(whole)), n_a)]
    return sum(each >= observed * (1 - 1e-6) - 1e-9 for each in gaps) / len(gaps)


class TestSets:
    @BOTH
    def test_p_is_that_of_every_relabelling_of_the_twins_values(self, show: Opener, atlas: Atlas):
        page = show("?kind=lines&rows=1000")
        compare(page, LINES_A, LINES_B)
        sides = [[line for line in text.split("\n") if line.strip()] for text in (LINES_A, LINES_B)]
        values = np.stack([counted(atlas, line, "max") for line in sides[0] + sides[1]])
        n_a = len(sides[0])
        found = exact(page)
        assert set(found) == set(np.flatnonzero((values > 0).any(axis=0)).tolist())
        for feature, row in found.items():
            own = values[:, feature]
            assert row["difference"] == pytest.approx(own[:n_a].mean() - own[n_a:].mean(), **CLOSE)
            assert row["p"] == pytest.approx(brute_force(own.tolist(), n_a))
        assert "all 35 relabellings" in page.locator(".contrast-test").text_content()

    def test_q_is_benjamini_and_hochbergs_over_what_is_listed(self, show: Opener):
        page = show("?kind=lines&rows=1000&sort=p")
        compare(page, LINES_A, LINES_B)
        for densest in ("1", "0.01"):
            pick(page, "density").select_option(densest)
            rows = list(exact(page).values())
            p = np.array([row["p"] for row in rows])
            assert p.tolist() == sorted(p.tolist())
            wanted = np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
            assert [row["q"] for row in rows] == pytest.approx(np.minimum(wanted, 1).tolist())

    def test_many_lines_are_drawn_from_and_the_number_is_said(self, show: Opener):
        page = show("?kind=lines&rows=1000")
        lines = ["raise", "x", "return", "y = 1", "def", "name", "for", "in"]
        compare(page, "\n".join(lines), "\n".join(reversed(lines)))
        said = page.locator(".contrast-test").text_content()
        assert "9,999 relabellings drawn at random (seed 0)" in said
        drawn = exact(page)
        assert all(round(row["p"] * 10_000) == pytest.approx(row["p"] * 10_000) for row in drawn.values())
        # The same lines on both sides: nothing tells them apart.
        assert all(row["p"] == 1 and row["q"] == 1 for row in drawn.values())
        pick(page, "relabellings").select_option("99999")
        page.locator(".contrast-test", has_text="all 12,870 relabellings").wait_for(state="attached")

    def test_few_lines_are_said_to_prove_nothing(self, show: Opener):
        page = show("?kind=lines")
        compare(page, "raise x\nraise y", "return")
        assert "so few lines give no p below 0.33" in page.locator(".contrast-test summary").inner_text()

    @pytest.mark.parametrize("way", ["mouse", "keyboard"])
    def test_many_lines_show_progress_and_can_be_cancelled(self, show: Opener, way: str):
        page = show("?kind=lines")
        many = "\n".join(f"raise ValueError({number}) or return name" for number in range(400))
        fill(page, many, many)
        page.get_by_role("button", name="Compare", exact=True).click()
        page.get_by_text(re.compile(r"^Text [\d,]+ of 800$")).wait_for()
        cancel = page.locator(".working").get_by_role("button", name="Cancel")
        cancel.click() if way == "mouse" else cancel.press("Enter")
        page.locator(".working").wait_for(state="detached")
        assert page.locator("table.contrast").count() == 0
        compare(page, "raise", "return")
        assert len(features(page)) > 0


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 390), ("dark", 1280), ("light", 1280), ("dark", 390)]
)
def test_the_page_is_accessible_and_as_wide_as_the_window(show: Opener, scheme: str, width: int):
    page = show("?kind=lines", scheme=scheme, size=(width, 800))
    assert axe.violations(page) == []
    compare(page, LINES_A, LINES_B)
    page.locator(".contrast-test summary").click()
    assert axe.violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_pages_are_there_only_with_a_model(site: Path, tmp_path: Path):
    without = listed_site(tmp_path)
    for name in ("contrast.html", "steer.html"):
        assert (site / name).is_file()
        assert not (without / name).exists()


def test_without_javascript_the_page_says_what_it_needs(site: Path, visit: Visitor):
    page = visit(javascript=False).open(f"{site.as_uri()}/contrast.html")
    assert "needs JavaScript" in page.locator("main").inner_text()
